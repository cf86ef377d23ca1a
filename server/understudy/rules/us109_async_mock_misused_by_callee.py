"""US109: code under test uses the coroutine of an AsyncMock that it was given as if it were its value."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Coroutine
from understudy.finding import Finding, Related, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_USES = (*async_doubles.COROUTINE_USES, *async_doubles.ENTERED)


_SILENT = {
    Misuse.COROUTINE_DISCARDED: "does nothing but count the call",
    Misuse.COROUTINE_TRUTH: "is true whatever it gives",
    Misuse.COROUTINE_COMPARISON: "is compared as a coroutine, whatever it gives",
}


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    raising = set()
    for finding in _raising(rule, context):
        raising.add((finding.path, finding.span))
        yield finding
    for finding in _silent(rule, context):
        # What raises says enough about a double.
        if (finding.path, finding.span) not in raising:
            yield finding


def _silent(rule: Rule, context: Context) -> Iterator[Finding]:
    """A coroutine that is thrown away, tested for truth or compared."""
    found = [
        (outcome, note)
        for outcome, note in async_doubles.notes(context, *_SILENT, in_test=False)
        if _is_left(outcome, note)
    ]
    for place, pairs in async_doubles.by_handover(found):
        _, note = min(pairs, key=lambda pair: pair[1].misuse is Misuse.COROUTINE_DISCARDED)
        mock = async_doubles.mock_of(note.subject)
        if mock is None:
            continue
        uses = {other.place.key: other for _, other in pairs}.values()
        call, double = async_doubles.source_of(note), async_doubles.readable(mock)
        yield rule.finding(
            place.unit.path,
            place.span,
            f"in `{note.calls[-1].function.name}`, `{call}` {_SILENT[note.misuse]}, because `{double}` is an AsyncMock "
            f"and its coroutine is never awaited; make `{double}` a MagicMock, or await it there",
            related=(
                async_doubles.made_here(mock),
                *(Related(use.place.unit.path, use.place.span, "not awaited here") for use in uses),
            ),
            fixes=async_doubles.plain_children(context, mock, async_doubles.of_root(found, mock.root)),
            severity=Severity.INFO if note.misuse is Misuse.COROUTINE_DISCARDED else Severity.WARNING,
        )


def _is_left(outcome: Outcome, note: Failure) -> bool:
    """Is it the coroutine of a bare AsyncMock, and the test about something else?"""
    mock = async_doubles.mock_of(note.subject)
    if not isinstance(note.subject, Coroutine) or note.subject.awaited or mock is None:
        return False
    if mock.replaces is not None or mock.spec is not None or mock.root.replaces is not None:
        # US106 and US107, which know what it stands in for.
        return False
    return not async_doubles.is_about_coroutines(outcome) and not async_doubles.counts_awaits(outcome)


def _raising(rule: Rule, context: Context) -> Iterator[Finding]:
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
