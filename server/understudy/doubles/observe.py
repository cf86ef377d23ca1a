"""What the doubles of a test are at the places where it names them. For a hover and for inlay hints: the tests of
a file are simulated for this alone, when somebody asks."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from understudy.doubles.collected import Test
from understudy.doubles.machine import Machine
from understudy.doubles.run import Simulation
from understudy.doubles.state import Status
from understudy.doubles.values import (
    ClassValue,
    Coroutine,
    Environment,
    ExceptionValue,
    FunctionValue,
    Instance,
    Literal,
    Mapping_,
    Mock,
    MockKind,
    Sequence_,
    Value,
)
from understudy.facts import model
from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.source.span import Span

_MOST_CHILDREN = 12


@dataclass(frozen=True)
class ChildShape:
    """One row of the table: an attribute of a mock, or the call of the mock itself."""

    name: str
    """``execute()``; ``()`` for the mock's own call."""
    kind: str
    awaitable: bool | None
    """Is what a call of it gives to be awaited? None when that is not known."""
    returns: str
    """What the call gives in the end; empty when that is not known."""


@dataclass(frozen=True)
class Shape:
    """What a mock is at one place."""

    label: str
    kind: str
    spec: str | None
    made: tuple[Path, Span]
    replaces: str | None
    children: tuple[ChildShape, ...]


def observe(simulation: Simulation, test: Test, wanted: Iterable[ast.AST]) -> dict[ast.AST, Shape]:
    """Simulate a test; the shapes of the mocks at some expressions, targets and parameters of it."""
    nodes = {id(node): node for node in wanted}
    seen: dict[ast.AST, Shape] = {}

    def note(machine: Machine, node: ast.AST, value: object) -> None:
        if id(node) in nodes and isinstance(value, Mock):
            seen[node] = shape_of(machine, value)

    simulation.run_with(test, lambda: _Observing(simulation, test, note))
    return seen


class _Observing(Machine):
    """Tells what the expressions, targets and parameters of one test are worth."""

    def __init__(
        self, simulation: Simulation, test: Test, note: Callable[[Machine, ast.AST, object], None]
    ) -> None:
        super().__init__(
            simulation.workspace, simulation.resolver, simulation.is_test, tier2=simulation.tier2
        )
        self._test = test
        self._note = note

    def eval(self, node: ast.expr, env: Environment) -> Value:
        value = super().eval(node, env)
        self._note(self, node, value)
        return value

    def assign(
        self, target: ast.expr, value: Value, env: Environment, source: ast.expr | None = None
    ) -> None:
        super().assign(target, value, env, source)
        self._note(self, target, value)

    def block(self, body: list[ast.stmt], env: Environment) -> Status:
        if body is self._test.node.body:
            spec = self._test.node.args
            for parameter in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs):
                self._note(self, parameter, env.names.get(parameter.arg))
        return super().block(body, env)


def shape_of(machine: Machine, mock: Mock) -> Shape:
    root = mock.root
    spec = mock.spec
    entity = spec.entity if spec is not None else None
    children = list(_children(machine, mock))
    if mock.kind.callable and (spec is None or not isinstance(entity, ClassEntity) or not spec.instance):
        children.insert(0, _call(mock, "()"))
    elif "return_value" in mock.slots or "side_effect" in mock.slots:
        children.insert(0, _call(mock, "()"))
    return Shape(
        mock.label,
        mock.type_name,
        entity.name if entity is not None else None,
        (root.place.unit.path, root.place.span),
        mock.replaces.function.name if mock.replaces is not None else None,
        tuple(children[:_MOST_CHILDREN]),
    )


def _children(machine: Machine, mock: Mock) -> Iterable[ChildShape]:
    """What was configured or used, then what the spec says."""
    names: dict[str, None] = {}
    for key, value in mock.slots.items():
        if key.startswith(".") and isinstance(value, Value):
            names[key[1:]] = None
    entity = mock.spec.entity if mock.spec is not None else None
    if isinstance(entity, ClassEntity):
        for declaration in entity.declaration.body:
            if isinstance(declaration, model.Function) and not declaration.name.startswith("_"):
                names[declaration.name] = None
    for name in names:
        value = mock.slots.get(f".{name}")
        if isinstance(value, Mock):
            yield (
                _call(value, f"{name}()")
                if value.kind.callable
                else ChildShape(name, value.type_name, False, "")
            )
        elif isinstance(value, Value):
            yield ChildShape(name, written(value), False, "")
        else:
            child = machine.shapes.child(mock, name)
            if child.kind is not None:
                is_async = child.kind is MockKind.ASYNC
                yield ChildShape(f"{name}()", child.kind.value, is_async, "MagicMock")


def _call(mock: Mock, name: str) -> ChildShape:
    awaitable = None if mock.vague else mock.kind is MockKind.ASYNC
    return ChildShape(name, mock.type_name, awaitable, _returned(mock))


def _returned(mock: Mock) -> str:
    effect = mock.slots.get("side_effect")
    if isinstance(effect, ExceptionValue):
        return f"raises {effect.name}"
    if isinstance(effect, Sequence_):
        return "one after the other of a list"
    if isinstance(effect, FunctionValue):
        return f"what {effect.name} returns"
    given = mock.slots.get("return_value")
    if isinstance(given, Value):
        return written(given)
    return "" if effect is not None else "MagicMock" if mock.kind is not MockKind.MOCK else "Mock"


def written(value: Value) -> str:
    """A value in a word or two; empty when it is not known."""
    if isinstance(value, Literal):
        text = repr(value.value)
        return text if len(text) <= 40 else f"{text[:37]}..."
    if isinstance(value, Mock):
        entity = value.spec.entity if value.spec is not None else None
        of = f" of {entity.name}" if isinstance(entity, (ClassEntity, FunctionEntity)) else ""
        return f"{value.type_name}{of}"
    if isinstance(value, Instance):
        return value.entity.name
    if isinstance(value, ClassValue):
        return f"the class {value.entity.name}"
    if isinstance(value, FunctionValue):
        return f"the function {value.name}"
    if isinstance(value, Sequence_):
        return f"a {value.kind}"
    if isinstance(value, Mapping_):
        return "a dict"
    return "a coroutine" if isinstance(value, Coroutine) else ""
