"""The fields that a call may be given by keyword: a model's constructor, ``filter_by``, ``values``, a factory."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from understudy.infer.scopes import Site
from understudy.orm.fields import Field, accepted, columns_of, fields
from understudy.rules.base import Context
from understudy.rules.factory_calls import called_factory
from understudy.rules.statements import Kind, model_of, statement
from understudy.source.parse import parse
from understudy.source.span import Span
from understudy.source.text import Text

_MARK = "understudy_is_asked"


@dataclass(frozen=True)
class Offer:
    """What may be written at a place, and the part of it that is there."""

    fields: tuple[Field, ...]
    span: Span


def field_at(context: Context, row: int, column: int) -> tuple[Field, Span] | None:
    """The field that the keyword at a place names."""
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        for keyword in call.keywords:
            if keyword.arg is None:
                continue
            span = site.unit.keyword_span(keyword)
            if span.row == row and span.column <= column <= span.end_column:
                found = next((f for f in _fields(context, site, call) if f.name == keyword.arg), None)
                return (found, span) if found is not None else None
    return None


def offered(context: Context, row: int, column: int) -> Offer | None:
    """The fields that a call may still be given, where a keyword is being typed."""
    text = context.parsed.text
    line = text.line(row)
    start = column
    while start and (line[start - 1].isalnum() or line[start - 1] == "_"):
        start -= 1
    before = line[:start].rstrip()
    if before and before[-1] not in "(,":
        return None
    at, end = text.offset(row, start), text.offset(row, column)
    for typed in (f"{_MARK}=None", f"{_MARK}=None,", f"{_MARK}=None)"):
        changed = Text(text.content[:at] + typed + text.content[end:])
        asked = Context(parse(context.path, changed), context.module, context.workspace, context.is_test_path)
        for site in asked.scopes.calls:
            call = site.node
            assert isinstance(call, ast.Call)
            names = {keyword.arg for keyword in call.keywords}
            if _MARK in names:
                found = tuple(field for field in _fields(asked, site, call) if field.name not in names)
                return Offer(found, Span(row, start, row, column)) if found else None
    return None


def _fields(context: Context, site: Site, call: ast.Call) -> tuple[Field, ...]:
    func = call.func
    models = context.models
    if not isinstance(func, (ast.Name, ast.Attribute)):
        return ()
    if isinstance(func, ast.Attribute) and func.attr in ("filter_by", "values"):
        found = statement(context, site, func.value)
        if found is None:
            return ()
        if func.attr == "filter_by":
            return tuple({f.name: f for model in found.models for f in fields(models, model)}.values())
        return columns_of(models, found.models[0]) if found.kind in (Kind.INSERT, Kind.UPDATE) else ()
    mapped = model_of(context, site, func)
    if mapped is not None:
        return accepted(models, mapped)
    made = called_factory(context, site, call)
    return accepted(models, made[0].target) if made is not None else ()
