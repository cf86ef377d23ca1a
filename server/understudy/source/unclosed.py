"""The text as it would be if the string under the cursor were closed: what completion needs in ``patch("a.b.``."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.source.text import Text

_CLOSING = {"(": ")", "[": "]", "{": "}"}


def closed(text: Text, row: int, column: int) -> Iterator[Text]:
    """The text with the string that is open at a place closed there, and the brackets of that line behind it: as an
    expression, as the head of a block, as a block of its own. What stood behind the place on its line is left out.

    Nothing when no string is open there. Strings over several lines are not looked for.
    """
    line = text.line(row)
    ends = closing(line[:column])
    if ends is None:
        return
    start = text.offset(row, 0)
    before, after = text.content[: start + column], text.content[start + len(line) :]
    for block in ("", ":", ": pass"):
        yield text.replaced(f"{before}{ends}{block}{after}")


def closing(line: str) -> str | None:
    """What closes the string at the end of a line, and the brackets around it; None where there is no open string."""
    at, brackets = _scanned(line)
    return line[at] + "".join(reversed(brackets)) if at is not None else None


def opened_at(line: str) -> int | None:
    """Where the string at the end of a line begins (the quote); None where there is no open string."""
    return _scanned(line)[0]


def _scanned(line: str) -> tuple[int | None, list[str]]:
    """The quote of the string that is open at the end of a line, and what closes the open brackets."""
    start: int | None = None
    brackets: list[str] = []
    escaped = False
    for position, character in enumerate(line):
        if start is not None:
            if escaped or character == "\\":
                escaped = not escaped
            elif character == line[start]:
                start = None
        elif character in "\"'":
            start = position
        elif character == "#":
            return None, brackets
        elif character in _CLOSING:
            brackets.append(_CLOSING[character])
        elif brackets and character == brackets[-1]:
            brackets.pop()
    return start, brackets
