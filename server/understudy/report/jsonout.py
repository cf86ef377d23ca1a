"""The JSON contract: rows and columns from 1, columns in code points, ends exclusive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict

from understudy.finding import Edit, Finding, Fix, Related
from understudy.report import display_path
from understudy.source.span import Span


class Location(TypedDict):
    row: int
    column: int


class EditObject(TypedDict):
    filename: str
    location: Location
    end_location: Location
    content: str


class FixObject(TypedDict):
    title: str
    applicability: str
    edits: list[EditObject]


class RelatedObject(TypedDict):
    filename: str
    location: Location
    end_location: Location
    message: str


class FindingObject(TypedDict):
    code: str
    name: str
    severity: str
    message: str
    filename: str
    location: Location
    end_location: Location
    related: list[RelatedObject]
    fix: FixObject | None
    url: str | None


def render(findings: Iterable[Finding], base: Path, url_of: Callable[[str], str | None]) -> str:
    """A list of objects. ASCII only, so that any stream can carry it, and any file name."""
    return json.dumps(objects(findings, base, url_of), indent=2) + "\n"


def objects(
    findings: Iterable[Finding], base: Path, url_of: Callable[[str], str | None]
) -> list[FindingObject]:
    """File names are relative to ``base`` when inside, else absolute; with forward slashes."""
    return [
        {
            "code": finding.code,
            "name": finding.name,
            "severity": finding.severity.value,
            "message": finding.message,
            "filename": display_path(finding.path, base),
            "location": _start(finding.span),
            "end_location": _end(finding.span),
            "related": [_related(related, base) for related in finding.related],
            "fix": None if finding.fix is None else _fix(finding.fix, base),
            "url": url_of(finding.code),
        }
        for finding in findings
    ]


def _related(related: Related, base: Path) -> RelatedObject:
    return {
        "filename": display_path(related.path, base),
        "location": _start(related.span),
        "end_location": _end(related.span),
        "message": related.message,
    }


def _fix(fix: Fix, base: Path) -> FixObject:
    return {
        "title": fix.title,
        "applicability": fix.applicability.value,
        "edits": [_edit(edit, base) for edit in fix.edits],
    }


def _edit(edit: Edit, base: Path) -> EditObject:
    return {
        "filename": display_path(edit.path, base),
        "location": _start(edit.span),
        "end_location": _end(edit.span),
        "content": edit.content,
    }


def _start(span: Span) -> Location:
    return {"row": span.row + 1, "column": span.column + 1}


def _end(span: Span) -> Location:
    return {"row": span.end_row + 1, "column": span.end_column + 1}
