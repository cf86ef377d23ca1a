"""One line a finding: ``path:row:column: error[US108] message``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from understudy.finding import Finding
from understudy.report import display_place, one_line


def render(findings: Iterable[Finding], base: Path) -> str:
    return "".join(
        f"{one_line(display_place(finding.path, finding.span, base))}: "
        f"{finding.severity.value}[{finding.code}] {one_line(finding.message)}\n"
        for finding in findings
    )
