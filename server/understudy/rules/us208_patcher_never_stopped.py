"""US208: a patch is started and never stopped."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.fixes import parameters
from understudy.infer.entities import ClassEntity, External
from understudy.infer.imports import ImportGraph
from understudy.infer.scopes import FunctionNode, Site
from understudy.rules.base import Context, Rule
from understudy.rules.expected import expected
from understudy.rules.patch_calls import is_patch
from understudy.source.dotted import last_name
from understudy.source.span import Span

_ONLY_LOOKING = frozenset(
    {"hasattr", "isinstance", "object", "print", "repr", "setattr", "str", "super", "type"}
)
"""What stops no patch of an object that it is given: ``super(MailTest, self)``, ``patch.object(self, …)``."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or ".start" not in context.source or "patch" not in context.source:
        return
    if _stopped_by_helpers(context):
        return
    for site in context.scopes.calls_of("start"):
        call = site.node
        assert isinstance(call, ast.Call)
        func = call.func
        if not isinstance(func, ast.Attribute) or call.args or call.keywords:
            continue
        if expected(context, site, "AttributeError", "ModuleNotFoundError", "TypeError"):
            continue
        if _inherits_unknown(context, site):
            continue
        if site.scope.node is None and context.path.name == "conftest.py":
            # Started for the whole test run.
            continue
        if _made_here(context, site, func.value) or _made_above(context, site, func.value):
            yield _finding(rule, context, site, func)


def _stopped_by_helpers(context: Context) -> bool:
    """Is there a ``stopall`` around: in the file, a conftest above it, a module that it imports?"""
    places = list(_around(context))
    for edge in ImportGraph(context.resolver).edges(context.module):
        places.extend(node for node in edge.targets if isinstance(node, Path))
    return any("stopall" in context.workspace.text(path).content for path in places)


def _around(context: Context) -> Iterator[Path]:
    """The files whose code sets the tests up: this one, conftest files above it, those of its classes' bases."""
    yield from (module.path for module in context.fixtures.chain(context.module))
    for site in context.scopes.classes:
        assert isinstance(site.node, ast.ClassDef)
        found = context.resolver.name(context.module, site.node.name)
        if isinstance(found, ClassEntity):
            yield from (cls.path for cls in context.resolver.ancestry(found).classes)


def _inherits_unknown(context: Context, site: Site) -> bool:
    """Does the class around derive from one that is not known, and may stop all patches?"""
    cls = next((node for node in site.chain if isinstance(node, ast.ClassDef)), None)
    if cls is None:
        return False
    found = context.resolver.name(context.module, cls.name)
    if not isinstance(found, ClassEntity):
        return True
    for entity in context.resolver.ancestry(found).classes:
        for base in entity.declaration.bases:
            known = context.resolver.open(context.resolver.base(entity, base))
            if not isinstance(known, ClassEntity) and not (
                isinstance(known, External) and known.root in ("unittest", "builtins", "typing", "abc")
            ):
                return True
    return False


def _made_here(context: Context, site: Site, node: ast.expr) -> bool:
    """``patch(…).start()``: there is nothing left to stop it with."""
    return isinstance(node, ast.Call) and _is_patch(context, site, node)


def _is_patch(context: Context, site: Site, call: ast.Call) -> bool:
    found = context.names.resolve(call.func, site.scope)
    return isinstance(found, External) and is_patch(found)


def _made_above(context: Context, site: Site, node: ast.expr) -> bool:
    """``patcher.start()``, where ``patcher`` is made in the same function (an attribute of ``self``: in the same
    class), and nothing else is ever done with it."""
    if isinstance(node, ast.Name):
        where: ast.AST | None = site.scope.function
        if where is not None and _is_of_outside(where, node.id):
            return False
        body: list[ast.AST] = [where] if where is not None else [unit.node for unit in context.parsed.units]
    elif (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    ):
        where = next((n for n in site.chain if isinstance(n, ast.ClassDef)), None)
        if where is None or _has_heirs(context, where) or _is_reached_otherwise(context, where, node.attr):
            return False
        body = [where]
    else:
        return False
    wanted = _key(node)
    made, other = False, False
    for root in body:
        for child, parent in _with_parents(root):
            if _key(child) != wanted:
                continue
            if isinstance(parent, ast.Attribute) and parent.attr == "start":
                continue
            if isinstance(parent, ast.Assign) and child in parent.targets:
                value = parent.value
                if not isinstance(value, ast.Call) or not _is_patch(context, site, value):
                    return False
                made = True
            else:
                other = True
    return made and not other


def _is_of_outside(function: ast.AST, name: str) -> bool:
    """``global patcher``: another function may stop it."""
    return any(
        isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names for node in ast.walk(function)
    )


def _is_reached_otherwise(context: Context, cls: ast.ClassDef, name: str) -> bool:
    """May code stop it that has the object, or the class, in another way than as ``self``: ``TestMail.patcher``,
    ``stop_all_of(self)``?"""
    if any(
        isinstance(argument, ast.Name) and argument.id in ("self", "cls")
        for node in ast.walk(cls)
        if isinstance(node, ast.Call) and last_name(node) not in _ONLY_LOOKING
        for argument in (*node.args, *(keyword.value for keyword in node.keywords))
    ):
        return True
    return any(
        isinstance(node, ast.Attribute) and node.attr == name and _key(node) is None
        for _, node in context.parsed.walk()
    )


def _key(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    ):
        return f"self.{node.attr}"
    return None


def _with_parents(root: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    for parent in ast.walk(root):
        for child in ast.iter_child_nodes(parent):
            yield child, parent


def _has_heirs(context: Context, cls: ast.ClassDef) -> bool:
    """May a base or a class that derives from it stop the patch?"""
    found = context.resolver.name(context.module, cls.name)
    if not isinstance(found, ClassEntity):
        return True
    if any(other.module.workspace for other in context.resolver.ancestry(found).classes[1:]):
        return True
    return any(
        isinstance(base, ast.Name) and base.id == cls.name
        for _, node in context.parsed.walk()
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    )


# --- the finding and its fixes


def _finding(rule: Rule, context: Context, site: Site, func: ast.Attribute) -> Finding:
    unit = site.unit
    whole = unit.span(site.node)  # type: ignore[arg-type]
    value = unit.span(func.value)
    span = Span(value.end_row, value.end_column, whole.end_row, whole.end_column)
    rest = unit.text.line(value.end_row)[value.end_column :]
    if value.end_row == whole.end_row and rest.startswith(".start"):
        span = Span(value.end_row, value.end_column + 1, whole.end_row, whole.end_column)
    function = site.scope.function
    what = f"`{ast.unparse(func.value)}`" if not isinstance(func.value, ast.Call) else "this patch"
    fixes = _fixes(context, site, func, function) if function is not None else []
    return rule.finding(
        context.path,
        span,
        f"{what} is started and never stopped, so it stays in place for every later test; stop it with "
        "`addCleanup`, use it in a `with`, or use `mocker`",
        fixes=tuple(fix for fix in fixes if fix is not None),
    )


def _fixes(context: Context, site: Site, func: ast.Attribute, function: FunctionNode) -> list[Fix | None]:
    chain = site.chain.parent
    statement = chain.node if chain is not None else None
    target: ast.expr | None = None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and statement.value is site.node:
        target = statement.targets[0]
    elif not isinstance(statement, ast.Expr):
        return []
    assert isinstance(statement, ast.stmt)
    unit = site.unit
    span = unit.span(statement)
    line = context.parsed.text.line(span.row)
    if line[: span.column].strip() or context.parsed.text.line(span.end_row)[span.end_column :].strip():
        return []
    cls = next((node for node in site.chain if isinstance(node, ast.ClassDef)), None)
    if cls is not None and _is_unittest(context, cls):
        return [_clean_up(context, site, func, function, statement)]
    return [_with(context, site, func, function, statement, target), _mocker(context, site, func, function)]


def _is_unittest(context: Context, cls: ast.ClassDef) -> bool:
    found = context.resolver.name(context.module, cls.name)
    return isinstance(found, ClassEntity) and context.resolver.is_test_case(found)


def _clean_up(
    context: Context, site: Site, func: ast.Attribute, function: FunctionNode, statement: ast.stmt
) -> Fix | None:
    """``self.addCleanup(patcher.stop)`` below; a patch without a name is stopped with all others."""
    if not function.args.args:
        return None
    method = "addClassCleanup" if function.name == "setUpClass" else "addCleanup"
    added = f"{function.args.args[0].arg}.{method}"
    unit, newline = site.unit, context.parsed.text.newline
    span = unit.span(statement)
    applicability = Applicability.SAFE
    if isinstance(func.value, ast.Call):
        if _stops_others(context, function):
            applicability = Applicability.UNSAFE
        maker = func.value.func
        while isinstance(maker, ast.Attribute) and maker.attr in ("object", "dict", "multiple"):
            maker = maker.value
        stop = f"{unit.source(maker)}.stopall"
    else:
        stop = f"{unit.source(func.value)}.stop"
    text = f"{newline}{' ' * span.column}{added}({stop})"
    return Fix(
        f"Add `{added}({stop})`",
        applicability,
        (Edit(context.path, Span.at(span.end_row, span.end_column), text),),
    )


def _stops_others(context: Context, function: FunctionNode) -> bool:
    """May ``stopall`` in the clean-up of a test stop patches that are started for more than this test?"""
    for path in dict.fromkeys(_around(context)):
        other = context.other(path)
        for site in other.scopes.calls_of("start") if other is not None and other.module.workspace else ():
            around = site.scope.function
            if around is None or (
                around is not function
                # What is started for another class is stopped by then.
                and around.name not in ("setUp", "asyncSetUp", function.name)
                and not around.name.startswith("test")
            ):
                return True
    return False


def _mocker(context: Context, site: Site, func: ast.Attribute, function: FunctionNode) -> Fix | None:
    """``mocker.patch(…)`` instead of ``patch(…).start()``, in a test or a fixture of tests, where pytest-mock is
    installed."""
    unit, made = site.unit, func.value
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    if not isinstance(made, ast.Call) or context.workspace.find("pytest_mock", context.path) is None:
        return None
    if not function.name.startswith("test") and not _is_fixture(function):
        return None
    if any(
        word in decorator for word in ("scope", "patch", "given", "staticmethod") for decorator in decorators
    ):
        return None
    maker: ast.expr = made.func
    forms = ""
    while isinstance(maker, ast.Attribute) and maker.attr in ("object", "dict", "multiple"):
        forms = f".{maker.attr}{forms}"
        maker = maker.value
    added = parameters.add(unit, function, "mocker")
    if added is None:
        return None
    start, end = unit.span(made.func), unit.span(made)
    whole = unit.span(func)
    edits = (
        Edit(context.path, start, f"mocker.patch{forms}"),
        Edit(
            context.path, Span(end.end_row, end.end_column, whole.end_row, whole.end_column + len("()")), ""
        ),
    )
    return Fix("Use `mocker`", Applicability.UNSAFE, (*added, *edits))


def _with(
    context: Context,
    site: Site,
    func: ast.Attribute,
    function: FunctionNode,
    statement: ast.stmt,
    target: ast.expr | None,
) -> Fix | None:
    """``with`` around the rest of a test or fixture."""
    if statement not in function.body or not (function.name.startswith("test") or _is_fixture(function)):
        return None
    rest = function.body[function.body.index(statement) + 1 :]
    if not rest:
        return None
    for later in rest:
        for node in ast.walk(later):
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno != node.lineno:
                # Indenting would change the text.
                return None
    if not function.name.startswith("test") and not any(
        isinstance(node, (ast.Yield, ast.YieldFrom)) for later in rest for node in ast.walk(later)
    ):
        # A fixture that returns would leave the ``with`` before the test.
        return None
    unit, text = site.unit, context.parsed.text
    name = f" as {unit.source(target)}" if target is not None else ""
    edits = [Edit(context.path, unit.span(statement), f"with {unit.source(func.value)}{name}:")]
    last = unit.span(rest[-1]).end_row
    for row in range(unit.span(statement).end_row + 1, last + 1):
        if text.line(row).strip():
            edits.append(Edit(context.path, Span.at(row, 0), "    "))
    return Fix("Use the patch in a `with`", Applicability.UNSAFE, tuple(edits))


def _is_fixture(function: FunctionNode) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)


RULE = Rule(
    "US208",
    "patcher-never-stopped",
    Severity.WARNING,
    "`.start()` without `.stop()`, `addCleanup`, `stopall`",
    check,
    __name__,
)
