"""What the hover and the inlay hints ask the simulation: the mocks of a test, and their shapes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from understudy.doubles.collected import Test, tests
from understudy.doubles.observe import Shape, observe
from understudy.doubles.run import Simulation
from understudy.engine import Project
from understudy.infer.resolve import Resolver
from understudy.lsp.documents import Document
from understudy.source.parse import Unit
from understudy.source.span import Span

_MOST_TESTS = 20
"""A place in a helper is looked at in so many tests of the file, until one comes by."""


def simulation_of(project: Project, document: Document) -> Simulation | None:
    """The tests of a document; None for what holds none."""
    path = document.path
    if path is None or not project.is_test(path):
        return None
    parsed, module = project.workspace.parsed(path), project.workspace.module(path)
    if module is None:
        return None
    resolver = Resolver(project.workspace)
    found = list(tests(parsed, module, resolver))
    return Simulation(parsed, module, project.workspace, resolver, project.is_test, found)


def shape_at(simulation: Simulation, row: int, column: int) -> tuple[Shape, Span] | None:
    """The mock under the cursor."""
    found = _innermost(simulation, row, column)
    if found is None:
        return None
    unit, node = found
    for test in _tests_first(simulation, row):
        shape = observe(simulation, test, [node]).get(node)
        if shape is not None:
            return shape, unit.span(node)
    return None


def injected(simulation: Simulation, first: int, last: int) -> Iterator[tuple[str, Span]]:
    """The kind of each mock that a ``patch`` injects in some rows (inclusive), and the name it gets there."""
    for test in simulation.tests:
        span = test.unit.span(test.node)
        if span.row > last or span.end_row < first:
            continue
        places = list(_injections(test))
        if not places:
            continue
        shapes = observe(simulation, test, places)
        for node in places:
            shape = shapes.get(node)
            if shape is not None:
                yield shape.kind, _name_span(test.unit, node)


def _injections(test: Test) -> Iterator[ast.expr | ast.arg]:
    decorators = list(test.node.decorator_list)
    if test.owner_node is not None:
        decorators += test.owner_node.decorator_list
    if any(_is_patch(decorator) for decorator in decorators):
        spec = test.node.args
        yield from (argument for argument in (*spec.posonlyargs, *spec.args) if argument.annotation is None)
    for node in ast.walk(test.node):
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if _is_patch(item.context_expr) and isinstance(item.optional_vars, ast.Name):
                    yield item.optional_vars


def _is_patch(node: ast.expr) -> bool:
    """Does it read like one? What it is, the simulation says."""
    while isinstance(node, (ast.Call, ast.Attribute)):
        if isinstance(node, ast.Attribute) and node.attr == "patch":
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and "patch" in node.id


def _name_span(unit: Unit, node: ast.expr | ast.arg) -> Span:
    span = unit.span(node)
    name = node.arg if isinstance(node, ast.arg) else unit.source(node)
    return Span(span.row, span.column, span.row, span.column + len(name))


def _innermost(simulation: Simulation, row: int, column: int) -> tuple[Unit, ast.expr | ast.arg] | None:
    best: tuple[Unit, ast.expr | ast.arg] | None = None
    for unit in simulation.parsed.units:
        if not unit.row <= row <= unit.end_row:
            continue
        for node in ast.walk(unit.node):
            # A name, or the last name of a dotted expression: what a person points at.
            if isinstance(node, (ast.Name, ast.Attribute, ast.arg)) and unit.span(node).contains(row, column):
                if best is None or _size(unit, node) < _size(best[0], best[1]):
                    best = (unit, node)
    return best


def _size(unit: Unit, node: ast.expr | ast.arg) -> tuple[int, int]:
    span = unit.span(node)
    return (span.end_row - span.row, span.end_column - span.column)


def _tests_first(simulation: Simulation, row: int) -> Sequence[Test]:
    def around(test: Test) -> bool:
        span = test.unit.span(test.node)
        return span.row <= row <= span.end_row

    inside = [test for test in simulation.tests if around(test)]
    return inside or simulation.tests[:_MOST_TESTS]
