"""SARIF 2.1.0: what code scanning services and viewers read.

One run with the rules that have findings (their pages are the help), results with related locations, fixes and
fingerprints. The specification is https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; the numbers in
comments are its sections.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import quote

from understudy.finding import Edit, Finding, Fix, Related, Severity
from understudy.report import display_path
from understudy.report.fingerprint import ParsedOf, fingerprints
from understudy.source.span import Span

Object: TypeAlias = dict[str, Any]
"""An object of SARIF; the tests hold the whole document against the schema of OASIS."""

FINGERPRINT: Final = "understudy/v1"
"""The name of our fingerprint. It has to change when the fingerprint is made in another way (3.27.17)."""

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT: Final = "SRCROOT"
_LEVELS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "note",
    Severity.HINT: "note",
}
_BRACKET = re.compile(r"[\[\]\\]")


class Documented(Protocol):
    """What is said of a rule."""

    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def summary(self) -> str: ...
    @property
    def page(self) -> str: ...


@dataclass(frozen=True)
class About:
    """What the document says besides findings."""

    version: str
    """Understudy's."""
    complete: bool = True
    """False: something could not be checked."""
    problems: Sequence[str] = ()
    """Why, and other things that had to be said; a sentence each."""
    statistics: Sequence[Mapping[str, object]] | None = None
    compared: bool = False
    """True: the findings are those that a baseline does not have."""


def render(
    findings: Sequence[Finding],
    base: Path,
    parsed_of: ParsedOf,
    rules: Mapping[str, Documented],
    about: About,
) -> str:
    """One document. ASCII only, so that any stream can carry it. Names of files are relative to ``base`` when
    they are inside; no absolute path of this machine is in it otherwise."""
    found = {finding.code for finding in findings}
    used = [code for code in rules if code in found]
    number = {code: index for index, code in enumerate(used)}
    results = [
        _result(finding, fingerprint, number, base, about)
        for finding, fingerprint in zip(findings, fingerprints(findings, parsed_of), strict=True)
    ]
    run: Object = {
        "tool": {
            "driver": {
                "name": "Understudy",
                "semanticVersion": about.version,
                "rules": [_rule(rules[code]) for code in used],
            }
        },
        "invocations": [
            {
                "executionSuccessful": about.complete,
                "toolExecutionNotifications": [
                    {"level": "warning" if about.complete else "error", "message": {"text": problem}}
                    for problem in about.problems
                ],
            }
        ],
        "originalUriBaseIds": {
            _ROOT: {"description": {"text": "The folder that understudy was started in"}},
        },
        # As Python counts: 3.14.17, 3.14.27.
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\n", "\r"],
        "results": results,
    }
    if about.statistics is not None:
        run["properties"] = {"statistics": about.statistics}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Documented) -> Object:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "help": {"text": rule.page, "markdown": rule.page},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, fingerprint: str, number: dict[str, int], base: Path, about: About) -> Object:
    result: Object = {
        "ruleId": finding.code,
        "ruleIndex": number[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": _place(finding.path, finding.span, base)}],
        "partialFingerprints": {FINGERPRINT: fingerprint},
    }
    if finding.related:
        result["relatedLocations"] = [
            _related(related, index, base) for index, related in enumerate(finding.related, 1)
        ]
    if finding.fixes:
        result["fixes"] = [_fix(fix, base) for fix in finding.fixes]
    if about.compared:
        result["baselineState"] = "new"
    return result


def _message(finding: Finding) -> str:
    """The message, and a link to each related place (3.11.6): GitHub shows no others."""
    links = (
        f"[{_BRACKET.sub(_escaped, related.message)}]({index})"
        for index, related in enumerate(finding.related, 1)
    )
    return "\n".join((finding.message, *links))


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match.group()}"


def _related(related: Related, index: int, base: Path) -> Object:
    return {
        "id": index,
        "message": {"text": related.message},
        "physicalLocation": _place(related.path, related.span, base),
    }


def _fix(fix: Fix, base: Path) -> Object:
    by_file = groupby(sorted(fix.edits), key=lambda edit: edit.path)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {"artifactLocation": _file(path, base), "replacements": _replacements(edits)}
            for path, edits in by_file
        ],
        "properties": {"applicability": fix.applicability.value},
    }


def _replacements(edits: Iterable[Edit]) -> list[Object]:
    return [
        {"deletedRegion": _region(edit.span)}
        | ({"insertedContent": {"text": edit.content}} if edit.content else {})
        for edit in edits
    ]


def _place(path: Path, span: Span, base: Path) -> Object:
    return {"artifactLocation": _file(path, base), "region": _region(span)}


def _region(span: Span) -> Object:
    """Rows and columns from 1, the end exclusive (3.30)."""
    return {
        "startLine": span.row + 1,
        "startColumn": span.column + 1,
        "endLine": span.end_row + 1,
        "endColumn": span.end_column + 1,
    }


def _file(path: Path, base: Path) -> Object:
    shown = display_path(path, base)
    if path.is_absolute() and shown == path.as_posix():
        return {"uri": path.as_uri()}
    return {"uri": quote(os.fsencode(shown)), "uriBaseId": _ROOT}
