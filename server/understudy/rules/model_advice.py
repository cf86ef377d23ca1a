"""What to say about a name that a model has not, and which of its fields was meant."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from understudy.facts.model import CallTerm, Ref, SubscriptTerm, Term
from understudy.fixes.names import nearest
from understudy.orm.columns import column
from understudy.orm.lineage import tail
from understudy.orm.models import Member, Model, Models, Relationship, is_mapped

_NUMBERS = ("Integer", "BigInteger", "SmallInteger", "Float", "Double", "Numeric", "int", "float", "Decimal")
_TEXTS = ("String", "Text", "Unicode", "UnicodeText", "VARCHAR", "CHAR", "TEXT", "Enum", "str")
_KINDS = {
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(("Boolean", "bool"), "truth"),
    **dict.fromkeys(("JSON", "JSONB", "ARRAY", "dict", "list"), "structure"),
}


def nearest_field(
    models: Models, model: Model, name: str, candidates: Iterable[str], value: ast.expr | None
) -> str | None:
    """The field that was most likely meant, by its name, and by its type where the value is written there."""
    known = list(candidates)
    given = _kind_of_value(value)
    if given is not None:
        members: dict[str, Member] = {m.name: m for m in (*model.columns, *model.relationships)}
        fitting = [c for c in known if c not in members or _kind(models, model, members[c]) in (None, given)]
        near = nearest(name, fitting)
        if near is not None:
            return near
    return nearest(name, known)


def _kind_of_value(value: ast.expr | None) -> str | None:
    if isinstance(value, (ast.Dict, ast.List)):
        return "structure"
    if not isinstance(value, ast.Constant):
        return None
    kinds = {bool: "truth", int: "number", float: "number", str: "text"}
    return kinds.get(type(value.value))


def _kind(models: Models, model: Model, member: Member) -> str | None:
    """What a field holds; None where that is not known."""
    if isinstance(member, Relationship):
        # A list fits one to many; nothing else that is written as a literal does.
        return "structure"
    term = column(models, model, member).type
    if term is None and isinstance(member.annotation, SubscriptTerm) and is_mapped(member.annotation):
        term = member.annotation.index
    if isinstance(term, SubscriptTerm):
        term = term.value
    return _KINDS.get(tail(term))


def advice_for(model: Model, near: str | None) -> str:
    """What to say about a name that the model has not: the near one, or its JSON column."""
    if near is not None:
        return f"did you mean `{near}`?"
    json = [
        column.name
        for column in model.columns
        if column.call is not None
        and any(_is_json(term) for term in (*column.call.args, column.annotation) if term is not None)
    ]
    if len(json) == 1:
        return f"the model has no such field; does it belong into the JSON column `{json[0]}`?"
    return "the model has no such field"


def _is_json(term: Term) -> bool:
    if isinstance(term, CallTerm):
        term = term.func
    return isinstance(term, Ref) and term.parts[-1] in ("JSON", "JSONB")
