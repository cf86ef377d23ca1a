"""Which models a statement is about: ``select(User).join(Order).filter_by(…)``, ``session.query(User)``."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import Enum

from understudy.infer.entities import ClassEntity, External
from understudy.infer.scopes import Scope, Site
from understudy.orm.models import Model
from understudy.rules.base import Context
from understudy.rules.sessions import is_real_session

_SAME = frozenset(
    (
        "where",
        "filter",
        "filter_by",
        "order_by",
        "options",
        "limit",
        "offset",
        "distinct",
        "group_by",
        "having",
        "with_for_update",
        "execution_options",
        "values",
        "populate_existing",
        "yield_per",
        "enable_eagerloads",
        "prefix_with",
        "suffix_with",
        "add_criteria",
        "params",
        "slice",
        "autoflush",
    )
)
_JOINS = frozenset({"join", "outerjoin"})
_DEPTH = 16
_OWN_QUERIES = re.compile(rb"\bquery_cl(?:s|ass)\s*=|\bclass \w+\([^)\n]*Query\b")
"""Queries of a class of the workspace: its methods take and give what they like."""


class Kind(Enum):
    SELECT = "select"
    QUERY = "query"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True)
class Statement:
    """A statement as far as one of its methods is called on it."""

    kind: Kind
    models: tuple[Model, ...]
    """Every model that it reads from, the first one first."""
    whole: bool
    """It selects the first model, nothing else, and joins nothing."""


def statement(context: Context, site: Site, node: ast.expr, depth: int = 0) -> Statement | None:
    """The statement that an expression is; None when not every part of it is known."""
    if depth > _DEPTH:
        return None
    if isinstance(node, ast.Name):
        value = bound_once(site.scope, node.id)
        return statement(context, site, value, depth + 1) if value is not None else None
    if isinstance(node, ast.Attribute) and node.attr == "query":
        entity = context.names.resolve(node.value, site.scope)
        found = context.models.mapped(entity) if isinstance(entity, ClassEntity) else None
        if (
            found is not None
            and "query" in found.lineage.extra
            and not context.workspace.files_with(_OWN_QUERIES)
        ):
            return Statement(Kind.QUERY, (found,), True)
        return None
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute):
        method = node.func.attr
        if method in _SAME:
            return statement(context, site, node.func.value, depth + 1)
        if method == "returning":
            return _returning(context, site, node, statement(context, site, node.func.value, depth + 1))
        if method in _JOINS:
            return _joined(context, site, node, statement(context, site, node.func.value, depth + 1))
        if method == "query" and node.args:
            if context.is_test and not is_real_session(context, site, node.func.value):
                return None
            if context.workspace.files_with(_OWN_QUERIES):
                return None
            return _of(context, site, Kind.QUERY, node)
    function = context.names.resolve(node.func, site.scope)
    if isinstance(function, External) and function.root in ("sqlalchemy", "sqlmodel"):
        if function.name in ("select", "insert", "update", "delete"):
            return _of(context, site, Kind(function.name), node)
    return None


def model_of(context: Context, site: Site, node: ast.expr) -> Model | None:
    """The model that a name refers to."""
    if not isinstance(node, (ast.Name, ast.Attribute)):
        return None
    entity = context.names.resolve(node, site.scope)
    if not isinstance(entity, ClassEntity) or not entity.module.workspace:
        return None
    return context.models.mapped(entity)


def bound_once(scope: Scope, name: str) -> ast.expr | None:
    """What a local name stands for, when it is assigned once in its function."""
    current: Scope | None = scope
    while current is not None and current.node is not None:
        if (not current.is_class or current is scope) and name in current.names:
            binders = current.names[name]
            if len(binders) == 2 and isinstance(binders[0], ast.Assign):
                value = binders[0].value
                return value.value if isinstance(value, ast.Await) else value
            return None
        current = current.parent
    return None


def _of(context: Context, site: Site, kind: Kind, call: ast.Call) -> Statement | None:
    if not call.args or call.keywords or any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    models: list[Model] = []
    whole = len(call.args) == 1
    for argument in call.args:
        found = model_of(context, site, argument)
        if found is None and isinstance(argument, ast.Attribute) and kind in (Kind.SELECT, Kind.QUERY):
            found = model_of(context, site, argument.value)
            whole = False
        if found is None:
            return None
        if found not in models:
            models.append(found)
    return Statement(kind, tuple(models), whole)


def _returning(context: Context, site: Site, call: ast.Call, before: Statement | None) -> Statement | None:
    """A statement whose rows are what it is told to give, no longer what it changes."""
    if before is None:
        return None
    whole = (
        len(call.args) == 1
        and not call.keywords
        and model_of(context, site, call.args[0]) == before.models[0]
    )
    return Statement(before.kind, before.models, whole)


def _joined(context: Context, site: Site, call: ast.Call, before: Statement | None) -> Statement | None:
    if before is None or not call.args:
        return None
    target = call.args[0]
    found = model_of(context, site, target)
    if found is None and isinstance(target, ast.Attribute):
        owner = model_of(context, site, target.value)
        if owner is not None:
            named = [r for r in owner.relationships if r.name == target.attr]
            found = context.models.target(owner, named[0]) if named else None
    if found is None:
        return None
    return Statement(before.kind, (*before.models, found), False)
