"""How many findings each rule has, and each folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from understudy.finding import Finding
from understudy.fixes.apply import applicable
from understudy.report import display_path, one_line


@dataclass(frozen=True, slots=True)
class Count:
    """One rule's findings, and how many of them a safe, or any, fix would mend."""

    code: str
    name: str
    count: int
    fixable: int
    fixable_unsafe: int
    folders: dict[str, int]
    """How many of them are in each folder, in order of the folders' names."""


class CountObject(TypedDict):
    code: str
    name: str
    count: int
    fixable: int
    fixable_unsafe: int
    folders: dict[str, int]


def count(findings: Iterable[Finding], base: Path) -> list[Count]:
    """By rule; the most frequent first, then by code. Folders are relative to ``base`` when they are inside."""
    names: dict[str, str] = {}
    total: Counter[str] = Counter()
    safe: Counter[str] = Counter()
    unsafe: Counter[str] = Counter()
    folders: dict[str, Counter[str]] = {}
    for finding in findings:
        names[finding.code] = finding.name
        total[finding.code] += 1
        safe[finding.code] += applicable(finding, unsafe=False) is not None
        unsafe[finding.code] += applicable(finding, unsafe=True) is not None
        folders.setdefault(finding.code, Counter())[display_path(finding.path.parent, base)] += 1
    return [
        Count(code, names[code], total[code], safe[code], unsafe[code], dict(sorted(folders[code].items())))
        for code in sorted(total, key=lambda code: (-total[code], code))
    ]


def render(findings: Iterable[Finding], base: Path) -> str:
    """Two tables with aligned columns, of the rules and of the folders; empty without findings."""
    counts = count(findings, base)
    if not counts:
        return ""
    rules = [[str(item.count), item.code, item.name, _fixable(item)] for item in counts]
    return f"{_table(rules)}\n{_table(_by_folder(counts))}"


def objects(findings: Iterable[Finding], base: Path) -> list[CountObject]:
    return [
        {
            "code": item.code,
            "name": item.name,
            "count": item.count,
            "fixable": item.fixable,
            "fixable_unsafe": item.fixable_unsafe,
            "folders": item.folders,
        }
        for item in count(findings, base)
    ]


def render_json(findings: Iterable[Finding], base: Path) -> str:
    """A list of :class:`CountObject`."""
    return json.dumps(objects(findings, base), indent=2) + "\n"


def _by_folder(counts: Sequence[Count]) -> list[list[str]]:
    """The folder with most findings first: how many, where, and of which rules."""
    total: Counter[str] = Counter()
    rules: dict[str, list[tuple[int, str]]] = {}
    for item in counts:
        for folder, number in item.folders.items():
            total[folder] += number
            rules.setdefault(folder, []).append((-number, item.code))
    return [
        [
            str(total[folder]),
            one_line(folder),
            ", ".join(f"{code} {-negative}" for negative, code in sorted(rules[folder])),
        ]
        for folder in sorted(total, key=lambda folder: (-total[folder], folder))
    ]


def _table(rows: Sequence[Sequence[str]]) -> str:
    """The first column to the right, the others to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            (
                row[0].rjust(widths[0]),
                *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            )
        )
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _fixable(item: Count) -> str:
    if item.fixable_unsafe == 0:
        return ""
    if item.fixable == 0:
        return f"{item.fixable_unsafe} fixable with --unsafe-fixes"
    more = item.fixable_unsafe - item.fixable
    return f"{item.fixable} fixable" + (f", {more} more with --unsafe-fixes" if more else "")
