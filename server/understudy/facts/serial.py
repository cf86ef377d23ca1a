"""Facts as bytes, and back. JSON: whatever the bytes are, reading them runs nothing.

Every dataclass of :mod:`understudy.facts.model` is a list that starts with its number, and so are tuples, spans and the
constants that JSON has no word for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final, cast

from understudy.facts import model
from understudy.source.span import Span

_TUPLE, _SPAN, _GUARD, _BYTES, _COMPLEX, _ELLIPSIS = range(6)
_CLASSES: Final = (
    model.Const,
    model.Ref,
    model.KeywordTerm,
    model.CallTerm,
    model.AttrTerm,
    model.SubscriptTerm,
    model.SequenceTerm,
    model.DictTerm,
    model.StarTerm,
    model.UnionTerm,
    model.LambdaTerm,
    model.Opaque,
    model.ImportedName,
    model.Import,
    model.Parameter,
    model.Function,
    model.Class,
    model.Assign,
    model.AttributeAssign,
    model.Expression,
    model.Deletion,
    model.UnitFacts,
    model.ModuleFacts,
)
_FIRST = 6
_NUMBERS: Final = {cls: number for number, cls in enumerate(_CLASSES, _FIRST)}
_FIELDS: Final = {cls: tuple(field.name for field in fields(cast(Any, cls))) for cls in _CLASSES}
_MAKERS: Final[tuple[Callable[..., object], ...]] = _CLASSES
_GUARDS: Final = tuple(model.Guard)


def dumps(facts: model.ModuleFacts) -> bytes:
    """
    :raises RecursionError: nested too deeply.
    :raises ValueError: an integer too long to be written.
    """
    return json.dumps(_plain(facts), separators=(",", ":")).encode("ascii")


def loads(data: bytes) -> model.ModuleFacts:
    """
    :raises ValueError: the bytes are no facts.
    """
    try:
        facts = _made(json.loads(data))
    except (TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"no facts: {error}") from None
    if not isinstance(facts, model.ModuleFacts):
        raise ValueError("no facts")
    return facts


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in (str, int, bool, float):
        return value
    if kind is tuple:
        return [_TUPLE, *map(_plain, value)]
    if kind is Span:
        return [_SPAN, *value]
    number = _NUMBERS.get(kind)
    if number is not None:
        return [number, *[_plain(getattr(value, name)) for name in _FIELDS[kind]]]
    if kind is model.Guard:
        return [_GUARD, _GUARDS.index(value)]
    if kind is bytes:
        return [_BYTES, value.decode("latin-1")]
    if kind is complex:
        return [_COMPLEX, value.real, value.imag]
    if value is ...:
        return [_ELLIPSIS]
    raise TypeError(f"{kind.__name__} is no part of facts")


def _made(value: Any) -> Any:
    if type(value) is not list:
        return value
    tag = value[0]
    if tag == _SPAN:
        _, row, column, end_row, end_column = value
        return Span(row, column, end_row, end_column)
    if tag >= _FIRST:
        return _MAKERS[tag - _FIRST](*[_made(item) if type(item) is list else item for item in value[1:]])
    if tag == _TUPLE:
        return tuple([_made(item) if type(item) is list else item for item in value[1:]])
    if tag == _GUARD:
        return _GUARDS[value[1]]
    if tag == _BYTES:
        return value[1].encode("latin-1")
    if tag == _COMPLEX:
        return complex(value[1], value[2])
    if tag == _ELLIPSIS:
        return ...
    raise ValueError(f"no facts: {tag!r}")
