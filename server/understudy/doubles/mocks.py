"""What a double does when it is called, awaited or asked for an attribute."""

from __future__ import annotations

from understudy.doubles import awaitables
from understudy.doubles.arguments import Arguments
from understudy.doubles.core import handed_place, kind_of
from understudy.doubles.functions import Functions
from understudy.doubles.library import exceptions
from understudy.doubles.shapes import (
    ASSERTIONS,
    AWAIT_ASSERTIONS,
    AWAIT_RECORDS,
    METHODS,
    RECORDS,
)
from understudy.doubles.state import (
    Misuse,
)
from understudy.doubles.values import (
    UNKNOWN,
    BoundBuiltin,
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
from understudy.infer.entities import (
    ClassEntity,
    FunctionEntity,
)


class Mocks(Functions):
    """Adds doubles."""

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
        exceptions.raise_effect(self, effect)
        if isinstance(effect, Sequence_):
            items = effect.items
            if not items:
                return UNKNOWN
            self.write(effect.slots, "items", items[1:])
            exceptions.raise_effect(self, items[0])
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
            if mock.kind is MockKind.ASYNC:
                return BoundBuiltin(mock, name) if name in AWAIT_ASSERTIONS else UNKNOWN
            error = self._no_await_assertion(mock, name)
            if error:
                return self.fail(env, Misuse.AWAIT_ASSERTION, mock, node, error, name, "AttributeError")
            if mock.spec is None and name in AWAIT_RECORDS:
                self.note(env, Misuse.AWAIT_ASSERTION, mock, node, "a mock like any other child", name)
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

    def _no_await_assertion(self, mock: Mock, name: str) -> str:
        """What ``mock.assert_awaited`` of a mock that is not async raises; empty where it is a child like others,
        or not known."""
        if mock.spec is not None:
            if isinstance(mock.spec.entity, FunctionEntity):
                kind = "'function'" if mock.spec.auto and mock.parent is None else "Mock"
                return f"{kind} object has no attribute {name!r}"
            return (
                f"Mock object has no attribute {name!r}" if self.shapes.has(mock.spec, name) is False else ""
            )
        if name in AWAIT_RECORDS or mock.unsafe:
            return ""
        return f"{name!r} is not a valid assertion. Use a spec for the mock if {name!r} is meant to be an attribute."

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
        if isinstance(callee, FunctionValue):
            kind = awaitables.kind_if_plain(self, value)
            if kind is None and isinstance(value, Unknown) and awaitables.plain_returns(self, callee):
                kind = ""
            if kind is not None:
                self._not_awaitable(env, callee, node, kind, error)
                return value
        self.may_raise()
        return Foreign(value.dotted) if isinstance(value, Foreign) else UNKNOWN

    def _not_awaitable(self, env: Environment, subject: Value, node: Node, kind: str, error: str) -> Value:
        return self.fail(
            env,
            Misuse.AWAIT,
            subject,
            node,
            error or f"object {kind or 'it returns'} can't be used in 'await' expression",
            kind,
        )

    def set_mock_attribute(self, mock: Mock, name: str, value: Value) -> None:
        place = handed_place(mock)
        if place is not None and isinstance(value, Mock) and "handed" not in value.slots:
            self.handed(value, place)
        if name in ("return_value", "side_effect"):
            self.write(mock.slots, name, value)
        else:
            self.write(mock.slots, f".{name}", value)
            self.delete(mock.slots, f"deleted.{name}")
