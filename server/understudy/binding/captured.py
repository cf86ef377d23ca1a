"""Functions that something keeps when a module is imported: FastAPI's dependencies, routes, the registries of
decorators, tables and lists that statements fill, and signals."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.doubles.library import web
from understudy.facts import model
from understudy.index.module import Module
from understudy.infer import objects
from understudy.infer.entities import ClassEntity, External, FunctionEntity, ValueEntity
from understudy.infer.resolve import Resolver
from understudy.infer.scopes import FileScopes, LocalNames, Scope, Site
from understudy.source.dotted import dotted_parts, last_name
from understudy.source.span import Span

_SIGNALLING = frozenset({"blinker", "celery", "django", "flask"})
_TABLES = ("dict", "defaultdict", "OrderedDict")
_FILLING = {
    "append": ("list", "deque"),
    "add": ("set",),
    "setdefault": _TABLES,
    "update": _TABLES,
}
"""Methods that keep what they are given, and of what."""
_REGISTERS = re.compile(
    rb"(?:^|;[ \t]*)[A-Za-z_\x80-\xff][\w.\x80-\xff]*(?:[ \t]*[(\[]|[ \t]*=[^=\n]*\][ \t]*=)", re.MULTILINE
)
"""What is in every file that has a call, or sets a key of a table, as a statement at the top level."""
_INCLUDED = "+"
_ROUTERS = ("APIRouter", "FastAPI")
_FRAMEWORK = re.compile(rb"\b(?:Depends|Security)\(")


@dataclass(frozen=True)
class Dependency:
    """``Depends(function)`` in the header of a function."""

    provider: FunctionEntity
    path: Path
    span: Span
    holder: str
    """What depends on it, with its file: the qualified name of a function, or ``=`` and the variable of a router or an
    app, with ``+`` behind it where the router is included; empty when it is not known."""


@dataclass(frozen=True)
class Captures:
    """All dependencies and routes of a workspace."""

    dependencies: tuple[Dependency, ...]
    routes: tuple[web.Route, ...]
    includes: Mapping[str | None, Sequence[web.Include]]
    """Where routers are included, by their variables."""

    def of_request(
        self, resolver: Resolver, method: str, path: str, provider: FunctionEntity
    ) -> Dependency | None:
        """The ``Depends`` through which a request certainly reaches ``provider``."""
        verb = "websocket" if method == "websocket_connect" else method
        routes = [route for route in self.routes if route.may_answer(verb, path.partition("?")[0])]
        found: Dependency | None = None
        for route in routes:
            found = self._reaching(_key(route.function), provider, set())
            for holder in self._around(resolver, route):
                found = found or self._reaching(holder, provider, set())
            if found is None:
                return None
        return found

    def _around(self, resolver: Resolver, route: web.Route) -> Iterator[str]:
        """The router of a route, and all that include it: their dependencies are solved for each of its requests."""
        waiting = [resolver.ref(route.module, route.owner)]
        seen: set[str] = set()
        while waiting:
            holder = _variable(waiting.pop())
            if holder is None or holder in seen:
                continue
            seen.add(holder)
            yield holder
            ways = self.includes.get(holder, ())
            if len(ways) == 1:
                # Of several ways, a request takes one.
                yield holder + _INCLUDED
                waiting.append(resolver.ref(ways[0].module, ways[0].parent))

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
    workspace = resolver.workspace
    return workspace.derived("binding.captures", lambda: _captures(Resolver(workspace)))


def is_app(entity: object) -> bool:
    """Is this a variable that holds ``FastAPI(…)``?"""
    return _is_made_by(entity, "FastAPI")


def _is_made_by(entity: object, *classes: str) -> bool:
    if not isinstance(entity, ValueEntity) or not isinstance(entity.declaration.value, model.CallTerm):
        return False
    maker = entity.declaration.value.func
    return isinstance(maker, model.Ref) and maker.parts[-1] in classes


@dataclass(frozen=True)
class Registration:
    """What has kept a function since an import."""

    text: str
    """As it is written: ``@on``, ``saved.connect``, ``HANDLERS['paid']``."""
    path: Path
    span: Span
    importer: Path
    """The file whose import keeps it."""


def registrars(resolver: Resolver, loaded: Iterable[Path]) -> list[Path]:
    """Those of some files of which a statement at the top level may keep a function."""
    workspace = resolver.workspace
    workspace.depend_on((_REGISTERS,))
    return sorted(
        path for path in loaded if workspace.matches(_REGISTERS, path) and path.is_relative_to(workspace.root)
    )


def registered(resolver: Resolver, function: FunctionEntity, paths: Iterable[Path]) -> Registration | None:
    """The decorator of a function that keeps the function itself when its module is imported, or the statement of a
    module that puts it into a table, a list or a set, or connects it to a signal.

    :param paths: the files whose statements count: the :func:`registrars` among those that are imported before.
    """
    for term in function.declaration.decorators:
        made = term.func if isinstance(term, model.CallTerm) else term
        if not isinstance(made, model.Ref):
            continue
        text = f"@{'.'.join(made.parts)}"
        if _connects(resolver, function.module, made.parts):
            return Registration(text, function.path, function.span, function.path)
        kept = _kept_by(resolver, function.module, made.parts, is_called=isinstance(term, model.CallTerm))
        if kept is not None:
            return Registration(text, *kept, function.path)
    handed_on = _handed_on(function.name)
    workspace = resolver.workspace
    workspace.depend_on((handed_on,))
    for path in paths:
        if workspace.matches(handed_on, path):
            found = _registered_in(resolver, path, function)
            if found is not None:
                return found
    return None


def _handed_on(name: str) -> re.Pattern[bytes]:
    """What is in every file whose statements could keep a function: its name at the end of an argument or of a value in
    a table, or at the end of an assignment. Its calls, definition and imports, which most files have, are not it."""
    word = re.escape(name.encode())
    inside = rb"\b" + word + rb"(?:[\s\\]|#[^\n]*)*[,)}]"
    return re.compile(inside + rb"|[=.][\s\\]*" + word + rb"[ \t\f]*(?:[#;\\\r\n]|\Z)")


def _registered_in(resolver: Resolver, path: Path, function: FunctionEntity) -> Registration | None:
    """The statement of a module that keeps a function."""
    module = resolver.workspace.module(path)
    parsed = resolver.workspace.readable(path)
    if module is None or parsed is None:
        return None
    names = LocalNames(module, resolver)
    for unit in parsed.units:
        if unit.name is not None:
            continue
        if isinstance(unit.node, ast.Assign):
            holders, given = _subscripted(unit.node), [unit.node.value]
        elif isinstance(unit.node, ast.Expr) and isinstance(unit.node.value, ast.Call):
            holders, given = [unit.node.value], _given(unit.node.value)
        else:
            continue
        if not holders or not any(_last(node) == function.name for node in given):
            continue
        top = Scope(None, None)
        if any(_last(node) == function.name and names.resolve(node, top) == function for node in given):
            for holder in holders:
                if _is_kept_in(names, holder, top):
                    text = ast.unparse(holder.func if isinstance(holder, ast.Call) else holder)
                    return Registration(text, path, unit.span(holder), path)
    return None


def _subscripted(node: ast.Assign) -> list[ast.expr]:
    return [target for target in node.targets if isinstance(target, ast.Subscript)]


def _given(call: ast.Call) -> list[ast.expr]:
    """What a call may keep: its arguments, and the values of a table among them."""
    found: list[ast.expr] = []
    for argument in call.args:
        found.extend(argument.values if isinstance(argument, ast.Dict) else [argument])
    return found


def _last(node: ast.expr) -> str | None:
    return last_name(node) if isinstance(node, (ast.Name, ast.Attribute)) else None


def _is_kept_in(names: LocalNames, holder: ast.expr, top: Scope) -> bool:
    """Does ``TABLE[key] = f``, ``TABLE.update({…})``, ``LIST.append(f)``, ``signal.connect(f)`` or ``register(f)`` keep
    what it is given?"""
    resolver, module = names.resolver, names.module
    if isinstance(holder, ast.Subscript):
        return _is_container(resolver, names.resolve(holder.value, top), _TABLES)
    assert isinstance(holder, ast.Call)
    parts = dotted_parts(holder.func)
    if parts is None:
        return False
    if len(parts) > 1 and isinstance(holder.func, ast.Attribute):
        kinds = _FILLING.get(parts[-1])
        if kinds is not None and _is_container(resolver, names.resolve(holder.func.value, top), kinds):
            return True
        if parts[-1] == "connect" and _connects(resolver, module, parts):
            return True
    return len(holder.args) == 1 and _kept_by(resolver, module, parts, is_called=False) is not None


def _is_container(resolver: Resolver, found: object, kinds: tuple[str, ...]) -> bool:
    """Is this a variable that holds a table, a list or a set of Python's own?"""
    if not isinstance(found, ValueEntity) or not found.module.workspace:
        return False
    value = found.declaration.value
    if isinstance(value, model.DictTerm):
        return "dict" in kinds
    if isinstance(value, model.SequenceTerm):
        return "list" in kinds
    return (
        isinstance(value, model.CallTerm)
        and isinstance(value.func, model.Ref)
        and value.func.parts[-1] in kinds
        and not isinstance(resolver.ref(found.module, value.func.parts), (FunctionEntity, ClassEntity))
    )


def _connects(resolver: Resolver, module: Module, parts: tuple[str, ...]) -> bool:
    """``signal.connect`` of blinker, Django or Celery; ``receiver(signal)`` of Django."""
    if len(parts) < 2 or parts[-1] not in ("connect", "connect_via"):
        found = resolver.ref(module, parts)
        return isinstance(found, External) and found.root == "django" and found.name == "receiver"
    found = resolver.ref(module, parts[:-1])
    if isinstance(found, ValueEntity):
        value = found.declaration.value
        if not isinstance(value, model.CallTerm) or not isinstance(value.func, model.Ref):
            return False
        found = resolver.ref(found.module, value.func.parts)
    root = found.root if isinstance(found, External) else ""
    if isinstance(found, (FunctionEntity, ClassEntity, ValueEntity)) and not found.module.workspace:
        root = found.module.name.partition(".")[0]
    return root in _SIGNALLING


def _kept_by(
    resolver: Resolver, module: Module, parts: tuple[str, ...], *, is_called: bool
) -> tuple[Path, Span] | None:
    """Where a function of the workspace keeps what it is given."""
    decorator = _decorator(resolver, module, parts)
    if decorator is None:
        return None
    for unit in resolver.workspace.parsed(decorator.path).units:
        for node in ast.walk(unit.node):
            if isinstance(node, ast.FunctionDef) and unit.name_span(node) == decorator.span:
                kept = _keeps(node, decorator.owner is not None, is_called)
                if kept is not None:
                    return decorator.path, unit.span(kept)
    return None


def _decorator(resolver: Resolver, module: Module, parts: tuple[str, ...]) -> FunctionEntity | None:
    """``register``, or ``registry.register`` where ``registry`` is an object of a class of the workspace."""
    found = resolver.ref(module, parts)
    if not isinstance(found, FunctionEntity) and len(parts) > 1:
        holder = resolver.ref(module, parts[:-1])
        cls = objects.class_of(resolver, holder) if isinstance(holder, ValueEntity) else None
        found = resolver.class_attribute(cls, parts[-1]) if cls is not None else found
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
        names = LocalNames(module, resolver)
        for site in FileScopes(resolver.workspace.parsed(path), words=web.DEPENDS).calls_of(*web.DEPENDS):
            dependencies.extend(_dependency(names, site, path))
    known = web.table(resolver.workspace)
    includes: dict[str | None, list[web.Include]] = {}
    for include in known.includes:
        includes.setdefault(_variable(resolver.ref(include.module, include.child)), []).append(include)
    return Captures(tuple(dependencies), known.routes, includes)


def _variable(found: object) -> str | None:
    """The variable of a router or an app, with its file."""
    if not isinstance(found, ValueEntity) or found.owner is not None:
        return None
    return f"{found.path}:={found.declaration.target}"


def _key(function: FunctionEntity) -> str:
    return f"{function.path}:{function.qualname}"


def _dependency(names: LocalNames, site: Site, path: Path) -> Iterator[Dependency]:
    call = site.node
    assert isinstance(call, ast.Call)
    if not call.args:
        return
    maker = names.resolve(call.func, site.scope)
    if not isinstance(maker, External) or maker.root != "fastapi":
        return
    provider = names.resolve(call.args[0], site.scope)
    if not isinstance(provider, FunctionEntity):
        return
    yield Dependency(provider, path, site.unit.span(call.args[0]), _holder(names, site, path))


def _holder(names: LocalNames, site: Site, path: Path) -> str:
    """What a ``Depends`` belongs to: see :attr:`Dependency.holder`."""
    holder = ""
    if site.scope.node is not None:
        return holder
    for node in site.chain:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            holder = f"{path}:{node.name}"
        elif (
            isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        ):
            if last_name(node.value) in _ROUTERS:
                holder = f"{path}:={node.targets[0].id}"
        elif isinstance(node, ast.Call) and last_name(node) == "include_router" and node.args:
            included = _variable(names.resolve(node.args[0], site.scope))
            holder = included + _INCLUDED if included is not None else ""
    return holder
