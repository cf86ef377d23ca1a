"""How a module is replaced so that it is put back: ``monkeypatch.setitem``, ``patch.dict``, a fixture."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from understudy.finding import Applicability, Fix
from understudy.fixes import blocks, imports
from understudy.index.module import Importer
from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.infer.fixtures import fixture_scope, is_fixture
from understudy.infer.imports import Edge, ImportGraph, Node
from understudy.rules import module_stubs, restoring
from understudy.rules.base import Context
from understudy.rules.module_stubs import Stub
from understudy.rules.restoring import Replacement
from understudy.source.parse import Unit
from understudy.source.span import Span

_WIDER = frozenset(
    {
        *("setUpModule", "setup_module", "setUpClass", "setup_class"),
        *("tearDownModule", "teardown_module", "tearDownClass", "teardown_class"),
    }
)
"""What runs for more than one test, by name."""


def in_function(context: Context, stub: Stub) -> Fix | None:
    """``monkeypatch.setitem`` or ``patch.dict`` instead of the statement in a function."""
    if (
        stub.function is None
        or not isinstance(stub.statement, ast.Assign)
        or len(stub.statement.targets) != 1
    ):
        return None
    source = stub.unit.source
    replacement = Replacement(
        stub.unit,
        stub.statement,
        stub.function,
        _modules_of(stub),
        source(stub.key),
        source(stub.value),
        is_item=True,
    )
    return restoring.in_function(context, replacement)


def _modules_of(stub: Stub) -> str:
    """``sys.modules``, as it is written."""
    assert isinstance(stub.target, ast.Subscript)
    return stub.unit.source(stub.target.value)


def _entry(stub: Stub, between: str) -> str:
    return f"{stub.unit.source(stub.key)}{between}{stub.unit.source(stub.value)}"


# --- at the top of a file


def as_fixture(context: Context, stub: Stub) -> Fix | None:
    """An automatic fixture instead of the statement, where the stub serves only code that imports the module
    when it runs: modules that are imported below it take it at import time, and would lose it."""
    unit = stub.unit
    if unit.node is not stub.statement or not isinstance(stub.statement, ast.Assign):
        return None
    if len(stub.statement.targets) != 1:
        return None
    graph = ImportGraph(context.resolver)
    target = graph.node(stub.name, context.path)
    row = unit.span(stub.statement).row
    below = [edge for edge in graph.edges(context.module) if not edge.lazy and edge.span.row > row]
    late = graph.closure([node for edge in below for node in edge.targets])
    spelled = imports.from_module(context.parsed, "pytest", "fixture")
    if target is None or target in late or spelled is None or _is_asked_for(context, stub.name):
        return None
    if any(
        module_stubs.loads_by_name(other.node, again=True)
        for other in context.parsed.units
        if other.row > row
    ):
        return None
    if _is_needed_for_longer(context, row):
        return None
    decorator, extra = spelled.text, spelled.edits
    if extra and decorator == "fixture":
        decorator, extra = "pytest.fixture", (imports.statement(context.parsed, "import pytest"),)
    if not extra and not _is_bound_above(context, decorator, row):
        return None
    name = f"_stub_{stub.name.replace('.', '_')}"
    lines = (
        f"@{decorator}(autouse=True)",
        f"def {name}(monkeypatch):",
        f"    monkeypatch.setitem({_modules_of(stub)}, {_entry(stub, ', ')})",
    )
    edits = blocks.as_definition(unit, stub.statement, lines)
    if edits is None:
        return None
    return Fix("Turn it into a fixture that restores it", Applicability.UNSAFE, (*extra, *edits))


def _is_needed_for_longer(context: Context, row: int) -> bool:
    """May code of the workspace run below a row, before or after the fixtures of a test: in the module itself, in what
    sets up a class or the module, in a fixture of either?"""
    if any(
        each.name in _WIDER or fixture_scope(each) != "function"
        for module in context.fixtures.chain(context.module)
        for each in module.functions()
        if each.name in _WIDER or is_fixture(each)
    ):
        return True
    return any(
        site.scope.node is None
        and isinstance(site.node, ast.Call)
        and site.unit.span(site.node).row > row
        and isinstance(context.names.resolve(site.node.func, site.scope), (ClassEntity, FunctionEntity))
        for site in context.scopes.calls
    )


def _is_bound_above(context: Context, spelling: str, row: int) -> bool:
    """Does the file bind the first name above a row?"""
    bindings = context.module.bindings.get(spelling.partition(".")[0], ())
    return any(binding.span.row < row for binding in bindings)


def _is_asked_for(context: Context, name: str) -> bool:
    """Does the file take the stub out of ``sys.modules``?"""
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and module_stubs.is_sys_modules(node.value)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value == name
        for _, node in context.parsed.walk()
    )


def around_imports(context: Context, stub: Stub) -> Fix | None:
    """``with patch.dict(…)`` around the imports below, where they are all that needs the stub.

    At its end ``patch.dict`` takes out of ``sys.modules`` what was imported under it, too. So nothing else may import
    these modules again, or name them in a patch: it would get another copy of them.
    """
    run = _run(context, stub)
    spelled = imports.from_module(context.parsed, "unittest.mock", "patch")
    if run is None or spelled is None:
        return None
    stubs, block = run
    if not spelled.edits and not _is_bound_above(context, spelled.text, block[0].row):
        return None
    graph = ImportGraph(context.resolver)
    targets = {graph.node(one.name, context.path) for one in stubs}
    edges = [edge for edge in graph.edges(context.module, possible=True) if not edge.lazy]
    needing = [
        index
        for index, unit in enumerate(block)
        if targets & set(graph.closure(_loads(edges, unit.row, unit.end_row), possible=True))
    ]
    if not needing:
        return None
    wrapped = block[: needing[-1] + 1]
    if not _is_enough(context, graph, edges, range(wrapped[0].row, wrapped[-1].end_row + 1), targets):
        return None
    units = list({id(one.unit): one.unit for one in stubs}.values())
    first, last = units[0].span(units[0].node), units[-1].span(units[-1].node)
    replaced = Span(first.row, first.column, last.end_row, last.end_column)
    entries = list({id(one.unit): _top_entry(one, len(units) == 1) for one in stubs}.values())
    header = blocks.with_header(f"{spelled.text}.dict", [_modules_of(stub)], entries)
    edit = blocks.put_under(header, replaced, [(unit, unit.node) for unit in wrapped])
    return restoring.with_patch(edit, spelled.edits, "dict")


def _run(context: Context, stub: Stub) -> tuple[list[Stub], list[Unit]] | None:
    """The plain stubs that stand together with this one, and the imports right below them; None where the file does
    anything else with ``sys.modules`` than to replace entries."""
    at_top = [other for other in module_stubs.stubs(context.parsed) if other.function is None]
    holders = {id(other.unit) for other in at_top if _is_plain(other)}
    known = {id(other.unit): other.unit for other in at_top}
    units = context.parsed.units
    mentioned = sum(unit.source(unit.node).count("sys.modules") for unit in known.values())
    if id(stub.unit) not in holders or context.source.count("sys.modules") != mentioned:
        return None
    start = end = units.index(stub.unit)
    while start and id(units[start - 1]) in holders:
        start -= 1
    while end < len(units) and id(units[end]) in holders:
        end += 1
    block = end
    while block < len(units) and isinstance(units[block].node, (ast.Import, ast.ImportFrom)):
        block += 1
    run = {id(unit) for unit in units[start:end]}
    found = [other for other in at_top if id(other.unit) in run]
    return (found, list(units[end:block])) if end < block else None


def _is_plain(stub: Stub) -> bool:
    statement, whole = stub.statement, stub.unit.node
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    return whole is statement or (isinstance(whole, ast.For) and whole.body == [statement])


def _top_entry(stub: Stub, is_alone: bool) -> str:
    """``"m": value``; a comprehension for a loop."""
    whole = stub.unit.node
    if not isinstance(whole, ast.For):
        return _entry(stub, ": ")
    source = stub.unit.source
    text = f"{_entry(stub, ': ')} for {source(whole.target)} in {source(whole.iter)}"
    return text if is_alone else f"**{{{text}}}"


def _loads(edges: Sequence[Edge], first: int, last: int) -> list[Node]:
    return [node for edge in edges if first <= edge.span.row <= last for node in edge.targets]


def _is_enough(
    context: Context, graph: ImportGraph, edges: Sequence[Edge], rows: range, targets: set[Node | None]
) -> bool:
    """Is all that needs the stubs imported in these rows, and not looked for in ``sys.modules`` again?"""
    chain = [m.path for m in context.fixtures.chain(context.module) if m.path != context.path]
    above = graph.closure([*chain, *_loads(edges, 0, rows.start - 1)])
    inside = graph.closure(_loads(edges, rows.start, rows.stop - 1), possible=True)
    fresh = {node for node in inside if node not in above and node not in targets}
    if any(isinstance(node, str) and node.partition(".")[0] not in sys.stdlib_module_names for node in fresh):
        # Compiled libraries may refuse to be loaded twice.
        return False
    below = graph.closure(_loads(edges, rows.stop, context.parsed.text.row_count), possible=True)
    if not (fresh | targets).isdisjoint(below):
        return False
    running = graph.closure([*chain, context.path], lazy=True, possible=True)
    again = (edge for module in _modules(context, running) for edge in graph.edges(module, possible=True))
    if any(edge.lazy and not (fresh | targets).isdisjoint(edge.targets) for edge in again):
        return False
    names = {module.name for module in _modules(context, fresh)}
    return not any(
        isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_in(node.value, names)
        for _, node in context.parsed.walk()
    )


def _modules(context: Context, nodes: Iterable[Node]) -> Iterator[Importer]:
    for node in nodes:
        module = context.workspace.importer(node) if isinstance(node, Path) else None
        if module is not None:
            yield module


def _is_in(text: str, names: set[str]) -> bool:
    """Does a text name one of the modules, or something in it?"""
    parts = text.split(".")
    return any(".".join(parts[:count]) in names for count in range(1, len(parts) + 1))
