"""What an editor shows of a model's fields: kind, type, nullability, default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from understudy.facts import model
from understudy.orm import attributes
from understudy.orm.columns import column
from understudy.orm.factories import Declared, Factories, Factory
from understudy.orm.lineage import Constructor, tail
from understudy.orm.models import Member, Model, Models, backref_of, is_mapped, members
from understudy.source.span import Span

_DEFAULTS = ("default", "insert_default", "default_factory", "server_default")
_ALSO = frozenset({"synonym", "association_proxy", "composite", "hybrid_property"})


@dataclass(frozen=True)
class Field:
    """One field of a model, as it is declared."""

    name: str
    owner: str
    """The name of the model, or of the factory."""
    kind: str
    """``column``, ``relationship to User``, ``backref of Order.user``, ``attribute``, ``parameter``, ``trait``…"""
    type: str | None
    """As it is written: ``String(40)``, ``str | None``."""
    nullable: bool | None
    default: str | None
    """As it is written: ``default=0``."""
    without_default: bool
    """Nothing gives it a value but the caller."""
    place: tuple[Path, Span] | None

    @property
    def summary(self) -> str:
        """``column, String(40), NOT NULL, no default``"""
        parts = [self.kind]
        if self.type is not None:
            parts.append(self.type)
        if self.nullable is not None:
            parts.append("nullable" if self.nullable else "NOT NULL")
        if self.default is not None:
            parts.append(self.default)
        elif self.without_default:
            parts.append("no default")
        return ", ".join(parts)


def columns_of(models: Models, found: Model) -> tuple[Field, ...]:
    """The columns of a model: what a statement stores."""
    return tuple(_column(models, found, member) for member in found.columns)


def fields(models: Models, found: Model) -> tuple[Field, ...]:
    """Columns and relationships, then synonyms, hybrids and what is like them."""
    made = {field.name: field for field in columns_of(models, found)}
    for member in found.relationships:
        made.setdefault(member.name, _relationship(models, found, member))
    for key in sorted(attributes.core_keys(found)):
        made.setdefault(key, Field(key, found.name, "column", None, None, None, False, None))
    called = {m.name for m in _members(found) if m.call is not None and tail(m.call) in _ALSO}
    declared = {
        d.name for cls in found.lineage.classes for d in cls.declaration.body if isinstance(d, model.Function)
    }
    for name, place in attributes.names(found).items():
        if name in called or name in declared:
            made.setdefault(name, Field(name, found.name, "attribute", None, None, None, False, place))
    for field in _backrefs(models, found):
        made.setdefault(field.name, field)
    return tuple(made.values())


def _backrefs(models: Models, found: Model) -> Iterator[Field]:
    """What relationships of other models add to this one, in order of their names."""
    made: dict[str, Field] = {}
    for other in models.registry(found).models:
        for relationship in other.relationships:
            given = backref_of(relationship) if relationship.owner == other.entity else None
            target = models.target(other, relationship) if given is not None else None
            if given is None or target is None or target.entity not in found.lineage.classes:
                continue
            name, place = str(given.value), (relationship.owner.path, given.span.shifted(relationship.row))
            kind = f"backref of {other.name}.{relationship.name}"
            made[name] = Field(name, found.name, kind, None, None, None, False, place)
    yield from (made[name] for name in sorted(made))


def accepted(models: Models, found: Model) -> tuple[Field, ...]:
    """What the model's constructor takes by keyword, as far as it is known."""
    known = fields(models, found)
    if found.lineage.constructor is Constructor.CUSTOM:
        by_name = {field.name: field for field in known}
        initializer = found.lineage.initializer
        names = [
            parameter.name
            for parameter in (initializer.parameters[1:] if initializer is not None else ())
            if parameter.kind in ("positional", "keyword_only")
        ]
        return tuple(
            by_name.get(name, Field(name, found.name, "parameter", None, None, None, False, None))
            for name in names
        )
    return tuple(field for field in known if attributes.accepts(models, found, field.name) is not False)


def made_of(factories: Factories, factory: Factory, typed: str = "") -> tuple[Field, ...]:
    """What a factory takes by keyword: what its model takes, traits and parameters, its other declarations, and paths
    through its ``SubFactory``s (``user__name``), as deep as what is typed."""
    made = {field.name: field for field in accepted(factories.models, factory.target)}
    owner = factory.entity.name
    for name in sorted(factory.params):
        kind = "trait" if name in factory.traits else "parameter"
        made[name] = Field(name, owner, kind, None, None, None, False, None)
    for name, declared in factory.declared.items():
        if factory.hands_over(name) is None and not factory.poly:
            kind = "declaration" if not declared.post else "post-generation"
            made.setdefault(name, Field(name, owner, kind, None, None, None, False, _place(declared)))
    for name, declared in factory.declared.items():
        below = factories.subfactory(declared)
        inner = factories.of(below) if below is not None else None
        first, _, rest = typed.partition("__")
        if inner is None or (rest and first != name):
            continue
        # A factory may lead back to itself: one step more than what is typed.
        following = (
            made_of(factories, inner, rest) if first == name and "__" in rest else _direct(factories, inner)
        )
        for field in following:
            path = f"{name}__{field.name}"
            made.setdefault(path, replace(field, name=path, owner=owner))
    return tuple(made.values())


def _direct(factories: Factories, factory: Factory) -> tuple[Field, ...]:
    traits = tuple(
        Field(name, factory.entity.name, "trait", None, None, None, False, None)
        for name in sorted(factory.traits)
    )
    return (*accepted(factories.models, factory.target), *traits)


def _place(declared: Declared) -> tuple[Path, Span]:
    return declared.owner.path, declared.span


def _members(found: Model) -> tuple[Member, ...]:
    return tuple(member for cls in found.lineage.classes for member in members(cls))


def _column(models: Models, found: Model, member: Member) -> Field:
    read = column(models, found, member)
    call = member.call
    given = (*call.args, *(keyword.value for keyword in call.keywords)) if call is not None else ()
    term = read.type if any(read.type is each for each in given) else None
    if term is None and member.annotation is not None:
        annotation = member.annotation
        term = (
            annotation.index
            if isinstance(annotation, model.SubscriptTerm) and is_mapped(annotation)
            else annotation
        )
    default = None
    for keyword in call.keywords if call is not None else ():
        if keyword.name in _DEFAULTS:
            default = f"{keyword.name}={_text(models, member, keyword.value)}"
            break
    return Field(
        member.name,
        found.name,
        "column",
        _text(models, member, term) if term is not None else None,
        read.nullable,
        default,
        read.default is False and not read.primary_key,
        (member.owner.path, member.span),
    )


def _relationship(models: Models, found: Model, member: Member) -> Field:
    target = next((models.target(found, r) for r in found.relationships if r is member), None)
    kind = f"relationship to {target.name}" if target is not None else "relationship"
    return Field(member.name, found.name, kind, None, None, None, False, (member.owner.path, member.span))


def _text(models: Models, member: Member, term: model.Term) -> str:
    text = models.workspace.text(member.owner.path).slice(term.span.shifted(member.row))
    return " ".join(text.split())
