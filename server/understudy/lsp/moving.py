"""Places in a text that was edited since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from understudy.finding import Finding
from understudy.source.span import Span
from understudy.source.text import Text


def moved_span(span: Span, before: Text, after: Text) -> Span | None:
    """Where a span went; None when the edit touched it."""
    if before.content == after.content:
        return span
    start, end = before.offset(*span[:2]), before.offset(*span[2:])
    old, new = before.content, after.content
    if end <= _common(old, new):
        return after.span(start, end)
    if start >= len(old) - _common(old[::-1], new[::-1]):
        return after.span(start + len(new) - len(old), end + len(new) - len(old))
    return None


def moved_finding(finding: Finding, path: Path, before: Text, after: Text) -> Finding | None:
    """A finding of another file's analysis in ``path``, whose text has changed since: its place moves along,
    and its fixes are left out until the analysis is repeated."""
    span = moved_span(finding.span, before, after)
    if span is None:
        return None
    related = []
    for place in finding.related:
        at = moved_span(place.span, before, after) if place.path == path else place.span
        if at is not None:
            related.append(replace(place, span=at))
    return replace(finding, span=span, related=tuple(related), fixes=())


def _common(first: str, second: str) -> int:
    """The length of the longest common beginning."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
