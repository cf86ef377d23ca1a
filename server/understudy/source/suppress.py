"""Suppression comments: ``# understudy: ignore``, ``ignore[US101, US102]``, ``ignore-file[US308]``.

Comments are found by a scanner of our own instead of :mod:`tokenize`: that one stops at the first error (the
normal state while typing), reads f-strings as the running Python does (nested quotes only since 3.12) and
takes a lone ``\\r`` for a blank. Names of rules may stand in the brackets beside codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from understudy.finding import Finding
from understudy.source.span import Span
from understudy.source.text import Text

MARKER: Final = "understudy:"
UNUSED_CODE: Final = "US901"
"""The rule that reports unused suppressions. It has to be named: a bare ``ignore`` does not cover it."""

_DIRECTIVE = re.compile(
    r"#+[ \t]*understudy:[ \t]*ignore(?P<file>-file)?(?![\w-])(?:[ \t]*\[(?P<codes>[^\]#]*)(?P<closed>\])?)?"
)
_ENTRY = re.compile(r"[^\s,]+")
# What follows a directive is its reason and goes with it, but another pragma is a comment
# of its own. `#123` is not.
_NEXT_COMMENT = re.compile(r"[ \t]*(#)(?=\s*[^\W\d])")

_QUOTES = r"\"\"\"|'''|\"|'"
_STRING = rf"(?:(?<!\w)(?P<prefix>[rbuftRBUFT]{{1,2}}))?(?P<quote>{_QUOTES})"
_OUTSIDE = re.compile(rf"#[^\r\n]*|\\(?:\r\n|\r|\n)|{_STRING}")
_IN_FIELD = re.compile(rf"#[^\r\n]*|\\(?:\r\n|\r|\n)|{_STRING}|[()\[\]{{}}:]")
_IN_TEXT = re.compile(rf"\\(?:\r\n|[^{{}}])|\{{\{{|\}}\}}|[{{}}\r\n]|{_QUOTES}")
_REST_OF_STRING = {
    quote: re.compile(rf"[^\\\r\n{quote}]*(?:\\(?:\r\n|[\s\S])[^\\\r\n{quote}]*)*{quote}?") for quote in "\"'"
} | {
    quote * 3: re.compile(rf"(?:[^\\{quote}]|\\[\s\S]|{quote}(?!{quote * 2}))*{quote * 3}") for quote in "\"'"
}


@dataclass(frozen=True, slots=True)
class Suppression:
    """One suppression comment."""

    span: Span
    """What to delete to be rid of it: with the blanks before it, or the whole line when it stands alone.
    Other comments on the line stay."""
    mark: Span
    """The words themselves, from ``#`` to ``ignore`` or ``]``."""
    entries: tuple[tuple[str, Span], ...] | None
    """What the brackets name, in order; None without brackets."""
    whole_file: bool
    rows: range
    """The comment's row and those above that cannot hold a comment: they end in a string or a backslash."""

    @property
    def codes(self) -> frozenset[str] | None:
        """None: all codes."""
        return None if self.entries is None else frozenset(name for name, _ in self.entries)

    def covers(self, finding: Finding) -> bool:
        """True when the finding starts, or ends, on a row of this suppression and its code is named."""
        if (
            not self.whole_file
            and finding.span.row not in self.rows
            and _last_row(finding.span) not in self.rows
        ):
            return False
        codes = self.codes
        return codes is None or finding.code in codes or finding.name in codes


@dataclass(frozen=True, slots=True)
class Unused:
    """A suppression that hides nothing, or entries of it that hide nothing."""

    suppression: Suppression
    codes: tuple[str, ...]
    """The unused entries; empty when the suppression has no brackets, or empty ones."""
    span: Span
    """Where to report it."""
    removal: Span
    content: str
    """Replacing ``removal`` by ``content`` leaves only what is used."""


@dataclass(frozen=True, slots=True)
class Suppressions:
    """The suppressions of one file, in order."""

    items: tuple[Suppression, ...] = ()

    @classmethod
    def parse(cls, text: Text) -> Suppressions:
        """Never fails. A file without the marker costs one substring search."""
        if MARKER not in text.content:
            return _NONE
        comments, joins = _scan(text.content)
        joined: set[int] = set()
        for start, end in joins:
            joined.update(range(text.position(start)[0], text.position(end)[0]))
        items: list[Suppression] = []
        for start, end in comments:
            for match in _DIRECTIVE.finditer(text.content, start, end):
                # Brackets that are not closed are being typed: neither "all codes" nor a list of some.
                if match["codes"] is None or match["closed"] is not None:
                    items.append(_suppression(text, match, end, joined))
        return cls(tuple(items)) if items else _NONE

    def apply(self, findings: Iterable[Finding]) -> tuple[list[Finding], list[Unused]]:
        """Split off what is suppressed: the findings that stay, and the suppressions that hid nothing.

        All suppressions that cover a finding count as used.
        """
        if not self.items:
            return list(findings), []
        kept: list[Finding] = []
        used: list[set[str]] = [set() for _ in self.items]
        for finding in findings:
            covering = [number for number, item in enumerate(self.items) if item.covers(finding)]
            for number in covering:
                used[number] |= {finding.code, finding.name}
            if not covering:
                kept.append(finding)
        return kept, self._unused(used)

    def _unused(self, used: list[set[str]]) -> list[Unused]:
        silent = [
            number
            for number, item in enumerate(self.items)
            if item.entries is not None and any(name == UNUSED_CODE for name, _ in item.entries)
        ]
        open_items: list[int] = []
        for number, item in enumerate(self.items):
            idle = item.entries is None or any(name != UNUSED_CODE for name, _ in item.entries)
            if not idle or _is_used(item, used[number]):
                continue
            hiding = [n for n in silent if self.items[n].whole_file or item.mark.row in self.items[n].rows]
            for n in hiding:
                used[n].add(UNUSED_CODE)
            if not hiding:
                open_items.append(number)
        # A second look: only now is it known which `US901` entries had something to hide.
        open_items += [n for n in silent if UNUSED_CODE not in used[n] and n not in open_items]
        empty = [n for n, item in enumerate(self.items) if item.entries == ()]
        return [_describe(self.items[n], used[n]) for n in sorted({*open_items, *empty})]


_NONE = Suppressions()


def _is_used(item: Suppression, used: set[str]) -> bool:
    if item.entries is None:
        return bool(used)
    return all(name in used or name == UNUSED_CODE for name, _ in item.entries)


def _describe(item: Suppression, used: set[str]) -> Unused:
    entries = item.entries or ()
    idle = [(name, span) for name, span in entries if name not in used]
    remaining = list(dict.fromkeys(name for name, _ in entries if name in used))
    if not remaining:
        return Unused(item, tuple(name for name, _ in idle), item.mark, item.span, "")
    shown = Span(*idle[0][1][:2], *idle[-1][1][2:])
    listed = Span(*entries[0][1][:2], *entries[-1][1][2:])
    return Unused(item, tuple(name for name, _ in idle), shown, listed, ", ".join(remaining))


def _suppression(text: Text, match: re.Match[str], comment_end: int, joined: set[int]) -> Suppression:
    content = text.content
    row, _ = text.position(match.start())
    following = _NEXT_COMMENT.search(content, match.end(), comment_end)
    if following is not None:
        span = text.span(match.start(), following.start(1))
    else:
        line_start = text.starts[row]
        start = line_start + len(content[line_start : match.start()].rstrip(" \t\f"))
        if start > line_start:
            span = text.span(start, comment_end)
        elif row + 1 < text.row_count:
            span = Span(row, 0, row + 1, 0)
        else:
            span = text.span(line_start, comment_end)
    entries: tuple[tuple[str, Span], ...] | None = None
    if match["codes"] is not None:
        entries = tuple(
            (entry.group(), text.span(*entry.span()))
            for entry in _ENTRY.finditer(content, match.start("codes"), match.end("codes"))
        )
    whole_file = match["file"] is not None
    first = row
    while first - 1 in joined:
        first -= 1
    rows = range(text.row_count) if whole_file else range(first, row + 1)
    return Suppression(span, text.span(match.start(), match.end()), entries, whole_file, rows)


def _last_row(span: Span) -> int:
    return span.end_row - 1 if span.end_column == 0 and span.end_row > span.row else span.end_row


@dataclass(slots=True)
class _Literal:
    """Inside the literal text of an f-string or t-string."""

    quote: str
    start: int
    before: tuple[int, int]
    """How many comments and joins were found before it."""


@dataclass(slots=True)
class _Field:
    """Inside ``{…}`` of an f-string: code again, or its format specification."""

    depth: int = 0
    in_spec: bool = False


def _scan(content: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Ranges of comments, and ranges (strings, backslash continuations) that join rows.

    F-strings are read by the grammar of 3.12, which contains the older one. A string that is not closed ends
    with its row; a triple-quoted one counts only with its quotes, so that the rest is still read as code.
    """
    comments: list[tuple[int, int]] = []
    joins: list[tuple[int, int]] = []
    stack: list[_Literal | _Field] = []
    nesting = True
    position = 0
    while True:
        top = stack[-1] if stack else None
        if isinstance(top, _Literal) or (top is not None and top.in_spec):
            position, closed = _scan_text(content, position, stack)
            if closed is not None:
                joins.append((closed.start, position))
        else:
            match = (_OUTSIDE if top is None else _IN_FIELD).search(content, position)
            position = len(content) if match is None else match.end()
            if match is None:
                pass
            elif (quote := match["quote"]) is not None:
                prefix = (match["prefix"] or "").lower()
                if nesting and ("f" in prefix or "t" in prefix):
                    stack.append(_Literal(quote, match.start(), (len(comments), len(joins))))
                elif (rest := _REST_OF_STRING[quote].match(content, position)) is not None:
                    position = rest.end()
                    joins.append((match.start(), position))
            elif match.group().startswith("#"):
                comments.append(match.span())
            elif match.group().startswith("\\"):
                joins.append(match.span())
            elif top is not None:
                _bracket(match.group(), top, stack)
        if position < len(content):
            continue
        if not stack:
            return comments, joins
        # An f-string that never ends. Read on behind its quotes, with f-strings as plain strings from here:
        # that bounds the work.
        outermost = stack[0]
        assert isinstance(outermost, _Literal)
        nesting = False
        position = outermost.start
        del comments[outermost.before[0] :], joins[outermost.before[1] :]
        stack.clear()


def _scan_text(content: str, position: int, stack: list[_Literal | _Field]) -> tuple[int, _Literal | None]:
    """One step through the text of an f-string; the literal, if it ends here."""
    top = stack[-1]
    literal = next(item for item in reversed(stack) if isinstance(item, _Literal))
    match = _IN_TEXT.search(content, position)
    if match is None:
        return len(content), None
    token, end = match.group(), match.end()
    if token[0] in "{}" and (len(token) == 1 or isinstance(top, _Field)):
        # `{{` and `}}` are escapes in the text only, not in a format specification.
        if token[0] == "{":
            stack.append(_Field())
        elif isinstance(top, _Field):
            stack.pop()
        return match.start() + 1, None
    if token[0] in "\"'":
        if not token.startswith(literal.quote):
            return match.start() + 1, None
        end = match.start() + len(literal.quote)
    elif token not in ("\r", "\n") or len(literal.quote) == 3:
        return end, None
    del stack[stack.index(literal) :]
    return end, literal


def _bracket(token: str, field: _Field, stack: list[_Literal | _Field]) -> None:
    if token in "([{":
        field.depth += 1
    elif token == ":":
        field.in_spec = field.depth == 0
    elif field.depth:
        field.depth -= 1
    elif token == "}":
        stack.pop()
    else:
        # `)` or `]` that nothing opened: the field was never closed, so the f-string is over.
        del stack[-2:]
