"""US105: a test asks a mock that is not async whether it was awaited."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.fixes import mocks
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_OF_CALLS = {
    "assert_any_await": "assert_any_call",
    "assert_awaited": "assert_called",
    "assert_awaited_once": "assert_called_once",
    "assert_awaited_once_with": "assert_called_once_with",
    "assert_awaited_with": "assert_called_with",
    "assert_has_awaits": "assert_has_calls",
    "assert_not_awaited": "assert_not_called",
    "await_args": "call_args",
    "await_args_list": "call_args_list",
    "await_count": "call_count",
}
"""Assertions and records of awaits, and those of calls that say the same."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = async_doubles.failures(context, Misuse.AWAIT_ASSERTION, in_test=True)
    found.extend(async_doubles.notes(context, Misuse.AWAIT_ASSERTION, in_test=True))
    for _, failure in async_doubles.by_place(found):
        mock = failure.subject
        if not isinstance(mock, Mock):
            continue
        name = failure.detail
        double = f"`{async_doubles.readable(mock)}` is {async_doubles.article(mock.kind.value)}"
        if failure.exception:
            what = f"`{name}` raises {failure.exception}, because {double}, which nothing awaits"
        else:
            what = f"`{name}` is only another mock, because {double}, which counts no awaits"
        yield rule.finding(
            failure.place.unit.path,
            async_doubles.attribute_span(failure.place),
            f"{what}; use `{_OF_CALLS[name]}`, or an AsyncMock if it is to be awaited",
            related=(async_doubles.made_here(mock),),
            fixes=_fixes(context, failure, mock),
        )


def _fixes(context: Context, failure: Failure, mock: Mock) -> tuple[Fix, ...]:
    awaited = _awaited(context, mock)
    if awaited:
        fix = mocks.to_async(context.simulation, mock.root, awaited)
        return (fix,) if fix is not None else ()
    safe = Applicability.SAFE if failure.exception else Applicability.UNSAFE
    wanted = _OF_CALLS[failure.detail]
    span = async_doubles.attribute_span(failure.place)
    if failure.place.unit.text.slice(span) != failure.detail:
        return ()
    return (Fix(f"Use `{wanted}`", safe, (Edit(failure.place.unit.path, span, wanted),)),)


def _awaited(context: Context, mock: Mock) -> list[tuple[Outcome, Failure]]:
    """Where the same double is awaited, and cannot be: it is its class that is wrong, not the assertion."""
    found = [
        *async_doubles.failures(context, Misuse.AWAIT, in_test=True),
        *async_doubles.failures(context, Misuse.AWAIT, in_test=False),
    ]
    return async_doubles.of_root(found, mock.root)


RULE = Rule(
    "US105",
    "await-assertion-on-sync-mock",
    Severity.ERROR,
    "`assert_awaited`, `await_count` and the like on a mock that is not async",
    check,
    __name__,
)
