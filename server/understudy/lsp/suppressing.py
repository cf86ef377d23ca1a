"""Writing a suppression comment for a finding."""

from __future__ import annotations

from understudy.finding import Edit, Finding
from understudy.source.span import Span
from understudy.source.suppress import UNUSED_CODE, Suppressions
from understudy.source.text import Text

_REACH = 200
"""Rows to look for a place: a string may be long."""


def suppression(finding: Finding, text: Text) -> Edit | None:
    """The edit after which ``# understudy: ignore[…]`` hides the finding: at the end of the line where it
    starts, or of the first one below that can hold a comment. A list that is there already is extended.
    None when no such place is found, and for an unused suppression, which is better removed."""
    if finding.code == UNUSED_CODE:
        return None
    rows = range(finding.span.row, min(finding.span.row + _REACH, text.row_count))
    existing = {
        item.mark.row: item
        for item in Suppressions.parse(text).items
        if item.entries is not None and not item.whole_file
    }
    for row in rows:
        line = text.line(row)
        item = existing.get(row)
        if item is not None and item.entries:
            end = item.entries[-1][1]
            edit = Edit(finding.path, Span.at(end.end_row, end.end_column), f", {finding.code}")
        elif item is not None:
            closing = item.mark.end_column - 1
            edit = Edit(finding.path, Span.at(row, closing), finding.code)
        elif line.rstrip().endswith("\\"):
            # Behind a backslash a comment would end the statement.
            continue
        else:
            width = len(line.rstrip())
            blanks = "  " if width else ""
            edit = Edit(
                finding.path,
                Span(row, width, row, len(line)),
                f"{blanks}# understudy: ignore[{finding.code}]",
            )
        hides = _hides(edit, finding, text)
        if hides is not None:
            return edit if hides else None
    return None


def _hides(edit: Edit, finding: Finding, text: Text) -> bool | None:
    """Tried out, because only some comments reach the finding. None when it would be no comment: in a
    string."""
    start, end = text.offset(*edit.span[:2]), text.offset(*edit.span[2:])
    after = Text(text.content[:start] + edit.content + text.content[end:])
    made = [item for item in Suppressions.parse(after).items if item.mark.row == edit.span.row]
    return any(item.covers(finding) for item in made) if made else None
