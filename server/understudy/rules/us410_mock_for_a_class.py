"""US410: ``isinstance``, ``issubclass``, ``except`` or ``raise`` meets a double where a class has to be."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Misuse
from understudy.doubles.values import Mock
from understudy.finding import Finding, Related, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for place, failure in async_doubles.by_double(context, Misuse.NO_CLASS):
        mock = failure.subject
        assert isinstance(mock, Mock)
        related = [async_doubles.made_here(mock)]
        if not failure.in_test:
            related.append(Related(failure.place.unit.path, failure.place.span, "used here"))
        yield rule.finding(
            place.unit.path,
            place.span,
            f"{async_doubles.user_of(failure)} raises {failure.exception}: {failure.error}, and "
            f"`{async_doubles.source_of(failure)}` is {async_doubles.article(mock.kind.value)} here; {_advice(mock)}",
            related=tuple(related),
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
