"""US306: ``back_populates`` names something else than the other side of the relationship."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.facts.model import Const
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.fixes.names import nearest
from understudy.orm import attributes
from understudy.orm.lineage import Constructor, tail
from understudy.orm.models import Member, Model, Relationship, is_mapped
from understudy.orm.rebuild import Trouble, configure
from understudy.orm.schema import Schema
from understudy.rules.base import Context, Rule
from understudy.source.span import Span

_FIRST = "the first query of any model of this registry raises"


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "back_populates" not in context.source:
        return
    for mapped in context.models.in_file(context.module):
        for relationship in mapped.relationships:
            if relationship.owner != mapped.entity or relationship.call is None:
                continue
            given = relationship.call.keyword("back_populates")
            if not isinstance(given, Const) or not isinstance(given.value, str):
                continue
            other = context.models.target(mapped, relationship)
            if other is None or mapped.entity.declaration.guards or other.entity.declaration.guards:
                continue
            span = given.span.shifted(relationship.row)
            yield from _checked(rule, context, mapped, relationship, other, given.value, span)


def _checked(
    rule: Rule,
    context: Context,
    mapped: Model,
    relationship: Relationship,
    other: Model,
    name: str,
    span: Span,
) -> Iterator[Finding]:
    here = f"`{mapped.name}.{relationship.name}`"
    column = next((c for c in other.columns if c.name == name), None)
    if column is not None and _is_plain_column(column):
        yield rule.finding(
            context.path,
            span,
            f"{_FIRST} InvalidRequestError: {here} has `back_populates='{name}'`, but `{other.name}.{name}` is a "
            f"column; name the relationship of `{other.name}` that leads back",
            related=(Related(column.owner.path, column.span, f"`{name}` is declared here"),),
            fixes=_rename(context, mapped, relationship, other, name, span),
        )
        return
    reverse = next((r for r in other.relationships if r.name == name), None)
    if reverse is None:
        if attributes.has(context.models, other, name) is False:
            yield _missing(rule, context, mapped, relationship, other, name, span)
        return
    trouble = _ask(context, mapped, relationship, other, reverse)
    if trouble is Trouble.OTHER_MAPPER:
        reason = f"`{other.name}.{name}` does not lead to `{mapped.name}`"
    elif trouble is Trouble.SAME_DIRECTION:
        reason = f"it and `{other.name}.{name}` are both of the same direction"
        if other.entity == mapped.entity:
            reason += "; one of them needs `remote_side`"
    else:
        return
    yield rule.finding(
        context.path,
        span,
        f"{_FIRST} ArgumentError: {here} has `back_populates='{name}'`, but {reason}",
        related=(Related(reverse.owner.path, reverse.span, f"`{name}` is declared here"),),
        fixes=_rename(context, mapped, relationship, other, name, span)
        if trouble is Trouble.OTHER_MAPPER
        else (),
    )


def _is_plain_column(member: Member) -> bool:
    if member.call is not None:
        return tail(member.call) in ("Column", "mapped_column")
    return not member.computed and member.annotation is not None and is_mapped(member.annotation)


def _ask(
    context: Context, mapped: Model, relationship: Relationship, other: Model, reverse: Relationship
) -> Trouble | None:
    """What SQLAlchemy says about the two relationships together, where each alone is right."""
    schema = Schema(context.models)
    one, two = schema.relation(mapped, relationship), schema.relation(other, reverse)
    if one is None or two is None:
        return None
    back = relationship.name if two.spec.back_populates == relationship.name else None
    specs = (one.spec, two.spec.with_back_populates(back))
    classes = tuple(dict.fromkeys((*one.classes, *two.classes)))
    for asked, spec in ((one, specs[0]), (two, specs[1])):
        if configure(asked.classes, (spec.with_back_populates(None),)) is not None:
            return None
    return configure(classes, specs if specs[0] != specs[1] else specs[:1])


def _leading_back(
    context: Context, mapped: Model, relationship: Relationship, other: Model
) -> list[Relationship]:
    """The relationships of the other side that lead to this model, those that name this one first."""
    found = []
    for candidate in other.relationships:
        target = context.models.target(other, candidate)
        if target is not None and target.entity == mapped.entity and candidate != relationship:
            found.append(candidate)
    naming = [r for r in found if _populates(r) == relationship.name]
    return naming or found


def _populates(relationship: Relationship) -> object:
    term = relationship.call.keyword("back_populates") if relationship.call is not None else None
    return term.value if isinstance(term, Const) else None


def _rename(
    context: Context, mapped: Model, relationship: Relationship, other: Model, name: str, span: Span
) -> tuple[Fix, ...]:
    leading = [r.name for r in _leading_back(context, mapped, relationship, other)]
    near = leading[0] if len(leading) == 1 else nearest(name, leading)
    quote = context.parsed.text.slice(span)[:1]
    if near is None or near == name or quote not in "\"'":
        return ()
    edit = Edit(context.path, span, f"{quote}{near}{quote}")
    return (Fix(f"Change to `{near}`", Applicability.UNSAFE, (edit,)),)


def _missing(
    rule: Rule,
    context: Context,
    mapped: Model,
    relationship: Relationship,
    other: Model,
    name: str,
    span: Span,
) -> Finding:
    fixes = _rename(context, mapped, relationship, other, name, span)
    related = [Related(other.entity.path, other.entity.span, f"`{other.name}` is declared here")]
    if fixes:
        near = fixes[0].edits[0].content.strip("\"'")
        advice = f"did you mean `{near}`?"
        found = next(r for r in other.relationships if r.name == near)
        related = [Related(found.owner.path, found.span, f"`{near}` is declared here")]
    else:
        advice = f"declare the other side in `{other.name}`"
        fixes = _add_side(context, mapped, relationship, other, name)
    return rule.finding(
        context.path,
        span,
        f"{_FIRST} InvalidRequestError: `{mapped.name}.{relationship.name}` has `back_populates='{name}'`, but "
        f"`{other.name}` has no property `{name}`; {advice}",
        related=tuple(related),
        fixes=fixes,
    )


def _add_side(
    context: Context, mapped: Model, relationship: Relationship, other: Model, name: str
) -> tuple[Fix, ...]:
    """Declare the missing side below the last column or relationship of the other class."""
    if other.lineage.constructor is Constructor.DATACLASS or not other.entity.module.workspace:
        return ()
    own: list[Member] = [
        member
        for member in (*other.columns, *other.relationships)
        if member.owner == other.entity and member.statement != member.span
    ]
    parsed = context.workspace.parsed(other.entity.path)
    spelled = imports.from_module(parsed, "sqlalchemy.orm", "relationship")
    if not own or spelled is None:
        return ()
    last = max(own, key=lambda member: member.statement)
    line = parsed.text.line(last.statement.row)
    indentation = line[: last.statement.column]
    if indentation.strip():
        return ()
    source = f'{name} = {spelled.text}("{mapped.name}", back_populates="{relationship.name}")'
    where = Span.at(last.statement.end_row, len(parsed.text.line(last.statement.end_row)))
    edit = Edit(other.entity.path, where, f"{parsed.text.newline}{indentation}{source}")
    return (Fix(f"Add `{other.name}.{name}`", Applicability.UNSAFE, (*spelled.edits, edit)),)


RULE = Rule(
    "US306",
    "back-populates-mismatch",
    Severity.ERROR,
    "`back_populates` names a property that the other side has not, or that points elsewhere",
    check,
    __name__,
)
