"""US112: a test calls an ``async def`` of the workspace and does not await it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.run import Outcome
from understudy.doubles.signature import refusal
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Coroutine, FunctionValue, Place
from understudy.finding import Applicability, Finding, Related, Severity
from understudy.fixes import awaits
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_RAISING = (*async_doubles.COROUTINE_USES, *async_doubles.ENTERED)

_LONG = 70
"""Characters of source that a message shows."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = async_doubles.failures(context, *_RAISING, in_test=True)
    for outcome, note in async_doubles.notes(context, *async_doubles.SILENT_USES, in_test=True):
        # What is awaited later was only looked at on the way.
        if isinstance(note.subject, Coroutine) and not note.subject.awaited:
            found.append((outcome, note))
    groups: dict[object, list[tuple[Outcome, Failure]]] = {}
    for outcome, failure in found:
        if isinstance(failure.subject, Coroutine) and failure.subject.function is not None:
            groups.setdefault(_place(context, failure).key, []).append((outcome, failure))
    for pairs in groups.values():
        outcome, failure = min(pairs, key=lambda pair: pair[1].exception == "")
        assert isinstance(failure.subject, Coroutine)
        assert failure.subject.function is not None
        if async_doubles.is_as_written(context, failure.subject.function) and not _on_purpose(
            failure, outcome
        ):
            yield _finding(rule, context, failure, pairs)


def _place(context: Context, failure: Failure) -> Place:
    """The call that lacks its ``await``, where a test makes it; else the use."""
    assert isinstance(failure.subject, Coroutine)
    call = failure.subject.place
    return call if context.is_test_path(call.unit.path) else failure.place


def _finding(rule: Rule, context: Context, failure: Failure, pairs: list[tuple[Outcome, Failure]]) -> Finding:
    assert isinstance(failure.subject, Coroutine)
    assert failure.subject.function is not None
    function = failure.subject.function
    place = _place(context, failure)
    raises = bool(failure.exception)
    applicability = Applicability.SAFE if raises else Applicability.UNSAFE
    related = [async_doubles.defined_here(function, "an `async def`")]
    if place.key != failure.place.key and not place.span.encloses(failure.place.span):
        related.append(Related(failure.place.unit.path, failure.place.span, "its coroutine is used here"))
    return rule.finding(
        place.unit.path,
        place.span,
        _message(failure, function, _one_line(place)),
        related=tuple(related),
        fixes=awaits.add(context.simulation, place, pairs, applicability),
        severity=Severity.ERROR if raises else Severity.WARNING,
    )


def _message(failure: Failure, function: FunctionValue, call: str) -> str:
    reason = f"`{function.name}` is an `async def`"
    advice = f"write `await {call}`"
    use = _one_line(failure.place)
    if failure.misuse is Misuse.COROUTINE_DISCARDED:
        return f"`{call}` does nothing: {reason}, and its coroutine is never awaited; {advice}"
    if failure.misuse is Misuse.COROUTINE_COMPARISON:
        what = "fails whatever it gives" if failure.exception else "does not look at what it gives"
        return f"`{use}` {what}: {reason}, and its coroutine is compared instead; {advice}"
    if failure.misuse is Misuse.COROUTINE_TRUTH:
        what = "fails" if failure.exception else "holds"
        return f"this {what} whatever `{call}` gives: {reason}, and a coroutine is always true; {advice}"
    return f"`{use}` raises {failure.exception}: {failure.error}, because {reason}; {advice}"


def _one_line(place: Place) -> str:
    """The source, long arguments left out."""
    source = " ".join(place.source.split())
    if len(source) <= _LONG:
        return source
    if isinstance(place.node, ast.Call):
        return f"{' '.join(place.unit.source(place.node.func).split())}(…)"
    return f"{source[:_LONG]}…"


def _on_purpose(failure: Failure, outcome: Outcome) -> bool:
    """Is the test about the warning, or does the call itself raise because its arguments do not fit?"""
    assert isinstance(failure.subject, Coroutine)
    if async_doubles.is_about_coroutines(outcome):
        return True
    function, call = failure.subject.function, failure.subject.place.node
    if function is None or not isinstance(call, ast.Call) or isinstance(function.node, ast.Lambda):
        return False
    starred = any(isinstance(arg, ast.Starred) for arg in call.args)
    names = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    refused = refusal(
        function.node.args,
        skipped=int(function.bound is not None),
        positional=0 if starred else len(call.args),
        keywords=names,
        is_open=starred or len(names) < len(call.keywords),
    )
    return refused is not None


RULE = Rule(
    "US112",
    "coroutine-never-awaited",
    Severity.ERROR,
    "a test uses the result of an `async def` of the workspace without `await`, or discards it",
    check,
    __name__,
)
