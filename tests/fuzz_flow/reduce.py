"""Makes a program of which something false is said small: takes out what it does not need for that."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from fuzz.reduce import edits

from fuzz_flow.compare import judge
from fuzz_flow.programs import Program

_ROUNDS = 60
_AT_ONCE = 24
Text = TypeVar("Text")
_NOT_CALLED = re.compile(r"\bm\.[pv]\d+\b(?!\()")
"""A probe that nobody calls is another program."""


def reduce(program: Program, test: str, folder: Path) -> Program:
    """The smallest program found that passes ``test`` though an error is said of it."""

    def false(candidates: list[Program]) -> Iterable[Program]:
        return [v.program for v in judge(candidates, folder) if test in v.false and not v.broken]

    return smallest(_with_one_test(program, test), _smaller, _size, false)


def smallest(
    best: Text,
    smaller: Callable[[Text], Iterable[Text]],
    size: Callable[[Text], Any],
    like_it: Callable[[list[Text]], Iterable[Text]],
    at_once: int = _AT_ONCE,
) -> Text:
    """What is left of a program when nothing smaller than it is like it.

    :param like_it: of some candidates those that are wrong in the same way.
    """
    for _ in range(_ROUNDS):
        candidates = sorted(set(smaller(best)), key=size)
        for start in range(0, len(candidates), at_once):
            kept = list(like_it(candidates[start : start + at_once]))
            if kept:
                best = min(kept, key=size)
                break
        else:
            return best
    return best


def _size(program: Program) -> tuple[int, str]:
    return len(program.code) + len(program.tests), str(program)


def _with_one_test(program: Program, test: str) -> Program:
    tree = ast.parse(program.tests)
    tree.body = [
        node for node in tree.body if not isinstance(node, ast.AsyncFunctionDef) or node.name == test
    ]
    return replace(program, tests=ast.unparse(tree))


def _smaller(program: Program) -> Iterator[Program]:
    for field, text in (("code", program.code), ("tests", program.tests)):
        for written in shorter(text):
            changed = replace(program, **{field: written})
            if _size(changed) < _size(program) and not _NOT_CALLED.search(changed.code):
                yield changed


def shorter(text: str) -> Iterator[str]:
    """The text with one thing less, where it can be compiled."""
    for tree in edits(ast.parse(text)):
        try:
            written = ast.unparse(ast.fix_missing_locations(tree))
            compile(written, "smaller", "exec")
        except (SyntaxError, ValueError, TypeError, AttributeError):
            continue
        yield written
