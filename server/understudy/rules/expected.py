"""Where an exception is expected: what is intended is no finding."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from understudy.infer import marks
from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.infer.scopes import Site
from understudy.rules.base import Context
from understudy.source.dotted import dotted_parts, last_name

_EXPECTING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "suppress"})
_REFUSING = re.compile(r"rais|expect|refus|fail|error|suppress|swallow|ignor|reject", re.IGNORECASE)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def expected(context: Context, site: Site, *exceptions: str) -> bool:
    """Does the code around a place expect, catch or excuse one of these exceptions, or stop before it?"""
    previous: ast.AST = site.node
    in_function = True
    for node in site.chain:
        in_function = in_function and not isinstance(previous, (ast.FunctionDef, ast.AsyncFunctionDef))
        if in_function and isinstance(previous, ast.stmt) and _stops_before(node, previous):
            return True
        if isinstance(node, ast.Call) and last_name(node) in _EXPECTING and _expects(node, exceptions):
            # ``assertRaises(E, patch(…).start)``
            if node is not site.node:
                return True
        if isinstance(node, ast.If) and _asks_for_attribute(node.test):
            return True
        if isinstance(node, (ast.With, ast.AsyncWith)):
            if any(_expects(item.context_expr, exceptions) for item in node.items):
                return True
            if any(_enters(call, exceptions) for call in _calls(node)):
                return True
        elif isinstance(node, ast.Try) and previous in node.body:
            if any(_catches(handler.type, exceptions) for handler in node.handlers):
                return True
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if isinstance(previous, ast.stmt) and _called_where_expected(site, node, exceptions):
                return True
            if _is_excused(context, node):
                return True
        elif isinstance(node, ast.Lambda):
            # Usually handed to something that calls it and expects it to fail: pytest.raises(E, lambda: …).
            return True
        previous = node
    return False


def _called_where_expected(site: Site, function: ast.AST, exceptions: tuple[str, ...]) -> bool:
    """Does the function around another one call it, or hand it over, where one of the exceptions is expected?"""
    outer = next((n for n in site.chain if isinstance(n, _FUNCTIONS) and n is not function), None)
    name = getattr(function, "name", None)
    if outer is None or name is None:
        return False
    for block in ast.walk(outer):
        if isinstance(block, (ast.With, ast.AsyncWith)) and any(
            _expects(item.context_expr, exceptions) for item in block.items
        ):
            if any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(block)):
                return True
    return False


def _is_excused(context: Context, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """May a test, or a class of tests, be skipped or fail?"""
    resolver, module = context.resolver, context.module
    found = [marks.meant(resolver, module, decorator) for decorator in node.decorator_list]
    entity = resolver.name(module, node.name) if isinstance(node, ast.ClassDef) else None
    if isinstance(entity, ClassEntity) and entity.module is module:
        found.extend(marks.of_class(resolver, entity).found)
    if marks.may_not_run(found):
        return True
    for decorator in node.decorator_list:
        parts = dotted_parts(decorator.func if isinstance(decorator, ast.Call) else decorator)
        decorated = resolver.ref(module, parts) if parts is not None else None
        if isinstance(decorated, FunctionEntity) and decorated.module.workspace:
            if _mentions_skip(context, decorated):
                return True
    return False


def excused(context: Context) -> bool:
    """May the whole file be skipped, or its failures be expected?"""
    return context.once(
        "excused", lambda: marks.module_may_not_run(context.resolver, context.parsed, context.module)
    )


def _stops_before(block: ast.AST, statement: ast.stmt) -> bool:
    """Does a statement above, in the same block, leave the function or skip the test?"""
    for name in ("body", "orelse", "finalbody"):
        body = getattr(block, name, None)
        if isinstance(body, list) and statement in body:
            for above in body[: body.index(statement)]:
                if isinstance(above, (ast.Return, ast.Raise, ast.Continue, ast.Break)):
                    return True
                if not isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    if any(last_name(call) in marks.SKIPPING for call in _calls(above)):
                        return True
    return False


def _may_leave(statement: ast.AST, *, in_loop: bool = False) -> bool:
    """Is there a way through the statement that ends the function, or this round of a loop? A test is meant to pass: a
    ``raise`` on a condition is none."""
    if isinstance(statement, ast.Return):
        return True
    if isinstance(statement, (ast.Continue, ast.Break)):
        return not in_loop
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)):
        return False
    inside = in_loop or isinstance(statement, (ast.For, ast.AsyncFor, ast.While))
    return any(_may_leave(child, in_loop=inside) for child in ast.iter_child_nodes(statement))


def may_be_skipped(context: Context, site: Site) -> bool:
    """May a test not come to a place: because of a ``return`` on a condition above it, or of a function that is called
    there, or a fixture, which skips it?"""
    test: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    previous: ast.AST = site.node
    for node in site.chain:
        if test is None and isinstance(previous, ast.stmt):
            for name in ("body", "orelse", "finalbody"):
                body = getattr(node, name, None)
                if isinstance(body, list) and previous in body:
                    above = body[: body.index(previous)]
                    if any(map(_may_leave, above)):
                        return True
                    if any(_skips(context, call, site) for each in above for call in _calls(each)):
                        return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            test = node
        previous = node
    if test is None:
        return False
    owner = (
        context.resolver.name(context.module, previous.name) if isinstance(previous, ast.ClassDef) else None
    )
    cls = owner if isinstance(owner, ClassEntity) else None
    fixtures = context.fixtures
    names = [argument.arg for argument in (*test.args.posonlyargs, *test.args.args, *test.args.kwonlyargs)]
    asked = [fixtures.nearest(name, context.module, cls) for name in names]
    return any(
        entity is not None and _mentions_skip(context, entity)
        for entity in (*asked, *fixtures.autouse(context.module, cls))
    )


def _skips(context: Context, call: ast.Call, site: Site) -> bool:
    """Does the function of the workspace that is called skip the test, on some condition?"""
    found = context.names.resolve(call.func, site.scope)
    return isinstance(found, FunctionEntity) and found.module.workspace and _mentions_skip(context, found)


def _mentions_skip(context: Context, entity: FunctionEntity) -> bool:
    for unit in context.workspace.parsed(entity.path).units:
        if unit.row == entity.row and unit.mentions("skip"):
            return any(
                isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                and node.name == entity.name
                and any(
                    last_name(call) in marks.SKIPPING or marks.may_not_run([call]) for call in _calls(node)
                )
                for node in ast.walk(unit.node)
            )
    return False


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (child for child in ast.walk(node) if isinstance(child, ast.Call))


def _asks_for_attribute(test: ast.expr) -> bool:
    return any(last_name(call) == "hasattr" for call in _calls(test))


def _expects(node: ast.expr, exceptions: tuple[str, ...]) -> bool:
    if isinstance(node, ast.Call) and last_name(node) in _EXPECTING:
        if last_name(node) != "suppress":
            return not node.args or _catches(node.args[0], exceptions)
        return any(_catches(arg, exceptions) for arg in node.args)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        # A context manager of the project, by what it is called.
        return _REFUSING.search(node.func.id) is not None
    # A name that stands for an expectation: ``with expectation:`` of a parametrised test.
    return isinstance(node, ast.Name)


def _enters(call: ast.Call, exceptions: tuple[str, ...]) -> bool:
    """``stack.enter_context(pytest.raises(E))``"""
    return (
        last_name(call) in ("enter_context", "enterContext")
        and len(call.args) == 1
        and isinstance(call.args[0], ast.Call)
        and _expects(call.args[0], exceptions)
    )


def _catches(node: ast.expr | None, exceptions: tuple[str, ...]) -> bool:
    if node is None:
        return True
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    for kind in kinds:
        name = last_name(kind)
        caught = getattr(builtins, name, None) if name is not None else None
        for exception in exceptions:
            raised = getattr(builtins, exception, None)
            if name == exception or name is None or name in (name.lower(), name.upper()):
                # What is not written as a class is may be a tuple of them.
                return True
            if isinstance(caught, type) and isinstance(raised, type) and issubclass(raised, caught):
                return True
    return False
