"""Texts that are put together in code: what of them is written down."""

from __future__ import annotations

import ast


def beginning(node: ast.expr) -> str:
    """The text that a string begins with, as far as it is written down."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        node = node.left
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def ending(node: ast.expr) -> str | None:
    """The text that a string ends with, as far as it is written down; None where nothing of it is."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[-1]
    elif isinstance(node, ast.BinOp):
        node = node.right
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
