"""The words that a pattern cannot do without are in whatever it matches."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from understudy.index.literals import needed

SERVER = Path(__file__).parents[2] / "server" / "understudy"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (rb"\bTable\(", [{b"Table("}]),
        (rb"\bmap_imperatively\(|\bmapper\(", [{b"_imperatively(", b"per("}, {b"map"}]),
        (
            rb"\b(?:Column|Mapped)\b|^class \w+\([^)]*(?:Base|Mixin)\b",
            [{b"Column", b"Mapped", b"class "}, {b"Column", b"Mapped", b"Base", b"Mixin"}],
        ),
        (rb"\.reflect\(|autoload(?:_with)?\s*=", [{b".reflect(", b"autoload"}]),
        (rb"(?:abc)*xyz", [{b"xyz"}]),
        (rb"(?:abc)+x", [{b"abc"}]),
        (rb"abc.*defg", [{b"defg"}, {b"abc"}]),
        (rb"(?:abc.def.ghi|jkl.mno)", [{b"abc", b"jkl"}]),
        (rb"ab|cdef", []),
        (rb"a?b?", []),
        (rb"[abc]{9}", []),
        (rb"", []),
        (rb"(?i)table", []),
        (rb"(?i:table)", []),
        (rb"(?=table)x", []),
        (rb"(?!table)value", [{b"value"}]),
        (rb"(abc)\1def", [{b"abc"}, {b"def"}]),
    ],
)
def test_words(pattern: bytes, words: list[set[bytes]]) -> None:
    assert [set(group) for group in needed(re.compile(pattern))] == words


def test_on_the_patterns_and_files_of_our_own() -> None:
    """Wherever one of our patterns matches, its words are."""
    sources = [file.read_bytes() for file in sorted(SERVER.rglob("*.py"))]
    compiled = re.compile(rb're\.compile\(\s*rb"((?:[^"\\]|\\.)+)"\s*[,)]')
    written = [match[1] for source in sources for match in compiled.finditer(source)]
    with_words = 0
    for text in written:
        pattern = re.compile(text, re.MULTILINE)
        words = needed(pattern)
        with_words += bool(words)
        for match in (found for source in sources for found in pattern.finditer(source)):
            assert all(any(word in match[0] for word in group) for group in words), (pattern, match)
    assert with_words > 10
