"""US408: a double is called after the call that got the last value of its ``side_effect``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import FunctionValue, Mock
from understudy.finding import Finding, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    yield from async_doubles.by_double(rule, context, Misuse.USED_UP, _message, "called once too often here")


def _message(failure: Failure, mock: Mock) -> str:
    call = async_doubles.source_of(failure)
    who = "this" if failure.in_test else f"`{failure.calls[-1].function.name}` calls `{call}`, which"
    through = ""
    inside: FunctionValue | None = failure.calls[-1].function if failure.calls else None
    if (
        failure.exception == "StopIteration"
        and inside is not None
        and isinstance(inside.node, ast.AsyncFunctionDef)
    ):
        through = " (a RuntimeError outside of the coroutine)"
    double = async_doubles.readable(mock)
    return (
        f"{who} raises {failure.exception}{through}: earlier calls used up the values that `side_effect` of `{double}` "
        "gives; give it one for every call, or a `return_value`"
    )


RULE = Rule(
    "US408",
    "side-effect-used-up",
    Severity.ERROR,
    "a double is called more often than its side_effect has values",
    check,
    __name__,
)
