"""US504: a test asks for an ``async def`` fixture that pytest-asyncio leaves alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.infer.entities import External, FunctionEntity
from understudy.rules.async_plugins import by_default
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.rules.fixture_parameters import asked
from understudy.source.parse import Parsed, Unit


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or not _is_strict(context):
        return
    seen: set[FunctionEntity] = set()
    for test in context.tests:
        for arg in asked(context, test) or ():
            found = context.fixtures.nearest(arg.arg, context.module, test.owner)
            if found is None or found in seen or not _is_left_alone(context, found):
                continue
            if excused(context):
                return
            seen.add(found)
            yield rule.finding(
                context.path,
                test.unit.span(arg),
                f"`{test.node.name}` fails before it starts: `{arg.arg}` is an `async def` fixture of plain "
                "`pytest.fixture`, which pytest-asyncio leaves alone in strict mode (before pytest 9, the test gets "
                'the coroutine or generator itself); write `@pytest_asyncio.fixture`, or set `asyncio_mode = "auto"`',
                related=(Related(found.path, found.span, "the fixture"),),
                fixes=_fixes(context, found),
            )


def _is_left_alone(context: Context, fixture: FunctionEntity) -> bool:
    """Is it a coroutine function, or an asynchronous generator, with ``pytest.fixture`` and no other decorator?"""
    decorators = fixture.declaration.decorators
    if not fixture.declaration.is_async or len(decorators) != 1:
        return False
    term = decorators[0].func if isinstance(decorators[0], model.CallTerm) else decorators[0]
    if not isinstance(term, model.Ref):
        return False
    found = context.resolver.ref(fixture.module, term.parts)
    return isinstance(found, External) and found.dotted in ("pytest.fixture", "_pytest.fixtures.fixture")


def _is_strict(context: Context) -> bool:
    """Does pytest-asyncio run in strict mode, and nothing else handle coroutines? anyio does so for its mark."""
    found = by_default(context)
    if found is None or "pytest-asyncio" not in found.names:
        return False
    places = context.fixtures.chain(context.module)
    return not any("anyio" in context.workspace.text(place.path).content for place in places)


def _fixes(context: Context, fixture: FunctionEntity) -> tuple[Fix, ...]:
    parsed = context.workspace.parsed(fixture.path)
    for unit in parsed.units:
        for node in ast.walk(unit.node):
            if isinstance(node, ast.AsyncFunctionDef) and node.name == fixture.name and node.decorator_list:
                if unit.name_span(node) == fixture.span:
                    return _of(parsed, unit, node.decorator_list[0])
    return ()


def _of(parsed: Parsed, unit: Unit, decorator: ast.expr) -> tuple[Fix, ...]:
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    edits = [Edit(parsed.path, unit.span(func), "pytest_asyncio.fixture")]
    if not any(
        isinstance(other.node, ast.Import)
        and any(alias.name == "pytest_asyncio" for alias in other.node.names)
        for other in parsed.units
    ):
        edits.insert(0, imports.statement(parsed, "import pytest_asyncio"))
    return (Fix("Use `pytest_asyncio.fixture`", Applicability.UNSAFE, tuple(edits)),)


RULE = Rule(
    "US504",
    "async-fixture-not-handled",
    Severity.ERROR,
    "a test asks for an `async def` fixture of plain `pytest.fixture`, which strict mode leaves alone",
    check,
    __name__,
)
