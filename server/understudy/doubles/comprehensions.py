"""Comprehensions and generator expressions: as many rounds as there are items, conditions included."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from understudy.doubles.core import MOST_ITEMS, Taking
from understudy.doubles.state import Status
from understudy.doubles.values import (
    Environment,
    LibraryName,
    Literal,
    Mapping_,
    Mock,
    Sequence_,
    Value,
    as_set,
    part_of,
)

if TYPE_CHECKING:
    from understudy.doubles.expressions import Expressions as Machine

Node: TypeAlias = "ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp"


_BUILTINS = {
    "all": Taking.UNTIL_FALSE,
    "any": Taking.UNTIL_TRUE,
    "next": Taking.FIRST,
    **dict.fromkeys(("dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"), Taking.ALL),
}
_METHODS = frozenset({"extend", "join", "update"})


def taking(call: ast.Call, callee: Value) -> Taking:
    """How much a call takes of its first argument."""
    if isinstance(callee, LibraryName) and callee.entity.root == "builtins":
        return _BUILTINS.get(callee.entity.name, Taking.PERHAPS)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS and not isinstance(callee, Mock):
        return Taking.ALL
    return Taking.PERHAPS


@dataclass
class Comprehension:
    """One of them, run in ``env``, which is its own scope. :attr:`made` has what it holds."""

    machine: Machine
    node: Node
    env: Environment
    taking: Taking
    made: list[Value] = field(default_factory=list)
    keys: list[Value] = field(default_factory=list)
    is_exact: bool = True
    """False when it may hold fewer of :attr:`made`, or more."""
    _is_over: bool = False
    _perhaps_over: bool = False
    """What follows may never be worked out."""
    _doubts: int = 0
    """Those that there were at the beginning."""

    def run(self, source: Value, items: tuple[Value, ...] | None) -> None:
        """
        :param source: what the outermost ``for`` goes over, and what that gives, where it is known.
        """
        self._doubts = len(self.machine.doubts)
        self._each(0, source, items)

    def value(self) -> Value:
        if isinstance(self.node, ast.DictComp):
            return self._table()
        kind = {ast.SetComp: "set", ast.GeneratorExp: "generator"}.get(type(self.node), "list")
        if kind == "set":
            return as_set(self.made if self.is_exact else None, self.made)
        if self.is_exact and not self._perhaps_over:
            return Sequence_.of(kind, self.made)
        return Sequence_.of(kind, None, self.made)

    def _table(self) -> Value:
        known = self.is_exact and all(
            isinstance(key, Literal) and Mapping_.slot(key) is not None for key in self.keys
        )
        if not known:
            return Mapping_.of({}, is_open=True, among=self.made)
        pairs = zip(self.keys, self.made, strict=True)
        return Mapping_.of(
            {key.value: made for key, made in pairs if isinstance(key, Literal)}, is_open=False
        )

    def _each(self, index: int, source: Value, items: tuple[Value, ...] | None) -> None:
        generator = self.node.generators[index]
        if items is None or len(items) > MOST_ITEMS:
            self.is_exact = False
            self.machine.rounds(lambda: self._round(index, generator, part_of(source)))
            return
        for item in items:
            if self._is_over:
                return
            if self._perhaps_over:
                self.machine.perhaps(partial(self._round, index, generator, item))
            else:
                self._round(index, generator, item)

    def _round(self, index: int, generator: ast.comprehension, item: Value) -> Status:
        self.machine.assign(generator.target, item, self.env)
        return self._where(index, generator.ifs)

    def _where(self, index: int, conditions: list[ast.expr]) -> Status:
        if not conditions:
            return self._inside(index)
        truth = self.machine.decide(conditions[0], self.env)
        if truth is False:
            return Status.NEXT
        if truth is None:
            self.is_exact = False
            self.machine.perhaps(lambda: self._where(index, conditions[1:]))
            return Status.NEXT
        return self._where(index, conditions[1:])

    def _inside(self, index: int) -> Status:
        if index + 1 < len(self.node.generators):
            inner = self.node.generators[index + 1]
            source = self.machine.eval(inner.iter, self.env)
            ask = self.machine.async_items if inner.is_async else self.machine.items
            self._each(index + 1, source, ask(source, inner.iter, self.env))
            return Status.NEXT
        if isinstance(self.node, ast.DictComp):
            self.keys.append(self.machine.eval(self.node.key, self.env))
            self.made.append(self.machine.eval(self.node.value, self.env))
        else:
            self.made.append(self.machine.eval(self.node.elt, self.env))
            self._took(self.made[-1])
        return Status.NEXT

    def _took(self, element: Value) -> None:
        """Its user may have had enough."""
        if self.taking is Taking.FIRST:
            truth: bool | None = True
        elif self.taking in (Taking.UNTIL_TRUE, Taking.UNTIL_FALSE):
            truth = self.machine.truth(element)
            truth = truth if truth is None or self.taking is Taking.UNTIL_TRUE else not truth
        else:
            return
        if truth and len(self.machine.doubts) == self._doubts:
            self._is_over = True
        elif truth is not False:
            self._perhaps_over = True


def later(
    machine: Machine, node: ast.GeneratorExp, env: Environment, source: Value, items: tuple[Value, ...] | None
) -> Value:
    """A generator expression that is kept, or given to somebody: it is worked out where something takes of it."""
    kept = Sequence_.of("generator", None)

    def make() -> None:
        comprehension = Comprehension(machine, node, env, Taking.ALL)
        comprehension.run(source, items)
        made = comprehension.value()
        if isinstance(made, Sequence_):
            machine.write(kept.slots, "items", made.slots["items"])
            machine.write(kept.slots, "among", made.slots["among"])

    kept.slots["make"] = make
    return kept
