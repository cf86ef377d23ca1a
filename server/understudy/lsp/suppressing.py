"""Writing a suppression comment for a finding."""

from __future__ import annotations

from understudy.finding import Edit, Finding
from understudy.source.span import Span
from understudy.source.suppress import UNUSED_CODE, Suppressions
from understudy.source.text import Text


def suppression(finding: Finding, text: Text) -> Edit | None:
    """The edit after which ``# understudy: ignore[…]`` hides the finding: at the end of the line where it
    starts, or of the first one below that can hold a comment. A list that is there already is extended.
    None when no such place is found, and for an unused suppression, which is better removed."""
    if finding.code == UNUSED_CODE:
        return None
    rows = range(finding.span.row, text.row_count)
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
        if _hides(edit, finding, text):
            return edit
        if row > finding.span.end_row and line.strip():
            return None
    return None


def _hides(edit: Edit, finding: Finding, text: Text) -> bool:
    """Tried out: inside a string it would be no comment, and rows may be out of its reach."""
    start, end = text.offset(*edit.span[:2]), text.offset(*edit.span[2:])
    after = Text(text.content[:start] + edit.content + text.content[end:])
    return any(item.covers(finding) for item in Suppressions.parse(after).items)
