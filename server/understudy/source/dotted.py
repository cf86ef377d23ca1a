"""``a.b.c`` as it stands in code."""

from __future__ import annotations

import ast


def dotted_parts(node: ast.expr) -> tuple[str, ...] | None:
    """A name and the attributes after it; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


def dotted_name(node: ast.expr) -> str | None:
    """As :func:`dotted_parts`, in one string."""
    parts = dotted_parts(node)
    return ".".join(parts) if parts is not None else None


def last_name(node: ast.expr) -> str | None:
    """The last part of the (called) dotted name in ``except X``, ``raise X(…)`` or ``pytest.raises(X)``."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return None
