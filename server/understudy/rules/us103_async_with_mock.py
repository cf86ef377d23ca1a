"""US103: a test enters, with ``async with``, a coroutine or a mock that has no ``__aenter__``."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Misuse
from understudy.doubles.values import Coroutine
from understudy.finding import Finding, Severity
from understudy.fixes import mocks
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = async_doubles.failures(context, Misuse.ASYNC_WITH, in_test=True)
    for _, failure in async_doubles.by_place(found):
        mock = async_doubles.mock_of(failure.subject)
        if mock is None:
            continue
        if isinstance(failure.subject, Coroutine):
            reason = f", {async_doubles.entered_reason(failure, mock)}"
            same = [pair for pair in found if async_doubles.is_same(pair[1], failure)]
            fixes = async_doubles.entered_child(context, failure, mock, same)
        else:
            reason = f"; {async_doubles.unsupported_reason(context, mock, '__aenter__')}"
            group = async_doubles.of_root(found, mock.root)
            fixes = mocks.to_magic(context.simulation, mock.root, group)
        yield rule.finding(
            failure.place.unit.path,
            failure.place.span,
            f"`async with {async_doubles.source_of(failure)}` raises {failure.exception}: {failure.error}{reason}",
            related=(async_doubles.made_here(mock),),
            fixes=fixes,
        )


RULE = Rule(
    "US103",
    "async-with-mock",
    Severity.ERROR,
    "`async with` on the coroutine that an AsyncMock call returns, or on a Mock without `__aenter__`",
    check,
    __name__,
)
