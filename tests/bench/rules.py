"""What each rule costs: the largest test file, warm, once with all rules and once for each rule alone.

A rule that asks for the simulation of the tests pays for it here, although all rules share one.
"""

from __future__ import annotations

import time
from dataclasses import replace

from understudy.engine import Project
from understudy.rules import registry
from understudy.source.text import Text

from bench.engine import edited
from bench.subjects import largest
from bench.table import Series, Table


def measure(repeats: int) -> list[Table]:
    subject = largest()[0]
    table = Table(
        "Each rule alone",
        ["rule", "warm ms"],
        note=f"`{subject.name}` after an edit; CPU time. *none* is the file's parsing and facts.",
    )
    project = subject.project()
    original = project.workspace.text(subject.path).content
    rows: list[tuple[str, Series]] = []
    for code in ("none", "all", *registry.all_rules()):
        select = () if code == "none" else ("ALL",) if code == "all" else (code,)
        chosen = Project(project.root, replace(project.config, select=select))
        chosen.analyse(subject.path, _ignored)
        figures: list[float] = []
        for number in range(repeats + 1):
            text = edited(original, number)
            started = time.process_time()
            chosen.workspace.open(subject.path, Text(text))
            chosen.analyse(subject.path, _ignored)
            figures.append((time.process_time() - started) * 1000)
        rows.append((code, Series(tuple(figures[1:]))))
    rows.sort(key=lambda row: -row[1].median)
    table.rows += rows
    return [table]


def _ignored(code: str, error: Exception) -> None:
    """A rule that crashes is told of by the benchmark of the engine."""
