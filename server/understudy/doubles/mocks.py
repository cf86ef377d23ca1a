"""What a double does when it is called, awaited or asked for an attribute."""

from __future__ import annotations

import ast
from typing import Final

from understudy.doubles import awaitables, shared, versions
from understudy.doubles.arguments import Arguments
from understudy.doubles.assertions import meant
from understudy.doubles.core import handed_place
from understudy.doubles.functions import Functions
from understudy.doubles.library import exceptions
from understudy.doubles.library.mock import is_default
from understudy.doubles.shapes import (
    ASSERTIONS,
    ASYNC_METHOD_MAGICS,
    AWAIT_ASSERTIONS,
    AWAIT_RECORDS,
    METHODS,
    OWN_PREFIXES,
    RECORDS,
    SYNC_MAGICS,
    is_magic,
    is_supported,
)
from understudy.doubles.signature import refusal, written
from understudy.doubles.state import Configured, Failure, Misuse, Raised, Sight
from understudy.doubles.values import (
    ITERATORS,
    NOT_IMPLEMENTED,
    UNKNOWN,
    BoundBuiltin,
    ClassValue,
    Coroutine,
    Environment,
    Foreign,
    FunctionValue,
    Literal,
    Mapping_,
    Mock,
    MockKind,
    Node,
    Partial,
    Place,
    Sequence_,
    Spec,
    Unknown,
    Value,
)
from understudy.infer.entities import Absent, ClassEntity, FunctionEntity, Lookup
from understudy.source.dotted import last_name

_NO_COROUTINE = frozenset(
    {"asynccontextmanager", "cached_property", "contextmanager", "fixture", "hybrid_property", "property"}
)
"""Decorators after which an ``async def`` is no coroutine function."""


class Mocks(Functions):
    """Adds doubles."""

    def call_mock(self, mock: Mock, arguments: Arguments, node: Node, env: Environment) -> Value:
        self.meet_double()
        if not mock.certain:
            return UNKNOWN
        own = self.own_method(mock, "__call__")
        if own is not None:
            return self.call(own, arguments, node, env)
        if not mock.kind.callable:
            error = f"{mock.type_name!r} object is not callable"
            return self.fail(env, Misuse.NOT_CALLABLE, mock, node, error)
        key = ("called", id(mock))
        self.write(self.called, key, (*self.called.get(key, ()), frozenset(self.doubts)))
        self.alive.append(mock)
        if self.configured and self.certain and not self.is_test(env.unit.path):
            self.used.append((mock, Place(env.unit, node)))
        if mock.kind is MockKind.ASYNC:
            place = Place(env.unit, node)
            version = versions.behaviour(self.workspace.target_version)
            checked_at_once = version.autospec_is_coroutine_function is False
            if mock.spec is None or not mock.spec.as_function or checked_at_once:
                self.check_arguments(mock, arguments, node, env)
                return Coroutine(
                    lambda: self.tell(mock, self.mock_result(mock, arguments, node, env)), place, mock=mock
                )

            def awaited() -> Value:
                # The double of an ``async def`` is one itself, from some version on: it looks at its arguments
                # when it is awaited.
                self.check_arguments(mock, arguments, node, env)
                return self.tell(mock, self.mock_result(mock, arguments, node, env))

            return Coroutine(awaited, place, mock=mock)
        self.check_arguments(mock, arguments, node, env)
        return self.tell(mock, self.mock_result(mock, arguments, node, env))

    def check_arguments(
        self, mock: Mock, arguments: Arguments, node: Node, env: Environment, *, asserted: bool = False
    ) -> None:
        """An autospecced double takes the arguments of what it stands for, and no others; an assertion about
        other arguments fails."""
        known = self.signature_of(mock)
        if known is None:
            return
        function, skipped = known
        refused = refusal(
            function.args,
            skipped=skipped,
            positional=len(arguments.values),
            keywords=arguments.keywords,
            is_open=arguments.is_open,
        )
        if refused is None:
            return
        where: Node = node
        if refused.index is not None and refused.index < len(arguments.nodes):
            where = arguments.nodes[refused.index] or node
        elif refused.keyword is not None and isinstance(node, ast.Call):
            where = next((each for each in node.keywords if each.arg == refused.keyword), node)
        exception = "AssertionError" if asserted else "TypeError"
        detail = written(function.args, skipped)
        self.fail(env, Misuse.REFUSED_ARGUMENTS, mock, where, refused.error, detail, exception)

    def signature_of(self, mock: Mock) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, int] | None:
        """The function whose signature an autospecced double has, and how many of its first parameters are filled;
        None where it takes anything, or what it takes is not known."""
        spec = mock.spec
        if spec is None or not spec.auto:
            return None
        entity: object = spec.entity
        skipped = 0
        if isinstance(spec.entity, ClassEntity):
            new = self.resolver.class_attribute(spec.entity, "__new__")
            if spec.instance or isinstance(new, FunctionEntity):
                return None
            ancestry = self.resolver.ancestry(spec.entity)
            if not ancestry.complete or any(cls.declaration.decorators for cls in ancestry.classes):
                # A dataclass has a constructor of its own.
                return None
            entity, skipped = self.resolver.class_attribute(spec.entity, "__init__"), 1
        if not isinstance(entity, FunctionEntity):
            return None
        found = self.node_of(entity)
        names = (
            {last_name(decorator) for decorator in found[0].decorator_list} if found is not None else set()
        )
        if found is None or not names <= _SAME_SIGNATURE:
            return None
        if entity.owner is not None and not isinstance(spec.entity, ClassEntity):
            if spec.as_function or mock.parent is None:
                # Patched on a class, it gets the instance from those that look it up there.
                return None
            skipped = 0 if "staticmethod" in names else 1
        return found[0], skipped

    def mock_result(self, mock: Mock, arguments: Arguments, node: Node, env: Environment) -> Value:
        """What the call gives (``_execute_mock_call``): ``side_effect`` first, then ``return_value``."""
        effect = mock.slots.get("side_effect")
        if isinstance(effect, Value) and not (isinstance(effect, Literal) and effect.value is None):
            result = self._side_effect(mock, effect, arguments, node, env)
            if result is not None:
                return result
        wrapped = mock.slots.get("wraps")
        if isinstance(wrapped, Value) and "return_value" not in mock.slots:
            made = self.call(wrapped, arguments, node, env)
            if mock.kind is MockKind.ASYNC and self.is_coroutine_function(wrapped):
                return made.run() if isinstance(made, Coroutine) else made
            return made
        return self._result(mock, node, env)

    def _result(self, mock: Mock, node: Node, env: Environment) -> Value:
        """``mock.return_value``, which a sealed mock may lack."""
        sealed = mock.mark("sealed")
        if sealed is False or not self._lacks_result(mock):
            return self.return_value(mock)
        if sealed is None:
            self.may_raise_for("AttributeError")
            return UNKNOWN
        if self.awaited_at is not None and mock.kind is MockKind.ASYNC:
            node, env = self.awaited_at
        return self._missing_attribute(env, mock, node, "return_value", f"{mock.label}.return_value")

    def _lacks_result(self, mock: Mock) -> bool:
        """Has the mock no ``return_value`` yet? An autospec has one from the start: that of a class, and that of a
        method where the version gives it one."""
        if "return_value" in mock.slots:
            return False
        if mock.spec is None or not mock.spec.auto:
            return True
        if isinstance(mock.spec.entity, ClassEntity):
            return mock.spec.instance or "return_value_reset" in mock.slots
        return not versions.behaviour(self.workspace.target_version).autospec_survives_seal

    def _side_effect(
        self, mock: Mock, effect: Value, arguments: Arguments, node: Node, env: Environment
    ) -> Value | None:
        """The result of a side effect; None where it is ``DEFAULT``."""
        exceptions.raise_effect(self, effect)
        if isinstance(effect, Sequence_):
            items = effect.items
            if items is None:
                return UNKNOWN
            if not items:
                source = effect.slots.get("of")
                if isinstance(source, Sequence_) and source.items is not effect.slots["was"]:
                    # A list that has grown since.
                    return UNKNOWN
                return self._used_up(mock, node, env)
            self.write(effect.slots, "items", items[1:])
            exceptions.raise_effect(self, items[0])
            made = items[0]
        elif _gets_object(mock):
            # As a method does, before the arguments that are written.
            self.escape(arguments.everything())
            self.may_raise()
            return UNKNOWN
        elif isinstance(effect, (FunctionValue, Mock, Partial, ClassValue, BoundBuiltin)):
            made = self.call(effect, arguments, node, env)
            if mock.kind is MockKind.ASYNC and isinstance(made, Coroutine):
                known = self.is_coroutine_function(effect)
                if known is None:
                    return UNKNOWN
                made = made.run() if known else made
        else:
            # It may be an exception of a library.
            self.may_raise()
            self.escape(arguments.everything())
            return UNKNOWN
        return None if is_default(made) else made

    def _used_up(self, mock: Mock, node: Node, env: Environment) -> Value:
        """A call after the one that got the last item of a ``side_effect``."""
        exception = "StopAsyncIteration" if mock.kind is MockKind.ASYNC else "StopIteration"
        if (
            not isinstance(node, ast.Call)
            or last_name(node) in _ENDED
            or is_magic(mock.label.rpartition(".")[2])
        ):
            # Whatever iterates takes it for the end.
            raise Raised(exception)
        if any(guard.catches("RuntimeError", ()) is not False for guard in self.guards):
            # Coroutines and generators make a RuntimeError of it (PEP 479, PEP 492).
            raise Raised(exception)
        error = "the values of its `side_effect` are used up"
        return self.fail(env, Misuse.USED_UP, mock, node, error, exception=exception)

    def is_coroutine_function(self, value: Value) -> bool | None:
        """``iscoroutinefunction(value)``; None when not known."""
        if isinstance(value, FunctionValue):
            if value.cached or (value.is_async and self._decorator_names(value) & _NO_COROUTINE):
                return None
            return value.is_async
        if isinstance(value, Mock):
            spec = value.spec
            if value.kind is not MockKind.ASYNC and spec is not None and not spec.as_function:
                if isinstance(spec.entity, FunctionEntity):
                    # Its class is that of functions, and whatever its ``__code__.co_flags`` is asked is true; a
                    # Mock cannot even be asked.
                    return True if value.kind.magic else None
            return value.kind is MockKind.ASYNC
        return None if isinstance(value, Partial) else False

    def return_value(self, mock: Mock) -> Value:
        """``mock.return_value``, made on first use."""
        configured = mock.slots.get("return_value")
        if isinstance(configured, Value):
            return configured
        if not mock.certain:
            return UNKNOWN
        spec = None
        kind = self.shapes.child(mock, "()").kind
        if mock.spec is not None and not mock.spec.instance and "return_value_reset" not in mock.slots:
            if not isinstance(mock.spec.entity, ClassEntity) or not mock.spec.auto:
                return UNKNOWN
            kind = self.shapes.instance_kind(mock.spec.entity)
            spec = Spec(mock.spec.entity, auto=True, strict=mock.spec.strict)
        if kind is None:
            return UNKNOWN
        made = Mock(kind, mock.place, f"{mock.label}()", spec, mock, auto=True)
        if mock.cls is not None and kind is mock.kind:
            made.cls = mock.cls
        self._seal_too(mock, made)
        self.write(mock.slots, "return_value", made)
        return made

    def _seal_too(self, mock: Mock, made: Mock) -> None:
        """What an autospec has from the start was sealed with it, though it is made only now."""
        if "sealed" in mock.slots:
            self.write(made.slots, "sealed", mock.slots["sealed"])

    def own_method(self, mock: Mock, name: str) -> Value | None:
        """A method of a subclass of mocks in the workspace, bound to the mock."""
        found = self.in_subclass(mock, name)
        if isinstance(found, FunctionEntity) and mock.cls is not None:
            return self.method(found, mock.cls, mock)
        return None

    def in_subclass(self, mock: Mock, name: str) -> Lookup:
        """What the classes of the workspace, between the mock's class and those of the library, say of a name."""
        if mock.cls is None:
            return Absent.MISSING
        for cls in self.resolver.ancestry(mock.cls).classes:
            if cls.module.workspace:
                if self.resolver.is_set_on_class(cls, name):
                    return Absent.UNKNOWN
                found = self.resolver.own_attribute(cls, name)
                if found is not Absent.MISSING:
                    return found
        return Absent.MISSING

    def mock_attribute(self, mock: Mock, name: str, node: Node, env: Environment) -> Value:
        self.meet_double()
        if name == "return_value":
            return self._result(mock, node, env)
        if name == "side_effect":
            effect = mock.slots.get("side_effect")
            return effect if isinstance(effect, Value) else UNKNOWN
        slot = f".{name}"
        on_type = mock.slots.get(f"type{slot}")
        if isinstance(on_type, Mock):
            return self.call_mock(on_type, Arguments(), node, env)
        configured = mock.slots.get(slot)
        if isinstance(configured, Value):
            if isinstance(configured, Mock) and configured.auto and mock.plain:
                self._look_at_assertion(mock, name, node, env)
            return self.tell(mock, configured)
        deleted = mock.mark(f"deleted{slot}")
        if deleted:
            return self._missing_attribute(env, mock, node, name, name)
        if deleted is None:
            self.may_raise_for("AttributeError")
            return UNKNOWN
        if mock.plain:
            self._look_at_assertion(mock, name, node, env)
        if name == "__dict__":
            # Whoever has it may set any child.
            self.escape([mock])
            for child in [key for key in mock.slots if key.startswith(".")]:
                self.write(mock.slots, child, UNKNOWN)
            return UNKNOWN
        if not mock.certain:
            self.may_raise_for("AttributeError")
            # What is set on it by them is known all the same.
            return BoundBuiltin(mock, name) if name in METHODS else UNKNOWN
        own = self._own_attribute(mock, name)
        if own is not None:
            return own
        if mock.cls is not None:
            method = self.own_method(mock, name)
            if method is not None:
                return method
            if self.in_subclass(mock, name) is not Absent.MISSING:
                return UNKNOWN
        return self._child(mock, name, node, env)

    def _own_attribute(self, mock: Mock, name: str) -> Value | None:
        """Attributes that the classes of mocks have."""
        if name in AWAIT_ASSERTIONS or name in AWAIT_RECORDS:
            if mock.kind is not MockKind.ASYNC:
                return None
            return BoundBuiltin(mock, name) if name in AWAIT_ASSERTIONS else UNKNOWN
        if name in ASSERTIONS:
            return BoundBuiltin(mock, name)
        if mock.spec is not None and mock.spec.as_function:
            if name == "mock":
                self.escape([mock])
                return UNKNOWN
            return BoundBuiltin(mock, name) if name == "reset_mock" else UNKNOWN if name in RECORDS else None
        if name in METHODS:
            return BoundBuiltin(mock, name)
        return UNKNOWN if name in RECORDS or name.startswith(OWN_PREFIXES) else None

    def _child(self, mock: Mock, name: str, node: Node, env: Environment) -> Value:
        """``__getattr__`` of a mock."""
        if mock.spec is not None and mock.spec.as_function:
            if self.shapes.has(mock.spec, name) is not False:
                return UNKNOWN
            error = f"'function' object has no attribute {name!r}"
            return self._missing_attribute(env, mock, node, name, error)
        listed = mock.spec is not None and mock.spec.names is not None and name in mock.spec.names
        if is_magic(name) and not self.shapes.supports(mock, name) and (not listed or is_supported(name)):
            if name in _ON_EVERY_MOCK or self.shapes.supports(mock, name) is None:
                return UNKNOWN
            error = name if mock.spec is None else ""
            return self._missing_attribute(env, mock, node, name, error)
        if mock.spec is None and not mock.unsafe and self._refused_name(name):
            misuse = Misuse.AWAIT_ASSERTION if name in AWAIT_ASSERTIONS else Misuse.INVALID_ASSERTION
            return self.fail(env, misuse, mock, node, _not_valid(name), name, "AttributeError")
        if mock.spec is None and name in AWAIT_RECORDS:
            self.note(env, Misuse.AWAIT_ASSERTION, mock, node, "a mock like any other child", name)
        child = self.shapes.child(mock, name)
        if child.unsure or shared.is_open(mock, name):
            self.may_raise_for("AttributeError")
            return UNKNOWN
        if child.kind is None:
            return self._missing_attribute(env, mock, node, name)
        # An autospec has all its children but special methods from the start.
        from_the_start = mock.spec is not None and mock.spec.auto and not is_magic(name)
        sealed = mock.mark("sealed") if not from_the_start else False
        if sealed:
            return self._missing_attribute(env, mock, node, name, f"{mock.label}.{name}")
        if sealed is None:
            self.may_raise_for("AttributeError")
            return UNKNOWN
        made = Mock(child.kind, mock.place, f"{mock.label}.{name}", child.spec, mock, auto=True)
        if mock.cls is not None and child.kind is mock.kind and not is_magic(name):
            made.cls = mock.cls
        wrapped = mock.slots.get("wraps")
        if isinstance(wrapped, Value):
            inner = self.attribute(wrapped, name, node, env)
            made.slots["wraps"] = inner
            made.unsure = isinstance(inner, Unknown)
        self._seal_too(mock, made)
        shared.begin_child(self, made, name)
        self.write(mock.slots, f".{name}", made)
        return made

    def _missing_attribute(
        self, env: Environment, mock: Mock, node: Node, name: str, error: str = ""
    ) -> Value:
        misuse = Misuse.MISSING_ATTRIBUTE
        if name in AWAIT_ASSERTIONS or name in AWAIT_RECORDS:
            misuse = Misuse.AWAIT_ASSERTION
        elif meant(name) is not None:
            misuse = Misuse.INVALID_ASSERTION
        error = error or f"Mock object has no attribute {name!r}"
        return self.fail(env, misuse, mock, node, error, name, "AttributeError")

    def _look_at_assertion(self, mock: Mock, name: str, node: Node, env: Environment) -> None:
        """Remember that an assertion or record is looked at, or a name that is nearly one."""
        is_async = mock.kind is MockKind.ASYNC and not mock.vague
        if self.in_subclass(mock, name) is not Absent.MISSING:
            return
        if name in ASSERTIONS or name in RECORDS or name in AWAIT_ASSERTIONS or name in AWAIT_RECORDS:
            if (is_async or "await" not in name) and not self._as_usual(name, node):
                self.look(env, Sight.ASSERTION, mock, node, name)
            return
        refused = self._refused_name(name)
        near = meant(name)
        if not refused and (near is None or (near in AWAIT_ASSERTIONS and not is_async)):
            return
        if mock.cls is not None and self.resolver.class_attribute(mock.cls, name) is not Absent.MISSING:
            return
        error = ""
        if mock.spec is not None:
            if near is None or self.shapes.has(mock.spec, name) is not False:
                return
            kind = "'function'" if mock.spec.as_function else "Mock"
            error = f"{kind} object has no attribute {name!r}"
        elif refused and not mock.unsafe and f".{name}" not in mock.slots:
            error = _not_valid(name)
        if error or near is not None:
            self.look(env, Sight.LOOKALIKE, mock, node, name, error)

    def _as_usual(self, name: str, node: Node) -> bool:
        """An assertion that is called as a statement; a record that is not looked at for nothing."""
        statement = self.thrown_away
        if name in RECORDS or name in AWAIT_RECORDS:
            return statement is not node and not (
                isinstance(statement, ast.Compare) and node in (statement.left, *statement.comparators)
            )
        return isinstance(statement, ast.Call) and statement.func is node

    def _refused_name(self, name: str) -> bool:
        """Is the name taken for a misspelled assertion on a mock without a spec?"""
        if name.startswith(("assert", "assret", "asert", "aseert", "assrt")):
            return True
        denied = versions.behaviour(self.workspace.target_version).assertion_names_raise
        return denied and name in versions.FORBIDDEN_WITHOUT_PREFIX

    def call_magic(self, mock: Mock, name: str, arguments: Arguments, node: Node, env: Environment) -> Value:
        """``type(mock).__x__(mock, …)``: a function that the test put there gets the mock itself first."""
        if mock.mark("sealed") and f".{name}" not in mock.slots:
            # CPython looks these up and takes an AttributeError for "there is none".
            if name in _UNDECIDED:
                return NOT_IMPLEMENTED
            if name == "__iter__":
                error = f"{mock.type_name!r} object is not iterable"
                return self.fail(env, Misuse.NOT_ITERABLE, mock, node, error, SEALED)
        method = self.mock_attribute(mock, name, node, env)
        if isinstance(method, FunctionValue) and method.bound is not mock:
            return self.call(method, arguments.with_first(mock), node, env)
        if name in ("__iter__", "__aiter__") and isinstance(method, Mock) and method.auto:
            return self._default_iterator(method, name, node, env)
        if isinstance(method, Mock) and method.auto and not CONFIGURED & method.slots.keys():
            if name in _DEFAULT_RESULTS:
                given = Literal(_DEFAULT_RESULTS[name])
                if method.kind is MockKind.ASYNC:
                    return Coroutine(lambda: given, Place(env.unit, node), mock=method)
                return given
            if name in _UNDECIDED:
                return NOT_IMPLEMENTED
            if name in ("__str__", "__hash__", "__sizeof__", "__fspath__", "__eq__", "__ne__"):
                return UNKNOWN
        return self.call(method, arguments, node, env)

    def _default_iterator(self, method: Mock, name: str, node: Node, env: Environment) -> Value:
        """``_get_iter`` and ``_get_async_iter``: an iterator over ``return_value``, or over nothing."""
        if "side_effect" in method.slots or not method.certain:
            return UNKNOWN
        configured = method.slots.get("return_value")
        if not isinstance(configured, Value):
            return Sequence_.of("iterator", ())
        where = node if isinstance(node, ast.expr) else ast.Constant(None)
        return Sequence_.of("iterator", self.items(configured, where, env))

    def _note_awaited(self, coroutine: Coroutine, node: Node, env: Environment) -> None:
        """Remember that a method of a specced double is awaited, for the first of each double."""
        owner = coroutine.mock.parent if coroutine.mock is not None else None
        if owner is None or owner.parent is not None or owner.spec is None or id(owner) in self.awaited:
            return
        if owner.kind is not MockKind.ASYNC and isinstance(owner.spec.entity, ClassEntity) and self.certain:
            self.awaited.add(id(owner))
            self.alive.append(owner)
            self.look(env, Sight.AWAITED, owner, node, coroutine.place.source)

    def await_value(
        self, value: Value, node: Node, env: Environment, callee: Value | None = None, error: str = ""
    ) -> Value:
        """``await value``; ``error`` is the message of what awaits it, where that is not ``await`` itself."""
        if isinstance(value, Coroutine):
            self._note_hidden(value, node, env)
            self._note_awaited(value, node, env)
            if value.mock is not None or value.function is not None:
                # A task can be awaited again, a coroutine cannot.
                if self.spent.get(id(value)) is True:
                    raise Raised("RuntimeError")
                self.write(self.spent, id(value), True)
                self.alive.append(value)
            value.awaited = True
            outer, self.awaited_at = self.awaited_at, (node, env) if value.mock is not None else None
            try:
                return value.run()
            finally:
                self.awaited_at = outer
        if isinstance(value, Mock):
            if not value.certain:
                return UNKNOWN
            own = self.own_method(value, "__await__")
            # ``__await__`` is no magic method that a mock supports: set on the instance, nothing looks there.
            if own is not None or "type.__await__" in value.slots:
                return UNKNOWN
            return self._not_awaitable(env, value, node, value.type_name, error)
        kind = awaitables.kind_if_plain(self, value)
        mock = self.told_by(value)
        if mock is not None and kind is not None:
            return self._not_awaitable(env, mock, node, kind, error)
        if isinstance(callee, FunctionValue):
            if kind is None and isinstance(value, Unknown) and awaitables.plain_returns(self, callee):
                kind = ""
            if kind is not None:
                self._not_awaitable(env, callee, node, kind, error)
                return value
        self.may_raise()
        return Foreign(value.dotted) if isinstance(value, Foreign) else UNKNOWN

    def _note_hidden(self, coroutine: Coroutine, node: Node, env: Environment) -> None:
        """Code under test awaits a method of an AsyncMock whose declared class has a plain ``def`` there."""
        method = coroutine.mock
        declared = method.parent.declared if method is not None and method.parent is not None else None
        if method is None or declared is None or self.is_test(env.unit.path):
            return
        name = method.label.rpartition(".")[2]
        found = self.resolver.class_attribute(declared.entity, name)
        if not isinstance(found, FunctionEntity) or self.shapes.is_coroutine_function(found) is not False:
            return
        function = self.raw_function(found)
        decorated = found.declaration.decorators or not self.resolver.ancestry(declared.entity).complete
        if function is None or decorated or _is_stub(function.node):
            return
        if awaitables.plain_returns(self, function):
            self.note(env, Misuse.HIDES_SYNC, coroutine, node, "it cannot be awaited", found.qualname)

    def note_untaken(self) -> None:
        """At the end of a test whose code was all followed: what it configured and nothing called, beside what the
        code under test called on the same double instead. A rule decides which of them are near."""
        if self.strayed or not self.certain:
            return
        for configured in self.configured:
            mock, owner = configured.mock, configured.owner or configured.mock
            if ("called", id(mock)) in self.called or not mock.certain or not owner.certain:
                continue
            if not _is_reachable(owner) or (
                owner is not mock and owner.slots.get(f".{configured.name}") is not mock
            ):
                continue
            path = steps(owner) if owner is mock else f"{steps(owner)}.{configured.name}"
            for other, instead in self.used:
                related = other in owner.lineage() or owner in other.lineage()
                if owner is not mock:
                    related = mock in other.lineage()
                if other.root is owner.root and not related and not self._is_configured(other):
                    place = configured.place
                    note = Failure(
                        Misuse.UNTAKEN, "", owner, place, (), True, path, steps(other), place, instead
                    )
                    self.notes.append(note)

    def _is_configured(self, mock: Mock) -> bool:
        given = mock.slots.get("return_value")
        return bool({"side_effect", "wraps"} & mock.slots.keys()) or not (
            given is None or (isinstance(given, Mock) and given.auto)
        )

    def note_stand_ins(self) -> None:
        """At the end of a test: the doubles in place of coroutine functions whose calls cannot be awaited, and
        were not."""
        for mock in self.stand_ins:
            replaced = mock.replaces
            if replaced is None or not replaced.is_async or not mock.certain or not self.certain:
                continue
            if mock.kind is MockKind.ASYNC or {"wraps", "side_effect", "awaited"} & mock.slots.keys():
                continue
            given = mock.slots.get("return_value")
            if isinstance(given, Mock):
                awaitable = not given.certain or any(name.endswith(".__await__") for name in given.slots)
            else:
                awaitable = isinstance(given, Value) and awaitables.kind_if_plain(self, given) is None
            if not awaitable:
                error = "its calls cannot be awaited"
                place = replaced.place
                self.notes.append(Failure(Misuse.STANDS_IN, "", mock, place, (), True, error, "", place))

    def _not_awaitable(self, env: Environment, subject: Value, node: Node, kind: str, error: str) -> Value:
        for mock in subject.lineage()[:2] if isinstance(subject, Mock) and self.certain else ():
            # Seen, and perhaps expected.
            self.write(mock.slots, "awaited", True)
        return self.fail(
            env,
            Misuse.AWAIT,
            subject,
            node,
            error or versions.not_awaitable(kind or "it returns", self.workspace.target_version),
            kind,
        )

    def set_mock_attribute(
        self,
        mock: Mock,
        name: str,
        value: Value,
        place: Place | None = None,
        env: Environment | None = None,
        *,
        attached: bool = False,
        given: bool = False,
    ) -> None:
        """``mock.name = value``; ``place`` and ``env`` where a refusal by ``spec_set`` is to be reported.

        ``attached``: by ``attach_mock``, which takes the value from the mock that it belonged to. ``given``: the mock
        is made with it."""
        if name in ("return_value", "side_effect") and place is not None and not self.calls:
            self.configured.append(Configured(mock, place))
        if place is not None and isinstance(value, (Literal, Sequence_, Mapping_)):
            self.set_at[id(value)] = (value, place)
        handed = handed_place(mock)
        if handed is not None and isinstance(value, Mock) and "handed" not in value.slots:
            self.handed(value, handed)
        if name == "side_effect":
            # A list is iterated over from its beginning, whatever else holds it; a dict gives its keys.
            if isinstance(value, Sequence_):
                if value.kind not in ITERATORS:
                    value = Sequence_("iterator", {**value.slots, "of": value, "was": value.items})
            elif isinstance(value, Mapping_):
                keys = None if value.is_open else [Literal(key) for key, _ in value.items()]
                value = Sequence_.of("iterator", keys)
            self.write(mock.slots, name, value)
            return
        if name == "return_value":
            self.write(mock.slots, name, value)
            if not given:
                self._own(mock, value)
            return
        if place is not None and env is not None and self._refuses(mock, name):
            self._missing_attribute(env, mock, place.node, name, f"Mock object has no attribute '{name}'")
            return
        if place is not None and env is not None and self._is_locked(mock, name, value, attached):
            self._missing_attribute(env, mock, place.node, name, f"Cannot set {mock.label}.{name}")
            return
        if isinstance(value, Mock) and value.parent is None and place is not None and not self.calls:
            if value is not mock and self._is_configured(value):
                self.configured.append(Configured(value, place, mock, name))
        self._own(mock, value, attached=attached)
        self.write(mock.slots, f".{name}", value)
        self.delete(mock.slots, f"deleted.{name}")

    def _own(self, mock: Mock, value: Value, *, attached: bool = False) -> None:
        """A mock that has neither a name nor a parent becomes a child (``_check_and_set_parent``)."""
        if isinstance(value, Mock) and value.parent is None and (attached or "owner" not in value.slots):
            self.write(value.slots, "owner", id(mock))

    def delete_mock_attribute(self, mock: Mock, target: ast.Attribute, env: Environment) -> None:
        """``del mock.name``: there or not, but once (``NonCallableMock.__delattr__``)."""
        name = target.attr
        as_function = mock.spec is not None and mock.spec.as_function
        if mock.mark(f"deleted.{name}") and mock.certain and not is_magic(name) and not as_function:
            self._missing_attribute(env, mock, target, name, name)
        elif self._is_property(mock, name) and self._has_itself(mock, name):
            # ``object.__delattr__`` leaves it to the property, which does not know how.
            self._missing_attribute(env, mock, target, name, NOT_DELETED)
            return
        self.delete(mock.slots, f".{name}")
        self.write(mock.slots, f"deleted.{name}", True)

    def _is_property(self, mock: Mock, name: str) -> bool:
        """Was a PropertyMock, which cannot be deleted, set on the type of a double? Special methods are looked for
        there first."""
        found = mock.slots.get(f"type.{name}")
        return isinstance(found, Mock) and found.cls is None and not is_magic(name)

    def _has_itself(self, mock: Mock, name: str) -> bool:
        """Is an attribute in the ``__dict__`` of a double: was it set there, as :func:`create_autospec` does for
        functions?"""
        found = mock.slots.get(f".{name}")
        if isinstance(found, Value) and not (isinstance(found, Mock) and found.auto):
            return mock.certain
        if mock.spec is None or not mock.spec.auto or not isinstance(mock.spec.entity, ClassEntity):
            return False
        declared = self.resolver.class_attribute(mock.spec.entity, name)
        return mock.certain and isinstance(declared, FunctionEntity) and not declared.declaration.decorators

    def _is_locked(self, mock: Mock, name: str, value: Value, attached: bool) -> bool:
        """Does ``seal`` refuse that an attribute is set? It takes those that are there, and mocks that belong to no
        other (``NonCallableMock.__setattr__``)."""
        if not mock.mark("sealed") or not mock.certain or isinstance(value, Unknown):
            return False
        if any(self.in_subclass(mock, each) is not Absent.MISSING for each in (name, *_ATTRIBUTE_HOOKS)):
            return False
        if isinstance(value, Mock) and (value.parent is None or attached):
            # It became a child, which is there when the spec has such a name.
            return mock.spec is not None and self.shapes.has(mock.spec, name) is False
        if is_magic(name) or name in RECORDS | METHODS | ASSERTIONS | AWAIT_ASSERTIONS | AWAIT_RECORDS:
            return False
        if f".{name}" in mock.slots:
            return False
        return mock.spec is None or not mock.spec.auto or self.shapes.has(mock.spec, name) is False

    def _refuses(self, mock: Mock, name: str) -> bool:
        """Does ``spec_set`` (or, for a magic method, any spec) refuse that an attribute is set?"""
        if mock.spec is None or not mock.certain or name in RECORDS:
            return False
        if not mock.spec.strict and not (is_magic(name) and name in SYNC_MAGICS | ASYNC_METHOD_MAGICS):
            return False
        return self.shapes.has(mock.spec, name) is False


_ENDED = frozenset({"iter", "map", "filter", "zip", "next", "list", "tuple", "set", "dict", "sum", "sorted"})
_SAME_SIGNATURE = frozenset(
    {
        "staticmethod", "classmethod", "abstractmethod", "override", "final", "contextmanager",
        "asynccontextmanager",
    }
)  # fmt: skip
"""Decorators that leave the signature as it is."""
CONFIGURED = frozenset({"return_value", "side_effect", "wraps"})
_DEFAULT_RESULTS: dict[str, object] = {
    "__int__": 1,
    "__contains__": False,
    "__len__": 0,
    "__exit__": False,
    "__complex__": 1j,
    "__float__": 1.0,
    "__bool__": True,
    "__index__": 1,
    "__aexit__": False,
}
"""``_calculate_return_value`` and ``_return_values`` of CPython's mock.py."""
NOT_DELETED: Final = "__delete__"
"""What a PropertyMock has not: the message of the AttributeError."""
SEALED: Final = "sealed"
"""The detail of a failure that ``seal`` is the reason of."""
_ATTRIBUTE_HOOKS = ("__setattr__", "__getattr__", "__getattribute__")
_UNDECIDED = frozenset({"__lt__", "__gt__", "__le__", "__ge__"})
_ON_EVERY_MOCK = frozenset(dir(object)) | {
    "__annotations__", "__call__", "__class_getitem__", "__code__", "__defaults__", "__dict__", "__getattr__",
    "__kwdefaults__", "__module__", "__weakref__",
}  # fmt: skip
"""Special names that a mock or its class may have, whatever its spec. All others that its class has not are refused."""


def _not_valid(name: str) -> str:
    return (
        f"{name!r} is not a valid assertion. Use a spec for the mock if {name!r} is meant to be an attribute."
    )


def _is_stub(function: ast.AST) -> bool:
    """Does a function only say how others look: ``...``, ``pass``, ``raise NotImplementedError``?"""
    return isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and all(
        isinstance(node, (ast.Pass, ast.Raise))
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def steps(mock: Mock) -> str:
    """From the root mock to this one, as it is written: ``.execute()`` for ``session.execute()``."""
    parts = [
        "()" if each.label.endswith("()") else f".{each.label.rpartition('.')[2]}"
        for each in mock.lineage()
        if each.parent is not None
    ]
    return "".join(reversed(parts))


def _is_reachable(mock: Mock) -> bool:
    """Do the doubles that it came from still have it: was nothing put in its place?"""
    for child in mock.lineage():
        parent = child.parent
        if parent is not None and not any(value is child for value in parent.slots.values()):
            return False
    return True


def _gets_object(mock: Mock) -> bool:
    """Is it an autospec of a method, put on the class? It is a function there, and gets what a method gets."""
    spec = mock.spec
    if spec is None or not spec.as_function or mock.parent is not None:
        return False
    return isinstance(spec.entity, FunctionEntity) and spec.entity.owner is not None
