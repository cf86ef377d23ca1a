"""Expressions that are known to be an instance of a model."""

from __future__ import annotations

import ast

from understudy.infer.scopes import Site
from understudy.orm.models import Model
from understudy.rules.base import Context
from understudy.rules.factory_calls import called_factory
from understudy.rules.made import made_by_call
from understudy.rules.receivers import receiver
from understudy.rules.sessions import is_real_session, is_session_class
from understudy.rules.statements import Kind, Statement, bound_once, model_of, statement

_ONE = frozenset({"one", "first", "one_or_none", "get"})
_SCALAR = frozenset({"scalar_one", "scalar_one_or_none", "scalar"})


def instance_of(context: Context, site: Site, node: ast.expr) -> Model | None:
    """The model that an expression is an instance of (or None at run time); None when that is not known."""
    return made_by_call(context, site, node, _made)


def _made(context: Context, site: Site, node: ast.Call) -> Model | None:
    made = model_of(context, site, node.func)
    if made is not None:
        return made
    built = called_factory(context, site, node)
    if built is not None and built[0].plain and built[0].builds_one(built[1]):
        return built[0].target
    if not isinstance(node.func, ast.Attribute):
        return None
    return _fetched(context, site, node, node.func)


def _fetched(context: Context, site: Site, call: ast.Call, func: ast.Attribute) -> Model | None:
    """``session.get(Model, 1)``, ``session.scalar(select(Model))``, ``session.query(Model).first()``…"""
    receiver, method = func.value, func.attr
    if method in ("get", "get_one") and call.args:
        found = model_of(context, site, call.args[0])
        if found is not None:
            return found if _real(context, site, receiver) else None
    if method == "scalar" and call.args:
        return _whole(statement(context, site, call.args[0])) if _real(context, site, receiver) else None
    if method in _SCALAR:
        return _executed(context, site, receiver, "execute")
    if method in _ONE:
        query = statement(context, site, receiver)
        if query is not None and query.kind is Kind.QUERY:
            return _whole(query)
        inner = _unawaited(receiver)
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            if inner.func.attr == "scalars" and inner.args:
                return _executed(context, site, inner, "scalars")
            if inner.func.attr == "scalars":
                return _executed(context, site, inner.func.value, "execute")
    return None


def _executed(context: Context, site: Site, node: ast.expr, method: str) -> Model | None:
    """The model whose rows ``session.execute(select(Model))`` gives."""
    node = _unawaited(node)
    if isinstance(node, ast.Name):
        value = bound_once(site.scope, node.id)
        node = _unawaited(value) if value is not None else node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return None
    if node.func.attr != method or not _real(context, site, node.func.value):
        return None
    return _whole(statement(context, site, node.args[0]))


def _whole(found: Statement | None) -> Model | None:
    return found.models[0] if found is not None and found.whole and found.kind is not Kind.INSERT else None


def _real(context: Context, site: Site, session: ast.expr) -> bool:
    """In a test, a session may be a double whose rows are anything. Elsewhere, its annotation says what it is: tables
    and clients have a ``get``, too, and a connection's ``scalar`` gives the first column."""
    if is_real_session(context, site, session):
        return True
    return not context.is_test and is_session_class(receiver(context, site.unit, session, site.scope))


def _unawaited(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Await) else node
