"""US102: a test uses the coroutine that a call of an AsyncMock returns as if it were its value."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock
from understudy.finding import Finding, Fix, Severity
from understudy.fixes import mocks
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_USES = (*async_doubles.COROUTINE_USES, Misuse.WITH)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = async_doubles.failures(context, *_USES, in_test=True)
    for outcome, failure in async_doubles.by_place(found):
        mock = async_doubles.mock_of(failure.subject)
        if mock is None:
            continue
        error = f"{failure.exception}: {failure.error}"
        parent = awaited_parent(mock)
        if parent is not None:
            advice = f"set `{async_doubles.readable(parent)}.return_value = MagicMock()`"
        else:
            advice = f"await `{async_doubles.readable(mock)}()` first"
        yield rule.finding(
            failure.place.unit.path,
            failure.place.span,
            f"`{async_doubles.source_of(failure)}` raises {error}, because `{async_doubles.readable(mock)}` is an AsyncMock and "
            f"calling it gives a coroutine; {advice}",
            related=(async_doubles.made_here(mock),),
            fixes=tuple(fixes(context, mock, async_doubles.of_root(found, mock.root))),
        )


def awaited_parent(mock: Mock) -> Mock | None:
    """The AsyncMock child whose awaited result this mock was taken from: ``session.execute`` for
    ``(await session.execute()).scalars``."""
    current: Mock | None = mock
    while current is not None and current.parent is not None:
        if current.label.endswith("()"):
            return current.parent
        current = current.parent
    return None


def fixes(
    context: Context, mock: Mock, group: list[tuple[Outcome, Failure]]
) -> Iterator[Fix]:
    """Give the awaited child a plain MagicMock to return; tried on the test first."""
    parent = awaited_parent(mock)
    if parent is None:
        return
    path = f"{mocks.path_of(parent)}.return_value".lstrip(".")
    fix = mocks.with_children(context.simulation, mock.root, [path], group)
    if fix is not None:
        yield fix


RULE = Rule(
    "US102",
    "unawaited-async-mock",
    Severity.ERROR,
    "the coroutine that an AsyncMock call returns is used as if it were its value",
    check,
    __name__,
)
