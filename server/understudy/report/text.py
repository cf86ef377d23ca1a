"""Findings for people: the message, the code it is about, the evidence beside it and the fix.

The drawing is plain ASCII, as rustc's; colours and the terminal's width are the caller's to ask for, or those
:func:`look` finds out.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, TextIO

from understudy.finding import Applicability, Finding, Severity
from understudy.fixes.apply import applicable
from understudy.report import TextOf, display_place, one_line, plural, visible
from understudy.source.span import Span
from understudy.source.text import SourceError, Text

_STYLES: Final = {
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold blue",
    "hint": "bold cyan",
    "gutter": "bold blue",
    "related": "bold blue",
    "message": "bold",
    "name": "dim",
    "help": "bold green",
    "aside": "dim",
    "plain": "",
}
_TAB = 4
_PRIMARY_CONTEXT = 2
_RELATED_CONTEXT = 1
_LONG_SPAN = 7
"""Spans of more rows show their first and last ones only."""
_SHOWN_HEAD, _SHOWN_TAIL = 3, 2
_WIDTH_OF_FILES = 160
_LEAST_WIDTH = 20
_LEAST_LABEL = 24
_EXACT_WIDTHS = 500

Segments = list[tuple[str, str]]
"""Text and the name of its style."""


@dataclass(frozen=True, slots=True)
class Look:
    """How wide to draw, and whether in colour. Without a width, code is cropped at 160, labels never wrap."""

    width: int | None = None
    color: bool = False


def look(stream: TextIO) -> Look:
    """The terminal's width and colours; ``NO_COLOR`` and ``FORCE_COLOR`` are honoured, in this order."""
    terminal = stream.isatty()
    forced = bool(os.environ.get("FORCE_COLOR"))
    if not terminal and not forced:
        return Look()
    from rich.console import Console

    console = Console(file=stream)
    color = (forced or console.color_system is not None) and not os.environ.get("NO_COLOR")
    return Look(console.width if terminal else None, color)


def render(findings: Iterable[Finding], text_of: TextOf, base: Path, look: Look = Look()) -> str:
    """Each finding with its source, then a blank line."""
    paint = _painter(look.color)
    drawing = _Drawing(text_of, base, look.width)
    return "".join(
        "".join(
            "".join(paint(text, style) for text, style in line).rstrip(" ") + "\n"
            for line in drawing.lines(finding)
        )
        + "\n"
        for finding in findings
    )


def summary(findings: Iterable[Finding], known: int | None = None, *, so_far: bool = False) -> str:
    """One sentence: how many of what, in how many files, and what can be fixed.

    :param known: how many findings are not among them because a baseline has them; None without a baseline.
    """
    findings = list(findings)
    limit = " so far" if so_far else ""
    aside = "" if known is None else f"; {known or 'none'} in the baseline"
    if not findings:
        return f"No {'' if known is None else 'new '}findings{limit}{aside}.\n"
    counts = Counter(finding.severity for finding in findings)
    kinds = [plural(counts[severity], severity.value) for severity in Severity if counts[severity]]
    listed = " and ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))
    files = plural(len({finding.path for finding in findings}), "file")
    safe = sum(applicable(finding, unsafe=False) is not None for finding in findings)
    unsafe = sum(applicable(finding, unsafe=True) is not None for finding in findings) - safe
    fixable = ""
    if safe:
        fixable = f"; {safe} can be fixed with --fix" + (
            f" ({unsafe} more with --unsafe-fixes)" if unsafe else ""
        )
    elif unsafe:
        fixable = f"; {unsafe} can be fixed with --unsafe-fixes"
    return f"Found {listed} in {files}{limit}{fixable}{aside}.\n"


def _painter(color: bool) -> Callable[[str, str], str]:
    if not color:
        return lambda text, style: text
    from rich.color import ColorSystem
    from rich.style import Style

    @lru_cache
    def codes(name: str) -> tuple[str, str]:
        before, _, after = (
            Style.parse(_STYLES[name]).render("\0", color_system=ColorSystem.STANDARD).partition("\0")
        )
        return before, after

    def paint(text: str, style: str) -> str:
        before, after = codes(style)
        return f"{before}{text}{after}"

    return paint


@dataclass(slots=True)
class _Mark:
    """A place to point at, clamped to its text."""

    span: Span
    labels: list[str]
    style: str
    primary: bool
    lane: int = 0

    @property
    def sign(self) -> str:
        return "^" if self.primary else "-"

    @property
    def multiline(self) -> bool:
        return self.span.row != self.span.end_row

    @property
    def rows(self) -> set[int]:
        span = self.span
        context = _PRIMARY_CONTEXT if self.primary else _RELATED_CONTEXT
        rows = {*range(span.row - context, span.row), *range(span.end_row + 1, span.end_row + context + 1)}
        if span.end_row - span.row < _LONG_SPAN:
            return rows | set(range(span.row, span.end_row + 1))
        return (
            rows
            | {*range(span.row, span.row + _SHOWN_HEAD)}
            | {*range(span.end_row - _SHOWN_TAIL + 1, span.end_row + 1)}
        )


@dataclass(slots=True)
class _Frame:
    """One file's part of a finding. Without text, only the places are named."""

    path: Path
    text: Text | None
    problem: str = ""
    marks: list[_Mark] = field(default_factory=list)

    def shown_rows(self) -> list[int]:
        """Sorted. Blank rows at the edges are left out; a single row between two shown ones is shown."""
        if self.text is None:
            return []
        pointed = {row for mark in self.marks for row in (mark.span.row, mark.span.end_row)}
        rows = sorted(row for mark in self.marks for row in mark.rows if 0 <= row < self.text.row_count)
        rows = sorted(
            {*rows, *(row + 1 for row in rows if row + 2 in rows and row + 1 < self.text.row_count)}
        )
        blocks: list[list[int]] = []
        for row in rows:
            if blocks and blocks[-1][-1] == row - 1:
                blocks[-1].append(row)
            else:
                blocks.append([row])
        for block in blocks:
            for edge in (0, -1):
                while block and block[edge] not in pointed and not self.text.line(block[edge]).strip():
                    del block[edge]
        return [row for block in blocks for row in block]

    def place_lanes(self) -> int:
        """Give each mark of several rows a column of its own at the left; how many there are."""
        ends: list[int] = []
        for mark in sorted(
            (m for m in self.marks if m.multiline), key=lambda m: (m.span.row, -m.span.end_row)
        ):
            lane = next((number for number, end in enumerate(ends) if end < mark.span.row), len(ends))
            mark.lane = lane
            ends[lane : lane + 1] = [mark.span.end_row]
        return len(ends)


class _Drawing:
    def __init__(self, text_of: TextOf, base: Path, width: int | None) -> None:
        self._text_of = text_of
        self._base = base
        self._width = width

    def lines(self, finding: Finding) -> Iterator[Segments]:
        severity = finding.severity.value
        yield [
            (f"{severity}[{finding.code}]", severity),
            (f" {finding.name}", "name"),
            (f": {one_line(finding.message)}", "message"),
        ]
        frames = self._frames(finding)
        rows = [frame.shown_rows() for frame in frames]
        last = max((row for shown in rows for row in shown), default=0)
        gutter = len(str(last + 1))
        if any(later - earlier > 1 for shown in rows for earlier, later in pairwise(shown)):
            gutter = max(gutter, len("..."))
        for number, (frame, shown) in enumerate(zip(frames, rows, strict=True)):
            first = frame.marks[0].span
            place = one_line(display_place(frame.path, first, self._base))
            yield [(" " * gutter, "plain"), ("::: " if number else "--> ", "gutter"), (place, "plain")]
            if frame.text is None:
                yield from _unshown(frame, gutter)
                continue
            yield _bar(gutter)
            yield from _Canvas(frame, frame.text, gutter, self._width).draw(shown)
            yield _bar(gutter)
        for fix in finding.fixes:
            option = "--fix" if fix.applicability is Applicability.SAFE else "--unsafe-fixes"
            yield [
                ("help", "help"),
                (f": {one_line(fix.title)}", "plain"),
                (f" (apply with {option})", "aside"),
            ]

    def _frames(self, finding: Finding) -> list[_Frame]:
        frames: dict[Path, _Frame] = {}
        marks: dict[tuple[Path, Span], _Mark] = {}
        places = [(finding.path, finding.span, "")]
        places += [(related.path, related.span, related.message) for related in finding.related]
        for number, (path, span, label) in enumerate(places):
            frame = frames.get(path)
            if frame is None:
                frame = frames[path] = self._frame(path)
            if frame.text is not None:
                span = _clamped(span, frame.text)
            mark = marks.get((path, span))
            if mark is None:
                style = "related" if number else finding.severity.value
                mark = marks[path, span] = _Mark(span, [], style, primary=number == 0)
                frame.marks.append(mark)
            if label:
                mark.labels.append(one_line(label))
        return list(frames.values())

    def _frame(self, path: Path) -> _Frame:
        try:
            return _Frame(path, self._text_of(path))
        except SourceError as error:
            return _Frame(path, None, str(error))


def _bar(gutter: int) -> Segments:
    return [(" " * (gutter + 1), "plain"), ("|", "gutter")]


def _unshown(frame: _Frame, gutter: int) -> Iterator[Segments]:
    notes = [f"row {mark.span.row + 1}: {label}" for mark in frame.marks for label in mark.labels]
    for note in [f"the source is not shown: it {one_line(frame.problem)}", *notes]:
        yield [(" " * (gutter + 1), "plain"), ("= ", "gutter"), (note, "plain")]


def _clamped(span: Span, text: Text) -> Span:
    """Inside the text. A span that ends in front of a row ends behind the one before."""
    row = min(span.row, text.row_count - 1)
    end_row = max(min(span.end_row, text.row_count - 1), row)
    column = min(span.column, len(text.line(row)))
    end_column = min(span.end_column, len(text.line(end_row)))
    if end_row > row and end_column == 0:
        end_row -= 1
        end_column = len(text.line(end_row))
    if end_row == row:
        end_column = max(end_column, column)
    return Span(row, column, end_row, end_column)


class _Line:
    """A row of source as a terminal shows it, and the cell at which each of its columns starts."""

    def __init__(self, content: str) -> None:
        self._pieces: list[str] = []
        self._cells: list[int] = [0]
        if content.isascii() and content.isprintable():
            self._pieces = list(content)
            self._cells = list(range(len(content) + 1))
        else:
            self._measure(content)
        self._first = 0
        self._last = len(self._pieces)

    def _measure(self, content: str) -> None:
        from rich.cells import cell_len

        shown = ""
        for character in content:
            start = self._cells[-1]
            piece = " " * (_TAB - start % _TAB) if character == "\t" else visible(character)
            self._pieces.append(piece)
            if len(content) <= _EXACT_WIDTHS:
                # The width of what comes before with it: an emoji of several code points is as wide as one.
                shown += piece
                self._cells.append(max(cell_len(shown), start))
            else:
                self._cells.append(start + cell_len(piece))

    def crop(self, needed: Sequence[tuple[int, int]], width: int) -> None:
        """Show at most ``width`` cells, around the needed ranges of columns."""
        if self._cells[-1] <= width:
            return
        low = self._cells[min((first for first, _ in needed), default=0)]
        high = self._cells[max((last for _, last in needed), default=0)]
        if high - low > width - 2 and needed:
            # They do not fit together: the first one, which is the primary place when it is here, wins.
            low, high = self._cells[needed[0][0]], self._cells[needed[0][1]]
        start = 0
        if high >= width:
            start = max(low - max((width - (high - low)) // 2, 0) - 1, 0)
        while self._first < len(self._pieces) and self._cells[self._first] < start:
            self._first += 1
        room = self._cells[self._first] + width - 1 - bool(self._first)
        while self._last > self._first and self._cells[self._last] > room:
            self._last -= 1

    @property
    def content(self) -> str:
        left = "…" if self._first else ""
        right = "…" if self._last < len(self._pieces) else ""
        return left + "".join(self._pieces[self._first : self._last]) + right

    def cell(self, column: int) -> int:
        """Where a column is shown; one that is cropped off is at the nearest end."""
        column = min(max(column, self._first), self._last)
        return self._cells[column] - self._cells[self._first] + bool(self._first)

    def cells(self, first: int, last: int) -> tuple[int, int]:
        """Where a range is shown; at least one cell wide."""
        start = self.cell(first)
        return start, max(self.cell(last), start + 1)


class _Canvas:
    """Draws the rows of one frame with what points at them."""

    def __init__(self, frame: _Frame, text: Text, gutter: int, width: int | None) -> None:
        self._marks = frame.marks
        self._text = text
        self._gutter = gutter
        self._lanes = frame.place_lanes()
        self._wraps = width is not None
        used = gutter + len(" | ") + 2 * self._lanes
        self._room = max((width or _WIDTH_OF_FILES) - used, _LEAST_WIDTH)

    def draw(self, rows: Sequence[int]) -> Iterator[Segments]:
        previous: int | None = None
        for row in rows:
            if previous is not None and row > previous + 1:
                yield [
                    ("...", "gutter"),
                    (" " * (self._gutter - 3 + len(" | ")), "plain"),
                    *self._lanes_between(row),
                ]
            yield from self._row(row)
            previous = row

    def _row(self, row: int) -> Iterator[Segments]:
        line = _Line(self._text.line(row))
        inside = [mark for mark in self._marks if not mark.multiline and mark.span.row == row]
        begins = [mark for mark in self._marks if mark.multiline and mark.span.row == row]
        ends = [mark for mark in self._marks if mark.multiline and mark.span.end_row == row]
        needed = [(mark.span.column, mark.span.end_column) for mark in inside]
        needed += [
            (mark.span.column, mark.span.column + 1)
            for mark in begins
            if mark.span.column < len(self._text.line(row))
        ]
        needed += [(mark.span.end_column - 1, mark.span.end_column) for mark in ends]
        line.crop(needed, self._room)

        indent = len(self._text.line(row)) - len(self._text.line(row).lstrip())
        corner = [mark for mark in begins if mark.span.column <= indent]
        left = self._lane_cells(row, corner)
        yield [(f"{row + 1:>{self._gutter}} | ", "gutter"), *left, (line.content, "plain")]

        yield from self._underlines(row, line, inside)
        for mark in begins:
            if mark not in corner:
                yield [*self._margin(), *self._reach(row, mark, line.cell(mark.span.column), " ")]
        for mark in sorted(ends, key=lambda mark: -mark.lane):
            yield from self._end(row, mark, line)

    def _underlines(self, row: int, line: _Line, marks: list[_Mark]) -> Iterator[Segments]:
        """Marks share a line as long as neither they nor their labels meet."""
        layers: list[list[tuple[int, int, _Mark]]] = []
        placed = [(*line.cells(mark.span.column, mark.span.end_column), mark) for mark in marks]
        for start, end, mark in sorted(placed, key=lambda item: (not item[2].primary, -item[0])):
            reach = end + sum(len(label) + 1 for label in mark.labels)
            for layer in layers:
                if all(
                    reach < other or other_end + sum(len(label) + 1 for label in m.labels) < start
                    for other, other_end, m in layer
                ):
                    layer.append((start, end, mark))
                    break
            else:
                layers.append([(start, end, mark)])
        for layer in layers:
            layer.sort(key=lambda item: item[0])
            segments: Segments = [*self._margin(), *self._lane_cells(row, after=True)]
            position = 0
            rest: list[str] = []
            for start, end, mark in layer:
                segments += [(" " * (start - position), "plain"), (mark.sign * (end - start), mark.style)]
                position = end
                beside, below = self._labels(mark.labels, end + 1, start)
                if beside:
                    segments.append((f" {beside}", mark.style))
                    position += 1 + len(beside)
                rest = below
            yield segments
            for text in rest:
                yield [*self._margin(), *self._lane_cells(row, after=True), (text, layer[-1][2].style)]

    def _end(self, row: int, mark: _Mark, line: _Line) -> Iterator[Segments]:
        cell = line.cells(mark.span.end_column - 1, mark.span.end_column)[0]
        segments = [*self._margin(), *self._reach(row, mark, cell, "|")]
        beside, below = self._labels(mark.labels, cell + 2, cell)
        if beside:
            segments.append((f" {beside}", mark.style))
        yield segments
        for text in below:
            yield [*self._margin(), *self._lane_cells(row, after=True), (text, mark.style)]

    def _labels(self, labels: Sequence[str], beside: int, below: int) -> tuple[str, list[str]]:
        """What stands beside the mark, and the lines below it, indented."""
        if not labels:
            return "", []
        label = "; ".join(labels)
        if not self._wraps or beside + len(label) <= self._room:
            return label, []
        if self._room - beside >= _LEAST_LABEL:
            first, *others = textwrap.wrap(label, self._room - beside)
            return first, [" " * beside + other for other in others]
        indent = " " * max(min(below, self._room - 2 * _LEAST_LABEL), 0)
        return "", [indent + part for part in textwrap.wrap(label, self._room - len(indent))]

    def _margin(self) -> Segments:
        return [(" " * (self._gutter + 1), "plain"), ("| ", "gutter")]

    def _lane_cells(self, row: int, corner: Sequence[_Mark] = (), *, after: bool = False) -> Segments:
        """The left columns beside a row, or (``after``) beside the lines that point at it."""
        cells: Segments = [("  ", "plain")] * self._lanes
        for mark in self._marks:
            if not mark.multiline:
                continue
            if mark in corner:
                cells[mark.lane] = ("/ ", mark.style)
            elif mark.span.row < row <= mark.span.end_row or (after and self._begun_at_corner(mark, row)):
                cells[mark.lane] = ("| ", mark.style)
        return cells

    def _lanes_between(self, row: int) -> Segments:
        cells: Segments = [("  ", "plain")] * self._lanes
        for mark in self._marks:
            if mark.multiline and mark.span.row < row <= mark.span.end_row:
                cells[mark.lane] = ("| ", mark.style)
        return cells

    def _begun_at_corner(self, mark: _Mark, row: int) -> bool:
        line = self._text.line(row)
        return mark.span.row == row and mark.span.column <= len(line) - len(line.lstrip())

    def _reach(self, row: int, mark: _Mark, cell: int, corner: str) -> Segments:
        """A line from the mark's left column to a cell of the code."""
        cells = self._lane_cells(row, after=True)
        before = cells[: mark.lane]
        dashes = 2 * (self._lanes - mark.lane) - 1 + cell
        return [*before, (f"{corner}{'_' * dashes}{mark.sign}", mark.style)]
