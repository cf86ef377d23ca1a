"""US409: a function of the standard library, or an unpacking, is given a double and takes plain values only."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock
from understudy.finding import Finding, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    yield from async_doubles.by_double(rule, context, Misuse.NO_VALUE, _message)


def _message(failure: Failure, mock: Mock) -> str:
    return (
        f"{_use(failure)}, which raises {failure.exception}: {failure.error}; "
        f"{async_doubles.set_to(mock, 'a real value')}"
    )


def _use(failure: Failure) -> str:
    who = "this" if failure.in_test or not failure.calls else f"`{failure.calls[-1].function.name}`"
    used = async_doubles.source_of(failure)
    return f"{who} gives `{used}` to `{failure.detail}`" if failure.detail else f"{who} unpacks `{used}`"


RULE = Rule(
    "US409",
    "mock-for-a-value",
    Severity.ERROR,
    "a double where only a plain value will do: `json.dumps`, `re.match`, `str.join`, unpacking and the like",
    check,
    __name__,
)
