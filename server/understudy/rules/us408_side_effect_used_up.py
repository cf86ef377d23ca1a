"""US408: a double is called after the call that got the last value of its ``side_effect``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import FunctionValue, Mock, Place
from understudy.finding import Finding, Related, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = [
        *async_doubles.failures(context, Misuse.USED_UP, in_test=True),
        *async_doubles.failures(context, Misuse.USED_UP, in_test=False),
    ]
    first: dict[object, tuple[Place, Failure]] = {}
    for _, failure in found:
        place = failure.place if failure.in_test else failure.handed
        if place is not None:
            first.setdefault(place.key, (place, failure))
    for place, failure in first.values():
        mock = failure.subject
        assert isinstance(mock, Mock)
        related = [async_doubles.made_here(mock)]
        if not failure.in_test:
            related.append(Related(failure.place.unit.path, failure.place.span, "called once too often here"))
        yield rule.finding(place.unit.path, place.span, _message(failure, mock), related=tuple(related))


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
