"""``textDocument/completion`` of a model's fields: in its constructor, ``filter_by``, ``values`` and factories, as
keywords and as keys of dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from understudy.lsp import convert
from understudy.lsp.capabilities import Client
from understudy.lsp.documents import Document
from understudy.lsp.feature import Feature
from understudy.lsp.places import at_position, context_of
from understudy.lsp.session import Session

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject


async def completion(session: Session, params: types.CompletionParams) -> list[types.CompletionItem] | None:
    from understudy.rules.model_keywords import offered

    encoding, position = session.client.encoding, params.position

    def look(opened: OpenProject, document: Document) -> list[types.CompletionItem] | None:
        context = context_of(opened, document)
        if context is None:
            return None
        at = at_position(document, position, encoding)
        offer = offered(context, at.row, at.column)
        if offer is None:
            return None
        whole = convert.to_range(document.text, offer.span, encoding)
        ending = "" if offer.quoted else "="
        return [
            types.CompletionItem(
                f"{field.name}{ending}",
                kind=types.CompletionItemKind.Field,
                detail=field.summary,
                # In the order of the declarations.
                sort_text=f"{number:04}",
                text_edit=types.TextEdit(whole, f"{field.name}{ending}"),
            )
            for number, field in enumerate(offer.fields)
        ]

    return await session.ask(params.text_document.uri, look)


def _completing(client: Client) -> types.CompletionOptions:
    return types.CompletionOptions(trigger_characters=["(", ",", '"', "'"])


FEATURES = (Feature(types.TEXT_DOCUMENT_COMPLETION, completion, options=_completing),)
