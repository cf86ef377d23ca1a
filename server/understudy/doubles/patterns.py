"""Does a value match a pattern of ``match``? (PEP 634)"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from understudy.doubles import versions
from understudy.doubles.comparisons import equal, identical
from understudy.doubles.library import kinds
from understudy.doubles.state import Guard, Misuse, Raised
from understudy.doubles.values import (
    UNKNOWN,
    Coroutine,
    Environment,
    Instance,
    LibraryName,
    Literal,
    Mapping_,
    Mock,
    Sequence_,
    Value,
    is_known_double,
)

if TYPE_CHECKING:
    from understudy.doubles.expressions import Expressions as Machine

_BINDING_ITSELF = frozenset(
    {
        "bool",
        "bytearray",
        "bytes",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "set",
        "str",
        "tuple",
    }
)
"""Classes whose only positional pattern is matched with the object itself."""


@dataclass
class Matching:
    """One value and one pattern; :attr:`bound` is what names are bound to where it matches."""

    machine: Machine
    env: Environment
    bound: dict[str, Value] = field(default_factory=dict)

    def matches(self, pattern: ast.pattern, value: Value) -> bool | None:
        """None: it is not known. All names of the pattern are in :attr:`bound` then."""
        truth = self._matches(pattern, value)
        if truth is None:
            for child in ast.walk(pattern):
                name = child.rest if isinstance(child, ast.MatchMapping) else getattr(child, "name", None)
                if isinstance(name, str):
                    self.bound.setdefault(name, UNKNOWN)
        return truth

    def _matches(self, pattern: ast.pattern, value: Value) -> bool | None:
        if isinstance(pattern, ast.MatchValue):
            return equal(value, self.machine.eval(pattern.value, self.env))
        if isinstance(pattern, ast.MatchSingleton):
            return identical(value, Literal(pattern.value))
        if isinstance(pattern, ast.MatchAs):
            truth = True if pattern.pattern is None else self._matches(pattern.pattern, value)
            if pattern.name is not None and truth is not False:
                self.bound[pattern.name] = value
            return truth
        if isinstance(pattern, ast.MatchOr):
            return self._one_of(pattern, value)
        if isinstance(pattern, ast.MatchSequence):
            return self._sequence(pattern, value)
        if isinstance(pattern, ast.MatchMapping):
            return self._mapping(pattern, value)
        if isinstance(pattern, ast.MatchClass):
            return self._class(pattern, value)
        return None

    def _one_of(self, pattern: ast.MatchOr, value: Value) -> bool | None:
        for alternative in pattern.patterns:
            truth = self._matches(alternative, value)
            if truth is None:
                # Which of them it is decides what names are bound to.
                self.bound.clear()
                return None
            if truth:
                return True
        return False

    def _all(self, pairs: list[tuple[ast.pattern, Value]]) -> bool | None:
        answer: bool | None = True
        for pattern, value in pairs:
            truth = self._matches(pattern, value)
            if truth is False:
                return False
            answer = answer and truth
        return answer

    def _sequence(self, pattern: ast.MatchSequence, value: Value) -> bool | None:
        if not isinstance(value, Sequence_):
            return False if _is_no_collection(value) else None
        if value.kind not in ("list", "tuple"):
            return None
        items, wanted = value.items, pattern.patterns
        star = next((i for i, each in enumerate(wanted) if isinstance(each, ast.MatchStar)), None)
        if items is None:
            return None
        if len(items) < len(wanted) - 1 if star is not None else len(items) != len(wanted):
            return False
        if star is None:
            return self._all(list(zip(wanted, items, strict=True)))
        after = len(wanted) - star - 1
        starred = wanted[star]
        if isinstance(starred, ast.MatchStar) and starred.name is not None:
            self.bound[starred.name] = Sequence_.of("list", items[star : len(items) - after])
        pairs = list(zip(wanted[:star], items[:star], strict=True))
        pairs += zip(wanted[star + 1 :], items[len(items) - after :], strict=True)
        return self._all(pairs)

    def _mapping(self, pattern: ast.MatchMapping, value: Value) -> bool | None:
        if not isinstance(value, Mapping_):
            return False if _is_no_collection(value) else None
        pairs: list[tuple[ast.pattern, Value]] = []
        known = True
        for key, inner in zip(pattern.keys, pattern.patterns, strict=True):
            key_value = self.machine.eval(key, self.env)
            found = value.get(key_value)
            if found is not None:
                pairs.append((inner, found))
            elif value.is_open or Mapping_.slot(key_value) is None:
                known = False
            else:
                return False
        if pattern.rest is not None:
            self.bound[pattern.rest] = Mapping_.of({}, is_open=True, among=value.held)
        truth = self._all(pairs)
        return truth if known or truth is False else None

    def _class(self, pattern: ast.MatchClass, value: Value) -> bool | None:
        kind = self.machine.eval(pattern.cls, self.env)
        if kinds.is_no_class(kind):
            error = versions.not_a_class_pattern(self.machine.workspace.target_version)
            self.machine.fail(self.env, Misuse.NO_CLASS, kind, pattern.cls, error)
            return None
        answer = kinds.is_instance(self.machine, value, kind, pattern.cls, self.env)
        truth = bool(answer.value) if isinstance(answer, Literal) else None
        if truth is False:
            return False
        pairs: list[tuple[ast.pattern, Value]] = []
        if pattern.patterns:
            if len(pattern.patterns) > 1 or not _binds_itself(kind):
                # What ``__match_args__`` says is not followed.
                truth = None
            else:
                pairs.append((pattern.patterns[0], value))
        for name, inner in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
            found = self._attribute(value, name, pattern)
            if found is None:
                return False if truth else None
            pairs.append((inner, found))
        inside = self._all(pairs)
        return inside if truth or inside is False else None

    def _attribute(self, value: Value, name: str, pattern: ast.MatchClass) -> Value | None:
        """None: there is no such attribute."""
        if not isinstance(value, (Mock, Instance)):
            return UNKNOWN
        guard = Guard(("AttributeError",))
        try:
            found = self.machine.guarded(
                guard, lambda: self.machine.attribute(value, name, pattern.cls, self.env)
            )
        except Raised:
            return None
        return UNKNOWN if guard.doubts else found


def _is_no_collection(value: Value) -> bool:
    """Is it neither a sequence nor a mapping? For a pattern, strings are none; nor are mocks, whatever their spec."""
    return isinstance(value, (Literal, Coroutine, Sequence_, Mapping_)) or is_known_double(value)


def _binds_itself(kind: Value) -> bool:
    return (
        isinstance(kind, LibraryName)
        and kind.entity.root == "builtins"
        and kind.entity.name in _BINDING_ITSELF
    )
