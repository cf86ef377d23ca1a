"""What patches replace: :func:`unittest.mock.patch`, pytest-mock, ``monkeypatch``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from understudy.doubles.library import mock
from understudy.doubles.library.played import Mocker, Patch
from understudy.doubles.shapes import CONSTRUCTORS
from understudy.doubles.values import (
    UNKNOWN,
    ClassValue,
    Environment,
    Instance,
    LibraryName,
    Literal,
    Mapping_,
    Mock,
    MockKind,
    ModuleValue,
    Node,
    Place,
    Sequence_,
    Unknown,
    Value,
)
from understudy.infer.entities import (
    Absent,
    External,
    FunctionEntity,
    Lookup,
    ModuleEntity,
    ValueEntity,
)

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments
    from understudy.doubles.objects import Objects as Machine

_PATCH_OPTIONS = frozenset({"new", "spec", "create", "spec_set", "autospec", "new_callable", "unsafe"})


def call_patch_method(machine: Machine, patch: Patch, name: str, env: Environment) -> Value:
    if name in ("start", "__enter__"):
        entered, leave = enter_patch(machine, patch, env)
        machine.write(patch.slots, "leave", leave)
        machine.cleanups.append(leave)
        return entered
    if name in ("stop", "__exit__") and "leave" in patch.slots:
        patch.slots["leave"]()
        machine.delete(patch.slots, "leave")
    return Literal(None)


def undo(machine: Machine) -> None:
    """``patch.stopall()``, ``mocker.stopall()``, ``monkeypatch.undo()``: every patch that is not the body of a
    ``with`` is taken back."""
    while machine.cleanups:
        machine.cleanups.pop()()


def enter_patch(machine: Machine, patch: Patch, env: Environment) -> tuple[Value, Callable[[], None]]:
    """Enter a patch: what it injects, and how to leave it."""
    if patch.kind == "dict":
        machine.escape(patch.arguments.everything())
        return UNKNOWN, _nothing
    if patch.kind == "multiple":
        owner = _owner(machine, patch)
        for name, value in patch.arguments.keywords.items():
            if name not in _PATCH_OPTIONS and owner is not None:
                is_default = isinstance(value, LibraryName)
                _replace(machine, owner, name, UNKNOWN if is_default else value)
        return UNKNOWN, _nothing
    owner = _owner(machine, patch)
    attribute = patch.attribute
    if patch.kind == "patch" and patch.path is not None:
        attribute = patch.path.rpartition(".")[2]
    if owner is None or attribute is None:
        new = patch.arguments.get(patch.new_position, "new")
        return new if new is not None else UNKNOWN, _nothing
    value = _new_value(machine, patch, owner, attribute)
    machine.handed(value, patch.place)
    return value, _replace(machine, owner, attribute, value)


def _owner(machine: Machine, patch: Patch) -> Value | None:
    if patch.owner is not None:
        return patch.owner
    if patch.path is None:
        return None
    path = patch.path if patch.kind == "multiple" else patch.path.rpartition(".")[0]
    if not path:
        return None
    module = patch.env.module
    value = machine.value_of(machine.resolver.dotted(path, module), module)
    return None if isinstance(value, Unknown) else value


def _new_value(machine: Machine, patch: Patch, owner: Value, attribute: str) -> Value:
    arguments = patch.arguments
    new = arguments.get(patch.new_position, "new")
    if new is not None and not _is_default(new):
        return new
    options = {k: v for k, v in arguments.keywords.items() if k not in _PATCH_OPTIONS and k != "target"}
    for option in ("attribute",):
        options.pop(option, None)
    factory = arguments.keywords.get("new_callable")
    made: Value
    if factory is not None:
        name = mock.mock_name(factory.entity) if isinstance(factory, LibraryName) else None
        if name not in CONSTRUCTORS:
            return UNKNOWN
        made = Mock(CONSTRUCTORS[name], patch.place, f"{name}()")
    else:
        made = _default_double(machine, patch, owner, attribute)
    if isinstance(made, Mock):
        spec = arguments.keywords.get("spec") or arguments.keywords.get("spec_set")
        if spec is not None and "autospec" not in arguments.keywords:
            if isinstance(spec, Literal) and spec.value is True:
                made.unsure = True
            else:
                nodes = arguments.keyword_nodes
                mock.give_spec(machine, made, spec, nodes.get("spec") or nodes.get("spec_set"))
        for option in ("return_value", "side_effect"):
            if option in options:
                made.slots[option] = options[option]
        mock.configure(machine, made, options)
        made.unsafe = not mock.is_off(arguments.keywords.get("unsafe"))
        made.unsure = made.unsure or arguments.is_open
        if made.unnamed:
            made.label = attribute
    return made


def _default_double(machine: Machine, patch: Patch, owner: Value, attribute: str) -> Value:
    """``patch`` without ``new``: an AsyncMock for what is a coroutine function, else a MagicMock."""
    original = _original(machine, patch, owner, attribute)
    autospec = patch.arguments.keywords.get("autospec")
    if autospec is not None and not (isinstance(autospec, Literal) and not autospec.value):
        if not (isinstance(autospec, Literal) and autospec.value is True):
            node = patch.arguments.keyword_nodes.get("autospec")
            return mock.autospec(machine, autospec, instance=False, place=patch.place, node=node)
        target = machine.value_of(original, patch.env.module)
        if isinstance(original, FunctionEntity):
            function = machine.raw_function(original)
            target = function if function is not None else UNKNOWN
        return mock.autospec(machine, target, instance=False, place=patch.place)
    made = Mock(MockKind.MAGIC, patch.place, f"{MockKind.MAGIC.value}()")
    opened = machine.resolver.open(original)
    is_async: bool | None
    if isinstance(opened, ModuleEntity):
        is_async = False
    elif isinstance(opened, ValueEntity):
        value = machine.variable(opened)
        is_async = False if isinstance(value, (Literal, Sequence_, Mapping_, Instance)) else None
    else:
        is_async = machine.shapes.is_coroutine_function(opened)
    if is_async is None:
        made.unsure = True
    elif is_async:
        made.kind = MockKind.ASYNC
        made.label = f"{MockKind.ASYNC.value}()"
    return made


def _original(machine: Machine, patch: Patch, owner: Value, attribute: str) -> Lookup:
    module = patch.env.module
    if isinstance(owner, ModuleValue):
        return machine.resolver.file_attribute(owner.file, attribute, module)
    if isinstance(owner, LibraryName):
        return External(f"{owner.entity.dotted}.{attribute}")
    if isinstance(owner, ClassValue):
        return machine.resolver.class_attribute(owner.entity, attribute)
    if isinstance(owner, Instance) and attribute not in owner.slots:
        return machine.resolver.class_attribute(owner.entity, attribute)
    return Absent.UNKNOWN


def _is_default(value: Value) -> bool:
    return isinstance(value, LibraryName) and mock.mock_name(value.entity) == "DEFAULT"


def _replace(machine: Machine, owner: Value, attribute: str, value: Value) -> Callable[[], None]:
    """Set an attribute, and how to set it back."""
    slots: dict[Any, Any]
    key: Any
    if isinstance(owner, ModuleValue):
        module = machine.workspace.load(owner.file)
        if module is None:
            return _nothing
        slots, key = machine.overrides, (str(module.path), attribute)
    elif isinstance(owner, ClassValue):
        slots = machine.class_overrides
        key = (str(owner.entity.path), owner.entity.qualname, attribute)
    elif isinstance(owner, Instance):
        slots, key = owner.slots, attribute
    elif isinstance(owner, Mock):
        slots, key = owner.slots, f".{attribute}"
    else:
        return _nothing
    had, before = key in slots, slots.get(key)
    machine.write(slots, key, value)

    def leave() -> None:
        if had:
            machine.write(slots, key, before)
        else:
            machine.delete(slots, key)

    return leave


def call_mocker(
    machine: Machine, mocker: Mocker, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value:
    place = Place(env.unit, node)
    if not mocker.patch:
        if name in CONSTRUCTORS:
            return mock.make_mock(machine, CONSTRUCTORS[name], arguments, place)
        if name == "create_autospec":
            return mock.call_mock_library(machine, name, arguments, place, env)
        if name == "stub":
            return Mock(MockKind.MAGIC, place, "stub")
        if name == "async_stub":
            return Mock(MockKind.ASYNC, place, "stub")
        if name in ("stopall", "stop"):
            undo(machine)
        return UNKNOWN
    library_name = "patch" if name == "__call__" else f"patch.{name}"
    patch = mock.call_mock_library(machine, library_name, arguments, place, env)
    if not isinstance(patch, Patch):
        return UNKNOWN
    entered, leave = enter_patch(machine, patch, env)
    machine.cleanups.append(leave)
    return entered


def call_monkeypatch(
    machine: Machine, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value:
    values = arguments.values
    if name == "setattr" and values:
        first = values[0]
        if isinstance(first, Literal) and isinstance(first.value, str) and len(values) >= 2:
            path, _, attribute = first.value.rpartition(".")
            owner = machine.value_of(machine.resolver.dotted(path, env.module), env.module)
            value = values[1]
        elif len(values) >= 3 and isinstance(values[1], Literal) and isinstance(values[1].value, str):
            owner, attribute, value = first, values[1].value, values[2]
        else:
            machine.escape(values)
            return Literal(None)
        machine.handed(value, Place(env.unit, node))
        machine.cleanups.append(_replace(machine, owner, attribute, value))
        return Literal(None)
    if name == "undo":
        undo(machine)
    elif name in ("setitem", "delitem", "delattr"):
        machine.escape(values[:1])
    return Literal(None)


def _nothing() -> None:
    return None
