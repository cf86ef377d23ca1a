"""The line of progress: bar, files, findings, time left."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from understudy.finding import Finding, Severity
from understudy.progress import Progress
from understudy.source.span import Span


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def finding(row: int) -> Finding:
    return Finding("US101", "name", Severity.ERROR, "bad", Path("/p/t.py"), Span(row, 0, row, 1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("files", "seconds", "line"),
    [
        (0, 60, "Checking [>                   ] 0 of 40 files, 0 findings"),
        (1, 1, "Checking [>                   ] 1 of 40 files, 1 finding"),
        (10, 1.9, "Checking [=====>              ] 10 of 40 files, 10 findings"),
        (10, 4, "Checking [=====>              ] 10 of 40 files, 10 findings, 12 s left"),
        (20, 180, "Checking [==========>         ] 20 of 40 files, 20 findings, 3 min left"),
        (1, 200, "Checking [>                   ] 1 of 40 files, 1 finding, 2.2 h left"),
        (39, 30, "Checking [===================>] 39 of 40 files, 39 findings, 1 s left"),
        (40, 30, "Checking [====================] 40 of 40 files, 40 findings"),
    ],
)
def test_the_line(clock: Clock, files: int, seconds: float, line: str) -> None:
    progress = Progress(Terminal(), 40, clock)
    clock.now += seconds
    for row in range(files):
        progress.advance([finding(row)])
    assert progress.line() == line


def test_the_time_left_gets_less_while_nothing_comes_back(clock: Clock) -> None:
    progress = Progress(Terminal(), 4, clock)
    clock.now += 10
    progress.advance([])
    assert progress.line().endswith(" 1 of 4 files, 0 findings, 30 s left")
    clock.now += 20
    assert progress.line().endswith(" 1 of 4 files, 0 findings, 10 s left")
    clock.now += 20
    assert progress.line().endswith(" 1 of 4 files, 0 findings")


def test_a_finding_that_several_files_lead_to_counts_once(clock: Clock) -> None:
    progress = Progress(Terminal(), 2, clock)
    progress.advance([finding(1), finding(2)])
    progress.advance([finding(1)])
    assert "2 of 2 files, 2 findings" in progress.line()


def test_a_line_replaces_the_one_before_and_is_gone_at_the_end(clock: Clock) -> None:
    terminal = Terminal()
    progress = Progress(terminal, 9, clock)
    progress.draw()
    assert terminal.getvalue() == "", "what is over at once needs no line"
    clock.now += 5
    progress.advance([])
    progress.draw()
    progress.draw()
    first = progress.line()
    assert terminal.getvalue() == "\r" + first
    clock.now = 101
    progress.advance([])
    clock.now = 106
    progress.draw()
    progress.clear()
    second = progress.line()
    _, *shown = terminal.getvalue().split("\r")
    assert shown == [first, second.ljust(len(first)), " " * len(second), ""]


def test_the_line_is_cropped_to_the_terminal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.progress._columns", lambda stream: 30)
    terminal = Terminal()
    progress = Progress(terminal, 9, clock)
    clock.now += 1
    progress.draw()
    assert terminal.getvalue() == "\r" + progress.line()[:29]


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO(), "xterm"), (Terminal(), "dumb")])
def test_elsewhere_there_is_silence(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    progress = Progress(stream, 9, clock)
    clock.now += 5
    progress.advance([])
    progress.draw()
    progress.clear()
    assert stream.getvalue() == ""
