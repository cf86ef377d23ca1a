"""``textDocument/inlayHint``: the kind of mock that a ``patch`` injects, after ``as m`` and after parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from understudy.lsp import convert
from understudy.lsp.documents import Document
from understudy.lsp.feature import Feature
from understudy.lsp.session import Session

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject


async def inlay_hints(session: Session, params: types.InlayHintParams) -> list[types.InlayHint] | None:
    if not session.inlay_hints:
        return None
    from understudy.lsp.shapes import injected, simulation_of

    encoding = session.client.encoding

    def look(opened: OpenProject, document: Document) -> list[types.InlayHint]:
        simulation = simulation_of(opened.project, document)
        if simulation is None:
            return []
        hints = []
        for kind, span in injected(simulation, params.range.start.line, params.range.end.line):
            end = convert.to_range(document.text, span, encoding).end
            hints.append(types.InlayHint(end, f": {kind}", types.InlayHintKind.Type))
        return hints

    return await session.ask(params.text_document.uri, look)


FEATURES = (Feature(types.TEXT_DOCUMENT_INLAY_HINT, inlay_hints),)
