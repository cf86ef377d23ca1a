"""The machine's bookkeeping: changes that can be taken back, branches, exceptions, failures."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias, TypeGuard, TypeVar

from understudy.doubles.trace import Watched
from understudy.doubles.values import (
    UNKNOWN,
    FunctionValue,
    Literal,
    Mock,
    Place,
    Value,
    each_once,
    held_in,
    one_of,
)

_T = TypeVar("_T")


class Status(Enum):
    """How a block of statements ended."""

    NEXT = "next"
    RETURN = "return"
    BREAK = "break"
    CONTINUE = "continue"
    RAISE = "raise"


class Misuse(str, Enum):
    """What a use does that the runtime refuses."""

    AWAIT = "await"
    COROUTINE_ATTRIBUTE = "coroutine attribute"
    COROUTINE_CALL = "coroutine call"
    COROUTINE_SUBSCRIPT = "coroutine subscript"
    COROUTINE_ITERATION = "coroutine iteration"
    COROUTINE_OPERATION = "coroutine operation"
    ASYNC_WITH = "async with"
    ASYNC_FOR = "async for"
    WITH = "with"
    MISSING_ATTRIBUTE = "missing attribute"
    NOT_CALLABLE = "not callable"
    NOT_SUBSCRIPTABLE = "not subscriptable"
    NOT_ITERABLE = "not iterable"
    AWAIT_ASSERTION = "await assertion"
    USED_UP = "side effect used up"
    REFUSED_ARGUMENTS = "refused arguments"
    STANDS_IN = "stands in for a coroutine function"
    HIDES_SYNC = "awaited here, and plain where it is declared"
    UNTAKEN = "configured, and another path is taken"
    COROUTINE_DISCARDED = "coroutine discarded"
    COROUTINE_TRUTH = "coroutine truth"
    COROUTINE_COMPARISON = "coroutine comparison"
    INVALID_ASSERTION = "invalid assertion"
    OPERATION = "operation"
    SPEC = "spec"
    OVERRIDE = "override of a dependency"
    ENVIRONMENT = "environment read before"
    READ_ONLY = "property of an object"
    NAME = "name of the mock itself"
    NO_VALUE = "where a plain value is needed"
    NO_CLASS = "where a class is needed"
    STAND_IN_CALL = "call that a function of the tests does not take"
    UNMAPPED = "where a mapped object is needed"
    GIVEN_VALUE = "plain value that a double was told to give"


@dataclass(frozen=True)
class Call:
    """A running function of the workspace: where it was called, and what."""

    place: Place
    function: FunctionValue


@dataclass(frozen=True)
class Failure:
    """A use that raises at run time, with the way there."""

    misuse: Misuse
    exception: str
    subject: Value
    """The mock or coroutine that is misused."""
    place: Place
    calls: tuple[Call, ...]
    """From the test inwards; empty when the test itself does it."""
    in_test: bool
    error: str
    """The runtime's message."""
    detail: str
    """The attribute or type that is concerned."""
    handed: Place | None
    """Where the double was given to code under test."""
    instead: Place | None = None
    """What was done in place of it."""


class Sight(str, Enum):
    """What of a mock is looked at."""

    ASSERTION = "assertion"
    """An assertion (``assert_called_once``) or record (``called``)."""
    LOOKALIKE = "lookalike"
    """A name that is nearly an assertion."""
    AWAITED = "awaited"
    """The call of a child of a mock with the spec of a class, whose own call is no coroutine: once for each mock."""
    SPEC = "spec"
    """The mock itself, given where a spec is wanted."""
    FACTORY = "factory"
    """The mock itself, given as ``new_callable``. The name says what the attribute becomes: ``coroutine``,
    ``value`` (that cannot be called) or ``child``, or why it becomes nothing: ``raises``."""


@dataclass(frozen=True)
class Look:
    """A use of a mock that rules look at, whether it raises or not."""

    sight: Sight
    mock: Mock
    place: Place
    in_test: bool
    name: str
    error: str
    """The message of what it raises; empty when it raises nothing."""


@dataclass(frozen=True)
class Configured:
    """What the body of a test told a double to return or do."""

    mock: Mock
    place: Place
    """The target of the assignment, or the call with the keyword."""
    owner: Mock | None = None
    name: str = ""
    """The double that got a configured one as an attribute, and its name there."""


class Raised(Exception):
    """An exception of the simulated program."""

    def __init__(
        self,
        name: str,
        bases: tuple[str, ...] = (),
        failure: Failure | None = None,
        doubts: frozenset[int] = frozenset(),
    ) -> None:
        """
        :param doubts: why the place that raises may not run at all.
        """
        super().__init__(name)
        self.name = name
        self.bases = bases
        self.failure = failure
        self.doubts = doubts


NOT_RUN = frozenset({"Skipped", "XFailed", "SkipTest"})
"""What ``pytest.skip()``, ``pytest.xfail()`` and ``self.skipTest()`` raise."""


class Exhausted(Exception):
    """The simulation took too many steps: what was found so far stands."""


class Doubts(list[int]):
    """Numbers of the reasons why what follows may not run, until they are settled; and where in the journal that
    starts."""

    def __init__(self) -> None:
        super().__init__()
        self.journal: Journal | None = None
        self.start = 0


@dataclass
class Guard:
    """Something around the running code that may catch an exception."""

    names: tuple[str, ...] | None
    """Exception classes by name; None: any, it is not known which."""
    doubts: Doubts = field(default_factory=Doubts)
    """Why the code inside may have left early."""
    expects: bool = False
    """A test expects an exception here: whatever comes first may be it."""
    goes_on: bool = False
    """A handler may end without raising: then the test may be about just that."""
    keeps: bool = False
    """No handler raises: whatever it catches goes no further."""

    @property
    def catches_all(self) -> bool:
        """Does no exception get past it?"""
        return (self.keeps or self.expects) and not {"Exception", "BaseException"}.isdisjoint(
            self.names or ()
        )

    def catches(self, name: str, bases: Iterable[str]) -> bool | None:
        if self.names is None:
            return None
        answers = [_is_subclass(name, tuple(bases), caught) for caught in self.names]
        if any(answers):
            return True
        return None if None in answers else False


_OTHER_ROUNDS = 4
"""Of a loop of unknown length, each with what those before it have changed unknown."""
OTHERS = "?"
"""Among the bases of an exception: there are more, which are not known."""


def _is_subclass(name: str, bases: tuple[str, ...], caught: str) -> bool | None:
    if name == caught or caught in bases or caught == "BaseException":
        return True
    raised_class = getattr(builtins, name, None)
    caught_class = getattr(builtins, caught, None)
    if isinstance(raised_class, type):
        # A class of the workspace or a library cannot be a base of a built-in one.
        return isinstance(caught_class, type) and issubclass(raised_class, caught_class)
    if bases and OTHERS not in bases:
        return False
    return True if caught == "Exception" else None


Journal: TypeAlias = "list[tuple[dict[Any, Any], Hashable, Any]]"
"""Changes in order: the slots, the key, and what was there before."""
_Changes: TypeAlias = "dict[tuple[int, Hashable], tuple[dict[Any, Any], Hashable, Any]]"
"""What a branch changed: the slots, the key, and what is there now, by the number of the slots and the key."""
MISSING: Any = object()
"""A slot that is not there, in a journal."""


@dataclass
class State:
    """Every mutable thing of one simulation is changed through :meth:`write`."""

    journal: Journal | None = None
    doubts: list[int] = field(default_factory=list)
    """Numbers of the reasons why the running code may not run at all: branches that may not be taken, early
    returns that may have happened. Empty while everything is certain."""
    guards: list[Guard] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    early: list[Doubts] = field(default_factory=lambda: [Doubts()])
    """Per running function: the doubts that its own early returns gave."""
    returns: list[list[Value]] = field(default_factory=lambda: [[]])
    """Per running function: what it may have returned early."""
    last_doubt: int = 0
    version: int = 0
    """Another one whenever a slot has changed."""
    readers: dict[int, set[Hashable]] = field(default_factory=dict)
    """Who wants to know when slots change, by the ``id`` of the slots."""
    stale: set[Hashable] = field(default_factory=set)
    """Of the readers, those whose slots have changed."""

    @property
    def certain(self) -> bool:
        return not self.doubts

    def doubt(self) -> int:
        """A new reason for doubt, until it is settled."""
        self.last_doubt += 1
        self.doubts.append(self.last_doubt)
        return self.last_doubt

    def settle(self, doubts: Iterable[int]) -> None:
        for number in doubts:
            self.doubts.remove(number)

    def begin_to_doubt(self, doubts: Doubts) -> None:
        """From here on, until :meth:`conclude`, code may not run."""
        if not doubts:
            doubts.journal, doubts.start = self.journal, len(self.journal or ())
        doubts.append(self.doubt())

    def conclude(self, doubts: Doubts) -> None:
        """The code that may not run ends here: what it has changed may be as it was before, too."""
        self.settle(doubts)
        self.half_done(self.doubtful(doubts))

    def doubtful(self, doubts: Doubts) -> Journal:
        """What has been changed under doubts."""
        if not doubts or self.journal is None or doubts.journal is not self.journal:
            return []
        return self.journal[doubts.start :]

    def half_done(self, changes: Journal) -> None:
        """Changes were made up to one of them."""
        found: dict[tuple[int, Hashable], tuple[dict[Any, Any], Hashable, list[Any]]] = {}
        for slots, key, before in changes:
            found.setdefault((id(slots), key), (slots, key, []))[2].append(before)
        for slots, key, before in found.values():
            self._join_in(slots, key, [*before, slots.get(key, MISSING)])

    def write(self, slots: dict[Any, Any], key: Hashable, value: object) -> None:
        before = slots.get(key, MISSING)
        if before is value:
            return
        if self.journal is not None:
            self.journal.append((slots, key, before))
        slots[key] = value
        self._changes(slots)

    def delete(self, slots: dict[Any, Any], key: Hashable) -> None:
        if key in slots:
            if self.journal is not None:
                self.journal.append((slots, key, slots[key]))
            del slots[key]
            self._changes(slots)

    def _changes(self, slots: dict[Any, Any]) -> None:
        self.version += 1
        readers = self.readers.get(id(slots))
        if readers is not None:
            self.stale |= readers

    def put(self, slots: dict[Any, Any], key: Hashable, value: object) -> Callable[[], None]:
        """Write a slot, and how to write back what was there."""
        before = slots.get(key, MISSING)
        self.write(slots, key, value)

        def leave() -> None:
            if before is MISSING:
                self.delete(slots, key)
            else:
                self.write(slots, key, before)

        return leave

    def roll_back(self, journal: Journal) -> None:
        """Take changes back, the last one first."""
        for slots, key, before in reversed(journal):
            if before is MISSING:
                slots.pop(key, None)
            else:
                slots[key] = before
            self._changes(slots)

    def not_certain(self) -> None:
        """From here to the end of the running function, code may not run: it may have returned."""
        self.begin_to_doubt(self.early[-1])

    def fork(self, branches: list[Callable[[], Status]]) -> Status:
        """Run alternatives of which one is taken, and join what they leave behind.

        What differs afterwards is unknown. An exception that one of them raises and that nothing around
        catches ends the test; a test is meant to pass, so that branch is taken not to happen.
        """
        outer, start = self.journal, len(self.journal or ())
        outcomes: list[tuple[Status, _Changes]] = []
        escaping: Raised | None = None
        skipped = False
        escaped: list[Raised] = []
        numbers: list[int] = []
        for branch in branches:
            log: Journal = []
            self.journal = log
            number = self.doubt()
            numbers.append(number)
            try:
                status = branch()
            except Raised as raised:
                status = Status.RAISE
                escaped.append(raised)
                skipped = skipped or raised.name in NOT_RUN
                if raised.failure is None or escaping is None:
                    escaping = raised
            except BaseException:
                # The machine gives up, or a generator yields here: the changes stay, and stay revocable.
                if outer is not None:
                    outer.extend(log)
                raise
            finally:
                self.settle((number,))
                self.journal = outer
            final = {(id(slots), key): (slots, key, slots.get(key, MISSING)) for slots, key, _ in log}
            self.roll_back(log)
            for held in (*self.early, *(guard.doubts for guard in self.guards)):
                if held.journal is log:
                    held.journal, held.start = outer, start
            outcomes.append((status, final))
        going = [final for status, final in outcomes if status is Status.NEXT]
        left = [final for status, final in outcomes if status is not Status.NEXT]
        statuses = {status for status, _ in outcomes}
        if not going:
            if statuses == {Status.RAISE} and escaping is not None:
                # Whichever is taken, it raises.
                escaping.doubts = escaping.doubts.difference(numbers)
                raise escaping
            self._join([final for _, final in outcomes])
            if len(statuses) == 1:
                return statuses.pop()
            for each in escaped:
                self.doubt_by(each)
            self.not_certain()
            return Status.RETURN if Status.RETURN in statuses else Status.NEXT
        self._join(going)
        if skipped:
            # A test may be meant to be skipped; every other exception that nothing catches fails it.
            self.begin_to_doubt(self.early[0])
        if left:
            self._blur(left)
            if statuses & {Status.RETURN, Status.BREAK, Status.CONTINUE}:
                self.not_certain()
            for each in escaped:
                self.doubt_by(each)
        return Status.NEXT

    def perhaps(self, run: Callable[[], _T]) -> _T | None:
        """Do something that may not be done at all; what it gave, and None where it raises."""
        made: list[_T] = []

        def now() -> Status:
            made.append(run())
            return Status.NEXT

        self.fork([now, lambda: Status.NEXT])
        return made[0] if made else None

    def doubt_by(self, raised: Raised) -> None:
        """A branch raised something: what is around and may catch it may be left here."""
        for guard in reversed(self.guards):
            caught = guard.catches(raised.name, raised.bases)
            if caught is not False and not guard.doubts:
                self.begin_to_doubt(guard.doubts)
            if caught:
                return

    def rounds(self, one: Callable[[], Status]) -> Status:
        """Run what is done some unknown number of times: what its first round changes is not known in the others."""
        changed: list[tuple[dict[Any, Any], Hashable]] = []

        def first() -> Status:
            status = one()
            if status is not Status.BREAK:
                changed.extend((slots, key) for slots, key, _ in self.journal or ())
            return Status.NEXT if status in (Status.BREAK, Status.CONTINUE) else status

        def other() -> Status:
            for slots, key in changed:
                if isinstance(slots.get(key), Literal):
                    self.write(slots, key, UNKNOWN)
            return first()

        status = self.fork([first, lambda: Status.NEXT])
        for _ in range(_OTHER_ROUNDS):
            known = {(id(slots), key) for slots, key in changed}
            if not known or status is not Status.NEXT:
                break
            status = self.fork([other, lambda: Status.NEXT])
            if all((id(slots), key) in known for slots, key in changed):
                break
        return status

    def _join(self, finals: list[_Changes]) -> None:
        _unify(finals)
        keys = {entry: pair for final in finals for entry, pair in final.items()}
        for entry, (slots, key, _) in keys.items():
            current = slots.get(key, MISSING)
            self._join_in(slots, key, [final[entry][2] if entry in final else current for final in finals])

    def _join_in(self, slots: dict[Any, Any], key: Hashable, values: list[Any]) -> None:
        """Write what is known of a slot that has one of these."""
        if isinstance(key, str) and key[:1] == "[" and "open" in slots and any(v is MISSING for v in values):
            # Perhaps a dict has the key.
            among = [value for value in values if isinstance(value, Value)]
            self.write(slots, "among", each_once((*held_in(slots["among"]), *among)))
            self.write(slots, "open", True)
            self.write(slots, key, None)
            return
        joined = _join_slot(key, values)
        if joined is MISSING:
            self.delete(slots, key)
        elif joined is not slots.get(key, MISSING):
            self.write(slots, key, joined)

    def _blur(self, finals: list[_Changes]) -> None:
        """Changes of a branch that left the function are seen by others, if it was taken."""
        for final in finals:
            stand_ins: dict[int, dict[Any, Any]] = {}
            for made, key, value in final.values():
                for slots in (made, stand_ins.get(id(made))):
                    if slots is None:
                        continue
                    current = slots.get(key, MISSING)
                    if current is not value:
                        self._join_in(slots, key, [current, value])
                    if current is not value and _is_child(current) and _is_child(value):
                        stand_ins[id(value.slots)] = current.slots


def leaves(*nodes: ast.AST) -> bool:
    """Is there a ``return``, ``break`` or ``continue`` in it? In a ``finally`` they swallow what was raised."""
    leaving = (ast.Return, ast.Break, ast.Continue)
    return any(isinstance(child, leaving) for node in nodes for child in ast.walk(node))


def _is_child(value: object) -> TypeGuard[Mock]:
    """Is it one that a look alone creates?"""
    return isinstance(value, Mock) and value.auto


def _unify(finals: list[_Changes]) -> None:
    """Branches that look for the first time at the same attribute of a mock make a child each. One of them stays: what
    the others have done with theirs is done with that one."""
    waiting = list(dict.fromkeys(entry for final in finals for entry in final))
    for entry in waiting:
        changes = [final[entry] for final in finals if entry in final]
        if len(changes) < 2:
            continue
        slots, key, stays = changes[0]
        if key in slots or not all(_is_child(value) for _, _, value in changes):
            continue
        for final in finals:
            other = final[entry][2] if entry in final else stays
            if other is stays:
                continue
            for _, own, value in [each for each in final.values() if each[0] is other.slots]:
                if (id(stays.slots), own) not in final:
                    final[id(stays.slots), own] = (stays.slots, own, value)
                    waiting.append((id(stays.slots), own))


def _join_slot(key: Hashable, values: list[Any]) -> Any:
    """Like :func:`join`, for what mocks keep about themselves: a child that a look alone creates is there on
    every path, and a mock that was handed over on one path is remembered there."""
    present = [value for value in values if value is not MISSING]
    if not present:
        return MISSING
    if key == "handed":
        return present[-1]
    if isinstance(present[-1], Watched):
        # A patch that is in place on some paths only.
        for watched in present:
            watched.lost = True
        return present[-1]
    if isinstance(key, tuple) and key[0] == "called":
        return tuple(dict.fromkeys(call for calls in present for call in calls))
    if all(isinstance(value, Mock) and value.auto for value in present):
        plain = all(not _configured(value) for value in present[1:])
        if plain:
            return present[0]
    return join(values)


def _configured(mock: Mock) -> bool:
    return any(
        not (isinstance(value, Mock) and value.auto and not _configured(value))
        for key, value in mock.slots.items()
        if key != "handed"
    )


def join(values: list[Any]) -> Any:
    """What is known of a thing that is one of several."""
    first = values[0]
    if all(value is first for value in values):
        return first
    if all(isinstance(value, Literal) and isinstance(first, Literal) for value in values):
        literals = [value.value for value in values]
        if all(type(v) is type(literals[0]) and v == literals[0] for v in literals):
            return first
    among: list[object] = []
    for value in values:
        if isinstance(value, tuple):
            among.extend(value)
        else:
            among.append(value)
    return one_of(among)
