"""US107: an AsyncMock is put in place of a plain ``def`` whose callers do not await it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from understudy.doubles.core import Change
from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Coroutine, Mock, MockKind, Place
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import mocks, removal
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_USES = {
    Misuse.COROUTINE_DISCARDED: "discards it",
    Misuse.COROUTINE_TRUTH: "tests it for truth",
    Misuse.COROUTINE_COMPARISON: "compares it",
}
_Pair = tuple[Outcome, Failure]


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    yield from _stand_ins(rule, context)
    yield from _hidden(rule, context)


def _stand_ins(rule: Rule, context: Context) -> Iterator[Finding]:
    groups: dict[object, tuple[Mock, list[_Pair]]] = {}
    for outcome, note in async_doubles.notes(context, *_USES, in_test=False):
        mock = async_doubles.mock_of(note.subject)
        if mock is None or mock.replaces is None or mock.replaces.is_async or _raises(outcome, mock):
            continue
        groups.setdefault(mock.replaces.place.key, (mock, []))[1].append((outcome, note))
    for mock, pairs in groups.values():
        replaced, note = mock.replaces, pairs[0][1]
        assert replaced is not None
        uses = {pair.place.key: pair for _, pair in pairs}.values()
        yield rule.finding(
            replaced.place.unit.path,
            replaced.place.span,
            f"`{replaced.function.name}` is a plain `def`, and an AsyncMock stands in for it: "
            f"`{note.calls[-1].function.name}` gets a coroutine from `{async_doubles.source_of(note)}` and "
            f"{_USES[note.misuse]}, without `await`; use a MagicMock",
            related=(
                Related(replaced.function.path, replaced.function.span, "a plain `def`"),
                *(Related(use.place.unit.path, use.place.span, "not awaited here") for use in uses),
            ),
            fixes=_fixes(context, mock, replaced.place, pairs),
        )


def _hidden(rule: Rule, context: Context) -> Iterator[Finding]:
    """An AsyncMock lets code under test await what its parameter's class has as a plain ``def``."""
    found = async_doubles.notes(context, Misuse.HIDES_SYNC, in_test=False)
    for place, pairs in async_doubles.by_handover(found):
        note = pairs[0][1]
        mock = async_doubles.mock_of(note.subject)
        declared = mock.parent.declared if mock is not None and mock.parent is not None else None
        if mock is None or declared is None:
            continue
        uses = {pair.place.key: pair for _, pair in pairs}.values()
        where, entity = declared.parameter, declared.entity
        yield rule.finding(
            place.unit.path,
            place.span,
            f"the code, not the test, is wrong: `{note.calls[-1].function.name}` has "
            f"`{async_doubles.source_of(note)}`, but `{where.source}` says `{entity.name}`, and `{note.detail}` is a "
            f"plain `def` that gives nothing awaitable; this AsyncMock hides it: use `MagicMock(spec={entity.name})`",
            related=(
                async_doubles.made_here(mock),
                Related(where.unit.path, where.span, f"declared here: `{entity.name}`"),
                *(Related(use.place.unit.path, use.place.span, "awaited here") for use in uses),
            ),
        )


def _raises(outcome: Outcome, mock: Mock) -> bool:
    """Does a use of the double raise as well? Then that is the finding: US102 or US109."""
    return any(
        isinstance(failure.subject, Coroutine) and failure.subject.mock is mock
        for failure in outcome.failures
    )


def _fixes(context: Context, mock: Mock, place: Place, pairs: list[_Pair]) -> tuple[Fix, ...]:
    """A ``patch`` makes a MagicMock by itself; elsewhere the class of the double changes."""
    call = place.node
    if isinstance(call, ast.Call) and mock.place.key == place.key:
        for keyword in call.keywords:
            if keyword.arg == "new_callable":
                if not mocks.works(context.simulation, pairs, {place.key: Change(MockKind.MAGIC)}):
                    return ()
                cut = removal.element(place.unit.text, place.unit.span(keyword))
                edit = Edit(place.unit.path, cut, "")
                return (Fix("Remove `new_callable`", Applicability.UNSAFE, (edit,)),)
    return tuple(
        replace(fix, applicability=Applicability.UNSAFE)
        for fix in mocks.to_magic(context.simulation, mock, pairs)
    )


RULE = Rule(
    "US107",
    "async-mock-for-sync-function",
    Severity.WARNING,
    "an AsyncMock stands in for a plain `def` whose callers do not await it",
    check,
    __name__,
)
