"""US403: an attribute of a specced double that the class in its ``spec`` has not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.shapes import is_magic
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock, Place, Spec
from understudy.doubles.versions import FORBIDDEN_WITHOUT_PREFIX
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.infer.entities import ClassEntity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_LIKE_ASSERTIONS = ("assert", "assret", "asert", "aseert", "assrt")


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = [
        *async_doubles.failures(context, Misuse.MISSING_ATTRIBUTE, in_test=True),
        *async_doubles.failures(context, Misuse.MISSING_ATTRIBUTE, in_test=False),
    ]
    first: dict[object, tuple[Place, Failure]] = {}
    for _, failure in found:
        place = failure.place if failure.in_test else failure.handed
        if place is not None and _spec_of(failure) is not None:
            first.setdefault((place.key, failure.detail), (place, failure))
    for place, failure in first.values():
        spec = _spec_of(failure)
        assert spec is not None and isinstance(failure.subject, Mock)
        known = _known(context, spec)
        # No special method stands for another.
        close = nearest(failure.detail, known) if not is_magic(failure.detail) else None
        related = [async_doubles.made_here(failure.subject)]
        if spec.entity is not None:
            related.append(Related(spec.entity.path, spec.entity.span, f"the spec: `{spec.entity.name}`"))
        if not failure.in_test:
            related.append(Related(failure.place.unit.path, failure.place.span, "read here"))
        yield rule.finding(
            place.unit.path,
            async_doubles.attribute_span(place) if failure.in_test else place.span,
            _message(context, failure, spec, close),
            related=tuple(related),
            fixes=_fixes(failure, close),
        )


def _spec_of(failure: Failure) -> Spec | None:
    """The spec that lacks the attribute; None where the attribute was deleted, or is an assertion misspelled."""
    mock, name = failure.subject, failure.detail
    if not isinstance(mock, Mock) or mock.spec is None or f"deleted.{name}" in mock.slots:
        return None
    if name.startswith(_LIKE_ASSERTIONS) or name in FORBIDDEN_WITHOUT_PREFIX:
        return None
    return mock.spec


def _known(context: Context, spec: Spec) -> list[str]:
    """The public names of the spec."""
    if spec.names is not None:
        return sorted(spec.names)
    if not isinstance(spec.entity, ClassEntity):
        return []
    return [
        declaration.target if isinstance(declaration, model.Assign) else declaration.name
        for cls in context.resolver.ancestry(spec.entity).classes
        for declaration in cls.declaration.body
        if (isinstance(declaration, model.Assign) and declaration.value is not None)
        or isinstance(declaration, (model.Function, model.Class))
    ]


def _message(context: Context, failure: Failure, spec: Spec, close: str | None) -> str:
    assert isinstance(failure.subject, Mock)
    double = async_doubles.readable(failure.subject)
    name = failure.detail
    who = "this"
    if not failure.in_test:
        who = f"`{failure.calls[-1].function.name}` reads `{async_doubles.source_of(failure)}`, which"
    what = f"its spec `{spec.entity.name}`" if spec.entity is not None else "its list of names"
    start = f"{who} raises {failure.exception}: `{double}` has no `{name}`, because {what} has none"
    if isinstance(spec.entity, ClassEntity) and _set_on_instances(context, spec.entity, name):
        return (
            f"{start}: it is only set on instances, and `spec` looks at the class; set `{double}.{name}`, "
            "or give the class an attribute of that name"
        )
    if close is not None:
        return f"{start}; did you mean `{close}`?"
    return f"{start}; set it on the double, or correct the name"


def _set_on_instances(context: Context, entity: ClassEntity, name: str) -> bool:
    return any(
        isinstance(declaration, model.Function) and name in declaration.self_attributes
        for cls in context.resolver.ancestry(entity).classes
        for declaration in cls.declaration.body
    )


def _fixes(failure: Failure, close: str | None) -> tuple[Fix, ...]:
    place = failure.place
    if close is None or not failure.in_test or not isinstance(place.node, ast.Attribute):
        return ()
    span = async_doubles.attribute_span(place)
    if place.unit.text.slice(span) != failure.detail:
        return ()
    return (Fix(f"Use `{close}`", Applicability.SAFE, (Edit(place.unit.path, span, close),)),)


RULE = Rule(
    "US403",
    "attribute-not-in-spec",
    Severity.ERROR,
    "an attribute of a specced double that the class in its `spec` has not",
    check,
    __name__,
)
