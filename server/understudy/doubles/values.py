"""What an expression can be worth while a test is simulated.

All mutable state is in the ``slots`` dicts of values (and in environments), so that the machine can note every
change and take it back when a branch may not have been taken.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard

from understudy.index.module import Module
from understudy.infer.entities import ClassEntity, External, FunctionEntity
from understudy.project.modules import ModuleFile
from understudy.source.parse import Unit
from understudy.source.span import Span

Node = ast.expr | ast.stmt | ast.arg | ast.keyword | ast.alias


@dataclass(frozen=True, slots=True)
class Place:
    """A node of a file."""

    unit: Unit
    node: Node

    @property
    def span(self) -> Span:
        return self.unit.span(self.node)

    @property
    def source(self) -> str:
        return self.unit.source(self.node)

    @property
    def key(self) -> tuple[str, Span]:
        return (str(self.unit.path), self.span)


class Value:
    """Base of all values; compared by identity."""

    __slots__ = ()


class Unknown(Value):
    """Nothing is known. Every use of it is silent, and gives unknown again."""

    __slots__ = ()


class OneOf(Unknown):
    """One of some values, or a part of one: it is not known which. What is set on it, is set on any of them."""

    __slots__ = ("among",)

    def __init__(self, among: tuple[Value, ...]) -> None:
        self.among = among


class Foreign(Value):
    """Something that library code made: its uses are taken not to fail, and to give foreign things again.

    :ivar maker: what was called to make it, perhaps a class.
    :ivar entered: the method through which ``with`` got it from what the maker gave; empty for that itself.
    :ivar slots: attributes that were set on it.
    """

    __slots__ = ("dotted", "entered", "maker", "slots")

    def __init__(self, dotted: str, maker: External | None = None) -> None:
        self.dotted = dotted
        self.maker = maker
        self.entered = ""
        self.slots: dict[str, object] = {}

    def through(self, enter: str) -> Foreign:
        """What ``with`` binds: most often the object itself."""
        made = Foreign(f"{self.dotted}.__enter__()", self.maker if not self.entered else None)
        made.entered = enter
        made.slots = self.slots
        return made


UNKNOWN = Unknown()


@dataclass(eq=False, slots=True)
class Literal(Value):
    value: object


@dataclass(eq=False, slots=True)
class Sentinel(Value):
    """``sentinel.name``, or a constant of its own kind such as ``DEFAULT`` and ``NotImplemented``."""

    name: str


NOT_IMPLEMENTED = Sentinel("NotImplemented")


ITERATORS = frozenset({"generator", "iterator"})
"""Kinds of sequences that are used up."""
WITHOUT_ORDER = frozenset({"frozenset", "set"})
"""Kinds of sequences of which nobody knows what comes first."""
MOST_KNOWN = 256
"""Items of a list. One that is put into itself in a loop grows without end: what it has then is somewhere in it."""


@dataclass(eq=False, slots=True)
class Sequence_(Value):
    """A list, tuple or set display; ``items`` in ``slots`` is a tuple, or None when they are not known. Then ``among``
    has those that are somewhere in it."""

    kind: str
    slots: dict[str, object]

    @classmethod
    def of(cls, kind: str, items: Sequence[Value] | None, among: Sequence[Value] = ()) -> Sequence_:
        if items is not None and len(items) > MOST_KNOWN:
            return cls(kind, {"items": None, "among": each_once((*items, *among))})
        return cls(kind, {"items": tuple(items) if items is not None else None, "among": each_once(among)})

    @property
    def items(self) -> tuple[Value, ...] | None:
        items = self.slots["items"]
        return items if isinstance(items, tuple) else None

    @property
    def held(self) -> tuple[Value, ...]:
        """What is known to be in it, wherever."""
        items, among = self.slots["items"], self.slots["among"]
        return (*held_in(items), *held_in(among))


@dataclass(eq=False, slots=True)
class Mapping_(Value):
    """A dict with constant keys; ``open`` when it may have others."""

    slots: dict[str, object]
    """Under the names that :meth:`slot` gives: the values; ``"open"``: a bool; ``"among"``: values of unknown keys."""

    @classmethod
    def of(cls, items: Mapping[Any, Value], *, is_open: bool, among: Sequence[Value] = ()) -> Mapping_:
        slots: dict[str, object] = {f"[{key!r}]": value for key, value in items.items()}
        slots.update(open=is_open, among=tuple(among))
        return cls(slots)

    @staticmethod
    def slot(key: Value) -> str | None:
        """The name of the slot for a key; None where it is not known, and for what may equal another (``1.0``)."""
        if isinstance(key, Literal) and type(key.value) in (str, int, bytes, type(None)):
            return f"[{key.value!r}]"
        return None

    @property
    def is_open(self) -> bool:
        return self.slots["open"] is not False

    def get(self, key: Value) -> Value | None:
        """The value of a key that is known to be there."""
        found = self.slots.get(self.slot(key) or "")
        return found if isinstance(found, Value) else None

    def items(self) -> Iterator[tuple[Any, Value]]:
        """The keys that are known, each with its value."""
        for key, value in self.slots.items():
            if key.startswith("[") and isinstance(value, Value):
                yield ast.literal_eval(key[1:-1]), value

    @property
    def held(self) -> tuple[Value, ...]:
        """What is known to be in it, under whatever key."""
        known = [value for key, value in self.slots.items() if key[0] == "[" and isinstance(value, Value)]
        return (*known, *held_in(self.slots["among"]))


def each_once(values: Iterable[Value]) -> tuple[Value, ...]:
    """The same values, none of them twice: what is somewhere in a list is there as often as you like."""
    return tuple({id(value): value for value in values}.values())


def one_of(values: Iterable[object]) -> Value:
    """One of some values, of which those count that can be changed."""
    among: dict[int, Value] = {}
    for value in values:
        for each in value.among if isinstance(value, OneOf) else (value,):
            if isinstance(each, (Mock, Instance, Sequence_, Mapping_)):
                among[id(each)] = each
    return OneOf(tuple(among.values())) if among else UNKNOWN


def part_of(value: Value) -> Value:
    """What is somewhere in a list or table, or in one of several things."""
    if isinstance(value, (Sequence_, Mapping_)):
        return one_of(value.held)
    return value if isinstance(value, OneOf) else UNKNOWN


def as_set(items: Sequence[Value] | None, among: Sequence[Value] = ()) -> Sequence_:
    """A set of some values: equal ones are one, and of what is not known nobody knows whether it equals another."""
    if items is None or (len(items) > 1 and not all(isinstance(each, (Literal, Mock)) for each in items)):
        return Sequence_.of("set", None, among or items or ())
    distinct: dict[object, Value] = {}
    for each in items:
        distinct.setdefault(each.value if isinstance(each, Literal) else id(each), each)
    return Sequence_.of("set", list(distinct.values()))


def without_order(value: Value) -> bool:
    """Has it several items, of which nobody knows which comes first?"""
    return isinstance(value, Sequence_) and value.kind in WITHOUT_ORDER and len(value.held) > 1


def held_in(held: object) -> tuple[Value, ...]:
    """What a slot of a list or table has; several tables may have met in it."""
    if isinstance(held, OneOf):
        return held.among
    return held if isinstance(held, tuple) else ()


@dataclass(eq=False, slots=True)
class ModuleValue(Value):
    file: ModuleFile


@dataclass(eq=False, slots=True)
class LibraryName(Value):
    """A module, class, function or constant of a library, by its dotted name."""

    entity: External


@dataclass(eq=False)
class FunctionValue(Value):
    """A function of the workspace (or of a library whose source is read), a lambda or a nested function."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    unit: Unit
    module: Module
    closure: Environment | None
    name: str
    entity: FunctionEntity | None = None
    bound: Value | None = None
    owner: ClassEntity | None = None
    cached: bool = False
    """Does it keep what it gave (``functools.cache``)?"""
    defaults: dict[str, Value] = field(default_factory=dict)
    """Of a function inside another one: what its parameters have when nothing is given, worked out when it was made."""

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)


@dataclass(eq=False, slots=True)
class ClassValue(Value):
    entity: ClassEntity


@dataclass(eq=False, slots=True)
class LocalClass(Value):
    """A class defined inside a function: its instances are not followed."""

    name: str


LOOSE: Final = "*"
"""The slot that says that code which is not followed may have changed an object: True, or False where it has no more
attributes than before."""


@dataclass(eq=False, slots=True)
class Instance(Value):
    """An object made by a class of the workspace. ``opaque`` when attributes may come from elsewhere."""

    entity: ClassEntity
    slots: dict[str, object]
    opaque: bool = False

    @property
    def is_loose(self) -> bool:
        """May plain values among its attributes be others than its class gives?"""
        return LOOSE in self.slots

    @property
    def may_have_more(self) -> bool:
        """May it have attributes that are not known?"""
        return self.opaque or self.slots.get(LOOSE) is True


@dataclass(eq=False, slots=True)
class SuperValue(Value):
    entity: ClassEntity
    instance: Value


@dataclass(eq=False, slots=True)
class BoundBuiltin(Value):
    """A method of a value that the machine itself implements: ``mock.configure_mock``, ``list.append``."""

    receiver: Value
    name: str


@dataclass(eq=False, slots=True)
class Partial(Value):
    function: Value
    args: tuple[Value, ...]
    keywords: dict[str, Value]
    is_open: bool = False
    """Are there arguments that are not known?"""


@dataclass(eq=False, slots=True)
class Coroutine(Value):
    """What calling an ``async def`` or an AsyncMock gives: worthless until it is awaited.

    ``run`` does the work when it is awaited. ``mock`` is the AsyncMock that was called.
    """

    run: Callable[[], Value]
    place: Place
    mock: Mock | None = None
    function: FunctionValue | None = None
    awaited: bool = False
    is_task: bool = False
    """Somebody else runs it (``asyncio.create_task``), and may be told to stop."""


class First(NamedTuple):
    """What a generator yields first, and whether it certainly gets there."""

    value: Value
    is_certain: bool


@dataclass(eq=False, slots=True)
class Generator(Value):
    """What calling a generator function gives. ``first`` runs it to its first ``yield``; None where there is none.
    ``rest`` notes that what it does later may have happened. In ``slots``: whether it was ``"started"``."""

    first: Callable[[], First | None]
    rest: Callable[[], None]
    is_async: bool
    slots: dict[str, object] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class ExceptionValue(Value):
    """An exception instance or class, by the name of its class: a built-in one's own, or with the module before it."""

    name: str
    is_class: bool
    bases: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Expectation(Value):
    """``pytest.raises(E)``, ``self.assertRaises(E)``, ``contextlib.suppress(E)``."""

    names: tuple[str, ...] | None
    """The exceptions that are expected; None when they are not known."""


@dataclass(eq=False, slots=True)
class Managed(Value):
    """What a generator-based context manager of the workspace yields, and whether it may swallow errors."""

    value: Value
    is_async: bool
    swallows: bool
    leave: Callable[[], None]
    """Runs what stands behind the ``yield``."""
    may_leave: Callable[[], None]
    """The same where an exception comes in there: how much of it runs is not known."""


class MockKind(str, Enum):
    MOCK = "Mock"
    MAGIC = "MagicMock"
    NON_CALLABLE = "NonCallableMock"
    NON_CALLABLE_MAGIC = "NonCallableMagicMock"
    ASYNC = "AsyncMock"
    PROPERTY = "PropertyMock"

    @property
    def magic(self) -> bool:
        return self in (MockKind.MAGIC, MockKind.NON_CALLABLE_MAGIC, MockKind.ASYNC)

    @property
    def callable(self) -> bool:
        return self not in (MockKind.NON_CALLABLE, MockKind.NON_CALLABLE_MAGIC)


@dataclass(frozen=True)
class Spec:
    """What ``spec`` restricts a mock to."""

    entity: ClassEntity | FunctionEntity | None = None
    names: frozenset[str] | None = None
    """``spec=["a", "b"]``: names without kinds."""
    instance: bool = True
    """False when the mock stands for the class itself and its call for an instance (``autospec``)."""
    auto: bool = False
    """``autospec``: children are specced too."""
    strict: bool = False
    """``spec_set``: other attributes cannot be set either."""
    own: frozenset[str] | None = None
    """Where the spec is an object and no class: the attributes that are known to be set on it."""
    as_function: bool = False
    """The double itself is a function that calls the mock: what ``create_autospec`` makes of a function."""


@dataclass(frozen=True)
class Replaced:
    """The function that a test put a double in place of, and where."""

    function: FunctionEntity
    is_async: bool
    owner: Path
    """The file of the module or class whose attribute was replaced."""
    attribute: str
    on_class: bool
    place: Place


@dataclass(frozen=True)
class Declared:
    """The class that the annotation of a parameter gives to what a test hands over."""

    entity: ClassEntity
    parameter: Place


NAMED: Final = 0
"""The owner of a mock with a name of its own, which never becomes a child."""


@dataclass(eq=False, slots=True)
class Mock(Value):
    """A double. Slots: ``return_value``, ``side_effect``, ``wraps``, ``.name`` of each child, ``type.name`` of what is
    set on its class, ``handed`` (the :class:`Place` where it was given to code under test), ``deleted.name``,
    ``named`` (what ``name=`` says), ``sealed``, ``escaped``, ``awaited`` (it, or its call, and could not be),
    ``owner`` (the ``id`` of the mock whose child it became, or :data:`NAMED`)."""

    kind: MockKind
    place: Place
    label: str
    """How a person would write it: ``session.execute()``."""
    spec: Spec | None = None
    parent: Mock | None = None
    slots: dict[str, object] = field(default_factory=dict)
    auto: bool = False
    """True for a child that the first look at it creates."""
    unsure: bool = False
    """True when its configuration is not fully known: it never draws a finding."""
    replaces: Replaced | None = None
    """The function that it stands in for, where a test put it there."""
    declared: Declared | None = None
    """What code under test takes it for."""
    unsafe: bool = False
    """``unsafe=True``: names that begin with ``assert`` are children like others; so they are not for a child."""
    vague: bool = False
    """True when all that is not known is whether it is an AsyncMock or a MagicMock."""
    cls: ClassEntity | None = None
    """The class of the workspace that it is an instance of: ``class FakeSession(AsyncMock)``."""

    @property
    def type_name(self) -> str:
        """The name of its class, as messages of the runtime print it."""
        if self.spec is not None and self.spec.as_function:
            return "function"
        return self.cls.name if self.cls is not None else self.kind.value

    @property
    def unnamed(self) -> bool:
        """True before it is bound to a name: ``MagicMock()``."""
        return self.parent is None and self.label.endswith("()")

    @property
    def root(self) -> Mock:
        found = self
        while found.parent is not None:
            found = found.parent
        return found

    def lineage(self) -> list[Mock]:
        """This mock and those it came from, nearest first."""
        found: list[Mock] = []
        current: Mock | None = self
        while current is not None:
            found.append(current)
            current = current.parent
        return found

    def mark(self, name: str) -> bool | None:
        """Is it ``sealed``, or ``deleted.name``? None when it is on some of the paths to here only."""
        value = self.slots.get(name, False)
        return value if isinstance(value, bool) else None

    @property
    def certain(self) -> bool:
        return not any(m.unsure or m.slots.get("escaped") for m in self.lineage())

    @property
    def plain(self) -> bool:
        """Is it a mock of the library's own classes, whatever else is known of it?"""
        return not any(m.unsure and not m.vague for m in self.lineage())


def is_known_double(value: object) -> TypeGuard[Mock]:
    """Is it a double of the library's own classes whose configuration is known?"""
    return isinstance(value, Mock) and value.certain and value.cls is None


@dataclass(eq=False)
class Environment:
    """The variables of a running function (or of a module's top level), and where it runs."""

    module: Module
    unit: Unit
    names: dict[str, object]
    parent: Environment | None
    local: frozenset[str]
    """Names that are local to the function whatever else they mean outside."""
    function: FunctionValue | None = None


_PLAIN_CLASSES: dict[str, type] = {"list": list, "tuple": tuple, "set": set}


def lacks(value: Literal | Sequence_ | Mapping_, name: str) -> bool:
    """Has a plain value certainly no such attribute?"""
    if isinstance(value, Literal):
        return not hasattr(value.value, name)
    cls = dict if isinstance(value, Mapping_) else _PLAIN_CLASSES.get(value.kind)
    return cls is not None and not hasattr(cls, name)


def kind_of(value: Value) -> str:
    """The name of the value's class, as messages print it."""
    if isinstance(value, Literal):
        return type(value.value).__name__
    if isinstance(value, Mock):
        return value.type_name
    if isinstance(value, Sentinel):
        return "_SentinelObject"
    if isinstance(value, Instance):
        return value.entity.name
    if isinstance(value, ClassValue):
        return "type"
    if isinstance(value, FunctionValue):
        return "function"
    if isinstance(value, ExceptionValue):
        return "type" if value.is_class else value.name.rpartition(".")[2]
    if isinstance(value, Sequence_):
        return value.kind
    return "dict" if isinstance(value, Mapping_) else "coroutine"


_HOLDING = (Instance, Foreign, Sequence_, Mapping_, FunctionValue, Partial, Coroutine)


def carries_double(value: object, depth: int = 0) -> bool:
    """Is the value a double, or does it hold one?"""
    if isinstance(value, Mock):
        return True
    if depth > 3 or not isinstance(value, _HOLDING):
        return False
    if isinstance(value, (Sequence_, Mapping_)):
        return any(carries_double(item, depth + 1) for item in value.held)
    if isinstance(value, (Instance, Foreign)):
        return any(carries_double(item, depth + 1) for item in value.slots.values())
    # Functions of the test, and what waits to run, may hold anything.
    return True
