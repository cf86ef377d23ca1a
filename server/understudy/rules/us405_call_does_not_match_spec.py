"""US405: an autospecced double is called, or asserted to have been called, with arguments that it refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock, MockKind, Place
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_MISUSES = (Misuse.REFUSED_ARGUMENTS, Misuse.NOT_CALLABLE)
_CALLABLE = {MockKind.NON_CALLABLE: "a Mock", MockKind.NON_CALLABLE_MAGIC: "a MagicMock"}


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = [
        *async_doubles.failures(context, *_MISUSES, in_test=True),
        *async_doubles.failures(context, *_MISUSES, in_test=False),
    ]
    first: dict[object, tuple[Place, Failure]] = {}
    for _, failure in found:
        place = failure.place if failure.in_test else failure.handed
        if place is not None:
            first.setdefault(place.key, (place, failure))
    for place, failure in first.values():
        mock = failure.subject
        assert isinstance(mock, Mock)
        related = [async_doubles.made_here(mock)]
        entity = mock.spec.entity if mock.spec is not None else None
        if entity is not None:
            related.append(Related(entity.path, entity.span, f"the spec: `{entity.name}`"))
        if not failure.in_test:
            related.append(Related(failure.place.unit.path, failure.place.span, "called here"))
        yield rule.finding(
            place.unit.path,
            place.span,
            _message(failure, mock),
            related=tuple(related),
            fixes=_fixes(failure),
        )


def _message(failure: Failure, mock: Mock) -> str:
    if failure.misuse is Misuse.NOT_CALLABLE:
        return _not_callable(failure, mock)
    assert mock.spec is not None and mock.spec.entity is not None
    signature = f"its autospec is `{mock.spec.entity.name}({failure.detail})`"
    double = async_doubles.readable(mock)
    if failure.exception == "AssertionError":
        return f"this fails whatever `{double}` was called with: {failure.error}, because {signature}"
    who = "this" if failure.in_test else f"`{failure.calls[-1].function.name}` calls `{double}`, which"
    return f"{who} raises {failure.exception}: {failure.error}; `{double}` is called, and {signature}"


def _not_callable(failure: Failure, mock: Mock) -> str:
    used = async_doubles.source_of(failure)
    who = f"`{used}`" if failure.in_test else f"`{failure.calls[-1].function.name}` does `{used}`, which"
    start = f"{who} raises {failure.exception}: {failure.error}"
    spec = mock.spec
    double = "it" if mock.unnamed else f"`{async_doubles.readable(mock)}`"
    if spec is not None and isinstance(spec.entity, ClassEntity) and spec.instance:
        name = spec.entity.name
        return (
            f"{start}, because {double} stands for an instance of `{name}`, which has no `__call__`; "
            f"call a method of it, or let it stand for the class"
        )
    kind = async_doubles.article(mock.kind.value)
    return f"{start}, because {double} is {kind}; make it {_CALLABLE[mock.kind]}"


def _fixes(failure: Failure) -> tuple[Fix, ...]:
    """The parameter that a keyword is nearest to, where the test writes the keyword."""
    node, mock = failure.place.node, failure.subject
    if not isinstance(node, ast.keyword) or node.arg is None or not failure.in_test:
        return ()
    assert isinstance(mock, Mock)
    entity = mock.spec.entity if mock.spec is not None else None
    if not isinstance(entity, FunctionEntity):
        return ()
    close = nearest(node.arg, [parameter.name for parameter in entity.declaration.parameters])
    if close is None:
        return ()
    unit = failure.place.unit
    edit = Edit(unit.path, unit.keyword_span(node), close)
    return (Fix(f"Use `{close}`", Applicability.SAFE, (edit,)),)


RULE = Rule(
    "US405",
    "call-does-not-match-spec",
    Severity.ERROR,
    "a call, or an assertion about one, that the signature of an autospec refuses; a call of what cannot be called",
    check,
    __name__,
)
