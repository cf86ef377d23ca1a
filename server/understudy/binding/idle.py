"""The patches of a test that change nothing for the code that it runs, and why."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from understudy.binding.names import loaded_twice, spoken
from understudy.binding.readers import reads
from understudy.doubles.run import Simulation
from understudy.doubles.trace import Bypass, Watched, Way
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.entities import ModuleEntity
from understudy.infer.imports import ImportGraph
from understudy.infer.resolve import Resolver
from understudy.infer.scopes import import_facts

_RELOAD = re.compile(rb"\breload\(")
_RELOADING = re.compile(rb"\breload\(|\bsys\.modules\b")


class Reason(str, Enum):
    """Why the code does not see a patch."""

    COPY = "copy"
    """It got its own reference before: by a ``from`` import, a default argument, a table."""
    TEST_COPY = "test copy"
    """The test itself calls the reference that it imported."""
    CAPTURED = "captured"
    """An object holds what it was given, or what it made, when it was made."""
    LOCAL_IMPORT = "local import"
    """The function imports the name again when it runs."""


@dataclass(frozen=True)
class Idle:
    """A patch that is never looked up, while the code uses the original."""

    patch: Watched
    reason: Reason
    bypasses: tuple[Bypass, ...]
    """Certain uses of the original, all for that reason, the first first."""


def idle_patches(simulation: Simulation, path: Path, is_test: Callable[[Path], bool]) -> list[Idle]:
    """The patches written in a file that are idle in every test that enters them."""
    chain = simulation.fixtures.chain(simulation.module)
    if loads_again(simulation.workspace, chain):
        return []
    by_place: dict[ast.AST, list[Watched]] = {}
    for outcome in simulation.outcomes:
        for patch in outcome.patches:
            if patch.place.unit.path == path:
                by_place.setdefault(patch.place.node, []).append(patch)
    used = any(patch.bypasses for group in by_place.values() for patch in group)
    loaded = loaded_before(simulation.resolver, chain) if used else set()
    found: list[Idle] = []
    for group in by_place.values():
        if any(patch.looked_up for patch in group):
            continue
        for patch in group:
            idle = _idle(simulation, patch, loaded | _loaded_above(simulation, patch), is_test)
            if idle is not None:
                found.append(idle)
                break
    return found


def loads_again(workspace: Workspace, chain: Iterable[Module]) -> bool:
    """May a test file or its conftest files, or a helper that they import, load a module again, under a patch?"""
    modules = list(chain)
    paths = [module.path for module in modules]
    workspace.depend_on(paths)
    if any(workspace.matches(_RELOADING, path) for path in paths):
        return True
    helpers = workspace.files_with(_RELOAD)
    if not helpers:
        return False
    graph = ImportGraph(Resolver(workspace))
    return any(
        target in helpers
        for module in modules
        for edge in graph.edges(module, possible=True)
        for target in edge.targets
    )


def loaded_before(resolver: Resolver, chain: Iterable[Module]) -> set[Path]:
    """The modules that are there before any test runs: what the test file and its conftest files load. What a test
    loads under its patch copies the double, also when that is a module that is there under another name."""
    workspace, modules = resolver.workspace, list(chain)
    if not any(workspace.is_open(module.path) for module in modules):
        return _loaded_before(resolver, modules)

    def make() -> set[Path]:
        now = [workspace.module(module.path) for module in modules]
        return _loaded_before(Resolver(workspace), [module for module in now if module is not None])

    # Most edits change no import.
    return workspace.derived(f"loaded before {[str(module.path) for module in modules]}", make)


def _loaded_before(resolver: Resolver, modules: list[Module]) -> set[Path]:
    graph = ImportGraph(resolver)
    found = {node for node in graph.closure(module.path for module in modules) if isinstance(node, Path)}
    return found - loaded_twice(resolver, modules, found)


def _loaded_above(simulation: Simulation, patch: Watched) -> set[Path]:
    """What the function that enters a patch imports before it does so, for certain."""
    unit, node = patch.place.unit, patch.place.node
    module = simulation.workspace.module(unit.path)
    body = _body_around(unit.node, node)
    if module is None or not patch.bypasses:
        return set()
    rows: set[int] = set()
    while body is not None:
        inner: list[ast.stmt] | None = None
        for statement in body:
            if _covers(statement, node):
                if isinstance(statement, (ast.With, ast.AsyncWith)) and not any(
                    _covers(part, node) for item in statement.items for part in _with_places(item)
                ):
                    inner = statement.body
                break
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                rows.add(unit.span(statement).row)
        body = inner
    graph = ImportGraph(simulation.resolver)
    edges = [edge for edge in graph.edges(module, possible=True) if edge.span.row in rows]
    start = [target for edge in edges for target in edge.targets]
    found = {node for node in graph.closure(start) if isinstance(node, Path)}
    return found - loaded_twice(simulation.resolver, simulation.fixtures.chain(simulation.module), found)


def _body_around(root: ast.AST, node: ast.AST) -> list[ast.stmt] | None:
    """The body of the innermost function around a node; None where it stands in a decorator."""
    found: list[ast.stmt] | None = None
    around: ast.AST | None = root
    while around is not None:
        if isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if any(_covers(statement, node) for statement in around.body):
                found = around.body
        around = next((child for child in _with_places(around) if _covers(child, node)), None)
    return found


def _with_places(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "lineno"):
            yield child
        else:
            # ``withitem``, ``arguments``, ``match_case``
            yield from _with_places(child)


def _covers(around: ast.AST, node: ast.AST) -> bool:
    """Is a node the other one, or inside of it, as far as their places tell?"""
    if around is node:
        return True
    one, two = _place(around), _place(node)
    return one[0] <= two[0] and two[1] <= one[1]


def _place(node: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    start = (node.lineno, node.col_offset)
    for decorator in getattr(node, "decorator_list", ()):
        start = min(start, (decorator.lineno, decorator.col_offset))
    return start, (node.end_lineno, node.end_col_offset)


def _idle(
    simulation: Simulation, patch: Watched, loaded: set[Path], is_test: Callable[[Path], bool]
) -> Idle | None:
    if not patch.bypasses or (patch.lost and _may_be_read(simulation, patch, loaded, is_test)):
        return None
    holders = {path for bypass in patch.bypasses for path in _holders(simulation, bypass)}
    if not holders <= loaded:
        return None
    reasons = [(_reason(patch, bypass, is_test, simulation.module.path), bypass) for bypass in patch.bypasses]
    if any(reason is None for reason, _ in reasons):
        return None
    reason = reasons[0][0]
    assert reason is not None
    return Idle(patch, reason, tuple(bypass for other, bypass in reasons if other is reason))


def _holders(simulation: Simulation, bypass: Bypass) -> set[Path]:
    """The modules that must have been loaded before the patch, if they are to hold the original."""
    found = {bypass.module.path, bypass.place.unit.path}
    if bypass.holder is not None:
        found.add(bypass.holder.entity.path)
    source = _imported(simulation, bypass)
    if source is not None and source[0].file.path is not None:
        found.add(source[0].file.path)
    return found


def _may_be_read(
    simulation: Simulation, patch: Watched, loaded: set[Path], is_test: Callable[[Path], bool]
) -> bool:
    """Could code that was not followed have looked where the patch is?"""
    if patch.spot[0] != "module":
        return True
    module = simulation.workspace.module(Path(patch.spot[1]))
    return module is None or reads(simulation.resolver, module, patch.spot[2], is_test, loaded)


def _reason(
    patch: Watched, bypass: Bypass, is_test: Callable[[Path], bool], test_file: Path
) -> Reason | None:
    """None where the use may well be meant."""
    in_test = is_test(bypass.place.unit.path)
    kind = patch.spot[0]
    if bypass.way is Way.NAME:
        if bypass.module.path == test_file or bypass.module.path.name == "conftest.py":
            return Reason.TEST_COPY if kind in ("module", "library") else None
        return Reason.COPY if kind in ("module", "library") else Reason.CAPTURED
    if bypass.way is Way.IMPORT:
        if in_test:
            return Reason.TEST_COPY if kind == "module" else None
        if kind == "module" and patch.spot[1] == str(bypass.place.unit.path):
            return Reason.LOCAL_IMPORT
        return Reason.COPY if kind == "module" else None
    if bypass.way is Way.ATTRIBUTE:
        return None if in_test else Reason.CAPTURED
    if in_test or kind not in ("module", "library"):
        return None
    if bypass.way is Way.MODULE:
        return Reason.COPY if kind == "module" else None
    if bypass.way is Way.CLOSURE:
        return Reason.CAPTURED
    return Reason.COPY if bypass.way in (Way.DEFAULT, Way.TABLE) else None


# --- what to patch instead


def consumers(simulation: Simulation, idle: Idle) -> Iterator[str]:
    """The dotted names under which the code looks the original up, each once."""
    seen: set[str] = set()
    for bypass in idle.bypasses:
        name = _consumer(simulation, bypass)
        if name is not None and name not in seen:
            seen.add(name)
            yield name


def _consumer(simulation: Simulation, bypass: Bypass) -> str | None:
    if bypass.way in (Way.NAME, Way.MODULE):
        return f"{spoken(simulation.resolver, simulation.module, bypass.module)}.{bypass.name}"
    source = _imported(simulation, bypass)
    found = simulation.workspace.load(source[0].file) if source is not None else None
    if source is None or found is None:
        return None
    return f"{spoken(simulation.resolver, simulation.module, found)}.{source[1]}"


def _imported(simulation: Simulation, bypass: Bypass) -> tuple[ModuleEntity, str] | None:
    """What an import inside a function took, and from which module."""
    if bypass.way is not Way.IMPORT or bypass.binder is None:
        return None
    alias = bypass.binder.node
    importer = simulation.workspace.module(bypass.binder.unit.path)
    if not isinstance(alias, ast.alias) or importer is None:
        return None
    for node in ast.walk(bypass.binder.unit.node):
        if isinstance(node, ast.ImportFrom) and alias in node.names:
            facts, _ = import_facts(node, alias, alias.asname or alias.name)
            source = simulation.resolver.imported_module(importer, facts)
            if isinstance(source, ModuleEntity):
                return source, alias.name
    return None
