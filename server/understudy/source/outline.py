"""Where the top-level statements of a file are, without its syntax trees.

Most files that an analysis looks at are looked at for a few names. Finding where a function or class begins takes a
tenth of the time that parsing takes; the statement is parsed when somebody asks for what is in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

_QUOTED = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"
    r"|\#[^\n]*",
    re.DOTALL,
)
_START = re.compile(r"^(?:(?:(?:async[ ]+)?def|class)[ ]+([^\W\d]\w*)|(@)|[^\s#)\]}])", re.MULTILINE)
_TRIPLE = ('"""', "'''")


class Stretch(NamedTuple):
    """Rows of a file (half-open): those of one function or class from its first decorator up to what comes next, or
    those of any number of other statements."""

    first: int
    end: int
    name: str | None
    """Of the function or class; None for other statements."""


def stretches(content: str, starts: Sequence[int]) -> list[Stretch] | None:
    """All of a file, in order; None where that takes a parser.

    What looks like a statement between the brackets of another one makes one of the stretches one that does not parse.

    :param starts: where each row starts.
    """
    if "\r" in content or "\f" in content:
        return None
    found: list[tuple[int, str | None]] = []
    decorated: int | None = None
    for match in _begins(content):
        name, at = match.group(1, 2)
        if at is not None:
            decorated = match.start() if decorated is None else decorated
        elif name is not None:
            found.append((match.start() if decorated is None else decorated, name))
            decorated = None
        elif decorated is not None:
            # More of a decorator than its first row, or nothing that we know.
            return None
        elif not found or found[-1][1] is not None:
            found.append((match.start(), None))
    if decorated is not None:
        return None
    rows = [bisect_right(starts, offset) - 1 for offset, _ in found]
    ends = [*rows[1:], len(starts)]
    return [Stretch(first, end, name) for first, end, (_, name) in zip(rows, ends, found, strict=False)]


def _begins(content: str) -> list[re.Match[str]]:
    """The rows that begin with a statement, or go on with one in the first column."""
    long = _long_strings(content)
    found: list[re.Match[str]] = []
    number = 0
    for match in _START.finditer(content):
        start = match.start()
        while number < len(long) and long[number][1] <= start:
            number += 1
        if number < len(long) and long[number][0] < start:
            continue
        if start > 1 and content[start - 2] == "\\":
            continue
        found.append(match)
    return found


def _long_strings(content: str) -> list[tuple[int, int]]:
    """Where the strings are that have several rows."""
    if not any(quotes in content for quotes in _TRIPLE):
        return []
    return [
        match.span()
        for match in _QUOTED.finditer(content)
        if content.startswith(_TRIPLE, match.start()) and "\n" in match.group()
    ]
