"""What a benchmark gives: tables of medians with their spread."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

RESULTS = Path(__file__).parent / "RESULTS.md"
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)


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


def write(tables: Iterable[Table], results: Path = RESULTS) -> None:
    """Put tables into the page of results, each in place of the section with its title, or at the end."""
    head = "# What it costs\n\nWritten by `make bench`. Each section says what it was measured on.\n\n"
    machine = f"{os.cpu_count()} processors, {platform.python_implementation()} {platform.python_version()}"
    sections: dict[str, str] = {}
    if results.exists():
        for section in _SECTION.split(results.read_text("utf-8"))[1:]:
            sections[section.partition("\n")[0]] = section.rstrip("\n") + "\n"
    for table in tables:
        title, _, rest = table.markdown().partition("\n")
        sections[title] = f"{title}\n\nOn {machine}.\n{rest}"
    results.write_text(head + "\n".join(sections.values()), "utf-8")


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
