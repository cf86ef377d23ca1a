"""From text to :mod:`ast`, statement by statement, through syntax errors.

A file is kept as its top-level statements, each a :class:`Unit` with its own syntax tree. Unchanged units
survive an edit (only their row moves), and a syntax error in one does not take the others with it: while
somebody types, the broken statement is blanked and the rest is parsed as before.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.source.span import Span
from understudy.source.text import Text

_RECOVERY_ROUNDS = 20
_DEFINED_NAME = re.compile(r"(?:async\s+)?(?:def|class)\s+([^\W\d]\w*)")
_PLAIN_STRING = re.compile(r"""[rRuU]?("{3}|'{3}|"|')([^\\]*)\1""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """Why a statement was left out. ``message`` is CPython's own."""

    message: str
    row: int
    column: int


class Unit:
    """A top-level statement: its tree, and where it is in this version of the file.

    The tree's own line numbers are those of the parse that made it; ``shift`` leads to the rows of ``text``.
    Only :meth:`span` and its kin turn nodes into places.
    """

    __slots__ = ("node", "path", "shift", "text")

    def __init__(self, node: ast.stmt, shift: int, text: Text, path: Path) -> None:
        self.node = node
        self.shift = shift
        self.text = text
        self.path = path

    @property
    def row(self) -> int:
        """First row, decorators included."""
        return first_line(self.node) - 1 + self.shift

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

    def moved(self, text: Text, rows: int) -> Unit:
        return Unit(self.node, self.shift + rows, text, self.path)


class Parsed:
    """One version of one file."""

    __slots__ = ("path", "problems", "text", "units")

    def __init__(
        self, path: Path, text: Text, units: tuple[Unit, ...], problems: tuple[SyntaxProblem, ...]
    ) -> None:
        self.path = path
        self.text = text
        self.units = units
        self.problems = problems

    def walk(self) -> Iterator[tuple[Unit, ast.AST]]:
        for unit in self.units:
            for node in ast.walk(unit.node):
                yield unit, node

    def edited(self, text: Text) -> Parsed:
        """This file with new text; only the statements that an edit touched are parsed again."""
        if text.content == self.text.content:
            return self
        head, tail, first, last = self._kept(text)
        chunk = _blank_outside(text, first, last)
        try:
            middle = _parse(chunk)
        except SyntaxError as error:
            try:
                return _whole(self.path, text)
            except SyntaxError:
                pass
            recovered, problems = _recover(_rows(text, first, last), error, first)
            kept_problems = tuple(problems)
            middle_units = _units(recovered, text, self.path, first)
            return Parsed(self.path, text, (*head, *middle_units, *tail), kept_problems)
        return Parsed(self.path, text, (*head, *_units(middle, text, self.path, 0), *tail), ())

    def _kept(self, text: Text) -> tuple[list[Unit], list[Unit], int, int]:
        """Units before and after the changed rows, and the rows (half-open, of ``text``) to parse again.

        A unit beside the change is parsed again with it: an edit just below may continue it.
        """
        if self.problems:
            return [], [], 0, text.row_count
        old, new = self.text, text
        limit = min(old.row_count, new.row_count)
        same_head = 0
        while same_head < limit and old.raw_line(same_head) == new.raw_line(same_head):
            same_head += 1
        same_tail = 0
        while same_tail < limit - same_head and old.raw_line(old.row_count - 1 - same_tail) == new.raw_line(
            new.row_count - 1 - same_tail
        ):
            same_tail += 1
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
        head = [unit.moved(text, 0) for unit in self.units[:head_end]]
        tail = [unit.moved(text, grown) for unit in self.units[tail_start:]]
        first = head[-1].end_row + 1 if head else 0
        last = tail[0].row if tail else new.row_count
        return head, tail, first, max(first, last)


def parse(path: Path, text: Text) -> Parsed:
    """Parse a file; statements that do not parse are left out and named in ``problems``."""
    try:
        return _whole(path, text)
    except SyntaxError as error:
        tree, problems = _recover(text.content, error, 0)
        return Parsed(path, text, tuple(_units(tree, text, path, 0)), tuple(problems))


def first_line(node: ast.stmt) -> int:
    """1-based first line of a statement, decorators included."""
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _whole(path: Path, text: Text) -> Parsed:
    return Parsed(path, text, tuple(_units(_parse(text.content), text, path, 0)), ())


def _units(tree: ast.Module, text: Text, path: Path, shift: int) -> list[Unit]:
    return [Unit(node, shift, text, path) for node in tree.body]


def _parse(content: str) -> ast.Module:
    """:raises SyntaxError: also for what CPython reports otherwise (nesting too deep, bad characters)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(content)
        except (RecursionError, MemoryError):
            raise SyntaxError("nested too deeply") from None
        except ValueError as error:
            raise SyntaxError(str(error)) from None


def _tried(content: str) -> ast.Module | SyntaxError:
    try:
        return _parse(content)
    except SyntaxError as error:
        return error


def _rows(text: Text, first: int, last: int) -> str:
    start = text.starts[first] if first < text.row_count else len(text.content)
    end = text.starts[last] if last < text.row_count else len(text.content)
    return text.content[start:end]


def _blank_outside(text: Text, first: int, last: int) -> str:
    """The rows alone, moved down by empty lines so that line numbers stay those of the file."""
    return "\n" * first + _rows(text, first, last)


def _recover(content: str, error: SyntaxError, first_row: int) -> tuple[ast.Module, list[SyntaxProblem]]:
    """Blank what does not parse until the rest does. Rows keep their numbers and lengths do not matter.

    parso's error recovery names the broken statements; where CPython still refuses, the statement that it
    points at goes too.
    """
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", content)
    problems: list[SyntaxProblem] = []
    if error.lineno is not None:
        problems.append(_problem(error))
        for first, last in _broken_rows(content):
            _blank(lines, first, last)
    else:
        # Nested too deeply: CPython does not say where.
        for message, first, last in _refused_rows(content, lines):
            problems.append(SyntaxProblem(message, first_row + first, 0))
            _blank(lines, first, last)
    for _ in range(_RECOVERY_ROUNDS):
        tree = _tried("".join(lines))
        if isinstance(tree, ast.Module):
            return tree, problems
        if not problems:
            problems.append(_problem(tree))
        row = min(max((tree.lineno or 1) - 1, 0), len(lines) - 1)
        if not lines[row].strip():
            row = next((r for r in range(row, -1, -1) if lines[r].strip()), row)
        first, last = _statement_around(lines, row)
        _blank(lines, first, last)
    return ast.Module(body=[], type_ignores=[]), problems or [_problem(error)]


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
    return sorted(found)


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


def _blank(lines: list[str], first: int, last: int) -> None:
    """Replace rows by nothing, or by ``pass`` at the first row's indentation to keep a block non-empty."""
    last = min(last, len(lines) - 1)
    if first > last:
        return
    opening = lines[first]
    indentation = opening[: len(opening) - len(opening.lstrip(" \t\f"))]
    for row in range(first, last + 1):
        ending = lines[row][len(lines[row].rstrip("\r\n")) :]
        keep = f"{indentation}pass" if row == first and indentation and lines[row].strip() != "pass" else ""
        lines[row] = keep + ending


def _statement_around(lines: list[str], row: int) -> tuple[int, int]:
    """The rows of the smallest block-like run of lines around ``row``: it and what is indented below it."""

    def indent(r: int) -> int:
        return len(lines[r]) - len(lines[r].lstrip(" \t\f"))

    if lines[row].strip() == "pass" or not lines[row].strip():
        first = row
        while first > 0 and (not lines[first].strip() or indent(first) > 0):
            first -= 1
    else:
        first = row
    width = indent(first)
    last = max(first, row)
    while last + 1 < len(lines) and (not lines[last + 1].strip() or indent(last + 1) > width):
        last += 1
    return first, last
