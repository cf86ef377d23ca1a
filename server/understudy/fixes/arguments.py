"""Edits that add a keyword to a call."""

from __future__ import annotations

from pathlib import Path

from understudy.finding import Edit
from understudy.source.span import Span
from understudy.source.text import Text


def add_keyword(path: Path, text: Text, call: Span, source: str) -> Edit:
    """Add ``source`` (``name=value``) as the last argument of the call at a range."""
    content = text.content
    end = text.offset(call.end_row, call.end_column) - 1
    last = end
    while last > 0 and content[last - 1].isspace():
        last -= 1
    before = content[last - 1]
    if before == "(":
        return Edit(path, text.span(last, last), source)
    if before == ",":
        # Each argument on a line of its own, with a comma after the last.
        row = text.position(last - 1)[0]
        line = text.line(row)
        indentation = line[: len(line) - len(line.lstrip())]
        if content[last:end].strip(" \t"):
            return Edit(path, text.span(last, last), f"{text.newline}{indentation}{source},")
        return Edit(path, text.span(last, last), f" {source}")
    return Edit(path, text.span(last, last), f", {source}")
