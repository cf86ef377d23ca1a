"""The call that makes what an expression is, through names and fixtures."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TypeVar

from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.infer.scopes import FunctionNode, Scope, Site
from understudy.rules.base import Context
from understudy.source.dotted import dotted_name

_DEPTH = 6


_T = TypeVar("_T")
Judge = Callable[[Context, Site, ast.Call], "_T | None"]
"""What a call makes."""


def made_by_call(
    context: Context, site: Site, node: ast.expr, judge: Judge[_T], depth: int = 0, *, entered: bool = False
) -> _T | None:
    """What the one call says that an expression is, or that its name is bound to, or that the fixture of its name
    returns. ``entered``: a ``with`` binds what is called itself, as it is with sessions."""
    if depth > _DEPTH:
        return None
    if isinstance(node, ast.Await):
        node = node.value
    if isinstance(node, ast.Name):
        return _named(context, site, node.id, judge, depth, entered)
    return judge(context, site, node) if isinstance(node, ast.Call) else None


def _named(context: Context, site: Site, name: str, judge: Judge[_T], depth: int, entered: bool) -> _T | None:
    scope: Scope | None = site.scope
    while scope is not None and scope.node is not None:
        binders = scope.names.get(name) if not scope.is_class or scope is site.scope else None
        if binders:
            if len(binders) == 1 and isinstance(binders[0], ast.arg):
                if not context.is_test:
                    return None
                key = ("fixture", name, scope.node, judge)
                return context.once(key, lambda: _of_fixture(context, site, name, judge, depth, entered))
            if len(binders) == 2 and isinstance(binders[0], ast.Assign):
                return made_by_call(context, site, binders[0].value, judge, depth + 1, entered=entered)
            if entered and len(binders) == 1 and isinstance(binders[0], ast.Name):
                opened = _opened(scope.node, binders[0])
                return judge(context, site, opened) if opened is not None else None
            return None
        scope = scope.parent
    return None


def _opened(function: ast.AST, target: ast.Name) -> ast.Call | None:
    """The call that a ``with`` enters whose result it binds to a name."""
    for node in ast.walk(function):
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if item.optional_vars is target and isinstance(item.context_expr, ast.Call):
                    return item.context_expr
    return None


def _of_fixture(
    context: Context, site: Site, name: str, judge: Judge[_T], depth: int, entered: bool
) -> _T | None:
    """What a fixture that a test asks for gives it."""
    function = site.scope.function
    if function is None or not any(arg.arg == name for arg in function.args.args):
        return None
    owner = None
    for cls in site.chain:
        if isinstance(cls, ast.ClassDef):
            entity = context.resolver.module_attribute(context.module, cls.name)
            owner = entity if isinstance(entity, ClassEntity) else None
    fixture = context.fixtures.nearest(name, context.module, owner)
    if fixture is None or fixture.name == function.name:
        return None
    if not any("fixture" in site.unit.spelled(decorator) for decorator in function.decorator_list):
        # What is parametrised or injected is no fixture.
        if not function.name.startswith("test") or not _may_be_fixture(context, function, owner, name):
            return None
    other = context.other(fixture.path)
    if other is None:
        return None
    key = ("given by fixture", fixture.span, judge, depth, entered)
    return other.once(key, lambda: _given(other, fixture, judge, depth, entered))


def _given(other: Context, fixture: FunctionEntity, judge: Judge[_T], depth: int, entered: bool) -> _T | None:
    result = other.once(f"given by {fixture.span}", lambda: _given_site(other, fixture))
    if result is None:
        return None
    return made_by_call(other, result[0], result[1], judge, depth + 1, entered=entered)


def _given_site(other: Context, fixture: FunctionEntity) -> tuple[Site, ast.expr] | None:
    """Where a fixture returns or yields, when that is one place, and what."""
    for found in other.scopes.functions:
        node = found.node
        if (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and found.unit.name_span(node) == fixture.span
        ):
            values = list(_results(node))
            if len(values) != 1:
                return None
            return Site(found.unit, values[0], Scope(node, found.scope), found.chain), values[0]
    return None


def _results(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    stack: list[ast.AST] = list(node.body)
    while stack:
        child = stack.pop()
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(child, (ast.Return, ast.Yield)) and child.value is not None:
            yield child.value
        stack.extend(ast.iter_child_nodes(child))


def _may_be_fixture(context: Context, function: FunctionNode, owner: ClassEntity | None, name: str) -> bool:
    """Does nothing else fill a parameter of a test?"""
    generated = context.fixtures.generated(context.module, owner)
    if generated is None or name in generated:
        return False
    return context.once(("plain marks", function), lambda: _has_plain_marks(context, function, owner))


def _has_plain_marks(context: Context, function: FunctionNode, owner: ClassEntity | None) -> bool:
    marks = context.fixtures.marks_of(context.parsed, context.module, owner, function)
    return marks.known and all(map(_is_plain_mark, marks.found))


def _is_plain_mark(mark: ast.expr) -> bool:
    name = dotted_name(mark.func if isinstance(mark, ast.Call) else mark) or ""
    return name.startswith("pytest.mark.") and name != "pytest.mark.parametrize"
