"""How many findings each rule has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from understudy.finding import Finding
from understudy.fixes.apply import applicable


@dataclass(frozen=True, slots=True)
class Count:
    """One rule's findings, and how many of them a safe, or any, fix would mend."""

    code: str
    name: str
    count: int
    fixable: int
    fixable_unsafe: int


def count(findings: Iterable[Finding]) -> list[Count]:
    """By rule; the most frequent first, then by code."""
    names: dict[str, str] = {}
    total: Counter[str] = Counter()
    safe: Counter[str] = Counter()
    unsafe: Counter[str] = Counter()
    for finding in findings:
        names[finding.code] = finding.name
        total[finding.code] += 1
        safe[finding.code] += applicable(finding, unsafe=False) is not None
        unsafe[finding.code] += applicable(finding, unsafe=True) is not None
    return [
        Count(code, names[code], total[code], safe[code], unsafe[code])
        for code in sorted(total, key=lambda code: (-total[code], code))
    ]


def render(findings: Iterable[Finding]) -> str:
    """A table with aligned columns; empty without findings."""
    counts = count(findings)
    if not counts:
        return ""
    width = len(str(counts[0].count))
    code_width = max(len(item.code) for item in counts)
    name_width = max(len(item.name) for item in counts)
    rows = (
        f"{item.count:>{width}}  {item.code:<{code_width}}  {item.name:<{name_width}}  {_fixable(item)}"
        for item in counts
    )
    return "".join(f"{row.rstrip()}\n" for row in rows)


def render_json(findings: Iterable[Finding]) -> str:
    """A list of objects with ``code``, ``name``, ``count``, ``fixable`` and ``fixable_unsafe``."""
    objects = [
        {
            "code": item.code,
            "name": item.name,
            "count": item.count,
            "fixable": item.fixable,
            "fixable_unsafe": item.fixable_unsafe,
        }
        for item in count(findings)
    ]
    return json.dumps(objects, indent=2) + "\n"


def _fixable(item: Count) -> str:
    if item.fixable_unsafe == 0:
        return ""
    if item.fixable == 0:
        return f"{item.fixable_unsafe} fixable with --unsafe-fixes"
    more = item.fixable_unsafe - item.fixable
    return f"{item.fixable} fixable" + (f", {more} more with --unsafe-fixes" if more else "")
