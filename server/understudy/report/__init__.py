"""Findings as output: text for people, one line each, JSON, GitHub annotations, statistics.

All take findings that are already sorted and return a string that ends with a newline, or is empty.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from understudy.source.span import Span
from understudy.source.text import Text

TextOf: TypeAlias = Callable[[Path], Text]
"""The text that was checked. May raise :class:`understudy.source.text.SourceError`."""

# The category Cf holds the joiners of emoji and of some scripts, which belong to what is seen; the rest of it
# (bidirectional overrides above all) makes a line look like another one.
_JOINERS = frozenset("\u200c\u200d")


def visible(character: str) -> str:
    """The character itself, or a picture of it when a terminal would obey it or show nothing."""
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and character not in _JOINERS):
        return f"<U+{code:04X}>"
    return character


def one_line(message: str) -> str:
    """The message on one line, without anything a terminal would obey."""
    return "".join(map(visible, " ".join(message.splitlines())))


def display_path(path: Path, base: Path) -> str:
    """Relative to ``base`` when inside, else as it is; with forward slashes."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return path.as_posix()


def display_place(path: Path, span: Span, base: Path) -> str:
    """``path:row:column``, from 1."""
    return f"{display_path(path, base)}:{span.row + 1}:{span.column + 1}"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
