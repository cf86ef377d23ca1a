"""A range of source text."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """Half-open range: rows from 0, columns from 0 in Unicode code points.

    The order of spans is the order of reading.
    """

    row: int
    column: int
    end_row: int
    end_column: int

    @classmethod
    def at(cls, row: int, column: int) -> Span:
        """The empty span in front of a character."""
        return cls(row, column, row, column)

    def contains(self, row: int, column: int) -> bool:
        """True when the position lies in the span or at one of its ends."""
        return (self.row, self.column) <= (row, column) <= (self.end_row, self.end_column)

    def encloses(self, other: Span) -> bool:
        return self[:2] <= other[:2] and other[2:] <= self[2:]

    def overlaps(self, other: Span) -> bool:
        """True when the two share a character, or one is an insertion strictly inside the other."""
        return self[:2] < other[2:] and other[:2] < self[2:]

    def shifted(self, rows: int) -> Span:
        return Span(self.row + rows, self.column, self.end_row + rows, self.end_column)
