"""The names that a scope binds are those that CPython's own symbol tables say."""

from __future__ import annotations

import ast
import symtable
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from understudy.infer.scopes import Scope
from understudy.source.parse import parse
from understudy.source.text import SourceError, Text, read

HERE = Path("/project/service.py")
LIBRARY = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))

_NAMELESS = frozenset({"lambda", "listcomp", "setcomp", "dictcomp", "genexpr"})

TRICKY = """\
def in_calls(session):
    use(found := session.get(), key=(other := 1))
    return found, other

def in_a_header():
    @register(name := "a")
    def decorated(value=(default := 1)):
        inside = 1
    class Made(base := object, metaclass=(kind := type)):
        attribute = 1
    while chunk := read():
        pass
    for each in (rows := []):
        pass
    with (opened := manager()) as entered, another:
        last = 1
    match (subject := value):
        case [first, *rest] if (guard := first):
            pass
        case {"a": picked, **others} | Point(x=picked) as whole:
            pass
    assert (checked := 1), (said := 2)
    if (yes := 1) if (maybe := 2) else (no := 3):
        x: (annotated := int) = (given := 1)
    lambda: (own := 1)
    lambda value=(of_default := 1): value

def in_a_comprehension():
    return [(last := each) for each in values if (kept := each)], {(key := 1): (deep := [(deeper := 1) for _ in a])}

def declared():
    global everywhere
    def inner():
        nonlocal session
        session = (walrus := 1)
    everywhere = session = 1
    del gone
    try:
        import a.b, c.d as e
        from f import g, h as i
    except OSError as error:
        pass
    for one, (two, *three) in four:
        five[0] = six.seven = 8
    return (yielded := (yield))

class Body:
    attribute = (beside := 1)
    @(decorator := property)
    def method(self): pass
"""


_Bound = tuple[str, tuple[str, ...]]
"""The name of a function or class, and the names that it binds."""


def _plain(names: Iterator[str]) -> tuple[str, ...]:
    """Without private names, which the compiler mangles."""
    return tuple(sorted({name for name in names if "__" not in name and name.isidentifier()}))


def _expected(table: symtable.SymbolTable) -> Iterator[_Bound]:
    for child in table.get_children():
        yield from _expected(child)
        if child.get_name().isidentifier() and child.get_name() not in _NAMELESS:
            names = (
                symbol.get_name()
                for symbol in child.get_symbols()
                if symbol.is_assigned() or symbol.is_imported() or symbol.is_parameter()
                if not (symbol.is_declared_global() or symbol.is_nonlocal())
            )
            yield child.get_name(), _plain(names)


def _found(content: str) -> Iterator[_Bound]:
    for unit in parse(HERE, Text(content)).units:
        for node in ast.walk(unit.node):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield node.name, _plain(iter(Scope(node, None).names))


def _compared(content: str) -> tuple[list[_Bound], list[_Bound]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = sorted(_expected(symtable.symtable(content, "service.py", "exec")))
    return sorted(_found(content)), expected


def test_every_way_to_bind_a_name() -> None:
    found, expected = _compared(TRICKY)
    assert len(found) == 9
    assert found == expected


@pytest.mark.parametrize("path", LIBRARY[1::3], ids=lambda path: path.stem)
def test_the_standard_library(path: Path) -> None:
    try:
        content = read(path).content
    except SourceError:
        return
    found, expected = _compared(content)
    assert found == expected
