"""From text to :mod:`ast`, statement by statement, through syntax errors.

A file is kept as its top-level statements, each a :class:`Unit` with its own syntax tree. Unchanged units
survive an edit (only their row moves), and a syntax error in one does not take the others with it: while
somebody types, the broken statement is blanked and the rest is parsed as before.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.source.outline import Stretch, stretches
from understudy.source.span import Span
from understudy.source.text import Text

_RECOVERY_ROUNDS = 20
_DEFINED_NAME = re.compile(r"(?:async\s+)?(?:def|class)\s+([^\W\d]\w*)")
_PLAIN_STRING = re.compile(r"""[rRuU]?("{3}|'{3}|"|')([^\\]*)\1""", re.DOTALL)


_WITHOUT_NODES = frozenset(
    (
        "arg",
        "attr",
        "conversion",
        "ctx",
        "id",
        "is_async",
        "kind",
        "level",
        "module",
        "name",
        "op",
        "ops",
        "simple",
    )
)
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
_WALRUS = "understudy_walrus"


def children(node: ast.AST) -> list[ast.AST]:
    """As :func:`ast.iter_child_nodes`, without contexts and operators, in a third of the time."""
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        # A type alias is the one node whose ``name`` is a node.
        names = [name for name in kind._fields if name not in _WITHOUT_NODES or kind.__name__ == "TypeAlias"]
        fields = _FIELDS[kind] = tuple(names)
    found: list[ast.AST] = []
    for name in fields:
        value = getattr(node, name, None)
        if type(value) is list:
            found.extend([item for item in value if isinstance(item, ast.AST)])
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """Why a statement was left out. ``message`` is CPython's own."""

    message: str
    row: int
    column: int


class Part:
    """What edits elsewhere leave alone as a whole: a top-level statement or, of a class, what stands before its body,
    and each statement of the body."""

    __slots__ = ("memo", "node")

    def __init__(self, node: ast.stmt) -> None:
        self.memo: dict[str, Any] = {}
        """As :attr:`Unit.memo`; rows in it go with :meth:`Unit.distance`."""
        self.node = node
        """The class itself for what stands before its body."""


class Unit:
    """A top-level statement: its tree, and where it is in this version of the file.

    The tree's own line numbers are those of the parse that made it; ``shift`` leads to the rows of ``text``.
    Only :meth:`span` and its kin turn nodes into places.
    """

    __slots__ = ("_first", "_node", "_parts", "_sketch", "memo", "path", "shift", "text")

    def __init__(self, node: ast.stmt | Stretch, shift: int, text: Text, path: Path) -> None:
        """
        :param node: or where the one is that is to be parsed when somebody asks for it.
        """
        self.memo: dict[str, Any] = {}
        """For whoever reads something out of the statement: kept as long as its text stays the same. Rows in it
        have to count from :attr:`row`."""
        self._node: ast.stmt | None
        self._sketch: Stretch | None
        if isinstance(node, Stretch):
            self._node, self._sketch = None, node
            self._first, self.shift = 0, shift + node.first
        else:
            self._node, self._sketch = node, None
            self._first, self.shift = first_line(node) - 1, shift
        self._parts: tuple[Part, ...] = ()
        self.text = text
        self.path = path

    @property
    def node(self) -> ast.stmt:
        """The tree. In a file that was only outlined, a statement that does not parse is one that binds its name to
        what nothing is known about."""
        node = self._node
        return node if node is not None else self._read()

    def _read(self) -> ast.stmt:
        sketch = self._sketch
        assert sketch is not None
        text = self.text.rows(self.row, self.row + sketch.end - sketch.first)
        tree = _tried("\n" * self._first + text)
        if isinstance(tree, ast.Module) and len(tree.body) == 1:
            node = tree.body[0]
        else:
            node = _parse("\n" * self._first + f"{sketch.name} = not ()").body[0]
        self._node = node
        return node

    @property
    def name(self) -> str | None:
        """Of a function or class; None for another statement."""
        if self._node is None and self._sketch is not None:
            return self._sketch.name
        node = self.node
        return node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else None

    def mentions(self, word: str) -> bool:
        """Is the word somewhere in the text of the statement? That takes no tree."""
        if self._sketch is not None:
            end = self.row + self._sketch.end - self._sketch.first
        else:
            end = self.end_row + 1
        starts = self.text.starts
        stop = starts[end] if end < len(starts) else len(self.text.content)
        return self.text.content.find(word, starts[self.row], stop) >= 0

    @property
    def parts(self) -> tuple[Part, ...]:
        """The statement, or what it consists of."""
        if not self._parts:
            self._parts = (Part(self.node), *map(Part, self._members))
        return self._parts

    @property
    def _members(self) -> list[ast.stmt]:
        return self.node.body if isinstance(self.node, ast.ClassDef) else []

    def distance(self, part: Part) -> int:
        """How many rows below the first one of the statement a part begins."""
        return part.node.lineno - 1 - self._first

    def text_of(self, part: Part) -> str:
        """The rows of a part; those before the first statement of a class go to the class."""
        node = part.node
        last = (node.end_lineno or node.lineno) + self.shift
        if node is self.node and self._members:
            last = max(first_line(self._members[0]) - 1 + self.shift, self.row + 1)
        return self.text.rows(first_line(node) - 1 + self.shift, last)

    @property
    def row(self) -> int:
        """First row, decorators included."""
        return self._first + self.shift

    @property
    def end_row(self) -> int:
        """Last row (inclusive)."""
        return (self.node.end_lineno or self.node.lineno) - 1 + self.shift

    def span(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword | ast.alias | ast.ExceptHandler) -> Span:
        """The range of a node."""
        text = self.text
        row = node.lineno - 1 + self.shift
        end_row = (node.end_lineno or node.lineno) - 1 + self.shift
        return Span(
            row,
            text.code_point_column(row, node.col_offset),
            end_row,
            text.code_point_column(end_row, node.end_col_offset or node.col_offset),
        )

    def span_inside(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword | ast.alias) -> Span:
        """The range of a node, its rows counted from the first one of the statement."""
        above, wide = self._first + 1, self.text.wide
        end = node.end_lineno or node.lineno
        if wide and (node.lineno - 1 + self.shift in wide or end - 1 + self.shift in wide):
            return self.span(node).shifted(-self.row)
        return Span(node.lineno - above, node.col_offset, end - above, node.end_col_offset or node.col_offset)

    def name_span(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Span:
        """The identifier after ``def`` or ``class``."""
        start = self.span(node)
        line = self.text.line(start.row)
        match = _DEFINED_NAME.match(line, start.column)
        if match is None:
            return Span(start.row, start.column, start.row, len(line))
        return Span(start.row, match.start(1), start.row, match.end(1))

    def keyword_span(self, node: ast.keyword) -> Span:
        """The name of a keyword argument; all of it for ``**mapping``."""
        whole = self.span(node)
        if node.arg is None:
            return whole
        return Span(whole.row, whole.column, whole.row, whole.column + len(node.arg))

    def string_span(self, node: ast.Constant, start: int, end: int) -> Span:
        """Characters ``start:end`` of a string literal's value; the whole literal where its text and its
        value differ (escapes, implicit concatenation)."""
        whole = self.span(node)
        match = _PLAIN_STRING.fullmatch(self.text.slice(whole))
        if match is None or match.group(2) != node.value:
            return whole
        origin = self.text.offset(whole.row, whole.column) + match.start(2)
        return self.text.span(origin + start, origin + end)

    def source(self, node: ast.expr | ast.stmt | ast.arg | ast.keyword | ast.alias) -> str:
        """The text of a node."""
        return self.text.slice(self.span(node))

    def spelled(self, node: ast.expr) -> str:
        """The text of a node as :func:`ast.unparse` writes it, worked out once."""
        known: dict[ast.expr, str] = self.memo.setdefault("spelled", {})
        found = known.get(node)
        if found is None:
            found = known[node] = ast.unparse(node)
        return found

    def become(self, other: Unit, *, same_header: bool) -> None:
        """Be that version of the class from now on; node and unit stay the same objects.

        :param same_header: what stands before the body is the same, too.
        """
        earlier = {part.node: part for part in self._parts}
        header = Part(self.node)
        if same_header and earlier:
            # Another object: whoever looks at a class may look at its body.
            header.memo = earlier[self.node].memo
        if not same_header:
            self.node.__dict__.pop(_WALRUS, None)
        self.node.__dict__.update(other.node.__dict__)
        self._sketch = None
        self._first, self.shift, self.text = other._first, other.shift, other.text
        self.memo = {}
        if earlier:
            members = [earlier.get(child) or Part(child) for child in self._members]
            self._parts = (header, *members)

    def forget(self) -> None:
        """Let go of all that was read out of it, and of the tree of a function or class; it can be read again."""
        self.memo.clear()
        for part in self._parts:
            part.memo.clear()
        if self._sketch is None and self.name is not None:
            self._sketch = Stretch(self.row, self.end_row + 1, self.name)
        if self._sketch is not None:
            self._node, self._parts = None, ()

    def take(self, other: Unit) -> None:
        """The tree of the same statement, where this one is not parsed yet."""
        if self._node is None:
            self._node, self._first, self.shift = other._node, other._first, other.shift
        self._sketch = None

    def move(self, text: Text, rows: int) -> Unit:
        """The same statement, ``rows`` further down in another version of the file."""
        self.text = text
        self.shift += rows
        return self


class Parsed:
    """One version of one file."""

    __slots__ = ("_broken", "_is_whole", "_problems", "path", "text", "units")

    def __init__(
        self,
        path: Path,
        text: Text,
        units: tuple[Unit, ...],
        problems: tuple[SyntaxProblem, ...],
        broken: tuple[tuple[int, int], ...] = (),
        *,
        is_whole: bool = True,
    ) -> None:
        """
        :param is_whole: False: only outlined, what does not parse in it is not known yet.
        """
        self._broken = broken
        self.path = path
        self.text = text
        self.units = units
        self._problems = problems
        self._is_whole = is_whole

    @property
    def is_whole(self) -> bool:
        """False: the statements are parsed one by one, when somebody asks for one."""
        return self._is_whole

    @property
    def known_to_be_broken(self) -> bool:
        """Is something known that does not parse? As long as the file is only outlined, that may be too little."""
        return bool(self._problems)

    @property
    def problems(self) -> tuple[SyntaxProblem, ...]:
        """What was left out because it does not parse."""
        self.complete()
        return self._problems

    @property
    def broken(self) -> tuple[tuple[int, int], ...]:
        """The ranges of rows (inclusive) that were left out: there, the trees are not those of the text."""
        self.complete()
        return self._broken

    def complete(self) -> None:
        """Parse what nobody asked for yet."""
        if self._is_whole:
            return
        self._is_whole = True
        whole = parse(self.path, self.text)
        if [unit.row for unit in whole.units] == [unit.row for unit in self.units]:
            for unit, found in zip(self.units, whole.units, strict=True):
                unit.take(found)
        else:
            self.units = whole.units
        self._problems, self._broken = whole._problems, whole._broken

    def walk(self, *, mentioning: str = "") -> Iterator[tuple[Unit, ast.AST]]:
        """All nodes; with a word, those of the statements and definitions at top level that hold it."""
        self.complete()
        for unit in self.units:
            if not mentioning or unit.mentions(mentioning):
                for node in ast.walk(unit.node):
                    yield unit, node

    def forget(self) -> None:
        """Let go of the trees, and of all that was read out of them: what is asked for is parsed again."""
        self._is_whole = False
        for unit in self.units:
            unit.forget()

    def edited(self, text: Text) -> Parsed:
        """This file with new text; only the statements that an edit touched are parsed again.

        The others, and methods whose text is the same, go over to the new version: nodes and units are the same
        objects, at their new place. **This version must not be used any longer.**
        """
        if text.content == self.text.content:
            return self
        if not self._is_whole:
            return parse(self.path, text)
        before = self.text
        same_head, same_tail = self._same_rows(text)
        in_class = self._class_edited(text, same_head, same_tail)
        if in_class is not None:
            return in_class
        head_end, tail_start, first, last = self._kept(text, same_head, same_tail)
        problems: tuple[SyntaxProblem, ...] = ()
        broken: tuple[tuple[int, int], ...] = ()
        try:
            made = _units(_parse(_blank_outside(text, first, last)), text, self.path, 0)
        except SyntaxError as error:
            try:
                made = _units(_parse(text.content), text, self.path, 0)
                head_end, tail_start = 0, len(self.units)
            except SyntaxError:
                tree, found, broken = _recover(text.rows(first, last), error, first)
                made, problems = _units(tree, text, self.path, first), tuple(found)
        head, replaced, tail = (
            self.units[:head_end],
            self.units[head_end:tail_start],
            self.units[tail_start:],
        )
        middle = _taken_over(replaced, made, before, self.broken)
        for unit in head:
            unit.move(text, 0)
        for unit in tail:
            unit.move(text, text.row_count - before.row_count)
        return Parsed(self.path, text, (*head, *middle, *tail), problems, broken)

    def _same_rows(self, text: Text) -> tuple[int, int]:
        """How many rows at the beginning, and how many at the end, are the same in both, and were not broken."""
        old, new = self.text, text
        limit = min(old.row_count, new.row_count)
        head = _longest(limit, lambda rows: old.rows(0, rows) == new.rows(0, rows))
        tail = _longest(
            limit - head,
            lambda rows: (
                old.rows(old.row_count - rows, old.row_count) == new.rows(new.row_count - rows, new.row_count)
            ),
        )
        for broken_first, broken_last in self.broken:
            # What was broken may be whole by this edit.
            head = min(head, broken_first)
            tail = min(tail, old.row_count - 1 - broken_last)
        return head, tail

    def _class_edited(self, text: Text, same_head: int, same_tail: int) -> Parsed | None:
        """:meth:`edited` for an edit in the body of a class: only the touched statements of the body are parsed
        again, and one beside them on each side. None where more has to be."""
        before = self.text
        touched_end = before.row_count - same_tail
        index = bisect_left(self.units, same_head, key=lambda unit: unit.row) - 1
        unit = self.units[index] if index >= 0 else None
        if unit is None or not isinstance(unit.node, ast.ClassDef) or touched_end > unit.end_row + 1:
            return None
        if index + 1 < len(self.units) and self.units[index + 1].row <= unit.end_row:
            return None
        members = _Members(unit.node.body, unit.shift, before)
        start, end = members.around(same_head, touched_end)
        if start < 1 or not members.apart(start, end):
            return None
        grown = text.row_count - before.row_count
        first = members.last_row(start - 1) + 1
        last = (members.first_row(end) if end < len(members.body) else unit.end_row + 1) + grown
        made = _members_alone(text, first, last, unit.shift)
        if made is None:
            return None
        indentation = before.raw_line(members.first_row(0))[: unit.node.body[0].col_offset]
        for child in made.body:
            line = text.raw_line(first_line(child) - 1 + unit.shift)
            if child.col_offset != len(indentation) or not line.startswith(indentation):
                return None
        same = _same_statements(
            _Members(members.body[start:end], unit.shift, before),
            _Members(made.body, unit.shift, text),
            self.broken,
        )
        if grown:
            for child in members.body[end:]:
                ast.increment_lineno(child, grown)
        body = [*members.body[:start], *same, *members.body[end:]]
        unit.become(Unit(_with_body(unit.node, body), unit.shift, text, self.path), same_header=True)
        for number, each in enumerate(self.units):
            each.move(text, grown if number > index else 0)
        return Parsed(self.path, text, self.units, made.problems, made.broken)

    def _kept(self, text: Text, same_head: int, same_tail: int) -> tuple[int, int, int, int]:
        """How many units stay before the changed rows, from which on they stay behind them, and the rows
        (half-open, of ``text``) to parse again.

        A unit beside the change is parsed again with it: an edit just below may continue it.
        """
        old, new = self.text, text
        grown = new.row_count - old.row_count
        tail_from = old.row_count - same_tail
        count = len(self.units)
        head_end = 0
        while head_end < count and self.units[head_end].end_row < same_head:
            head_end += 1
        head_end = max(head_end - 1, 0)
        while head_end and self.units[head_end - 1].end_row >= self.units[head_end].row:
            head_end -= 1
        tail_start = count
        while tail_start > head_end and self.units[tail_start - 1].row >= tail_from:
            tail_start -= 1
        while 0 < tail_start < count and self.units[tail_start - 1].end_row >= self.units[tail_start].row:
            tail_start += 1
        first = self.units[head_end - 1].end_row + 1 if head_end else 0
        last = self.units[tail_start].row + grown if tail_start < count else new.row_count
        return head_end, tail_start, first, max(first, last)


def _longest(most: int, holds: Callable[[int], bool]) -> int:
    """The largest number up to ``most`` for which something holds that holds for all smaller ones, too."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def parse(path: Path, text: Text) -> Parsed:
    """Parse a file; statements that do not parse are left out and named in ``problems``."""
    try:
        return _whole(path, text)
    except SyntaxError as error:
        tree, problems, broken = _recover(text.content, error, 0)
        return Parsed(path, text, tuple(_units(tree, text, path, 0)), tuple(problems), broken)


def outlined(path: Path, text: Text) -> Parsed:
    """The statements of a file, functions and classes not parsed yet."""
    found = stretches(text.content, text.starts)
    if found is None or not any(each.name is not None for each in found):
        return parse(path, text)
    # All others at once, at their rows.
    others = _tried(
        "".join(
            text.rows(each.first, each.end) if each.name is None else "\n" * (each.end - each.first)
            for each in (Stretch(0, found[0].first, None), *found)
        )
    )
    if isinstance(others, SyntaxError):
        return parse(path, text)
    units = [Unit(each, 0, text, path) for each in found if each.name is not None]
    units += _units(others, text, path, 0)
    units.sort(key=lambda unit: unit.row)
    return Parsed(path, text, tuple(units), (), is_whole=False)


def first_line(node: ast.stmt) -> int:
    """1-based first line of a statement, decorators included."""
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _taken_over(
    earlier: Sequence[Unit], made: list[Unit], before: Text, broken: Sequence[tuple[int, int]]
) -> list[Unit]:
    """The new units, or the earlier ones whose text they have; of a class, the statements that have the same.

    :param broken: rows of ``before`` whose statements have other trees than their text says.
    """
    known: dict[str, list[Unit]] = {}
    classes: dict[str, Unit] = {}
    for unit in earlier:
        if _is_whole(unit.row, unit.end_row, broken):
            known.setdefault(before.rows(unit.row, unit.end_row + 1), []).append(unit)
        if isinstance(unit.node, ast.ClassDef):
            classes[unit.node.name] = unit
    units = []
    for unit in made:
        same = known.get(unit.text.rows(unit.row, unit.end_row + 1))
        node = unit.node
        if same and type(same[0].node) is type(node) and same[0].node.col_offset == node.col_offset:
            old = same.pop(0)
            classes.pop(getattr(old.node, "name", ""), None)
            units.append(old.move(unit.text, unit.row - old.row))
        elif isinstance(node, ast.ClassDef) and node.name in classes:
            units.append(_body_taken_over(classes.pop(node.name), unit, before, broken))
        else:
            units.append(unit)
    return units


def _body_taken_over(old: Unit, new: Unit, before: Text, broken: Sequence[tuple[int, int]]) -> Unit:
    """The earlier unit of a class with the new tree, in which statements of the same text are the earlier ones."""
    assert isinstance(old.node, ast.ClassDef)
    assert isinstance(new.node, ast.ClassDef)
    new.node.body = _same_statements(
        _Members(old.node.body, old.shift, before),
        _Members(new.node.body, new.shift, new.text),
        broken,
    )
    old.become(new, same_header=False)
    return old


def _same_statements(old: _Members, new: _Members, broken: Sequence[tuple[int, int]]) -> list[ast.stmt]:
    """The new statements of a body, or the old ones whose text they have, at their new place.

    :param broken: rows of the old text whose statements have other trees than their text says.
    """
    known: dict[str, list[ast.stmt]] = {}
    for index, child in enumerate(old.body):
        if _is_whole(old.first_row(index), old.last_row(index), broken):
            known.setdefault(old.text_of(index), []).append(child)
    body: list[ast.stmt] = []
    for index, child in enumerate(new.body):
        same = known.get(new.text_of(index))
        if same and type(same[0]) is type(child) and same[0].col_offset == child.col_offset:
            kept = same.pop(0)
            if kept.lineno != child.lineno:
                ast.increment_lineno(kept, child.lineno - kept.lineno)
            body.append(kept)
        else:
            body.append(child)
    return body


class _Members:
    """Statements of a class's body, and their rows in the file."""

    def __init__(self, body: list[ast.stmt], shift: int, text: Text) -> None:
        self.body = body
        self._shift = shift
        self._text = text

    def first_row(self, index: int) -> int:
        return first_line(self.body[index]) - 1 + self._shift

    def last_row(self, index: int) -> int:
        child = self.body[index]
        return (child.end_lineno or child.lineno) - 1 + self._shift

    def text_of(self, index: int) -> str:
        return self._text.rows(self.first_row(index), self.last_row(index) + 1)

    def around(self, first: int, end: int) -> tuple[int, int]:
        """Of the rows (half-open): the statements that they touch, and one more on each side (half-open)."""
        count = len(self.body)
        start = bisect_left(range(count), first, key=self.last_row) - 1
        stop = bisect_left(range(count), end, key=self.first_row) + 1
        return start, min(stop, count)

    def apart(self, start: int, end: int) -> bool:
        """Do statements from ``start`` to ``end`` share no row with those before and behind?"""
        before = self.last_row(start - 1) < self.first_row(start)
        return before and (end == len(self.body) or self.last_row(end - 1) < self.first_row(end))


@dataclass(frozen=True, slots=True)
class _Body:
    """Some statements of a class's body, parsed alone."""

    body: list[ast.stmt]
    problems: tuple[SyntaxProblem, ...] = ()
    broken: tuple[tuple[int, int], ...] = ()


def _members_alone(text: Text, first: int, last: int, shift: int) -> _Body | None:
    """The rows (half-open) as statements of a class; None when they are not exactly that."""
    above, content = first - 1, "class _:\n" + text.rows(first, last)
    made = _tried("\n" * above + content)
    problems: tuple[SyntaxProblem, ...] = ()
    broken: tuple[tuple[int, int], ...] = ()
    moved = -shift
    if isinstance(made, SyntaxError):
        if not isinstance(_tried(text.content), SyntaxError):
            return None
        made, found, broken = _recover(content, made, above)
        problems = tuple(found)
        moved += above
    if moved:
        ast.increment_lineno(made, moved)
    only = made.body[0] if len(made.body) == 1 else None
    return _Body(only.body, problems, broken) if isinstance(only, ast.ClassDef) else None


def _with_body(node: ast.ClassDef, body: list[ast.stmt]) -> ast.ClassDef:
    """The class, another object, with another body."""
    made = ast.ClassDef(**{name: getattr(node, name) for name in node._fields if hasattr(node, name)})
    made.body = body
    ast.copy_location(made, node)
    made.end_lineno, made.end_col_offset = body[-1].end_lineno, body[-1].end_col_offset
    return made


def _is_whole(first: int, last: int, broken: Sequence[tuple[int, int]]) -> bool:
    return all(last < broken_first or broken_last < first for broken_first, broken_last in broken)


def _whole(path: Path, text: Text) -> Parsed:
    return Parsed(path, text, tuple(_units(_parse(text.content), text, path, 0)), ())


def _units(tree: ast.Module, text: Text, path: Path, shift: int) -> list[Unit]:
    return [Unit(node, shift, text, path) for node in tree.body]


def _parse(content: str) -> ast.Module:
    """:raises SyntaxError: also for what CPython reports otherwise (nesting too deep, bad characters)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(content)
        except (RecursionError, MemoryError):
            raise SyntaxError("nested too deeply") from None
        except ValueError as error:
            raise SyntaxError(str(error)) from None
    if ":=" in content:
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt) and any(True for _ in walruses(node)):
                node.__dict__[_WALRUS] = True
    return tree


def binds_inside(statement: ast.AST) -> bool:
    """Do the expressions of a statement bind names (PEP 572)? Those of the statements inside it do not count."""
    return _WALRUS in statement.__dict__


def walruses(node: ast.AST) -> Iterator[ast.expr]:
    """The names that the expressions of a node bind (PEP 572), of the comprehensions in it, too.

    Statements inside a statement are left out, and the bodies of lambdas, which keep what they bind.
    """
    stack = [node]
    while stack:
        for child in ast.iter_child_nodes(stack.pop()):
            if isinstance(child, ast.NamedExpr):
                yield child.target
            if not isinstance(child, ast.stmt):
                stack.append(child.args if isinstance(child, ast.Lambda) else child)


def _tried(content: str) -> ast.Module | SyntaxError:
    try:
        return _parse(content)
    except SyntaxError as error:
        return error


def _blank_outside(text: Text, first: int, last: int) -> str:
    """The rows alone, moved down by empty lines so that line numbers stay those of the file."""
    return "\n" * first + text.rows(first, last)


def _recover(
    content: str, error: SyntaxError, first_row: int
) -> tuple[ast.Module, list[SyntaxProblem], tuple[tuple[int, int], ...]]:
    """Blank what does not parse until the rest does; the last of the result are the rows (inclusive) of the file
    that were blanked. Rows keep their numbers and lengths do not matter.

    parso's error recovery names the broken statements; where CPython still refuses, the statement that it
    points at goes too.
    """
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", content)
    problems: list[SyntaxProblem] = []
    blanked: list[tuple[int, int]] = []

    def blank(first: int, last: int, *, keep: bool = True) -> None:
        _blank(lines, first, last, keep=keep)
        blanked.append((first_row + first, first_row + last))

    if error.lineno is not None:
        problems.append(_problem(error))
        for first, last in _broken_rows(content):
            blank(first, last)
    else:
        # Nested too deeply: CPython does not say where.
        for message, first, last in _refused_rows(content, lines):
            problems.append(SyntaxProblem(message, first_row + first, 0))
            blank(first, last)
    for _ in range(_RECOVERY_ROUNDS):
        tree = _tried("".join(lines))
        if isinstance(tree, ast.Module):
            return tree, problems, tuple(blanked)
        if not problems:
            problems.append(_problem(tree))
        row = min(max((tree.lineno or 1) - 1, 0), len(lines) - 1)
        if isinstance(tree, IndentationError) and tree.msg == "unexpected indent":
            # The body of a header that was blanked. What stands above has nothing to do with it.
            blank(row, _last_row(lines, row, _indent(lines[row]) - 1), keep=False)
            continue
        if not lines[row].strip():
            row = next((r for r in range(row, -1, -1) if lines[r].strip()), row)
        first, last = _statement_around(lines, row)
        blank(first, last)
    everything = ((first_row, first_row + len(lines) - 1),)
    return ast.Module(body=[], type_ignores=[]), problems or [_problem(error)], everything


def _problem(error: SyntaxError) -> SyntaxProblem:
    row = max((error.lineno or 1) - 1, 0)
    return SyntaxProblem(error.msg, row, max((error.offset or 1) - 1, 0))


def _broken_rows(content: str) -> list[tuple[int, int]]:
    """Rows (inclusive) of the statements in which parso finds an error."""
    from parso.grammar import load_grammar

    try:
        module = load_grammar().parse(content)
    except (RecursionError, ValueError):
        return []
    found: list[tuple[int, int]] = []
    stack = list(module.children)
    while stack:
        node = stack.pop()
        if node.type in ("error_node", "error_leaf"):
            found.append((node.start_pos[0] - 1, node.end_pos[0] - 1))
        elif hasattr(node, "children"):
            stack.extend(node.children)
    apart: list[tuple[int, int]] = []
    for first, last in sorted(found):
        if apart and first <= apart[-1][1]:
            # Of one broken line there may be several pieces.
            apart[-1] = (apart[-1][0], max(last, apart[-1][1]))
        else:
            apart.append((first, last))
    return apart


def _refused_rows(content: str, lines: list[str]) -> list[tuple[str, int, int]]:
    """Rows (inclusive) of the top-level statements that CPython refuses when they stand alone, and why."""
    from parso.grammar import load_grammar

    try:
        module = load_grammar().parse(content)
    except (RecursionError, ValueError):
        return []
    found: list[tuple[str, int, int]] = []
    for node in module.children:
        first, (end, column) = node.start_pos[0] - 1, node.end_pos
        last = end - 1 if column else end - 2
        if last < first:
            continue
        tree = _tried("".join(lines[first : last + 1]))
        if isinstance(tree, SyntaxError):
            found.append((tree.msg, first, last))
    return found


def _blank(lines: list[str], first: int, last: int, *, keep: bool) -> None:
    """Replace rows by nothing, or by ``pass`` at the first row's indentation to ``keep`` a block non-empty."""
    last = min(last, len(lines) - 1)
    if first > last:
        return
    opening = lines[first]
    indentation = opening[: len(opening) - len(opening.lstrip(" \t\f"))]
    for row in range(first, last + 1):
        ending = lines[row][len(lines[row].rstrip("\r\n")) :]
        placeholder = keep and row == first and indentation and lines[row].strip() != "pass"
        lines[row] = f"{indentation}pass{ending}" if placeholder else ending


def _statement_around(lines: list[str], row: int) -> tuple[int, int]:
    """The rows of the smallest block-like run of lines around ``row``: it and what is indented below it."""

    if lines[row].strip() == "pass" or not lines[row].strip():
        first = row
        while first > 0 and (not lines[first].strip() or _indent(lines[first]) > 0):
            first -= 1
    else:
        first = row
    return first, _last_row(lines, max(first, row), _indent(lines[first]))


def _last_row(lines: list[str], row: int, width: int) -> int:
    """The last of the rows from ``row`` on that are indented by more than ``width``, or blank."""
    last = row
    while last + 1 < len(lines) and (not lines[last + 1].strip() or _indent(lines[last + 1]) > width):
        last += 1
    return last


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t\f"))
