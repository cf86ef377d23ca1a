"""The names of :mod:`unittest.mock`, and what its constructors make."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from understudy.doubles.library import patches
from understudy.doubles.library.played import Patch
from understudy.doubles.shapes import CALLED_ASSERTIONS, CONSTRUCTORS
from understudy.doubles.values import (
    UNKNOWN,
    ClassValue,
    Environment,
    Foreign,
    FunctionValue,
    LibraryName,
    Literal,
    Mock,
    MockKind,
    Place,
    Sequence_,
    Spec,
    Unknown,
    Value,
)
from understudy.infer import tier2
from understudy.infer.entities import (
    ClassEntity,
    External,
    FunctionEntity,
)
from understudy.source.parse import Unit

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments
    from understudy.doubles.objects import Objects as Machine

MOCK_MODULES = ("unittest.mock", "mock.mock", "mock", "asynctest.mock", "asynctest")
_CONFIGURATION = frozenset(
    {"spec", "side_effect", "return_value", "wraps", "name", "spec_set", "unsafe", "parent", "instance"}
)


def mock_name(entity: External) -> str | None:
    """``MagicMock``, ``patch.object``…: the name inside the mock module; None for other names."""
    for module in MOCK_MODULES:
        prefix = f"{module}."
        if entity.dotted.startswith(prefix):
            return {"CoroutineMock": "AsyncMock"}.get(rest := entity.dotted.removeprefix(prefix), rest)
    return None


def mock_class(externals: Iterable[External]) -> MockKind | None:
    """The kind of mock that a class with these bases is."""
    for external in externals:
        name = mock_name(external)
        if name in CONSTRUCTORS:
            return CONSTRUCTORS[name]
    return None


def make_mock(machine: Machine, kind: MockKind, arguments: Arguments, place: Place) -> Mock:
    """``MagicMock(…)``."""
    mock = Mock(kind, place, f"{kind.value}()")
    mock.unsafe = not is_off(arguments.keywords.get("unsafe"))
    spec = arguments.get(0, "spec") or arguments.keywords.get("spec_set")
    if spec is not None:
        node = arguments.node(0, "spec") or arguments.keyword_nodes.get("spec_set")
        give_spec(machine, mock, spec, node)
    positions = {"side_effect": 1, "return_value": 2, "wraps": 3}
    for name, index in positions.items():
        value = arguments.get(index, name)
        if value is not None and not (name == "wraps" and isinstance(value, Literal)):
            mock.slots[name] = value
    change = machine.changes.get(place.key)
    if change is not None:
        mock.kind = change.kind or mock.kind
        mock.label = f"{mock.kind.value}()"
        for path, child in change.children.items():
            configure_path(machine, mock, path, Mock(child, place, f"{child.value}()"))
    configure(machine, mock, arguments.keywords)
    mock.unsure = mock.unsure or arguments.is_open
    return mock


def is_off(option: Value | None) -> bool:
    """Is an option left out, or a constant that is false?"""
    return option is None or (isinstance(option, Literal) and not option.value)


def configure(machine: Machine, mock: Mock, keywords: dict[str, Value]) -> None:
    for name, value in keywords.items():
        if name not in _CONFIGURATION:
            configure_path(machine, mock, name, value)


def configure_path(machine: Machine, mock: Mock, path: str, value: Value) -> None:
    """``configure_mock(**{"a.b.return_value": value})``."""
    *parts, last = path.split(".")
    target: Value = mock
    module = machine.workspace.module(mock.place.unit.path)
    if module is None:
        return
    env = Environment(module, mock.place.unit, {}, None, frozenset())
    for part in parts:
        if not isinstance(target, Mock):
            return
        target = machine.mock_attribute(target, part, mock.place.node, env)
    if isinstance(target, Mock):
        machine.set_mock_attribute(target, last, value)


def give_spec(machine: Machine, mock: Mock, value: Value, node: ast.expr | None = None) -> None:
    if isinstance(value, Literal) and value.value is None:
        return
    spec = spec_of(machine, value, mock.place.unit, node)
    if spec is None:
        mock.unsure = True
        return
    mock.spec = spec
    if isinstance(spec.entity, FunctionEntity) and mock.kind is not MockKind.ASYNC:
        is_async = machine.shapes.is_coroutine_function(spec.entity)
        if is_async is None:
            mock.unsure = True
        elif is_async:
            mock.kind = MockKind.ASYNC


def spec_of(
    machine: Machine, value: Value, unit: Unit | None = None, node: ast.expr | None = None
) -> Spec | None:
    """What a ``spec`` argument says; None when it is not known. Where the value is not known, the second tier may
    know the expression that gave it: ``node`` of ``unit``."""
    if isinstance(value, ClassValue):
        return Spec(value.entity)
    if isinstance(value, FunctionValue) and value.entity is not None:
        return Spec(value.entity)
    if isinstance(value, LibraryName):
        found = machine.resolver.open(value.entity)
        if isinstance(found, (ClassEntity, FunctionEntity)):
            return Spec(found)
    if isinstance(value, Sequence_) and value.items is not None:
        names = [item.value for item in value.items if isinstance(item, Literal)]
        if len(names) == len(value.items) and all(isinstance(name, str) for name in names):
            return Spec(names=frozenset(str(name) for name in names))
    if isinstance(value, (Unknown, LibraryName)) and unit is not None and node is not None:
        return _asked_spec(machine, value, unit, node)
    return None


def _asked_spec(machine: Machine, value: Unknown | LibraryName, unit: Unit, node: ast.expr) -> Spec | None:
    if machine.tier2 is None:
        return None
    replaced = {key[-1] for key in (*machine.overrides, *machine.class_overrides)}
    for part in ast.walk(node):
        # The second tier reads the text, and knows nothing of the patches that are entered.
        if isinstance(part, ast.Call) and replaced:
            return None
        if (isinstance(part, ast.Name) and part.id in replaced) or (
            isinstance(part, ast.Attribute) and part.attr in replaced
        ):
            return None
    library = value.entity.dotted if isinstance(value, LibraryName) else None
    entity = tier2.entity_at(machine.tier2, machine.workspace, unit, node, library)
    return Spec(entity) if entity is not None else None


def autospec(
    machine: Machine, value: Value, *, instance: bool, place: Place, node: ast.expr | None = None
) -> Value:
    spec = spec_of(machine, value, place.unit, node)
    if spec is None or spec.entity is None:
        return UNKNOWN
    kind = MockKind.MAGIC
    if isinstance(spec.entity, FunctionEntity):
        is_async = machine.shapes.is_coroutine_function(spec.entity)
        if is_async is None:
            return UNKNOWN
        kind = MockKind.ASYNC if is_async else MockKind.MAGIC
    made = Mock(kind, place, f"{kind.value}()", Spec(spec.entity, None, instance, True))
    if isinstance(spec.entity, ClassEntity) and not instance:
        made.slots["return_value"] = Mock(
            MockKind.MAGIC, place, f"{spec.entity.name}()", Spec(spec.entity, auto=True), made
        )
    return made


def call_mock_library(
    machine: Machine, name: str, arguments: Arguments, place: Place, env: Environment
) -> Value:
    if name in CONSTRUCTORS:
        return make_mock(machine, CONSTRUCTORS[name], arguments, place)
    if name == "create_autospec":
        target = arguments.get(0, "spec")
        instance = arguments.keywords.get("instance")
        if target is None:
            return UNKNOWN
        is_instance = isinstance(instance, Literal) and instance.value is True
        node = arguments.node(0, "spec")
        made = autospec(machine, target, instance=is_instance, place=place, node=node)
        if isinstance(made, Mock):
            for option in ("return_value", "side_effect"):
                if option in arguments.keywords:
                    made.slots[option] = arguments.keywords[option]
            extra = {k: v for k, v in arguments.keywords.items() if k not in _CONFIGURATION}
            configure(machine, made, extra)
        return made
    if name == "patch":
        target = arguments.get(0, "target")
        path = target.value if isinstance(target, Literal) and isinstance(target.value, str) else None
        return Patch(None, path, None, arguments, place, "patch", env)
    if name == "patch.object":
        owner = arguments.get(0, "target")
        attribute = arguments.get(1, "attribute")
        known = attribute.value if isinstance(attribute, Literal) else None
        return Patch(owner, None, known if isinstance(known, str) else None, arguments, place, "object", env)
    if name in ("patch.multiple", "patch.dict"):
        target = arguments.get(0, "target")
        path = target.value if isinstance(target, Literal) and isinstance(target.value, str) else None
        kind = name.partition(".")[2]
        return Patch(target if path is None else None, path, None, arguments, place, kind, env)
    if name == "patch.stopall":
        patches.undo(machine)
        return Literal(None)
    if name == "seal":
        machine.escape(arguments.values)
        return Literal(None)
    return Foreign(f"unittest.mock.{name}()")


def call_mock_method(machine: Machine, mock: Mock, name: str, arguments: Arguments) -> Value:
    if name == "configure_mock":
        for key, value in arguments.keywords.items():
            configure_path(machine, mock, key, value)
        if arguments.is_open:
            machine.escape([mock])
    elif name == "attach_mock" and len(arguments.values) >= 1:
        attribute = arguments.get(1, "attribute")
        if isinstance(attribute, Literal) and isinstance(attribute.value, str):
            machine.set_mock_attribute(mock, attribute.value, arguments.values[0])
        else:
            machine.escape([mock])
    elif name == "reset_mock":
        for option in ("return_value", "side_effect"):
            flag = arguments.keywords.get(option)
            if flag is not None and not (isinstance(flag, Literal) and flag.value is False):
                machine.delete(mock.slots, option)
    elif name in CALLED_ASSERTIONS:
        machine.may_fail()
        machine.asserted_called(mock)
    elif not name.startswith("assert"):
        machine.escape([mock])
    return Literal(None)
