"""Between spans (rows and code points) and the protocol's ranges: the only place that knows both."""

from __future__ import annotations

from collections.abc import Iterable

from lsprotocol import types

from understudy.finding import Edit, Severity
from understudy.fixes.apply import apply_edits
from understudy.source.span import Span
from understudy.source.text import Text

_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
    Severity.HINT: types.DiagnosticSeverity.Hint,
}


def severity(value: Severity) -> types.DiagnosticSeverity:
    return _SEVERITIES[value]


def to_range(text: Text, span: Span, encoding: str) -> types.Range:
    return types.Range(
        types.Position(span.row, text.to_units(span.row, span.column, encoding)),
        types.Position(span.end_row, text.to_units(span.end_row, span.end_column, encoding)),
    )


def to_span(text: Text, range_: types.Range, encoding: str) -> Span:
    start, end = range_.start, range_.end
    return Span(
        start.line,
        text.from_units(start.line, start.character, encoding),
        end.line,
        text.from_units(end.line, end.character, encoding),
    )


def to_text_edits(text: Text, edits: Iterable[Edit], encoding: str) -> list[types.TextEdit]:
    """The edits of one file, in the order of their places. Line endings become those of the file."""
    found: list[tuple[int, int, types.TextEdit]] = []
    for edit in dict.fromkeys(edits):
        start, end = text.offset(*edit.span[:2]), text.offset(*edit.span[2:])
        after = apply_edits(text, [edit]).content
        content = after[start : len(after) - (len(text.content) - end)]
        found.append((start, end, types.TextEdit(to_range(text, text.span(start, end), encoding), content)))
    return [edit for _, _, edit in sorted(found, key=lambda item: item[:2])]
