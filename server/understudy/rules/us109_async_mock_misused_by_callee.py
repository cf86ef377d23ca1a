"""US109: code under test uses the coroutine of an AsyncMock that it was given as if it were its value."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.values import Coroutine
from understudy.finding import Finding, Related, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_USES = (*async_doubles.COROUTINE_USES, *async_doubles.ENTERED)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = [
        (outcome, failure)
        for outcome, failure in async_doubles.failures(context, *_USES, in_test=False)
        if isinstance(failure.subject, Coroutine)
    ]
    for place, pairs in async_doubles.by_handover(found):
        _, failure = pairs[0]
        mock = async_doubles.mock_of(failure.subject)
        if mock is None:
            continue
        group = async_doubles.of_root(found, mock.root)
        if failure.misuse in async_doubles.ENTERED:
            fixes = async_doubles.entered_child(context, failure, mock, group)
            reason = async_doubles.entered_reason(failure, mock)
        else:
            fixes = async_doubles.plain_result(context, mock, group)
            reason = async_doubles.value_reason(failure, mock)
        related = [async_doubles.made_here(mock)]
        for other in {f.place.key: f for _, f in pairs}.values():
            related.append(Related(other.place.unit.path, other.place.span, "its coroutine is used here"))
        yield rule.finding(
            place.unit.path,
            place.span,
            f"in `{failure.calls[-1].function.name}`, `{async_doubles.source_of(failure)}` raises "
            f"{failure.exception}: {failure.error}, {reason}",
            related=tuple(related),
            fixes=fixes,
        )


RULE = Rule(
    "US109",
    "async-mock-misused-by-callee",
    Severity.ERROR,
    "code under test uses the coroutine of an AsyncMock that it was given as if it were its value",
    check,
    __name__,
)
