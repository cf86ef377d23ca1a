"""US204: ``sys.modules["m"] = …`` after an import that already loaded ``m``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.index.module import Importer
from understudy.infer.entities import ModuleEntity
from understudy.infer.imports import Edge, ImportGraph, Node
from understudy.rules import module_stubs, temporary_stubs
from understudy.rules.base import Context, Rule
from understudy.rules.module_stubs import Stub
from understudy.rules.temporary_stubs import TemporaryStub, Unseen
from understudy.source.dotted import last_name
from understudy.source.parse import Unit
from understudy.source.span import Span

_LOOKING = re.compile(rb"\bsys\.modules\b")


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test:
        return
    for stub in module_stubs.stubs(context.parsed):
        yield from comes_late(rule, context, stub)
        if isinstance(stub.target, ast.Call) and stub.function is None and stub.top_level:
            yield from _is_left(rule, context, stub)
    for unseen in temporary_stubs.unseen(context):
        yield _temporary(rule, context, unseen)


def comes_late(rule: Rule, context: Context, stub: Stub) -> Iterator[Finding]:
    """The finding about one stub."""
    if stub.function is None and stub.top_level and not stub.only_if_absent:
        yield from _stub(rule, context, stub)


def _stub(rule: Rule, context: Context, stub: Stub) -> Iterator[Finding]:
    graph = ImportGraph(context.resolver)
    target = graph.node(stub.name, context.path)
    if target is None:
        return
    if any(module_stubs.loads_by_name(unit.node, again=False) for unit in _below(context, stub)):
        # What is loaded there may import the stub.
        return
    before, after = _around(context, graph, stub)
    start = [node for edge in before for node in edge.targets]
    conftests = [m.path for m in context.fixtures.chain(context.module) if m.path != context.path]
    loaded = graph.closure([*conftests, *start])
    if target not in loaded:
        return
    late = graph.closure([node for edge in after for node in edge.targets], possible=True)
    # What functions import when they run is loaded below the stub as well.
    running = graph.closure([context.path, *conftests, *late], lazy=True, possible=True)
    fresh = [node for node in running if node not in loaded and node != context.path]
    if any(True for _ in graph.importers(fresh, target, lazy=False, possible=True)) or any(
        target in edge.targets for edge in after
    ):
        # Modules that are loaded below the stub import the stub: it comes in time for them.
        return
    consumers = list(graph.importers(loaded, target, lazy=False))
    lazily = list(
        graph.importers({**loaded, **running, context.path: None}, target, lazy=True, possible=True)
    )
    if not consumers and lazily:
        # Only code that imports it when it runs is there, and that sees the stub.
        return
    if _imports_again(context, graph, stub.name, target):
        return
    if module_stubs.taken_twice(context, graph, {**loaded, **running}, target):
        return
    if _looks_up_by_name(context, {*loaded, *running}):
        return
    severity = Severity.WARNING if lazily else Severity.ERROR
    edge = _loading_edge(before, graph, target)
    span = stub.unit.span(stub.target)
    message = _message(context, stub, edge, severity, lazily)
    fix = _move_up(context, stub, edge) if edge is not None else None
    yield rule.finding(
        context.path,
        span,
        message,
        severity=severity,
        related=tuple(_related(context, graph, edge, target, consumers)),
        fixes=(fix,) if fix is not None else (),
    )


def _looks_up_by_name(context: Context, nodes: set[Node]) -> bool:
    """May code under test import by computed names, or look into ``sys.modules``? That sees the stub."""
    tests = {module.path for module in context.fixtures.chain(context.module)}
    workspace = context.workspace
    paths = {*workspace.files_with(module_stubs.LOADING), *workspace.files_with(_LOOKING)}
    return not nodes.isdisjoint(paths - tests)


def _is_left(rule: Rule, context: Context, stub: Stub) -> Iterator[Finding]:
    """``sys.modules.setdefault("m", stub)`` where ``m`` is there for certain."""
    graph = ImportGraph(context.resolver)
    target = graph.node(stub.name, context.path)
    before, _ = _around(context, graph, stub)
    edge = (
        _loading_edge([e for e in before if not e.statement.guards], graph, target)
        if target is not None
        else None
    )
    if edge is None or not isinstance(target, Path) or _imports_again(context, graph, stub.name, target):
        return
    if any(
        module_stubs.restored(context.workspace.parsed(module.path), stub.name, stub)
        for module in context.fixtures.chain(context.module)
    ):
        return
    yield rule.finding(
        context.path,
        stub.unit.span(stub.target),
        f"`{stub.name}` is already loaded by the import on line {edge.span.row + 1}, and setdefault leaves what is "
        "there, so this stub is never used; set it above that import",
        severity=Severity.WARNING,
        related=tuple(_related(context, graph, edge, target, [])),
    )


def _imports_again(context: Context, graph: ImportGraph, name: str, target: Node) -> bool:
    """Does a file of the test run make a module be imported anew that may import ``target`` then?"""
    chain = context.fixtures.chain(context.module)
    return any(
        module_stubs.imports_again(context.workspace.parsed(module.path), name)
        or _reloads(context, graph, module, target)
        for module in chain
    )


def _reloads(context: Context, graph: ImportGraph, module: Importer, target: Node) -> bool:
    """``importlib.reload(m)`` runs the statements of ``m`` again, and those of no other module."""
    other = context.other(module.path)
    if other is None or "reload" not in other.source:
        return False
    for site in other.scopes.calls:
        call = site.node
        if isinstance(call, ast.Call) and last_name(call) == "reload":
            found = other.names.resolve(call.args[0], site.scope) if call.args else None
            again = context.workspace.load(found.file) if isinstance(found, ModuleEntity) else None
            if again is None or any(target in e.targets for e in graph.edges(again, possible=True)):
                return True
    return False


def _temporary(rule: Rule, context: Context, unseen: Unseen) -> Finding:
    """A stub for the time of a test that no import looks at."""
    stub = unseen.stub
    targets = [_bound_to(module, edge, stub.name) for module, edge in unseen.consumers]
    names = sorted({f"`{module.name}`" for module, _ in unseen.consumers})
    holders = " and ".join(names[:2]) if len(names) < 3 else f"{names[0]} and {len(names) - 1} other modules"
    fix = _patch_consumer(context, stub, targets[0]) if len(targets) == 1 else None
    advice = f"patch `{targets[0]}`" if len(targets) == 1 and targets[0] is not None else "patch their names"
    return rule.finding(
        context.path,
        stub.span,
        f"`{stub.name}` is loaded before this is set, and nothing that runs here imports it again, so the stub changes "
        f"nothing: {holders} {'keeps' if len(names) == 1 else 'keep'} the real module; {advice} instead",
        severity=Severity.WARNING,
        related=tuple(
            Related(module.path, edge.span, "imported here, when this module is loaded")
            for module, edge in unseen.consumers[:3]
        ),
        fixes=(fix,) if fix is not None else (),
    )


def _bound_to(module: Importer, edge: Edge, name: str) -> str | None:
    """The dotted name under which a module looks another one up; None where it has taken names out of it."""
    statement = edge.statement
    for imported in statement.names:
        if not statement.is_from and imported.name == name and (imported.aliased or "." not in name):
            return f"{module.name}.{imported.bound}"
        if (
            statement.is_from
            and f".{name}".endswith(f".{imported.name}")
            and imported.name != statement.module
        ):
            source = name.rpartition(".")[0]
            if source and (
                statement.module == source or (statement.level and source.endswith(statement.module))
            ):
                return f"{module.name}.{imported.bound}"
    return None


def _patch_consumer(context: Context, stub: TemporaryStub, target: str | None) -> Fix | None:
    """``patch("orders.mail", stub)`` instead."""
    plain = isinstance(stub.value, ast.Constant)
    if target is None or plain or not stub.is_alone:
        return None
    unit = stub.site.unit
    owner = stub.spelling.rpartition(".")[0]
    call = f"{owner}.setattr" if stub.spelling.endswith(".setitem") else owner
    edit = Edit(context.path, unit.span(stub.call), f'{call}("{target}", {unit.source(stub.value)})')
    return Fix(f"Patch `{target}`", Applicability.UNSAFE, (edit,))


def _around(context: Context, graph: ImportGraph, stub: Stub) -> tuple[list[Edge], list[Edge]]:
    """The imports of the file above and below the stub, at import time."""
    row = stub.unit.span(stub.statement).row
    before = [e for e in graph.edges(context.module) if not e.lazy and e.span.row < row]
    after = [e for e in graph.edges(context.module, possible=True) if not e.lazy and e.span.row > row]
    return before, after


def _below(context: Context, stub: Stub) -> Iterator[Unit]:
    """The statements at the top of the file below the stub, and the one that it stands in."""
    row = stub.unit.span(stub.statement).row
    return (unit for unit in context.parsed.units if unit.span(unit.node).end_row >= row)


def _loading_edge(before: list[Edge], graph: ImportGraph, target: Node) -> Edge | None:
    return next((edge for edge in before if target in graph.closure(edge.targets)), None)


def _message(
    context: Context,
    stub: Stub,
    edge: Edge | None,
    severity: Severity,
    lazily: list[tuple[Importer, Edge]],
) -> str:
    if edge is not None:
        loader = f"the import on line {edge.span.row + 1}"
    else:
        loader = "conftest.py"
    if severity is Severity.ERROR:
        effect = "the code under test keeps the real module and this stub changes nothing"
    else:
        functions = sorted({f"`{e.statement.function}`" for _, e in lazily})
        effect = f"only code that imports it again when it runs ({', '.join(functions[:3])}) sees this stub"
    return f"`{stub.name}` is already loaded by {loader}, so {effect}; set the stub above that import"


def _related(
    context: Context,
    graph: ImportGraph,
    edge: Edge | None,
    target: Node,
    consumers: list[tuple[Importer, Edge]],
) -> Iterator[Related]:
    if edge is not None:
        yield Related(context.path, edge.span, "this import loads it")
    for module, other in consumers[:3]:
        if edge is None or (module.path, other.span) != (context.path, edge.span):
            yield Related(module.path, other.span, "imported here, before the stub is set")


def _move_up(context: Context, stub: Stub, edge: Edge) -> Fix | None:
    """Move the statement above the import that loads the module, where the names it uses are bound by then."""
    unit = stub.unit
    whole = unit.node
    if whole is not stub.statement and not (isinstance(whole, ast.For) and whole.body == [stub.statement]):
        return None
    text = context.parsed.text
    statement = unit.span(whole)
    used = {node.id for node in ast.walk(whole) if isinstance(node, ast.Name)}
    if isinstance(whole, ast.For) and isinstance(whole.target, ast.Name):
        used.discard(whole.target.id)
    for name in used:
        bindings = context.module.bindings.get(name, ())
        if bindings and min(binding.span.row for binding in bindings) >= edge.span.row:
            return None
    if statement.column or text.line(statement.end_row)[statement.end_column :].partition("#")[0].strip():
        # Other statements stand on the line.
        return None
    newline = text.newline
    start, end_row = statement.row, statement.end_row + 1
    if end_row < text.row_count and not text.line(end_row).strip():
        while start > edge.span.end_row + 1 and not text.line(start - 1).strip():
            start -= 1
    removed = Span(start, 0, end_row, 0)
    source = text.slice(Span(statement.row, 0, statement.end_row, len(text.line(statement.end_row))))
    return Fix(
        "Move the stub above the import",
        Applicability.UNSAFE,
        (
            Edit(context.path, Span.at(edge.span.row, 0), f"{source}{newline}{newline}"),
            Edit(context.path, removed, ""),
        ),
    )


RULE = Rule(
    "US204",
    "stub-after-import",
    Severity.ERROR,
    '`sys.modules["m"] = …` placed after an import that already (transitively) imported `m`',
    check,
    __name__,
)
