"""US410: ``isinstance``, ``issubclass``, ``except`` or ``raise`` meets a double where a class has to be."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock
from understudy.finding import Finding, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    yield from async_doubles.by_double(rule, context, Misuse.NO_CLASS, _message)


def _message(failure: Failure, mock: Mock) -> str:
    used = async_doubles.source_of(failure)
    inside = not failure.in_test and failure.calls
    who = f"`{failure.calls[-1].function.name}` uses `{used}`, which" if inside else "this"
    return (
        f"{who} raises {failure.exception}: {failure.error}, and `{used}` is {async_doubles.article(mock.kind.value)} "
        f"here; {_advice(mock)}"
    )


def _advice(mock: Mock) -> str:
    cls = mock.parent if mock.parent is not None and mock.label.endswith("()") else mock
    if cls.parent is not None or (cls.replaces is None and cls.unnamed):
        return async_doubles.set_to(cls, "the real class")
    return "leave the class, and patch what is called of it"


RULE = Rule(
    "US410",
    "mock-for-a-class",
    Severity.ERROR,
    "a double where a class has to be: the second argument of `isinstance`, what `except` catches, what is raised",
    check,
    __name__,
)
