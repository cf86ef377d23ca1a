"""Workflow commands that GitHub Actions turns into annotations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from understudy.finding import Finding, Severity
from understudy.report import display_path, display_place

_COMMANDS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
    Severity.HINT: "notice",
}


def render(findings: Iterable[Finding], base: Path) -> str:
    return "".join(_command(finding, base) + "\n" for finding in findings)


def _command(finding: Finding, base: Path) -> str:
    span = finding.span
    properties = {
        "title": f"{finding.code} {finding.name}",
        "file": display_path(finding.path, base),
        "line": str(span.row + 1),
        "endLine": str(span.end_row + 1),
    }
    if span.row == span.end_row:
        # GitHub refuses columns when the two lines differ.
        properties |= {"col": str(span.column + 1), "endColumn": str(span.end_column + 1)}
    # The log shows only the message, so it names the place itself.
    lines = [f"{display_place(finding.path, span, base)}: {finding.code} {finding.message}"]
    lines += [
        f"{display_place(related.path, related.span, base)}: {related.message}" for related in finding.related
    ]
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {listed}::{_data(chr(10).join(lines))}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
