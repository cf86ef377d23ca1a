"""What simulating the tests of a file gave, kept from one version of the file to the next.

An edit inside one test cannot change what another does: tests do not call each other. So the outcome of a test is
kept while its own text stays the same, and all that is not a test stays the same too: imports, helpers, fixtures,
classes, other files. :meth:`Memory.renewed` forgets everything else.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from understudy.index.workspace import Dependency
from understudy.infer.frame import Frame
from understudy.infer.tier2 import Question
from understudy.source.parse import Parsed

REUSED = 200
"""What the machine keeps alive for as long as it lives grows with every test."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Kept(Generic[_T]):
    """The outcome of one test."""

    outcome: _T
    questions: tuple[Question, ...]
    """What it would have asked the second tier."""
    has_places: bool
    """It names places, which an edit further up moves."""
    is_broken: bool
    """Made while a statement of the file did not parse: what that one binds was not known."""


@dataclass
class Memory(Generic[_T]):
    """The outcomes for one version of a file, by the nodes of the tests."""

    frame: Frame = ()
    rows: tuple[int, ...] = ()
    outcomes: dict[ast.AST, Kept[_T]] = field(default_factory=dict)
    files: set[Dependency] = field(default_factory=set)
    """Every file, and all else, that was looked at on the way."""
    is_broken: bool = False
    sessions: dict[bool, tuple[object, int]] = field(default_factory=dict)
    """What ran them, with its fixtures set up, and how many tests that were; for files that parse, and for those
    that do not."""

    def renewed(self, parsed: Parsed, frame: Frame, tests: Sequence[ast.AST]) -> Memory[_T]:
        """What still holds for this version of the file."""
        rows = tuple(unit.row for unit in parsed.units)
        is_broken = bool(parsed.problems)
        if frame != self.frame:
            return Memory(frame, rows, is_broken=is_broken)
        moved = rows != self.rows
        kept = {}
        for node in tests:
            known = self.outcomes.get(node)
            # While something does not parse, all else stays as it was before: findings do not flicker.
            if known is not None and known.is_broken <= is_broken and not (moved and known.has_places):
                kept[node] = known
        sessions = {} if moved else self.sessions
        return Memory(frame, rows, kept, self.files, is_broken, sessions)

    def take_session(self) -> object:
        """The one to go on with; None when there is none, or when it has run enough. It has to be given back when
        it is done with a test, for what is half set up is no good."""
        session, used = self.sessions.pop(self.is_broken, (None, 0))
        return session if used < REUSED else None

    def give_back(self, session: object, used: int) -> None:
        self.sessions[self.is_broken] = (session, used)
