"""What a model's columns declare: type, nullability, default, foreign keys. What cannot be read is None."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import ClassEntity, ValueEntity
from understudy.orm.attributes import column_key, column_name
from understudy.orm.lineage import SQLMODEL, called, tail
from understudy.orm.models import Member, Model, Models, is_mapped
from understudy.source.span import Span

_DEFAULTS = frozenset(
    {"default", "server_default", "insert_default", "default_factory", "default_server", "sa_column_kwargs"}
)
_GENERATED = frozenset({"Identity", "Computed", "Sequence", "FetchedValue"})
_DOTTED_NAME = re.compile(r"[^\W\d][\w.]*")
_DEPTH = 6
_CONSTRAINTS = frozenset({"CheckConstraint", "UniqueConstraint"})


@dataclass(frozen=True)
class ForeignKey:
    """``ForeignKey("table.column")``."""

    target: str
    span: Span
    """The string (or name) of the target."""
    written: bool
    """It is a string, not a name."""


@dataclass(frozen=True)
class Column:
    """One column of a model."""

    member: Member
    stored: str
    """Its name in the database."""
    key: str
    """Its key in ``table.c``."""
    type: model.Term | None
    primary_key: bool | None
    nullable: bool | None
    default: bool | None
    """Something else than the caller gives it a value."""
    foreign_keys: tuple[ForeignKey, ...] | None

    @property
    def name(self) -> str:
        return self.member.name


def columns(models: Models, found: Model) -> tuple[Column, ...]:
    """Every column of a model, those of its mapped bases included."""
    return tuple(column(models, found, member) for member in found.columns)


def column(models: Models, found: Model, member: Member) -> Column:
    """One column as its declaration says."""
    module, row = member.owner.module, member.row
    calls = [member.call] if member.call is not None else []
    alias = _annotated(models, module, member.annotation)
    readable = not member.computed and alias is not None
    if alias is not None and alias[1] is not None:
        calls.append(alias[1])
    sqlmodel = found.registry == SQLMODEL
    keywords = {keyword.name: keyword.value for call in reversed(calls) for keyword in call.keywords}
    if None in keywords or "sa_column" in keywords or "sa_column_args" in keywords:
        readable = False
    arguments = [argument for call in calls for argument in call.args]
    if any(isinstance(argument, (model.StarTerm, model.Opaque)) for argument in arguments):
        readable = False
    type_term: model.Term | None = keywords.get("type_") or keywords.get("sa_type")
    foreign: list[ForeignKey] = []
    keys_known = readable
    generated = False
    for argument in arguments:
        if isinstance(argument, model.Const) and isinstance(argument.value, str):
            continue
        name = called(models.resolver, module, argument)
        if name is None:
            # What a function or a variable gives may be a foreign key.
            keys_known = False
            type_term = type_term or (argument if isinstance(argument, (model.Ref, model.CallTerm)) else None)
        elif isinstance(argument, model.CallTerm) and name == "ForeignKey":
            key = _foreign_key(models, module, argument, row)
            keys_known = keys_known and key is not None
            if key is not None:
                foreign.append(key)
        elif name in _GENERATED:
            generated = True
        elif name in _CONSTRAINTS:
            continue
        elif type_term is None:
            type_term = argument
        else:
            keys_known = False
    given = keywords.get("foreign_key")
    if sqlmodel and isinstance(given, model.Const) and isinstance(given.value, str):
        foreign.append(ForeignKey(given.value, given.span.shifted(row), True))
    primary = _flag(keywords.get("primary_key"), False) if readable else None
    default: bool | None = None
    if readable:
        default = generated or any(name in keywords for name in _DEFAULTS)
        if sqlmodel:
            default = default or member.call is None
    return Column(
        member,
        column_name(member),
        column_key(member),
        type_term,
        primary,
        _nullable(models, member, keywords, primary, readable, sqlmodel),
        default,
        tuple(foreign) if keys_known else None,
    )


def _nullable(
    models: Models,
    member: Member,
    keywords: dict[str | None, model.Term],
    primary: bool | None,
    readable: bool,
    sqlmodel: bool,
) -> bool | None:
    if not readable or primary is None:
        return None
    if "nullable" in keywords:
        return _flag(keywords["nullable"], True)
    if primary:
        return False
    annotation = member.annotation
    if sqlmodel:
        return None
    if member.call is not None and tail(member.call) == "Column":
        return True
    if annotation is None:
        return True
    if not is_mapped(annotation):
        return None
    assert isinstance(annotation, model.SubscriptTerm)
    return _optional(models, member.owner.module, annotation.index)


def _optional(models: Models, module: Module, term: model.Term, depth: int = 0) -> bool | None:
    if isinstance(term, model.Const):
        return None if isinstance(term.value, str) else term.value is None
    if isinstance(term, model.UnionTerm):
        sides = [_optional(models, module, side, depth) for side in (term.left, term.right)]
        return True if True in sides else None if None in sides else False
    if isinstance(term, model.SubscriptTerm):
        name = tail(term.value)
        if name == "Optional":
            return True
        if name == "Union" and isinstance(term.index, model.SequenceTerm):
            return any(_optional(models, module, item, depth) for item in term.index.items)
        if name == "Annotated" and isinstance(term.index, model.SequenceTerm) and term.index.items:
            return _optional(models, module, term.index.items[0], depth)
        return False if name in ("list", "List", "dict", "Dict", "Literal") else None
    if not isinstance(term, model.Ref):
        return None
    found = models.resolver.ref(module, term.parts)
    if isinstance(found, ValueEntity):
        value = found.declaration.value
        return (
            _optional(models, found.module, value, depth + 1)
            if value is not None and depth <= _DEPTH
            else None
        )
    return False


def _annotated(
    models: Models, module: Module, annotation: model.Term | None
) -> tuple[bool, model.CallTerm | None] | None:
    """The ``mapped_column(…)`` in an ``Annotated`` type; None when the annotation is a name that is not known."""
    if annotation is None or not is_mapped(annotation):
        return True, None
    assert isinstance(annotation, model.SubscriptTerm)
    term = _alias_of(models, module, annotation.index)
    if term is None:
        return None
    if isinstance(term, model.SubscriptTerm) and tail(term.value) == "Annotated":
        items = term.index.items if isinstance(term.index, model.SequenceTerm) else ()
        for item in items[1:]:
            if isinstance(item, model.CallTerm) and tail(item) == "mapped_column":
                return True, item
            if not isinstance(item, model.Const):
                return None
    return True, None


def _alias_of(models: Models, module: Module, term: model.Term) -> model.Term | None:
    """The type that an annotation, or the name in it, stands for, without the ``None`` beside it; None when that is not
    known."""
    if isinstance(term, model.UnionTerm):
        sides = [side for side in _sides(term) if not (isinstance(side, model.Const) and side.value is None)]
        if len(sides) == 1:
            return _alias_of(models, module, sides[0])
    if isinstance(term, model.SubscriptTerm) and tail(term.value) == "Optional":
        return _alias_of(models, module, term.index)
    if isinstance(term, model.Const) and isinstance(term.value, str):
        named = [
            models.resolver.ref(module, tuple(name.split("."))) for name in _DOTTED_NAME.findall(term.value)
        ]
        # What the string says of a variable is not read.
        return None if any(isinstance(found, ValueEntity) for found in named) else term
    if isinstance(term, model.Ref):
        found = models.resolver.ref(module, term.parts)
        if isinstance(found, ValueEntity):
            value = found.declaration.value
            return value if isinstance(value, model.SubscriptTerm) else None
    return term


def _sides(term: model.Term) -> Iterator[model.Term]:
    if isinstance(term, model.UnionTerm):
        yield from _sides(term.left)
        yield from _sides(term.right)
    else:
        yield term


def _foreign_key(models: Models, module: Module, call: model.CallTerm, row: int) -> ForeignKey | None:
    target = call.args[0] if call.args else call.keyword("column")
    if any(keyword.name in (None, "link_to_name") for keyword in call.keywords):
        # It may name a column as the database does.
        return None
    if isinstance(target, model.Const) and isinstance(target.value, str):
        return ForeignKey(target.value, target.span.shifted(row), True)
    if isinstance(target, model.Ref) and len(target.parts) > 1:
        owner = models.resolver.ref(module, target.parts[:-1])
        found = models.mapped(owner) if isinstance(owner, ClassEntity) else None
        if found is not None and found.table is not None:
            named = next((c for c in found.columns if c.name == target.parts[-1]), None)
            if named is not None:
                return ForeignKey(f"{found.table}.{column_key(named)}", target.span.shifted(row), False)
    return None


def _flag(term: model.Term | None, otherwise: bool) -> bool | None:
    if term is None:
        return otherwise
    return bool(term.value) if isinstance(term, model.Const) else None
