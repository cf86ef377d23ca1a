"""US314: no foreign key, or more than one, between the two sides of a relationship."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.finding import Applicability, Finding, Fix, Related, Severity
from understudy.fixes.arguments import add_keyword
from understudy.orm.columns import Column, columns
from understudy.orm.models import Model, Relationship
from understudy.orm.rebuild import Trouble, configure
from understudy.orm.schema import Asked, Schema
from understudy.rules.base import Context, Rule
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "elationship" not in context.source:
        return
    schema = Schema(context.models)
    for mapped in context.models.in_file(context.module):
        for relationship in mapped.relationships:
            if relationship.owner != mapped.entity or relationship.call is None:
                continue
            asked = schema.relation(mapped, relationship)
            if asked is None or _conditional(asked):
                continue
            trouble = configure(asked.classes, (asked.spec.with_back_populates(None),))
            if trouble is Trouble.NO_FOREIGN_KEY and schema.leads_nowhere(asked):
                # That is the cause, and US307's.
                continue
            if trouble in (Trouble.NO_FOREIGN_KEY, Trouble.SEVERAL_FOREIGN_KEYS):
                yield _finding(rule, context, asked, relationship, trouble)


def _conditional(asked: Asked) -> bool:
    return bool(asked.model.entity.declaration.guards or asked.other.entity.declaration.guards)


def _finding(
    rule: Rule, context: Context, asked: Asked, relationship: Relationship, trouble: Trouble
) -> Finding:
    call = relationship.call
    assert call is not None
    mapped, other = asked.model, asked.other
    keys = list(_keys(context, mapped, other)) + list(_keys(context, other, mapped))
    fixes: tuple[Fix, ...] = ()
    if trouble is Trouble.NO_FOREIGN_KEY:
        error = "NoForeignKeysError: there are no foreign keys linking"
        advice = "give one of them a `ForeignKey` to the other"
        related = [Related(other.entity.path, other.entity.span, f"`{other.name}` is declared here")]
        if asked.spec.secondary is not None:
            advice = f"`{asked.spec.secondary.name}` needs a `ForeignKey` to each of them"
    else:
        error = "AmbiguousForeignKeysError: there is more than one foreign key between"
        advice = "say which one with `foreign_keys`"
        related = [
            Related(owner.entity.path, column.member.span, f"`{owner.name}.{column.name}` is one of them")
            for owner, column in keys
            if owner.entity.module.workspace
        ]
        fixes = _fix(context, asked, relationship, keys)
    span = relationship.target_span or Span(*relationship.span)
    return rule.finding(
        context.path,
        span,
        f"the first query of any model of this registry raises {error} the tables of `{mapped.name}` and "
        f"`{other.name}`, so the join of `{mapped.name}.{relationship.name}` cannot be determined; {advice}",
        related=tuple(related),
        fixes=fixes,
    )


def _keys(context: Context, source: Model, target: Model) -> Iterator[tuple[Model, Column]]:
    for column in columns(context.models, source):
        for key in column.foreign_keys or ():
            if key.target.split(".")[-2:-1] == [target.table]:
                yield source, column


def _fix(
    context: Context, asked: Asked, relationship: Relationship, keys: list[tuple[Model, Column]]
) -> tuple[Fix, ...]:
    """Name the column that is called like the relationship, or like its other side."""
    assert relationship.call is not None
    wanted = (relationship.name, asked.spec.back_populates)
    matching = [
        (owner, column)
        for owner, column in keys
        if any(
            name is not None and column.name in (f"{name}_id", f"{name}_fk", f"id_{name}") for name in wanted
        )
    ]
    if len(matching) != 1:
        return ()
    owner, column = matching[0]
    source = f'foreign_keys="{owner.name}.{column.name}"'
    call = relationship.call.span.shifted(relationship.row)
    edit = add_keyword(context.path, context.parsed.text, call, source)
    return (Fix(f"Add `{source}`", Applicability.UNSAFE, (edit,)),)


RULE = Rule(
    "US314",
    "relationship-join-undetermined",
    Severity.ERROR,
    "no foreign key, or more than one without `foreign_keys`, between the two sides of a relationship",
    check,
    __name__,
)
