"""Attributes that code puts on a class from outside: ``User.rank = Column(…)``, ``setattr(User, "rank", …)``."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from understudy.index.workspace import Workspace
from understudy.source.parse import Parsed

_SETTERS = re.compile(
    rb"^[ \t]*(?:[\w\x80-\xff]+\.)*[A-Z\x80-\xff][\w\x80-\xff]*\.[\w\x80-\xff]+(?:\s*:[^=\n]+)?\s*=[^=]"
    rb"|(?<!\.)\bsetattr\(",
    re.MULTILINE,
)
_COMPUTED = ""
# By path, with the text it was read from.
_known: dict[Path, tuple[str, frozenset[tuple[str, str]]]] = {}


def set_on_class(workspace: Workspace, classes: set[str], name: str) -> bool:
    """Does any file set an attribute of this name, or of a computed one, on a class, or a module, called like one of
    these?"""
    for path in workspace.files_with(_SETTERS):
        pairs = _pairs(workspace.parsed(path))
        if any((cls, name) in pairs or (cls, _COMPUTED) in pairs for cls in classes):
            return True
    return False


def _pairs(parsed: Parsed) -> frozenset[tuple[str, str]]:
    """Owner and attribute of each assignment to an attribute, by the last part of the owner's name."""
    text, known = _known.get(parsed.path, ("", frozenset[tuple[str, str]]()))
    if text != parsed.text.content:
        found: set[tuple[str, str]] = set()
        for _, node in parsed.walk():
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add((_tail(node.value), node.attr))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
                if len(node.args) > 1:
                    key = node.args[1]
                    plain = key.value if isinstance(key, ast.Constant) else None
                    found.add((_tail(node.args[0]), plain if isinstance(plain, str) else _COMPUTED))
        known = frozenset(found)
        _known[parsed.path] = (parsed.text.content, known)
    return known


def _tail(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
