"""Functions that something keeps when a module is imported: FastAPI's dependencies and routes, and the registries of
decorators."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.doubles.library import web
from understudy.doubles.state import last_name
from understudy.facts import model
from understudy.infer import objects
from understudy.infer.entities import External, FunctionEntity, ValueEntity
from understudy.infer.resolve import Resolver
from understudy.infer.scopes import FileScopes, Site
from understudy.source.span import Span

_FRAMEWORK = re.compile(rb"\b(?:Depends|Security)\(")


@dataclass(frozen=True)
class Dependency:
    """``Depends(function)`` in the header of a function."""

    provider: FunctionEntity
    path: Path
    span: Span
    holder: str
    """The qualified name of the function that depends on it, with its file; empty for a router's or an app's own."""


@dataclass(frozen=True)
class Captures:
    """All dependencies and routes of a workspace."""

    dependencies: tuple[Dependency, ...]
    routes: tuple[web.Route, ...]

    def of_request(self, method: str, path: str, provider: FunctionEntity) -> Dependency | None:
        """The ``Depends`` through which a request certainly reaches ``provider``."""
        verb = "websocket" if method == "websocket_connect" else method
        routes = [route for route in self.routes if route.may_answer(verb, path.partition("?")[0])]
        found: Dependency | None = None
        for route in routes:
            found = self._reaching(_key(route.function), provider, set())
            if found is None:
                return None
        return found

    def route_of(
        self, resolver: Resolver, method: str, path: str, provider: FunctionEntity
    ) -> web.Route | None:
        """The route that certainly answers a request with ``provider`` itself."""
        verb = "websocket" if method == "websocket_connect" else method
        routes = [route for route in self.routes if route.may_answer(verb, path.partition("?")[0])]
        for route in routes:
            owner = resolver.ref(route.module, route.owner)
            if route.function != provider or not _is_made_by(
                owner, "FastAPI", "APIRouter", "Flask", "Blueprint"
            ):
                return None
        return routes[0] if routes else None

    def _reaching(self, holder: str, provider: FunctionEntity, seen: set[str]) -> Dependency | None:
        if holder in seen:
            return None
        seen.add(holder)
        for dependency in self.dependencies:
            if dependency.holder == holder:
                if dependency.provider == provider:
                    return dependency
                below = self._reaching(_key(dependency.provider), provider, seen)
                if below is not None:
                    return below
        return None


def captures(resolver: Resolver) -> Captures:
    """What the workspace's frameworks keep; found once for each state of the workspace."""
    return resolver.workspace.derived("binding.captures", lambda: _captures(resolver))


def is_app(entity: object) -> bool:
    """Is this a variable that holds ``FastAPI(…)``?"""
    return _is_made_by(entity, "FastAPI")


def _is_made_by(entity: object, *classes: str) -> bool:
    if not isinstance(entity, ValueEntity) or not isinstance(entity.declaration.value, model.CallTerm):
        return False
    maker = entity.declaration.value.func
    return isinstance(maker, model.Ref) and maker.parts[-1] in classes


def registered(resolver: Resolver, function: FunctionEntity) -> tuple[model.Ref, Path, Span] | None:
    """A decorator of the workspace that puts the function itself into a table, a list or a set when its module is
    imported: the decorator, and where it does so."""
    for term in function.declaration.decorators:
        made = term.func if isinstance(term, model.CallTerm) else term
        if not isinstance(made, model.Ref):
            continue
        decorator = _decorator(resolver, function, made)
        if decorator is None:
            continue
        for unit in resolver.workspace.parsed(decorator.path).units:
            for node in ast.walk(unit.node):
                if isinstance(node, ast.FunctionDef) and unit.name_span(node) == decorator.span:
                    kept = _keeps(node, decorator.owner is not None, isinstance(term, model.CallTerm))
                    if kept is not None:
                        return made, decorator.path, unit.span(kept)
    return None


def _decorator(resolver: Resolver, function: FunctionEntity, made: model.Ref) -> FunctionEntity | None:
    """``register``, or ``registry.register`` where ``registry`` is an object of a class of the workspace."""
    found = resolver.ref(function.module, made.parts)
    if not isinstance(found, FunctionEntity) and len(made.parts) > 1:
        holder = resolver.ref(function.module, made.parts[:-1])
        cls = objects.class_of(resolver, holder) if isinstance(holder, ValueEntity) else None
        found = resolver.class_attribute(cls, made.parts[-1]) if cls is not None else found
    if not isinstance(found, FunctionEntity) or not found.module.workspace or found.declaration.decorators:
        return None
    return found


def _keeps(node: ast.FunctionDef, is_method: bool, is_called: bool) -> ast.expr | None:
    """Where a decorator keeps what it is given: ``TABLE[key] = function``, ``LIST.append(function)``."""
    if is_called:
        inner = [child for child in node.body if isinstance(child, ast.FunctionDef)]
        return _keeps(inner[0], False, False) if len(inner) == 1 else None
    arguments = node.args.args[1:] if is_method else node.args.args
    if not arguments:
        return None
    name = arguments[0].arg
    for statement in node.body:
        if isinstance(statement, ast.Assign) and _is_name(statement.value, name):
            for target in statement.targets:
                if isinstance(target, ast.Subscript):
                    return target
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            if isinstance(call.func, ast.Attribute) and call.func.attr in ("append", "add", "setdefault"):
                if call.args and _is_name(call.args[-1], name):
                    return call
    return None


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _captures(resolver: Resolver) -> Captures:
    dependencies: list[Dependency] = []
    for path in resolver.workspace.files_with(_FRAMEWORK):
        module = resolver.workspace.module(path)
        if module is None:
            continue
        scopes = FileScopes(resolver.workspace.parsed(path), module, resolver)
        for site in scopes.calls:
            dependencies.extend(_dependency(scopes, site, path))
    return Captures(tuple(dependencies), web.table(resolver.workspace).routes)


def _key(function: FunctionEntity) -> str:
    return f"{function.path}:{function.qualname}"


def _dependency(scopes: FileScopes, site: Site, path: Path) -> Iterator[Dependency]:
    call = site.node
    assert isinstance(call, ast.Call)
    if last_name(call) not in ("Depends", "Security") or not call.args:
        return
    maker = scopes.resolve(call.func, site.scope)
    if not isinstance(maker, External) or maker.root != "fastapi":
        return
    provider = scopes.resolve(call.args[0], site.scope)
    if not isinstance(provider, FunctionEntity):
        return
    holder = ""
    for node in site.chain:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and site.scope.node is None:
            holder = f"{path}:{node.name}"
    yield Dependency(provider, path, site.unit.span(call.args[0]), holder)
