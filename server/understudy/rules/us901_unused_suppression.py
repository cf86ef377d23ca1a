"""US901: a suppression comment that suppresses nothing.

The engine reports it when all other findings of the file are known.
"""

from __future__ import annotations

from collections.abc import Iterator

from understudy.finding import Finding, Severity
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    return iter(())


RULE = Rule(
    "US901",
    "unused-suppression",
    Severity.WARNING,
    "a suppression that suppresses nothing",
    check,
    __name__,
)
