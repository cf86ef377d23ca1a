"""The rules of :mod:`unittest.mock`: what each step on a mock gives.

Read from ``Lib/unittest/mock.py`` of CPython 3.10 to 3.14 (``_get_child_mock``, ``MagicMixin``,
``AsyncMagicMixin``, ``_spec_asyncs``); the table in the tests runs each rule against the real library.
Nothing here knows of tests, files or frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType

from understudy.doubles.values import Mock, MockKind, Spec
from understudy.facts import model
from understudy.infer.entities import Absent, ClassEntity, FunctionEntity, Lookup, ValueEntity
from understudy.infer.properties import inherited_property
from understudy.infer.resolve import Resolver, unmangled

ASYNC_METHOD_MAGICS = frozenset({"__aenter__", "__aexit__", "__anext__"})
_MAGIC_WORDS = (
    "lt le gt ge eq ne getitem setitem delitem len contains iter hash str sizeof enter exit divmod rdivmod "
    "neg pos abs invert complex int float index round trunc floor ceil bool next fspath aiter"
)
_NUMERICS = "add sub mul matmul truediv floordiv mod lshift rshift and xor or pow"
SYNC_MAGICS = frozenset(
    f"__{word}__"
    for word in (
        *_MAGIC_WORDS.split(),
        *_NUMERICS.split(),
        *(f"i{word}" for word in _NUMERICS.split()),
        *(f"r{word}" for word in _NUMERICS.split()),
    )
)

ASSERTIONS = frozenset(
    {
        "assert_any_call",
        "assert_called",
        "assert_called_once",
        "assert_called_once_with",
        "assert_called_with",
        "assert_has_calls",
        "assert_not_called",
    }
)
AWAIT_ASSERTIONS = frozenset(
    {
        "assert_any_await",
        "assert_awaited",
        "assert_awaited_once",
        "assert_awaited_once_with",
        "assert_awaited_with",
        "assert_has_awaits",
        "assert_not_awaited",
    }
)
CALLED_ASSERTIONS = (ASSERTIONS | AWAIT_ASSERTIONS) - {"assert_not_called", "assert_not_awaited"}
"""Assertions that only hold when the mock was called."""
ASSERTED_ARGUMENTS = frozenset(
    {
        "assert_any_await",
        "assert_any_call",
        "assert_awaited_once_with",
        "assert_awaited_with",
        "assert_called_once_with",
        "assert_called_with",
    }
)
"""Assertions that take the arguments of the call."""
METHODS = frozenset({"attach_mock", "configure_mock", "mock_add_spec", "reset_mock", "_get_child_mock"})
RECORDS = frozenset(
    {"called", "call_count", "call_args", "call_args_list", "mock_calls", "method_calls", "__class__"}
)
AWAIT_RECORDS = frozenset({"await_count", "await_args", "await_args_list"})

COROUTINE_ATTRIBUTES = frozenset(
    (
        "send", "throw", "close", "cr_await", "cr_code", "cr_frame", "cr_origin", "cr_running", "cr_suspended",
        "__await__", "__del__", "__name__", "__qualname__",
    )
) | frozenset(dir(object))  # fmt: skip

OWN_PREFIXES = (
    "_mock_",
    "_spec_",
    "_is_coroutine",
    "_calls_repr",
    "_call_",
    "_execute_",
    "_increment_",
    "_format_mock_",
)
"""How private attributes begin that every mock has, whatever its spec."""

CONSTRUCTORS = {kind.value: kind for kind in MockKind}


@dataclass(frozen=True, slots=True)
class Child:
    """What an attribute that nobody configured is: a mock of a kind, absent, or not known."""

    kind: MockKind | None
    spec: Spec | None = None
    unsure: bool = False


ABSENT = Child(None)
NOT_KNOWN = Child(None, unsure=True)
_OBJECT_NAMES = frozenset(dir(object)) | {"__dict__", "__module__", "__weakref__"}
_FUNCTION_NAMES = frozenset(dir(FunctionType))


class Shapes:
    """The rules, with a resolver to ask about the classes in ``spec``."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    # --- spec

    def has(self, spec: Spec, name: str) -> bool | None:
        """Is ``name`` in ``dir()`` of the spec? None when not known."""
        if spec.names is not None:
            return name in spec.names
        if isinstance(spec.entity, ClassEntity):
            if name in _OBJECT_NAMES or (spec.own is not None and name in spec.own):
                return True
            if spec.own is not None and self._set_by_methods(spec.entity, name):
                return None
            found = self.resolver.class_attribute(spec.entity, name)
            if found is Absent.MISSING:
                return False
            if found is Absent.UNKNOWN:
                # Whether an autospec has the fields of a dataclass depends on the version.
                is_bare = not (spec.auto and spec.entity.declaration.decorators)
                return False if is_bare and self.resolver.is_only_annotated(spec.entity, name) else None
            return True
        if isinstance(spec.entity, FunctionEntity):
            if name in _FUNCTION_NAMES:
                return True
            # A decorator, or an assignment below the function, may give it attributes.
            plain = all(self._decorator_effect(d, spec.entity) for d in spec.entity.declaration.decorators)
            return False if plain and not self._has_attributes(spec.entity) else None
        return None

    def is_reworked(self, entity: ClassEntity, name: str) -> bool:
        """May the class have something else under a name than its body says: from below, from a decorator, a metaclass
        or an ``__init_subclass__`` of the workspace?"""
        classes = [cls for cls in self.resolver.ancestry(entity).classes if cls.module.workspace]
        for cls in classes:
            if self.resolver.is_set_on_class(cls, name):
                return True
            changing = [*cls.declaration.decorators]
            changing += [keyword.value for keyword in cls.declaration.keywords if keyword.name == "metaclass"]
            for term in changing:
                term = term.func if isinstance(term, model.CallTerm) else term
                found = self.resolver.ref(cls.module, term.parts) if isinstance(term, model.Ref) else None
                if isinstance(found, (ClassEntity, FunctionEntity)) and found.module.workspace:
                    return True
            if cls != entity and self.resolver.changes_subclasses(cls):
                return True
        return False

    def _set_by_methods(self, entity: ClassEntity, name: str) -> bool:
        """May a method of the class set the attribute on its instances?"""
        return any(
            isinstance(declaration, model.Function) and unmangled(cls, name) in declaration.self_attributes
            for cls in self.resolver.ancestry(entity).classes
            for declaration in cls.declaration.body
        )

    def _has_attributes(self, entity: FunctionEntity) -> bool:
        return any(
            isinstance(top, model.AttributeAssign) and top.owner.parts[-1] == entity.name
            for _, top in entity.module.declarations()
        )

    def is_coroutine_function(self, entity: Lookup) -> bool | None:
        """``inspect.iscoroutinefunction`` of what a name stands for; None when not known."""
        if isinstance(entity, FunctionEntity):
            kinds = {self._decorator_effect(decorator, entity) for decorator in entity.declaration.decorators}
            if None in kinds:
                return None
            if kinds & {"property", "cached", "manager"}:
                return False
            return entity.declaration.is_async and not entity.declaration.is_generator
        if isinstance(entity, (ClassEntity,)):
            return False
        if isinstance(entity, ValueEntity) and isinstance(entity.declaration.value, model.Const):
            return False
        if isinstance(entity, ValueEntity) and isinstance(entity.declaration.value, model.CallTerm):
            func = entity.declaration.value.func
            name = func.parts[-1] if isinstance(func, model.Ref) else ""
            if name in ("Column", "mapped_column", "relationship", "Field"):
                return False
        return None

    def is_descriptor(self, function: FunctionEntity) -> bool:
        """Is it a property, cached or not? An autospec of one has no spec (``inspect.isdatadescriptor``)."""
        effects = {
            self._decorator_effect(decorator, function) for decorator in function.declaration.decorators
        }
        return not effects.isdisjoint({"property", "cached"})

    def property_of(self, entity: ClassEntity, name: str) -> frozenset[str] | None:
        """Which of ``setter`` and ``deleter`` a property of a class has; None for what is no property of Python's own,
        and where the class may treat its attributes in another way."""
        ancestry = self.resolver.ancestry(entity)
        if not ancestry.complete or any(self.resolver.is_set_on_class(cls, name) for cls in ancestry.classes):
            return None
        if any(self.resolver.declared(cls, own) for cls in ancestry.classes for own in _OWN_ATTRIBUTES):
            return None
        found = inherited_property(self.resolver, entity, name)
        if found is None:
            return None
        parts = {"setter": found.setter, "deleter": found.deleter}
        return frozenset(part for part, function in parts.items() if function is not None)

    def _decorator_effect(self, decorator: model.Term, entity: FunctionEntity) -> str | None:
        term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
        if not isinstance(term, model.Ref):
            return None
        name = term.parts[-1]
        found = self.resolver.ref(entity.module, term.parts)
        if isinstance(found, (ClassEntity, FunctionEntity)) and found.module.workspace:
            # One of the project's own, whatever it is called.
            return None
        if name in _KEEPING_DECORATORS:
            return "keeps"
        if name == "cached_property":
            return "cached"
        if name in _PROPERTY_DECORATORS or (
            len(term.parts) > 1 and name in ("setter", "deleter", "expression")
        ):
            return "property"
        if name in ("asynccontextmanager", "contextmanager"):
            return "manager"
        return None

    # --- children

    def child(self, mock: Mock, name: str) -> Child:
        """The mock that ``mock.name`` creates on first use (``_get_child_mock``)."""
        spec = mock.spec
        if spec is None or name == "()":
            return Child(_child_kind(mock.kind, name))
        has = self.has(spec, name)
        if has is None:
            return NOT_KNOWN
        if not has:
            return ABSENT
        if spec.own is not None and name in spec.own:
            return NOT_KNOWN
        if isinstance(spec.entity, ClassEntity):
            if self.is_reworked(spec.entity, name):
                return NOT_KNOWN
            attribute = self.resolver.class_attribute(spec.entity, name)
            if spec.auto and not is_magic(name):
                return self._autospecced(attribute, spec)
            is_async = self.is_coroutine_function(attribute)
            if is_async is None and name in _OBJECT_NAMES:
                is_async = False
            if is_async is None:
                return NOT_KNOWN
            if is_async:
                return Child(MockKind.ASYNC)
        if mock.kind is MockKind.ASYNC:
            # ``_mock_methods`` of an AsyncMock that are not coroutine functions.
            return Child(MockKind.MAGIC)
        return Child(_child_kind(mock.kind, name))

    def _autospecced(self, attribute: Lookup, spec: Spec) -> Child:
        """A child of ``create_autospec(Class)``: specced in its turn."""
        if isinstance(attribute, ClassEntity):
            return Child(MockKind.MAGIC, Spec(attribute, instance=False, auto=True, strict=spec.strict))
        if isinstance(attribute, ValueEntity) and isinstance(attribute.declaration.value, model.Const):
            constant = attribute.declaration.value.value
            names = None if constant is None else Spec(names=frozenset(dir(constant)), strict=spec.strict)
            return Child(MockKind.NON_CALLABLE_MAGIC, names)
        if not isinstance(attribute, FunctionEntity):
            return NOT_KNOWN
        kinds = {
            self._decorator_effect(decorator, attribute) for decorator in attribute.declaration.decorators
        }
        if None in kinds:
            return NOT_KNOWN
        if "cached" in kinds:
            return NOT_KNOWN
        if "property" in kinds:
            # A data descriptor is not specced; on an instance, the property is asked for its value.
            return Child(MockKind.MAGIC) if spec.own is None else NOT_KNOWN
        inner = Spec(attribute, auto=True, strict=spec.strict)
        return Child(MockKind.ASYNC if self.is_coroutine_function(attribute) else MockKind.MAGIC, inner)

    def instance_kind(self, entity: ClassEntity) -> MockKind | None:
        """The kind of ``create_autospec(Class, instance=True)``: callable if the class has ``__call__``."""
        has = self.has(Spec(entity), "__call__")
        if has is None:
            return None
        return MockKind.MAGIC if has else MockKind.NON_CALLABLE_MAGIC

    def supports(self, mock: Mock, magic: str) -> bool | None:
        """Does the type of the mock have a magic method? None when not known."""
        if f".{magic}" in mock.slots:
            return True
        if mock.cls is not None:
            found = self.resolver.class_attribute(mock.cls, magic)
            if isinstance(found, FunctionEntity) and found.module.workspace:
                return True
            if isinstance(found, ValueEntity) and found.module.workspace:
                return None
        deleted = mock.mark(f"deleted.{magic}")
        if deleted is None:
            return None
        if deleted or (mock.spec is not None and mock.spec.as_function):
            return False
        if not mock.kind.magic or (magic not in SYNC_MAGICS and magic not in ASYNC_METHOD_MAGICS):
            return False
        if mock.spec is None:
            return True
        return self.has(mock.spec, magic)


def is_supported(name: str) -> bool:
    """Is it a special method that mocks have on their type? Others may be attributes as any (``_all_magics``)."""
    return name in SYNC_MAGICS or name in ASYNC_METHOD_MAGICS


def _child_kind(kind: MockKind, name: str) -> MockKind:
    """The kind of a child of a mock without a spec that says otherwise."""
    if name in ASYNC_METHOD_MAGICS and kind in (MockKind.MAGIC, MockKind.ASYNC):
        return MockKind.ASYNC
    if kind is MockKind.ASYNC:
        return MockKind.MAGIC if name in SYNC_MAGICS else MockKind.ASYNC
    if kind in (MockKind.NON_CALLABLE_MAGIC, MockKind.PROPERTY):
        return MockKind.MAGIC
    return MockKind.MOCK if kind is MockKind.NON_CALLABLE else kind


def is_magic(name: str) -> bool:
    """Is it the name of a special method?"""
    return name.startswith("__") and name.endswith("__")


_KEEPING_DECORATORS = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "override", "overload", "final", "deprecated"}
)
_PROPERTY_DECORATORS = frozenset(
    {"property", "hybrid_property", "abstractproperty", "validates", "declared_attr"}
)
_OWN_ATTRIBUTES = ("__setattr__", "__delattr__")
"""Methods with which a class treats its attributes in its own way."""
