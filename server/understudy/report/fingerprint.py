"""What stays the same about a finding while the file around it changes.

A fingerprint is made of the rule, the functions and classes around the finding, the code it points at (without
white space) and, where all of that is the same several times in a file, a number in order. No row, no path and no
message: it survives lines that are added above, a formatter, another wording and a renamed file.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from understudy.finding import Finding
from understudy.source.parse import Parsed, first_line
from understudy.source.span import Span
from understudy.source.text import SourceError

ParsedOf: TypeAlias = Callable[[Path], Parsed]
"""The tree of a file that was checked. May raise :class:`understudy.source.text.SourceError`."""

_DIGITS = 32


def fingerprints(findings: Sequence[Finding], parsed_of: ParsedOf) -> list[str]:
    """One for each finding, in the order given: 32 hexadecimal digits. No two findings of a file have the same.

    :param findings: in order; that of equal findings in a file decides which is the first.
    """
    seen: Counter[tuple[Path, str]] = Counter()
    found: list[str] = []
    for finding in findings:
        key = "\0".join((finding.code, *_around(finding, parsed_of)))
        number = seen[finding.path, key]
        seen[finding.path, key] += 1
        found.append(
            hashlib.sha256(f"{key}\0{number}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
        )
    return found


def _around(finding: Finding, parsed_of: ParsedOf) -> tuple[str, str]:
    """The names of the functions and classes, and the code without white space."""
    try:
        parsed = parsed_of(finding.path)
    except SourceError:
        return "", ""
    text = parsed.text
    code = text.slice(finding.span) or text.line(min(finding.span.row, text.row_count - 1))
    return _scope(parsed, finding.span), "".join(code.split())


def _scope(parsed: Parsed, span: Span) -> str:
    """``TestMail.test_send``; empty at the top level."""
    for unit in parsed.units:
        if unit.row <= span.row <= unit.end_row:
            # ast.walk goes level by level: outer names come first.
            return ".".join(
                node.name
                for node in ast.walk(unit.node)
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                and first_line(node) - 1 <= span.row - unit.shift <= (node.end_lineno or node.lineno) - 1
            )
    return ""
