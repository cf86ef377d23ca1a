"""The fields that a call may be given by keyword: a model's constructor, ``filter_by``, ``values``, a factory."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.infer.scopes import Site
from understudy.orm.factories import Factories
from understudy.orm.fields import Field, accepted, columns_of, fields, made_of
from understudy.rules.base import Context
from understudy.rules.factory_calls import called_factory
from understudy.rules.keywords import Given, dict_keys, keywords
from understudy.rules.statements import Kind, model_of, statement
from understudy.source import unclosed
from understudy.source.parse import parse
from understudy.source.span import Span
from understudy.source.text import Text

_MARK = "understudy_is_asked"


@dataclass(frozen=True)
class Offer:
    """What may be written at a place, and the part of it that is there."""

    fields: tuple[Field, ...]
    span: Span
    quoted: bool
    """It is a key of a dict, and no keyword."""


@dataclass(frozen=True)
class _Taking:
    """A call that takes fields, with the keys of dicts that stand for keywords or columns."""

    site: Site
    call: ast.Call
    keys: tuple[Given, ...]
    as_columns: bool
    """The keys name columns, as those of ``values({…})`` do."""


def field_at(context: Context, row: int, column: int) -> tuple[Field, Span] | None:
    """The field that the keyword or key at a place names."""
    for taking in _taking(context):
        for given in taking.keys:
            if given.span.row == row and given.span.column <= column <= given.span.end_column:
                fields = _fields(context, taking, given.name)
                found = next((field for field in fields if field.name == given.name), None)
                return (found, given.span) if found is not None else None
    return None


def offered(context: Context, row: int, column: int) -> Offer | None:
    """The fields that may still be given, where a keyword or a key is being typed."""
    text = context.parsed.text
    line = text.line(row)
    start = column
    while start and (line[start - 1].isalnum() or line[start - 1] == "_"):
        start -= 1
    typed, quoted = line[start:column], unclosed.opened_at(line[:column]) == start - 1 >= 0
    if quoted:
        if text.content[: text.offset(row, start - 1)].rstrip()[-1:] not in ("{", ","):
            return None
    elif line[:start].rstrip()[-1:] not in ("", "(", ","):
        return None
    for changed in (_with_key if quoted else _with_keyword)(text, row, start, column):
        asked = Context(parse(context.path, changed), context.module, context.workspace, context.is_test_path)
        for taking in _taking(asked):
            names = {given.name for given in taking.keys}
            if _MARK in names:
                fields = _fields(asked, taking, typed)
                found = tuple(field for field in fields if field.name not in names)
                return Offer(found, Span(row, start, row, column), quoted) if found else None
    return None


def _with_keyword(text: Text, row: int, start: int, column: int) -> Iterator[Text]:
    at, end = text.offset(row, start), text.offset(row, column)
    for ending in ("", ",", ")"):
        yield text.replaced(f"{text.content[:at]}{_MARK}=None{ending}{text.content[end:]}")


def _with_key(text: Text, row: int, start: int, column: int) -> Iterator[Text]:
    """The text with a whole item in place of the string; as it is typed, it may have no end, and no value."""
    line = text.line(row)
    before, quote = text.content[: text.offset(row, start)], line[start - 1]
    word = re.match(rf"\w*{quote}", line[column:])
    if word is not None:
        after = text.content[text.offset(row, column + word.end()) :]
        value = "" if after.lstrip(" \t").startswith(":") else ": None"
        for ending in ("", ","):
            yield text.replaced(f"{before}{_MARK}{quote}{value}{ending}{after}")
    else:
        after = text.content[text.offset(row, 0) + len(line) :]
        brackets = (unclosed.closing(line[:column]) or "")[1:]
        for ending in (brackets, ","):
            yield text.replaced(f"{before}{_MARK}{quote}: None{ending}{after}")


def _taking(context: Context) -> Iterator[_Taking]:
    """The calls of a file that are given names of fields, by keyword or as keys."""
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        given = keywords(context, site, call).given
        if given:
            yield _Taking(site, call, given, False)
        for display in _dicts(call):
            keys, _ = dict_keys(site.unit, display)
            if keys:
                yield _Taking(site, call, tuple(keys), True)


def _dicts(call: ast.Call) -> Iterator[ast.Dict]:
    """The dicts of ``values({…})``, ``values([{…}])``, ``query.update({…})`` and ``execute(insert(…), [{…}])``."""
    if not isinstance(call.func, ast.Attribute):
        return
    position = {"values": 0, "update": 0, "execute": 1}.get(call.func.attr)
    if position is None or len(call.args) <= position:
        return
    given = call.args[position]
    rows = given.elts if isinstance(given, (ast.List, ast.Tuple)) else [given]
    yield from (row for row in rows if isinstance(row, ast.Dict))


def _fields(context: Context, taking: _Taking, typed: str) -> tuple[Field, ...]:
    site, call, models = taking.site, taking.call, context.models
    func = call.func
    if not isinstance(func, (ast.Name, ast.Attribute)):
        return ()
    if taking.as_columns or (isinstance(func, ast.Attribute) and func.attr == "values"):
        assert isinstance(func, ast.Attribute)
        stored = statement(context, site, call.args[0] if func.attr == "execute" else func.value)
        wanted = (Kind.QUERY,) if func.attr == "update" else (Kind.INSERT, Kind.UPDATE)
        return columns_of(models, stored.models[0]) if stored is not None and stored.kind in wanted else ()
    if isinstance(func, ast.Attribute) and func.attr == "filter_by":
        found = statement(context, site, func.value)
        every = (f for model in found.models for f in fields(models, model)) if found is not None else ()
        return tuple({field.name: field for field in every}.values())
    mapped = model_of(context, site, func)
    if mapped is not None:
        return accepted(models, mapped)
    made = called_factory(context, site, call)
    return made_of(Factories(models), made[0], typed) if made is not None else ()
