"""Edits that add a parameter to a function."""

from __future__ import annotations

import ast

from understudy.finding import Edit
from understudy.source.parse import Unit
from understudy.source.span import Span


def add(unit: Unit, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> tuple[Edit, ...] | None:
    """Add a parameter behind the others; nothing where the function has it, None where its place is not plain."""
    spec = function.args
    if name in {arg.arg for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}:
        return ()
    if spec.vararg or spec.kwarg or spec.kwonlyargs or spec.defaults or (spec.posonlyargs and not spec.args):
        return None
    if spec.args:
        last = unit.span(spec.args[-1])
        return (Edit(unit.path, Span.at(last.end_row, last.end_column), f", {name}"),)
    place = unit.name_span(function)
    if not unit.text.line(place.row)[place.end_column :].startswith("("):
        return None
    return (Edit(unit.path, Span.at(place.end_row, place.end_column + 1), name),)
