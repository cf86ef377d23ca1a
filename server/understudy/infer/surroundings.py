"""What happens around the tests of a file: what conftest files replace before, and which tests they may skip."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from understudy.facts import model
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.entities import ClassEntity, External, ModuleEntity
from understudy.infer.fixtures import Fixtures
from understudy.infer.resolve import Resolver
from understudy.source.dotted import dotted_parts, last_name

_CONFIGURING = re.compile(r"\b(?:return_value|side_effect|(?:Magic|Async)?Mock\()")
_CHANGING = re.compile(
    r"\bfixturenames\s*(?:\.\s*(?:append|extend|insert|remove)\b|\+?=(?!=)|\[)|\bpluginmanager\s*\.\s*register\("
)
"""What gives tests other fixtures."""
_PATCHING = frozenset({"patch", "object", "multiple", "setattr"})
_SEARCHING = frozenset({"endswith", "fnmatch", "match", "search", "startswith"})
_USUAL = frozenset(
    {
        "anyio",
        "asyncio",
        "django_db",
        "filterwarnings",
        "flaky",
        "parametrize",
        "timeout",
        "usefixtures",
        "xdist_group",
    }
)


class LookedFor(NamedTuple):
    """A text that a hook looks for in another one, or compares that with."""

    text: str
    is_whole: bool


@dataclass(frozen=True)
class Surroundings:
    """What is known of it."""

    replaced: frozenset[str]
    """The attributes that something, which is not known, has other values of."""
    known: bool
    """False: a test may have other fixtures, or anything may be replaced."""
    skips_marked: bool
    """May a hook skip tests that have a mark of the project?"""
    skips_named: frozenset[LookedFor] = frozenset()
    """What such hooks look for in the names of tests, and in other things."""

    def may_skip(self, test: str, marks: tuple[ast.expr, ...]) -> bool:
        """May a hook skip a test with these marks?

        :param test: as pytest names it: ``tests/test_app.py::TestApp::test_it``.
        """
        if self.skips_named:
            parts = {*re.split(r"::|/", test), test}
            if any(text in (parts if is_whole else test) for text, is_whole in self.skips_named):
                return True
        return self.skips_marked and any(last_name(mark) not in _USUAL for mark in marks)


def around(fixtures: Fixtures, module: Module) -> Surroundings:
    """What there is around the tests of a module."""
    replaced: set[str] = set()
    known = True
    skips = False
    named: set[LookedFor] = set()
    for place in fixtures.chain(module):
        text = fixtures.resolver.workspace.text(place.path).content
        hooked = "def pytest_" in text
        if (hooked and _CHANGING.search(text) is not None) or not _names_its_plugins(place):
            known = False
        if hooked and "add_marker" in text and ("skip" in text or "xfail" in text):
            skips = True
            named.update(_looked_for(fixtures, place))
        for name in _replaced(fixtures, place):
            known = known and name is not None
            replaced.update([name] if name is not None else [])
    return Surroundings(frozenset(replaced), known, skips, frozenset(named))


def helping(resolver: Resolver, module: Module) -> set[Path]:
    """The files of functions that a module imports which configure doubles: those that have a word for it."""
    found: set[Path] = set()
    for _, statement in module.imports:
        for name in statement.names:
            entity = resolver.imported(module, statement, name)
            path = entity.file.path if isinstance(entity, ModuleEntity) else getattr(entity, "path", None)
            file = resolver.workspace.module(path) if path is not None else None
            if path is not None and file is not None and file.workspace and path != module.path:
                if path not in found and _configures(resolver.workspace, file):
                    found.add(path)
    return found


def _configures(workspace: Workspace, module: Module) -> bool:
    def search() -> bool:
        return _CONFIGURING.search(workspace.text(module.path).content) is not None

    return workspace.of_module(module, "configures doubles", search)


def _names_its_plugins(place: Module) -> bool:
    """Are the modules that ``pytest_plugins`` names written there?"""
    for binding in place.bindings.get("pytest_plugins", ()):
        value = getattr(binding.declaration, "value", None)
        items = value.items if isinstance(value, model.SequenceTerm) else (value,)
        if not all(isinstance(item, model.Const) for item in items):
            return False
    return True


def _looked_for(fixtures: Fixtures, place: Module) -> Iterator[LookedFor]:
    """The texts that the hooks of a module compare with, or look for in others."""
    for unit in fixtures.resolver.workspace.parsed(place.path).units:
        if unit.name is None or not unit.name.startswith("pytest_"):
            continue
        for node in ast.walk(unit.node):
            asked: list[ast.expr] = []
            is_whole = False
            if isinstance(node, ast.Compare):
                asked = [node.left, *node.comparators]
                # ``item.keywords`` has whole names: of the test, its class and file, and its marks.
                is_whole = isinstance(node.ops[0], (ast.Eq, ast.NotEq)) or any(
                    last_name(each) == "keywords" or hasattr(each, "elts") for each in asked
                )
            elif isinstance(node, ast.Call) and last_name(node) in _SEARCHING:
                asked = node.args
            for each in [part for one in asked for part in getattr(one, "elts", [one])]:
                if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value:
                    yield LookedFor(each.value, is_whole)


def _replaced(fixtures: Fixtures, place: Module) -> Iterator[str | None]:
    """What the statements of a module, and its hooks, set on modules and classes; None where that is not known."""
    units = fixtures.resolver.workspace.parsed(place.path).units
    at_import = any(unit.name is None and unit.mentions(".start()") for unit in units)
    for unit in units:
        is_hook = unit.name is not None and unit.name.startswith("pytest_")
        if unit.name is not None and not is_hook:
            continue
        starts = is_hook or at_import
        for node in ast.walk(unit.node):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if _is_namespace(fixtures, place, node.value):
                    yield node.attr
            elif isinstance(node, ast.Call) and last_name(node) in _PATCHING:
                if starts or last_name(node) == "setattr":
                    yield from _patched(node)


def _is_namespace(fixtures: Fixtures, place: Module, node: ast.expr) -> bool:
    parts = dotted_parts(node)
    found = fixtures.resolver.ref(place, parts) if parts is not None else None
    return isinstance(found, (ModuleEntity, ClassEntity, External))


def _patched(call: ast.Call) -> Iterator[str | None]:
    """The attribute that ``patch``, ``patch.object`` or ``setattr`` replaces; ``patch.multiple`` has several."""
    name = last_name(call)
    if name == "multiple":
        yield from (keyword.arg for keyword in call.keywords)
        return
    texts = [
        each.value for each in call.args[:2] if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    yield texts[-1].rpartition(".")[2] if texts else None
