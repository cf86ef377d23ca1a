"""US102: a test uses the coroutine that a call of an AsyncMock returns as if it were its value."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.assertions import meant
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Coroutine, Mock, Place
from understudy.finding import Applicability, Finding, Severity
from understudy.fixes import awaits
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_USES = (*async_doubles.COROUTINE_USES, Misuse.WITH)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    yield from _raising(rule, context)
    yield from _silent(rule, context)


def _silent(rule: Rule, context: Context) -> Iterator[Finding]:
    """A coroutine that is thrown away, tested for truth, or compared with a plain value."""
    found = [
        (outcome, note)
        for outcome, note in async_doubles.notes(context, *async_doubles.SILENT_USES, in_test=True)
        if isinstance(note.subject, Coroutine) and note.subject.mock is not None
    ]
    for outcome, note in async_doubles.by_place(found):
        assert isinstance(note.subject, Coroutine)
        mock = note.subject.mock
        if mock is None or async_doubles.is_about_coroutines(outcome) or async_doubles.counts_awaits(outcome):
            continue
        if meant(mock.label.rpartition(".")[2]) is not None:
            # ``m.called_once()`` is no call that somebody forgot to await: US401 and US402.
            continue
        raises = bool(note.exception)
        call = note.subject.place
        if not raises and not _is_in(call, note.place):
            # A coroutine that is kept may be awaited later.
            continue
        pairs = [pair for pair in found if pair[1].place.key == note.place.key]
        applicability = Applicability.SAFE if raises else Applicability.UNSAFE
        by_test = context.is_test_path(call.unit.path)
        if by_test:
            fixes = awaits.add(context.simulation, call, pairs, applicability)
        else:
            # What the code calls may well be no coroutine function outside the test.
            fixes = async_doubles.plain_result(context, mock, pairs) if raises else ()
        yield rule.finding(
            note.place.unit.path,
            note.place.span,
            _message(note, mock, by_test=by_test),
            related=(async_doubles.made_here(mock),),
            fixes=fixes,
            severity=Severity.ERROR if raises else Severity.WARNING,
        )


def _is_in(call: Place, use: Place) -> bool:
    return call.unit.path == use.unit.path and use.span.encloses(call.span)


def _message(note: Failure, mock: Mock, *, by_test: bool) -> str:
    assert isinstance(note.subject, Coroutine)
    use = async_doubles.source_of(note)
    call = " ".join(note.subject.place.source.split())
    reason = f"`{async_doubles.readable(mock)}` is an AsyncMock and calling it gives a coroutine"
    parent = async_doubles.awaited_parent(mock)
    if by_test:
        advice = f"write `await {call}`, or make it a MagicMock"
    elif parent is not None:
        advice = f"set `{async_doubles.readable(parent)}.return_value = MagicMock()`"
    else:
        advice = f"make `{async_doubles.readable(mock)}` a MagicMock"
    if note.misuse is Misuse.COROUTINE_DISCARDED:
        return f"`{call}` does nothing but count the call, because {reason} that is never awaited; {advice}"
    if note.misuse is Misuse.COROUTINE_TRUTH:
        what = "fails" if note.exception else "holds"
        return f"this {what} whatever `{call}` gives, because {reason}, which is always true; {advice}"
    what = "fails whatever it gives" if note.exception else "does not look at what it gives"
    return f"`{use}` {what}, because {reason}, which is compared instead; {advice}"


def _raising(rule: Rule, context: Context) -> Iterator[Finding]:
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
