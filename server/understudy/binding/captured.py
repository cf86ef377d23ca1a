"""Functions that a framework keeps when a module is imported: FastAPI's dependencies and routes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.doubles.library import web
from understudy.doubles.state import last_name
from understudy.facts import model
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
    if not isinstance(entity, ValueEntity) or not isinstance(entity.declaration.value, model.CallTerm):
        return False
    maker = entity.declaration.value.func
    return isinstance(maker, model.Ref) and maker.parts[-1] == "FastAPI"


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
