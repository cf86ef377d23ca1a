"""Entries of ``sys.modules`` that tests replace: ``patch.dict(sys.modules, {"m": stub})``,
``monkeypatch.setitem(sys.modules, "m", stub)``, ``sys.modules["m"] = stub`` in a function. They reach only imports that
run later and look there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.index.module import Importer
from understudy.infer.imports import Edge, ImportGraph
from understudy.infer.scopes import Site
from understudy.rules.base import Context
from understudy.rules.expected import excused, expected
from understudy.rules.module_stubs import is_sys_modules, stands_for_sys_modules, stubs, taken_twice
from understudy.rules.patch_calls import spelling_of
from understudy.source.parse import Parsed
from understudy.source.span import Span

# Whoever imports by computed names may import anything.
_COMPUTING = re.compile(
    r"\b(?:import_module|__import__|reload|runpy|exec|eval|resolve_name|import_string|load_object|find_spec|pkgutil"
    r"|spec_from_file_location|module_from_spec)\b|\bsys\.modules\b"
)


@dataclass(frozen=True)
class TemporaryStub:
    """One entry that a test or a fixture replaces while it runs."""

    site: Site
    call: ast.expr
    """The call, or ``sys.modules["m"]``."""
    spelling: str
    """``patch.dict``, ``monkeypatch.setitem``, ``sys.modules``, as it is written."""
    key: ast.Constant
    value: ast.expr
    is_alone: bool
    """It is the only entry that the call replaces."""

    @property
    def name(self) -> str:
        return str(self.key.value)

    @property
    def span(self) -> Span:
        return self.site.unit.span(self.key if isinstance(self.call, ast.Call) else self.call)


@dataclass(frozen=True)
class Unseen:
    """A stub that no import looks at."""

    stub: TemporaryStub
    consumers: tuple[tuple[Importer, Edge], ...]
    """The modules that hold the real one, each with its import."""


def unseen(context: Context) -> Iterator[Unseen]:
    """The stubs of a test file that nothing can see: the module is loaded when the tests run, and no code that they
    may reach imports it again."""
    if "sys.modules" not in context.source or context.path.name == "conftest.py" or excused(context):
        return
    found = [*temporary_stubs(context), *_assigned(context)]
    if not found:
        return
    graph = ImportGraph(context.resolver)
    chain = [module.path for module in context.fixtures.chain(context.module)]
    loaded = graph.closure(chain)
    reached = graph.closure(chain, lazy=True, possible=True)
    if any(isinstance(node, Path) and _may_import_anything(context, node) for node in reached):
        return
    for stub in found:
        target = graph.node(stub.name, context.path)
        if not isinstance(target, Path) or expected(context, stub.site, "Exception"):
            continue
        if any(True for _ in graph.importers(reached, target, lazy=True, possible=True)):
            continue
        fresh = [node for node in reached if node not in loaded]
        if any(True for _ in graph.importers(fresh, target, lazy=False, possible=True)):
            continue
        if taken_twice(context, graph, reached, target):
            continue
        consumers = tuple(
            (module, edge)
            for module, edge in graph.importers(loaded, target, lazy=False)
            if not context.is_test_path(module.path)
        )
        if consumers and not _is_named(stub):
            yield Unseen(stub, consumers)


def temporary_stubs(context: Context) -> Iterator[TemporaryStub]:
    """Every entry with a constant name that a function of the file, or a decorator of one, replaces for a while."""
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("dict", "setitem"):
            continue
        if not call.args or not stands_for_sys_modules(call.args[0]) or not _is_in_function(site):
            continue
        spelling = spelling_of(context, site, call)
        if spelling is None:
            continue
        for key, value, is_alone in _entries(call):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield TemporaryStub(site, call, spelling, key, value, is_alone)


def _assigned(context: Context) -> Iterator[TemporaryStub]:
    """``sys.modules["m"] = stub`` in a function."""
    sites = {id(site.node): site for site in context.scopes.statements}
    for stub in stubs(context.parsed):
        site = sites.get(id(stub.statement))
        if stub.function is not None and not stub.only_if_absent and site is not None:
            if isinstance(stub.key, ast.Constant) and isinstance(stub.target, ast.Subscript):
                yield TemporaryStub(site, stub.target, "sys.modules", stub.key, stub.value, is_alone=False)


def _is_in_function(site: Site) -> bool:
    if site.scope.function is not None:
        return True
    parent = site.chain.parent.node if site.chain.parent is not None else None
    return isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _entries(call: ast.Call) -> Iterator[tuple[ast.expr | None, ast.expr, bool]]:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "setitem":
        if len(call.args) == 3 and not call.keywords:
            yield call.args[1], call.args[2], True
    elif len(call.args) == 2 and not call.keywords and isinstance(call.args[1], ast.Dict):
        given = call.args[1]
        for key, value in zip(given.keys, given.values, strict=True):
            yield key, value, len(given.keys) == 1


def _may_import_anything(context: Context, path: Path) -> bool:
    """Does code that the tests may reach import by computed names, or look into ``sys.modules``? Replacing an entry by
    its name does no harm."""
    parsed = context.workspace.readable(path)
    if parsed is None:
        return True
    if _COMPUTING.search(parsed.text.content) is None:
        return False
    return any(_COMPUTING.search(word) is not None for word in _other_uses(parsed))


def _other_uses(parsed: Parsed) -> Iterator[str]:
    """The names in a file, without ``sys.modules`` where entries are replaced, and where the same ones are taken out
    again."""
    plain: set[int] = set()
    replaced = {
        node.slice.value
        for _, node in parsed.walk()
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and is_sys_modules(node.value)
        if isinstance(node.slice, ast.Constant)
    }
    for _, node in parsed.walk():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr in ("dict", "setitem"):
                plain.add(id(node.args[0]))
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.slice, ast.Constant) and node.slice.value in replaced:
                plain.add(id(node.value))
    for unit in parsed.units:
        for call in _saving(unit.node):
            if isinstance(call.args[0], ast.Constant) and call.args[0].value in replaced:
                plain.add(id(call.func.value))  # type: ignore[attr-defined]
    for _, node in parsed.walk():
        if id(node) in plain:
            continue
        if isinstance(node, ast.Attribute):
            yield f"sys.{node.attr}" if is_sys_modules(node) else node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2]
        elif isinstance(node, ast.Constant) and node.value == "sys.modules":
            yield node.value


def _is_named(stub: TemporaryStub) -> bool:
    """Does anything in the function name the module by a string: a patch of a name in the stub, an import by name?"""
    around = list(stub.site.chain)
    functions = [node for node in around if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    classes = [node for node in around if isinstance(node, ast.ClassDef)]
    outermost = [*classes[:1], *functions[-1:]][-1]
    keys = {id(stub.key), *_replaced_or_removed(outermost)}
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in keys
        and re.match(rf"{re.escape(stub.name)}(?![\w])", node.value) is not None
        for node in ast.walk(outermost)
    )


def _replaced_or_removed(root: ast.AST) -> Iterator[int]:
    """The names of entries that are set, saved or taken out: nothing looks them up to use them."""
    for node in ast.walk(root):
        if isinstance(node, ast.Subscript) and is_sys_modules(node.value):
            if not isinstance(node.ctx, ast.Load):
                yield id(node.slice)
    for call in _saving(root):
        yield id(call.args[0])


def _saving(root: ast.AST) -> Iterator[ast.Call]:
    """``saved = sys.modules.get("m")``, where that is only put back, and ``sys.modules.pop("m")``."""
    for node in ast.walk(root):
        body = getattr(node, "body", None)
        # That of a lambda and of a conditional expression is an expression.
        for statement in body if isinstance(body, list) else ():
            value = getattr(statement, "value", None)
            if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute) or not value.args:
                continue
            if value.func.attr not in ("pop", "get") or not is_sys_modules(value.func.value):
                continue
            if isinstance(statement, ast.Expr) or (
                isinstance(statement, ast.Assign)
                and isinstance(statement.targets[0], ast.Name)
                and _is_put_back(root, statement.targets[0].id)
            ):
                yield value


def _is_put_back(root: ast.AST, name: str) -> bool:
    """Is a variable asked only whether there is anything, and given to ``sys.modules`` again?"""
    fine: set[int] = set()
    for node in ast.walk(root):
        if isinstance(node, (ast.If, ast.IfExp)):
            fine.update(id(child) for child in ast.walk(node.test))
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Subscript) and is_sys_modules(target.value) for target in node.targets
        ):
            fine.add(id(node.value))
    return all(
        id(node) in fine
        for node in ast.walk(root)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    )
