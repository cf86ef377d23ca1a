"""Makes a program of which something false is said small: takes out what it does not need for that."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fuzz.reduce import edits

from fuzz_flow.compare import judge
from fuzz_flow.programs import Program

_ROUNDS = 60
_AT_ONCE = 24
_NOT_CALLED = re.compile(r"\bm\.[pv]\d+\b(?!\()")
"""A probe that nobody calls is another program."""


def reduce(program: Program, test: str, folder: Path) -> Program:
    """The smallest program found that passes ``test`` though an error is said of it."""
    best = _with_one_test(program, test)
    for _ in range(_ROUNDS):
        candidates = sorted(set(_smaller(best)), key=_size)
        for start in range(0, len(candidates), _AT_ONCE):
            verdicts = judge(candidates[start : start + _AT_ONCE], folder)
            kept = [v.program for v in verdicts if test in v.false and not v.broken]
            if kept:
                best = min(kept, key=_size)
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
        for tree in edits(ast.parse(text)):
            try:
                written = ast.unparse(ast.fix_missing_locations(tree))
                compile(written, field, "exec")
            except (SyntaxError, ValueError, TypeError, AttributeError):
                continue
            changed = replace(program, **{field: written})
            if _size(changed) < _size(program) and not _NOT_CALLED.search(changed.code):
                yield changed
