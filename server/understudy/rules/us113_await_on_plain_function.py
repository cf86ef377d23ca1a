"""US113: a test awaits a call of a plain ``def`` of the workspace that returns nothing awaitable."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Misuse
from understudy.doubles.values import FunctionValue
from understudy.finding import Finding, Severity
from understudy.fixes import awaits
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = async_doubles.failures(context, Misuse.AWAIT, in_test=True)
    for _, failure in async_doubles.by_place(found):
        function = failure.subject
        if not isinstance(function, FunctionValue) or not async_doubles.is_as_written(context, function):
            continue
        fix = awaits.remove(failure.place)
        what = f"gives `{failure.detail}`" if failure.detail else "gives nothing awaitable"
        yield rule.finding(
            failure.place.unit.path,
            failure.place.span,
            f"`{async_doubles.source_of(failure)}` raises {failure.exception}: {failure.error}, because "
            f"`{function.name}` is a plain `def` and {what}; call it without `await`",
            related=(async_doubles.defined_here(function, "a plain `def`"),),
            fixes=(fix,) if fix is not None else (),
        )


RULE = Rule(
    "US113",
    "await-on-plain-function",
    Severity.ERROR,
    "a test awaits a call of a plain `def` of the workspace that returns nothing awaitable",
    check,
    __name__,
)
