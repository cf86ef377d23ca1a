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
    only = _only(unit, function, name)
    return (only,) if only is not None else None


def add_first(
    unit: Unit, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str
) -> Edit | None:
    """Add a parameter before the others; None where its place is not plain."""
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    if positional:
        first = unit.span(positional[0])
        return Edit(unit.path, Span.at(first.row, first.column), f"{name}, ")
    return _only(unit, function, name)


def add_last(
    unit: Unit, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, text: str
) -> Edit | None:
    """Add ``**kwargs`` behind all parameters; None where its place is not plain."""
    spec = function.args
    defaults = [*spec.defaults, *(default for default in spec.kw_defaults if default is not None)]
    others = [arg for arg in (spec.vararg, spec.kwarg) if arg is not None]
    written: list[ast.arg | ast.expr] = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *others, *defaults]
    if not written:
        return _only(unit, function, text)
    spans = [unit.span(node) for node in written]
    last = max(spans, key=lambda span: (span.end_row, span.end_column))
    before = unit.text.line(last.row)[: last.column].rstrip()
    if defaults and before.endswith("(") and last in spans[-len(defaults) :]:
        # A default in parentheses ends behind them.
        return None
    if spec.posonlyargs and not (spec.args or spec.kwonlyargs or others):
        return None
    return Edit(unit.path, Span.at(last.end_row, last.end_column), f", {text}")


def _only(
    unit: Unit, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, text: str
) -> Edit | None:
    """The only parameter of a function that has none."""
    spec = function.args
    if spec.vararg or spec.kwarg or spec.kwonlyargs or spec.posonlyargs or spec.args:
        return None
    if isinstance(function, ast.Lambda):
        start = unit.span(function)
        return Edit(unit.path, Span.at(start.row, start.column + len("lambda")), f" {text}")
    place = unit.name_span(function)
    if not unit.text.line(place.row)[place.end_column :].startswith("("):
        return None
    return Edit(unit.path, Span.at(place.end_row, place.end_column + 1), text)
