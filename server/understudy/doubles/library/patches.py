"""What patches replace: :func:`unittest.mock.patch`, pytest-mock, ``monkeypatch``."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from understudy.doubles import environ, trace
from understudy.doubles.arguments import Arguments
from understudy.doubles.core import Cleanup
from understudy.doubles.library import exceptions, instances, mock, web
from understudy.doubles.library.played import Mocker, MonkeyPatch, Patch, Patched
from understudy.doubles.shapes import CONSTRUCTORS
from understudy.doubles.state import MISSING, Misuse, Sight
from understudy.doubles.values import (
    NAMED,
    UNKNOWN,
    ClassValue,
    Coroutine,
    Environment,
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
    Place,
    Replaced,
    Sequence_,
    Spec,
    Unknown,
    Value,
)
from understudy.infer.entities import (
    Absent,
    ClassEntity,
    External,
    FunctionEntity,
    Lookup,
    ModuleEntity,
)

if TYPE_CHECKING:
    from understudy.doubles.objects import Objects as Machine

_PATCH_OPTIONS = frozenset({"new", "spec", "create", "spec_set", "autospec", "new_callable", "unsafe"})


def call_patch_method(machine: Machine, patch: Patch, name: str, env: Environment) -> Value:
    if name in ("start", "__enter__"):
        entered, leave = enter_patch(machine, patch, env)
        machine.write(patch.slots, "leave", leave)
        machine.cleanups.append(Cleanup(leave, "start", entered))
        return entered
    if name in ("stop", "__exit__") and "leave" in patch.slots:
        stopped = patch.slots["leave"]
        machine.cleanups[:] = [cleanup for cleanup in machine.cleanups if cleanup.leave is not stopped]
        stopped()
        machine.delete(patch.slots, "leave")
    return Literal(None)


def undo(machine: Machine, *kinds: str, value: Value | None = None) -> None:
    """``patch.stopall()``, ``mocker.stopall()``, ``monkeypatch.undo()``: what was done in these ways is taken back.

    :param value: only what gave this, or what this did.
    """
    for index in range(len(machine.cleanups) - 1, -1, -1):
        cleanup = machine.cleanups[index]
        if cleanup.kind in kinds and (value is None or cleanup.value is value):
            del machine.cleanups[index]
            cleanup.leave()


def enter_patch(machine: Machine, patch: Patch, env: Environment) -> tuple[Value, Callable[[], None]]:
    """Enter a patch: what it injects, and how to leave it."""
    machine.has_doubles = True
    if patch.kind == "dict":
        return _enter_dict(machine, patch)
    owner = _owner(machine, patch)
    if patch.kind == "multiple":
        return _enter_multiple(machine, patch, owner)
    attribute = patch.attribute
    if patch.kind == "patch" and patch.path is not None:
        attribute = patch.path.rpartition(".")[2]
    if owner is None or attribute is None:
        machine.lose(attribute)
        new = patch.arguments.get(patch.new_position, "new")
        return new if new is not None else UNKNOWN, _nothing
    value = _new_value(machine, patch, owner, attribute)
    machine.handed(value, patch.place)
    _refuse_property(machine, owner, attribute, patch.place, patch.env, "deleter")
    return value, _replace(machine, owner, attribute, value, patch.place, patch.env)


def inject(patch: Patch, entered: Value, arguments: Arguments) -> Arguments:
    """The arguments of a decorated function with what the patch adds to them."""
    made = arguments.copy()
    if patch.kind == "multiple" and isinstance(entered, Mapping_):
        made.keywords.update(entered.items())
    elif patch.injects:
        made.values.append(entered)
        made.nodes.append(None)
    return made


def call_patched(
    machine: Machine, patched: Patched, arguments: Arguments, node: Node, env: Environment
) -> Value:
    """Call a function that is decorated with a patch: it is in place while the function runs."""

    def run() -> Value:
        entered, leave = enter_patch(machine, patched.patch, env)
        try:
            made = machine.call(patched.function, inject(patched.patch, entered, arguments), node, env)
            return made.run() if patched.is_async and isinstance(made, Coroutine) else made
        finally:
            leave()

    return Coroutine(run, Place(env.unit, node)) if patched.is_async else run()


def _enter_multiple(machine: Machine, patch: Patch, owner: Value | None) -> tuple[Value, Callable[[], None]]:
    """``patch.multiple(target, a=DEFAULT, b=…)`` gives a dict of the doubles that it makes."""
    made: dict[str, Value] = {}
    leaves: list[Callable[[], None]] = []
    for name, value in patch.arguments.keywords.items():
        if name in _PATCH_OPTIONS or name == "target":
            continue
        if mock.is_default(value):
            value = UNKNOWN if owner is None else _double(machine, patch, owner, name, {})
            made[name] = value
        if owner is None:
            machine.lose(name)
        else:
            machine.handed(value, patch.place)
            leaves.append(_replace(machine, owner, name, value, patch.place, patch.env))

    return Mapping_.of(made, is_open=patch.arguments.is_open), _in_reverse(leaves)


def _enter_dict(machine: Machine, patch: Patch) -> tuple[Value, Callable[[], None]]:
    """``patch.dict(target, values, clear=…, **more)``: of a dict whose items are known."""
    arguments = patch.arguments
    target = patch.owner
    if patch.path is not None:
        target = machine.value_of(machine.resolver.patched(patch.path, patch.env.module), patch.env.module)
    values = arguments.get(1, "values")
    clear = arguments.get(2, "clear")
    if isinstance(target, web.Overrides):
        machine.escape(arguments.everything())
        return UNKNOWN, web.forget(machine, target)
    if is_environ(target) or patch.path == environ.TABLE:
        return _enter_environ(machine, patch, values)
    if not isinstance(target, Mapping_) or clear is not None or arguments.is_open:
        if target is None or isinstance(target, Unknown):
            # It may be a namespace: ``patch.dict(module.__dict__, name=…)``.
            named = [key for key, _ in values.items()] if isinstance(values, Mapping_) else []
            for name in (*arguments.keywords, *named):
                machine.lose(str(name))
        machine.escape(arguments.everything())
        return UNKNOWN, _nothing
    items = {name: value for name, value in arguments.keywords.items() if name not in ("values", "clear")}
    if isinstance(values, Mapping_) and not values.is_open:
        items.update(values.items())
    elif values is not None:
        machine.escape(arguments.everything())
        return UNKNOWN, _nothing
    before = dict(target.slots)

    def leave() -> None:
        # All of it, whatever was done to it meanwhile.
        for key in [key for key in target.slots if key not in before]:
            machine.delete(target.slots, key)
        for key, value in before.items():
            machine.write(target.slots, key, value)

    for key, value in items.items():
        machine.write(target.slots, f"[{key!r}]", value)
        machine.handed(value, patch.place)
    return target, leave


def _enter_environ(machine: Machine, patch: Patch, values: Value | None) -> tuple[Value, Callable[[], None]]:
    """``patch.dict(os.environ, {…})``."""
    names = [Literal(name) for name in patch.arguments.keywords if name not in ("values", "clear", "in_dict")]
    if isinstance(values, Mapping_):
        names += [Literal(key) for key, _ in values.items()]
    return UNKNOWN, _in_reverse([set_variable(machine, name, patch.place) for name in names])


def _in_reverse(leaves: list[Callable[[], None]]) -> Callable[[], None]:
    """What takes several changes back, the last one first."""

    def leave() -> None:
        for undone in reversed(leaves):
            undone()

    return leave


def is_environ(value: Value | None) -> bool:
    return isinstance(value, LibraryName) and value.entity.dotted == environ.TABLE


def set_variable(machine: Machine, name: Value, place: Place) -> Callable[[], None]:
    """A variable of the environment is set or deleted; how to take that back."""
    if not isinstance(name, Literal) or not isinstance(name.value, str):
        return _nothing
    return machine.put(machine.environ, name.value, place)


def _owner(machine: Machine, patch: Patch) -> Value | None:
    if patch.owner is not None:
        return patch.owner
    if patch.path is None:
        return None
    path = patch.path if patch.kind == "multiple" else patch.path.rpartition(".")[0]
    if not path:
        return None
    module = patch.env.module
    value = _patched_before(machine, patch, path.split("."))
    if value is None:
        value = machine.value_of(machine.resolver.patched(path, module), module)
    return None if isinstance(value, Unknown) else value


def _patched_before(machine: Machine, patch: Patch, path: list[str]) -> Value | None:
    """What a path leads to where something on it is patched already: a method of a class that is a mock by now."""
    if not machine.overrides and not machine.class_overrides:
        return None
    module = patch.env.module
    for at, name in enumerate(path[1:], 1):
        owner = machine.value_of(machine.resolver.patched(".".join(path[:at]), module), module)
        value = _overridden(machine, owner, name)
        if value is None:
            continue
        if machine.workspace.find(".".join(path[: at + 1]), module.path) is not None:
            # A module, and a double in its place: ``pkgutil.resolve_name`` imports the module, since Python 3.11;
            # mock before that takes the double.
            if machine.workspace.target_version < (3, 11):
                return UNKNOWN
            continue
        if machine.workspace.find(path[0], module.path) is None:
            # A library that is not installed here: it may be one of its modules.
            return UNKNOWN
        for inner in path[at + 1 :]:
            value = machine.attribute(value, inner, patch.place.node, patch.env)
        return value
    return None


def _overridden(machine: Machine, owner: Value, attribute: str) -> Value | None:
    """What a patch put in place of an attribute of a module or class; None where none did."""
    if isinstance(owner, ClassValue):
        return machine.class_override(owner.entity, attribute)
    key = _override(machine, owner, attribute)
    return None if key is None else machine.overrides.get(key)


def _override(machine: Machine, owner: Value, attribute: str) -> tuple[str, str] | None:
    """Under what ``overrides`` keeps an attribute of a module; None for other objects."""
    if isinstance(owner, ModuleValue):
        module = machine.workspace.load(owner.file)
        return None if module is None else (str(module.path), attribute)
    if isinstance(owner, LibraryName):
        return "", f"{owner.entity.dotted}.{attribute}"
    return None


def _new_value(machine: Machine, patch: Patch, owner: Value, attribute: str) -> Value:
    arguments = patch.arguments
    new = arguments.get(patch.new_position, "new")
    if new is not None and not mock.is_default(new):
        return new
    options = {
        key: value
        for key, value in arguments.keywords.items()
        if key not in _PATCH_OPTIONS and key not in ("target", "attribute")
    }
    return _double(machine, patch, owner, attribute, options)


def _double(machine: Machine, patch: Patch, owner: Value, attribute: str, options: dict[str, Value]) -> Value:
    """What a patch without ``new`` makes (``_patch.__enter__``)."""
    arguments = patch.arguments
    factory = arguments.keywords.get("new_callable")
    if factory is not None:
        made = _called(machine, patch, owner, attribute, options)
    else:
        made = _default_double(machine, patch, owner, attribute)
        if isinstance(made, Mock):
            mock.configure_double(machine, made, options)
    if isinstance(made, Mock):
        made.unsure = made.unsure or arguments.is_open
        made.vague = made.vague and not arguments.is_open
        mock.change_children(machine, made, patch.place)
        if made.unnamed:
            made.label = attribute
        machine.write(made.slots, "owner", NAMED)
    return made


def _called(machine: Machine, patch: Patch, owner: Value, attribute: str, options: dict[str, Value]) -> Value:
    """``new_callable(**options)``."""
    factory = patch.arguments.keywords["new_callable"]
    given = Arguments()
    given.keywords = dict(options)
    for option in ("spec", "spec_set"):
        if option in patch.arguments.keywords:
            given.keywords[option] = patch.arguments.keywords[option]
            if option in patch.arguments.keyword_nodes:
                given.keyword_nodes[option] = patch.arguments.keyword_nodes[option]
    if isinstance(factory, Mock) and factory.certain and machine.certain:
        node = patch.arguments.keyword_nodes.get("new_callable") or patch.place.node
        original = _original(machine, patch, owner, attribute)
        becomes = _becomes(machine, factory, original)
        if isinstance(owner, ClassValue) and machine.shapes.property_of(owner.entity, attribute) is not None:
            # Nobody calls what a property gives way to.
            becomes = becomes if becomes == "raises" else ""
        if becomes:
            machine.look(patch.env, Sight.FACTORY, factory, node, becomes, exception="TypeError")
            return UNKNOWN
    return machine.call(factory, given, patch.place.node, patch.env)


def _becomes(machine: Machine, factory: Mock, original: Value) -> str:
    """What an attribute becomes that a mock, and not its class, is called for; empty where it works."""
    effect = factory.slots.get("side_effect")
    if not factory.kind.callable:
        return "raises"
    if factory.kind is MockKind.ASYNC:
        return "coroutine" if isinstance(original, (FunctionValue, ClassValue, LibraryName)) else ""
    if factory.kind is MockKind.PROPERTY:
        # Set on a class, the value of the property does as well as the property.
        return ""
    if isinstance(effect, Value):
        return "raises" if exceptions.as_exception(machine, effect) is not None else ""
    returned = factory.slots.get("return_value")
    if returned is None:
        return "child" if any(key.startswith(".") for key in factory.slots) else ""
    is_plain = isinstance(returned, (Literal, Sequence_, Mapping_))
    return "value" if is_plain and isinstance(original, (FunctionValue, ClassValue)) else ""


def _default_double(machine: Machine, patch: Patch, owner: Value, attribute: str) -> Value:
    """An AsyncMock for what is a coroutine function, else a MagicMock; specced, if it is said so."""
    keywords = patch.arguments.keywords
    original = _original(machine, patch, owner, attribute)
    created = keywords.get("create")
    if created is not None and machine.truth(created) and _lacks(machine, owner, attribute):
        original = Literal(None)
    strict = machine.truth(keywords.get("spec_set", Literal(None))) is not False
    autospec = keywords.get("autospec")
    if autospec is not None and machine.truth(autospec) is not False:
        node = patch.arguments.keyword_nodes.get("autospec")
        wanted = original if isinstance(autospec, Literal) else autospec
        mocked = owner if isinstance(owner, Mock) else wanted
        if isinstance(mocked, Mock):
            error = f"Cannot autospec attr {attribute!r}"
            mock.refuse_mock(machine, mocked, node, patch.place, error, always=True, autospec=True)
            return UNKNOWN
        if isinstance(autospec, Literal):
            autospec, node = original, None
        return mock.autospec(machine, autospec, instance=False, place=patch.place, node=node, strict=strict)
    made = Mock(MockKind.MAGIC, patch.place, f"{MockKind.MAGIC.value}()")
    option = "spec_set" if strict else "spec"
    spec = keywords.get(option)
    if isinstance(spec, Mock):
        error = f"Cannot spec attr {attribute!r} as the {option} has already been mocked out"
        node = patch.arguments.keyword_nodes.get(option)
        mock.refuse_mock(machine, spec, node, patch.place, error, always=True)
        return UNKNOWN
    if isinstance(spec, Literal) and spec.value is True:
        spec = keywords.get("spec", original) if strict else original
    if spec is not None and not isinstance(spec, Literal):
        return _specced(machine, patch, made, spec, original, option)
    is_async = _is_async(machine, original)
    if is_async is None:
        made.unsure = made.vague = True
    elif is_async:
        made.kind = MockKind.ASYNC
        made.label = f"{MockKind.ASYNC.value}()"
    return made


def _specced(machine: Machine, patch: Patch, made: Mock, spec: Value, original: Value, option: str) -> Mock:
    """``patch(…, spec=…)``: what replaces a class returns doubles of its instances."""
    mock.give_spec(
        machine, made, spec, patch.arguments.keyword_nodes.get(option), strict=option == "spec_set"
    )
    if made.spec is None:
        return made
    if isinstance(spec, Sequence_) and made.spec.names is not None and "__call__" not in made.spec.names:
        made.kind = MockKind.NON_CALLABLE_MAGIC
    if isinstance(spec, Instance):
        kind = machine.shapes.instance_kind(spec.entity)
        made.kind = kind or made.kind
        made.unsure = made.unsure or kind is None
    elif isinstance(original, (Unknown, LibraryName)):
        made.unsure = True
    elif isinstance(original, ClassValue) and isinstance(made.spec.entity, ClassEntity):
        kind = machine.shapes.instance_kind(made.spec.entity)
        if kind is None:
            made.unsure = True
        else:
            inner = Mock(kind, patch.place, f"{made.label}()", made.spec, made, auto=True)
            made.slots["return_value"] = inner
    return made


_IN_C = frozenset(
    {"_thread", "atexit", "builtins", "errno", "gc", "itertools", "marshal", "math", "posix", "sys", "time"}
)
"""Modules without Python code."""


def _is_async(machine: Machine, value: Value) -> bool | None:
    """``_is_async_obj`` of what is replaced; None when not known."""
    if isinstance(value, Mock):
        return value.kind is MockKind.ASYNC
    if isinstance(value, FunctionValue):
        if value.entity is None:
            return value.is_async
        is_async = machine.shapes.is_coroutine_function(value.entity)
        return value.is_async if is_async is None else is_async
    if isinstance(value, LibraryName):
        if "." not in value.entity.dotted or value.entity.root in _IN_C:
            # A module at the top level, also one that is not installed here; or what is no Python function.
            return False
        opened = machine.resolver.open(value.entity)
        return False if isinstance(opened, ModuleEntity) else machine.shapes.is_coroutine_function(opened)
    if isinstance(value, Instance):
        found = machine.resolver.class_attribute(value.entity, "__await__")
        return False if found is Absent.MISSING else None
    return False if isinstance(value, (Literal, Sequence_, Mapping_, ClassValue, ModuleValue)) else None


def _original(machine: Machine, patch: Patch, owner: Value, attribute: str) -> Value:
    """What the patch replaces."""
    if isinstance(owner, Mock):
        return machine.mock_attribute(owner, attribute, patch.place.node, patch.env)
    if isinstance(owner, ModuleValue):
        return machine.module_attribute(owner, attribute, patch.env.module)
    if isinstance(owner, LibraryName):
        return LibraryName(External(f"{owner.entity.dotted}.{attribute}"))
    if isinstance(owner, Foreign):
        return instances.original(machine, owner, attribute)
    if isinstance(owner, ClassValue):
        return _class_member(machine, owner.entity, attribute)
    if isinstance(owner, Instance):
        own = owner.slots.get(attribute)
        return own if isinstance(own, Value) else _class_member(machine, owner.entity, attribute)
    return UNKNOWN


def _lacks(machine: Machine, owner: Value, attribute: str) -> bool:
    """Has the module or class certainly no such attribute?"""
    if isinstance(owner, ModuleValue):
        module = machine.workspace.load(owner.file)
        return module is not None and machine.resolver.module_attribute(module, attribute) is Absent.MISSING
    if isinstance(owner, ClassValue):
        return machine.resolver.class_attribute(owner.entity, attribute) is Absent.MISSING
    return False


def stands_in(machine: Machine, owner: Value, attribute: str, value: Value, place: Place) -> None:
    """Note on a double which function it is put in place of, where that is known."""
    if not isinstance(value, Mock) or value.parent is not None or not machine.is_test(place.unit.path):
        return
    found: Lookup = Absent.UNKNOWN
    path = None
    importer = machine.workspace.module(place.unit.path)
    if importer is None:
        return
    if isinstance(owner, ModuleValue):
        path = owner.file.path
        found = machine.resolver.file_attribute(owner.file, attribute, importer)
    elif isinstance(owner, (ClassValue, Instance)) and attribute not in getattr(owner, "slots", {}):
        path = owner.entity.path
        found = machine.resolver.class_attribute(owner.entity, attribute)
    opened = machine.resolver.open(found)
    if path is None or not isinstance(opened, FunctionEntity) or machine.is_test(opened.path):
        return
    is_async = machine.shapes.is_coroutine_function(opened)
    if is_async is not None:
        on_class = not isinstance(owner, ModuleValue)
        value.replaces = Replaced(opened, is_async, path, attribute, on_class, place)
        machine.stand_ins.append(value)


def _class_member(machine: Machine, entity: ClassEntity, attribute: str) -> Value:
    """An attribute of a class, as ``getattr`` on the class or an instance gives it."""
    for cls in machine.resolver.ancestry(entity).classes:
        replaced = machine.class_overrides.get((str(cls.path), cls.qualname, attribute))
        if replaced is not None:
            return replaced
    found = machine.resolver.class_attribute(entity, attribute)
    if isinstance(found, FunctionEntity):
        if machine.shapes.is_reworked(entity, attribute):
            return UNKNOWN
        if machine.shapes.is_coroutine_function(found) is None:
            # A decorator may have made something else of it.
            return machine.function_value(found)
        function = machine.raw_function(found)
        return function if function is not None else UNKNOWN
    return UNKNOWN if isinstance(found, Absent) else machine.value_of(found, entity.module)


def _refuse_property(
    machine: Machine, owner: Value, attribute: str, place: Place, env: Environment, needed: str
) -> None:
    """A property cannot be replaced on an object. ``patch`` sets it, and deletes it when it is left: only one with a
    deleter takes that. ``monkeypatch`` sets it twice."""
    if not isinstance(owner, Instance) or machine.class_override(owner.entity, attribute) is not None:
        return
    has = machine.shapes.property_of(owner.entity, attribute)
    if has is not None and needed not in has:
        part = "setter" if "setter" not in has else "deleter"
        machine.fail(env, Misuse.READ_ONLY, owner, place.node, part, attribute, "AttributeError")


def _replace(
    machine: Machine, owner: Value, attribute: str, value: Value, place: Place, env: Environment
) -> Callable[[], None]:
    """Set an attribute, and how to set it back."""
    attribute = machine.unmangled(owner, attribute)
    stands_in(machine, owner, attribute, value, place)
    watched = trace.watch(machine, place, owner, attribute, env.module)
    restore = _set(machine, owner, attribute, value)
    if watched is None:
        return restore
    spot = watched.spot
    before = machine.watched.get(spot)
    machine.write(machine.watched, spot, watched)

    def leave() -> None:
        restore()
        if before is not None:
            machine.write(machine.watched, spot, before)
        else:
            machine.delete(machine.watched, spot)

    return leave


def _set(machine: Machine, owner: Value, attribute: str, value: Value) -> Callable[[], None]:
    if isinstance(owner, (Instance, Mock)):
        slot = attribute if isinstance(owner, Instance) else f".{attribute}"
        return _set_in_object(machine, owner.slots, slot, value)
    if isinstance(owner, Foreign) and instances.takes(machine, owner, attribute):
        return _set_in_object(machine, owner.slots, attribute, value)
    if isinstance(owner, Unknown):
        machine.lose(attribute)
    leaves: list[Callable[[], None]] = []
    cls = machine.resolver.open(owner.entity) if isinstance(owner, (ClassValue, LibraryName)) else None
    if isinstance(cls, ClassEntity):
        leaves.append(machine.put(machine.class_overrides, (str(cls.path), cls.qualname, attribute), value))
    key = _override(machine, owner, attribute)
    if key is not None:
        leaves.append(machine.put(machine.overrides, key, value))
    return _in_reverse(leaves)


def _set_in_object(machine: Machine, slots: dict[Any, Any], key: str, value: Value) -> Callable[[], None]:
    """Write a slot of an object, and note what was there before any patch."""
    noted = (id(slots), key)
    if noted in machine.replaced:
        return machine.put(slots, key, value)
    machine.write(machine.replaced, noted, (slots, key, slots.get(key, MISSING)))
    restore = machine.put(slots, key, value)

    def leave() -> None:
        restore()
        machine.delete(machine.replaced, noted)

    return leave


def call_mocker(
    machine: Machine, mocker: Mocker, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value:
    place = Place(env.unit, node)
    machine.has_doubles = True
    if not mocker.patch:
        if name in CONSTRUCTORS:
            return mock.make_mock(machine, CONSTRUCTORS[name], arguments, place)
        if name == "create_autospec":
            return mock.call_mock_library(machine, name, arguments, place, env)
        if name in ("stub", "async_stub"):
            kind = MockKind.MAGIC if name == "stub" else MockKind.ASYNC
            # ``spec=lambda *args, **kwargs: None``: it is called, and nothing else.
            stub = Mock(kind, place, name, Spec(names=frozenset(dir(FunctionType))))
            mock.name_double(stub, arguments.get(0, "name"))
            return stub
        if name == "spy":
            return _spy(machine, mocker, arguments, place, env)
        if name == "stopall":
            undo(machine, mocker.name)
        elif name == "stop":
            undo(machine, mocker.name, value=arguments.get(0, "mock") or UNKNOWN)
        elif name == "resetall":
            for cleanup in machine.cleanups:
                if cleanup.kind == mocker.name and isinstance(cleanup.value, Mock):
                    mock.call_mock_method(machine, cleanup.value, "reset_mock", arguments, node, env)
        return UNKNOWN
    library_name = "patch" if name == "__call__" else f"patch.{name}"
    patch = mock.call_mock_library(machine, library_name, arguments, place, env)
    if not isinstance(patch, Patch):
        return UNKNOWN
    entered, leave = enter_patch(machine, patch, env)
    machine.cleanups.append(Cleanup(leave, mocker.name, entered))
    if isinstance(entered, Mock) and machine.shapes.supports(entered, "__enter__"):
        # pytest-mock makes it warn that this is no context manager.
        warns = Mock(MockKind.MAGIC, place, "__enter__", None, entered)
        warns.slots["return_value"] = Literal(None)
        machine.write(entered.slots, ".__enter__", warns)
    return entered


def _spy(machine: Machine, mocker: Mocker, arguments: Arguments, place: Place, env: Environment) -> Value:
    """``mocker.spy(owner, "name")``: calls what it replaces, and records it."""
    owner, name = arguments.get(0, "obj"), arguments.get(1, "name")
    if owner is None or not isinstance(name, Literal) or not isinstance(name.value, str):
        return UNKNOWN
    patch = Patch(owner, None, name.value, Arguments(), place, "object", env)
    original = _original(machine, patch, owner, name.value)
    is_async = _is_async(machine, original)
    if is_async is None:
        return UNKNOWN
    kind = MockKind.ASYNC if is_async else MockKind.MAGIC
    spy = Mock(kind, place, name.value)
    bound = isinstance(owner, Instance) and isinstance(original, FunctionValue) and original.bound is None
    spy.slots["side_effect"] = UNKNOWN if bound else original
    for recorded in ("spy_return", "spy_return_list", "spy_exception"):
        spy.slots[f".{recorded}"] = UNKNOWN
    machine.cleanups.append(Cleanup(_replace(machine, owner, name.value, spy, place, env), mocker.name, spy))
    return spy


def call_monkeypatch(
    machine: Machine, patcher: MonkeyPatch, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value:
    values = arguments.values

    def later(leave: Callable[[], None]) -> None:
        machine.cleanups.append(Cleanup(leave, "monkeypatch", patcher))

    if name == "context":
        inner = MonkeyPatch()

        def undo_these() -> None:
            undo(machine, "monkeypatch", value=inner)

        return Managed(inner, False, False, undo_these, undo_these)
    if name == "setattr" and values:
        first, second, third = values[0], arguments.get(1, "name"), arguments.get(2, "value")
        attribute: str | None = None
        if isinstance(first, Literal) and isinstance(first.value, str) and second is not None:
            path, _, attribute = first.value.rpartition(".")
            owner = machine.value_of(machine.resolver.dotted(path, env.module), env.module)
            value = second
        else:
            owner, value = first, third or UNKNOWN
            if isinstance(second, Literal) and isinstance(second.value, str):
                attribute = second.value
        if attribute is None:
            machine.escape(values)
            machine.lose(None)
            return Literal(None)
        machine.handed(value, Place(env.unit, node))
        _refuse_property(machine, owner, attribute, Place(env.unit, node), env, "setter")
        later(_replace(machine, owner, attribute, value, Place(env.unit, node), env))
        return Literal(None)
    if name == "undo":
        undo(machine, "monkeypatch", value=patcher)
    elif name in ("setenv", "delenv") and values:
        later(set_variable(machine, values[0], Place(env.unit, node)))
    elif name in ("setitem", "delitem") and len(values) > 1 and is_environ(values[0]):
        later(set_variable(machine, values[1], Place(env.unit, node)))
    elif name == "setitem" and len(values) == 3 and isinstance(values[0], Mapping_):
        key = values[0].slot(values[1])
        if key is not None:
            machine.handed(values[2], Place(env.unit, node))
            later(machine.put(values[0].slots, key, values[2]))
        else:
            machine.escape([values[2]])
            machine.scatter(values[0])
    elif name == "setitem" and len(values) == 3 and isinstance(values[0], web.Overrides):
        place = Place(env.unit, arguments.node(2, "value") or node)
        later(web.override(machine, values[0], values[1], values[2], place, env))
    elif name == "delitem" and len(values) >= 2 and isinstance(values[0], web.Overrides):
        later(web.forget(machine, values[0]))
    elif name in ("setitem", "delitem"):
        machine.escape(values[:1])
    elif name == "delattr" and len(values) >= 2 and isinstance(values[1], Literal):
        place = Place(env.unit, node)
        later(_replace(machine, values[0], str(values[1].value), UNKNOWN, place, env))
    return Literal(None)


def _nothing() -> None:
    return None
