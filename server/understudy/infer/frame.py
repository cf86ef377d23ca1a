"""What the tests of a file may rest on besides themselves: what has to stay the same for a test that no edit touches
to do what it did."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from typing import TypeAlias

from understudy.source.parse import Parsed, Unit

Frame: TypeAlias = tuple[object, ...]
"""Equal for two versions of a file whose tests stand among the same things."""
_CALLED = re.compile(r"(?<!def )\b(test\w*)\s*\(")
_SET_ON_CLASS = re.compile(r"\b([A-Z]\w*\.\w+)\s*=(?!=)|\b(setattr)\(")


def frame(parsed: Parsed, tests: Collection[ast.AST]) -> Frame:
    """Syntax trees are compared by identity: those whose text an edit does not touch are the same objects
    afterwards.

    :param tests: those that nothing else calls are not part of it, nor are fixtures that only look like one.
    """
    return tuple(_frame(parsed, {test for test in tests if not _is_fixture(test)}))


def _frame(parsed: Parsed, tests: set[ast.AST]) -> Iterator[object]:
    mentioned = [each for unit in parsed.units for each in _mentioned(unit)]
    called = frozenset[str]().union(*(names for names, _ in mentioned))
    yield frozenset[str]().union(*(names for _, names in mentioned))
    for unit in parsed.units:
        node = unit.node
        if not isinstance(node, ast.ClassDef):
            if node not in tests or getattr(node, "name", "") in called:
                yield node
            continue
        yield node.name
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            yield ast.dump(part)
        for child in node.body:
            if child not in tests or getattr(child, "name", "") in called:
                yield child


def _mentioned(unit: Unit) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """What may be a test that a part of the statement calls, and what it sets on classes."""
    for part in unit.parts:
        known: tuple[frozenset[str], frozenset[str]] | None = part.memo.get("frame")
        if known is None:
            text = unit.text_of(part)
            set_here = frozenset(name or builtin for name, builtin in _SET_ON_CLASS.findall(text))
            known = part.memo["frame"] = (frozenset(_CALLED.findall(text)), set_here)
        yield known


def _is_fixture(test: ast.AST) -> bool:
    """``@pytest.fixture def test_client()``: pytest takes it for no test."""
    for decorator in getattr(test, "decorator_list", ()):
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        if "fixture" in str(getattr(made, "attr", None) or getattr(made, "id", None)):
            return True
    return False
