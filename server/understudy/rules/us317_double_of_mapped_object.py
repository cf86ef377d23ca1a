"""US317: a double with the spec of a model is given to a relationship of a real object, or to a real session."""

from __future__ import annotations

import re
from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock
from understudy.facts import model as facts
from understudy.finding import Finding, Related, Severity
from understudy.infer.entities import ClassEntity
from understudy.orm.lineage import tail
from understudy.orm.models import Model, Relationship
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_EVENTS = re.compile(rb"\blisten(?:s_for)?\([^)]*[\"'](?:set|append|bulk_replace)[\"']")
_OWN_SESSIONS = re.compile(rb"\bclass \w+\([^)\n]*Session\b")
"""Their ``add`` may do anything."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or not context.models.exist:
        return
    seen: set[object] = set()
    for in_test in (True, False):
        for _, note in async_doubles.notes(context, Misuse.UNMAPPED, in_test=in_test):
            mock = note.subject
            place = note.place if in_test else note.handed
            if place is None or place.key in seen or not isinstance(mock, Mock):
                continue
            found = _message(context, note, mock)
            if found is None:
                continue
            seen.add(place.key)
            related = [async_doubles.made_here(mock)]
            if not in_test:
                related.append(Related(note.place.unit.path, note.place.span, "given here"))
            yield rule.finding(place.unit.path, place.span, found, related=tuple(related))


def _message(context: Context, note: Failure, mock: Mock) -> str | None:
    """What happens, where the double is one of a model, and is given where SQLAlchemy looks at it."""
    spec = mock.spec.entity if mock.spec is not None else None
    double = context.models.mapped(spec) if isinstance(spec, ClassEntity) else None
    if double is None:
        return None
    if note.error:
        owner = context.resolver.dotted(note.error, context.module)
        model = context.models.mapped(owner) if isinstance(owner, ClassEntity) else None
        if model is None or not any(map(_keeps_other_side, _named(model, note.detail))):
            return None
        if _may_convert(context, model, note.detail):
            return None
        what = f"the relationship `{model.name}.{note.detail}`"
        error = "AttributeError: Mock object has no attribute '_sa_instance_state'"
    else:
        if context.workspace.files_with(_OWN_SESSIONS):
            return None
        what = f"`{note.detail}` of a session"
        error = "UnmappedInstanceError"
    return (
        f"{what} is given a double of `{double.name}`, which is no mapped object: it raises {error}; "
        f"make a real `{double.name}`"
    )


def _named(model: Model, name: str) -> list[Relationship]:
    return [each for each in model.relationships if each.name == name]


def _may_convert(context: Context, model: Model, name: str) -> bool:
    """Does a validator of the class see what the relationship is given first, or an event somewhere? Either may put a
    real object in its place."""
    for cls in model.lineage.classes:
        for declaration in cls.declaration.body:
            for decorator in declaration.decorators if isinstance(declaration, facts.Function) else ():
                if isinstance(decorator, facts.CallTerm) and tail(decorator) == "validates":
                    if any(getattr(argument, "value", name) == name for argument in decorator.args):
                        return True
    return bool(context.workspace.files_with(_EVENTS))


def _keeps_other_side(relationship: Relationship) -> bool:
    """Does SQLAlchemy set the other side as well? Without that it looks at the object when it is flushed."""
    given = (
        {keyword.name for keyword in relationship.call.keywords} if relationship.call is not None else set()
    )
    return bool(given & {"back_populates", "backref"}) and not given & {"viewonly", "sync_backref"}


RULE = Rule(
    "US317",
    "double-of-mapped-object",
    Severity.ERROR,
    "a double with the spec of a model is given to a relationship of a real object, or to a real session",
    check,
    __name__,
)
