"""What a simulated program can do with values, doubles first of all."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from understudy.doubles import library
from understudy.doubles.shapes import (
    ASSERTIONS,
    AWAIT_ASSERTIONS,
    AWAIT_RECORDS,
    COROUTINE_ATTRIBUTES,
    METHODS,
    RECORDS,
    Shapes,
)
from understudy.doubles.state import (
    Call,
    Exhausted,
    Failure,
    Guard,
    Misuse,
    Raised,
    State,
    Status,
    join,
    last_name,
)
from understudy.doubles.values import (
    UNKNOWN,
    BoundBuiltin,
    ClassValue,
    Coroutine,
    Environment,
    ExceptionValue,
    Foreign,
    FunctionValue,
    Instance,
    LibraryName,
    Literal,
    Managed,
    Mapping_,
    Mock,
    MockKind,
    ModuleValue,
    Node,
    Partial,
    Place,
    Sequence_,
    Spec,
    SuperValue,
    Unknown,
    Value,
)
from understudy.facts import model
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.entities import (
    Absent,
    ClassEntity,
    External,
    FunctionEntity,
    Lookup,
    ModuleEntity,
    ValueEntity,
)
from understudy.infer.resolve import Resolver
from understudy.infer.scopes import Scope
from understudy.infer.tier2 import Names
from understudy.source.parse import Unit
from understudy.source.span import Span
from understudy.source.text import SourceError

_STEPS = 6_000
"""For one test or fixture; a step is an expression, a statement or a call."""
_PLAIN_STEPS = 600
"""For a call of code under test that no double reaches."""
_DEPTH = 24
MOST_ITEMS = 40
"""Longer sequences are not followed item by item."""
_T = TypeVar("_T")
_ROUTE_MAKERS = frozenset({"FastAPI", "APIRouter", "Flask", "Blueprint", "Starlette", "Typer"})
_TRANSPARENT = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "override", "overload", "final", "deprecated", "wraps"}
)


class Arguments:
    """The arguments of a call, with the nodes that gave them."""

    __slots__ = ("is_open", "keyword_nodes", "keywords", "nodes", "values")

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.nodes: list[ast.expr | None] = []
        self.keywords: dict[str, Value] = {}
        self.keyword_nodes: dict[str, ast.expr] = {}
        self.is_open = False
        """True when ``*args`` or ``**kwargs`` of unknown content are among them."""

    @classmethod
    def of(cls, *values: Value) -> Arguments:
        made = cls()
        for value in values:
            made.values.append(value)
            made.nodes.append(None)
        return made

    def with_first(self, value: Value) -> Arguments:
        made = Arguments()
        made.values = [value, *self.values]
        made.nodes = [None, *self.nodes]
        made.keywords = self.keywords
        made.keyword_nodes = self.keyword_nodes
        made.is_open = self.is_open
        return made

    def get(self, index: int, name: str) -> Value | None:
        """An argument by position or name."""
        if name in self.keywords:
            return self.keywords[name]
        return self.values[index] if index < len(self.values) else None

    def node(self, index: int, name: str) -> ast.expr | None:
        if name in self.keyword_nodes:
            return self.keyword_nodes[name]
        return self.nodes[index] if index < len(self.nodes) else None

    def everything(self) -> list[Value]:
        return [*self.values, *self.keywords.values()]


@dataclass(frozen=True)
class Change:
    """What a fix would do to a mock: another kind, other children."""

    kind: MockKind | None = None
    children: Mapping[str, MockKind] = field(default_factory=dict)
    """Dotted path (``execute.return_value``) to the kind of mock that is set there."""


class Core(State):
    """What a simulated program can do with values: call them, look at their attributes, change them."""

    def __init__(
        self,
        workspace: Workspace,
        resolver: Resolver,
        is_test: Callable[[Path], bool],
        changes: Mapping[tuple[str, Span], Change] | None = None,
        tier2: Names | None = None,
    ) -> None:
        super().__init__()
        self.tier2 = tier2
        self.changes = changes or {}
        """What a fix would change about the mocks that are made at some places."""
        self.workspace = workspace
        self.resolver = resolver
        self.shapes = Shapes(resolver)
        self.is_test = is_test
        self.failures: list[Failure] = []
        self.possible: list[tuple[frozenset[int], Failure]] = []
        """Failures on paths that may not be taken, with the doubts."""
        self.settled: frozenset[int] = frozenset()
        """Doubts that an assertion of the test has answered."""
        self.called: dict[tuple[str, int], tuple[frozenset[int], ...]] = {}
        """By ``id`` of a mock: under which doubts it was called, each time."""
        self.overrides: dict[tuple[str, str], Value] = {}
        """Module globals that patches replaced, by file and name."""
        self.class_overrides: dict[tuple[str, str, str], Value] = {}
        self.globals: dict[tuple[str, str], Value] = {}
        self.alive: list[Mock] = []
        """Keeps called mocks from being collected: their ``id`` is a key."""
        self.steps = 0
        self.plain_limit: int | None = None
        self.unmet: set[tuple[str, Span]] = set()
        """Places where an exception is expected and nothing raised one."""
        self.cleanups: list[Callable[[], None]] = []
        self.handling: list[Raised] = []
        """The exceptions that the running ``except`` blocks handle."""
        self._functions: dict[FunctionEntity, tuple[ast.FunctionDef | ast.AsyncFunctionDef, Unit] | None] = {}
        self._locals: dict[int, tuple[ast.AST, frozenset[str]]] = {}

    # --- what the machine adds

    @abstractmethod
    def eval(self, node: ast.expr, env: Environment) -> Value:
        """The value of an expression."""

    @abstractmethod
    def block(self, body: list[ast.stmt], env: Environment) -> Status:
        """Run statements."""

    @abstractmethod
    def statement(self, node: ast.stmt, env: Environment) -> Status:
        """Run one statement."""

    @abstractmethod
    def enter(
        self, manager: Value, node: ast.expr, is_async: bool, env: Environment
    ) -> tuple[Value, Guard | None, Callable[[], None]]:
        """Enter a context manager: what it gives, what it may swallow, and how to leave it."""

    # --- failures and exceptions -----------------------------------------------------------------------------

    def fail(
        self,
        env: Environment,
        misuse: Misuse,
        subject: Value,
        node: Node,
        error: str,
        detail: str = "",
        exception: str = "TypeError",
    ) -> Value:
        """The runtime raises here because of a double. Raises in the simulated program where something may
        catch it; otherwise notes the failure and goes on as if it were mended."""
        failure = Failure(
            misuse,
            exception,
            subject,
            Place(env.unit, node),
            tuple(self.calls),
            self.is_test(env.unit.path),
            error,
            detail,
            _handed(subject),
        )
        if any(guard.catches(exception, ()) is not False for guard in self.guards):
            raise Raised(exception, (), failure)
        self.report(failure)
        return UNKNOWN

    def report(self, failure: Failure) -> None:
        subject = failure.subject
        if isinstance(subject, Coroutine) and subject.mock is not None:
            subject = subject.mock
        if isinstance(subject, Mock) and not subject.certain:
            return
        if self.certain:
            self.failures.append(failure)
        else:
            self.possible.append((frozenset(self.doubts), failure))

    def asserted_called(self, mock: Mock) -> None:
        """The test asserts that the mock was called: a test is meant to pass, so the only place that called it
        did run, and with it whatever else hung on the same doubts."""
        ways = set(self.called.get(("called", id(mock)), ()))
        if not self.certain or len(ways) != 1:
            return
        self.settled |= ways.pop()
        promoted = [failure for doubts, failure in self.possible if doubts <= self.settled]
        self.possible = [(doubts, failure) for doubts, failure in self.possible if not doubts <= self.settled]
        self.failures.extend(promoted)

    def may_fail(self) -> None:
        """Something happens that a test may expect to raise: inside ``pytest.raises``, what follows may not
        run."""
        if self.guards and self.guards[-1].expects:
            self.may_raise()

    def may_lack(self) -> None:
        """An attribute is looked up that may not be there: a handler for that says that it may happen."""
        if self.guards and "AttributeError" in (self.guards[-1].names or ()):
            self.may_raise()

    def may_raise(self) -> None:
        """Something unknown happens inside a ``try``: what follows in it may not run."""
        if self.guards and not self.guards[-1].doubts:
            self.guards[-1].doubts.append(self.doubt())

    def tick(self) -> None:
        self.steps += 1
        if self.steps > _STEPS:
            raise Exhausted
        if self.plain_limit is not None and self.steps > self.plain_limit:
            raise TooLong

    def guarded(self, guard: Guard, body: Callable[[], _T]) -> _T:
        self.guards.append(guard)
        try:
            return body()
        finally:
            self.guards.pop()
            self.settle(guard.doubts)

    def begin(self, journal: list[tuple[dict[Any, Any], Hashable, Any]]) -> None:
        """Start a test or fixture, whose changes are noted so that they can be taken back."""
        self.journal = journal
        self.failures, self.possible, self.settled = [], [], frozenset()
        self.doubts, self.guards, self.handling, self.calls = [], [], [], []
        self.early, self.returns = [[]], [[]]
        self.steps, self.plain_limit = 0, None
        self.unmet = set()

    def end(self) -> tuple[Failure, ...]:
        """What the test or fixture ran into."""
        self.journal = None
        return tuple(self.failures)

    # --- names -------------------------------------------------------------------------------------------------

    def local_names(self, node: ast.AST) -> frozenset[str]:
        known = self._locals.get(id(node))
        if known is None:
            known = (node, frozenset(Scope(node, None).names))
            self._locals[id(node)] = known
        return known[1]

    def lookup(self, env: Environment, name: str) -> Value:
        current: Environment | None = env
        while current is not None:
            found = current.names.get(name)
            if isinstance(found, Value):
                return found
            if name in current.local:
                return UNKNOWN
            current = current.parent
        return self.global_value(env.module, name)

    def global_value(self, module: Module, name: str) -> Value:
        """A module global as the code sees it now: patched, or as its own statement bound it."""
        key = (str(module.path), name)
        patched = self.overrides.get(key)
        if patched is not None:
            return patched
        known = self.globals.get(key)
        if known is None:
            self.globals[key] = UNKNOWN
            known = self.value_of(self.resolver.name(module, name), module)
            self.globals[key] = known
        return known

    def value_of(self, found: Lookup, module: Module) -> Value:
        if isinstance(found, ModuleEntity):
            if found.file.workspace:
                return ModuleValue(found.file)
            return LibraryName(External(found.file.name))
        if isinstance(found, External):
            return LibraryName(found)
        if isinstance(found, ClassEntity):
            return ClassValue(found)
        if isinstance(found, FunctionEntity):
            return self.function_value(found)
        if isinstance(found, ValueEntity):
            return self.variable(found)
        return UNKNOWN

    def variable(self, entity: ValueEntity) -> Value:
        """A module-level variable, evaluated where it is assigned."""
        node = self._assignment(entity)
        if node is None or entity.declaration.augmented:
            return UNKNOWN
        value, unit = node
        env = Environment(entity.module, unit, {}, None, frozenset())
        # It is bound when the module is imported: before any patch, and once for all tests.
        journal, self.journal = self.journal, None
        patched = self.overrides, self.class_overrides
        self.overrides, self.class_overrides = {}, {}
        try:
            made = self.eval(value, env)
            if isinstance(made, Mock) and entity.owner is None:
                self._module_level_configuration(entity, made, env)
        except Raised:
            made = UNKNOWN
        finally:
            self.journal = journal
            self.overrides, self.class_overrides = patched
        return made

    def _assignment(self, entity: ValueEntity) -> tuple[ast.expr, Unit] | None:
        try:
            parsed = self.workspace.parsed(entity.path)
        except SourceError:
            return None
        wanted = entity.declaration.statement.shifted(entity.row)
        for unit in parsed.units:
            if unit.row == entity.row:
                for node in ast.walk(unit.node):
                    if isinstance(node, (ast.Assign, ast.AnnAssign)) and unit.span(node) == wanted:
                        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                        if node.value is not None and isinstance(target, ast.Name):
                            return node.value, unit
        return None

    def _module_level_configuration(self, entity: ValueEntity, made: Mock, env: Environment) -> None:
        """Statements of the module that configure a module-level mock; elsewhere, by functions: not known."""
        name = entity.declaration.target
        env.names[name] = made
        for unit in self.workspace.parsed(entity.path).units:
            if isinstance(unit.node, (ast.Assign, ast.Expr)):
                target = unit.node.targets[0] if isinstance(unit.node, ast.Assign) else unit.node.value
                if isinstance(target, ast.Call) and any(_touches(node, name) for node in ast.walk(target)):
                    made.unsure = made.unsure or _root_name(target) != name
                if isinstance(target, (ast.Attribute, ast.Call)) and _root_name(target) == name:
                    inner = Environment(entity.module, unit, env.names, None, frozenset())
                    try:
                        self.statement(unit.node, inner)
                    except Raised:
                        made.unsure = True
            elif any(_touches(node, name) for node in ast.walk(unit.node)):
                made.unsure = True

    # --- functions of the workspace --------------------------------------------------------------------------

    def node_of(self, entity: FunctionEntity) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, Unit] | None:
        if entity not in self._functions:
            self._functions[entity] = self._node_of(entity)
        return self._functions[entity]

    def _node_of(self, entity: FunctionEntity) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, Unit] | None:
        try:
            parsed = self.workspace.parsed(entity.path)
        except SourceError:
            return None
        wanted = entity.span
        for unit in parsed.units:
            if unit.row != entity.row:
                continue
            for node in ast.walk(unit.node):
                if (
                    isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                    and node.name == entity.name
                    and unit.name_span(node) == wanted
                ):
                    return node, unit
        return None

    def raw_function(self, entity: FunctionEntity) -> FunctionValue | None:
        """The function itself, without its decorators."""
        found = self.node_of(entity)
        if found is None:
            return None
        return FunctionValue(found[0], found[1], entity.module, None, entity.name, entity, owner=entity.owner)

    def function_value(self, entity: FunctionEntity) -> Value:
        """What the name of a function is bound to, decorators applied as far as they are known."""
        function = self.raw_function(entity)
        if function is None:
            return UNKNOWN
        value: Value = function
        node = function.node
        assert not isinstance(node, ast.Lambda)
        for decorator in reversed(node.decorator_list):
            value = self._decorated(value, decorator, function)
        return value

    def _decorated(self, value: Value, decorator: ast.expr, function: FunctionValue) -> Value:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        env = Environment(function.module, function.unit, {}, None, frozenset())
        if isinstance(target, (ast.Name, ast.Attribute)):
            name = target.attr if isinstance(target, ast.Attribute) else target.id
            if name in _TRANSPARENT or name in ("property", "cached_property", "hybrid_property"):
                return value
            if name in ("contextmanager", "asynccontextmanager", "fixture"):
                return value
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                owner = self.resolver.name(function.module, target.value.id)
                if isinstance(owner, ValueEntity) and isinstance(owner.declaration.value, model.CallTerm):
                    maker = owner.declaration.value.func
                    if isinstance(maker, model.Ref) and maker.parts[-1] in _ROUTE_MAKERS:
                        return value
            found = self.eval(target, env)
            if isinstance(found, FunctionValue) and not found.is_async:
                wrapper: Value = found
                if isinstance(decorator, ast.Call):
                    wrapper = self.call(found, self.arguments(decorator, env), decorator, env)
                if isinstance(wrapper, FunctionValue) and not wrapper.is_async:
                    return self.call(wrapper, Arguments.of(value), decorator, env)
            if isinstance(found, LibraryName) and found.entity.root in ("pytest", "pytest_asyncio"):
                return value
        return UNKNOWN

    def call_function(
        self, function: FunctionValue, arguments: Arguments, node: Node, env: Environment
    ) -> Value:
        """Call a function of the workspace."""
        if function.bound is not None:
            arguments = arguments.with_first(function.bound)
        running = sum(1 for call in self.calls if call.function.node is function.node)
        if running > 1 or len(self.calls) > _DEPTH:
            self.escape(arguments.everything())
            return UNKNOWN
        if self.plain_limit is None and not self.is_test(function.unit.path) and not self.overrides:
            if not any(_carries_double(value) for value in arguments.everything()):
                return self._plain_call(function, arguments, node, env)
        self._hand_over(function, arguments, env)
        inner = self.bind(function, arguments)
        place = Place(env.unit, node)
        if isinstance(function.node, ast.Lambda):
            return self.run_bound(function, inner, place)
        if self._decorator_names(function) & {"contextmanager", "asynccontextmanager"}:
            return self._managed(function, inner, place)
        if function.entity is not None and function.entity.declaration.is_generator:
            self.escape(arguments.everything())
            return UNKNOWN
        if function.entity is None and any(
            isinstance(child, (ast.Yield, ast.YieldFrom)) for child in _own_nodes(function.node)
        ):
            self.escape(arguments.everything())
            return UNKNOWN
        if function.is_async:
            return Coroutine(lambda: self.run_bound(function, inner, place), place, function=function)
        return self.run_bound(function, inner, place)

    def _plain_call(
        self, function: FunctionValue, arguments: Arguments, node: Node, env: Environment
    ) -> Value:
        """A call that no double reaches: worth a short look for what it returns, and no more."""
        self.plain_limit = self.steps + _PLAIN_STEPS
        try:
            # The receiver is among the arguments already; the caller's function keeps its own.
            return self.call_function(replace(function, bound=None), arguments, node, env)
        except TooLong:
            self.escape(arguments.everything())
            return UNKNOWN
        finally:
            self.plain_limit = None

    def _decorator_names(self, function: FunctionValue) -> set[str]:
        if isinstance(function.node, ast.Lambda):
            return set()
        names = set()
        for decorator in function.node.decorator_list:
            name = last_name(decorator)
            if name is not None:
                names.add(name)
        return names

    def _hand_over(self, function: FunctionValue, arguments: Arguments, env: Environment) -> None:
        """Note where the test gives its doubles to code under test."""
        if not self.is_test(env.unit.path) or self.is_test(function.unit.path):
            return
        pairs = [
            *zip(arguments.values, arguments.nodes, strict=True),
            *((value, arguments.keyword_nodes.get(name)) for name, value in arguments.keywords.items()),
        ]
        for value, node in pairs:
            if node is not None:
                self.handed(value, Place(env.unit, node))

    def handed(self, value: Value, place: Place, depth: int = 0) -> None:
        if isinstance(value, Mock):
            self.write(value.slots, "handed", place)
            for key, child in list(value.slots.items()):
                # What the test put on the mock itself goes with it; what the mock made finds it by its parent.
                if isinstance(child, Mock) and not child.auto and key != "wraps" and depth < 4:
                    self.handed(child, place, depth + 1)
        elif isinstance(value, Sequence_) and depth < 2:
            for item in value.items or ():
                self.handed(item, place, depth + 1)
        elif isinstance(value, (Mapping_, Instance)) and depth < 2:
            for held in list(value.slots.values()):
                if isinstance(held, Mock) and "handed" not in held.slots:
                    self.handed(held, place, depth + 1)

    def bind(self, function: FunctionValue, arguments: Arguments) -> Environment:
        node = function.node
        env = Environment(
            function.module, function.unit, {}, function.closure, self.local_names(node), function
        )
        spec = node.args
        positional = [*spec.posonlyargs, *spec.args]
        names = [arg.arg for arg in positional]
        values = list(arguments.values)
        keywords = dict(arguments.keywords)
        for name, value in zip(names, values, strict=False):
            env.names[name] = value
        rest = values[len(names) :]
        if spec.vararg is not None:
            env.names[spec.vararg.arg] = Sequence_.of("tuple", None if arguments.is_open else rest)
        for arg in [*positional, *spec.kwonlyargs]:
            if arg.arg in keywords and arg.arg not in env.names:
                env.names[arg.arg] = keywords.pop(arg.arg)
        if spec.kwarg is not None:
            env.names[spec.kwarg.arg] = Mapping_.of(keywords, is_open=arguments.is_open)
        defaults: dict[str, ast.expr] = {}
        if spec.defaults:
            for arg, default in zip(positional[-len(spec.defaults) :], spec.defaults, strict=True):
                defaults[arg.arg] = default
        for arg, keyword_default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            if keyword_default is not None:
                defaults[arg.arg] = keyword_default
        outer = Environment(function.module, function.unit, {}, function.closure, frozenset())
        for arg in [*positional, *spec.kwonlyargs]:
            if arg.arg not in env.names:
                missing = defaults.get(arg.arg)
                if missing is None or arguments.is_open:
                    env.names[arg.arg] = UNKNOWN
                else:
                    env.names[arg.arg] = self.eval(missing, outer)
        return env

    def run_bound(self, function: FunctionValue, env: Environment, place: Place) -> Value:
        """Run a bound function to its return."""
        self.tick()
        self.calls.append(Call(place, function))
        self.early.append([])
        self.returns.append([])
        try:
            if isinstance(function.node, ast.Lambda):
                return self.eval(function.node.body, env)
            status = self.block(function.node.body, env)
            returned = self.returns[-1]
            if status is not Status.RETURN:
                returned = [*returned, Literal(None)]
            made = join(list(returned))
            return made if isinstance(made, Value) else UNKNOWN
        finally:
            self.returns.pop()
            self.settle(self.early.pop())
            self.calls.pop()

    def _managed(self, function: FunctionValue, env: Environment, place: Place) -> Value:
        """A ``@contextmanager`` function: what it yields first."""
        assert not isinstance(function.node, ast.Lambda)
        value = self.first_yield(function, env, place)
        swallows = any(
            isinstance(node, ast.Try)
            and node.handlers
            and any(isinstance(child, ast.Yield) for child in ast.walk(node))
            for node in ast.walk(function.node)
        )
        return Managed(value, function.is_async, swallows)

    def first_yield(self, function: FunctionValue, env: Environment, place: Place) -> Value:
        """Run a generator up to its first ``yield``: what a fixture or a context manager gives."""
        assert not isinstance(function.node, ast.Lambda)
        self.calls.append(Call(place, function))
        self.early.append([])
        self.returns.append([])
        try:
            self.block(function.node.body, env)
        except Yielded as yielded:
            return yielded.value
        finally:
            self.returns.pop()
            self.settle(self.early.pop())
            self.calls.pop()
        return UNKNOWN

    # --- calls ---------------------------------------------------------------------------------------------------

    def arguments(self, node: ast.Call, env: Environment) -> Arguments:
        made = Arguments()
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                value = self.eval(arg.value, env)
                items = value.items if isinstance(value, Sequence_) else None
                if items is None:
                    self.escape([value])
                    made.is_open = True
                else:
                    made.values.extend(items)
                    made.nodes.extend([None] * len(items))
            else:
                made.values.append(self.eval(arg, env))
                made.nodes.append(arg)
        for keyword in node.keywords:
            value = self.eval(keyword.value, env)
            if keyword.arg is not None:
                made.keywords[keyword.arg] = value
                made.keyword_nodes[keyword.arg] = keyword.value
            elif isinstance(value, Mapping_) and value.slots["open"] is False:
                for key, item in value.slots.items():
                    if key.startswith("[") and isinstance(item, Value):
                        name = ast.literal_eval(key[1:-1])
                        if isinstance(name, str):
                            made.keywords[name] = item
            else:
                made.is_open = True
        return made

    def call(self, callee: Value, arguments: Arguments, node: Node, env: Environment) -> Value:
        """``callee(*arguments)``."""
        self.tick()
        if isinstance(callee, Unknown):
            self.escape(arguments.everything())
            self.may_raise()
            return UNKNOWN
        if isinstance(callee, FunctionValue):
            return self.call_function(callee, arguments, node, env)
        if isinstance(callee, Mock):
            return self.call_mock(callee, arguments, node, env)
        if isinstance(callee, ClassValue):
            return self.instantiate(callee.entity, arguments, node, env)
        if isinstance(callee, LibraryName):
            self.may_fail()
            return library.call(self, callee.entity, arguments, node, env)
        if isinstance(callee, library.Mocker):
            callee = BoundBuiltin(callee, "__call__")
        if isinstance(callee, BoundBuiltin):
            return library.call_method(self, callee, arguments, node, env)
        if isinstance(callee, Partial):
            merged = Arguments()
            merged.values = [*callee.args, *arguments.values]
            merged.nodes = [*([None] * len(callee.args)), *arguments.nodes]
            merged.keywords = {**callee.keywords, **arguments.keywords}
            merged.keyword_nodes = arguments.keyword_nodes
            merged.is_open = arguments.is_open
            return self.call(callee.function, merged, node, env)
        if isinstance(callee, Coroutine):
            return self.fail(env, Misuse.COROUTINE_CALL, callee, node, "'coroutine' object is not callable")
        if isinstance(callee, Instance):
            method = self.instance_attribute(callee, "__call__")
            if isinstance(method, FunctionValue):
                return self.call_function(method, arguments, node, env)
            self.escape(arguments.everything())
            return UNKNOWN
        if isinstance(callee, Foreign):
            self.may_fail()
            last = callee.dotted.rpartition(".")[2]
            if last == "enter_context" and arguments.values:
                return library.enter_context(self, arguments.values[0], node, env, is_async=False)
            if last == "enter_async_context" and arguments.values:
                manager = arguments.values[0]
                return Coroutine(
                    lambda: library.enter_context(self, manager, node, env, is_async=True),
                    Place(env.unit, node),
                )
            if last in ("run_until_complete", "run"):
                for value in arguments.values:
                    if isinstance(value, Coroutine):
                        return value.run()
            return Foreign(f"{callee.dotted}()")
        if isinstance(callee, ExceptionValue):
            return ExceptionValue(callee.name, False, callee.bases)
        self.escape(arguments.everything())
        return UNKNOWN

    def instantiate(self, entity: ClassEntity, arguments: Arguments, node: Node, env: Environment) -> Value:
        """``Class(…)`` for a class of the workspace."""
        ancestry = self.resolver.ancestry(entity)
        names = {cls.name for cls in ancestry.classes}
        outside = {external.name for external in ancestry.externals}
        if any(name.endswith(("Error", "Exception", "Warning")) for name in outside):
            return ExceptionValue(entity.name, False, tuple(names | outside))
        mocked = library.mock_class(ancestry.externals)
        if mocked is not None:
            made = Mock(mocked, Place(env.unit, node), entity.name, unsure=True)
            return made
        opaque = not ancestry.complete
        instance = Instance(entity, {}, opaque)
        init = self.resolver.class_attribute(entity, "__init__")
        new = self.resolver.class_attribute(entity, "__new__")
        if isinstance(new, FunctionEntity):
            self.escape(arguments.everything())
            return UNKNOWN
        if isinstance(init, FunctionEntity) and init.module.workspace:
            function = self.raw_function(init)
            if function is None:
                return UNKNOWN
            self.call_function(function, arguments.with_first(instance), node, env)
            return instance
        if not opaque and self._is_dataclass(entity):
            self._dataclass_fields(entity, instance, arguments, node, env)
            return instance
        if opaque:
            # A library's constructor: attributes by keyword are usual (pydantic, attrs, declarative models).
            for name, value in arguments.keywords.items():
                instance.slots[name] = value
            self._hand_over_to_class(entity, arguments, env)
        return instance

    def _hand_over_to_class(self, entity: ClassEntity, arguments: Arguments, env: Environment) -> None:
        if self.is_test(env.unit.path) and not self.is_test(entity.path):
            for name, value in arguments.keywords.items():
                keyword_node = arguments.keyword_nodes.get(name)
                if keyword_node is not None:
                    self.handed(value, Place(env.unit, keyword_node))

    def _is_dataclass(self, entity: ClassEntity) -> bool:
        for decorator in entity.declaration.decorators:
            term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
            if isinstance(term, model.Ref) and term.parts[-1] == "dataclass":
                return True
        return False

    def _dataclass_fields(
        self, entity: ClassEntity, instance: Instance, arguments: Arguments, node: Node, env: Environment
    ) -> None:
        fields: list[str] = []
        for cls in reversed(self.resolver.ancestry(entity).classes):
            for declaration in cls.declaration.body:
                if isinstance(declaration, model.Assign) and declaration.annotation is not None:
                    if declaration.target not in fields:
                        fields.append(declaration.target)
        for name, value in zip(fields, arguments.values, strict=False):
            instance.slots[name] = value
        for name, value in arguments.keywords.items():
            instance.slots[name] = value
        for name in fields:
            instance.slots.setdefault(name, UNKNOWN)
        after = self.resolver.class_attribute(entity, "__post_init__")
        if isinstance(after, FunctionEntity) and (function := self.raw_function(after)) is not None:
            self.call_function(function, Arguments.of(instance), node, env)
        if self.is_test(env.unit.path) and not self.is_test(entity.path):
            for value, value_node in zip(arguments.values, arguments.nodes, strict=True):
                if value_node is not None:
                    self.handed(value, Place(env.unit, value_node))
            self._hand_over_to_class(entity, arguments, env)

    # --- mocks -----------------------------------------------------------------------------------------------------

    def call_mock(self, mock: Mock, arguments: Arguments, node: Node, env: Environment) -> Value:
        if not mock.certain:
            return UNKNOWN
        if not mock.kind.callable and mock.spec is None:
            return self.fail(
                env, Misuse.NOT_CALLABLE, mock, node, f"{mock.kind.value!r} object is not callable"
            )
        key = ("called", id(mock))
        self.write(self.called, key, (*self.called.get(key, ()), frozenset(self.doubts)))
        self.alive.append(mock)
        if mock.kind is MockKind.ASYNC:
            place = Place(env.unit, node)
            return Coroutine(lambda: self.mock_result(mock, arguments, node, env), place, mock=mock)
        return self.mock_result(mock, arguments, node, env)

    def mock_result(self, mock: Mock, arguments: Arguments, node: Node, env: Environment) -> Value:
        """What the call gives (``_execute_mock_call``): ``side_effect`` first, then ``return_value``."""
        effect = mock.slots.get("side_effect")
        if isinstance(effect, Value) and not (isinstance(effect, Literal) and effect.value is None):
            result = self._side_effect(mock, effect, arguments, node, env)
            if result is not None:
                return result
        if "wraps" in mock.slots and "return_value" not in mock.slots:
            wrapped = mock.slots["wraps"]
            if isinstance(wrapped, Value):
                made = self.call(wrapped, arguments, node, env)
                return made.run() if mock.kind is MockKind.ASYNC and isinstance(made, Coroutine) else made
        return self.return_value(mock)

    def _side_effect(
        self, mock: Mock, effect: Value, arguments: Arguments, node: Node, env: Environment
    ) -> Value | None:
        """The result of a side effect; None where it is ``DEFAULT``."""
        library.raise_effect(self, effect)
        if isinstance(effect, Sequence_):
            items = effect.items
            if not items:
                return UNKNOWN
            self.write(effect.slots, "items", items[1:])
            library.raise_effect(self, items[0])
            return items[0]
        if isinstance(effect, (FunctionValue, Mock, Partial)):
            made = self.call(effect, arguments, node, env)
            if isinstance(effect, FunctionValue) and mock.kind is MockKind.ASYNC and effect.is_async:
                return made.run() if isinstance(made, Coroutine) else made
            return made
        self.escape(arguments.everything())
        return UNKNOWN

    def return_value(self, mock: Mock) -> Value:
        """``mock.return_value``, made on first use."""
        configured = mock.slots.get("return_value")
        if isinstance(configured, Value):
            return configured
        if not mock.certain:
            return UNKNOWN
        child = self.shapes.child(mock, "()")
        if child.kind is None:
            return UNKNOWN
        spec = None
        if mock.spec is not None and mock.spec.auto and isinstance(mock.spec.entity, ClassEntity):
            if not mock.spec.instance:
                spec = Spec(mock.spec.entity, auto=True)
        elif mock.spec is not None and not mock.spec.instance:
            return UNKNOWN
        made = Mock(child.kind, mock.place, f"{mock.label}()", spec, mock, auto=True)
        self.write(mock.slots, "return_value", made)
        return made

    def mock_attribute(self, mock: Mock, name: str, node: Node, env: Environment) -> Value:
        if name == "return_value":
            return self.return_value(mock)
        if name == "side_effect":
            effect = mock.slots.get("side_effect")
            return effect if isinstance(effect, Value) else UNKNOWN
        slot = f".{name}"
        configured = mock.slots.get(slot)
        if isinstance(configured, Value):
            return configured
        if f"deleted{slot}" in mock.slots:
            return self._missing_attribute(env, mock, node, name)
        if not mock.certain:
            self.may_lack()
            return UNKNOWN
        if name in ASSERTIONS or name in METHODS:
            return BoundBuiltin(mock, name)
        if name == "__dict__":
            self.escape([mock])
            return UNKNOWN
        if name in RECORDS:
            return UNKNOWN
        if name in AWAIT_ASSERTIONS or name in AWAIT_RECORDS:
            if mock.kind is MockKind.ASYNC or (mock.spec is not None and name in AWAIT_ASSERTIONS):
                return BoundBuiltin(mock, name) if name in AWAIT_ASSERTIONS else UNKNOWN
            if name in AWAIT_ASSERTIONS:
                error = f"Mock object has no attribute {name!r}"
                return self.fail(env, Misuse.AWAIT_ASSERTION, mock, node, error, name, "AttributeError")
        if name.startswith("__") and name.endswith("__") and not self.shapes.supports(mock, name):
            return UNKNOWN
        child = self.shapes.child(mock, name)
        if child.unsure:
            self.may_lack()
            return UNKNOWN
        if child.kind is None:
            return self._missing_attribute(env, mock, node, name)
        made = Mock(child.kind, mock.place, f"{mock.label}.{name}", child.spec, mock, auto=True)
        # A child of a mock that wraps something wraps the attribute of that thing.
        made.unsure = "wraps" in mock.slots
        self.write(mock.slots, slot, made)
        return made

    def _missing_attribute(self, env: Environment, mock: Mock, node: Node, name: str) -> Value:
        error = f"Mock object has no attribute {name!r}"
        return self.fail(env, Misuse.MISSING_ATTRIBUTE, mock, node, error, name, "AttributeError")

    def await_value(
        self, value: Value, node: Node, env: Environment, callee: Value | None = None, error: str = ""
    ) -> Value:
        """``await value``; ``error`` is the message of what awaits it, where that is not ``await`` itself."""
        if isinstance(value, Coroutine):
            return value.run()
        if isinstance(value, Mock):
            if not value.certain or ".__await__" in value.slots:
                return UNKNOWN
            if value.spec is not None and self.shapes.has(value.spec, "__await__") is not False:
                return UNKNOWN
            return self._not_awaitable(env, value, node, value.kind.value, error)
        if isinstance(value, (Literal, Sequence_, Mapping_)) and isinstance(callee, Mock):
            return self._not_awaitable(env, callee, node, kind_of(value), error)
        self.may_raise()
        return Foreign(value.dotted) if isinstance(value, Foreign) else UNKNOWN

    def _not_awaitable(self, env: Environment, subject: Value, node: Node, kind: str, error: str) -> Value:
        return self.fail(
            env,
            Misuse.AWAIT,
            subject,
            node,
            error or f"object {kind} can't be used in 'await' expression",
            kind,
        )

    def set_mock_attribute(self, mock: Mock, name: str, value: Value) -> None:
        place = _handed(mock)
        if place is not None and isinstance(value, Mock) and "handed" not in value.slots:
            self.handed(value, place)
        if name in ("return_value", "side_effect"):
            self.write(mock.slots, name, value)
        else:
            self.write(mock.slots, f".{name}", value)
            self.delete(mock.slots, f"deleted.{name}")

    def escape(self, values: list[Value], depth: int = 0) -> None:
        """Values reach code that is not known: from now on their configuration is not known either."""
        if depth > 3:
            return
        for value in values:
            if isinstance(value, Mock):
                if "escaped" not in value.slots:
                    self.write(value.slots, "escaped", True)
            elif isinstance(value, Sequence_):
                self.escape(list(value.items or ()), depth + 1)
                self.write(value.slots, "items", None)
            elif isinstance(value, (Instance, Mapping_)):
                self.escape([v for v in value.slots.values() if isinstance(v, Value)], depth + 1)
                if isinstance(value, Mapping_):
                    self.write(value.slots, "open", True)

    # --- attributes ------------------------------------------------------------------------------------------------

    def attribute(self, value: Value, name: str, node: Node, env: Environment) -> Value:
        """``value.name``."""
        if isinstance(value, Mock):
            return self.mock_attribute(value, name, node, env)
        if isinstance(value, Coroutine):
            if name in COROUTINE_ATTRIBUTES:
                return UNKNOWN
            error = f"'coroutine' object has no attribute {name!r}"
            return self.fail(env, Misuse.COROUTINE_ATTRIBUTE, value, node, error, name, "AttributeError")
        if isinstance(value, Instance):
            return self.instance_attribute(value, name)
        if isinstance(value, ModuleValue):
            return self.module_attribute(value, name, env.module)
        if isinstance(value, LibraryName):
            return LibraryName(External(f"{value.entity.dotted}.{name}"))
        if isinstance(value, ClassValue):
            return self.class_attribute(value.entity, name, None)
        if isinstance(value, SuperValue):
            return self._super_attribute(value, name)
        if isinstance(value, (Sequence_, Mapping_, Literal)):
            return BoundBuiltin(value, name)
        if isinstance(value, Foreign):
            return Foreign(f"{value.dotted}.{name}")
        if isinstance(value, library.Mocker) and name == "patch":
            return library.Mocker(patch=True)
        if isinstance(value, library.OwnObject):
            return BoundBuiltin(value, name)
        self.may_lack()
        return UNKNOWN

    def module_attribute(self, value: ModuleValue, name: str, importer: Module) -> Value:
        module = self.workspace.load(value.file)
        if module is not None and (name in module.bindings or (str(module.path), name) in self.overrides):
            return self.global_value(module, name)
        return self.value_of(self.resolver.file_attribute(value.file, name, importer), importer)

    def instance_attribute(self, instance: Instance, name: str) -> Value:
        own = instance.slots.get(name)
        if isinstance(own, Value):
            return own
        if instance.opaque and library.is_test_case_method(self, instance, name):
            return BoundBuiltin(instance, name)
        if instance.opaque and isinstance(
            self.resolver.class_attribute(instance.entity, name), (Absent, ValueEntity)
        ):
            return UNKNOWN
        return self.class_attribute(instance.entity, name, instance)

    def class_attribute(self, entity: ClassEntity, name: str, instance: Value | None) -> Value:
        for cls in self.resolver.ancestry(entity).classes:
            patched = self.class_overrides.get((str(cls.path), cls.qualname, name))
            if patched is not None:
                if isinstance(patched, Mock) and patched.kind is MockKind.PROPERTY and instance is not None:
                    return self.return_value(patched)
                return patched
            found = self.resolver.own_attribute(cls, name)
            if isinstance(found, FunctionEntity):
                return self._method(found, entity, instance)
            if isinstance(found, ValueEntity):
                return self.variable(found) if instance is None or _is_plain(found) else UNKNOWN
            if isinstance(found, ClassEntity):
                return ClassValue(found)
            if found is not Absent.MISSING:
                return UNKNOWN
        return UNKNOWN

    def _method(self, found: FunctionEntity, entity: ClassEntity, instance: Value | None) -> Value:
        if not found.module.workspace:
            return Foreign(found.qualname)
        value = self.function_value(found)
        if not isinstance(value, FunctionValue):
            return UNKNOWN
        names = self._decorator_names(value) if value.entity == found else set()
        if "staticmethod" in names:
            return value
        if "classmethod" in names:
            bound: Value = ClassValue(entity)
        elif instance is not None:
            bound = instance
        else:
            return value
        method = FunctionValue(
            value.node, value.unit, value.module, value.closure, value.name, value.entity, bound, value.owner
        )
        if names & {"property", "cached_property", "hybrid_property"}:
            return self.call_function(
                method,
                Arguments(),
                method.node,
                _top(value),
            )
        return method

    def _super_attribute(self, value: SuperValue, name: str) -> Value:
        instance = value.instance
        if not isinstance(instance, Instance):
            return UNKNOWN
        classes = self.resolver.ancestry(instance.entity).classes
        after = classes[classes.index(value.entity) + 1 :] if value.entity in classes else ()
        for cls in after:
            found = self.resolver.own_attribute(cls, name)
            if isinstance(found, FunctionEntity):
                return self._method(found, instance.entity, instance)
            if found is not Absent.MISSING:
                return UNKNOWN
        return Foreign(f"super().{name}")

    def set_attribute(self, target: Value, name: str, value: Value, place: Place, env: Environment) -> None:
        if isinstance(target, Coroutine):
            error = f"'coroutine' object has no attribute {name!r}"
            self.fail(env, Misuse.COROUTINE_ATTRIBUTE, target, place.node, error, name, "AttributeError")
        elif isinstance(target, library.TypeOfMock):
            if isinstance(value, Mock) and value.kind is MockKind.PROPERTY:
                self.set_mock_attribute(target.mock, name, self.return_value(value))
            else:
                self.escape([target.mock])
        elif isinstance(target, Mock):
            self.set_mock_attribute(target, name, value)
        elif isinstance(target, Instance):
            self.write(target.slots, name, value)
            if self.is_test(place.unit.path) and not self.is_test(target.entity.path):
                self.handed(value, place)
        elif isinstance(target, ModuleValue):
            module = self.workspace.load(target.file)
            if module is not None:
                self.write(self.overrides, (str(module.path), name), value)
                if self.is_test(place.unit.path):
                    self.handed(value, place)
        elif isinstance(target, ClassValue):
            key = (str(target.entity.path), target.entity.qualname, name)
            self.write(self.class_overrides, key, value)
        else:
            self.escape([value])

    # --- what values are like ------------------------------------------------------------------------------------

    def truth(self, value: Value) -> bool | None:
        if isinstance(value, Literal):
            return bool(value.value)
        if isinstance(value, Mock):
            if not value.certain or {".__bool__", ".__len__"} & value.slots.keys():
                return None
            return True
        if isinstance(value, Sequence_):
            return None if value.items is None else bool(value.items)
        if isinstance(value, Instance):
            has = [self.resolver.class_attribute(value.entity, n) for n in ("__bool__", "__len__")]
            return True if all(found is Absent.MISSING for found in has) else None
        if isinstance(value, (Coroutine, FunctionValue, ClassValue, ModuleValue)):
            return True
        return None

    def items(
        self, value: Value, node: ast.expr, env: Environment, error: str = ""
    ) -> tuple[Value, ...] | None:
        """What iterating over a value gives; None when not known."""
        if isinstance(value, Coroutine):
            self.fail(
                env, Misuse.COROUTINE_ITERATION, value, node, error or "'coroutine' object is not iterable"
            )
            return None
        if isinstance(value, Mock):
            if not value.certain:
                return None
            supported = self.shapes.supports(value, "__iter__")
            if supported is False:
                self.fail(
                    env, Misuse.NOT_ITERABLE, value, node, f"{value.kind.value!r} object is not iterable"
                )
            if not supported:
                return None
            method = value.slots.get(".__iter__")
            if not isinstance(method, Value):
                return ()
            configured = method.slots.get("return_value") if isinstance(method, Mock) else None
            if isinstance(method, Mock) and configured is None and "side_effect" not in method.slots:
                return ()
            return configured.items if isinstance(configured, Sequence_) else None
        if isinstance(value, Sequence_):
            return value.items
        return None

    def async_items(self, value: Value, node: ast.expr, env: Environment) -> tuple[Value, ...] | None:
        if isinstance(value, (Literal, Sequence_, Mapping_)):
            self.fail(env, Misuse.ASYNC_FOR, value, node, _async_for(value))
            return None
        if isinstance(value, Coroutine):
            self.fail(env, Misuse.ASYNC_FOR, value, node, _async_for(value))
            return None
        if isinstance(value, Mock):
            if not value.certain:
                return None
            supported = self.shapes.supports(value, "__aiter__")
            if supported is False:
                self.fail(env, Misuse.ASYNC_FOR, value, node, _async_for(value))
            if not supported:
                return None
            method = value.slots.get(".__aiter__")
            if not isinstance(method, Value):
                return ()
            configured = method.slots.get("return_value") if isinstance(method, Mock) else None
            return configured.items if isinstance(configured, Sequence_) else None
        self.may_raise()
        return None


class TooLong(Exception):
    """A call without doubles took more steps than it is worth."""


class Yielded(Exception):
    """A simulated generator reached its first ``yield``."""

    def __init__(self, value: Value) -> None:
        super().__init__("yield")
        self.value = value


def kind_of(value: Value) -> str:
    """The name of the value's class, as messages print it."""
    if isinstance(value, Literal):
        return type(value.value).__name__
    if isinstance(value, Mock):
        return value.kind.value
    if isinstance(value, Sequence_):
        return value.kind
    return "dict" if isinstance(value, Mapping_) else "coroutine"


def _async_for(value: Value) -> str:
    return f"'async for' requires an object with __aiter__ method, got {kind_of(value)}"


def _carries_double(value: object, depth: int = 0) -> bool:
    """Is the value a double, or does it hold one?"""
    if isinstance(value, Mock):
        return True
    if depth > 3 or not isinstance(value, (Instance, Sequence_, Mapping_, FunctionValue, Partial, Coroutine)):
        return False
    if isinstance(value, Sequence_):
        return any(_carries_double(item, depth + 1) for item in value.items or ())
    if isinstance(value, (Instance, Mapping_)):
        return any(_carries_double(item, depth + 1) for item in value.slots.values())
    # Functions of the test, and what waits to run, may hold anything.
    return True


def _handed(subject: Value) -> Place | None:
    if isinstance(subject, Coroutine) and subject.mock is not None:
        subject = subject.mock
    if isinstance(subject, Mock):
        for mock in subject.lineage():
            place = mock.slots.get("handed")
            if isinstance(place, Place):
                return place
    return None


def _root_name(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _touches(node: ast.AST, name: str) -> bool:
    """May a node change the module-level mock ``name``: an attribute is set, or it is given to something?"""
    if isinstance(node, ast.Attribute):
        return isinstance(node.ctx, (ast.Store, ast.Del)) and _root_name(node) == name
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("setattr", "delattr")
    ):
        return any(isinstance(arg, ast.Name) and arg.id == name for arg in node.args)
    return False


def _own_nodes(function: ast.AST) -> list[ast.AST]:
    """The nodes of a function, without those of functions inside it."""
    found: list[ast.AST] = []
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        found.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))
    return found


def _is_plain(entity: ValueEntity) -> bool:
    """A class variable that an instance sees as it stands: not a descriptor."""
    return isinstance(entity.declaration.value, (model.Const, model.SequenceTerm, model.DictTerm))


def _top(function: FunctionValue) -> Environment:
    return Environment(function.module, function.unit, {}, None, frozenset())
