"""Source text as Python reads it: decoding (PEP 263), line starts, and column conversions.

Lines end at ``\\n``, ``\\r\\n`` and ``\\r`` only, which is what both the tokenizer of CPython and the
Language Server Protocol say; ``str.splitlines`` also splits at form feeds, U+2028 and others.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, count
from operator import add
from pathlib import Path

from understudy.source.disk import looking
from understudy.source.span import Span

_NEWLINE = re.compile(r"\r\n|\r|\n")
_WIDE = re.compile(r"[^\x00-\x7f][^\r\n]*")
_RAW_NEWLINE = re.compile(rb"\r\n|\r|\n")
_DECLARATION = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_NO_CODE = re.compile(rb"[ \t\f]*(?:#|$)")


class SourceError(Exception):
    """A file that cannot be read as Python source text. ``str()`` is one plain sentence."""


@dataclass(frozen=True)
class Text:
    """Immutable source text with its line table.

    ``encoding`` and ``bom`` say how the bytes on disk were written, so that a fix can write them back
    unchanged. The BOM is not part of ``content``.
    """

    content: str
    encoding: str = "utf-8"
    bom: bool = False
    starts: array[int] = field(init=False, repr=False, compare=False)
    wide: frozenset[int] = field(init=False, repr=False, compare=False)
    """The rows that are not all ASCII: in the others, bytes and characters are counted alike."""

    def __post_init__(self) -> None:
        content = self.content
        if "\r" in content:
            starts = array("I", (0, *(match.end() for match in _NEWLINE.finditer(content))))
        else:
            # What stands before each line, and a newline more for each.
            lengths = accumulate(map(len, content.split("\n")[:-1]), initial=0)
            starts = array("I", map(add, lengths, count()))
        object.__setattr__(self, "starts", starts)
        rows = () if content.isascii() else (self.position(m.start())[0] for m in _WIDE.finditer(content))
        object.__setattr__(self, "wide", frozenset(rows))

    @property
    def row_count(self) -> int:
        return len(self.starts)

    @property
    def newline(self) -> str:
        """The line ending of the first line; ``\\n`` for text of one line."""
        match = _NEWLINE.search(self.content)
        return match.group() if match else "\n"

    def line(self, row: int) -> str:
        """A line without its ending; empty beyond the end."""
        return self.raw_line(row).rstrip("\r\n")

    def raw_line(self, row: int) -> str:
        if not 0 <= row < len(self.starts):
            return ""
        end = self.starts[row + 1] if row + 1 < len(self.starts) else len(self.content)
        return self.content[self.starts[row] : end]

    def rows(self, first: int, last: int) -> str:
        """Whole lines, with their endings: from ``first`` up to the one before ``last``."""
        start = self.starts[first] if first < len(self.starts) else len(self.content)
        end = self.starts[last] if last < len(self.starts) else len(self.content)
        return self.content[start:end]

    def offset(self, row: int, column: int) -> int:
        """The index into ``content``; positions beyond a line's or the text's end are clamped."""
        if row < 0:
            return 0
        if row >= len(self.starts):
            return len(self.content)
        return self.starts[row] + min(max(column, 0), len(self.line(row)))

    def position(self, offset: int) -> tuple[int, int]:
        """Row and code-point column of an index into ``content``."""
        offset = min(max(offset, 0), len(self.content))
        row = bisect_right(self.starts, offset) - 1
        return row, offset - self.starts[row]

    def slice(self, span: Span) -> str:
        return self.content[self.offset(span.row, span.column) : self.offset(span.end_row, span.end_column)]

    def span(self, start: int, end: int) -> Span:
        return Span(*self.position(start), *self.position(end))

    @property
    def whole(self) -> Span:
        return self.span(0, len(self.content))

    def code_point_column(self, row: int, utf8_column: int) -> int:
        """From the byte column of :mod:`ast` to code points."""
        if row not in self.wide:
            return utf8_column
        return len(
            self.raw_line(row).encode("utf-8", "surrogatepass")[:utf8_column].decode("utf-8", "ignore")
        )

    def to_units(self, row: int, column: int, encoding: str) -> int:
        """From a code-point column to an LSP character offset in ``utf-8``, ``utf-16`` or ``utf-32``."""
        prefix = self.line(row)[:column]
        if encoding == "utf-32" or prefix.isascii():
            return len(prefix)
        if encoding == "utf-8":
            return len(prefix.encode("utf-8", "surrogatepass"))
        return len(prefix.encode("utf-16-le", "surrogatepass")) // 2

    def from_units(self, row: int, units: int, encoding: str) -> int:
        """From an LSP character offset to a code-point column; one inside a character goes to its start,
        one beyond the line to the line's end (LSP 3.17, *Position*)."""
        line = self.line(row)
        if encoding == "utf-32" or line.isascii():
            return min(max(units, 0), len(line))
        if encoding == "utf-8":
            raw = line.encode("utf-8", "surrogatepass")[: max(units, 0)]
            return len(raw.decode("utf-8", "ignore"))
        used = 0
        for column, character in enumerate(line):
            width = 2 if ord(character) > 0xFFFF else 1
            if used + width > units:
                return column
            used += width
        return len(line)

    def encode(self) -> bytes:
        """The bytes as they were on disk: same encoding, same BOM, same line endings.

        :raises UnicodeEncodeError: when new content cannot be written in the file's encoding.
        """
        raw = self.content.encode(self.encoding)
        return codecs.BOM_UTF8 + raw if self.bom else raw

    def replaced(self, content: str) -> Text:
        return Text(content, self.encoding, self.bom)


def decode(raw: bytes) -> Text:
    """Decode bytes as CPython would: BOM, then PEP 263 declaration, else UTF-8.

    :raises SourceError: not decodable, an unknown or contradictory declaration, or NUL bytes.
    """
    declared = _declared(raw)
    encoding = _normal_name(declared) if declared is not None else "utf-8"
    bom = raw.startswith(codecs.BOM_UTF8)
    if bom:
        if encoding != "utf-8":
            raise SourceError("has a UTF-8 byte order mark but declares another encoding")
        raw = raw[len(codecs.BOM_UTF8) :]
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise SourceError(f"declares an encoding that Python does not know ({declared})") from None
    try:
        content = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(_undecodable(raw, error, encoding)) from None
    except (LookupError, UnicodeError):
        raise SourceError(f"declares an encoding that Python cannot read: {encoding}") from None
    if "\0" in content:
        row = len(_NEWLINE.findall(content, 0, content.index("\0"))) + 1
        raise SourceError(f"contains a NUL byte on line {row}; Python refuses such a file")
    return Text(content, encoding, bom)


def _declared(raw: bytes) -> str | None:
    """The encoding that one of the first two lines declares. As CPython reads it: :mod:`tokenize` knows no
    lone ``\\r``, and refuses a line that is not UTF-8, above the declaration or with it."""
    position = len(codecs.BOM_UTF8) if raw.startswith(codecs.BOM_UTF8) else 0
    for _ in range(2):
        end = _RAW_NEWLINE.search(raw, position)
        line = raw[position : end.start() if end is not None else len(raw)]
        if match := _DECLARATION.match(line):
            return match[1].decode("ascii")
        if end is None or not _NO_CODE.match(line):
            return None
        position = end.end()
    return None


def _normal_name(declared: str) -> str:
    name = declared[:12].lower().replace("_", "-")
    if name == "utf-8" or name.startswith("utf-8-"):
        return "utf-8"
    latin_1 = ("latin-1", "iso-8859-1", "iso-latin-1")
    if name in latin_1 or name.startswith(tuple(f"{known}-" for known in latin_1)):
        return "iso-8859-1"
    return declared


def read(path: Path) -> Text:
    """Read and decode a file. Only a regular one: a pipe could make us wait for ever.

    :raises SourceError: unreadable or not decodable.
    """
    try:
        with looking(path):
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise SourceError("cannot be read: not a regular file")
            raw = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    return decode(raw)


def _undecodable(raw: bytes, error: UnicodeDecodeError, encoding: str) -> str:
    row = len(_RAW_NEWLINE.findall(raw, 0, error.start)) + 1
    return (
        f"is not valid {encoding.upper()} (byte 0x{raw[error.start]:02x} on line {row}); "
        "save it as UTF-8 or declare its encoding on the first line"
    )
