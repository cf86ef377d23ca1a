"""``await`` put before a call, or taken away."""

from __future__ import annotations

import ast

from understudy.doubles.core import Change
from understudy.doubles.run import Outcome, Simulation
from understudy.doubles.state import Failure
from understudy.doubles.values import Place
from understudy.finding import Applicability, Edit, Fix
from understudy.fixes.mocks import works
from understudy.source.parse import Unit
from understudy.source.span import Span

_OWN_SCOPE = (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.GeneratorExp)


def add(
    simulation: Simulation, call: Place, pairs: list[tuple[Outcome, Failure]], applicability: Applicability
) -> tuple[Fix, ...]:
    """Await a call that stands in an ``async def``; tried on the tests first."""
    chain = _chain(call.unit, call.node)
    if chain is None or not _in_coroutine(chain):
        return ()
    if not works(simulation, pairs, {call.key: Change(awaited=True)}):
        return ()
    span = call.unit.span(call.node)
    parent = chain[1] if len(chain) > 1 else None
    wrapped = (isinstance(parent, (ast.Attribute, ast.Subscript)) and parent.value is call.node) or (
        isinstance(parent, ast.Call) and parent.func is call.node
    )
    path = call.unit.path
    edits = [Edit(path, Span.at(span.row, span.column), "(await " if wrapped else "await ")]
    if wrapped:
        edits.append(Edit(path, Span.at(span.end_row, span.end_column), ")"))
    return (Fix("Await it", applicability, tuple(edits)),)


def remove(awaited: Place) -> Fix | None:
    """Take the ``await`` of an expression away."""
    node = awaited.node
    if not isinstance(node, ast.Await):
        return None
    whole, value = awaited.unit.span(node), awaited.unit.span(node.value)
    end = _operand_start(awaited, whole, value)
    if end is None:
        return None
    cut = Span(whole.row, whole.column, end.row, end.column)
    return Fix("Remove `await`", Applicability.SAFE, (Edit(awaited.unit.path, cut, ""),))


def _operand_start(awaited: Place, whole: Span, value: Span) -> Span | None:
    """Where what is awaited begins, its own parentheses included; None where a comment stands between."""
    line = awaited.unit.text.line(whole.row)
    start = whole.column + len("await")
    while start < len(line) and line[start] in " \t":
        start += 1
    if start >= len(line) or line[start] in "#\\":
        return None
    if line[start] != "(" and (whole.row, start) != (value.row, value.column):
        return None
    return Span.at(whole.row, start)


def _chain(unit: Unit, node: ast.AST) -> list[ast.AST] | None:
    """A node with the nodes around it, innermost first."""

    def down(current: ast.AST) -> list[ast.AST] | None:
        if current is node:
            return [current]
        for child in ast.iter_child_nodes(current):
            found = down(child)
            if found is not None:
                return [*found, current]
        return None

    return down(unit.node)


def _in_coroutine(chain: list[ast.AST]) -> bool:
    for node in chain:
        if isinstance(node, ast.AsyncFunctionDef):
            return True
        if isinstance(node, _OWN_SCOPE):
            return False
    return False
