"""Findings as the client can show them, and ``textDocument/publishDiagnostics``."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import attrs
from lsprotocol import types

from understudy.finding import Finding
from understudy.lsp import convert
from understudy.lsp.capabilities import Client
from understudy.lsp.exchange import Report

SOURCE = "understudy"


def publication(
    report: Report, client: Client, uri_of: Callable[[Path], str]
) -> types.PublishDiagnosticsParams:
    return types.PublishDiagnosticsParams(
        report.document.uri, diagnostics(report, client, uri_of), report.document.version
    )


def diagnostics(report: Report, client: Client, uri_of: Callable[[Path], str]) -> list[types.Diagnostic]:
    return [diagnostic(finding, report, client, uri_of) for finding in report.findings]


def result_id(shown: list[types.Diagnostic]) -> str:
    """The same for the same content, whatever version of the document it is about."""
    content = repr([attrs.astuple(each) for each in shown])
    return sha256(content.encode("utf-8", "replace")).hexdigest()[:16]


def diagnostic(
    finding: Finding, report: Report, client: Client, uri_of: Callable[[Path], str]
) -> types.Diagnostic:
    from understudy.rules import registry

    url = registry.url(finding.code) if client.code_description else None
    return types.Diagnostic(
        range=convert.to_range(report.document.text, finding.span, client.encoding),
        message=finding.message,
        severity=convert.severity(finding.severity),
        code=finding.code,
        code_description=types.CodeDescription(url) if url is not None else None,
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if finding.unnecessary and client.unnecessary_tag else None,
        related_information=_related(finding, report, client, uri_of),
        data=_data(finding) if client.diagnostic_data else None,
    )


def _related(
    finding: Finding, report: Report, client: Client, uri_of: Callable[[Path], str]
) -> list[types.DiagnosticRelatedInformation] | None:
    if not client.related_information:
        return None
    found = []
    for place in finding.related:
        text = report.texts.get(place.path)
        if text is not None:
            location = types.Location(uri_of(place.path), convert.to_range(text, place.span, client.encoding))
            found.append(types.DiagnosticRelatedInformation(location, place.message))
    return found or None


def _data(finding: Finding) -> dict[str, str | None]:
    """For clients that show more than the message: the rule's name, and whether a fix is known."""
    return {"name": finding.name, "fix": finding.fix.applicability.value if finding.fix else None}
