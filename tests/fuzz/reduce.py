"""Makes a disagreeing program small: takes out statements and parts of expressions while it still disagrees alike.

Hypothesis could shrink, one run of pytest at a time. Judged in batches, all the ways to make a program a little
smaller cost about as much as one.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator

from fuzz.grammar import Program
from fuzz.judge import Judge, Verdict

_ROUNDS = 25
_MOST = 80
"""Candidates in a round."""
_LISTS = (
    "body",
    "orelse",
    "handlers",
    "finalbody",
    "decorator_list",
    "args",
    "keywords",
    "elts",
    "items",
    "names",
)


def reduce(judge: Judge, kind: str, verdict: Verdict) -> Verdict:
    """The smallest program found with the disagreement ``kind``."""
    best = verdict
    for _ in range(_ROUNDS):
        known = {str(best.program)}
        candidates: list[Program] = []
        for program in _smaller(best.program):
            if (
                str(program) not in known
                and len(str(program)) < len(str(best.program))
                and len(candidates) < _MOST
            ):
                known.add(str(program))
                candidates.append(program)
        judged = judge.judge(candidates) if candidates else []
        kept = [
            found for found in judged if kind in found.disagreements and found.exception == verdict.exception
        ]
        if not kept:
            return best
        best = min(kept, key=lambda found: len(str(found.program)))
    return best


def _smaller(program: Program) -> Iterator[Program]:
    for name in program.files:
        if name != "test_example.py":
            yield Program({k: v for k, v in program.files.items() if k != name}, program.features)
    for name, text in program.files.items():
        for tree in edits(ast.parse(text)):
            try:
                written = ast.unparse(ast.fix_missing_locations(tree))
                compile(written, name, "exec")
            except (SyntaxError, ValueError, TypeError, AttributeError):
                continue
            marked = re.sub(r"(\.assert_called_once)$", r"\1  # vain: US402", written, flags=re.MULTILINE)
            marked = re.sub(r"(\.called_\w+\(.*\))$", r"\1  # vain: US401", marked, flags=re.MULTILINE)
            marked = re.sub(r"(\.await_count)$", r"\1  # vain: US105", marked, flags=re.MULTILINE)
            marked = re.sub(r"(retrun_value=.*\))$", r"\1  # vain: US406", marked, flags=re.MULTILINE)
            yield Program({**program.files, name: marked}, program.features)


def edits(tree: ast.Module) -> Iterator[ast.Module]:
    """Copies of the tree with one thing less, the large things first."""
    count = sum(1 for _ in ast.walk(tree))
    for index in range(count):
        for field in _LISTS:
            for position in range(len(_field(tree, index, field))):
                changed = copy.deepcopy(tree)
                items = _field(changed, index, field)
                item = items.pop(position)
                yield changed
                if isinstance(item, ast.stmt) and field in ("body", "orelse"):
                    changed = copy.deepcopy(tree)
                    _field(changed, index, field)[position : position + 1] = getattr(item, "body", None) or [
                        ast.Pass()
                    ]
                    yield changed
    for index in range(count):
        yield from _without_step(tree, index)


def _field(tree: ast.Module, index: int, field: str) -> list[ast.AST]:
    node = list(ast.walk(tree))[index]
    found = getattr(node, field, [])
    return found if isinstance(found, list) else []


def _without_step(tree: ast.Module, index: int) -> Iterator[ast.Module]:
    """Replace an expression by what it is made from: ``x.first()`` by ``x.first`` or ``x``."""
    parent = list(ast.walk(tree))[index]
    for field, value in ast.iter_fields(parent):
        inner = _made_from(value) if isinstance(value, ast.expr) else None
        if inner is not None:
            changed = copy.deepcopy(tree)
            setattr(list(ast.walk(changed))[index], field, copy.deepcopy(inner))
            yield changed


def _made_from(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Call):
        return node.func
    if isinstance(node, (ast.Await, ast.Attribute, ast.Subscript)):
        return node.value
    return None
