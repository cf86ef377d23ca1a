"""US205: a ``sys.modules`` entry is replaced and not put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from understudy.finding import Finding, Fix, Severity
from understudy.index.module import Module
from understudy.infer.imports import ImportGraph
from understudy.rules import module_stubs, stub_fixes, us204_stub_after_import
from understudy.rules.base import Context, Rule
from understudy.rules.module_stubs import Stub


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
        if stub.function is None and stub.doubtful:
            # Whether it is set at all is not known; it may be for want of the module.
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
        return stub_fixes.in_function(context, stub)
    if any(us204_stub_after_import.comes_late(us204_stub_after_import.RULE, context, stub)):
        # Either would come later still.
        return None
    return stub_fixes.as_fixture(context, stub) or stub_fixes.around_imports(context, stub)


RULE = Rule(
    "US205",
    "stub-never-restored",
    Severity.WARNING,
    "a `sys.modules` entry is replaced and not restored: it leaks into every later test",
    check,
    __name__,
)
