"""What tests add to sessions, and whether what they call a session is one, and no double."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.infer.entities import ClassEntity, External, FunctionEntity, Lookup, ValueEntity
from understudy.infer.scopes import FunctionNode, Scope, Site
from understudy.orm.lineage import made_by
from understudy.rules.base import Context

_MADE = re.compile(
    r"\b(?:async_)?(?:scoped_)?sessionmaker\b|\b(?:Async|Scoped)?Session\(|\bSessionLocal\b|\b\w*[sS]ession_?[mM]aker\("
    r"|\b\w*[sS]ession_?[fF]actory\("
)
_DOUBLE = re.compile(
    r"\b\w*Mock\w*\b|\bmocker\b|\bpatch\b|\bcreate_autospec\b|\bFake\w*|\bStub\w*|\bmonkeypatch\b"
)
_SESSION_CLASSES = frozenset({"Session", "AsyncSession", "scoped_session"})
_DEPTH = 5


@dataclass(frozen=True)
class Added:
    """``session.add(item)`` or ``session.add_all([item, …])`` in a function."""

    site: Site
    call: ast.Call
    function: FunctionNode
    session: ast.expr
    items: tuple[ast.expr, ...]


def added(context: Context) -> Iterator[Added]:
    """Each call in a function of the file that may add objects to a session."""
    if ".add" not in context.source:
        return
    for site in context.scopes.calls_of("add", "add_all"):
        call, function = site.node, site.scope.function
        assert isinstance(call, ast.Call)
        if (
            function is None
            or not isinstance(call.func, ast.Attribute)
            or len(call.args) != 1
            or call.keywords
        ):
            continue
        given = call.args[0]
        items = given.elts if isinstance(given, (ast.List, ast.Tuple)) else [given]
        yield Added(site, call, function, call.func.value, tuple(items))


def is_real_session(context: Context, site: Site, node: ast.expr) -> bool:
    """Is the expression known to be a session of SQLAlchemy: made in the function from a session maker, or by a
    fixture that does so?"""
    if isinstance(node, ast.Call):
        return _makes_session(context, site, node)
    if isinstance(node, ast.Attribute) and node.attr == "session":
        # ``db.session`` of Flask-SQLAlchemy.
        found = context.names.resolve(node.value, site.scope)
        return isinstance(found, ValueEntity) and made_by(found, "SQLAlchemy")
    if not isinstance(node, ast.Name):
        return False
    scope: Scope | None = site.scope
    while scope is not None and scope.node is not None:
        binders = scope.names.get(node.id)
        if binders:
            return _bound_to_session(context, site, scope, node.id, binders)
        scope = scope.parent
    return False


def is_session_class(found: Lookup) -> bool:
    """Is it one of SQLAlchemy's classes of sessions?"""
    return (
        isinstance(found, External)
        and found.root in ("sqlalchemy", "sqlmodel")
        and found.name in _SESSION_CLASSES
    )


def _bound_to_session(context: Context, site: Site, scope: Scope, name: str, binders: list[ast.AST]) -> bool:
    function = scope.node
    assert function is not None
    if len(binders) == 1 and isinstance(binders[0], ast.arg):
        return context.is_test and _is_session_fixture(context, site, name)
    values: list[ast.expr] = []
    for node in ast.walk(function):
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name:
                    values.append(item.context_expr)
        elif isinstance(node, ast.Assign):
            if any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
                values.append(node.value)
    return bool(values) and all(_makes_session(context, site, value) for value in values)


def _makes_session(context: Context, site: Site, node: ast.expr) -> bool:
    if isinstance(node, ast.Await):
        node = node.value
    if not isinstance(node, ast.Call):
        return False
    text = site.unit.source(node)
    if _DOUBLE.search(text):
        return False
    found = (
        context.names.resolve(node.func, site.scope)
        if isinstance(node.func, (ast.Name, ast.Attribute))
        else None
    )
    if isinstance(found, External):
        return is_session_class(found)
    return _MADE.search(text) is not None


def _is_session_fixture(context: Context, site: Site, name: str) -> bool:
    owner = None
    for cls in context.scopes.classes:
        if isinstance(cls.node, ast.ClassDef) and any(node is cls.node for node in site.chain):
            entity = context.resolver.module_attribute(context.module, cls.node.name)
            owner = entity if isinstance(entity, ClassEntity) else None
    fixtures = context.fixtures
    wanted: str | None = name
    module = context.module
    for _ in range(_DEPTH):
        if wanted is None:
            return False
        fixture = fixtures.nearest(wanted, module, owner)
        if fixture is None:
            return False
        text = _source_of(context, fixture)
        if text is None or _DOUBLE.search(text):
            return False
        if _MADE.search(text):
            return True
        # ``def session(db_session): yield db_session``
        match = re.search(r"^\s*(?:yield|return)\s+(?:await\s+)?(\w+)\s*$", text, re.MULTILINE)
        asked = {parameter.name for parameter in fixture.declaration.parameters}
        following = match.group(1) if match is not None else None
        wanted = following if following in asked and following != wanted else None
        module, owner = fixture.module, fixture.owner
    return False


def _source_of(context: Context, entity: FunctionEntity) -> str | None:
    for unit in context.workspace.parsed(entity.path).units:
        for node in ast.walk(unit.node):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == entity.name:
                if unit.name_span(node) == entity.span:
                    return unit.source(node)
    return None
