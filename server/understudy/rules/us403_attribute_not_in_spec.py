"""US403: an attribute or special method of a double that its ``spec`` or its class has not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.doubles.mocks import NOT_DELETED, SEALED
from understudy.doubles.run import Outcome
from understudy.doubles.shapes import is_magic
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock, Place, Spec
from understudy.doubles.versions import FORBIDDEN_WITHOUT_PREFIX
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import mocks
from understudy.fixes.names import nearest
from understudy.infer.entities import ClassEntity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule
from understudy.rules.model_doubles import misnamed

_LIKE_ASSERTIONS = ("assert", "assret", "asert", "aseert", "assrt")
_IMPERATIVE = re.compile(rb"\bmap_imperatively\(|\borm\.mapper\(|\bsqlalchemy\.orm import [^\n]*\bmapper\b")
"""Which classes a function maps that is called with them is not followed."""
_MISUSES = (
    Misuse.MISSING_ATTRIBUTE,
    Misuse.NOT_SUBSCRIPTABLE,
    Misuse.NOT_ITERABLE,
    Misuse.OPERATION,
    Misuse.WITH,
)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for place, group in _by_place(context):
        failure = group[0][1]
        mock = failure.subject
        assert isinstance(mock, Mock)
        span = place.span
        fixes: tuple[Fix, ...]
        if failure.misuse is Misuse.MISSING_ATTRIBUTE:
            reason = _Reason.of(context, failure)
            if reason is None:
                continue
            message, fixes = reason.message, _fixes(failure, reason.close)
            if failure.in_test:
                span = async_doubles.attribute_span(place)
        else:
            fixes = mocks.to_magic(context.simulation, mock.root, group)
            message = _unsupported(failure, mock, mended=bool(fixes))
        yield rule.finding(
            place.unit.path, span, message, related=tuple(_related(failure, mock)), fixes=fixes
        )


def _by_place(context: Context) -> list[tuple[Place, list[tuple[Outcome, Failure]]]]:
    """The failures of doubles, by what stands in the test: the use, or what hands the double over."""
    groups: dict[object, tuple[Place, list[tuple[Outcome, Failure]]]] = {}
    for in_test in (True, False):
        for outcome, failure in async_doubles.failures(context, *_MISUSES, in_test=in_test):
            place = failure.place if in_test else failure.handed
            if misnamed(context, outcome, failure) is not None:
                # A field under another name is the cause, which US309 reports.
                continue
            if place is not None and isinstance(failure.subject, Mock):
                key = (place.key, failure.detail)
                groups.setdefault(key, (place, []))[1].append((outcome, failure))
    return list(groups.values())


def _related(failure: Failure, mock: Mock) -> Iterator[Related]:
    yield async_doubles.made_here(mock)
    entity = mock.spec.entity if mock.spec is not None else None
    if entity is not None:
        yield Related(entity.path, entity.span, f"the spec: `{entity.name}`")
    if not failure.in_test:
        done = "read" if failure.misuse is Misuse.MISSING_ATTRIBUTE else "used"
        done = "set" if _is_set(failure) else done
        yield Related(failure.place.unit.path, failure.place.span, f"{done} here")


@dataclass(frozen=True)
class _Reason:
    """Why a double has no such attribute."""

    message: str
    close: str | None = None
    """The attribute that was probably meant."""

    @classmethod
    def of(cls, context: Context, failure: Failure) -> _Reason | None:
        """None where an assertion is misspelled, or a mapper may give the class its attributes."""
        mock, name = failure.subject, failure.detail
        assert isinstance(mock, Mock)
        if name.startswith(_LIKE_ASSERTIONS) or name in FORBIDDEN_WITHOUT_PREFIX:
            return None
        double = async_doubles.readable(mock)
        who = "this"
        if not failure.in_test:
            verb = "sets" if _is_set(failure) else "reads"
            who = f"`{failure.calls[-1].function.name}` {verb} `{async_doubles.source_of(failure)}`, which"
        start = f"{who} raises {failure.exception}: `{double}` has no `{name}`"
        if failure.error.startswith("Cannot set "):
            return cls(f"{start}, and it is sealed; set `{name}` before `seal`")
        if failure.error.endswith(f".{name}"):
            return cls(f"{start}, because it is sealed; configure `{name}` before `seal`")
        if failure.error == NOT_DELETED:
            return cls(
                f"{who} raises {failure.exception}: `{name}` is a PropertyMock on the type of `{double}`, which "
                "objects of the type cannot delete; delete it from the type"
            )
        if is_magic(name) and mock.spec is None:
            return cls(f"{start}, because {_bare(mock)}; {_mend(mock)}")
        if failure.error == name:
            return cls(f"{start}, because the test deletes it; do not read it, or set it again")
        assert mock.spec is not None
        if isinstance(mock.spec.entity, ClassEntity) and context.workspace.any_with(_IMPERATIVE):
            return None
        return cls(*_not_in_spec(context, failure, mock.spec, start))


def _not_in_spec(context: Context, failure: Failure, spec: Spec, start: str) -> tuple[str, str | None]:
    name = failure.detail
    assert isinstance(failure.subject, Mock)
    what = f"its spec `{spec.entity.name}`" if spec.entity is not None else "its list of names"
    start = f"{start}, because {what} has none"
    # No special method stands for another.
    close = nearest(name, _known(context, spec)) if not is_magic(name) else None
    if spec.strict and _is_set(failure) and close is None:
        return f"{start}, and `spec_set` lets nothing else be set; use `spec`, which does", None
    if isinstance(spec.entity, ClassEntity) and _set_on_instances(context, spec.entity, name):
        double = async_doubles.readable(failure.subject)
        return (
            f"{start}: it is only set on instances, and `spec` looks at the class; set `{double}.{name}`, "
            "or give the class an attribute of that name"
        ), close
    if close is not None:
        return f"{start}; did you mean `{close}`?", close
    return f"{start}; set it on the double, or correct the name", None


def _is_set(failure: Failure) -> bool:
    return isinstance(failure.place.node, ast.Attribute) and isinstance(failure.place.node.ctx, ast.Store)


def _unsupported(failure: Failure, mock: Mock, *, mended: bool) -> str:
    """An operation, subscript, loop or ``with`` that needs a special method which the double has not.

    :param mended: a MagicMock would do.
    """
    used = async_doubles.source_of(failure)
    who = f"`{used}`" if failure.in_test else f"`{failure.calls[-1].function.name}` uses `{used}`, which"
    start = f"{who} raises {failure.exception}: {failure.error}"
    spec = mock.spec
    if failure.detail == SEALED:
        double = async_doubles.readable(mock)
        return f"{start}, because `{double}` is sealed; configure what it needs there before `seal`"
    if failure.error.startswith("iter() "):
        return f"{start}, which its `__iter__` gives; give it an iterator, such as `iter([])`"
    if spec is None or mended:
        advice = _mend(mock) if mended or mock.root.kind.magic else "give it a real value there"
        return f"{start}, because {_bare(mock)}; {advice}"
    what = f"its spec `{spec.entity.name}`" if spec.entity is not None else "its list of names"
    return f"{start}, because {what} has no special method for that; correct the use, or the spec"


def _bare(mock: Mock) -> str:
    kind = async_doubles.article(mock.kind.value)
    name = "it" if mock.unnamed else f"`{async_doubles.readable(mock)}`"
    if not mock.kind.magic:
        return f"{name} is {kind}, which has no special methods"
    return f"{name} is {kind}, which has this special method only when it is set"


def _mend(mock: Mock) -> str:
    if not mock.root.kind.magic:
        return async_doubles.make_magic(mock)
    return "set it, or give the double a real value there"


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
    "an attribute or special method of a double that its `spec` or its class has not, or that is sealed or deleted",
    check,
    __name__,
)
