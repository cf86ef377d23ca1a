"""Calls of functions and classes of the workspace."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from understudy.doubles import caches, constructors, managers, trace
from understudy.doubles.arguments import Arguments
from understudy.doubles.closures import path_of
from understudy.doubles.core import Core, TooLong, Yielded
from understudy.doubles.library import exceptions, mock
from understudy.doubles.library.played import Patch, Patched
from understudy.doubles.signature import refusal
from understudy.doubles.state import NOT_RUN, OTHERS, Call, Doubts, Misuse, Raised, Status, join
from understudy.doubles.values import (
    UNKNOWN,
    ClassValue,
    Coroutine,
    Declared,
    Environment,
    ExceptionValue,
    First,
    FunctionValue,
    Generator,
    Instance,
    LibraryName,
    Literal,
    Managed,
    Mapping_,
    Mock,
    MockKind,
    Node,
    Place,
    Sequence_,
    Value,
    carries_double,
    is_known_double,
)
from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import (
    ClassEntity,
    External,
    FunctionEntity,
    ValueEntity,
)
from understudy.source.dotted import last_name
from understudy.source.parse import Unit, children
from understudy.source.text import SourceError

_PLAIN_STEPS = 600
_BRIEF_STEPS, _ALL_BRIEF_STEPS = 50, 300
"""For a call of code under test that meets no double."""
_DEPTH = 24
_ROUTE_MAKERS = frozenset({"FastAPI", "APIRouter", "Flask", "Blueprint", "Starlette", "Typer"})
_SAME_PARAMETERS = frozenset({"staticmethod", "classmethod", "contextmanager", "asynccontextmanager"})
"""Decorators after which a function takes what its ``def`` says."""
_UNMAPPED = ("UnmappedInstanceError", (OTHERS,))
"""What a session raises for what is no mapped object."""
_TRANSPARENT = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "override", "overload", "final", "deprecated", "wraps"}
)

_TAKEN_AS_IT_IS = _TRANSPARENT | {
    "asynccontextmanager",
    "cached_property",
    "contextmanager",
    "fixture",
    "hybrid_property",
    "property",
}
"""Decorators of libraries that the function itself is kept for."""


class Functions(Core):
    """Adds functions and classes of the workspace."""

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
            if unit.row == entity.row:
                for node in _functions_of(unit).get(entity.name, ()):
                    if unit.name_span(node) == wanted:
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
        with self.unpatched():
            for decorator in reversed(node.decorator_list):
                value = self._decorated(value, decorator, function)
        return value

    def _decorated(self, value: Value, decorator: ast.expr, function: FunctionValue) -> Value:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        env = Environment(function.module, function.unit, {}, None, frozenset())
        if isinstance(target, (ast.Name, ast.Attribute)):
            name = target.attr if isinstance(target, ast.Attribute) else target.id
            if name in _TAKEN_AS_IT_IS and not self._is_of_workspace(function.module, target):
                return value
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                owner = self.resolver.name(function.module, target.value.id)
                if isinstance(owner, ValueEntity) and isinstance(owner.declaration.value, model.CallTerm):
                    maker = owner.declaration.value.func
                    if isinstance(maker, model.Ref) and maker.parts[-1] in _ROUTE_MAKERS:
                        return value
            found = self.eval(target, env)
            if isinstance(decorator, ast.Call) and _is_patch(found):
                patch = self.eval(decorator, env)
                return Patched(value, patch) if isinstance(patch, Patch) else UNKNOWN
            if isinstance(found, LibraryName) and found.entity.dotted in caches.DECORATORS:
                if not isinstance(value, FunctionValue) or caches.forgets(decorator):
                    return UNKNOWN
                return replace(value, cached=True)
            if isinstance(found, LibraryName) and found.entity.dotted == "functools.wraps":
                return value
            if isinstance(found, FunctionValue) and not found.is_async:
                wrapper: Value = found
                if isinstance(decorator, ast.Call):
                    wrapper = self.call(found, self.arguments(decorator, env), decorator, env)
                if isinstance(wrapper, FunctionValue) and not wrapper.is_async:
                    return self.call(wrapper, Arguments.of(value), decorator, env)
            if isinstance(found, LibraryName) and found.entity.root in ("pytest", "pytest_asyncio"):
                return value
        return UNKNOWN

    def _is_of_workspace(self, module: Module, node: ast.expr) -> bool:
        parts = path_of(node)
        found = self.resolver.ref(module, parts) if parts else None
        return isinstance(found, (ClassEntity, FunctionEntity)) and found.module.workspace

    def refuse_stand_in(
        self, function: FunctionValue, skipped: int, arguments: Arguments, node: Node, env: Environment
    ) -> Value | None:
        """Code under test calls a function of the tests as its parameters do not allow.

        :param skipped: 1 where it gets an object before the arguments that are written."""
        if (
            not isinstance(node, ast.Call)
            or not self.is_test(function.unit.path)
            or self.is_test(env.unit.path)
        ):
            return None
        given = [keyword.arg for keyword in node.keywords]
        if arguments.is_open or arguments.nodes != node.args or list(arguments.keywords) != given:
            # Not the call that is written there.
            return None
        if self._decorator_names(function) - _SAME_PARAMETERS:
            return None
        refused = refusal(
            function.node.args,
            skipped=0,
            positional=skipped + len(node.args),
            keywords=arguments.keywords,
            is_open=False,
        )
        if refused is None:
            return None
        return self.fail(env, Misuse.STAND_IN_CALL, function, node, refused.error, str(skipped))

    def call_function(
        self, function: FunctionValue, arguments: Arguments, node: Node, env: Environment
    ) -> Value:
        """Call a function of the workspace."""
        trace.used(self, function, node, env)
        if function.bound is not None:
            arguments = arguments.with_first(function.bound)
        if function.cached:
            return caches.call(
                self, function, arguments, lambda: self._run_call(function, arguments, node, env)
            )
        return self._run_call(function, arguments, node, env)

    def _run_call(self, function: FunctionValue, arguments: Arguments, node: Node, env: Environment) -> Value:
        running = sum(1 for call in self.calls if call.function.node is function.node)
        if running > 1 or len(self.calls) > _DEPTH:
            trace.lost(self)
            self.escape(arguments.everything())
            return UNKNOWN
        if self.is_test(function.unit.path):
            self.plain_limit = None
        elif self.plain_limit is None:
            looks_only = self.brief and not self.has_doubles and not self.names_doubles
            if looks_only or not any(carries_double(value) for value in arguments.everything()):
                return self._plain_call(function, arguments, node, env)
        return self._enter_function(function, arguments, node, env)

    def _enter_function(
        self, function: FunctionValue, arguments: Arguments, node: Node, env: Environment
    ) -> Value:
        """Call a function whose receiver, if it has one, is the first of the arguments."""
        self._hand_over(function, arguments, env)
        inner = self.bind(function, arguments)
        place = Place(env.unit, node)
        if isinstance(function.node, ast.Lambda):
            return self.run_bound(function, inner, place)
        if self._decorator_names(function) & {"contextmanager", "asynccontextmanager"}:
            return self._managed(function, inner, place)
        if self._is_generator(function):
            # Only its way to the first ``yield`` is followed.
            trace.lost(self)
            return Generator(
                lambda: self.first_yield(function, inner, place),
                lambda: self.may_run(function, _values(inner)),
                function.is_async,
            )
        if function.is_async:
            plain = self.plain_limit is not None

            def run() -> Value:
                if plain and self.plain_limit is None:
                    # What was a short look at the call is one at what it awaits.
                    return self._briefly(lambda: self.run_bound(function, inner, place), arguments)
                return self.run_bound(function, inner, place)

            made = Coroutine(run, place, function=function)
            change = self.changes.get(place.key)
            return made.run() if change is not None and change.awaited else made
        return self.run_bound(function, inner, place)

    def _plain_call(
        self, function: FunctionValue, arguments: Arguments, node: Node, env: Environment
    ) -> Value:
        """A call that gets no double: worth a short look for what it returns, and no more, unless it meets one."""
        return self._briefly(lambda: self._enter_function(function, arguments, node, env), arguments)

    def _briefly(self, action: Callable[[], Value], arguments: Arguments) -> Value:
        brief = self.brief and not self.has_doubles
        most = min(_BRIEF_STEPS, _ALL_BRIEF_STEPS - self.brief_steps) if brief else _PLAIN_STEPS
        before = self.steps
        self.plain_limit = before + most
        try:
            return action()
        except TooLong:
            # What was given away may be made only now, and that is none of the call.
            self.plain_limit = None
            self.cut_short = self.cut_short or brief
            trace.lost(self)
            self.escape(arguments.everything())
            return UNKNOWN
        finally:
            self.plain_limit = None
            self.brief_steps += self.steps - before if brief else 0

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
                self.give(value, Place(env.unit, node))

    def give(self, value: Value, place: Place) -> None:
        """The test gives a double, or a function that may return one, to code under test."""
        self.handed(value, place)
        if isinstance(value, FunctionValue):
            self.write(self.given, id(value.node), place)

    def handed(self, value: Value, place: Place, depth: int = 0) -> None:
        if isinstance(value, Mock):
            self.write(value.slots, "handed", place)
            for key, child in list(value.slots.items()):
                # What the test put on the mock itself goes with it; what the mock made finds it by its parent.
                if isinstance(child, Mock) and key != "wraps" and depth < 6:
                    if child.slots.get("handed") is not place:
                        self.handed(child, place, depth + 1)
        elif isinstance(value, Sequence_) and depth < 2:
            for item in value.held:
                self.handed(item, place, depth + 1)
        elif isinstance(value, (Mapping_, Instance)) and depth < 2:
            for held in value.held if isinstance(value, Mapping_) else list(value.slots.values()):
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
            known = None if arguments.is_open else rest
            env.names[spec.vararg.arg] = Sequence_.of("tuple", known, rest if known is None else ())
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
                elif arg.arg in function.defaults:
                    env.names[arg.arg] = function.defaults[arg.arg]
                elif isinstance(missing, ast.Constant):
                    env.names[arg.arg] = Literal(missing.value)
                elif function.closure is None:
                    env.names[arg.arg] = self._default(missing, outer)
                else:
                    env.names[arg.arg] = self.eval(missing, outer)
            elif arg.annotation is not None:
                self._declare(env.names[arg.arg], arg, arg.annotation, function)
        return env

    def _default(self, node: ast.expr, env: Environment) -> Value:
        """What a parameter has when nothing is given: one object, made when the module was imported, which whoever had
        it may have filled."""
        known = self.defaults_made.get(id(node))
        if known is None:
            made: Value = UNKNOWN
            try:
                with self.at_import():
                    made = self.eval(node, env)
                    self.unsettle([made])
            except Raised:
                pass
            known = self.defaults_made[id(node)] = (node, made)
        return known[1]

    def _declare(self, value: object, arg: ast.arg, annotation: ast.expr, function: FunctionValue) -> None:
        """Note on an AsyncMock without a spec which class the parameter that gets it is declared to have."""
        if not isinstance(value, Mock) or value.kind is not MockKind.ASYNC or value.spec is not None:
            return
        if value.declared is not None or self.is_test(function.unit.path):
            return
        parts = ast.unparse(annotation).split(".")
        if all(part.isidentifier() for part in parts):
            found = self.resolver.open(self.resolver.ref(function.module, tuple(parts)))
            if isinstance(found, ClassEntity):
                value.declared = Declared(found, Place(function.unit, arg))

    def run_bound(self, function: FunctionValue, env: Environment, place: Place) -> Value:
        """Run a bound function to its return."""
        self.tick()
        self.calls.append(Call(place, function))
        self.early.append(Doubts())
        self.returns.append([])
        try:
            if isinstance(function.node, ast.Lambda):
                return self._given_out(function, self.eval(function.node.body, env))
            try:
                status = self.block(function.node.body, env)
            except Raised as raised:
                if not self._has_returned(raised):
                    raise
                status = Status.RETURN
            returned = self.returns[-1]
            if status is not Status.RETURN:
                returned = [*returned, Literal(None)]
            # A ``return`` in a ``finally`` may have been one that only some ways lead to.
            made = join(list(returned)) if returned else UNKNOWN
            return self._given_out(function, made if isinstance(made, Value) else UNKNOWN)
        finally:
            self.returns.pop()
            self.conclude(self.early.pop())
            self.calls.pop()

    def _has_returned(self, raised: Raised) -> bool:
        """Is the running function, which raises here unless it has returned on a path before, taken to have returned?
        A test is meant to pass, so what nothing catches does not happen; what may be caught may have happened."""
        if not self.returns[-1] or not self.early[-1] or raised.failure is not None:
            return False
        if raised.name in NOT_RUN:
            return False
        self.doubt_by(raised)
        return True

    def _is_generator(self, function: FunctionValue) -> bool:
        if function.entity is not None:
            return function.entity.declaration.is_generator
        return bool(self._yields(function.node))

    def _yields(self, node: ast.AST) -> list[ast.Yield | ast.YieldFrom]:
        known = self.yields.get(node)
        if known is None:
            known = self.yields[node] = _yields(node)
        return known

    def _given_out(self, function: FunctionValue, made: Value) -> Value:
        """What a function of the test, given to code under test, gives there was handed over with it."""
        place = self.given.get(id(function.node))
        if place is not None and isinstance(made, Mock) and "handed" not in made.slots:
            self.handed(made, place)
        return made

    def _managed(self, function: FunctionValue, env: Environment, place: Place) -> Value:
        """A ``@contextmanager`` function: what it yields first."""
        assert not isinstance(function.node, ast.Lambda)
        first = self.first_yield(function, env, place)
        value = first.value if first is not None else UNKNOWN
        return Managed(
            value,
            function.is_async,
            managers.swallows(self, function),
            lambda: self.after_yield(function, env, place),
            lambda: self.may_run(function, _values(env)),
        )

    def after_yield(self, function: FunctionValue, env: Environment, place: Place) -> None:
        """Run what stands behind the one ``yield`` of a fixture or context manager, when nothing was raised."""
        node = function.node
        if node not in self._behind:
            yields, body = self._yields(node), node.body
            one = isinstance(body, list) and len(yields) == 1
            self._behind[node] = _behind_yield(body, yields[0]) if one else None  # type: ignore[arg-type]
        rest = self._behind[node]
        if rest is None:
            self.may_run(function, _values(env))
        if not rest:
            return
        self.calls.append(Call(place, function))
        self.early.append(Doubts())
        self.returns.append([])
        try:
            self.block(rest, env)
        finally:
            self.returns.pop()
            self.conclude(self.early.pop())
            self.calls.pop()

    def first_yield(self, function: FunctionValue, env: Environment, place: Place) -> First | None:
        """Run a generator up to its first ``yield``: what a fixture or a context manager gives; None where it ends
        without one."""
        assert not isinstance(function.node, ast.Lambda)
        doubts = len(self.doubts)
        self.calls.append(Call(place, function))
        self.early.append(Doubts())
        self.returns.append([])
        try:
            self.block(function.node.body, env)
        except Yielded as yielded:
            return First(yielded.value, yielded.doubts == doubts)
        finally:
            self.returns.pop()
            self.conclude(self.early.pop())
            self.calls.pop()
        return None

    def instantiate(self, entity: ClassEntity, arguments: Arguments, node: Node, env: Environment) -> Value:
        """``Class(…)`` for a class of the workspace."""
        trace.used(self, ClassValue(entity), node, env)
        ancestry = self.resolver.ancestry(entity)
        raised = exceptions.bases_of(self, entity)
        if raised is not None:
            return ExceptionValue(raised[0], False, raised)
        opened = (External(cls.dotted) for cls in ancestry.classes)
        mocked = mock.mock_class((*opened, *ancestry.externals))
        if mocked is not None:
            return self.make_subclassed(mocked, entity, arguments, Place(env.unit, node))
        replaced = self.class_override(entity, "__init__")
        if replaced is not None:
            instance = Instance(entity, {}, True)
            if isinstance(replaced, FunctionValue):
                self.call_function(replaced, arguments.with_first(instance), node, env)
            return instance
        opaque = (
            not ancestry.complete
            or constructors.is_made_otherwise(self, entity)
            or constructors.is_abstract(self, entity)
        )
        instance = Instance(entity, {}, opaque)
        init = constructors.initializer(self, entity)
        new = self.resolver.class_attribute(entity, "__new__")
        if (
            isinstance(new, FunctionEntity)
            or constructors.metaclass_defines(self, entity, "__call__")
            or constructors.is_replaced(self, entity)
        ):
            self.escape(arguments.everything())
            return UNKNOWN
        if isinstance(init, FunctionEntity) and init.module.workspace:
            function = self.function_value(init)
            if not isinstance(function, FunctionValue):
                self.escape(arguments.everything())
                return Instance(entity, {}, True)
            if self.refuse_stand_in(function, 1, arguments, node, env) is None:
                self.call_function(function, arguments.with_first(instance), node, env)
            return instance
        if not opaque and isinstance(init, ClassEntity):
            constructors.fill(self, entity, instance, arguments, node, env)
            return instance
        if opaque:
            # A library's constructor: attributes by keyword are usual (pydantic, attrs, declarative models).
            for name, value in arguments.keywords.items():
                self.note_unmapped(entity, name, value, arguments.keyword_nodes.get(name) or node, env)
                instance.slots[name] = value
            self.hand_over_to_class(entity, arguments, env)
        return instance

    def note_unmapped(
        self, owner: ClassEntity | None, name: str, value: Value, node: Node, env: Environment
    ) -> None:
        """A double of a class is given to an object of a library's class, perhaps a model, or to a session. SQLAlchemy
        asks it for ``_sa_instance_state``, which no class has."""
        if not is_known_double(value) or value.spec is None or not isinstance(value.spec.entity, ClassEntity):
            return
        raised = ("AttributeError", ()) if owner is not None else _UNMAPPED
        expected = any(guard.catches(*raised) is not False for guard in self.guards)
        if expected or "._sa_instance_state" in value.slots:
            return
        model_name = owner.dotted if owner is not None else ""
        self.note(env, Misuse.UNMAPPED, value, node, model_name, name)

    def hand_over_to_class(self, entity: ClassEntity, arguments: Arguments, env: Environment) -> None:
        if self.is_test(env.unit.path) and not self.is_test(entity.path):
            for name, value in arguments.keywords.items():
                keyword_node = arguments.keyword_nodes.get(name)
                if keyword_node is not None:
                    self.handed(value, Place(env.unit, keyword_node))


def _behind_yield(body: list[ast.stmt], wanted: ast.Yield | ast.YieldFrom) -> list[ast.stmt] | None:
    """The statements that follow a ``yield`` which stands by itself, or in ``with`` or ``try``; None where it is not
    known which of them run: the ``yield`` may not be reached, or more than once, or what follows it may be handled."""
    for index, statement in enumerate(body):
        if isinstance(statement, (ast.Expr, ast.Assign)) and statement.value is wanted:
            return body[index + 1 :]
        if not _holds(statement, wanted):
            continue
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            inner = _behind_yield(statement.body, wanted)
            return None if inner is None else [*inner, *body[index + 1 :]]
        if isinstance(statement, ast.Try):
            inner = _behind_yield(statement.body, wanted)
            if inner is None or (inner and statement.handlers):
                return None
            return [*inner, *statement.orelse, *statement.finalbody, *body[index + 1 :]]
        return None
    return None


def _values(env: Environment) -> dict[str, Value]:
    """The variables of a function that runs, as far as they are known."""
    return {name: value for name, value in env.names.items() if isinstance(value, Value)}


def _holds(statement: ast.stmt, wanted: ast.AST) -> bool:
    return any(child is wanted for child in ast.walk(statement))


def _is_patch(value: Value) -> bool:
    name = mock.mock_name(value.entity) if isinstance(value, LibraryName) else None
    return name is not None and name.partition(".")[0] == "patch"


def _functions_of(unit: Unit) -> dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of a statement, by name."""
    known: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] | None = unit.memo.get("functions")
    if known is None:
        known = unit.memo["functions"] = {}
        for node in ast.walk(unit.node):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                known.setdefault(node.name, []).append(node)
    return known


def _yields(function: ast.AST) -> list[ast.Yield | ast.YieldFrom]:
    """Those of a function itself, not of functions inside it."""
    found: list[ast.Yield | ast.YieldFrom] = []
    stack = children(function)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            found.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(children(node))
    return found
