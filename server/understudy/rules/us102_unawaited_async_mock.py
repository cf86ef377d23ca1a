"""US102: a test uses the coroutine that a call of an AsyncMock returns as if it were its value."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Misuse
from understudy.doubles.values import Coroutine
from understudy.finding import Finding, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_USES = (*async_doubles.COROUTINE_USES, Misuse.WITH)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = async_doubles.failures(context, *_USES, in_test=True)
    for _, failure in async_doubles.by_place(found):
        mock = async_doubles.mock_of(failure.subject)
        if mock is None or not isinstance(failure.subject, Coroutine):
            continue
        error = f"{failure.exception}: {failure.error}"
        parent = async_doubles.awaited_parent(mock)
        if parent is not None:
            advice = f"set `{async_doubles.readable(parent)}.return_value = MagicMock()`"
        else:
            advice = f"await `{async_doubles.readable(mock)}()` first"
        yield rule.finding(
            failure.place.unit.path,
            failure.place.span,
            f"`{async_doubles.source_of(failure)}` raises {error}, because "
            f"`{async_doubles.readable(mock)}` is an AsyncMock and calling it gives a coroutine; {advice}",
            related=(async_doubles.made_here(mock),),
            fixes=async_doubles.plain_result(context, mock, async_doubles.of_root(found, mock.root)),
        )


RULE = Rule(
    "US102",
    "unawaited-async-mock",
    Severity.ERROR,
    "the coroutine that an AsyncMock call returns is used as if it were its value",
    check,
    __name__,
)
