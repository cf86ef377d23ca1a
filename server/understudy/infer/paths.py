"""Paths that code works out from where its file is: ``Path(__file__).parent / "src"``, ``os.path.join(HERE, "..")``."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from understudy.source.dotted import dotted_name
from understudy.source.parse import Parsed

_DEPTH = 12
_SAME = frozenset(
    {"str", "os.fspath", "os.path.abspath", "os.path.realpath", "os.path.normpath", "pathlib.Path", "Path"}
)
_METHODS_SAME = frozenset({"resolve", "absolute", "as_posix", "expanduser"})


def path_of(parsed: Parsed, node: ast.expr, depth: int = 0) -> Path | None:
    """The path that an expression stands for, normalized; None where that is not known."""
    found = _text(parsed, node, depth)
    return Path(os.path.normpath(found)) if found is not None and os.path.isabs(found) else None


def _text(parsed: Parsed, node: ast.expr, depth: int) -> str | None:
    if depth > _DEPTH:
        return None
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return str(parsed.path) if node.id == "__file__" else _of_name(parsed, node.id, depth)
    if isinstance(node, ast.Attribute):
        inner = _text(parsed, node.value, depth + 1) if node.attr == "parent" else None
        return _above(inner)
    if isinstance(node, ast.Subscript):
        return _of_parents(parsed, node, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _joined([_text(parsed, each, depth + 1) for each in (node.left, node.right)])
    return _of_call(parsed, node, depth) if isinstance(node, ast.Call) and not node.keywords else None


def _of_name(parsed: Parsed, name: str, depth: int) -> str | None:
    values = [
        unit.node.value
        for unit in parsed.units
        if isinstance(unit.node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in unit.node.targets)
    ]
    return _text(parsed, values[0], depth + 1) if len(values) == 1 else None


def _of_parents(parsed: Parsed, node: ast.Subscript, depth: int) -> str | None:
    """``path.parents[n]``"""
    count = node.slice.value if isinstance(node.slice, ast.Constant) else None
    if (
        not isinstance(count, int)
        or not isinstance(node.value, ast.Attribute)
        or node.value.attr != "parents"
    ):
        return None
    found = _text(parsed, node.value.value, depth + 1)
    for _ in range(count + 1):
        found = _above(found)
    return found


def _of_call(parsed: Parsed, node: ast.Call, depth: int) -> str | None:
    given = [_text(parsed, argument, depth + 1) for argument in node.args]
    name = dotted_name(node.func)
    if name == "os.path.join":
        return _joined(given)
    if name == "os.path.dirname" and len(given) == 1:
        return _above(given[0])
    if name in _SAME and len(given) == 1:
        return given[0]
    if isinstance(node.func, ast.Attribute):
        owner = _text(parsed, node.func.value, depth + 1)
        if node.func.attr in _METHODS_SAME and not given:
            return owner
        if node.func.attr == "joinpath":
            return _joined([owner, *given])
    return None


def _above(path: str | None) -> str | None:
    return os.path.dirname(os.path.normpath(path)) if path is not None else None


def _joined(parts: list[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return os.path.join(*known) if parts and len(known) == len(parts) else None
