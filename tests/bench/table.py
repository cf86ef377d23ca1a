"""What a benchmark gives: tables of medians with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Series:
    """One figure, measured several times."""

    values: tuple[float, ...]
    unit: str = "ms"

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        """The median, and the smallest and largest value: ``12 (11-15)``."""
        return f"{_short(self.median)} ({_short(min(self.values))}–{_short(max(self.values))})"


@dataclass
class Table:
    """Rows of figures under one heading; a cell is a text or a series."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str | Series]] = field(default_factory=list)
    note: str = ""
    broken: list[str] = field(default_factory=list)
    """Limits that are not kept, a sentence each: the run ends with 1."""

    def markdown(self) -> str:
        right = ["---", *("---:" for _ in self.columns[1:])]
        lines = [f"## {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += [
            _row(self.columns),
            _row(right),
            *(_row([str(cell) for cell in row]) for row in self.rows),
            "",
        ]
        return "\n".join(lines)


class Benchmark(Protocol):
    """A module of ``tests/bench`` with a function ``measure`` is a benchmark."""

    def measure(self, repeats: int) -> list[Table]:
        """Measure each figure ``repeats`` times.

        :raises Unavailable: what it works on is not here.
        """


class Unavailable(Exception):
    """A benchmark cannot run; ``str()`` says what to do first."""


def repeated(repeats: int, once: Callable[[], float], unit: str = "ms") -> Series:
    """A figure, measured several times by a function that gives it."""
    return Series(tuple(once() for _ in range(repeats)), unit)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
