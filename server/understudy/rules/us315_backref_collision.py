"""US315: a ``backref`` whose name the other class already has."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.facts.model import Assign, Const, DictTerm
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.arguments import add_keyword
from understudy.orm.lineage import own, tail
from understudy.orm.models import Member, Model, Models, Relationship, backref_of
from understudy.rules.base import Context, Rule
from understudy.source.span import Span

_PROPERTIES = frozenset({"Column", "mapped_column", "column_property", "synonym", "composite"})


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "backref" not in context.source:
        return
    for mapped in context.models.in_file(context.module):
        for relationship in mapped.relationships:
            if relationship.owner != mapped.entity:
                continue
            given = backref_of(relationship)
            other = context.models.target(mapped, relationship)
            if given is None or other is None:
                continue
            if mapped.entity.declaration.guards or other.entity.declaration.guards:
                continue
            name, span = str(given.value), given.span.shifted(relationship.row)
            held = _holder(context.models, other, name)
            if held is not None:
                yield _finding(rule, context, mapped, relationship, other, name, span, held)
                continue
            first = _first(context.models, mapped, other, name)
            if first is not None and (first[0].entity, first[1].name) != (mapped.entity, relationship.name):
                yield _twice(rule, context, mapped, relationship, other, name, span, first)


def _holder(models: Models, other: Model, name: str) -> Member | None:
    """The mapped property of that name: of the class, of those above it or of those below it."""
    below = models.registry(other).below(other)
    for model in (other, *(found for found in below if found.entity != other.entity)):
        if _concrete(model):
            return None
        for member in (*model.relationships, *model.columns):
            if member.name == name and (
                isinstance(member, Relationship)
                or (member.call is not None and tail(member.call) in _PROPERTIES)
            ):
                return member
    return None


def _concrete(model: Model) -> bool:
    """With concrete inheritance, the classes' properties have nothing to do with each other."""
    declared = own(model.entity, "__mapper_args__")
    given = declared.value if isinstance(declared, Assign) else None
    return isinstance(given, DictTerm) and any(
        isinstance(key, Const) and key.value == "concrete" for key, _ in given.items
    )


def _first(models: Models, mapped: Model, other: Model, name: str) -> tuple[Model, Relationship] | None:
    """The first relationship, in order of file and line, that makes this backref on the other class."""
    found: list[tuple[str, Span, Model, Relationship]] = []
    for model in models.registry(mapped).models:
        for relationship in model.relationships:
            if relationship.owner != model.entity or model.entity.declaration.guards:
                continue
            given = backref_of(relationship)
            if given is None or given.value != name:
                continue
            target = models.target(model, relationship)
            if target is not None and target.entity == other.entity:
                found.append((str(model.entity.path), relationship.span, model, relationship))
    if not found:
        return None
    _, _, model, relationship = min(found, key=lambda item: item[:2])
    return model, relationship


def _finding(
    rule: Rule,
    context: Context,
    mapped: Model,
    relationship: Relationship,
    other: Model,
    name: str,
    span: Span,
    held: Member,
) -> Finding:
    fixes: tuple[Fix, ...] = ()
    advice = "give it another name"
    if isinstance(held, Relationship):
        target = context.models.target(other, held)
        if target is not None and target.entity == mapped.entity:
            advice = "both sides are declared: use `back_populates` on both"
            fixes = _populate(context, relationship, name, held)
    return rule.finding(
        context.path,
        span,
        f"the first query of any model of this registry raises ArgumentError: error creating backref '{name}' on "
        f"relationship `{mapped.name}.{relationship.name}`, because `{other.name}` has a property of that name; "
        f"{advice}",
        related=(Related(held.owner.path, held.span, f"`{name}` is declared here"),),
        fixes=fixes,
    )


def _populate(context: Context, relationship: Relationship, name: str, held: Relationship) -> tuple[Fix, ...]:
    """``back_populates`` on both sides, in place of the ``backref``."""
    call, other = relationship.call, held.call
    if call is None or other is None or other.keyword("backref") is not None:
        return ()
    keyword = next(k for k in call.keywords if k.name == "backref")
    if not isinstance(keyword.value, Const):
        return ()
    there = other.keyword("back_populates")
    if there is not None and not (isinstance(there, Const) and there.value == relationship.name):
        return ()
    edits = [Edit(context.path, keyword.span.shifted(relationship.row), "back_populates")]
    if there is None:
        text = context.workspace.text(held.owner.path)
        where = other.span.shifted(held.row)
        source = f'back_populates="{relationship.name}"'
        edits.append(add_keyword(held.owner.path, text, where, source))
    return (Fix("Use `back_populates` on both sides", Applicability.UNSAFE, tuple(edits)),)


def _twice(
    rule: Rule,
    context: Context,
    mapped: Model,
    relationship: Relationship,
    other: Model,
    name: str,
    span: Span,
    first: tuple[Model, Relationship],
) -> Finding:
    return rule.finding(
        context.path,
        span,
        f"the first query of any model of this registry raises ArgumentError: error creating backref '{name}' on "
        f"relationship `{mapped.name}.{relationship.name}`, because `{first[0].name}.{first[1].name}` gives "
        f"`{other.name}` a backref of that name, too; give one of them another name",
        related=(Related(first[1].owner.path, first[1].span, f"the first backref `{name}` is made here"),),
    )


RULE = Rule(
    "US315",
    "backref-collision",
    Severity.ERROR,
    "a `backref` whose name the other class already has",
    check,
    __name__,
)
