"""US101: a test awaits a mock, or a call of one, that is not awaitable."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Misuse
from understudy.finding import Finding, Severity
from understudy.fixes import mocks
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = async_doubles.failures(context, Misuse.AWAIT, in_test=True)
    for _, failure in async_doubles.by_place(found):
        mock = async_doubles.mock_of(failure.subject)
        if mock is None or async_doubles.stand_in(failure) is not None:
            continue
        root = mock.root
        fix = mocks.to_async(context.simulation, root, async_doubles.of_root(found, root))
        name = async_doubles.root_name(mock)
        yield rule.finding(
            failure.place.unit.path,
            failure.place.span,
            f"`{async_doubles.source_of(failure)}` raises {failure.exception}: {failure.error}; "
            f"{async_doubles.advice(mock, name)}",
            related=(async_doubles.made_here(mock),),
            fixes=(fix,) if fix is not None else (),
        )


RULE = Rule(
    "US101",
    "awaited-sync-mock",
    Severity.ERROR,
    "`await` on a Mock or MagicMock, or on a call or attribute of one, that is not awaitable",
    check,
    __name__,
)
