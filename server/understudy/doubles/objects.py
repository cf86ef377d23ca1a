"""What can be done to any value: call it, look at its attributes, iterate over it."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from understudy.doubles import constructors, trace
from understudy.doubles.arguments import Arguments
from understudy.doubles.core import MOST_ITEMS, Taking, top
from understudy.doubles.descriptors import set_on_object
from understudy.doubles.library import calls, instances, patches, played, stdlib, web
from understudy.doubles.library.mock import make_subclassed, mock_name
from understudy.doubles.mocks import Mocks
from understudy.doubles.shapes import (
    COROUTINE_ATTRIBUTES,
    is_magic,
)
from understudy.doubles.state import Misuse
from understudy.doubles.values import (
    ITERATORS,
    UNKNOWN,
    BoundBuiltin,
    ClassValue,
    Coroutine,
    Environment,
    ExceptionValue,
    Foreign,
    FunctionValue,
    Generator,
    Instance,
    LibraryName,
    Literal,
    Mapping_,
    Mock,
    MockKind,
    ModuleValue,
    Node,
    OneOf,
    Partial,
    Place,
    Sentinel,
    Sequence_,
    SuperValue,
    Unknown,
    Value,
    carries_double,
    each_once,
    held_in,
    kind_of,
    lacks,
    part_of,
    without_order,
)
from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import (
    Absent,
    ClassEntity,
    External,
    FunctionEntity,
    ValueEntity,
)
from understudy.infer.properties import own_property
from understudy.infer.resolve import is_accessor, unmangled
from understudy.source.dotted import last_name

_SESSION_TAKES = re.compile(
    r"sqlalchemy\.[\w.]*(?:Session\(\)|sessionmaker\(\)\(\))(?:\.__enter__\(\))?\.(?:add|delete|refresh|merge|expunge)$"
)
"""Methods of a real session that take a mapped object."""
_CONFIGURING = frozenset({"attach_mock", "configure_mock", "mock_add_spec", "reset_mock"})
"""Methods with which a double is changed."""
_MIXED_IN = frozenset({"str", "int", "float", "bytes"})
"""Of an enumeration with one of these, a member equals its value."""
_OF_MEMBERS = ("__bool__", "__contains__", "__eq__", "__hash__", "__len__", "__new__")
"""What an enumeration may define for its members."""
_MAKING_ATTRIBUTES = frozenset({"cached_property", "classmethod", "property", "staticmethod"})
"""Decorators that say what a function of a class becomes, also above others that have replaced it."""


class Objects(Mocks):
    """Adds calls, attributes and iteration of all values."""

    # --- calls ---------------------------------------------------------------------------------------------------

    def arguments(self, node: ast.Call, env: Environment) -> Arguments:
        made = Arguments()
        after_unknown = False
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                self.first_user = (arg.value, Taking.ALL)
                value = self.eval(arg.value, env)
                items = self.taken(value) if isinstance(value, Sequence_) else None
                if items is None and isinstance(value, Coroutine):
                    error = "argument after * must be an iterable, not coroutine"
                    self.fail(env, Misuse.COROUTINE_ITERATION, value, arg.value, error)
                if items is None:
                    self.escape([value])
                    made.is_open = True
                    after_unknown = True
                else:
                    made.values.extend(items)
                    made.nodes.extend([None] * len(items))
            elif after_unknown:
                # Which parameter gets it is not known.
                self.escape([self.eval(arg, env)])
            else:
                made.values.append(self.eval(arg, env))
                made.nodes.append(arg)
        for keyword in node.keywords:
            value = self.eval(keyword.value, env)
            if keyword.arg is not None:
                made.keywords[keyword.arg] = value
                made.keyword_nodes[keyword.arg] = keyword.value
            elif isinstance(value, Mapping_) and not value.is_open:
                made.keywords.update({name: item for name, item in value.items() if isinstance(name, str)})
            elif isinstance(value, Coroutine):
                error = "argument after ** must be a mapping, not coroutine"
                self.fail(env, Misuse.COROUTINE_OPERATION, value, keyword.value, error)
                made.is_open = True
            else:
                made.is_open = True
        return made

    def call(self, callee: Value, arguments: Arguments, node: Node, env: Environment) -> Value:
        """``callee(*arguments)``."""
        self.tick()
        if isinstance(callee, Unknown):
            trace.unknown_call(self, node)
            self._library_runs("")
            self.escape(arguments.everything())
            self.may_raise()
            return UNKNOWN
        if isinstance(callee, FunctionValue):
            skipped = 0 if callee.bound is None else 1
            refused = self.refuse_stand_in(callee, skipped, arguments, node, env)
            return refused if refused is not None else self.call_function(callee, arguments, node, env)
        if isinstance(callee, Mock):
            return self.call_mock(callee, arguments, node, env)
        if isinstance(callee, ClassValue):
            return self.instantiate(callee.entity, arguments, node, env)
        if isinstance(callee, LibraryName):
            trace.used(self, callee, node, env)
            self._may_stray(callee.entity.dotted, arguments)
            given = calls.call(self, callee.entity, arguments, node, env)
            self._library_runs(callee.entity.dotted)
            if callee.entity.dotted not in stdlib.RAISE_NOTHING and not _is_worked_out(given):
                # Only now: what is known to raise in there raises whatever else may.
                self._library_may_fail(callee.entity.dotted)
            return given
        if isinstance(callee, played.Mocker):
            callee = BoundBuiltin(callee, "__call__")
        if isinstance(callee, played.Patched):
            return patches.call_patched(self, callee, arguments, node, env)
        if isinstance(callee, BoundBuiltin):
            return calls.call_method(self, callee, arguments, node, env)
        if isinstance(callee, Partial):
            merged = Arguments()
            merged.values = [*callee.args, *arguments.values]
            merged.nodes = [*([None] * len(callee.args)), *arguments.nodes]
            merged.keywords = {**callee.keywords, **arguments.keywords}
            merged.keyword_nodes = arguments.keyword_nodes
            merged.is_open = arguments.is_open or callee.is_open
            return self.call(callee.function, merged, node, env)
        if isinstance(callee, Coroutine):
            return self.fail(env, Misuse.COROUTINE_CALL, callee, node, "'coroutine' object is not callable")
        if isinstance(callee, Instance):
            method = self.instance_attribute(callee, "__call__")
            if isinstance(method, FunctionValue):
                return self.call_function(method, arguments, node, env)
            trace.lost(self)
            self.escape(arguments.everything())
            return UNKNOWN
        if isinstance(callee, Foreign):
            if arguments.values and _SESSION_TAKES.match(callee.dotted):
                self.note_unmapped(None, callee.dotted.rpartition(".")[2], arguments.values[0], node, env)
            self._library_runs(callee.dotted)
            self._library_may_fail(callee.dotted)
            self._may_stray(callee.dotted, arguments)
            trace.handed_over(self, arguments.everything())
            if not stdlib.changes_nothing(callee.dotted):
                self.unsettle(arguments.everything())
            last = callee.dotted.rpartition(".")[2]
            if last == "enter_context" and arguments.values:
                return stdlib.enter_context(self, arguments.values[0], node, env, is_async=False)
            if last == "enter_async_context" and arguments.values:
                manager = arguments.values[0]
                return Coroutine(
                    lambda: stdlib.enter_context(self, manager, node, env, is_async=True),
                    Place(env.unit, node),
                )
            if last == "pop_all":
                # What was entered is left at some other time.
                self.lose(None)
            if last in ("run_until_complete", "run"):
                for value in arguments.values:
                    if isinstance(value, Coroutine):
                        return value.run()
            return Foreign(f"{callee.dotted}()")
        if isinstance(callee, ExceptionValue):
            return ExceptionValue(callee.name, False, callee.bases)
        if isinstance(callee, (Sequence_, Mapping_, Literal)):
            refused = self._refuse_given(callee, node, env)
            if refused is not None:
                return refused
            self.may_raise()
        trace.lost(self)
        self.escape(arguments.everything())
        return UNKNOWN

    def _refuse_given(
        self, value: Sequence_ | Mapping_ | Literal, node: Node, env: Environment, name: str = ""
    ) -> Value | None:
        """A plain value that a double was told to give is called, or asked for an attribute that it has not. Of None it
        is not said: what finds it may leave in ways that are not known to be ways out."""
        mock = self.told_by(value)
        is_none = isinstance(value, Literal) and value.value is None
        if mock is None or not mock.certain or is_none or id(value) in self.members:
            return None
        _, place = self.set_at.get(id(value), (value, None))
        kind = kind_of(value)
        if name:
            error = f"{kind!r} object has no attribute {name!r}"
            return self.fail(env, Misuse.GIVEN_VALUE, mock, node, error, name, "AttributeError", place)
        func = node.func if isinstance(node, ast.Call) else None
        set_as = (
            func.attr if isinstance(func, ast.Attribute) and mock.slots.get(f".{func.attr}") is value else ""
        )
        error = f"{kind!r} object is not callable"
        return self.fail(env, Misuse.GIVEN_VALUE, mock, node, error, set_as, instead=place)

    def _library_may_fail(self, dotted: str) -> None:
        """A library is called, and may raise what a test expects, or what a handler is there for."""
        self.may_fail()
        if stdlib.may_be_handled(dotted):
            self.may_be_handled()

    def _library_runs(self, dotted: str) -> None:
        """A library may call what a test patched in a library itself, and use up the values that it gives: asyncio asks
        ``time.monotonic``, whatever writes a log ``time.time``."""
        if dotted.startswith(stdlib.NOT_CALLING):
            return
        for (path, _), value in self.overrides.items():
            if not path and isinstance(value, Mock):
                effect = value.slots.get("side_effect")
                if isinstance(effect, Sequence_) and effect.items is not None:
                    self.scatter(effect)

    def _may_stray(self, dotted: str, arguments: Arguments) -> None:
        """A library gets something of the test: what it does with it is not followed."""
        harmless = dotted.startswith(("logging.", "builtins.")) or mock_name(External(dotted)) is not None
        for value in arguments.everything():
            if carries_double(value) and not (harmless and isinstance(value, Mock)):
                self.strayed = True

    # --- attributes ------------------------------------------------------------------------------------------------

    def attribute(self, value: Value, name: str, node: Node, env: Environment) -> Value:
        """``value.name``."""
        if isinstance(value, Mock):
            return self.mock_attribute(value, name, node, env)
        if isinstance(value, Coroutine):
            if name in COROUTINE_ATTRIBUTES:
                return UNKNOWN
            if name == "cancel" and value.is_task:
                value.run = lambda: UNKNOWN
                return UNKNOWN
            error = f"'coroutine' object has no attribute {name!r}"
            return self.fail(env, Misuse.COROUTINE_ATTRIBUTE, value, node, error, name, "AttributeError")
        if isinstance(value, Instance):
            return self.instance_attribute(value, name)
        if isinstance(value, ModuleValue):
            return self.module_attribute(value, name, env.module)
        if isinstance(value, LibraryName):
            return self.library_attribute(value, name)
        if isinstance(value, ClassValue):
            if calls.is_test_case_method(self, value, name):
                return BoundBuiltin(value, name)
            return self.class_attribute(value.entity, name, None)
        if isinstance(value, SuperValue):
            return self._super_attribute(value, name)
        if isinstance(value, (Sequence_, Mapping_, Literal)):
            if not lacks(value, name):
                return BoundBuiltin(value, name)
            refused = self._refuse_given(value, node, env, name)
            if refused is None:
                self.may_raise()
            return refused if refused is not None else UNKNOWN
        if isinstance(value, Foreign):
            known = instances.attribute(self, value, name) if value.slots or self.class_overrides else None
            return known if known is not None else Foreign(f"{value.dotted}.{name}")
        if isinstance(value, played.Mocker) and name == "patch":
            return played.Mocker(patch=True, name=value.name)
        if isinstance(value, FunctionValue) and value.cached and name.startswith("cache_"):
            return BoundBuiltin(value, name)
        if isinstance(value, web.App) and name == web.OVERRIDES:
            return web.Overrides(value)
        if isinstance(value, played.OwnObject):
            return BoundBuiltin(value, name)
        self.may_raise_for("AttributeError")
        if isinstance(value, OneOf) and name in _CONFIGURING:
            self.escape([value])
        return part_of(value)

    def make_subclassed(self, kind: MockKind, cls: ClassEntity, arguments: Arguments, place: Place) -> Mock:
        return make_subclassed(self, kind, cls, arguments, place)

    def library_attribute(self, value: LibraryName, name: str) -> Value:
        """``asyncio.sleep``: as the library has it, or as a patch put it there."""
        dotted = f"{value.entity.dotted}.{name}"
        trace.looked_up(self, ("library", dotted))
        patched = self.overrides.get(("", dotted))
        if patched is not None:
            return patched
        if name in self.somewhere:
            return UNKNOWN
        self.may_raise_for("AttributeError")
        entity = External(dotted)
        named = mock_name(entity)
        if named is not None and named.startswith("sentinel."):
            return Sentinel(named)
        return LibraryName(entity)

    def module_attribute(self, value: ModuleValue, name: str, importer: Module) -> Value:
        module = self.workspace.load(value.file)
        if module is not None and (name in module.bindings or (str(module.path), name) in self.overrides):
            return self.global_value(module, name)
        if name == "__name__":
            return Literal(value.file.name)
        found = self.resolver.file_attribute(value.file, name, importer)
        if found is Absent.MISSING:
            self.may_raise()
        return self.value_of(found, importer)

    def instance_attribute(self, instance: Instance, name: str) -> Value:
        name = self.unmangled(instance, name)
        own = instance.slots.get(name)
        if isinstance(own, Value):
            trace.looked_up(self, ("instance", str(id(instance)), name))
            return own
        if name == "__class__":
            return ClassValue(instance.entity)
        if name == "__dict__":
            self.loosen(instance)
            return UNKNOWN
        if self.class_override(instance.entity, name) is not None:
            return self.class_attribute(instance.entity, name, instance)
        if instance.opaque and self.environ:
            self.note_setting(instance, name)
        if instance.opaque and calls.is_test_case_method(self, instance, name):
            return BoundBuiltin(instance, name)
        if instance.opaque and isinstance(
            self.resolver.class_attribute(instance.entity, name), (Absent, ValueEntity)
        ):
            return UNKNOWN
        found = self.class_attribute(instance.entity, name, instance)
        if isinstance(found, Unknown) and not instance.may_have_more:
            if self.resolver.class_attribute(instance.entity, name) is Absent.MISSING:
                self.may_raise()
        if instance.is_loose and isinstance(found, (Literal, Sequence_, Mapping_)):
            return UNKNOWN
        return found

    def unmangled(self, value: Value, name: str) -> str:
        """A private name as the code of the value's own classes writes it."""
        if isinstance(value, (Instance, ClassValue)) and name.startswith("_") and "__" in name:
            for cls in self.resolver.ancestry(value.entity).classes:
                plain = unmangled(cls, name)
                if plain != name:
                    return plain
        return name

    def class_override(self, entity: ClassEntity, name: str) -> Value | None:
        """What a patch or a class method put on the class."""
        for cls in self.resolver.ancestry(entity).classes:
            patched = self.class_overrides.get((str(cls.path), cls.qualname, name))
            if patched is not None:
                return patched
        return None

    def patched_on(self, cls: ClassEntity, name: str, instance: Value | None) -> Value | None:
        """What a patch or a class method put on that very class, as an instance gives it, or the class itself."""
        trace.looked_up(self, ("class", str(cls.path), cls.qualname, name))
        patched = self.class_overrides.get((str(cls.path), cls.qualname, name))
        if patched is None and name in self.somewhere:
            return UNKNOWN
        if instance is not None:
            if isinstance(patched, Mock) and patched.kind is MockKind.PROPERTY:
                return UNKNOWN if "side_effect" in patched.slots else self.return_value(patched)
            if isinstance(patched, FunctionValue) and patched.bound is None:
                return replace(patched, bound=instance)
        return patched

    def class_attribute(self, entity: ClassEntity, name: str, instance: Value | None) -> Value:
        for cls in self.resolver.ancestry(entity).classes:
            patched = self.patched_on(cls, name, instance)
            if patched is not None:
                return patched
            found = self.resolver.own_attribute(cls, name)
            if isinstance(found, FunctionEntity):
                if self.resolver.is_remade(entity, cls, name):
                    return UNKNOWN
                return self.method(self._reader(found, cls, name), entity, instance)
            if isinstance(found, ValueEntity):
                if self._is_plain_enum(cls) or self._makes_members(cls):
                    # A member is not its value.
                    return UNKNOWN
                if self.environ:
                    self.note_environment(found, f"{cls.dotted}.{name}")
                value = self.original(found)
                if not self._is_plain_class(cls):
                    self.members.add(id(value))
                    if isinstance(value, Literal) and self._converts(cls, value):
                        return UNKNOWN
                return value if instance is None or _is_plain(found) or isinstance(value, Mock) else UNKNOWN
            if isinstance(found, ClassEntity):
                return ClassValue(found)
            if found is not Absent.MISSING:
                return UNKNOWN
        return UNKNOWN

    def _reader(self, found: FunctionEntity, cls: ClassEntity, name: str) -> FunctionEntity:
        """The function that a look runs: ``@Base.x.setter`` leaves that of the base."""
        if not is_accessor(found.declaration):
            return found
        whole = own_property(self.resolver, cls, name)
        return whole.getter if whole is not None and whole.getter is not None else found

    def _is_plain_class(self, cls: ClassEntity) -> bool:
        """Are the values that a class's statements bind what the class gives?"""
        ancestry = self.resolver.ancestry(cls)
        return ancestry.complete and all(above.module.workspace for above in ancestry.classes)

    def _is_plain_enum(self, cls: ClassEntity) -> bool:
        """An enumeration whose members are not equal to their values, as those of ``str, Enum`` are."""
        above = self._names_above(cls)
        return bool(above & {"Enum", "Flag"}) and above.isdisjoint(_MIXED_IN)

    def _makes_members(self, cls: ClassEntity) -> bool:
        """Has an enumeration a say in what its members are like?"""
        classes = [each for each in self.resolver.ancestry(cls).classes if each.module.workspace]
        return any(self.resolver.declared(each, name) for each in classes for name in _OF_MEMBERS)

    def _converts(self, cls: ClassEntity, value: Literal) -> bool:
        """Is a member of a mixed enumeration made by another class than that of its value?"""
        mixed = self._names_above(cls) & _MIXED_IN
        return bool(mixed) and type(value.value).__name__ not in mixed

    def _names_above(self, cls: ClassEntity) -> set[str]:
        ancestry = self.resolver.ancestry(cls)
        return {base.name for base in ancestry.classes} | {base.name for base in ancestry.externals}

    def method(self, found: FunctionEntity, entity: ClassEntity, instance: Value | None) -> Value:
        if not found.module.workspace:
            # A base class of a library may call what the workspace overrides.
            trace.lost(self)
            return Foreign(found.qualname)
        value = self.function_value(found)
        if not isinstance(value, FunctionValue):
            return UNKNOWN
        names = self._decorator_names(value) if value.entity == found else self._outermost(found)
        if "staticmethod" in names:
            return value
        if "classmethod" in names:
            bound: Value = ClassValue(entity)
        elif instance is not None:
            bound = instance
        else:
            return value
        method = replace(value, bound=bound)
        if names & {"property", "cached_property", "hybrid_property"}:
            made = self.call_function(method, Arguments(), method.node, top(value))
            if "cached_property" in names and isinstance(bound, Instance):
                if self.is_of_module(bound) and carries_double(made):
                    # Another test may have looked before.
                    self.escape([made])
                    made = UNKNOWN
                self.write(bound.slots, found.name, made)
            return made
        return method

    def _outermost(self, found: FunctionEntity) -> set[str]:
        """The decorator that is applied last, after others that have replaced the function."""
        function = self.raw_function(found)
        if function is None or isinstance(function.node, ast.Lambda) or not function.node.decorator_list:
            return set()
        name = last_name(function.node.decorator_list[0])
        return {name} & _MAKING_ATTRIBUTES if name is not None else set()

    def _super_attribute(self, value: SuperValue, name: str) -> Value:
        instance = value.instance
        if not isinstance(instance, Instance):
            return UNKNOWN
        classes = self.resolver.ancestry(instance.entity).classes
        after = classes[classes.index(value.entity) + 1 :] if value.entity in classes else ()
        for cls in after:
            patched = self.patched_on(cls, name, instance)
            if patched is not None:
                return patched
            found = self.resolver.own_attribute(cls, name)
            if isinstance(found, FunctionEntity):
                return self.method(self._reader(found, cls, name), instance.entity, instance)
            if found is not Absent.MISSING:
                return UNKNOWN
        self.strayed = self.strayed or name != "__init__"
        return Foreign(f"super().{name}")

    def set_attribute(self, target: Value, name: str, value: Value, place: Place, env: Environment) -> None:
        name = self.unmangled(target, name)
        if isinstance(target, Coroutine):
            if name in ("__name__", "__qualname__"):
                return
            error = f"'coroutine' object has no attribute {name!r}"
            self.fail(env, Misuse.COROUTINE_ATTRIBUTE, target, place.node, error, name, "AttributeError")
        elif isinstance(target, played.TypeOfMock):
            if isinstance(value, Mock) and value.kind is MockKind.PROPERTY:
                self.write(target.mock.slots, f"type.{name}", value)
            elif name == "__await__":
                self.write(target.mock.slots, "type.__await__", value)
            elif is_magic(name):
                self.set_mock_attribute(target.mock, name, value, place, env)
            else:
                self.escape([target.mock])
        elif isinstance(target, Mock):
            self.set_mock_attribute(target, name, value, place, env)
        elif isinstance(target, web.App) and name == web.OVERRIDES:
            web.replace_overrides(self, target, value)
        elif isinstance(target, Instance):
            patches.stands_in(self, target, name, value, place)
            if target.opaque:
                self.note_unmapped(target.entity, name, value, place.node, env)
            set_on_object(self, target, name, value, place, env)
            if self.is_test(place.unit.path) and not self.is_test(target.entity.path):
                self.handed(value, place)
        elif isinstance(target, ModuleValue):
            module = self.workspace.load(target.file)
            if module is not None:
                patches.stands_in(self, target, name, value, place)
                self.write(self.overrides, (str(module.path), name), value)
                if self.is_test(place.unit.path):
                    self.handed(value, place)
        elif isinstance(target, ClassValue):
            key = (str(target.entity.path), target.entity.qualname, name)
            patches.stands_in(self, target, name, value, place)
            self.write(self.class_overrides, key, value)
            if self.is_test(place.unit.path):
                self.handed(value, place)
        elif isinstance(target, Foreign) and instances.takes(self, target, name):
            self.write(target.slots, name, value)
            if self.is_test(place.unit.path):
                self.handed(value, place)
        else:
            self.escape([target, value])

    # --- what values are like ------------------------------------------------------------------------------------

    def truth(self, value: Value) -> bool | None:
        if isinstance(value, Literal):
            return bool(value.value)
        if isinstance(value, Mock):
            return self._mock_truth(value)
        if isinstance(value, Sequence_):
            if value.kind in ITERATORS:
                return True
            if value.items is None or (not value.items and value.kind.startswith("dict_")):
                # A view of a dict, which may be filled by now.
                return None
            return bool(value.items)
        if isinstance(value, Instance):
            self.operated(value, "__bool__", "__len__")
            has = [self.resolver.class_attribute(value.entity, n) for n in ("__bool__", "__len__")]
            return True if all(found is Absent.MISSING for found in has) else None
        if isinstance(value, Foreign):
            return True if instances.is_true(self, value) else None
        if isinstance(value, ClassValue):
            own = (
                constructors.metaclass_defines(self, value.entity, name) for name in ("__bool__", "__len__")
            )
            return None if any(own) else True
        if isinstance(value, (Coroutine, FunctionValue, ModuleValue, BoundBuiltin)):
            return True
        return None

    def _mock_truth(self, mock: Mock) -> bool | None:
        """``bool(mock)``: ``__bool__`` is True unless configured; with a spec that has only ``__len__``, that is 0."""
        if not mock.certain:
            return None
        for magic, default in (("__bool__", True), ("__len__", False)):
            supported = self.shapes.supports(mock, magic)
            if supported is None or mock.cls is not None:
                return None
            if supported:
                method = mock.slots.get(f".{magic}")
                if method is None:
                    return default
                if not isinstance(method, Mock) or "side_effect" in method.slots or not method.certain:
                    return None
                result = method.slots.get("return_value")
                if result is None and method.auto:
                    return default
                return bool(result.value) if isinstance(result, Literal) else None
        return True

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
            if supported is False and self.shapes.supports(value, "__getitem__") is False:
                self.fail(
                    env, Misuse.NOT_ITERABLE, value, node, f"{value.type_name!r} object is not iterable"
                )
            if not supported:
                return None
            made = self.call_magic(value, "__iter__", Arguments(), node, env)
            if isinstance(made, Sequence_) and made.kind in ITERATORS:
                return self.taken(made)
            if isinstance(made, (Sequence_, Literal, Mapping_, Coroutine)):
                error = f"iter() returned non-iterator of type {kind_of(made)!r}"
                self.fail(env, Misuse.NOT_ITERABLE, value, node, error)
            return None
        if isinstance(value, Literal):
            if not isinstance(value.value, (str, bytes)):
                self.may_raise()
            return _literal_items(value)
        if isinstance(value, Sequence_):
            mock = self.told_by(value)
            if mock is not None:
                for item in value.items or ():
                    self.tell(mock, item)
            return None if without_order(value) else self.taken(value)
        if isinstance(value, Generator) and not value.is_async:
            self.started(value)
            value.rest()
        self.loosen(value)
        return None

    def taken(self, value: Sequence_) -> tuple[Value, ...] | None:
        make = value.slots.get("make")
        if callable(make):
            self.delete(value.slots, "make")
            make()
        items = value.items
        if items is not None and value.kind in ITERATORS:
            # How much of it was taken is not known: a loop may be left.
            self.write(value.slots, "among", each_once((*items, *held_in(value.slots["among"]))))
            self.write(value.slots, "items", None)
        return items

    def async_items(self, value: Value, node: ast.expr, env: Environment) -> tuple[Value, ...] | None:
        if isinstance(value, (Literal, Sequence_, Mapping_, Sentinel, Coroutine)):
            self.fail(env, Misuse.ASYNC_FOR, self.told_by(value) or value, node, _async_for(value))
            return None
        if isinstance(value, Mock):
            if not value.certain:
                return None
            supported = self.shapes.supports(value, "__aiter__")
            if supported is False:
                self.fail(env, Misuse.ASYNC_FOR, value, node, _async_for(value))
            if not supported:
                return None
            made = self.call_magic(value, "__aiter__", Arguments(), node, env)
            if isinstance(made, Sequence_) and made.kind == "iterator":
                return self.taken(made)
            if isinstance(made, (Sequence_, Literal, Mapping_, Coroutine)):
                error = (
                    "'async for' received an object from __aiter__ that does not implement __anext__: "
                    f"{kind_of(made)}"
                )
                self.fail(env, Misuse.ASYNC_FOR, value, node, error)
            return None
        self.may_raise()
        return None


def _is_worked_out(value: Value) -> bool:
    """Is what a function gives known, and so that it gave it? ``None`` says nothing: ``setattr`` may have raised."""
    if isinstance(value, Sequence_):
        return value.items is not None
    if isinstance(value, Literal):
        return value.value is not None
    return isinstance(value, (Mock, played.Patch))


def _literal_items(value: Literal) -> tuple[Value, ...] | None:
    if isinstance(value.value, str) and len(value.value) <= MOST_ITEMS:
        return tuple(Literal(character) for character in value.value)
    return None


def _async_for(value: Value) -> str:
    return f"'async for' requires an object with __aiter__ method, got {kind_of(value)}"


def _is_plain(entity: ValueEntity) -> bool:
    """A class variable that an instance sees as it stands: not a descriptor."""
    return isinstance(entity.declaration.value, (model.Const, model.SequenceTerm, model.DictTerm))
