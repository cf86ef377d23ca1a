"""US222: a test sets a double on a module or a class itself, and nothing puts back what was there."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from understudy.doubles.library.mock import mock_name
from understudy.facts import model
from understudy.finding import Finding, Fix, Related, Severity
from understudy.index.module import Module
from understudy.infer.assigned import sets_any_on
from understudy.infer.entities import ClassEntity, External, FunctionEntity, Lookup, ModuleEntity
from understudy.infer.imports import ImportGraph
from understudy.infer.scopes import FunctionNode, Site
from understudy.rules import async_doubles, restoring
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.helpers import set_by_helpers
from understudy.rules.restoring import Replacement
from understudy.rules.statements import bound_once
from understudy.source.dotted import dotted_name, last_name
from understudy.source.parse import Parsed

_DOUBLES = frozenset(
    {"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "PropertyMock", "create_autospec", "mock_open"}
)
_FUNCTION = "a function of the tests"
_SET_UPS = frozenset(
    {"setUp", "asyncSetUp", "setUpClass", "setUpModule", "setup_method", "setup_class", "setup_module",
     "setup_function"}
)  # fmt: skip
_AGAIN = re.compile(r"\breload\b|\bsys\.modules\b|\b__dict__\b|\bvars\(|\bimport_module\b")
"""The module is loaded anew, or its names are put back by other means."""


@dataclass(frozen=True)
class _Left:
    """One statement that sets a double, and the function that runs it."""

    site: Site
    statement: ast.Assign
    target: ast.Attribute
    owner: ModuleEntity | ClassEntity
    original: FunctionEntity | ClassEntity | External
    double: str
    """What it is: ``a MagicMock``, ``a function of the tests``."""
    function: FunctionNode | None


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test:
        return
    grouped: dict[tuple[object, str], list[_Left]] = {}
    for left in _all(context):
        grouped.setdefault((left.owner, left.target.attr), []).append(left)
    if not grouped or excused(context):
        return
    around = list(_around(context))
    if any(_AGAIN.search(context.workspace.text(path).content) for path in around):
        return
    chain = context.fixtures.chain(context.module)
    preserving = [each for each in chain if model.COMPUTED in set_by_helpers(context, each)]
    for group in grouped.values():
        if any(_hands_over(context.workspace.parsed(each.path), group[0]) for each in preserving):
            # ``with preserve(mail):``
            continue
        for path in around:
            group = _staying(context.workspace.parsed(path), group) if group else group
        if group:
            yield _finding(rule, context, group)


def _all(context: Context) -> Iterator[_Left]:
    sites = context.sites("sets a double", "statements", lambda site: _left(context, site) is not None)
    if not sites:
        return
    running = {id(test.node) for test in context.tests}
    for site in sites:
        left = _left(context, site)
        if left is None or expected(context, site, "Exception"):
            # A test that is skipped sets nothing.
            continue
        function = left.function
        if function is None:
            if running and site.unit.node is site.node:
                yield left
        elif id(function) in running or _is_preparation(context, site, function):
            yield left


def _left(context: Context, site: Site) -> _Left | None:
    node = site.node
    if (
        not isinstance(node, ast.Assign)
        or len(node.targets) != 1
        or not isinstance(node.targets[0], ast.Attribute)
    ):
        return None
    target = node.targets[0]
    double = _double(context, site, node.value)
    if double is None or dotted_name(target.value) is None:
        return None
    owner = _owner(context, context.names.resolve(target.value, site.scope))
    if owner is None:
        return None
    original = _original(context, owner, target.attr)
    if original is None:
        return None
    return _Left(site, node, target, owner, original, double, site.scope.function)


def _double(context: Context, site: Site, node: ast.expr) -> str | None:
    """What kind of double an expression makes; None for anything else."""
    if isinstance(node, ast.Lambda):
        return _FUNCTION
    if isinstance(node, ast.Name):
        value = bound_once(site.scope, node.id)
        if value is not None:
            return _double(context, site, value) if isinstance(value, (ast.Call, ast.Lambda)) else None
        binders = site.scope.names.get(node.id, [])
        if binders and all(isinstance(b, (ast.FunctionDef, ast.AsyncFunctionDef)) for b in binders):
            return _FUNCTION
        found = context.names.resolve(node, site.scope)
        if not isinstance(found, (FunctionEntity, ClassEntity)) or found.path != context.path:
            return None
        return _FUNCTION if isinstance(found, FunctionEntity) else "a class of the tests"
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute) and node.func.attr in _DOUBLES:
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "mocker":
            return _shown(node.func.attr)
    found = context.names.resolve(node.func, site.scope)
    name = mock_name(found) if isinstance(found, External) else None
    return _shown(name) if name in _DOUBLES else None


def _shown(name: str) -> str:
    """What a constructor makes; ``create_autospec`` and ``mock_open`` are none."""
    return "a double" if name.islower() else async_doubles.article(name)


def _owner(context: Context, found: Lookup) -> ModuleEntity | ClassEntity | None:
    """The module or class, of a library or of the workspace, unless it belongs to the tests."""
    opened = context.resolver.open(found)
    if isinstance(opened, ClassEntity):
        return None if context.is_test_path(opened.path) else opened
    if isinstance(opened, External):
        # Modules of libraries are found by their names.
        file = context.workspace.find(opened.dotted, context.path)
        opened = ModuleEntity(file) if file is not None else opened
    if isinstance(opened, ModuleEntity):
        path = opened.file.path
        return None if path is not None and context.is_test_path(path) else opened
    return None


def _original(
    context: Context, owner: ModuleEntity | ClassEntity, name: str
) -> FunctionEntity | ClassEntity | External | None:
    """The function or class that the double replaces; None for everything else: a variable may be there to be set."""
    found = context.resolver.open(context.resolver.attribute(owner, name, context.module))
    if isinstance(found, (FunctionEntity, ClassEntity)):
        return found
    if (
        isinstance(found, External)
        and found.root in sys.builtin_module_names
        and found.dotted.count(".") == 1
    ):
        # ``time.sleep``: written in C, and always there.
        return found if hasattr(sys.modules.get(found.root), found.name) else None
    return None


def _is_preparation(context: Context, site: Site, function: FunctionNode) -> bool:
    """Is it a fixture or a set-up? In a conftest, only a fixture that tests ask for: what others do is meant for all
    of them."""
    fixture = next((d for d in function.decorator_list if last_name(d) == "fixture"), None)
    if fixture is None:
        return function.name in _SET_UPS and context.path.name != "conftest.py"
    if context.path.name != "conftest.py":
        return True
    return not isinstance(fixture, ast.Call) or not any(
        k.arg in ("autouse", "scope") for k in fixture.keywords
    )


# --- what puts it back


def _around(context: Context) -> Iterator[Path]:
    """The files whose code runs around the tests: the conftest files, and what of the tests the file imports."""
    seen: set[Path] = set()
    for module in context.fixtures.chain(context.module):
        for path in (module.path, *_imported_tests(context, module)):
            if path not in seen:
                seen.add(path)
                yield path


def _imported_tests(context: Context, module: Module) -> Iterator[Path]:
    for edge in ImportGraph(context.resolver).edges(module):
        for node in edge.targets:
            if isinstance(node, Path) and context.is_test_path(node):
                yield node


def _staying(parsed: Parsed, group: list[_Left]) -> list[_Left]:
    """Those for which a file has nothing that may put the original back. What a test does with a patch is over when
    it ends; anything else in a file may be meant for all tests."""
    name = group[0].target.attr
    named = {name, *_names_of(group[0])}
    if not any(word in parsed.text.content for word in named):
        return group
    if sets_any_on(parsed, set(_names_of(group[0]))):
        return []
    targets = {id(left.target) for left in group}
    for _, node in parsed.walk():
        if isinstance(node, ast.Assign) and _is_double(node.value):
            targets.update(map(id, node.targets))
    patching: set[int] = set()
    for _, node in parsed.walk():
        if isinstance(node, ast.Attribute):
            if node.attr == name and not isinstance(node.ctx, ast.Load) and id(node) not in targets:
                return []
        elif isinstance(node, ast.Constant):
            # A patch of it, or of what has it; ``setattr(module, "name", saved)``.
            if isinstance(node.value, str) and node.value.rpartition(".")[2] in named:
                patching.add(id(node))
        elif isinstance(node, ast.keyword) and node.arg == name:
            patching.add(id(node))
    inside = {id(test): {id(n) for n in ast.walk(test)} for test in _tests(parsed)} if patching else {}
    everywhere = patching.difference(*inside.values())
    if everywhere:
        return []
    return [left for left in group if patching.isdisjoint(inside.get(id(left.function), ()))]


def _hands_over(parsed: Parsed, left: _Left) -> bool:
    """Does a function get what has the attribute?"""
    names = set(_names_of(left))
    return any(
        last_name(given) in names
        for _, node in parsed.walk()
        if isinstance(node, ast.Call)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords))
        for given in getattr(argument, "elts", [argument])
    )


def _is_double(node: ast.expr) -> bool:
    """Is it written as one?"""
    return isinstance(node, ast.Lambda) or (isinstance(node, ast.Call) and last_name(node) in _DOUBLES)


def _tests(parsed: Parsed) -> Iterator[ast.AST]:
    for _, node in parsed.walk():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            yield node


def _names_of(left: _Left) -> Iterator[str]:
    """The names by which what has the attribute is known."""
    yield from (dotted_name(left.target.value) or "").split(".")
    if isinstance(left.owner, ClassEntity):
        yield left.owner.name
    else:
        yield left.owner.file.name.rpartition(".")[2]


# --- the finding and its fix


def _finding(rule: Rule, context: Context, group: list[_Left]) -> Finding:
    first = group[0]
    unit = first.site.unit
    written = unit.source(first.target)
    over = "the tests of this file are over" if first.function is None else "the test is over"
    related = [Related(context.path, left.site.unit.span(left.target), "here, too") for left in group[1:]]
    if not isinstance(first.original, External) and first.original.module.workspace:
        related.insert(0, Related(first.original.path, first.original.span, "what is replaced"))
    fix = _fix(context, group)
    return rule.finding(
        context.path,
        unit.span(first.target),
        f"`{written}` stays {first.double} when {over}: nothing puts the original back, so every later test "
        "gets it, too; set it with `monkeypatch.setattr`, or with `patch.object`",
        related=tuple(related),
        fixes=(fix,) if fix is not None else (),
    )


def _fix(context: Context, group: list[_Left]) -> Fix | None:
    """For all of them, where that can be."""
    found: list[Fix] = []
    for left in group:
        if left.function is None:
            return None
        source = left.site.unit.source
        owner, value = source(left.target.value), source(left.statement.value)
        fix = restoring.in_function(
            context,
            Replacement(
                left.site.unit,
                left.statement,
                left.function,
                owner,
                f'"{left.target.attr}"',
                value,
                is_item=False,
            ),
        )
        if fix is None:
            return None
        found.append(fix)
    edits = dict.fromkeys(edit for fix in found for edit in fix.edits)
    if any(a.span.overlaps(b.span) for a, b in itertools.combinations(edits, 2)):
        return found[0]
    return replace(found[0], edits=tuple(edits))


RULE = Rule(
    "US222",
    "double-never-restored",
    Severity.WARNING,
    "a test sets a double on a module or class itself, and nothing puts back what was there",
    check,
    __name__,
)
