"""Engines of SQLAlchemy that a file makes, and the tables that are made with them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.infer.entities import External, ValueEntity
from understudy.infer.scopes import Scope, Site
from understudy.orm.lineage import made_by
from understudy.orm.metadata import MetadataKey, MetaDataSpec, metadata_of_owner, metadata_of_value
from understudy.rules.base import Context
from understudy.rules.made import made_by_call
from understudy.rules.statements import bound_once
from understudy.source.parse import Unit

_CREATING = re.compile(rb"\bcreate_all\b")
_SETTING = "SQLALCHEMY_DATABASE_URI"
_SQLITE = re.compile(r"sqlite(?:\+\w+)?://")


@dataclass(frozen=True)
class Engine:
    """A ``create_engine(…)`` with a URL that is written there, or what Flask-SQLAlchemy makes of its setting."""

    unit: Unit
    node: ast.expr
    """The call, or the URL in the settings."""
    url: str

    @property
    def is_sqlite(self) -> bool:
        return _SQLITE.match(self.url) is not None


@dataclass(frozen=True)
class Creation:
    """``Base.metadata.create_all(engine)``, ``db.create_all()``: all tables of a ``MetaData`` are made."""

    context: Context
    site: Site
    place: ast.expr
    """``Base.metadata.create_all``."""
    metadata: MetadataKey
    engine: Engine


def creations(context: Context) -> Iterator[Creation]:
    """Where the tests make all tables of a ``MetaData`` with an engine that is known."""
    for path in context.workspace.files_with(_CREATING):
        other = context.other(path) if context.is_test_path(path) else None
        if other is not None:
            yield from _kept(other)


def _kept(context: Context) -> tuple[Creation, ...]:
    return context.once("creations", lambda: tuple(_in_file(context)))


def _in_file(context: Context) -> Iterator[Creation]:
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        place, bind = _create_all(call)
        if place is None:
            continue
        metadata = _metadata(context, site, place.value)
        if metadata is None:
            continue
        engine = engine_of(context, site, bind) if bind is not None else _of_settings(context)
        if engine is not None:
            yield Creation(context, site, place, metadata, engine)


def created(context: Context) -> frozenset[MetadataKey]:
    """Every ``MetaData`` whose tables some code of the workspace makes."""

    def make() -> frozenset[MetadataKey]:
        found: set[MetadataKey] = set()
        anew = context.anew()
        for path in context.workspace.files_with(_CREATING):
            other = anew.other(path)
            for site in other.scopes.reads if other is not None else ():
                node = site.node
                if other is not None and isinstance(node, ast.Attribute) and node.attr == "create_all":
                    key = _metadata(other, site, node.value)
                    if key is not None:
                        found.add(key)
        return frozenset(found)

    return context.workspace.derived("rules.created", make)


def _create_all(call: ast.Call) -> tuple[ast.Attribute | None, ast.expr | None]:
    """``….create_all`` and what it is bound to, for ``….create_all(engine)`` and
    ``connection.run_sync(….create_all)``; it is bound to nothing in ``db.create_all()``."""
    if not isinstance(call.func, ast.Attribute):
        return None, None
    if call.func.attr == "create_all":
        if len(call.args) == 1 and not call.keywords:
            return call.func, call.args[0]
        if not call.args and [keyword.arg for keyword in call.keywords] == ["bind"]:
            return call.func, call.keywords[0].value
        if not call.args and not call.keywords:
            return call.func, None
    elif call.func.attr == "run_sync" and len(call.args) == 1 and not call.keywords:
        given = call.args[0]
        if isinstance(given, ast.Attribute) and given.attr == "create_all":
            return given, call.func.value
    return None, None


def _metadata(context: Context, site: Site, node: ast.expr) -> MetadataKey | None:
    """The ``MetaData`` that an expression is, or that a ``db`` has."""
    found: MetaDataSpec | None = None
    if isinstance(node, ast.Attribute) and node.attr == "metadata":
        found = metadata_of_owner(context.models, context.names.resolve(node.value, site.scope))
    if found is None and isinstance(node, (ast.Name, ast.Attribute)):
        value = context.names.resolve(node, site.scope)
        if isinstance(value, ValueEntity) and made_by(value, "SQLAlchemy"):
            found = metadata_of_owner(context.models, value)
        else:
            found = metadata_of_value(context.models, value)
    return found.key if found is not None else None


def _of_settings(context: Context) -> Engine | None:
    """The engine of a Flask application whose tests set ``SQLALCHEMY_DATABASE_URI``, when all that is said of it in
    this file is one URL."""
    found: list[Engine] = []
    for unit in context.parsed.units:
        for node in ast.walk(unit.node):
            for value in _settings(node):
                if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
                    return None
                found.append(Engine(unit, value, value.value))
    return found[0] if len({engine.url for engine in found}) == 1 else None


def _settings(node: ast.AST) -> Iterator[ast.expr]:
    """The values that a statement or expression gives to the setting."""
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Subscript) and getattr(target.slice, "value", None) == _SETTING:
                yield node.value
            elif getattr(target, "id", getattr(target, "attr", None)) == _SETTING:
                yield node.value
    elif isinstance(node, ast.keyword) and node.arg == _SETTING:
        yield node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if getattr(key, "value", None) == _SETTING:
                yield value


def engine_of(context: Context, site: Site, node: ast.expr) -> Engine | None:
    """The engine that an expression is, or that a connection belongs to."""
    if isinstance(node, ast.Name):
        opened = _opened(site.scope, node.id)
        if opened is not None:
            return engine_of(context, site, opened)
        if all(node.id not in scope.names for scope in _functions(site.scope)):
            return _of_module(context, node.id)
    return made_by_call(context, site, node, _engine)


def _engine(context: Context, site: Site, call: ast.Call) -> Engine | None:
    made = context.names.resolve(call.func, site.scope)
    if not isinstance(made, External) or made.root not in ("sqlalchemy", "sqlmodel"):
        return None
    if made.name not in ("create_engine", "create_async_engine") or len(call.args) != 1:
        return None
    url: ast.expr | None = call.args[0]
    if isinstance(url, ast.Name):
        url = bound_once(site.scope, url.id) or _value(context, url.id)
    if isinstance(url, ast.Constant) and isinstance(url.value, str):
        return Engine(site.unit, call, url.value)
    return None


def _opened(scope: Scope, name: str) -> ast.expr | None:
    """``engine`` of ``with engine.begin() as name``."""
    function = scope.function
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                opening = item.context_expr
                if isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name:
                    if isinstance(opening, ast.Call) and isinstance(opening.func, ast.Attribute):
                        if opening.func.attr in ("begin", "connect"):
                            return opening.func.value
    return None


def _functions(scope: Scope) -> Iterator[Scope]:
    current: Scope | None = scope
    while current is not None and current.node is not None:
        yield current
        current = current.parent


def _of_module(context: Context, name: str) -> Engine | None:
    value = _value(context, name)
    if not isinstance(value, ast.Call):
        return None
    for site in context.scopes.calls:
        if site.node is value:
            return _engine(context, site, value)
    return None


def _value(context: Context, name: str) -> ast.expr | None:
    """What a variable of the module stands for, when it is bound once."""
    bindings = context.module.bindings.get(name, ())
    if len(bindings) != 1 or name in context.module.set_by_functions:
        return None
    for unit in context.parsed.units:
        node = unit.node
        if isinstance(node, ast.Assign) and unit.row == bindings[0].row and len(node.targets) == 1:
            return node.value if isinstance(node.targets[0], ast.Name) else None
    return None
