"""US501: a test asks for a fixture that nothing provides."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.doubles.collected import Test
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.index.module import Module
from understudy.infer.entities import ClassEntity, ModuleEntity
from understudy.infer.fixtures import Fixtures
from understudy.infer.plugins import may_provide, nested_settings, plugins
from understudy.project.config import pytest_of
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.rules.fixture_parameters import asked
from understudy.source.parse import Unit
from understudy.source.span import Span

_PLUGINS = re.compile(r"^[^#\n]*\bpytest_plugins\b", re.MULTILINE)
_GENERATING = (
    "pytest_generate_tests",
    "pytest_factoryboy",
    "pytest_fixture_setup",
    "_fixturemanager",
    "pluginmanager",
    "collect_ignore",
    "pytest_ignore_collect",
    "pytest_collection_modifyitems",
)
"""What gives tests other parameters, or leaves tests out."""
_OWN_PLUGIN = re.compile(r"""-p (?!no:)|["']-p["'\w]""")
"""``-p no:name`` only takes one away."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or context.module.dynamic:
        return
    fixtures = context.fixtures
    chain = fixtures.chain(context.module)
    if not _readable(context, chain):
        return
    by_hand = context.scopes.called_names()
    for test in context.tests:
        if test.owner is None and test.node.name in by_hand:
            # A script that runs its functions itself, with arguments of its own.
            continue
        for arg in asked(context, test) or ():
            if fixtures.nearest(arg.arg, context.module, test.owner) is not None:
                continue
            if _bound(context, chain, test.owner, arg.arg) or may_provide(context.workspace, arg.arg):
                continue
            if excused(context):
                return
            yield _finding(rule, context, test, arg, fixtures)


def _readable(context: Context, chain: list[Module]) -> bool:
    """Are all places where fixtures may come from known?"""
    top = pytest_of(context.path.parent)
    if top.file is None or not top.rootdir.is_relative_to(context.workspace.root):
        # Without settings of its own, pytest may start higher up.
        if any((folder / "conftest.py").is_file() for folder in context.workspace.root.parents):
            return False
    if not top.starts_at(context.path):
        # What runs it otherwise brings fixtures of its own, or calls its functions itself.
        return False
    found = plugins(context.workspace)
    nested = nested_settings(context.workspace, context.path)
    if found.missing_of(nested):
        return False
    if not found.certain or any(
        "pytest11" in text or _OWN_PLUGIN.search(text) for text in (found.settings, nested)
    ):
        return False
    for place in chain:
        text = context.workspace.text(place.path).content
        if place.dynamic or any(word in text for word in _GENERATING):
            return False
        if "pytest_plugins" in text and not _plugins_known(context, place, chain):
            return False
        for star in place.stars:
            source = context.resolver.imported_module(place, star)
            if not isinstance(source, ModuleEntity) or not source.file.workspace:
                return False
    return True


def _plugins_known(context: Context, place: Module, chain: list[Module]) -> bool:
    """Is every module that ``pytest_plugins`` names one that was read?"""
    known = {module.name for module in chain}
    bindings = place.bindings.get("pytest_plugins", [])
    if len(bindings) != 1 or not isinstance(bindings[0].declaration, model.Assign):
        return False
    if len(_PLUGINS.findall(context.workspace.text(place.path).content)) > 1:
        # What else is done with the list is not known.
        return False
    value = bindings[0].declaration.value
    items = value.items if isinstance(value, model.SequenceTerm) else (value,)
    for item in items:
        if not isinstance(item, model.Const) or not isinstance(item.value, str):
            return False
        if item.value not in known and item.value not in ("pytester", "pytest_asyncio", "pytest_mock"):
            file = context.workspace.find(item.value, place.path)
            if file is None or file.path not in {module.path for module in chain}:
                return False
    return True


def _bound(context: Context, chain: list[Module], owner: ClassEntity | None, name: str) -> bool:
    """Is the name bound by something that may be a fixture: made by a call, imported, decorated?"""
    for cls in context.resolver.ancestry(owner).classes if owner is not None else ():
        for declaration in cls.declaration.body:
            if getattr(declaration, "target", getattr(declaration, "name", None)) == name:
                if not isinstance(declaration, model.Function) or declaration.decorators:
                    return True
            if any(_may_name(decorator, name) for decorator in getattr(declaration, "decorators", ())):
                return True
    for place in chain:
        for binding in place.bindings.get(name, ()):
            declaration = binding.declaration
            if not isinstance(declaration, model.Function) or declaration.decorators:
                return True
        for found in place.functions():
            if any(_may_name(decorator, name) for decorator in found.decorators):
                return True
    return False


def _may_name(decorator: model.Term, name: str) -> bool:
    """``@fixture(name=computed)``, or ``@own_fixture(name="it")``"""
    given = decorator.keyword("name") if isinstance(decorator, model.CallTerm) else None
    return given is not None and (not isinstance(given, model.Const) or given.value == name)


def _finding(
    rule: Rule,
    context: Context,
    test: Test,
    arg: ast.arg,
    fixtures: Fixtures,
) -> Finding:
    others = {a.arg for a in (*test.node.args.args, *test.node.args.kwonlyargs)}
    known = fixtures.names(context.module) | plugins(context.workspace).fixtures
    near = nearest(arg.arg, sorted(known - others))
    related: tuple[Related, ...] = ()
    fixes: tuple[Fix, ...] = ()
    advice = "no conftest, module or installed plugin provides it"
    span = test.unit.span(arg)
    span = Span(span.row, span.column, span.row, span.column + len(arg.arg))
    if near is not None:
        advice = f"did you mean `{near}`?"
        for found in fixtures.find(near, context.module, None):
            related = (Related(found.path, found.span, f"the fixture `{near}` is defined here"),)
            break
        fixes = _rename(context, test.unit, test.node, arg.arg, near, span)
    return rule.finding(
        context.path,
        span,
        f"`{test.node.name}` fails before it starts: fixture '{arg.arg}' not found; {advice}",
        related=related,
        fixes=fixes,
    )


def _rename(
    context: Context,
    unit: Unit,
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    name: str,
    near: str,
    span: Span,
) -> tuple[Fix, ...]:
    """Rename the parameter and every use of it."""
    used = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    if any(n.id == near for n in used):
        return ()
    edits = [Edit(context.path, span, near)]
    edits.extend(Edit(context.path, unit.span(n), near) for n in used if n.id == name)
    return (Fix(f"Change to `{near}`", Applicability.UNSAFE, tuple(edits)),)


RULE = Rule(
    "US501",
    "fixture-not-found",
    Severity.ERROR,
    "a test asks for a fixture that no conftest, module or known plugin provides",
    check,
    __name__,
)
