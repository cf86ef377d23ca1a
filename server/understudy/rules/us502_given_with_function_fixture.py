"""US502: a test of Hypothesis uses a fixture that is set up once for all its examples."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.doubles.collected import Test
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.fixes.arguments import add_keyword
from understudy.infer.entities import External, FunctionEntity
from understudy.infer.fixtures import fixture_scope
from understudy.infer.plugins import plugins
from understudy.infer.scopes import Scope
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.rules.fixture_parameters import asked
from understudy.source.span import Span

_CHECK = "function_scoped_fixture"
_FUNCTION_SCOPED = frozenset(
    {"capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "monkeypatch", "pytester", "record_property",
     "record_xml_attribute", "recwarn", "tmp_path", "tmpdir"}
)  # fmt: skip
"""Fixtures of pytest itself."""
_INSTEAD = {
    "tmp_path": "make a folder in the test with `tmp_path_factory`",
    "tmpdir": "make a folder in the test with `tmp_path_factory`",
    "monkeypatch": "use `with pytest.MonkeyPatch.context() as monkeypatch:` in the test",
}
_PROFILE = re.compile(rb"\b(?:register_profile|load_profile)\b")


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or "given" not in context.source or "hypothesis" not in context.source:
        return
    if _suppressed_by_profile(context) or re.search(r"no:hypothesis", plugins(context.workspace).settings):
        return
    for test in context.tests:
        given = next((d for d in test.node.decorator_list if _is(context, d, "given")), None)
        if not isinstance(given, ast.Call) or not given.args + given.keywords:
            continue
        settings = [d for d in test.node.decorator_list if _named(d) == "settings"]
        if any(not _keeps_check(context, decorator) for decorator in settings) or len(settings) > 1:
            continue
        if test.owner_node is not None and any(
            "settings" in ast.unparse(d) for d in test.owner_node.decorator_list
        ):
            continue
        for arg in asked(context, test) or ():
            found = context.fixtures.nearest(arg.arg, context.module, test.owner)
            if found is None and arg.arg not in _FUNCTION_SCOPED:
                continue
            if found is not None and fixture_scope(found.declaration) != "function":
                continue
            if excused(context):
                return
            yield _finding(rule, context, test, given, settings, arg, found)
            # The check fails for the first one.
            break


def _is(context: Context, decorator: ast.expr, name: str) -> bool:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    found = context.names.resolve(node, Scope(None, None))
    return isinstance(found, External) and found.root == "hypothesis" and found.name == name


def _named(decorator: ast.expr) -> str:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(node).rpartition(".")[2]


def _keeps_check(context: Context, decorator: ast.expr) -> bool:
    """Does ``@settings(…)`` leave the health check as it is?"""
    if not isinstance(decorator, ast.Call) or decorator.args or not _is(context, decorator, "settings"):
        return False
    for keyword in decorator.keywords:
        if keyword.arg is None or keyword.arg == "parent":
            return False
        if keyword.arg == "suppress_health_check" and not _without(keyword.value):
            return False
    return True


def _without(checks: ast.expr) -> bool:
    """Is it a written list of health checks, without the one about fixtures?"""
    if not isinstance(checks, (ast.List, ast.Tuple)):
        return False
    return all(isinstance(item, ast.Attribute) and item.attr != _CHECK for item in checks.elts)


def _suppressed_by_profile(context: Context) -> bool:
    """May a settings profile suppress the check?"""
    for path in context.workspace.files_with(_PROFILE):
        for unit in context.workspace.parsed(path).units:
            for node in ast.walk(unit.node):
                if not isinstance(node, ast.Call) or _named(node) not in ("register_profile", "settings"):
                    continue
                for keyword in node.keywords:
                    if keyword.arg is None:
                        return True
                    if keyword.arg == "suppress_health_check" and not _without(keyword.value):
                        return True
    return False


def _finding(
    rule: Rule,
    context: Context,
    test: Test,
    given: ast.Call,
    settings: list[ast.expr],
    arg: ast.arg,
    fixture: FunctionEntity | None,
) -> Finding:
    span = test.unit.span(arg)
    related = [Related(context.path, test.unit.span(given), "Hypothesis runs the test with many examples")]
    if fixture is not None:
        text = f"`{arg.arg}` has the scope `function`: it is set up once for all of them"
        related.append(Related(fixture.path, fixture.span, text))
    advice = "set up what it gives inside the test, give it a wider scope, or suppress the check"
    if fixture is None:
        advice = f"{_INSTEAD.get(arg.arg, 'set up what it gives inside the test')}, or suppress the check"
    fix = _fix(context, test, given, settings)
    return rule.finding(
        context.path,
        Span(span.row, span.column, span.row, span.column + len(arg.arg)),
        f"`{test.node.name}` fails with FailedHealthCheck: the fixture `{arg.arg}` is not reset between the examples "
        f"of `@given`; {advice}",
        related=tuple(related),
        fixes=(fix,) if fix is not None else (),
    )


def _fix(context: Context, test: Test, given: ast.Call, settings: list[ast.expr]) -> Fix | None:
    """Suppress the check: in the settings that are there, or in new ones."""
    unit = test.unit
    checks = imports.beside(context.parsed, unit, given.func, "HealthCheck")
    if checks is None:
        return None
    item = f"{checks.text}.{_CHECK}"
    title = f"Suppress `HealthCheck.{_CHECK}`"
    edits = list(checks.edits)
    if not settings:
        spelled = imports.beside(context.parsed, unit, given.func, "settings")
        if spelled is None:
            return None
        edits.extend(spelled.edits)
        at = unit.span(given)
        indentation = unit.text.line(at.row)[: at.column - 1]
        if indentation.strip():
            return None
        source = f"{indentation}@{spelled.text}(suppress_health_check=[{item}]){unit.text.newline}"
        edits.append(Edit(context.path, Span.at(at.row, 0), source))
        return Fix(title, Applicability.UNSAFE, tuple(edits))
    call = settings[0]
    assert isinstance(call, ast.Call)
    there = next((k.value for k in call.keywords if k.arg == "suppress_health_check"), None)
    if there is None:
        edits.append(
            add_keyword(context.path, context.parsed.text, unit.span(call), f"suppress_health_check=[{item}]")
        )
    elif isinstance(there, ast.List) and there.elts:
        last = unit.span(there.elts[-1])
        edits.append(Edit(context.path, Span.at(last.end_row, last.end_column), f", {item}"))
    else:
        return None
    return Fix(title, Applicability.UNSAFE, tuple(edits))


RULE = Rule(
    "US502",
    "given-with-function-fixture",
    Severity.WARNING,
    "Hypothesis's `@given` with a function-scoped fixture, and no suppression of that health check",
    check,
    __name__,
)
