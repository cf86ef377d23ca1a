"""Makes a program of which something false is said small: takes out what it does not need for that."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuzz_flow.reduce import shorter, smallest
from understudy.project.config import Config

from fuzz_fixtures.compare import Verdict, check, judge, write
from fuzz_fixtures.programs import Program

_AT_ONCE = 6
_CHUNKS = (16, 4, 1)
"""How many statements are taken out at once."""


def reduce(verdict: Verdict, test: str, code: str, folder: Path) -> Program:
    """The smallest program found of whose test an error of this code is said, while it does what it did."""
    did = set(verdict.outcomes.get(test, ()))

    def false(candidates: list[Program]) -> list[Program]:
        said = [each for each in candidates if _says(each, test, code)]
        judged = judge(said, folder) if said else []
        return [found.program for found in judged if _is_same(found)]

    def _is_same(found: Verdict) -> bool:
        does = set(found.outcomes.get(test, ()))
        return test in found.false and does <= did and bool(does) == bool(did)

    best = _without_statements(verdict.program, 0, 0) or verdict.program
    for size in _CHUNKS:
        position = 0
        while (candidate := _without_statements(best, position, size)) is not None:
            if _size(candidate) < _size(best) and false([candidate]):
                best = candidate
            else:
                position += size
    return smallest(best, _smaller, _size, false, _AT_ONCE)


def _without_statements(program: Program, position: int, count: int) -> Program | None:
    """Without some of its statements, counted from the outer to the inner ones; None if there are not so many."""
    trees = {name: ast.parse(text) for name, text in program.files.items()}
    bodies = [
        body
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(body := getattr(node, "body", None), list)
    ]
    places = [(body, statement) for body in bodies for statement in body]
    for body, statement in places[position : position + count]:
        body.remove(statement)
    for body in bodies:
        if not body and all(body is not tree.body for tree in trees.values()):
            body.append(ast.Pass())
    if position >= len(places):
        return None
    return Program({name: ast.unparse(tree) for name, tree in trees.items()})


def _says(program: Program, test: str, code: str) -> bool:
    """The cheap half of the question."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "program")
        write(program, folder)
        return test in check(folder, Config(select=(code,)))


def _size(program: Program) -> tuple[int, str]:
    return sum(len(name) + len(text) for name, text in program.files.items()), str(program)


def _smaller(program: Program) -> Iterator[Program]:
    for name, text in program.files.items():
        yield Program({other: kept for other, kept in program.files.items() if other != name})
        for written in shorter(text):
            if len(written) < len(text):
                yield Program({**program.files, name: written})
