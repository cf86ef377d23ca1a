"""What the functions of libraries do that matter to a simulated test: :mod:`unittest.mock`, pytest, pytest-mock,
:mod:`asyncio`, :mod:`contextlib`, :mod:`functools` and the built-in functions.

Everything else of a library is taken not to fail, not to configure the doubles that it is given, and to give
something that is not followed.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from understudy.doubles.shapes import CALLED_ASSERTIONS, CONSTRUCTORS
from understudy.doubles.state import Misuse, Raised
from understudy.doubles.values import (
    UNKNOWN,
    BoundBuiltin,
    ClassValue,
    Coroutine,
    Environment,
    ExceptionValue,
    Expectation,
    Foreign,
    FunctionValue,
    Instance,
    LibraryName,
    Literal,
    Mapping_,
    Mock,
    MockKind,
    ModuleValue,
    Node,
    Partial,
    Place,
    Sequence_,
    Spec,
    Unknown,
    Value,
)
from understudy.infer import tier2
from understudy.infer.entities import (
    Absent,
    ClassEntity,
    External,
    FunctionEntity,
    Lookup,
    ModuleEntity,
    ValueEntity,
)
from understudy.source.parse import Unit

if TYPE_CHECKING:
    from understudy.doubles.core import Arguments
    from understudy.doubles.core import Core as Machine

_TEST_CASE_METHODS = frozenset({"addCleanup", "fail", "subTest", "enterContext", "skipTest"})
MOCK_MODULES = ("unittest.mock", "mock.mock", "mock", "asynctest.mock", "asynctest")
_CONFIGURATION = frozenset(
    {"spec", "side_effect", "return_value", "wraps", "name", "spec_set", "unsafe", "parent", "instance"}
)
_LEAVING = {"skip": "Skipped", "xfail": "XFailed", "fail": "Failed", "exit": "Exit"}
_PATCH_OPTIONS = frozenset({"new", "spec", "create", "spec_set", "autospec", "new_callable", "unsafe"})
_PURE_BUILTINS = frozenset(
    {
        "print", "repr", "str", "int", "float", "bool", "bytes", "len", "isinstance", "issubclass", "hasattr",
        "callable", "type", "id", "hash", "min", "max", "sum", "abs", "round", "format", "sorted", "list", "tuple",
        "set", "frozenset", "dict", "enumerate", "zip", "map", "filter", "reversed", "any", "all", "iter", "next",
        "range", "vars", "dir", "ord", "chr", "divmod", "pow", "open", "input", "memoryview", "slice", "object",
        "aiter", "anext",
    }
)  # fmt: skip
_ITERATING = frozenset(
    {
        "list",
        "tuple",
        "set",
        "frozenset",
        "sorted",
        "sum",
        "min",
        "max",
        "any",
        "all",
        "enumerate",
        "iter",
        "zip",
    }
)


class OwnObject(Value):
    """An object of a library that the machine itself plays."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class Patch(OwnObject):
    """``patch(…)`` that is not entered yet."""

    owner: Value | None
    """The object whose attribute is replaced; None when ``path`` names it."""
    path: str | None
    attribute: str | None
    arguments: Arguments
    place: Place
    kind: str
    """``patch``, ``object``, ``multiple`` or ``dict``."""
    env: Environment
    slots: dict[str, Callable[[], None]] = field(default_factory=dict)
    """``leave``: how to stop it, once it is started."""

    @property
    def injects(self) -> bool:
        """Does it, as a decorator, add an argument?"""
        return self.kind in ("patch", "object") and self.arguments.get(_new_position(self), "new") is None


@dataclass(eq=False, slots=True)
class TypeOfMock(OwnObject):
    """``type(mock)``: every mock has a class of its own."""

    mock: Mock


@dataclass(eq=False, slots=True)
class Mocker(OwnObject):
    """pytest-mock's fixture, or its ``patch`` attribute."""

    patch: bool = False


@dataclass(eq=False, slots=True)
class MonkeyPatch(OwnObject):
    """pytest's fixture."""


# --- mocks ---------------------------------------------------------------------------------------------------------


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
    spec = arguments.get(0, "spec") or arguments.keywords.get("spec_set")
    if spec is not None:
        node = arguments.node(0, "spec") or arguments.keyword_nodes.get("spec_set")
        _give_spec(machine, mock, spec, node)
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
    _configure(machine, mock, arguments.keywords)
    mock.unsure = mock.unsure or arguments.is_open
    return mock


def _configure(machine: Machine, mock: Mock, keywords: dict[str, Value]) -> None:
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


def _give_spec(machine: Machine, mock: Mock, value: Value, node: ast.expr | None = None) -> None:
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


def _autospec(
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


# --- calls of library functions ------------------------------------------------------------------------------------


def call(machine: Machine, entity: External, arguments: Arguments, node: Node, env: Environment) -> Value:
    """Call a function or class of a library."""
    name = mock_name(entity)
    place = Place(env.unit, node)
    if name is not None:
        return _call_mock_library(machine, name, arguments, place, env)
    if entity.root == "builtins":
        return _call_builtin(machine, entity.name, arguments, node, env)
    if entity.root in ("pytest", "contextlib") and entity.name in ("raises", "suppress"):
        return _expectation(machine, arguments)
    if entity.root == "pytest" and entity.name in _LEAVING:
        raise Raised(_LEAVING[entity.name], ("BaseException",))
    if entity.dotted == "pytest.importorskip" and arguments.values:
        wanted = arguments.values[0]
        known = wanted.value if isinstance(wanted, Literal) else None
        if not isinstance(known, str) or machine.workspace.find(known, env.unit.path) is None:
            raise Raised("Skipped", ("BaseException",))
        return LibraryName(External(known))
    if entity.root == "contextlib" and entity.name == "nullcontext":
        return Foreign("contextlib.nullcontext()")
    if entity.root == "asyncio":
        handled = _call_asyncio(machine, entity.name, arguments, node, env)
        if handled is not None:
            return handled
    if entity.dotted == "functools.partial" and arguments.values:
        return Partial(arguments.values[0], tuple(arguments.values[1:]), dict(arguments.keywords))
    if entity.dotted in ("functools.wraps", "functools.lru_cache"):
        return LibraryName(External("functools.wraps"))
    if entity.dotted.startswith("functools.wraps") and arguments.values:
        return arguments.values[0]
    if entity.dotted in ("copy.copy", "copy.deepcopy"):
        return UNKNOWN
    if entity.name.endswith(("Error", "Exception")):
        return ExceptionValue(entity.name, False, ("Exception",))
    return Foreign(f"{entity.dotted}()")


def _call_mock_library(
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
        made = _autospec(machine, target, instance=is_instance, place=place, node=node)
        if isinstance(made, Mock):
            for option in ("return_value", "side_effect"):
                if option in arguments.keywords:
                    made.slots[option] = arguments.keywords[option]
            extra = {k: v for k, v in arguments.keywords.items() if k not in _CONFIGURATION}
            _configure(machine, made, extra)
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
        undo(machine)
        return Literal(None)
    if name == "seal":
        machine.escape(arguments.values)
        return Literal(None)
    return Foreign(f"unittest.mock.{name}()")


def _expectation(machine: Machine, arguments: Arguments) -> Value:
    values = arguments.values or [
        value for name, value in arguments.keywords.items() if name == "expected_exception"
    ]
    names: tuple[str, ...] = ()
    for value in values:
        found = exception_names(machine, value)
        if found is None:
            return Expectation(None)
        names = (*names, *found)
    return Expectation(names or None)


def exception_names(machine: Machine, value: Value) -> tuple[str, ...] | None:
    """The exception classes that a value (a class, or a tuple of them) stands for; None when not known."""
    values = value.items if isinstance(value, Sequence_) else (value,)
    if values is None:
        return None
    names = []
    for item in values:
        found = as_exception(machine, item)
        if found is None:
            return None
        names.append(found.name)
    return tuple(names)


def enter_context(machine: Machine, manager: Value, node: Node, env: Environment, *, is_async: bool) -> Value:
    """``stack.enter_context(manager)``: entered until the stack is closed, which is not followed."""
    where = node if isinstance(node, ast.expr) else ast.Constant(None)
    entered, guard, leave = machine.enter(manager, where, is_async, env)
    machine.cleanups.append(leave)
    if guard is not None:
        # What it swallows ends somewhere that is not known.
        machine.not_certain()
    return entered


def _is_int(value: Value) -> bool:
    return isinstance(value, Literal) and type(value.value) is int


def _range(bounds: list[Any]) -> Value:
    try:
        numbers = range(*bounds)
    except (TypeError, ValueError):
        return UNKNOWN
    return Sequence_.of("range", [Literal(n) for n in numbers] if len(numbers) <= 40 else None)


def _call_builtin(machine: Machine, name: str, arguments: Arguments, node: Node, env: Environment) -> Value:
    values = arguments.values
    if name in ("getattr", "setattr", "delattr") and len(values) >= 2:
        key = values[1].value if isinstance(values[1], Literal) else None
        if name == "getattr":
            if isinstance(key, str) and len(values) == 2:
                return machine.attribute(values[0], key, node, env)
            return UNKNOWN
        if name == "setattr" and isinstance(key, str) and len(values) == 3:
            machine.set_attribute(values[0], key, values[2], Place(env.unit, node), env)
            return Literal(None)
        machine.escape(values)
        return UNKNOWN
    if name in _ITERATING and values:
        target = arguments.nodes[0]
        items = machine.items(values[0], target, env) if target is not None else None
        if name in ("list", "tuple", "set", "sorted"):
            return Sequence_.of(name if name != "sorted" else "list", items)
        return UNKNOWN
    if name in ("list", "dict", "tuple", "set") and not values:
        if name == "dict":
            return Mapping_.of(arguments.keywords, is_open=arguments.is_open)
        return Sequence_.of(name, ())
    if name == "len" and values and isinstance(values[0], Coroutine) and arguments.nodes[0] is not None:
        error = "object of type 'coroutine' has no len()"
        return machine.fail(env, Misuse.COROUTINE_OPERATION, values[0], arguments.nodes[0], error)
    if name == "type" and len(values) == 1 and isinstance(values[0], Mock):
        return TypeOfMock(values[0])
    if name == "range" and values and all(_is_int(value) for value in values):
        return _range([value.value for value in values if isinstance(value, Literal)])
    if name == "vars" and values:
        machine.escape(values)
        return UNKNOWN
    if name in _PURE_BUILTINS:
        return UNKNOWN
    cls = getattr(builtins, name, None)
    if isinstance(cls, type) and issubclass(cls, BaseException):
        return ExceptionValue(name, False)
    machine.escape(arguments.everything())
    return UNKNOWN


def _call_asyncio(
    machine: Machine, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value | None:
    values, place = arguments.values, Place(env.unit, node)
    error = "An asyncio.Future, a coroutine or an awaitable is required"
    if name == "create_task":
        error = "a coroutine was expected, got a mock"

    def awaited(index: int) -> Value:
        value = values[index]
        return machine.await_value(value, arguments.nodes[index] or node, env, error=error)

    if name in ("wait_for", "shield", "ensure_future", "create_task") and values:
        return Coroutine(lambda: awaited(0), place) if isinstance(values[0], (Coroutine, Mock)) else UNKNOWN
    if name == "run" and values:
        return awaited(0)
    if name == "gather":
        if arguments.is_open:
            return UNKNOWN

        if "return_exceptions" in arguments.keywords:
            machine.escape(values)
            return UNKNOWN

        def gathered() -> Value:
            return Sequence_.of("list", [awaited(index) for index in range(len(values))])

        return Coroutine(gathered, place)
    if name == "iscoroutinefunction":
        return UNKNOWN
    return None


# --- methods of values that the machine plays ----------------------------------------------------------------------


def call_method(
    machine: Machine, method: BoundBuiltin, arguments: Arguments, node: Node, env: Environment
) -> Value:
    receiver, name = method.receiver, method.name
    if isinstance(receiver, Mock):
        return _call_mock_method(machine, receiver, name, arguments)
    if isinstance(receiver, Sequence_):
        return _call_sequence_method(machine, receiver, name, arguments)
    if isinstance(receiver, Mapping_):
        return _call_mapping_method(machine, receiver, name, arguments)
    if isinstance(receiver, Patch):
        return _call_patch_method(machine, receiver, name, env)
    if isinstance(receiver, Mocker):
        return _call_mocker(machine, receiver, name, arguments, node, env)
    if isinstance(receiver, MonkeyPatch):
        return _call_monkeypatch(machine, name, arguments, node, env)
    if isinstance(receiver, Instance):
        return _call_test_case(machine, name, arguments, env)
    return UNKNOWN


def _call_mock_method(machine: Machine, mock: Mock, name: str, arguments: Arguments) -> Value:
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


def _call_sequence_method(machine: Machine, receiver: Sequence_, name: str, arguments: Arguments) -> Value:
    if name == "append" and len(arguments.values) == 1 and receiver.items is not None:
        machine.write(receiver.slots, "items", (*receiver.items, arguments.values[0]))
        return Literal(None)
    if name in ("index", "count", "copy"):
        return UNKNOWN
    machine.write(receiver.slots, "items", None)
    return UNKNOWN


def _call_mapping_method(machine: Machine, receiver: Mapping_, name: str, arguments: Arguments) -> Value:
    if name == "get" and arguments.values and isinstance(arguments.values[0], Literal):
        found = receiver.get(arguments.values[0].value)
        if found is not None:
            return found
        return UNKNOWN if receiver.slots["open"] else arguments.get(1, "default") or Literal(None)
    if name in ("items", "keys", "values", "copy", "get"):
        return UNKNOWN
    machine.escape([receiver])
    return UNKNOWN


def _call_test_case(machine: Machine, name: str, arguments: Arguments, env: Environment) -> Value:
    if name == "skipTest":
        raise Raised("SkipTest")
    if name.startswith(("assertRaises", "assertWarns")):
        if name.startswith("assertRaises"):
            return _expectation(machine, arguments)
        return Foreign("warnings")
    if name == "enterContext" and arguments.values:
        entered, _, leave = machine.enter(arguments.values[0], ast.Constant(None), False, env)
        machine.cleanups.append(leave)
        return entered
    return Literal(None)


def set_item(machine: Machine, owner: Value, index: Value, value: Value, place: Place) -> None:
    """``owner[index] = value`` on something that is no list, dict or mock."""
    if isinstance(owner, Foreign) and owner.dotted.endswith("dependency_overrides"):
        return
    machine.escape([value])


# --- patches ---------------------------------------------------------------------------------------------------------


def _call_patch_method(machine: Machine, patch: Patch, name: str, env: Environment) -> Value:
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
        new = patch.arguments.get(_new_position(patch), "new")
        return new if new is not None else UNKNOWN, _nothing
    value = _new_value(machine, patch, owner, attribute)
    machine.handed(value, patch.place)
    return value, _replace(machine, owner, attribute, value)


def _new_position(patch: Patch) -> int:
    return 2 if patch.kind == "object" else 1


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
    new = arguments.get(_new_position(patch), "new")
    if new is not None and not _is_default(new):
        return new
    options = {k: v for k, v in arguments.keywords.items() if k not in _PATCH_OPTIONS and k != "target"}
    for option in ("attribute",):
        options.pop(option, None)
    factory = arguments.keywords.get("new_callable")
    made: Value
    if factory is not None:
        name = mock_name(factory.entity) if isinstance(factory, LibraryName) else None
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
                _give_spec(machine, made, spec, nodes.get("spec") or nodes.get("spec_set"))
        for option in ("return_value", "side_effect"):
            if option in options:
                made.slots[option] = options[option]
        _configure(machine, made, options)
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
            return _autospec(machine, autospec, instance=False, place=patch.place, node=node)
        target = machine.value_of(original, patch.env.module)
        if isinstance(original, FunctionEntity):
            function = machine.raw_function(original)
            target = function if function is not None else UNKNOWN
        return _autospec(machine, target, instance=False, place=patch.place)
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
    return isinstance(value, LibraryName) and mock_name(value.entity) == "DEFAULT"


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


def _call_mocker(
    machine: Machine, mocker: Mocker, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value:
    place = Place(env.unit, node)
    if not mocker.patch:
        if name in CONSTRUCTORS:
            return make_mock(machine, CONSTRUCTORS[name], arguments, place)
        if name == "create_autospec":
            return _call_mock_library(machine, name, arguments, place, env)
        if name == "stub":
            return Mock(MockKind.MAGIC, place, "stub")
        if name == "async_stub":
            return Mock(MockKind.ASYNC, place, "stub")
        if name in ("stopall", "stop"):
            undo(machine)
        return UNKNOWN
    library_name = "patch" if name == "__call__" else f"patch.{name}"
    patch = _call_mock_library(machine, library_name, arguments, place, env)
    if not isinstance(patch, Patch):
        return UNKNOWN
    entered, leave = enter_patch(machine, patch, env)
    machine.cleanups.append(leave)
    return entered


def _call_monkeypatch(
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


def as_exception(machine: Machine, value: Value) -> ExceptionValue | None:
    """The exception that raising this value raises; None when it is no exception."""
    if isinstance(value, ExceptionValue):
        return value
    if isinstance(value, LibraryName):
        cls = getattr(builtins, value.entity.name, None) if value.entity.root == "builtins" else None
        if isinstance(cls, type) and issubclass(cls, BaseException):
            return ExceptionValue(value.entity.name, True)
        if value.entity.name.endswith(("Error", "Exception", "Timeout")):
            return ExceptionValue(value.entity.name, True, ("Exception",))
    if isinstance(value, ClassValue):
        ancestry = machine.resolver.ancestry(value.entity)
        outside = [external.name for external in ancestry.externals]
        if any(name.endswith(("Error", "Exception")) for name in outside):
            return ExceptionValue(
                value.entity.name, True, (*(c.name for c in ancestry.classes), *outside, "Exception")
            )
    return None


def is_test_case_method(machine: Machine, instance: Instance, name: str) -> bool:
    """``self.assertEqual`` and its kin of :class:`unittest.TestCase`."""
    if not name.startswith("assert") and name not in _TEST_CASE_METHODS:
        return False
    externals = machine.resolver.ancestry(instance.entity).externals
    return any(external.name.endswith("TestCase") for external in externals)


def raise_effect(machine: Machine, value: Value) -> None:
    found = as_exception(machine, value)
    if found is not None:
        raise Raised(found.name, found.bases)


def _nothing() -> None:
    return None
