"""What every part of the machine rests on: failures, the names of a program, and where doubles were given away."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from understudy.doubles import environ, trace
from understudy.doubles.arguments import Arguments
from understudy.doubles.closures import Changes, changes, path_of
from understudy.doubles.library.played import Mocker, MonkeyPatch
from understudy.doubles.shapes import Shapes
from understudy.doubles.shared import as_shared
from understudy.doubles.state import (
    Configured,
    Doubts,
    Exhausted,
    Failure,
    Guard,
    Journal,
    Look,
    Misuse,
    Raised,
    Sight,
    State,
    Status,
)
from understudy.doubles.values import (
    LOOSE,
    MOST_KNOWN,
    UNKNOWN,
    BoundBuiltin,
    ClassValue,
    Coroutine,
    Environment,
    First,
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
    Value,
    each_once,
)
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.assigned import set_on_variable
from understudy.infer.entities import (
    ClassEntity,
    External,
    FunctionEntity,
    Lookup,
    ModuleEntity,
    ValueEntity,
)
from understudy.infer.resolve import Resolver
from understudy.infer.scopes import Scope
from understudy.infer.surroundings import helping
from understudy.infer.tier2 import Names
from understudy.source.parse import Unit
from understudy.source.span import Span
from understudy.source.text import SourceError

ITEM_ERRORS = ("KeyError", "IndexError", "LookupError", "TypeError")
"""What an item that is not there raises, or an object that has none."""
_STEPS = 6_000
"""For one test or fixture; a step is an expression, a statement or a call."""
_STEPS_AT_ONCE = 128
"""Steps until it is asked whether the simulation is still wanted."""
_DEPTH_OF_DATA = 3
"""How far objects and tables in others are looked into."""
MOST_ITEMS = 40
"""Longer sequences are not followed item by item."""
_WITH_SLOTS = (Instance, Foreign, Sequence_, Mapping_)
_Seen: TypeAlias = dict[int, int]
"""How deep values were met, by ``id``."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Change:
    """What a fix would do to a mock: another kind, other children; or to a call."""

    kind: MockKind | None = None
    children: Mapping[str, MockKind] = field(default_factory=dict)
    """Dotted path (``execute.return_value``) to the kind of mock that is set there."""
    awaited: bool = False
    """The call at the place is awaited: a call of a coroutine function of the workspace."""


class Cleanup(NamedTuple):
    """Something that is taken back at the end of the test, or before."""

    leave: Callable[[], None]
    kind: str
    """Who does it: ``"start"`` (of a patcher), ``"mocker"``, ``"monkeypatch"``, or ``""`` for the test's end alone."""
    value: Value | None = None
    """What was entered, or the MonkeyPatch that did it."""


class Taking(Enum):
    """How much of a generator expression its first user takes. What nobody takes is never worked out."""

    ALL = auto()
    UNTIL_TRUE = auto()
    """``any``."""
    UNTIL_FALSE = auto()
    """``all``."""
    FIRST = auto()
    """``next``."""
    PERHAPS = auto()
    """It is kept for later, or handed to somebody else."""


class Core(State):
    """What a simulated program can do with values: call them, look at their attributes, change them."""

    def __init__(
        self,
        workspace: Workspace,
        resolver: Resolver,
        is_test: Callable[[Path], bool],
        changes: Mapping[tuple[str, Span], Change] | None = None,
        tier2: Names | None = None,
    ) -> None:
        super().__init__()
        self.tier2 = tier2
        self.changes = changes or {}
        """What a fix would change about the mocks that are made at some places."""
        self.workspace = workspace
        self.resolver = resolver
        self.shapes = Shapes(resolver)
        self.is_test = is_test
        self.failures: list[Failure] = []
        self.possible: list[tuple[frozenset[int], Failure]] = []
        """Failures on paths that may not be taken, with the doubts."""
        self.strayed = False
        """Did the test run code that was not followed?"""
        self.awaited_at: tuple[Node, Environment] | None = None
        """Where the coroutine of an AsyncMock that runs now is awaited."""
        self.configured: list[Configured] = []
        self.used: list[tuple[Mock, Place]] = []
        """The calls of doubles by code under test, those that certainly happen."""
        self.stand_ins: list[Mock] = []
        """The doubles that were put in place of functions that are known."""
        self.notes: list[Failure] = []
        self.asserted: ast.expr | None = None
        """What the ``assert`` that is being looked at holds to be true, without a ``not`` before it."""
        """What raises nothing, and is not what its author means: certain ones only. ``exception`` is empty, but
        where an assertion fails because of it."""
        self.looks: list[Look] = []
        """Assertions of mocks that were looked at and not simply called, and what is nearly one."""
        self.awaited: set[int] = set()
        """Mocks with a spec, by ``id``, of which a child was awaited."""
        self.thrown_away: ast.expr | None = None
        """The value of the running expression statement."""
        self.first_user: tuple[ast.expr, Taking] | None = None
        """An expression that is iterated over on the spot, and how much is taken of it."""
        self.settled: frozenset[int] = frozenset()
        """Doubts that an assertion of the test has answered."""
        self.called: dict[tuple[str, int], tuple[frozenset[int], ...]] = {}
        """By ``id`` of a mock: under which doubts it was called, each time."""
        self.yields: dict[ast.AST, list[ast.Yield | ast.YieldFrom]] = {}
        """Of functions, by their nodes."""
        self._behind: dict[ast.AST, list[ast.stmt] | None] = {}
        """What stands behind the one yield of fixtures and context managers, which are left again and again; None where
        that is not known."""
        self.raising: bool = False
        """Is a ``with`` left by an exception, or may it be?"""
        self.defaults_made: dict[int, tuple[ast.expr, Value]] = {}
        """What defaults of module-level functions are, by ``id`` of their nodes."""
        self.cached: dict[tuple[object, ...], object] = {}
        """What functions that keep it gave in this test."""
        self.handed_out: dict[tuple[ast.AST, int, int], FunctionValue] = {}
        """Functions inside others, and methods of objects, that the test has given to something."""
        self._looked_at: set[int] | None = None
        """The slots that one of them looks at, while it is taken to run, by ``id``."""
        self._changed: dict[ast.AST, Changes] = {}
        self.spent: dict[int, bool] = {}
        """Coroutines that were awaited."""
        self.overrides: dict[tuple[str, str], Value] = {}
        """Module globals that patches replaced, by file and name."""
        self.class_overrides: dict[tuple[str, str, str], Value] = {}
        self.replaced: dict[tuple[int, str], object] = {}
        """What patches have replaced in objects, as the journal notes it, by ``id`` of the slots and key."""
        self.somewhere: dict[str, bool] = {}
        """The attributes that were replaced on something that is not known."""
        self.watched: dict[trace.Spot, trace.Watched] = {}
        """The patches that are in place, by what they replace."""
        self.environ: dict[str, Place] = {}
        """The variables of the environment that a test or fixture has set or deleted, and where."""
        self.patches: list[trace.Watched] = []
        """All patches that were entered."""
        self.memo: dict[str, object] = {}
        """What the libraries that are played have worked out once."""
        self.given: dict[int, Place] = {}
        """Where the test gave a function of its own to code under test, by ``id`` of its node."""
        self.globals: dict[tuple[str, str], Value] = {}
        self._variables: dict[int, ValueEntity] = {}
        """What :attr:`globals` has objects for, by their ``id``."""
        self._bound: dict[tuple[Path, int, Span], Place | None] = {}
        """Where variables are bound."""
        self.alive: list[Value] = []
        """Keeps called mocks from being collected: their ``id`` is a key."""
        self.steps = 0
        self.plain_limit: int | None = None
        self.has_doubles = False
        """The running test has made a double, or a patch, or met one."""
        self.names_doubles = True
        """May the functions of the test's file make one?"""
        self.brief = False
        """Calls that no double reaches get the shortest look: the test has shown none yet."""
        self.brief_steps = 0
        self.cut_short = False
        """A look was too short, because of ``brief``."""
        self.members: set[int] = set()
        """Plain values of classes, by ``id``, that may be more than that: members of enumerations, for instance."""
        self.set_at: dict[int, tuple[Value, Place]] = {}
        """Where plain values were set on doubles, by ``id``."""
        self.told: dict[int, tuple[Value, Mock]] = {}
        """Plain values that doubles were told to give, by ``id``, and the double that gave it."""
        self.unmet: set[tuple[str, Span]] = set()
        """Places where an exception is expected and nothing raised one."""
        self.cleanups: list[Cleanup] = []
        self.handling: list[Raised] = []
        """The exceptions that the running ``except`` blocks handle."""
        self._functions: dict[FunctionEntity, tuple[ast.FunctionDef | ast.AsyncFunctionDef, Unit] | None] = {}
        self._locals: dict[int, tuple[ast.AST, frozenset[str]]] = {}

    # --- what the machine adds

    @abstractmethod
    def eval(self, node: ast.expr, env: Environment) -> Value:
        """The value of an expression."""

    @abstractmethod
    def block(self, body: list[ast.stmt], env: Environment) -> Status:
        """Run statements."""

    @abstractmethod
    def statement(self, node: ast.stmt, env: Environment) -> Status:
        """Run one statement."""

    @abstractmethod
    def call(self, callee: Value, arguments: Arguments, node: Node, env: Environment) -> Value:
        """``callee(*arguments)``."""

    @abstractmethod
    def attribute(self, value: Value, name: str, node: Node, env: Environment) -> Value:
        """``value.name``."""

    @abstractmethod
    def items(
        self, value: Value, node: ast.expr, env: Environment, error: str = ""
    ) -> tuple[Value, ...] | None:
        """What iterating over a value gives; None when not known."""

    @abstractmethod
    def taken(self, value: Sequence_) -> tuple[Value, ...] | None:
        """What is in a list or iterator, which is used up from then on."""

    @abstractmethod
    def ordering(
        self, op: ast.cmpop, nodes: tuple[ast.expr, ast.expr], left: Value, right: Value, env: Environment
    ) -> Value:
        """``left < right`` and the like."""

    @abstractmethod
    def operation(
        self, op: ast.operator, nodes: tuple[ast.expr, ast.expr], left: Value, right: Value, env: Environment
    ) -> Value:
        """``left + right`` and the like."""

    @abstractmethod
    def method(self, found: FunctionEntity, entity: ClassEntity, instance: Value | None) -> Value:
        """A function of a class as an attribute of an instance, or of the class where there is none."""

    @abstractmethod
    def make_subclassed(self, kind: MockKind, cls: ClassEntity, arguments: Arguments, place: Place) -> Mock:
        """An instance of a subclass of mocks in the workspace."""

    @abstractmethod
    def class_override(self, entity: ClassEntity, name: str) -> Value | None:
        """What a patch or a class method put on the class."""

    @abstractmethod
    def unmangled(self, value: Value, name: str) -> str:
        """A private name as the code of the value's own classes writes it."""

    @abstractmethod
    def arguments(self, node: ast.Call, env: Environment) -> Arguments:
        """The evaluated arguments of a call."""

    @abstractmethod
    def raw_function(self, entity: FunctionEntity) -> FunctionValue | None:
        """A function itself, without its decorators; None when its file cannot be read."""

    @abstractmethod
    def function_value(self, entity: FunctionEntity) -> Value:
        """What the name of a function is bound to, decorators applied as far as they are known."""

    @abstractmethod
    def enter(
        self, manager: Value, node: ast.expr, is_async: bool, env: Environment
    ) -> tuple[Value, Guard | None, Callable[[], None]]:
        """Enter a context manager: what it gives, what it may swallow, and how to leave it."""

    # --- failures and exceptions -----------------------------------------------------------------------------

    def fail(
        self,
        env: Environment,
        misuse: Misuse,
        subject: Value,
        node: Node,
        error: str,
        detail: str = "",
        exception: str = "TypeError",
        instead: Place | None = None,
    ) -> Value:
        """The runtime raises here because of a double. Raises in the simulated program where something may
        catch it; otherwise notes the failure and goes on as if it were mended."""
        failure = Failure(
            misuse,
            exception,
            subject,
            Place(env.unit, node),
            tuple(self.calls),
            self.is_test(env.unit.path),
            error,
            detail,
            self.handover(subject),
            instead,
        )
        if any(guard.catches(exception, ()) is not False for guard in self.guards):
            raise Raised(exception, (), failure, frozenset(self.doubts))
        self.report(failure)
        return UNKNOWN

    def tell(self, mock: Mock, value: Value) -> Value:
        """Remember that a double gave a plain value: where that is awaited or entered, the double is to blame."""
        if isinstance(value, (Literal, Sequence_, Mapping_, Sentinel)):
            self.told.setdefault(id(value), (value, mock))
        return value

    def told_by(self, value: Value) -> Mock | None:
        """The double that gave a plain value."""
        known = self.told.get(id(value))
        return known[1] if known is not None else None

    def handover(self, subject: Value) -> Place | None:
        """Where the test gave a double to code under test: as an argument, by a patch, from a function that it
        gave, or, where nothing else is known, where it made it."""
        place = handed_place(subject)
        if place is not None:
            return place
        mock = subject.mock if isinstance(subject, Coroutine) else subject
        if isinstance(mock, Mock) and self.is_test(mock.root.place.unit.path):
            return mock.root.place
        return None

    def note(
        self,
        env: Environment,
        misuse: Misuse,
        subject: Value,
        node: Node,
        error: str,
        detail: str = "",
        exception: str = "",
    ) -> None:
        """Something that raises nothing here and is not what its author means; ``error`` says what it does.
        ``exception``: an assertion fails because of it."""
        if isinstance(subject, Coroutine) and any(
            guard.catches("AssertionError", ()) is not False for guard in self.guards
        ):
            return
        if self.certain and not (
            isinstance(subject, Coroutine) and subject.mock and not subject.mock.certain
        ):
            self.notes.append(
                Failure(
                    misuse,
                    exception,
                    subject,
                    Place(env.unit, node),
                    tuple(self.calls),
                    self.is_test(env.unit.path),
                    error,
                    detail,
                    self.handover(subject),
                )
            )

    def note_name(self, value: Value, other: Value, node: Node, env: Environment) -> None:
        """``Mock(name="é").name`` is another mock; where it meets a string, the test means that it is one."""
        mock = value.parent if isinstance(value, Mock) and value.auto else None
        if (
            mock is None
            or mock.slots.get(".name") is not value
            or not isinstance(mock.slots.get("named"), str)
        ):
            return
        if isinstance(other, Literal) and isinstance(other.value, str) and mock.certain:
            self.note(env, Misuse.NAME, mock, node, "it is another mock")

    def look(
        self,
        env: Environment,
        sight: Sight,
        mock: Mock,
        node: Node,
        name: str,
        error: str = "",
        exception: str = "AttributeError",
    ) -> None:
        """Note a use of a mock; not where an exception is expected or handled."""
        if any(guard.expects or guard.catches(exception, ()) is not False for guard in self.guards):
            return
        in_test = self.is_test(env.unit.path)
        self.looks.append(Look(sight, mock, Place(env.unit, node), in_test, name, error))

    def report(self, failure: Failure, doubts: frozenset[int] = frozenset()) -> None:
        """
        :param doubts: those of the place that raised it, where it is noted further out.
        """
        subject = failure.subject
        if isinstance(subject, Coroutine) and subject.mock is not None:
            subject = subject.mock
        if isinstance(subject, Mock) and not subject.certain:
            return
        doubts = doubts.union(self.doubts)
        if not doubts:
            self.failures.append(failure)
        else:
            self.possible.append((doubts, failure))

    def again(self, raised: Raised) -> Raised:
        """The exception goes on outwards; a failure that nothing can catch any more is noted."""
        failure = raised.failure
        if failure is not None and not any(
            guard.catches(raised.name, raised.bases) is not False for guard in self.guards
        ):
            self.report(failure, raised.doubts)
            return Raised(raised.name, raised.bases, None)
        return raised

    def asserted_called(self, mock: Mock) -> None:
        """The test asserts that the mock was called: a test is meant to pass, so the only place that called it
        did run, and with it whatever else hung on the same doubts."""
        ways = set(self.called.get(("called", id(mock)), ()))
        if not self.certain or len(ways) != 1:
            return
        self.settled |= ways.pop()
        promoted = [failure for doubts, failure in self.possible if doubts <= self.settled]
        self.possible = [(doubts, failure) for doubts, failure in self.possible if not doubts <= self.settled]
        self.failures.extend(promoted)

    def may_fail(self) -> None:
        """Something happens that a test may expect to raise: inside ``pytest.raises``, what follows may not
        run."""
        for guard in self._reached():
            if guard.expects:
                self._doubt_in(guard)

    def may_raise_for(self, *exceptions: str) -> None:
        """Something is done that raises one of these now and then: a handler that names it says that it does here."""
        for guard in self._reached():
            if not {*exceptions}.isdisjoint(guard.names or ()):
                self._doubt_in(guard)
                if guard.keeps:
                    return

    def may_be_handled(self) -> None:
        """Something fails now and then; a handler that goes on may be there for that."""
        for guard in self._reached():
            if guard.goes_on:
                self._doubt_in(guard)

    def may_raise(self) -> None:
        """Something unknown happens inside a ``try``: what follows in it may not run."""
        for guard in self._reached():
            self._doubt_in(guard)

    def _reached(self) -> Iterator[Guard]:
        """Those that an exception may come to, the innermost first."""
        for guard in reversed(self.guards):
            yield guard
            if guard.catches_all:
                return

    def _doubt_in(self, guard: Guard) -> None:
        if not guard.doubts:
            self.begin_to_doubt(guard.doubts)

    def tick(self) -> None:
        self.steps += 1
        if self.steps > _STEPS:
            raise Exhausted
        if not self.steps % _STEPS_AT_ONCE:
            self.workspace.checkpoint()
        if self.plain_limit is not None and self.steps > self.plain_limit:
            raise TooLong

    def meet_double(self) -> None:
        """Something is done with a double: what is looked at briefly is worth a long look from here on."""
        self.has_doubles = True
        self.plain_limit = None

    def guarded(self, guard: Guard, body: Callable[[], _T]) -> _T:
        self.guards.append(guard)
        try:
            return body()
        finally:
            self.guards.pop()
            self.settle(guard.doubts)

    def begin(self, journal: Journal) -> None:
        """Start a test or fixture, whose changes are noted so that they can be taken back."""
        self.journal = journal
        self.failures, self.possible, self.settled = [], [], frozenset()
        self.notes = []
        self.stand_ins = []
        self.strayed, self.configured, self.used = False, [], []
        self.looks = []
        self.awaited = set()
        self.doubts, self.guards, self.handling, self.calls = [], [], [], []
        self.early, self.returns = [Doubts()], [[]]
        self.steps, self.plain_limit, self.brief_steps = 0, None, 0
        self.unmet = set()
        self.handed_out, self.readers, self.stale = {}, {}, set()

    def end(self) -> tuple[Failure, ...]:
        """What the test or fixture ran into."""
        self.journal = None
        return tuple(self.failures)

    def escape(self, values: list[Value]) -> None:
        """Values reach code that is not known: from now on their configuration is not known either."""
        self._escape(values, 0, {}, {})

    def _escape(self, values: list[Value], depth: int, seen: _Seen, unsettled: _Seen) -> None:
        if depth > 3:
            return
        for value in values:
            if isinstance(value, Mock):
                self._look(value.slots)
                if "escaped" not in value.slots:
                    self.write(value.slots, "escaped", True)
                continue
            if _was_seen(seen, value, depth):
                continue
            if isinstance(value, (*_WITH_SLOTS, Generator)):
                self._look(value.slots)
            if isinstance(value, (Sequence_, Mapping_)):
                self._escape(list(value.held), depth + 1, seen, unsettled)
                self._unsettle([value], 0, unsettled)
            elif isinstance(value, OneOf):
                self._escape(list(value.among), depth + 1, seen, unsettled)
            elif isinstance(value, (Instance, Foreign)):
                held = [each for each in value.slots.values() if isinstance(each, Value)]
                self._escape(held, depth + 1, seen, unsettled)
                self._unsettle([value], 0, unsettled)
            elif isinstance(value, Partial):
                self._escape([*value.args, *value.keywords.values()], depth + 1, seen, unsettled)
            elif isinstance(value, Generator):
                value.rest()
        self.unsettle_replacing(values)

    def unsettle_replacing(self, values: list[Value]) -> None:
        """Whoever has what replaces attributes may do so, any time."""
        if any(map(_replaces, values)):
            self.lose(None)

    def lose(self, attribute: str | None) -> None:
        """An attribute of this name is replaced on something that is not known. Where its name is not known either, the
        test is not followed any further.

        :raises Exhausted: what was found so far stands.
        """
        if attribute is None:
            raise Exhausted
        self.write(self.somewhere, attribute, True)

    def loosen(self, value: Value, *, grows: bool = True) -> None:
        """Code that is not followed has an object: the plain values among its attributes are not known from now on. The
        doubles among them stay as they are.

        :param grows: it may get new attributes there.
        """
        if isinstance(value, Instance):
            self._loosen(value, grows, 0, {})

    def _loosen(self, value: Instance, grows: bool, depth: int, seen: _Seen) -> None:
        if not value.is_loose or (grows and not value.may_have_more):
            self.write(value.slots, LOOSE, grows)
        for name, held in list(value.slots.items()):
            if isinstance(held, Literal):
                self.write(value.slots, name, UNKNOWN)
            elif isinstance(held, (Instance, Sequence_, Mapping_)) and depth < _DEPTH_OF_DATA:
                self._unsettle([held], depth + 1, seen)

    def operated(self, value: Value, *methods: str) -> None:
        """A special method of an object runs, if its class has one: what it changes is not followed."""
        if isinstance(value, Instance) and not value.is_loose:
            classes = [cls for cls in self.resolver.ancestry(value.entity).classes if cls.module.workspace]
            if any(self.resolver.declared(cls, method) for cls in classes for method in methods):
                self.loosen(value)

    def may_be_made(self, value: Sequence_) -> None:
        """Some of what a generator expression gives may be made now."""
        make = value.slots.get("make")
        if callable(make):
            self.delete(value.slots, "make")

            self.perhaps(make)
            self.scatter(value)

    def unsettle(self, values: list[Value]) -> None:
        """Objects, lists and tables may be changed by whoever has them: what they hold is not known from now on. The
        doubles among it stay as they are."""
        self._unsettle(values, 0, {})

    def _unsettle(self, values: list[Value], depth: int, seen: _Seen) -> None:
        for value in values:
            if _was_seen(seen, value, depth):
                continue
            if isinstance(value, _WITH_SLOTS):
                self._look(value.slots)
            if isinstance(value, Instance):
                self._loosen(value, True, depth, seen)
            elif isinstance(value, Sequence_):
                self.may_be_made(value)
                if value.kind != "tuple":
                    self.scatter(value)
            elif isinstance(value, Partial):
                self._unsettle([*value.args, *value.keywords.values()], depth + 1, seen)
            elif isinstance(value, Mapping_):
                if value.slots["open"] is not True:
                    self.write(value.slots, "open", True)
                for key, held in list(value.slots.items()):
                    if key.startswith("[") and isinstance(held, Literal):
                        self.write(value.slots, key, UNKNOWN)
            if isinstance(value, (Sequence_, Mapping_)) and depth < _DEPTH_OF_DATA:
                self._unsettle([*value.held], depth + 1, seen)
        self.unsettle_replacing(values)

    def held_by(self, env: Environment, node: ast.expr) -> Value | None:
        """What a name, and attributes after it, mean now; None for other expressions."""
        path = path_of(node) if isinstance(node, (ast.Name, ast.Attribute)) else ()
        return self._led_to(self.lookup(env, path[0]), path[1:]) if path else None

    def add(self, container: Sequence_, *values: Value) -> None:
        """Values are put behind those of a list."""
        if container.items is None or len(container.items) + len(values) > MOST_KNOWN:
            self.scatter(container, *values)
        else:
            self.write(container.slots, "items", (*container.items, *values))

    def scatter(self, container: Sequence_ | Mapping_, *values: Value) -> None:
        """From now on it is not known what stands where in a list or table, which has some more values now."""
        known = isinstance(container, Mapping_) or container.items is not None
        if known or values:
            self.write(container.slots, "among", each_once((*container.held, *values)))
        if isinstance(container, Sequence_):
            if known:
                self.write(container.slots, "items", None)
            return
        self.write(container.slots, "open", True)
        for key in [key for key in container.slots if key.startswith("[")]:
            self.write(container.slots, key, None)

    # --- functions that are given away ---------------------------------------------------------------------------

    def hand_out(self, function: FunctionValue) -> None:
        """A function inside another one, or a method of an object, is given to something: what it changes is not
        known from now on."""
        if (
            function.closure is not None
            or isinstance(function.bound, (Instance, Mock))
            or self._changes_of(function).module_wide
        ):
            key = (function.node, id(function.closure), id(function.bound))
            if key not in self.handed_out:
                self.handed_out[key] = function
                self.stale.add(key)
            if key in self.stale:
                self._call_back(key, function)

    def call_back(self) -> None:
        """Code runs that is not followed: it may call whatever was given away, which may see more by now."""
        if self.stale:
            for key, function in list(self.handed_out.items()):
                # The others see what they saw, and would do again what they did.
                if key in self.stale:
                    self._call_back(key, function)

    def _call_back(self, key: Hashable, function: FunctionValue) -> None:
        outer, looked_at, before = self._looked_at, set[int](), self.version
        self._looked_at = looked_at
        try:
            self._may_run(function, {}, set())
        finally:
            self._looked_at = outer
            if outer is not None:
                outer |= looked_at
        for slots in looked_at:
            self.readers.setdefault(slots, set()).add(key)
        if self.version == before:
            self.stale.discard(key)

    def _look(self, slots: dict[Any, Any]) -> None:
        if self._looked_at is not None:
            self._looked_at.add(id(slots))

    def started(self, generator: Generator) -> First | None:
        """Run a generator to its first ``yield``; None where there is none, and where it was started before."""
        if "started" in generator.slots:
            generator.rest()
            return None
        self.write(generator.slots, "started", True)
        return generator.first()

    def may_run(self, function: FunctionValue, given: Mapping[str, Value]) -> None:
        """A function runs now, or does not: what it changes is not known any more.

        :param given: arguments of the call, as far as they are known, by parameter.
        """
        self._may_run(function, given, set())

    def _changes_of(self, function: FunctionValue) -> Changes:
        changed = self._changed.get(function.node)
        if changed is None:
            changed = self._changed[function.node] = changes(function.node)
        return changed

    def _may_run(self, function: FunctionValue, given: Mapping[str, Value], running: set[ast.AST]) -> None:
        """
        :param given: arguments of the call, as far as they are known, by parameter.
        """
        node = function.node
        if node in running:
            return
        running.add(node)
        changed = self._changes_of(function)
        if changed.module_wide:
            self._look(self.overrides)
        for name in changed.module_wide:
            self.write(self.overrides, (str(function.module.path), name), UNKNOWN)
        reaches = changed.of_arguments or (changed.methods and function.bound is not None)
        if function.closure is None and not given and not reaches:
            if not changed.calls or not self.is_test(function.unit.path):
                # Nothing around it that it could change.
                return
        if function.bound is not None and changed.parameters:
            given = {changed.parameters[0]: function.bound, **given}
        # Most of what it reads is of its module: only arguments and what is of the functions around is looked at.
        near = set(given)
        env = function.closure
        while env is not None:
            self._look(env.names)
            near.update(env.names.keys() & changed.mentioned)
            env = env.parent
        in_test = bool(changed.calls) and self.is_test(function.unit.path)
        if not near and not in_test:
            return
        own = self.local_names(node)

        def value_of(name: str) -> Value | None:
            if name not in near:
                return None
            if name in given or name in own:
                return given.get(name)
            around = _around(function.closure, name)
            found = around.names[name] if around is not None else None
            return found if isinstance(found, Value) else None

        for path, name in changed.objects:
            reached = self._led_to(value_of(path[0]), path[1:])
            if isinstance(reached, Instance) and name:
                self._look(reached.slots)
                self.write(reached.slots, name, UNKNOWN)
            elif reached is not None:
                if isinstance(reached, Mock) and isinstance(reached.slots.get(f".{name}"), Mock):
                    # What the test has put there may be another double by now.
                    self.write(reached.slots, f".{name}", UNKNOWN)
                self.escape([reached])
        for path in changed.containers:
            reached = self._led_to(value_of(path[0]), path[1:])
            if isinstance(reached, (Sequence_, Mapping_)):
                self.escape([reached])
        for path, name in changed.methods:
            if path[0] not in near:
                continue
            reached = self._led_to(value_of(path[0]), path[1:])
            if isinstance(reached, Instance):
                found = self.resolver.class_attribute(reached.entity, name)
                method = self.raw_function(found) if isinstance(found, FunctionEntity) else None
                if method is not None:
                    self._may_run(replace(method, bound=reached), {}, running)
        for name in changed.rebound:
            around = _around(function.closure, name)
            if around is not None:
                self.write(around.names, name, UNKNOWN)
        for name in changed.names:
            if name in near and name not in changed.called:
                inner = value_of(name)
                if isinstance(inner, FunctionValue):
                    self._may_run(inner, {}, running)
        for name, call in changed.calls:
            inner = value_of(name)
            if inner is None and name not in own and in_test:
                entity = self.resolver.name(function.module, name)
                inner = self.raw_function(entity) if isinstance(entity, FunctionEntity) else None
            if isinstance(inner, FunctionValue):
                taken = self._changes_of(inner).parameters
                arguments = [*zip(taken, call.args, strict=False)]
                arguments += [(each.arg, each.value) for each in call.keywords if each.arg is not None]
                paths = {name: path_of(argument) for name, argument in arguments}
                values = {
                    name: self._led_to(value_of(path[0]), path[1:]) for name, path in paths.items() if path
                }
                known = {name: value for name, value in values.items() if value is not None}
                self._may_run(inner, known, running)

    def _led_to(self, value: Value | None, attributes: tuple[str, ...]) -> Value | None:
        """What attributes lead to, or the last that is known on the way."""
        for name in attributes:
            if not isinstance(value, (Instance, Mock)):
                break
            self._look(value.slots)
            inner = value.slots.get(name)
            if inner is None:
                inner = value.slots.get(f".{name}")
            if not isinstance(inner, Value):
                break
            value = inner
        return value

    # --- names -------------------------------------------------------------------------------------------------

    def local_names(self, node: ast.AST) -> frozenset[str]:
        known = self._locals.get(id(node))
        if known is None:
            known = (node, frozenset(Scope(node, None).names))
            self._locals[id(node)] = known
        return known[1]

    def lookup(self, env: Environment, name: str) -> Value:
        current: Environment | None = env
        while current is not None:
            found = current.names.get(name)
            if isinstance(found, Value):
                return found
            if name in current.local:
                return UNKNOWN
            current = current.parent
        return self.global_value(env.module, name)

    def global_value(self, module: Module, name: str) -> Value:
        """A module global as the code sees it now: patched, or as its own statement bound it."""
        key = (str(module.path), name)
        if self.watched:
            trace.name_read(self, module, name)
        patched = self.overrides.get(key)
        if patched is not None:
            return patched
        if name in self.somewhere:
            return UNKNOWN
        if self.environ and self._is_looked_up():
            self.note_environment(self.resolver.name(module, name), f"{module.name}.{name}")
        known = self.globals.get(key)
        if known is None:
            self.globals[key] = UNKNOWN
            known = self.value_of(self.resolver.name(module, name), module)
            self.globals[key] = known
        return known

    def note_environment(self, found: Lookup, shown: str) -> None:
        """Code under test looks a variable up that was made of the environment before the test changed that."""
        bound = self._bound_at_import(found) if self._is_looked_up() else None
        if bound is not None and isinstance(bound.node, ast.expr):
            for variable in sorted(environ.names_in(bound.node)):
                self._note_changed(variable, shown, bound, UNKNOWN)

    def note_setting(self, instance: Instance, name: str) -> None:
        """The same of a field of settings that are made when a module is imported."""
        entity = self._variables.get(id(instance)) if self._is_looked_up() else None
        variable = environ.of_field(self.resolver, instance.entity, name) if entity is not None else None
        if entity is None or variable is None:
            return
        shown = f"{entity.module.name}.{entity.declaration.target}.{name}"
        for changed in [each for each in self.environ if each.upper() == variable.upper()]:
            bound = self._bound_at_import(entity)
            if bound is not None:
                self._note_changed(changed, shown, bound, instance)

    def is_of_module(self, instance: Instance) -> bool:
        """Was it made when a module was imported, for all tests?"""
        return id(instance) in self._variables

    def _is_looked_up(self) -> bool:
        """Does code under test run, and for certain?"""
        return self.certain and bool(self.calls) and not self.is_test(self.calls[-1].function.unit.path)

    def _bound_at_import(self, found: Lookup) -> Place | None:
        """Where the project binds a variable."""
        if not isinstance(found, ValueEntity) or not found.module.workspace or self.is_test(found.path):
            return None
        key = (found.path, found.row, found.declaration.span)
        if key not in self._bound:
            bound = self.assignment(found)
            self._bound[key] = Place(bound[1], bound[0]) if bound is not None else None
        return self._bound[key]

    def _note_changed(self, variable: str, shown: str, read: Place, subject: Value) -> None:
        place = self.environ.get(variable)
        if place is not None:
            calls = tuple(self.calls)
            note = Failure(Misuse.ENVIRONMENT, "", subject, place, calls, True, variable, shown, place, read)
            self.notes.append(note)

    def value_of(self, found: Lookup, module: Module) -> Value:
        if isinstance(found, ModuleEntity):
            if found.file.workspace:
                return ModuleValue(found.file)
            return LibraryName(External(found.file.name))
        if isinstance(found, External):
            return LibraryName(found)
        if isinstance(found, ClassEntity):
            return ClassValue(found)
        if isinstance(found, FunctionEntity):
            return self.function_value(found)
        if isinstance(found, ValueEntity):
            return self.original(found)
        return UNKNOWN

    def original(self, entity: ValueEntity) -> Value:
        """A variable of a module or class as its statement bound it: one object, whoever imports it."""
        key = (str(entity.path), f"{entity.row}:{entity.declaration.span}:{entity.declaration.target}")
        known = self.globals.get(key)
        if known is None:
            self.globals[key] = UNKNOWN
            known = self.globals[key] = self.variable(entity)
            if isinstance(known, Instance) and entity.owner is None:
                self._variables.setdefault(id(known), entity)
        return known

    def variable(self, entity: ValueEntity) -> Value:
        """A module-level variable, evaluated where it is assigned."""
        node = self.assignment(entity)
        if node is None or entity.declaration.augmented:
            return UNKNOWN
        value, unit = node
        env = Environment(entity.module, unit, {}, None, frozenset())
        # It is bound when the module is imported, and once for all tests.
        try:
            with self.at_import():
                made = self.eval(value, env)
                if isinstance(made, Mock) and made.unnamed and self.is_test(unit.path):
                    made.label = entity.declaration.target
                if isinstance(made, Mock) and entity.owner is None:
                    self._module_level_configuration(entity, made, env)
                return as_shared(self, entity, made)
        except Raised:
            return UNKNOWN

    @contextmanager
    def at_import(self) -> Iterator[None]:
        """What the block does was done when a module was imported, once for all tests: it is never taken back."""
        journal, self.journal = self.journal, None
        try:
            with self.unpatched():
                yield
        finally:
            self.journal = journal

    @contextmanager
    def unpatched(self) -> Iterator[None]:
        """What happens in the block happened at import time: before any patch was entered, and where no ``with`` or
        ``try`` of the test is."""
        guards, self.guards = self.guards, []
        patched = self.overrides, self.class_overrides, self.watched, self.environ
        self.overrides, self.class_overrides, self.watched, self.environ = {}, {}, {}, {}
        originals = [noted for noted in self.replaced.values() if isinstance(noted, tuple)]
        doubles = [(slots, key, slots[key]) for slots, key, _ in originals if key in slots]
        self.roll_back(originals)
        try:
            yield
        finally:
            self.roll_back(doubles)
            # Who looked at those of the block has not seen these.
            self.stale |= self.readers.get(id(self.overrides), set())
            self.overrides, self.class_overrides, self.watched, self.environ = patched
            self.guards = guards

    def assignment(self, entity: ValueEntity) -> tuple[ast.expr, Unit] | None:
        """The value that a variable is bound to, as it is written."""
        try:
            parsed = self.workspace.parsed(entity.path)
        except SourceError:
            return None
        wanted = entity.declaration.statement.shifted(entity.row)
        for unit in parsed.units:
            if unit.row == entity.row:
                for node in ast.walk(unit.node):
                    if isinstance(node, (ast.Assign, ast.AnnAssign)) and unit.span(node) == wanted:
                        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                        if node.value is not None and isinstance(target, ast.Name):
                            return node.value, unit
        return None

    def _is_given_to_helper(self, node: ast.AST, name: str, module: Module) -> bool:
        """Does a function get a module-level mock that may configure it?"""
        helpers: set[Path] | None = None
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and any(
                isinstance(a, ast.Name) and a.id == name for a in call.args
            ):
                path = path_of(call.func)
                found = self.resolver.ref(module, path) if path else None
                if isinstance(found, FunctionEntity):
                    helpers = helping(self.resolver, module) if helpers is None else helpers
                    if found.path in helpers:
                        return True
        return False

    def _module_level_configuration(self, entity: ValueEntity, made: Mock, env: Environment) -> None:
        """Statements of the module that configure a module-level mock; elsewhere, by functions: not known."""
        name = entity.declaration.target
        env.names[name] = made
        made.unsure = made.unsure or set_on_variable(self.workspace, entity.path, name)
        for unit in self.workspace.parsed(entity.path).units:
            node = unit.node
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                made.unsure = made.unsure or any(_touches(child, name) for child in ast.walk(node))
                made.unsure = made.unsure or self._is_given_to_helper(node, name, entity.module)
                continue
            uses = [each for each in ast.walk(node) if isinstance(each, ast.Name) and each.id == name]
            target: ast.AST | None = None
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
            elif isinstance(node, ast.Expr):
                target = node.value
            if (
                isinstance(target, (ast.Attribute, ast.Call))
                and _root_name(target) == name
                and len(uses) == 1
            ):
                inner = Environment(entity.module, unit, env.names, None, frozenset())
                try:
                    self.statement(node, inner)
                except Raised:
                    made.unsure = True
            elif any(isinstance(each.ctx, ast.Load) for each in uses) and not _puts_away(node, name):
                # Another name for it, or somebody who gets it.
                made.unsure = True


def _was_seen(seen: _Seen, value: Value, depth: int) -> bool:
    """Was the value come to before, and no deeper than now? Notes that it is."""
    if seen.get(id(value), depth + 1) <= depth:
        return True
    seen[id(value)] = depth
    return False


def _replaces(value: Value) -> bool:
    """Does it replace attributes for whoever has it?"""
    owner = value.receiver if isinstance(value, BoundBuiltin) else value
    return isinstance(owner, (Mocker, MonkeyPatch))


class TooLong(Exception):
    """A call without doubles took more steps than it is worth."""


class Yielded(Exception):
    """A simulated generator reached its first ``yield``."""

    def __init__(self, value: Value, doubts: int) -> None:
        """
        :param doubts: how many there are whether it gets there.
        """
        super().__init__("yield")
        self.value = value
        self.doubts = doubts


def handed_place(subject: Value) -> Place | None:
    if isinstance(subject, Coroutine) and subject.mock is not None:
        subject = subject.mock
    if isinstance(subject, Mock):
        for mock in subject.lineage():
            place = mock.slots.get("handed")
            if isinstance(place, Place):
                return place
    return None


def _around(env: Environment | None, name: str) -> Environment | None:
    """The function around that has a variable; None while it is not bound."""
    while env is not None and name not in env.names and name not in env.local:
        env = env.parent
    return env if env is not None and name in env.names else None


def _root_name(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _puts_away(node: ast.AST, name: str) -> bool:
    """Is a double put somewhere as it is: ``sys.modules["x"] = name``?"""
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        and all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets)
    )


def _touches(node: ast.AST, name: str) -> bool:
    """May a node change the module-level mock ``name``: an attribute is set, or it is given to something?"""
    if isinstance(node, ast.Attribute):
        return isinstance(node.ctx, (ast.Store, ast.Del)) and _root_name(node) == name
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("setattr", "delattr")
    ):
        return any(isinstance(arg, ast.Name) and arg.id == name for arg in node.args)
    return False


def top(function: FunctionValue) -> Environment:
    return Environment(function.module, function.unit, {}, None, frozenset())
