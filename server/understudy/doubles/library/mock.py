"""The names of :mod:`unittest.mock`, and what its constructors make."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from understudy.doubles.library import patches
from understudy.doubles.library.played import MOCKERS, Patch
from understudy.doubles.shapes import CALLED_ASSERTIONS, CONSTRUCTORS
from understudy.doubles.state import Misuse, Sight
from understudy.doubles.values import (
    LOOSE,
    NAMED,
    UNKNOWN,
    ClassValue,
    Environment,
    Foreign,
    FunctionValue,
    Instance,
    LibraryName,
    Literal,
    Mock,
    MockKind,
    Node,
    Place,
    Sequence_,
    Spec,
    Unknown,
    Value,
)
from understudy.doubles.versions import behaviour
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
_CONSTRUCTION = ("__init__", "__new__", "_get_child_mock", "__getattr__", "__getattribute__", "__setattr__")
_FILE_NAMES = frozenset(dir(io.TextIOWrapper)) | frozenset(dir(io.BytesIO))
_OPEN_NAMES = frozenset(dir(open))
_CONFIGURATION = frozenset(
    {"spec", "side_effect", "return_value", "wraps", "name", "spec_set", "unsafe", "parent"}
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
    machine.has_doubles = True
    mock = Mock(kind, place, f"{kind.value}()")
    for name, index in (("spec", 0), ("spec_set", 5)):
        value = arguments.get(index, name)
        if value is not None:
            give_spec(machine, mock, value, arguments.node(index, name), strict=name == "spec_set")
    for name, index in (("side_effect", 1), ("return_value", 2)):
        value = arguments.get(index, name)
        if value is not None and not is_default(value):
            machine.set_mock_attribute(mock, name, value, given=True)
    _wrap(mock, arguments.get(3, "wraps"))
    name_double(mock, arguments.get(4, "name"))
    mock.unsafe = not is_off(arguments.keywords.get("unsafe"))
    change = machine.changes.get(place.key)
    if change is not None:
        mock.kind = change.kind or mock.kind
        mock.label = f"{mock.kind.value}()"
        change_children(machine, mock, place)
    configure(machine, mock, arguments.keywords)
    mock.unsure = mock.unsure or arguments.is_open
    return mock


def change_children(machine: Machine, mock: Mock, place: Place) -> None:
    """What a fix that is tried sets on the mock that is made at a place."""
    change = machine.changes.get(place.key)
    for path, child in change.children.items() if change is not None else ():
        configure_path(machine, mock, path, Mock(child, place, f"{child.value}()"))


def is_off(option: Value | None) -> bool:
    """Is an option left out, or a constant that is false?"""
    return option is None or (isinstance(option, Literal) and not option.value)


def make_subclassed(
    machine: Machine, kind: MockKind, cls: ClassEntity, arguments: Arguments, place: Place
) -> Mock:
    """An instance of a subclass of mocks in the workspace."""
    found = (machine.resolver.class_attribute(cls, name) for name in _CONSTRUCTION)
    has_own = any(isinstance(each, FunctionEntity) and each.module.workspace for each in found)
    # What its own ``__init__`` makes of the arguments is not followed.
    mock = make_mock(machine, kind, type(arguments)() if has_own else arguments, place)
    mock.cls = cls
    mock.label = f"{cls.name}()"
    mock.unsure = mock.unsure or has_own
    return mock


def configure(machine: Machine, mock: Mock, keywords: dict[str, Value]) -> None:
    """``configure_mock(**keywords)``: the shortest paths first."""
    for name, value in sorted(keywords.items(), key=lambda item: item[0].count(".")):
        if name not in _CONFIGURATION:
            configure_path(machine, mock, name, value)


def configure_path(machine: Machine, mock: Mock, path: str, value: Value, place: Place | None = None) -> None:
    """``configure_mock(**{"a.b.return_value": value})``; ``place``: where, unless it is where the mock is made."""
    *parts, last = path.split(".")
    target: Value = mock
    place = place or mock.place
    env = _environment(machine, place)
    if env is None:
        return
    for part in parts:
        if not isinstance(target, Mock):
            return
        target = machine.mock_attribute(target, part, place.node, env)
    if isinstance(target, Mock):
        machine.set_mock_attribute(target, last, value, place, env)


def give_spec(
    machine: Machine, mock: Mock, value: Value, node: ast.expr | None = None, *, strict: bool = False
) -> None:
    """``spec=value`` or ``spec_set=value``."""
    if isinstance(value, Literal) and value.value is None:
        return
    refuse_mock(machine, value, node, mock.place, "Cannot spec a Mock object")
    spec = spec_of(machine, value, mock.place.unit, node)
    if spec is None:
        mock.unsure = True
        return
    mock.spec = replace(spec, strict=strict)
    if isinstance(spec.entity, FunctionEntity) and mock.kind is not MockKind.ASYNC:
        is_async = machine.shapes.is_coroutine_function(spec.entity)
        if is_async is None:
            mock.unsure = True
        elif is_async:
            mock.kind = MockKind.ASYNC


def refuse_mock(
    machine: Machine,
    value: Value,
    node: ast.expr | None,
    place: Place,
    error: str,
    *,
    always: bool = False,
    autospec: bool = False,
) -> None:
    """Where a spec is a mock already (``_is_instance_mock``), ``InvalidSpecError``: in constructors from Python 3.11
    on, ``always`` elsewhere. What ``create_autospec`` makes of a function is no mock itself, and is refused for the
    mock in it, by another ``autospec``, from 3.11 on."""
    env = _environment(machine, place)
    if env is None or not isinstance(value, Mock):
        return
    if value.spec is not None and value.spec.as_function:
        if not autospec or not behaviour(machine.workspace.target_version).spec_refuses_mock:
            return
        error = "Cannot spec a Mock object"
    raises = always or behaviour(machine.workspace.target_version).spec_refuses_mock
    exception = "InvalidSpecError"
    where = node or place.node
    if machine.certain:
        machine.look(env, Sight.SPEC, value, where, "", error if raises else "", exception)
    if raises:
        machine.fail(env, Misuse.SPEC, value, where, error, "", exception)


def _environment(machine: Machine, place: Place) -> Environment | None:
    """Where the file of a place is run, without variables."""
    module = machine.workspace.module(place.unit.path)
    return Environment(module, place.unit, {}, None, frozenset()) if module is not None else None


def spec_of(
    machine: Machine, value: Value, unit: Unit | None = None, node: ast.expr | None = None
) -> Spec | None:
    """What a ``spec`` argument says; None when it is not known. Where the value is not known, the second tier may
    know the expression that gave it: ``node`` of ``unit``."""
    if isinstance(value, ClassValue):
        return Spec(value.entity)
    if isinstance(value, FunctionValue) and value.entity is not None:
        return Spec(value.entity)
    if isinstance(value, Instance) and not value.may_have_more:
        return Spec(value.entity, own=frozenset(value.slots) - {LOOSE})
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
    machine: Machine,
    value: Value,
    *,
    instance: bool,
    place: Place,
    node: ast.expr | None = None,
    strict: bool = False,
) -> Value:
    """``create_autospec(value)``: a mock that stands for a class or an instance, or a function."""
    machine.has_doubles = True
    refuse_mock(machine, value, node, place, "Cannot autospec a Mock object", always=True, autospec=True)
    if isinstance(value, Literal) and value.value is not None:
        # Specced to the type of the value; a list or tuple to its type, too.
        return UNKNOWN
    spec = spec_of(machine, value, place.unit, node)
    if spec is None or spec.entity is None:
        return UNKNOWN
    if isinstance(spec.entity, FunctionEntity):
        is_async = machine.shapes.is_coroutine_function(spec.entity)
        if is_async is None or machine.shapes.is_descriptor(spec.entity):
            return UNKNOWN
        kind = MockKind.ASYNC if is_async else MockKind.MAGIC
        made = Spec(spec.entity, auto=True, strict=strict, as_function=True)
        return Mock(kind, place, f"{kind.value}()", made)
    instance = instance or spec.own is not None
    found = machine.shapes.instance_kind(spec.entity) if instance else MockKind.MAGIC
    if found is None:
        return UNKNOWN
    made = replace(spec, instance=instance, auto=True, strict=strict)
    return Mock(found, place, f"{found.value}()", made)


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
        strict = machine.truth(arguments.get(1, "spec_set") or Literal(False)) is not False
        made = autospec(machine, target, instance=is_instance, place=place, node=node, strict=strict)
        if isinstance(made, Mock):
            options = {name: each for name, each in arguments.keywords.items() if name != "instance"}
            configure_double(machine, made, options)
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
        patches.undo(machine, "start", *MOCKERS)
        return Literal(None)
    if name == "seal":
        for value in arguments.values:
            if isinstance(value, Mock) and value.spec is not None and value.spec.as_function:
                # Not a mock, but a function: what becomes of the mock behind it is not followed.
                machine.escape([value])
            elif isinstance(value, Mock):
                _seal(machine, value)
        return Literal(None)
    if name == "mock_open":
        return _mock_open(machine, arguments, place)
    return Foreign(f"unittest.mock.{name}()")


def configure_double(machine: Machine, mock: Mock, keywords: dict[str, Value]) -> None:
    """The keywords of ``create_autospec`` and ``patch`` that configure what they make."""
    for option in ("return_value", "side_effect"):
        if option in keywords and not is_default(keywords[option]):
            machine.set_mock_attribute(mock, option, keywords[option], given=True)
    _wrap(mock, keywords.get("wraps"))
    name_double(mock, keywords.get("name"))
    configure(machine, mock, keywords)


def _wrap(mock: Mock, value: Value | None) -> None:
    """``wraps=value``. What a wrapping autospec does is a matter of the version (:attr:`Behaviour.autospec_wraps`)."""
    if value is None or isinstance(value, Literal):
        return
    mock.slots["wraps"] = value
    mock.unsure = mock.unsure or isinstance(value, Unknown) or (mock.spec is not None and mock.spec.auto)


def name_double(mock: Mock, name: Value | None) -> None:
    """With a name of its own, it becomes nobody's child."""
    if not is_off(name):
        mock.slots["owner"] = NAMED
    if isinstance(name, Literal) and isinstance(name.value, str):
        mock.slots["named"] = name.value


def _seal(machine: Machine, mock: Mock) -> None:
    """No child that is not there yet is made from now on. What has a name, or was given when the mock was made, is no
    child."""
    machine.write(mock.slots, "sealed", True)
    for key, child in list(mock.slots.items()):
        if isinstance(child, Mock) and key != "wraps" and not child.mark("sealed"):
            if child.parent is mock or child.slots.get("owner") == id(mock):
                _seal(machine, child)


def _mock_open(machine: Machine, arguments: Arguments, place: Place) -> Mock:
    """``mock_open()``: calling it gives a handle with the attributes of a file, which is its own context manager."""
    machine.has_doubles = True
    mock = Mock(MockKind.MAGIC, place, "mock_open()", Spec(names=_OPEN_NAMES))
    name_double(mock, Literal("open"))
    handle = Mock(MockKind.MAGIC, place, "mock_open()()", Spec(names=_FILE_NAMES), mock)
    enter = Mock(MockKind.MAGIC, place, "mock_open()().__enter__", None, handle)
    enter.slots["return_value"] = handle
    handle.slots[".__enter__"] = enter
    for name in ("read", "readline", "readlines", "__iter__", "__next__"):
        handle.slots[f".{name}"] = Foreign(f"file.{name}")
    mock.slots["return_value"] = handle
    if arguments.values or "mock" in arguments.keywords:
        mock.unsure = True
    return mock


def is_default(value: Value) -> bool:
    """Is it ``unittest.mock.DEFAULT``?"""
    return isinstance(value, LibraryName) and mock_name(value.entity) == "DEFAULT"


def call_mock_method(
    machine: Machine, mock: Mock, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value:
    place = Place(env.unit, node)
    if name == "configure_mock":
        for key, value in sorted(arguments.keywords.items(), key=lambda item: item[0].count(".")):
            configure_path(machine, mock, key, value, place)
        if arguments.is_open:
            machine.escape([mock])
    elif name == "attach_mock" and len(arguments.values) >= 1:
        attribute = arguments.get(1, "attribute")
        if isinstance(attribute, Literal) and isinstance(attribute.value, str):
            machine.set_mock_attribute(mock, attribute.value, arguments.values[0], place, env, attached=True)
        else:
            machine.escape([mock])
    elif name == "reset_mock":
        options = [
            option
            for option in ("return_value", "side_effect")
            if machine.truth(arguments.keywords.get(option, Literal(False))) is not False
        ]
        _reset(machine, mock, options, 0)
    elif name in CALLED_ASSERTIONS:
        machine.may_fail()
        machine.asserted_called(mock)
    elif not name.startswith("assert"):
        machine.escape([mock])
    return Literal(None)


def _reset(machine: Machine, mock: Mock, options: list[str], depth: int) -> None:
    """``reset_mock(return_value=True, side_effect=True)`` reaches the children, too."""
    if depth > 8:
        return
    given = mock.slots.get("return_value")
    inner = [
        value
        for key, value in mock.slots.items()
        if isinstance(value, Mock) and key.startswith(".") and value.slots.get("owner") in (None, id(mock))
    ]
    for option in options:
        machine.delete(mock.slots, option)
    if "return_value" in options and mock.spec is not None and mock.spec.auto:
        # What the autospec of a class gave back was specced; what is made in its place is not.
        machine.write(mock.slots, "return_value_reset", True)
    for child in inner:
        _reset(machine, child, options, depth + 1)
    if isinstance(given, Mock) and given is not mock and "return_value" in mock.slots:
        # Only what it recorded: the options are not handed on (``NonCallableMock.reset_mock``).
        _reset(machine, given, [], depth + 1)
