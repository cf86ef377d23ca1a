"""``textDocument/hover`` on a keyword that is a model's field: type, nullability, default."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsprotocol import types

from understudy.lsp import convert
from understudy.lsp.documents import Document
from understudy.lsp.feature import Feature
from understudy.lsp.places import at_position, context_of
from understudy.lsp.session import Session

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject


async def hover(session: Session, params: types.HoverParams) -> types.Hover | None:
    from understudy.rules.model_keywords import field_at

    encoding, position = session.client.encoding, params.position

    def look(opened: OpenProject, document: Document) -> types.Hover | None:
        context = context_of(opened, document)
        if context is None:
            return None
        at = at_position(document, position, encoding)
        found = field_at(context, at.row, at.column)
        if found is None:
            return None
        field, span = found
        declared = ""
        if field.place is not None:
            path = os.path.relpath(field.place[0], opened.project.root)
            declared = f", declared in {path}:{field.place[1].row + 1}"
        name = f"{field.owner}.{field.name}"
        if session.client.markdown_hover:
            marked = f"**{name}**: `{field.summary}`{declared}"
            content = types.MarkupContent(types.MarkupKind.Markdown, marked)
        else:
            content = types.MarkupContent(types.MarkupKind.PlainText, f"{name}: {field.summary}{declared}")
        return types.Hover(content, convert.to_range(document.text, span, encoding))

    return await session.ask(params.text_document.uri, look)


FEATURES = (Feature(types.TEXT_DOCUMENT_HOVER, hover),)
