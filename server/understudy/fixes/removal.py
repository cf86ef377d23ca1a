"""Edits that take something out of a list of arguments or elements, with its comma."""

from __future__ import annotations

from understudy.source.span import Span
from understudy.source.text import Text

_OPENING = "([{"


def element(text: Text, span: Span) -> Span:
    """The range to delete so that an argument or element is gone: with the comma and the blank after it, or,
    for the last one, with the comma before it. An element alone on its line takes the line with it."""
    content = text.content
    start, end = text.offset(span.row, span.column), text.offset(span.end_row, span.end_column)
    after = end
    while after < len(content) and content[after] in " \t":
        after += 1
    if after < len(content) and content[after] == ",":
        after += 1
        line_start = text.starts[span.row]
        rest = after
        while rest < len(content) and content[rest] in " \t":
            rest += 1
        if not content[line_start:start].strip() and content[rest : rest + 1] in ("\n", "\r", ""):
            # Alone on its line: the line goes.
            end_row = text.position(after)[0]
            last = text.starts[end_row + 1] if end_row + 1 < text.row_count else len(content)
            return text.span(line_start, last)
        return text.span(start, rest)
    before = start
    while before > 0 and content[before - 1].isspace():
        before -= 1
    if before > 0 and content[before - 1] == ",":
        return text.span(before - 1, end)
    return text.span(start, end)
