"""``textDocument/diagnostic`` and ``workspace/diagnostic``, for clients that ask. Nothing is pushed to them."""

from __future__ import annotations

import asyncio
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from understudy.lsp.diagnostics import diagnostics, result_id
from understudy.lsp.exchange import Report
from understudy.lsp.feature import Feature
from understudy.lsp.session import Session

_SERVER_CANCELLED = -32802
_GATHER = 0.3
"""Seconds for more to come before a question about the whole workspace is answered."""

_OfDocument = types.RelatedFullDocumentDiagnosticReport | types.RelatedUnchangedDocumentDiagnosticReport
_Related = types.FullDocumentDiagnosticReport | types.UnchangedDocumentDiagnosticReport
_OfWorkspace = types.WorkspaceFullDocumentDiagnosticReport | types.WorkspaceUnchangedDocumentDiagnosticReport


async def of_document(session: Session, params: types.DocumentDiagnosticParams) -> _OfDocument:
    uri = params.text_document.uri
    asked = session.documents.get(uri)
    report = await session.report(uri)
    if report is None:
        if asked is not None and asked.is_python and session.documents.get(uri) is not asked:
            raise _overtaken()
        report = session.closed_reports.get(uri)
    shown = _shown(session, report) if report is not None else []
    identity = session.told[uri] = result_id(shown)
    related = _related(session, uri) if session.client.related_documents else None
    if identity == params.previous_result_id:
        return types.RelatedUnchangedDocumentDiagnosticReport(identity, related_documents=related)
    return types.RelatedFullDocumentDiagnosticReport(shown, related_documents=related, result_id=identity)


def _related(session: Session, uri: str) -> dict[str, _Related] | None:
    """Other documents that the same edit gave other findings."""
    found: dict[str, _Related] = {}
    for report in session.all_reports():
        other = report.document.uri
        if other == uri:
            continue
        shown = _shown(session, report)
        identity = result_id(shown)
        # What it was never told about, it will ask for, or show only when it has the whole workspace's.
        if other in session.told and session.told[other] != identity:
            session.told[other] = identity
            found[other] = types.FullDocumentDiagnosticReport(shown, result_id=identity)
    return found or None


async def of_workspace(
    session: Session, params: types.WorkspaceDiagnosticParams
) -> types.WorkspaceDiagnosticReport:
    """What is new since the client last asked. While nothing is, there is no answer: it would ask again at once."""
    known = {item.uri: item.value for item in params.previous_result_ids}
    while not (found := _news(session, known)):
        await session.news()
        await asyncio.sleep(_GATHER)
    return types.WorkspaceDiagnosticReport(found)


def _news(session: Session, known: dict[str, str]) -> list[_OfWorkspace]:
    found: list[_OfWorkspace] = []
    for report in session.all_reports():
        uri, version = report.document.uri, report.document.version
        shown = _shown(session, report)
        identity = result_id(shown)
        told = known.get(uri) == identity or (uri not in known and not shown)
        if told and uri not in session.owed:
            continue
        session.owed.discard(uri)
        # What was asked about by itself, a client shows as it was last answered, whatever it hears here.
        if version is None or uri not in session.told:
            session.told[uri] = identity
        found.append(types.WorkspaceFullDocumentDiagnosticReport(uri, shown, version, result_id=identity))
    return found


def _shown(session: Session, report: Report) -> list[types.Diagnostic]:
    return diagnostics(report, session.client, session.documents.uri_of)


def _overtaken() -> JsonRpcException:
    return JsonRpcException("the document has changed", _SERVER_CANCELLED, {"retriggerRequest": True})


def _options(client: Any) -> types.DiagnosticOptions:
    return types.DiagnosticOptions(
        inter_file_dependencies=True, workspace_diagnostics=True, identifier="understudy"
    )


FEATURES = (
    Feature(
        types.TEXT_DOCUMENT_DIAGNOSTIC,
        of_document,
        _options,
        when=lambda client: client.pulls_diagnostics,
    ),
    Feature(
        types.WORKSPACE_DIAGNOSTIC,
        of_workspace,
        when=lambda client: client.pulls_diagnostics,
    ),
)
