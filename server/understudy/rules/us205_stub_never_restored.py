"""US205: a ``sys.modules`` entry is replaced and not put back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.fixes import imports
from understudy.index.module import Module
from understudy.infer.imports import ImportGraph
from understudy.rules import module_stubs, us204_stub_after_import
from understudy.rules.base import Context, Rule
from understudy.rules.module_stubs import Stub
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test:
        return
    helpers: list[Module] | None = None
    for stub in module_stubs.stubs(context.parsed):
        if helpers is None:
            helpers = list(_helpers(context))
        if stub.function is None and context.path.name == "conftest.py":
            # A conftest sets up every test below it: the stub is meant to stay.
            continue
        if stub.only_if_absent or context.workspace.find(stub.name, context.path) is None:
            continue
        if any(
            module_stubs.restored(context.workspace.parsed(module.path), stub.name, stub)
            for module in (*context.fixtures.chain(context.module), *helpers)
        ):
            continue
        fix = _fix(context, stub)
        yield rule.finding(
            context.path,
            stub.unit.span(stub.target),
            f"`{stub.name}` stays replaced in sys.modules after this test module, so every later test that imports "
            "it gets this stub; replace it with monkeypatch.setitem or patch.dict(sys.modules, …)",
            fixes=(fix,) if fix is not None else (),
        )


def _helpers(context: Context) -> Iterator[Module]:
    """Modules that the file imports and that have to do with ``sys.modules``: what they offer may restore it."""
    for edge in ImportGraph(context.resolver).edges(context.module):
        for node in edge.targets:
            if isinstance(node, Path) and "sys.modules" in context.workspace.text(node).content:
                module = context.workspace.module(node)
                if module is not None:
                    yield module


def _fix(context: Context, stub: Stub) -> Fix | None:
    if stub.function is not None:
        return _in_function(context, stub)
    if any(us204_stub_after_import.comes_late(us204_stub_after_import.RULE, context, stub)):
        # A fixture would come later still.
        return None
    return _as_fixture(context, stub)


def _in_function(context: Context, stub: Stub) -> Fix | None:
    """``monkeypatch.setitem`` in a test or fixture function; the parameter is added where it is missing."""
    function = stub.function
    assert function is not None
    unit = stub.unit
    arguments = function.args
    names = [arg.arg for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    is_fixture = any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)
    if "self" in names or not (function.name.startswith("test") or is_fixture):
        return None
    if any("scope" in ast.unparse(d) or "patch" in ast.unparse(d) for d in function.decorator_list):
        return None
    edits = [_replace(context, stub)]
    if "monkeypatch" not in names:
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
            return None
        if arguments.args:
            last = unit.span(arguments.args[-1])
            edits.append(Edit(context.path, Span.at(last.end_row, last.end_column), ", monkeypatch"))
        else:
            name = unit.name_span(function)
            if not unit.text.line(name.row)[name.end_column :].startswith("("):
                return None
            edits.append(Edit(context.path, Span.at(name.end_row, name.end_column + 1), "monkeypatch"))
    return Fix("Replace it with `monkeypatch.setitem`", Applicability.UNSAFE, tuple(edits))


def _replace(context: Context, stub: Stub) -> Edit:
    value = stub.unit.source(stub.value)
    return Edit(
        context.path,
        stub.unit.span(stub.statement),
        f'monkeypatch.setitem(sys.modules, "{stub.name}", {value})',
    )


def _as_fixture(context: Context, stub: Stub) -> Fix | None:
    """An automatic fixture instead of the statement, where the stub serves only code that imports the module
    when it runs: modules that are imported below it take it at import time, and would lose it."""
    unit = stub.unit
    if unit.node is not stub.statement or any(
        isinstance(target, ast.Name) for target in getattr(stub.statement, "targets", ())
    ):
        return None
    graph = ImportGraph(context.resolver)
    target = graph.node(stub.name, context.path)
    row = unit.span(stub.statement).row
    below = [edge for edge in graph.edges(context.module) if not edge.lazy and edge.span.row > row]
    late = graph.closure([node for edge in below for node in edge.targets])
    if target is None or target in late:
        return None
    text = context.parsed.text
    pytest_name = imports.from_module(context.parsed, "pytest", "fixture")
    plain = any(
        isinstance(u.node, ast.Import) and any(a.name == "pytest" and not a.asname for a in u.node.names)
        for u in context.parsed.units
    )
    extra: tuple[Edit, ...] = ()
    if plain:
        decorator = "pytest.fixture"
    elif pytest_name is not None:
        decorator = "pytest.fixture"
        extra = (imports.statement(context.parsed, "import pytest"),)
    else:
        return None
    newline = text.newline
    name = f"_stub_{stub.name.replace('.', '_')}"
    value = unit.source(stub.value)
    lines = (
        f"@{decorator}(autouse=True)",
        f"def {name}(monkeypatch):",
        f'    monkeypatch.setitem(sys.modules, "{stub.name}", {value})',
    )
    content = newline.join(lines)
    span = unit.span(stub.statement)
    if row > 0 and text.line(row - 1).strip():
        content = newline * 2 + content
    elif row > 1 and text.line(row - 2).strip():
        content = newline + content
    return Fix(
        "Turn it into a fixture that restores it",
        Applicability.UNSAFE,
        (*extra, Edit(context.path, span, content)),
    )


RULE = Rule(
    "US205",
    "stub-never-restored",
    Severity.WARNING,
    "a `sys.modules` entry is replaced and not restored: it leaks into every later test",
    check,
    __name__,
)
