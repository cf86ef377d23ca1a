"""US503: a coroutine function is a test, and nothing awaits it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.collected import Test
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.infer.entities import External, FunctionEntity
from understudy.orm.lineage import own
from understudy.rules.async_plugins import by_default
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.rules.patch_calls import is_patch
from understudy.source.dotted import dotted_name
from understudy.source.span import Span

_RUNNING = ("run", "_callTestMethod", "__call__", "debug", "__init__", "__getattribute__")
"""With one of these, a ``TestCase`` may run coroutines itself."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or "async def test" not in context.source:
        return
    for test in context.tests:
        if not isinstance(test.node, ast.AsyncFunctionDef) or excused(context):
            continue
        if not all(_keeps(context, decorator) for decorator in test.node.decorator_list):
            # Another decorator may run the coroutine.
            continue
        base = _plain_test_case(context, test)
        if base is not None:
            yield _in_test_case(rule, context, test, base)
        elif test.owner is None or not context.resolver.ancestry(test.owner).externals:
            if test.owner is not None and isinstance(
                context.resolver.class_attribute(test.owner, "__init_subclass__"), FunctionEntity
            ):
                # It may put something else in place of the methods.
                continue
            if test.owner is None or context.resolver.ancestry(test.owner).complete:
                yield from _without_plugin(rule, context, test)


def _keeps(context: Context, decorator: ast.expr) -> bool:
    """Is what the decorator gives a coroutine function, if the test is one? A patch and a mark are such decorators."""
    name = dotted_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if name is None or name.startswith("pytest.mark."):
        return name is not None
    found = context.resolver.ref(context.module, tuple(name.split(".")))
    return isinstance(found, External) and is_patch(found)


def _plain_test_case(context: Context, test: Test) -> ast.expr | None:
    """``unittest.TestCase`` in the bases of the test's class, where it is the only one."""
    if test.owner is None or test.owner_node is None or test.owner_node.decorator_list:
        return None
    if len(test.owner_node.bases) != 1:
        return None
    if any(own(test.owner, name) is not None for name in _RUNNING):
        return None
    base = test.owner.declaration.bases[0]
    found = context.resolver.base(test.owner, base)
    dotted = getattr(found, "dotted", "")
    return test.owner_node.bases[0] if dotted in ("unittest.TestCase", "unittest.case.TestCase") else None


def _in_test_case(rule: Rule, context: Context, test: Test, base: ast.expr) -> Finding:
    fixes: tuple[Fix, ...] = ()
    spelled = imports.beside(context.parsed, test.unit, base, "IsolatedAsyncioTestCase")
    if spelled is not None:
        edit = Edit(context.path, test.unit.span(base), spelled.text)
        fixes = (Fix("Derive from `IsolatedAsyncioTestCase`", Applicability.UNSAFE, (*spelled.edits, edit)),)
    return rule.finding(
        context.path,
        test.unit.name_span(test.node),
        f"`{test.node.name}` is never awaited, so it passes whatever it says: `TestCase` calls it and drops the "
        "coroutine; derive from `IsolatedAsyncioTestCase`",
        related=(Related(context.path, test.unit.span(base), "the class derives from a plain `TestCase`"),),
        fixes=fixes,
    )


def _without_plugin(rule: Rule, context: Context, test: Test) -> Iterator[Finding]:
    found = by_default(context)
    if found is None:
        return
    strict = "pytest-asyncio" in found.names
    marks = _marks(context, test)
    if marks is None:
        return
    if not strict and "anyio" in found.names and "anyio" in marks:
        return
    if marks - {"parametrize", "usefixtures", "filterwarnings", "slow", "integration", "unit", "timeout"}:
        return
    if any(arg.arg.startswith("anyio_backend") for arg in test.node.args.args):
        return
    node, unit = test.node, test.unit
    fixes: tuple[Fix, ...] = ()
    advice = "no plugin of the environment runs coroutines; install one, such as pytest-asyncio"
    if strict:
        advice = 'mark it with `@pytest.mark.asyncio`, or set `asyncio_mode = "auto"`'
        if _imports_pytest(context):
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            row = first - 1 + unit.shift
            column = unit.span(node).column
            indentation = unit.text.line(row)[:column] if not node.decorator_list else " " * node.col_offset
            content = f"{indentation}@pytest.mark.asyncio{unit.text.newline}"
            edit = Edit(context.path, Span.at(row, 0), content)
            fixes = (Fix("Add `@pytest.mark.asyncio`", Applicability.UNSAFE, (edit,)),)
    yield rule.finding(
        context.path,
        unit.name_span(node),
        f"`{node.name}` is never awaited: pytest itself does not run coroutine functions, and fails or skips the "
        f"test; {advice}",
        fixes=fixes,
    )


def _imports_pytest(context: Context) -> bool:
    return any(
        isinstance(unit.node, ast.Import)
        and any(a.name == "pytest" and not a.asname for a in unit.node.names)
        for unit in context.parsed.units
    )


def _marks(context: Context, test: Test) -> set[str] | None:
    """The names of all marks on the test, its class and its module; None when one is computed."""
    marks = context.fixtures.marks_of(context.parsed, context.module, test.owner, test.node)
    if not marks.known:
        return None
    found: set[str] = set()
    for mark in marks.found:
        name = dotted_name(mark.func if isinstance(mark, ast.Call) else mark) or ""
        if not name.startswith("pytest.mark."):
            return None
        found.add(name.rpartition(".")[2])
    return found


RULE = Rule(
    "US503",
    "async-test-never-awaited",
    Severity.ERROR,
    "an `async def` test in a plain `unittest.TestCase`, or without plugin or mark",
    check,
    __name__,
)
