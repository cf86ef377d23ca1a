"""What the tests of a file may rest on besides themselves: what has to stay the same for a test that no edit touches
to do what it did."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple, TypeAlias

from understudy.source.parse import Parsed, Part, Unit

Frame: TypeAlias = tuple[object, ...]
"""Equal for two versions of a file whose tests stand among the same things."""
_CALLED = re.compile(r"(?<!def )\b(test\w*)\s*\(")
_SET_ON_CLASS = re.compile(r"\b([A-Z]\w*\.\w+)\s*=(?!=)|\b(setattr)\(")
_STORED = re.compile(
    r"(?:\.(\w+)|(\w+)|[)\]])\s*\.\s*(\w+)\s*(?::[^=\n]+)?(?:[-+*/|&]|\*\*|//)?=(?!=)|\bdel\s+[\w.]+\.(\w+)"
)
_CONFIGURED = re.compile(
    r"(?<!\.)\bsetattr\(|\b(?:configure_mock|attach_mock|mock_add_spec)\(|\b__dict__\b|\bvars\("
)


class Stored(NamedTuple):
    """An attribute that code sets on something: ``client.get.return_value = 1`` is ``("get", "return_value")``."""

    behind: str | None
    """The attribute before it: empty for that of a name, None where it is not written there."""
    name: str
    """Empty where it is not written there."""


ANY = frozenset({Stored(None, "")})


class _Mentioned(NamedTuple):
    called: frozenset[str]
    """What may be tests."""
    set_on_classes: frozenset[str]
    stored: frozenset[Stored]


def frame(parsed: Parsed, tests: Collection[ast.AST]) -> Frame:
    """Syntax trees are compared by identity: those whose text an edit does not touch are the same objects
    afterwards.

    :param tests: those that nothing else calls are not part of it, nor are fixtures that only look like one.
    """
    return tuple(_frame(parsed, {test for test in tests if not _is_fixture(test)}))


def _frame(parsed: Parsed, tests: set[ast.AST]) -> Iterator[object]:
    mentioned = [_mentioned_in(unit, part) for unit in parsed.units for part in unit.parts]
    called = frozenset[str]().union(*(each.called for each in mentioned))
    yield frozenset[str]().union(*(each.set_on_classes for each in mentioned))
    yield frozenset[Stored]().union(*(each.stored for each in mentioned))
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


def stored(parsed: Parsed, but: ast.AST) -> frozenset[Stored]:
    """The attributes that a file sets, all but one of its functions."""
    parts = ((unit, part) for unit in parsed.units for part in unit.parts if part.node is not but)
    return frozenset[Stored]().union(*(_mentioned_in(unit, part).stored for unit, part in parts))


def _mentioned_in(unit: Unit, part: Part) -> _Mentioned:
    known: _Mentioned | None = part.memo.get("frame")
    if known is None:
        text = unit.text_of(part)
        set_on_classes = frozenset(name or builtin for name, builtin in _SET_ON_CLASS.findall(text))
        known = _Mentioned(frozenset(_CALLED.findall(text)), set_on_classes, frozenset(_stored(text)))
        part.memo["frame"] = known
    return known


def _stored(text: str) -> Iterator[Stored]:
    for found in _STORED.finditer(text):
        behind, owner, name, deleted = found.groups()
        yield Stored(behind or ("" if owner or deleted else None), name or deleted)
    if _CONFIGURED.search(text) is not None:
        yield Stored(None, "")


def _is_fixture(test: ast.AST) -> bool:
    """``@pytest.fixture def test_client()``: pytest takes it for no test."""
    for decorator in getattr(test, "decorator_list", ()):
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        if "fixture" in str(getattr(made, "attr", None) or getattr(made, "id", None)):
            return True
    return False
