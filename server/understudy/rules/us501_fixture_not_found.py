"""US501: a test asks for a fixture that nothing provides."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.run import Test, tests
from understudy.doubles.state import last_name
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.index.module import Module
from understudy.infer.entities import ModuleEntity
from understudy.infer.fixtures import Fixtures
from understudy.infer.plugins import plugins
from understudy.project.config import load_pytest
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.source.parse import Unit
from understudy.source.span import Span

_HARMLESS_MARKS = frozenset({"settings", "example", "seed", "reproduce_failure", "note"})
_GENERATING = ("pytest_generate_tests", "pytest_factoryboy", "pytest_fixture_setup", "_fixturemanager")


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or context.module.dynamic:
        return
    fixtures = Fixtures(context.resolver)
    chain = fixtures.chain(context.module)
    if not _readable(context, chain):
        return
    for test in tests(context.parsed, context.module, context.resolver):
        asked = _asked(context, test)
        for arg in asked or ():
            if next(iter(fixtures.find(arg.arg, context.module, test.owner)), None) is not None:
                continue
            if _bound(chain, arg.arg) or plugins(context.workspace).may_provide(arg.arg):
                continue
            if excused(context):
                return
            yield _finding(rule, context, test, arg, fixtures, chain)


def _readable(context: Context, chain: list[Module]) -> bool:
    """Are all places where fixtures may come from known?"""
    top = load_pytest(context.path.parent)
    if top.file is None or not top.rootdir.is_relative_to(context.workspace.root):
        # Without settings of its own, pytest may start higher up.
        if any((folder / "conftest.py").is_file() for folder in context.workspace.root.parents):
            return False
    found = plugins(context.workspace)
    if not found.certain or "pytest11" in found.settings or "-p " in found.settings:
        return False
    for place in chain:
        text = context.workspace.text(place.path).content
        if place.dynamic or any(word in text for word in _GENERATING):
            return False
        if "pytest_plugins" in text and not _plugins_known(context, place, chain):
            return False
        for star in place.stars:
            source = context.resolver.imported_module(place, star)
            if not isinstance(source, ModuleEntity) or not source.file.workspace:
                return False
    return True


def _plugins_known(context: Context, place: Module, chain: list[Module]) -> bool:
    """Is every module that ``pytest_plugins`` names one that was read?"""
    known = {module.name for module in chain}
    bindings = place.bindings.get("pytest_plugins", [])
    if len(bindings) != 1 or not isinstance(bindings[0].declaration, model.Assign):
        return False
    value = bindings[0].declaration.value
    items = value.items if isinstance(value, model.SequenceTerm) else (value,)
    for item in items:
        if not isinstance(item, model.Const) or not isinstance(item.value, str):
            return False
        if item.value not in known and item.value not in ("pytester", "pytest_asyncio", "pytest_mock"):
            file = context.workspace.find(item.value, place.path)
            if file is None or file.path not in {module.path for module in chain}:
                return False
    return True


def _bound(chain: list[Module], name: str) -> bool:
    """Is the name bound by something that may be a fixture: made by a call, imported, decorated?"""
    for place in chain:
        for binding in place.bindings.get(name, ()):
            declaration = binding.declaration
            if not isinstance(declaration, model.Function) or declaration.decorators:
                return True
        for found in place.functions():
            # ``@fixture(name=computed)``
            for decorator in found.decorators:
                if isinstance(decorator, model.CallTerm) and decorator.keyword("name") is not None:
                    if not isinstance(decorator.keyword("name"), model.Const):
                        return True
    return False


def _asked(context: Context, test: Test) -> list[ast.arg] | None:
    """The parameters that only fixtures can fill; None when a decorator may fill them."""
    node = test.node
    if test.owner is not None and not context.resolver.ancestry(test.owner).complete:
        # ``unittest`` knows no fixtures; other bases may fill the parameters.
        return None
    spec = node.args
    if spec.posonlyargs:
        return None
    names = [*spec.args[: len(spec.args) - len(spec.defaults)], *_required_keywords(spec)]
    static = any(last_name(d) in ("staticmethod", "classmethod") for d in node.decorator_list)
    if test.owner is not None and not static:
        names = names[1:]
    filled: set[str] = set()
    positional = 0
    owner = test.owner_node.decorator_list if test.owner_node is not None else []
    for decorator in (*node.decorator_list, *owner, *_module_marks(context)):
        outcome = _fills(context, decorator)
        if outcome is None:
            return None
        given, count = outcome
        filled |= given
        positional += count
    left = [arg for arg in names if arg.arg not in filled][positional:]
    if left and any(_replaces(decorator) for decorator in (*node.decorator_list, *owner)):
        # Meant for a ``patch`` with ``new``, which hands over nothing: US207 says so.
        return None
    return left


def _replaces(decorator: ast.expr) -> bool:
    """``@patch(target, new)``"""
    if not isinstance(decorator, ast.Call) or last_name(decorator) not in ("patch", "object"):
        return False
    at = 1 if last_name(decorator) == "patch" else 2
    return len(decorator.args) > at or any(keyword.arg == "new" for keyword in decorator.keywords)


def _required_keywords(spec: ast.arguments) -> list[ast.arg]:
    return [arg for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if default is None]


def _module_marks(context: Context) -> list[ast.expr]:
    found: list[ast.expr] = []
    for unit in context.parsed.units:
        node = unit.node
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
        ):
            found.extend(node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value])
    return found


def _fills(context: Context, decorator: ast.expr) -> tuple[set[str], int] | None:
    """The parameters that a decorator fills, by name and by position; None when that is not known."""
    text = ast.unparse(decorator)
    name = last_name(decorator)
    if text.startswith(("pytest.mark.", "mark.")):
        if name != "parametrize":
            return set(), 0
        if not isinstance(decorator, ast.Call) or not decorator.args:
            return None
        first = decorator.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return {part.strip() for part in first.value.split(",")}, 0
        if isinstance(first, (ast.List, ast.Tuple)):
            parts = [e.value for e in first.elts if isinstance(e, ast.Constant)]
            return ({str(part) for part in parts}, 0) if len(parts) == len(first.elts) else None
        return None
    if isinstance(decorator, ast.Call) and name in ("patch", "object") and "patch" in text:
        new = {keyword.arg for keyword in decorator.keywords}
        if None in new or "new" in new:
            return (set(), 0) if "new" in new else None
        positional = len(decorator.args) - (1 if name == "patch" else 2)
        return (set(), 1) if positional <= 0 else (set(), 0)
    if name == "given" and isinstance(decorator, ast.Call) and not decorator.args:
        filled = {keyword.arg for keyword in decorator.keywords if keyword.arg is not None}
        return filled, 0
    if name in ("staticmethod", "classmethod") or name in _HARMLESS_MARKS:
        return set(), 0
    return None


def _finding(
    rule: Rule,
    context: Context,
    test: Test,
    arg: ast.arg,
    fixtures: Fixtures,
    chain: list[Module],
) -> Finding:
    known = {}
    for place in reversed(chain):
        known.update(fixtures.of_module(place))
    asked = {a.arg for a in (*test.node.args.args, *test.node.args.kwonlyargs)}
    near = nearest(arg.arg, [name for name in known if name not in asked])
    related: tuple[Related, ...] = ()
    fixes: tuple[Fix, ...] = ()
    advice = "no conftest, module or installed plugin provides it"
    span = test.unit.span(arg)
    span = Span(span.row, span.column, span.row, span.column + len(arg.arg))
    if near is not None:
        advice = f"did you mean `{near}`?"
        found = known[near]
        related = (Related(found.path, found.span, f"the fixture `{near}` is defined here"),)
        fixes = _rename(context, test.unit, test.node, arg.arg, near, span)
    return rule.finding(
        context.path,
        span,
        f"`{test.node.name}` fails before it starts: fixture '{arg.arg}' not found; {advice}",
        related=related,
        fixes=fixes,
    )


def _rename(
    context: Context,
    unit: Unit,
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    name: str,
    near: str,
    span: Span,
) -> tuple[Fix, ...]:
    """Rename the parameter and every use of it."""
    used = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    if any(n.id == near for n in used):
        return ()
    edits = [Edit(context.path, span, near)]
    edits.extend(Edit(context.path, unit.span(n), near) for n in used if n.id == name)
    return (Fix(f"Change to `{near}`", Applicability.UNSAFE, tuple(edits)),)


RULE = Rule(
    "US501",
    "fixture-not-found",
    Severity.ERROR,
    "a test asks for a fixture that no conftest, module or known plugin provides",
    check,
    __name__,
)
