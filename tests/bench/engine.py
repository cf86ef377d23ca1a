"""The engine's cost on the five largest test files of the corpus: all rules, tier 1, no process or protocol around.

*cold*: a new project, nothing read yet; the files that the test imports are read and parsed, too. *warm*: the same
project after an edit that inserts a statement into a function in the middle of the file. CPU time of this process,
which looks for garbage as the server does.
"""

from __future__ import annotations

import ast
import gc
import time
from collections.abc import Callable

from understudy.lsp import garbage
from understudy.source.text import Text

from bench.subjects import Subject, largest
from bench.table import Series, Table

COLD_LIMIT, WARM_LIMIT = 1000.0, 50.0
"""Milliseconds for a file: whole, and after an edit."""


def measure(repeats: int) -> list[Table]:
    table = Table(
        "Engine, tier 1",
        ["file", "lines", "cold ms", "warm ms"],
        note=f"CPU time. Limits: {COLD_LIMIT:.0f} ms cold, {WARM_LIMIT:.0f} ms warm.",
    )
    crashed: dict[str, None] = {}

    def note(subject: Subject) -> Callable[[str, Exception], None]:
        return lambda code, error: crashed.update({f"{subject.name}: {code} crashed: {error}": None})

    for subject in largest():
        cold = Series(tuple(_cold(subject, note(subject)) for _ in range(repeats)))
        warm = Series(tuple(_warm(subject, repeats, note(subject))))
        table.rows.append([subject.name, str(subject.lines), cold, warm])
        for series, limit, kind in ((cold, COLD_LIMIT, "cold"), (warm, WARM_LIMIT, "warm")):
            if series.median > limit:
                table.broken.append(
                    f"{subject.name}: {series.median:.0f} ms {kind}, the limit is {limit:.0f} ms"
                )
    table.broken += crashed
    return [table]


def _cold(subject: Subject, on_error: Callable[[str, Exception], None]) -> float:
    project = subject.project()
    # As in a new process.
    gc.collect()
    gc.freeze()
    garbage.set_up()
    started = time.process_time()
    project.analyse(subject.path, on_error)
    return (time.process_time() - started) * 1000


def _warm(subject: Subject, repeats: int, on_error: Callable[[str, Exception], None]) -> list[float]:
    """One figure for each edit; the first, which reads what every later one has, is not counted."""
    project = subject.project()
    original = project.workspace.text(subject.path).content
    project.workspace.open(subject.path, Text(original))
    project.analyse(subject.path, on_error)
    garbage.Garbage().settle()
    figures: list[float] = []
    for number in range(repeats + 1):
        text = edited(original, number)
        started = time.process_time()
        project.workspace.open(subject.path, Text(text))
        project.analyse(subject.path, on_error)
        figures.append((time.process_time() - started) * 1000)
    return figures[1:]


def edited(text: str, number: int) -> str:
    """The text with one more statement, another for each number, in the function that is nearest to the middle."""
    lines = text.split("\n")
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    middle = min(functions, key=lambda node: abs(node.lineno - len(lines) // 2))
    first = middle.body[0]
    lines.insert(first.lineno - 1, f"{' ' * first.col_offset}edited = {number}")
    return "\n".join(lines)
