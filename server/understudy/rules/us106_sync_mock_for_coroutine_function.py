"""US106: a sync double is put in place of an ``async def`` whose callers await it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock, Place, Replaced
from understudy.finding import Finding, Fix, Related, Severity
from understudy.fixes import mocks
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule
from understudy.source.text import SourceError

_Pair = tuple[Outcome, Failure]


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    awaited = [
        *async_doubles.failures(context, Misuse.AWAIT, in_test=True),
        *async_doubles.failures(context, Misuse.AWAIT, in_test=False),
    ]
    groups: dict[object, tuple[Mock, list[_Pair]]] = {}
    for outcome, failure in awaited:
        mock = async_doubles.stand_in(failure)
        if mock is not None and mock.replaces is not None:
            groups.setdefault(mock.replaces.place.key, (mock, []))[1].append((outcome, failure))
    for mock, pairs in groups.values():
        yield _error(rule, context, mock, pairs)
    for outcome, note in async_doubles.by_place(async_doubles.notes(context, Misuse.STANDS_IN, in_test=True)):
        if note.place.key not in groups and isinstance(note.subject, Mock):
            yield from _warning(rule, context, note.subject, (outcome, note))


def _error(rule: Rule, context: Context, mock: Mock, pairs: list[_Pair]) -> Finding:
    replaced = mock.replaces
    assert replaced is not None
    failure = pairs[0][1]
    where = f"`{failure.calls[-1].function.name}`" if failure.calls and not failure.in_test else "the test"
    uses = {pair.place.key: pair for _, pair in pairs}.values()
    related = [
        *_evidence(mock, replaced),
        *(Related(use.place.unit.path, use.place.span, "awaited here") for use in uses),
    ]
    fix = mocks.to_async(context.simulation, mock, pairs) if mock.parent is None else None
    return rule.finding(
        replaced.place.unit.path,
        replaced.place.span,
        f"`{replaced.function.name}` is an `async def`, and {async_doubles.article(mock.kind.value)} stands in for "
        f"it: when {where} awaits it, `{async_doubles.source_of(failure)}` raises {failure.exception}: "
        f"{failure.error}; {_advice(replaced.place)}",
        related=tuple(related),
        fixes=(fix,) if fix is not None else (),
    )


def _warning(rule: Rule, context: Context, mock: Mock, pair: _Pair) -> Iterator[Finding]:
    """No use of the double was seen; all those of the name in the module are calls that are awaited."""
    replaced = mock.replaces
    if replaced is None:
        return
    uses = _awaited_uses(context, replaced)
    if not uses:
        return
    fix: Fix | None = mocks.to_async(context.simulation, mock, [pair])
    yield rule.finding(
        replaced.place.unit.path,
        replaced.place.span,
        f"`{replaced.function.name}` is an `async def`, and {async_doubles.article(mock.kind.value)} stands in for "
        f"it: all its callers in `{replaced.owner.name}` await it, and cannot await this; "
        f"{_advice(replaced.place)}",
        related=(*_evidence(mock, replaced), Related(uses[0].unit.path, uses[0].span, "awaited here")),
        fixes=(fix,) if fix is not None else (),
        severity=Severity.WARNING,
    )


def _evidence(mock: Mock, replaced: Replaced) -> list[Related]:
    function = replaced.function
    found = [Related(function.path, function.span, "an `async def`")]
    if mock.place.key != replaced.place.key:
        found.append(async_doubles.made_here(mock))
    return found


def _advice(place: Place) -> str:
    call = place.node
    if isinstance(call, ast.Call) and any(keyword.arg == "new_callable" for keyword in call.keywords):
        return "use `new_callable=AsyncMock`, or leave it out"
    return "use an AsyncMock"


def _awaited_uses(context: Context, replaced: Replaced) -> list[Place]:
    """The calls of the name in the module that looks it up; none unless each of its uses is an awaited call."""
    try:
        parsed = context.workspace.parsed(replaced.owner)
    except SourceError:
        return []
    found: list[Place] = []
    for unit in parsed.units:
        awaited = {
            id(node.value.func)
            for node in ast.walk(unit.node)
            if isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
        }
        for node in ast.walk(unit.node):
            if isinstance(node, ast.Constant) and node.value == replaced.attribute:
                return []
            name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
            kind = ast.Attribute if replaced.on_class else ast.Name
            if isinstance(node, (ast.Attribute, ast.Name)) and name == replaced.attribute:
                if isinstance(node, kind) and isinstance(node.ctx, ast.Load) and id(node) in awaited:
                    found.append(Place(unit, node))
                else:
                    return []
    return found


RULE = Rule(
    "US106",
    "sync-mock-for-coroutine-function",
    Severity.ERROR,
    "a Mock or MagicMock stands in for an `async def` whose callers await it",
    check,
    __name__,
)
