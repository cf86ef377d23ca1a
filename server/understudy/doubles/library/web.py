"""FastAPI and Flask as far as a test meets them: a request through a test client runs a route with its dependencies,
overridden or not (``fastapi.dependencies.utils.solve_dependencies``; Starlette's ``TestClient`` and httpx's
``ASGITransport`` raise what the route raises; Flask does only where ``TESTING`` is set).

Routes are read from decorators at module level, from ``include_router`` and ``register_blueprint``. What may answer in
the route's place (a required parameter that is not sent, a dependency that may refuse, a middleware) makes what follows
uncertain, unless the test asserts that the request succeeds. What is not followed may look any name up.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from understudy.doubles import trace
from understudy.doubles.arguments import Arguments
from understudy.doubles.library.played import OwnObject
from understudy.doubles.state import Guard, Misuse, Raised
from understudy.doubles.values import (
    UNKNOWN,
    ClassValue,
    Coroutine,
    Environment,
    Foreign,
    FunctionValue,
    Generator,
    Literal,
    Mapping_,
    Mock,
    MockKind,
    Node,
    Place,
    Unknown,
    Value,
)
from understudy.doubles.versions import behaviour
from understudy.facts import model
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.entities import External, FunctionEntity, ValueEntity
from understudy.source.dotted import last_name

if TYPE_CHECKING:
    from understudy.doubles.objects import Objects as Machine

DEPENDS = ("Depends", "Security")
"""What marks a parameter, or a route, as one with a dependency."""
OVERRIDES = "dependency_overrides"
"""The attribute of an application with what tests put in the place of dependencies."""
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "options", "head"})
_ROUTES = re.compile(
    rb"^@[\w.]+\.(?:get|post|put|patch|delete|options|head|websocket|route)\("
    rb"|\b(?:include_router|register_blueprint)\(",
    re.MULTILINE,
)
_ANSWERING = re.compile(
    rb"\.middleware\(|BaseHTTPMiddleware|add_exception_handler|exception_handler\((?:TypeError|AttributeError)"
    rb"|\bbefore_request\b|\bbefore_app_request\b|\berrorhandler\(|\bregister_error_handler\(|\bwsgi_app\s*="
)
"""What may answer for a route that raises."""
_BESIDES = re.compile(rb"\bdependencies\s*=|\badd_middleware\(|\blifespan\b|\bon_event\(|\bafter_request\b")
"""What may run before or after a route."""
_CONVERTER = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
_REFUSALS = ("HTTPException", "RequestValidationError", "WebSocketException")
_INCLUDING = {"include_router": "prefix", "register_blueprint": "url_prefix"}
"""Methods that put the routes of another object below a prefix, and its keyword."""
_PLACEHOLDER = "0"
"""Stands for what an f-string puts into a path."""


@dataclass(eq=False, slots=True)
class App(OwnObject):
    """A ``FastAPI`` or an ``APIRouter``, a ``Flask`` or a ``Blueprint``. Slots: ``("override", id of a node)``,
    ``included``."""

    prefix: str | None
    """None when it is not known."""
    slots: dict[object, object]
    is_flask: bool = False


@dataclass(eq=False, slots=True)
class Overrides(OwnObject):
    """``app.dependency_overrides``."""

    app: App


@dataclass(eq=False, slots=True)
class Depends(OwnObject):
    """``Depends(target)``."""

    target: Value | None


@dataclass(eq=False, slots=True)
class Transport(OwnObject):
    """``httpx.ASGITransport(app=app)``."""

    app: App


@dataclass(eq=False, slots=True)
class Client(OwnObject):
    """``TestClient(app)``, ``httpx.AsyncClient(transport=ASGITransport(app=app))``, ``app.test_client()``."""

    app: App
    is_async: bool


@dataclass(frozen=True, slots=True)
class Route:
    """``@router.get("/path")`` or ``@blueprint.route("/path")`` above a function of a module."""

    module: Module
    owner: tuple[str, ...]
    verb: str
    path: str
    """With parameters as Starlette writes them: ``/orders/{number:int}``."""
    written: str
    """The same as the code has it."""
    function: FunctionEntity
    is_plain: bool
    """No other decorator may run instead of the function."""

    def may_answer(self, verb: str, path: str) -> bool:
        """May a request lead here? What routers that include others put before the path is not looked at."""
        return self.verb == verb and re.search(f"(?:{_template(self.path).pattern})$", path) is not None


@dataclass(frozen=True, slots=True)
class Include:
    module: Module
    parent: tuple[str, ...]
    child: tuple[str, ...]
    prefix: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """What the files of a workspace say of routes."""

    routes: tuple[Route, ...]
    includes: tuple[Include, ...]
    answered: bool
    """May something answer for a route that raises?"""
    accompanied: bool
    """May code run besides a route and its dependencies?"""


# --- making --------------------------------------------------------------------------------------------------------


def call(machine: Machine, entity: External, arguments: Arguments) -> Value | None:
    """The classes and functions of the libraries; None for others."""
    if entity.root == "fastapi" and entity.name in ("FastAPI", "APIRouter"):
        prefix = arguments.keywords.get("prefix", Literal(""))
        return App(_text(prefix), {})
    if entity.root == "flask" and entity.name in ("Flask", "Blueprint"):
        return App(_text(arguments.keywords.get("url_prefix", Literal(""))), {}, is_flask=True)
    if entity.root == "fastapi" and entity.name in DEPENDS:
        return Depends(arguments.get(0, "dependency"))
    if entity.root in ("fastapi", "starlette") and entity.name == "TestClient":
        app = arguments.get(0, "app")
        known = not arguments.is_open and set(arguments.keywords) <= {"app", "base_url", "headers", "cookies"}
        return Client(app, is_async=False) if isinstance(app, App) and known else None
    if entity.dotted in ("httpx.ASGITransport", "httpx._transports.asgi.ASGITransport"):
        app = arguments.get(0, "app")
        known = not arguments.is_open and set(arguments.keywords) <= {"app"}
        return Transport(app) if isinstance(app, App) and known else None
    if entity.root == "httpx" and entity.name in ("AsyncClient", "Client"):
        transport = arguments.keywords.get("transport")
        if isinstance(transport, Transport):
            return Client(transport.app, is_async=entity.name == "AsyncClient")
    return None


def _text(value: Value | None) -> str | None:
    return value.value if isinstance(value, Literal) and isinstance(value.value, str) else None


# --- methods -------------------------------------------------------------------------------------------------------


def call_method(
    machine: Machine, receiver: OwnObject, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value | None:
    """A method of an app, its overrides or a client; None for other objects."""
    if isinstance(receiver, App):
        return _call_app(machine, receiver, name, arguments)
    if isinstance(receiver, Overrides):
        return _call_overrides(machine, receiver.app, name, arguments)
    if isinstance(receiver, Client):
        return _call_client(machine, receiver, name, arguments, node, env)
    return None


def _call_app(machine: Machine, app: App, name: str, arguments: Arguments) -> Value:
    if name == "test_client" and app.is_flask:
        return UNKNOWN if arguments.values or arguments.is_open else Client(app, is_async=False)
    if name in _INCLUDING and arguments.values:
        child, prefix = arguments.values[0], _text(arguments.keywords.get(_INCLUDING[name], Literal("")))
        known = app.slots.get("included", ())
        if isinstance(child, App) and isinstance(known, tuple):
            machine.write(app.slots, "included", (*known, (child, prefix)))
    return Foreign(f"{'flask' if app.is_flask else 'fastapi'}.{name}()")


def _call_overrides(machine: Machine, app: App, name: str, arguments: Arguments) -> Value:
    if name in ("clear", "pop", "popitem"):
        wanted = _key_of(arguments.get(0, "key"))
        for key in list(app.slots):
            if isinstance(key, tuple) and key[0] == "override":
                if name == "clear" or wanted is None or key[1] == wanted:
                    machine.delete(app.slots, key)
    elif name == "update":
        forget(machine, Overrides(app))
    return UNKNOWN


def _key_of(target: Value | None) -> object:
    """What an override of a function or a class is known by; None for anything else."""
    if isinstance(target, FunctionValue):
        return id(target.node)
    return target.entity.key if isinstance(target, ClassValue) else None


def forget(machine: Machine, overrides: Overrides) -> Callable[[], None]:
    """From here on the overrides are not known; how to take it back."""
    return machine.put(overrides.app.slots, "unknown", True)


def override(
    machine: Machine, overrides: Overrides, target: Value, value: Value, place: Place, env: Environment
) -> Callable[[], None]:
    """``app.dependency_overrides[target] = value``; how to take it back."""
    key = _key_of(target)
    if key is None:
        return forget(machine, overrides)
    if isinstance(value, Mock) and _asks_for_arguments(machine, value):
        name = target.entity.name if isinstance(target, ClassValue) else ""
        name = target.name if isinstance(target, FunctionValue) else name
        machine.note(env, Misuse.OVERRIDE, value, place.node, _given_by(value), name)
    leave = machine.put(overrides.app.slots, ("override", key), value)
    machine.give(value, place)
    return leave


def _given_by(mock: Mock) -> str:
    """What a test means a double to give as a dependency, after its name: what its call returns, where the test has
    looked at that, or else the double itself."""
    if not mock.slots.keys() & {"return_value", "side_effect"}:
        return ""
    return ".return_value" if mock.kind is MockKind.ASYNC else "()"


def _asks_for_arguments(machine: Machine, mock: Mock) -> bool:
    """Is the signature of a double ``(*args, **kwargs)``? ``inspect.signature`` says so of all but those that are
    autospecced, have a class of their own or are given a ``__signature__``. FastAPI takes both for required parameters
    of the query (``fastapi.dependencies.utils.get_typed_signature``, 0.165)."""
    version = behaviour(machine.workspace.target_version)
    if mock.kind is MockKind.ASYNC and not version.async_mock_has_signature:
        return False
    if (
        mock.kind is not MockKind.ASYNC
        and mock.spec is not None
        and isinstance(mock.spec.entity, FunctionEntity)
    ):
        # It is looked at as a function, which raises something else.
        return False
    return (
        mock.plain
        and mock.kind in (MockKind.MOCK, MockKind.MAGIC, MockKind.ASYNC)
        and mock.cls is None
        and (mock.spec is None or not (mock.spec.auto or mock.spec.as_function))
        and ".__signature__" not in mock.slots
    )


def replace_overrides(machine: Machine, app: App, value: Value) -> None:
    """``app.dependency_overrides = {…}``."""
    _call_overrides(machine, app, "clear", Arguments())
    if not isinstance(value, Mapping_) or value.is_open or value.held:
        forget(machine, Overrides(app))


def enter(machine: Machine, client: Client) -> None:
    """``with TestClient(app)`` starts the application."""
    if table(machine.workspace).accompanied and not client.app.is_flask:
        trace.lost(machine)


# --- requests ------------------------------------------------------------------------------------------------------


def _call_client(
    machine: Machine, client: Client, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value:
    response = Foreign("httpx.Response()")
    if name not in _VERBS:
        trace.lost(machine)
        return Coroutine(lambda: response, Place(env.unit, node)) if client.is_async else UNKNOWN
    path = _path(arguments)
    found = _find(machine, client.app, name, path) if path is not None else None

    def run() -> Value:
        if found is None or "unknown" in client.app.slots:
            # Whatever runs may call the doubles in any way.
            trace.lost(machine)
            machine.may_raise()
        else:
            if table(machine.workspace).accompanied:
                trace.lost(machine)
            _Request(machine, client.app, node, env, found).run()
        return response

    return Coroutine(run, Place(env.unit, node)) if client.is_async else run()


def _path(arguments: Arguments) -> str | None:
    """The path of the first argument, without host and query."""
    value, node = arguments.get(0, "url"), arguments.node(0, "url")
    text = _text(value)
    if text is None and isinstance(node, ast.JoinedStr):
        text = "".join(
            str(part.value) if isinstance(part, ast.Constant) else _PLACEHOLDER for part in node.values
        )
    if text is None:
        return None
    text = re.sub(r"^https?://[^/]*", "", text)
    return re.split(r"[?#]", text, maxsplit=1)[0] or "/"


def table(workspace: Workspace) -> Table:
    """The routes of a workspace; read once until a file with routes changes."""
    return workspace.derived("doubles.web", lambda: _read(workspace))


def _read(workspace: Workspace) -> Table:
    routes: list[Route] = []
    includes: list[Include] = []
    for path in workspace.files_with(_ROUTES):
        module = workspace.module(path)
        if module is None:
            continue
        for row, declaration in module.declarations():
            if isinstance(declaration, model.Function):
                routes.extend(_routes(module, row, declaration))
            elif isinstance(declaration, model.Expression):
                include = _include(module, declaration.value)
                if include is not None:
                    includes.append(include)
    answered, accompanied = (bool(workspace.files_with(pattern)) for pattern in (_ANSWERING, _BESIDES))
    return Table(tuple(routes), tuple(includes), answered, accompanied)


def _routes(module: Module, row: int, declaration: model.Function) -> Iterator[Route]:
    written: list[tuple[tuple[str, ...], str, str]] = []
    others = len(declaration.decorators)
    for decorator in declaration.decorators:
        if not isinstance(decorator, model.CallTerm) or not isinstance(decorator.func, model.Ref):
            continue
        *owner, verb = decorator.func.parts
        path = decorator.args[0] if decorator.args else decorator.keyword("path") or decorator.keyword("rule")
        if not owner or not isinstance(path, model.Const) or not isinstance(path.value, str):
            continue
        if verb in _VERBS or verb in ("websocket", "route"):
            others -= 1
            methods = _methods(decorator) if verb == "route" else [verb]
            written.extend((tuple(owner), method, path.value) for method in methods)
    entity = FunctionEntity(module, declaration, row, declaration.name)
    for parts, verb, text in written:
        template = _CONVERTER.sub(_converted, text)
        yield Route(module, parts, verb, template, text, entity, is_plain=not others)


def _methods(decorator: model.CallTerm) -> list[str]:
    """``methods=["GET", "POST"]`` of Flask."""
    given = decorator.keyword("methods")
    if given is None:
        return ["get"]
    items = given.items if isinstance(given, model.SequenceTerm) else ()
    return [
        item.value.lower() for item in items if isinstance(item, model.Const) and isinstance(item.value, str)
    ]


def _converted(match: re.Match[str]) -> str:
    """``<int:number>`` of Flask as ``{number:int}``."""
    return f"{{{match[2]}:{match[1]}}}" if match[1] else f"{{{match[2]}}}"


def _include(module: Module, term: model.Term) -> Include | None:
    if not isinstance(term, model.CallTerm) or not isinstance(term.func, model.Ref) or not term.args:
        return None
    *parent, name = term.func.parts
    child = term.args[0]
    if name not in _INCLUDING or not parent or not isinstance(child, model.Ref):
        return None
    prefix = term.keyword(_INCLUDING[name])
    known = prefix.value if isinstance(prefix, model.Const) else None if prefix is not None else ""
    return Include(module, tuple(parent), child.parts, known if isinstance(known, str) else None)


@dataclass(frozen=True)
class _Served:
    """The routes of a workspace with the objects that they and their routers are."""

    routes: dict[str, list[tuple[Route, App]]]
    """By verb."""
    ways: dict[int, list[tuple[App, str | None]]]
    """By ``id`` of what is included: where, and below which prefix."""


def _served(machine: Machine) -> _Served:
    """Worked out for the first request: variables of modules are the same for all tests."""
    known = machine.memo.get("web.served")
    if isinstance(known, _Served):
        return known
    made = machine.memo["web.served"] = _Served({}, {})
    listed = table(machine.workspace)
    for route in listed.routes:
        owner = _object(machine, route.module, route.owner)
        if isinstance(owner, App):
            made.routes.setdefault(route.verb, []).append((route, owner))
    for include in listed.includes:
        parent, child = (_object(machine, include.module, each) for each in (include.parent, include.child))
        if isinstance(parent, App) and isinstance(child, App):
            made.ways.setdefault(id(child), []).append((parent, include.prefix))
    return made


def _find(machine: Machine, app: App, verb: str, path: str) -> Route | None:
    """The route that answers a request; None when it is not certainly one."""
    if table(machine.workspace).answered:
        return None
    served = _served(machine)
    prefixes: dict[int, list[str]] = {}
    found: list[Route] = []
    for route, owner in served.routes.get(verb, ()):
        if id(owner) not in prefixes:
            prefixes[id(owner)] = list(_prefixes(served, owner, app, ()))
        for prefix in prefixes[id(owner)]:
            if _template(f"{prefix}{route.path}").fullmatch(path):
                found.append(route)
    if len({(str(route.module.path), route.owner) for route in found}) != 1:
        return None
    if app.is_flask:
        # The one with the fewest parameters answers.
        fewest = min(route.path.count("{") for route in found)
        found = [route for route in found if route.path.count("{") == fewest]
        if len(found) > 1:
            return None
    # The first that was registered answers; between routers, that order is not known.
    return found[0] if found[0].is_plain else None


def _object(machine: Machine, module: Module, parts: tuple[str, ...]) -> Value:
    found = machine.resolver.ref(module, parts)
    return machine.original(found) if isinstance(found, ValueEntity) else UNKNOWN


def _prefixes(served: _Served, owner: App, app: App, seen: tuple[App, ...]) -> Iterator[str]:
    """What stands before the paths of ``owner`` in ``app``, once for each way that it is included."""
    if owner.prefix is None or owner in seen:
        return
    if owner is app:
        yield owner.prefix
        return
    for parent, prefix in served.ways.get(id(owner), ()):
        for before in _prefixes(served, parent, app, (*seen, owner)):
            if prefix is not None:
                yield f"{before}{_below(prefix, owner)}"
    included = app.slots.get("included", ())
    for child, prefix in included if isinstance(included, tuple) else ():
        if child is owner and prefix is not None:
            yield _below(prefix, owner)


def _below(prefix: str, owner: App) -> str:
    """What an included object's paths begin with: Flask's own prefix holds only where no other is given."""
    return (prefix or owner.prefix or "") if owner.is_flask else f"{prefix}{owner.prefix}"


_PARAMETERS = {"path": ".+", "int": "[0-9]+"}


@lru_cache(4096)
def _template(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+(?::\w+)?\})", path)
    return re.compile(
        "".join(
            _PARAMETERS.get(part[1:-1].partition(":")[2], "[^/]+")
            if part.startswith("{")
            else re.escape(part)
            for part in parts
        )
    )


class _Refused(Exception):
    """FastAPI answers the request itself: nothing of it runs from here on."""


class _Request:
    """One request: its dependencies are solved once each."""

    def __init__(self, machine: Machine, app: App, node: Node, env: Environment, route: Route) -> None:
        self.machine = machine
        self.app = app
        self.node = node
        self.env = env
        self.route = route
        self.in_path = frozenset(re.findall(r"\{(\w+)", route.path))
        self.solved: dict[object, Value] = {}

    def run(self) -> None:
        function = self.machine.raw_function(self.route.function)
        if function is None:
            return
        # Flask may answer for any exception.
        guard = Guard(None if self.app.is_flask else _REFUSALS)
        try:
            if not self.machine.guards and _succeeds(self.env, self.node):
                # A test is meant to pass: nothing refuses the request.
                self._called(function)
            else:
                self.machine.guarded(guard, lambda: self._perhaps(function))
        except _Refused:
            return
        except Raised as raised:
            if guard.catches(raised.name, raised.bases) is False:
                raise self.machine.again(raised) from None

    def _perhaps(self, function: FunctionValue) -> None:
        if self.app.is_flask:
            # Whatever runs before a view, or in it, may abort.
            self.machine.may_raise()
        self._called(function)

    def _called(self, function: FunctionValue) -> Value:
        """Call a route or a dependency with what its parameters depend on."""
        arguments = Arguments()
        node = function.node
        spec = node.args
        parameters = [*spec.posonlyargs, *spec.args]
        defaults: dict[str, ast.expr] = {}
        for parameter, default in zip(
            parameters[len(parameters) - len(spec.defaults) :], spec.defaults, strict=True
        ):
            defaults[parameter.arg] = default
        for parameter, keyword_default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            if keyword_default is not None:
                defaults[parameter.arg] = keyword_default
        outer = Environment(function.module, function.unit, {}, function.closure, frozenset())
        for parameter in [*parameters, *spec.kwonlyargs]:
            given = defaults.get(parameter.arg)
            depends = self._depends(parameter, given, outer)
            if depends is not None:
                arguments.keywords[parameter.arg] = self._solve(depends, parameter, outer)
            else:
                arguments.keywords[parameter.arg] = UNKNOWN
                if given is None and not self._is_sent(parameter):
                    # What the request lacks, or says wrongly, is refused before the route runs.
                    self.machine.may_raise()
        made = self.machine.call(function, arguments, self.node, self.env)
        if isinstance(made, Coroutine):
            return made.run()
        if isinstance(made, Generator):
            first = made.first()
            return first.value if first is not None else UNKNOWN
        return made

    def _is_sent(self, parameter: ast.arg) -> bool:
        """Is a parameter certainly there: a part of the path, the request itself, or what FastAPI makes?"""
        kind = last_name(parameter.annotation) if parameter.annotation is not None else None
        if parameter.arg in self.in_path:
            return self.app.is_flask or parameter.annotation is None or kind == "str"
        return kind in _GIVEN

    def _depends(self, parameter: ast.arg, default: ast.expr | None, env: Environment) -> Depends | None:
        if default is not None and isinstance(default, ast.Call) and last_name(default) in DEPENDS:
            with self.machine.unpatched():
                value = self.machine.eval(default, env)
            return value if isinstance(value, Depends) else None
        annotation: ast.expr | None = parameter.annotation
        if isinstance(annotation, ast.Name):
            found = self.machine.resolver.name(env.module, annotation.id)
            assignment = self.machine.assignment(found) if isinstance(found, ValueEntity) else None
            if assignment is not None and isinstance(found, ValueEntity):
                annotation = assignment[0]
                env = Environment(found.module, assignment[1], {}, None, frozenset())
        if isinstance(annotation, ast.Subscript) and last_name(annotation.value) == "Annotated":
            extras = annotation.slice.elts[1:] if isinstance(annotation.slice, ast.Tuple) else []
            for extra in extras:
                with self.machine.unpatched():
                    value = self.machine.eval(extra, env)
                if isinstance(value, Depends):
                    return value
        return None

    def _solve(self, depends: Depends, parameter: ast.arg, env: Environment) -> Value:
        target = depends.target
        if target is None and parameter.annotation is not None:
            target = self.machine.eval(parameter.annotation, env)
        key = _key_of(target)
        if target is None or key is None:
            return self._made(target or UNKNOWN)
        known = self.solved.get(key)
        if known is not None:
            return known
        replaced = self.app.slots.get(("override", key))
        made = self._made(replaced if isinstance(replaced, Value) else target)
        self.solved[key] = made
        return made

    def _made(self, target: Value) -> Value:
        if isinstance(target, FunctionValue):
            return self._called(target)
        if isinstance(target, Mock):
            if _asks_for_arguments(self.machine, target):
                raise _Refused
            made = self.machine.call(target, Arguments(), self.node, self.env)
            return made.run() if isinstance(made, Coroutine) else made
        if isinstance(target, (ClassValue, Unknown, Foreign)):
            # Parameters of its own, and reasons to refuse, are not known.
            self.machine.may_raise()
        return UNKNOWN


def _succeeds(env: Environment, node: Node) -> bool:
    """Does the test assert that the request is answered with success, or with some content?"""
    function = env.function.node if env.function is not None else None
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    names: set[str] = set()
    for statement in function.body:
        for child in ast.walk(statement):
            if isinstance(child, ast.Assign) and _is_request(child.value, node):
                names.update(target.id for target in child.targets if isinstance(target, ast.Name))
    stored = [
        child.id
        for statement in function.body
        for child in ast.walk(statement)
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)
    ]
    answers = {name for name in names if stored.count(name) == 1}
    return any(
        _asserts_success(
            child, lambda value: _is_request(value, node) or getattr(value, "id", None) in answers
        )
        for child in _certain(function.body)
    )


def _certain(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run one after another, also those under ``with``."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            yield from _certain(statement.body)


def _is_request(value: ast.expr, node: Node) -> bool:
    return value is node or (isinstance(value, ast.Await) and value.value is node)


def _asserts_success(statement: ast.stmt, is_answer: Callable[[ast.expr], bool]) -> bool:
    """``assert answer.status_code == 200``, ``assertEqual(answer.status_code, 200)``, ``answer.raise_for_status()``."""
    pairs: list[tuple[ast.expr, ast.expr]] = []
    if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare):
        if len(statement.test.ops) == 1 and isinstance(statement.test.ops[0], ast.Eq):
            pairs.append((statement.test.left, statement.test.comparators[0]))
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "raise_for_status":
            return is_answer(call.func.value)
        if last_name(call) == "assertEqual" and len(call.args) == 2:
            pairs.append((call.args[0], call.args[1]))
    return any(
        _is_success(one, other, is_answer)
        for left, right in pairs
        for one, other in ((left, right), (right, left))
    )


def _is_success(said: ast.expr, wanted: ast.expr, is_answer: Callable[[ast.expr], bool]) -> bool:
    if not isinstance(said, ast.Attribute) or said.attr != "status_code" or not is_answer(said.value):
        return False
    if isinstance(wanted, ast.Constant):
        return isinstance(wanted.value, int) and 200 <= wanted.value < 300
    return (last_name(wanted) or "").startswith("HTTP_2")


_GIVEN = frozenset(
    {"Request", "Response", "BackgroundTasks", "HTTPConnection", "WebSocket", "SecurityScopes"}
)
