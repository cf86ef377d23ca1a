"""US103: a test enters, with ``async with``, a coroutine or a mock that has no ``__aenter__``."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Misuse
from understudy.finding import Finding, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    return async_doubles.not_supported(rule, context, Misuse.ASYNC_WITH, "async with", "__aenter__")


RULE = Rule(
    "US103",
    "async-with-mock",
    Severity.ERROR,
    "`async with` on the coroutine that an AsyncMock call returns, or on a Mock without `__aenter__`",
    check,
    __name__,
)
