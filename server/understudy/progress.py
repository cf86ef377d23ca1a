"""How far a check is: a line on a terminal that is gone at the end; nothing elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import TextIO

from understudy.finding import Finding
from understudy.report import plural

_BETWEEN = 0.1
_BAR = 20
_WIDTH = 80
_SOON, _ENOUGH = 2.0, 0.02
"""Seconds, and the part of the files, before the time that is left is guessed."""


class Progress:
    """Bar, files, findings, time left."""

    def __init__(self, stream: TextIO, files: int, clock: Callable[[], float] = monotonic) -> None:
        self._stream = stream
        self._files = files
        self._done = 0
        self._found: set[tuple[str, Path, tuple[int, ...]]] = set()
        self._width = 0
        self._clock = clock
        self._start = clock()
        self._latest = self._start
        self._next = self._start + _BETWEEN
        self.shown = stream.isatty() and os.environ.get("TERM") != "dumb"
        """False: nothing is ever written."""

    def advance(self, findings: Iterable[Finding]) -> None:
        """One more file, with what was found; what several files lead to counts once."""
        self._done += 1
        self._latest = self._clock()
        if self.shown:
            self._found.update((finding.code, finding.path, tuple(finding.span)) for finding in findings)

    def draw(self) -> None:
        """The line as it is now, not too often."""
        if not self.shown or self._clock() < self._next:
            return
        self._next = self._clock() + _BETWEEN
        # One column less than there are: in the last one some terminals go on in the next line.
        line = self.line()[: _columns(self._stream) - 1]
        self._write(line.ljust(self._width))
        self._width = len(line)

    def line(self) -> str:
        """``Checking [=====>    ] 40 of 80 files, 3 findings, 12 s left``"""
        part = self._done / self._files if self._files else 1.0
        full = int(part * _BAR)
        bar = ("=" * full + (">" if full < _BAR else "")).ljust(_BAR)
        said = [f"{self._done} of {plural(self._files, 'file')}", plural(len(self._found), "finding")]
        now = self._clock()
        if now - self._start >= _SOON and part >= _ENOUGH and self._done < self._files:
            # As of the latest file: while nothing comes back, the time that is left gets less and not more.
            end = self._start + (self._latest - self._start) / part
            if end > now:
                said.append(f"{_duration(end - now)} left")
        return f"Checking [{bar}] {', '.join(said)}"

    def clear(self) -> None:
        if self._width:
            self._write(" " * self._width)
            self._write("")
            self._width = 0

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line}")
        self._stream.flush()


def _duration(seconds: float) -> str:
    """Roughly, as people say it."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH
    except (OSError, ValueError):
        return _WIDTH
