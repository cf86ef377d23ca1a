"""US108: code under test awaits a double that it was given, and cannot."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock
from understudy.finding import Finding, Related, Severity
from understudy.fixes import mocks
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_USES = {Misuse.AWAIT: "awaits", Misuse.ASYNC_WITH: "enters", Misuse.ASYNC_FOR: "iterates over"}


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = [
        (outcome, failure)
        for outcome, failure in async_doubles.failures(context, *_USES, in_test=False)
        if _is_sync(failure)
    ]
    for place, pairs in async_doubles.by_handover(found):
        _, failure = pairs[0]
        mock = async_doubles.mock_of(failure.subject)
        assert mock is not None
        verb = _USES[failure.misuse]
        function = failure.calls[-1].function.name
        fix = mocks.to_async(context.simulation, mock.root, async_doubles.of_root(found, mock.root))
        related = [async_doubles.made_here(mock)]
        for other in {f.place.key: f for _, f in pairs}.values():
            related.append(Related(other.place.unit.path, other.place.span, _use(other)))
        yield rule.finding(
            place.unit.path,
            place.span,
            f"`{function}` {verb} `{_expression(failure)}`, which is {async_doubles.article(_kind(mock))} here: it "
            f"raises {failure.exception}: {failure.error}; "
            f"{async_doubles.advice(mock, async_doubles.root_name(mock))}",
            related=tuple(related),
            fixes=(fix,) if fix is not None else (),
        )


def _is_sync(failure: Failure) -> bool:
    if not isinstance(failure.subject, Mock) or failure.handed is None:
        return False
    return async_doubles.stand_in(failure) is None


def _kind(mock: Mock) -> str:
    return mock.kind.value


def _expression(failure: Failure) -> str:
    return async_doubles.source_of(failure).removeprefix("await ")


def _use(failure: Failure) -> str:
    verb = _USES[failure.misuse]
    return {"awaits": "awaited here", "enters": "entered here", "iterates over": "iterated over here"}[verb]


RULE = Rule(
    "US108",
    "mock-awaited-by-callee",
    Severity.ERROR,
    "a mock is handed to code under test that awaits it, or enters or iterates over it asynchronously, and cannot",
    check,
    __name__,
)
