"""US114: code under test awaits the call of a plain function or lambda of the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import FunctionValue
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    groups: dict[ast.AST, tuple[FunctionValue, list[Failure]]] = {}
    for _, failure in async_doubles.failures(context, Misuse.AWAIT, in_test=False):
        function = failure.subject
        if isinstance(function, FunctionValue) and _is_stand_in(context, function):
            groups.setdefault(function.node, (function, []))[1].append(failure)
    for function, failures in groups.values():
        failure = failures[0]
        uses = {each.place.key: each for each in failures}.values()
        name = "this lambda" if isinstance(function.node, ast.Lambda) else f"`{function.name}`"
        caller = failure.calls[-1].function.name if failure.calls else ""
        where = f"`{caller}` awaits" if caller else "the code under test awaits"
        yield rule.finding(
            function.unit.path,
            async_doubles.span_of(function),
            f"{where} what {name} returns: `{async_doubles.source_of(failure)}` raises {failure.exception}: "
            f"{failure.error}; {_advice(function)}",
            related=tuple(Related(use.place.unit.path, use.place.span, "awaited here") for use in uses),
            fixes=tuple(_fixes(context, function)),
        )


def _is_stand_in(context: Context, function: FunctionValue) -> bool:
    """Is it a function of the tests, and what its ``def`` says?"""
    if not context.is_test_path(function.unit.path) or not async_doubles.is_as_written(context, function):
        return False
    return isinstance(function.node, ast.Lambda) or all(
        isinstance(decorator, ast.Name) and decorator.id in ("staticmethod", "classmethod")
        for decorator in function.node.decorator_list
    )


def _advice(function: FunctionValue) -> str:
    if isinstance(function.node, ast.Lambda):
        return "use an AsyncMock with this `return_value`, or an `async def`"
    return "write `async def`"


def _fixes(context: Context, function: FunctionValue) -> Iterator[Fix]:
    node, unit = function.node, function.unit
    if isinstance(node, ast.Lambda):
        parsed = context.workspace.parsed(unit.path)
        spelling = imports.from_module(parsed, "unittest.mock", "AsyncMock")
        own = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        used = {name.id for name in ast.walk(node.body) if isinstance(name, ast.Name)}
        if spelling is not None and not own & used:
            text = f"{spelling.text}(return_value={unit.source(node.body)})"
            edits = (Edit(unit.path, unit.span(node), text), *spelling.edits)
            yield Fix("Use an `AsyncMock`", Applicability.UNSAFE, edits)
        return
    span = unit.span(node)
    edit = Edit(unit.path, Span.at(span.row, span.column), "async ")
    yield Fix("Make it an `async def`", async_doubles.own_function(function), (edit,))


RULE = Rule(
    "US114",
    "plain-function-awaited-by-callee",
    Severity.ERROR,
    "code under test awaits the call of a plain function or lambda of the tests, which returns nothing awaitable",
    check,
    __name__,
)
