"""``textDocument/codeAction``: the fixes of findings, *suppress here*, and ``source.fixAll.understudy``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lsprotocol import types

from understudy.finding import Applicability, Edit, Finding, Fix
from understudy.fixes import apply
from understudy.lsp import convert
from understudy.lsp.capabilities import Client
from understudy.lsp.diagnostics import SOURCE, diagnostic
from understudy.lsp.documents import Documents
from understudy.lsp.edits import workspace_edit
from understudy.lsp.exchange import Report
from understudy.lsp.feature import Feature
from understudy.lsp.session import Overtaken, Session
from understudy.lsp.suppressing import suppression
from understudy.source.span import Span
from understudy.source.text import SourceError, Text

FIX_ALL = "source.fixAll.understudy"
KINDS = (types.CodeActionKind.QuickFix, FIX_ALL)


async def code_actions(session: Session, params: types.CodeActionParams) -> list[types.CodeAction] | None:
    report = await session.report(params.text_document.uri)
    if report is None:
        return None
    actions = _Actions(report, session.client, session.documents, params.context)
    found: list[types.CodeAction] = []
    if actions.wanted(types.CodeActionKind.QuickFix):
        found.extend(actions.quick_fixes(params.range))
    if actions.wanted(FIX_ALL) and any(_is_safe(fix) for finding in report.findings for fix in finding.fixes):
        all_fixes = types.CodeAction("Understudy: apply all safe fixes", kind=FIX_ALL)
        if session.client.resolves_edits:
            all_fixes.data = {"uri": report.document.uri, "version": report.document.version}
            found.append(all_fixes)
        else:
            all_fixes.edit = await _fix_all(session, report)
            if all_fixes.edit is not None:
                found.append(all_fixes)
    return found or None


async def resolve(session: Session, action: types.CodeAction) -> types.CodeAction:
    """The edits of ``source.fixAll``, which are worked out only when they are wanted."""
    data = action.data
    if action.edit is not None or not isinstance(data, Mapping):
        return action
    report = await session.report(str(data.get("uri")))
    if report is None or report.document.version != data.get("version"):
        raise Overtaken
    action.edit = await _fix_all(session, report)
    return action


async def _fix_all(session: Session, report: Report) -> types.WorkspaceEdit | None:
    # It parses the files that it changes: not on the event loop.
    edits = await asyncio.to_thread(_all_safe_edits, report)
    return workspace_edit(edits, report.texts, session.documents, session.client)


def _is_safe(fix: Fix) -> bool:
    return fix.applicability is Applicability.SAFE


@dataclass
class _Offer:
    title: str
    edits: tuple[Edit, ...]
    findings: list[Finding] = field(default_factory=list)
    preferred: bool = False


class _Actions:
    def __init__(
        self, report: Report, client: Client, documents: Documents, context: types.CodeActionContext
    ) -> None:
        self._report = report
        self._client = client
        self._documents = documents
        self._context = context

    def wanted(self, kind: str) -> bool:
        """``only`` names kinds and, with a dot behind them, all of their sub-kinds."""
        only = self._context.only
        if only is None:
            return True
        asked = [item.value if isinstance(item, types.CodeActionKind) else item for item in only]
        return any(not item or kind == item or kind.startswith(f"{item}.") for item in asked)

    def quick_fixes(self, range_: types.Range) -> Iterator[types.CodeAction]:
        findings = self._concerned(range_)
        # One mock may be at fault in several findings: what mends them all is offered once.
        fixes: dict[tuple[str, tuple[Edit, ...]], _Offer] = {}
        for finding in findings:
            preferred = False
            for fix in finding.fixes:
                safe = _is_safe(fix)
                title = _plain(fix.title) + ("" if safe else " (unsafe)")
                offer = fixes.setdefault((title, fix.edits), _Offer(title, fix.edits))
                offer.findings.append(finding)
                offer.preferred = offer.preferred or (safe and not preferred)
                preferred = preferred or safe
        suppressions: dict[tuple[str, Edit], _Offer] = {}
        for finding in findings:
            edit = suppression(finding, self._report.document.text)
            if edit is not None:
                made = _Offer(f"Suppress {finding.code} here", (edit,))
                suppressions.setdefault((finding.code, edit), made).findings.append(finding)
        for offer in (*fixes.values(), *suppressions.values()):
            by_path: dict[Path, list[Edit]] = {}
            for edit in offer.edits:
                by_path.setdefault(edit.path, []).append(edit)
            change = self.workspace_edit(by_path)
            if change is not None:
                yield types.CodeAction(
                    offer.title,
                    kind=types.CodeActionKind.QuickFix,
                    diagnostics=[self._diagnostic(finding) for finding in offer.findings],
                    is_preferred=True if offer.preferred and self._client.preferred_actions else None,
                    edit=change,
                )

    def _concerned(self, range_: types.Range) -> list[Finding]:
        """The findings that touch the range, and those that the client names in the context."""
        text, encoding = self._report.document.text, self._client.encoding
        asked = convert.to_span(text, range_, encoding)
        named = {
            (item.code, convert.to_span(text, item.range, encoding))
            for item in self._context.diagnostics
            if item.source == SOURCE
        }
        return [
            finding
            for finding in self._report.findings
            if _touch(finding.span, asked) or (finding.code, finding.span) in named
        ]

    def _diagnostic(self, finding: Finding) -> types.Diagnostic:
        """The client's own, where it sent it along."""
        made = diagnostic(finding, self._report, self._client, self._documents.uri_of)
        for known in self._context.diagnostics:
            if (known.range, known.code, known.message) == (made.range, made.code, made.message):
                return known
        return made

    def workspace_edit(self, edits: Mapping[Path, Sequence[Edit]]) -> types.WorkspaceEdit | None:
        return workspace_edit(edits, self._report.texts, self._documents, self._client)


def _all_safe_edits(report: Report) -> dict[Path, tuple[Edit, ...]]:
    """What all safe fixes together do, left out those that do not go together or would break a file."""

    def text_of(path: Path) -> Text:
        try:
            return report.texts[path]
        except KeyError:
            raise SourceError("cannot be read") from None

    return apply.preview(apply.plan(report.findings, unsafe=False), text_of).plan.edits


def _touch(first: Span, second: Span) -> bool:
    return first[:2] <= second[2:] and second[:2] <= first[2:]


def _plain(title: str) -> str:
    return title.replace("`", "")


FEATURES = (
    Feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        code_actions,
        lambda client: types.CodeActionOptions(
            code_action_kinds=list(KINDS), resolve_provider=client.resolves_edits or None
        ),
        # Of what a client without literals understands, commands, we have none.
        when=lambda client: client.code_action_literals,
    ),
    Feature(types.CODE_ACTION_RESOLVE, resolve, when=lambda client: client.resolves_edits),
)
