"""US104: a test iterates, with ``async for``, over a coroutine or a mock that has no ``__aiter__``."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Misuse
from understudy.finding import Finding, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    return async_doubles.not_supported(rule, context, Misuse.ASYNC_FOR, "async for … in", "__aiter__")


RULE = Rule(
    "US104",
    "async-for-mock",
    Severity.ERROR,
    "`async for` over the coroutine that an AsyncMock call returns, or over a Mock without `__aiter__`",
    check,
    __name__,
)
