"""Completion, definition and references of the names in ``patch("…")``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from understudy.lsp import convert
from understudy.lsp.capabilities import Client
from understudy.lsp.documents import Document
from understudy.lsp.feature import Feature
from understudy.lsp.places import at_position, context_of
from understudy.lsp.session import Session
from understudy.source import unclosed
from understudy.source.span import Span

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject
    from understudy.rules import patch_strings
    from understudy.rules.base import Context

_KINDS = {
    "module": types.CompletionItemKind.Module,
    "class": types.CompletionItemKind.Class,
    "function": types.CompletionItemKind.Function,
    "variable": types.CompletionItemKind.Variable,
}


async def completion(session: Session, params: types.CompletionParams) -> list[types.CompletionItem] | None:
    from understudy.rules import patch_strings

    encoding = session.client.encoding

    def look(opened: OpenProject, document: Document) -> list[types.CompletionItem] | None:
        context = context_of(opened, document)
        at = at_position(document, params.position, encoding)
        part = patch_strings.part_at(context, at.row, at.column) if context is not None else None
        if context is not None and part is None:
            context, part = _in_open_string(context, at)
        if context is None or part is None:
            return None
        whole = convert.to_range(document.text, part.span, encoding)
        return [
            types.CompletionItem(
                found.name,
                kind=_KINDS[found.kind],
                detail=found.detail or None,
                text_edit=types.TextEdit(whole, found.name),
            )
            for found in patch_strings.candidates(context, part)
        ]

    return await session.ask(params.text_document.uri, look)


def _in_open_string(context: Context, at: Span) -> tuple[Context, patch_strings.Part | None]:
    """The same, where the quote that ends the string is not typed yet."""
    from understudy.rules import patch_strings
    from understudy.rules.base import Context
    from understudy.source.parse import parse

    for text in unclosed.closed(context.parsed.text, at.row, at.column):
        mended = Context(parse(context.path, text), context.module, context.workspace, context.is_test_path)
        part = patch_strings.part_at(mended, at.row, at.column)
        if part is not None:
            return mended, part
    return context, None


async def definition(session: Session, params: types.DefinitionParams) -> list[types.Location] | None:
    from understudy.rules import patch_strings

    encoding = session.client.encoding

    def look(opened: OpenProject, document: Document) -> list[types.Location] | None:
        context = context_of(opened, document)
        at = at_position(document, params.position, encoding)
        part = patch_strings.part_at(context, at.row, at.column) if context is not None else None
        if context is None or part is None:
            return None
        place = patch_strings.definition(patch_strings.meaning(context, part))
        return [_location(context, *place, encoding)] if place is not None else None

    return await session.ask(params.text_document.uri, look)


async def references(session: Session, params: types.ReferenceParams) -> list[types.Location] | None:
    from understudy.infer.entities import Absent
    from understudy.rules import patch_strings

    encoding = session.client.encoding

    def look(opened: OpenProject, document: Document) -> list[types.Location] | None:
        context = context_of(opened, document)
        if context is None:
            return None
        at = at_position(document, params.position, encoding)
        part = patch_strings.part_at(context, at.row, at.column)
        if part is not None:
            entity = patch_strings.meaning(context, part)
        else:
            entity = patch_strings.entity_named_at(context, at.row, at.column) or Absent.UNKNOWN
        if isinstance(entity, Absent):
            return None
        found = [
            _location(context, path, span, encoding)
            for path, span in patch_strings.references(context, entity)
        ]
        place = patch_strings.definition(entity)
        if params.context.include_declaration and place is not None:
            found.insert(0, _location(context, *place, encoding))
        return found

    return await session.ask(params.text_document.uri, look)


def _location(context: Context, path: Path, span: Span, encoding: str) -> types.Location:
    return types.Location(path.as_uri(), convert.to_range(context.workspace.text(path), span, encoding))


def _completing(client: Client) -> types.CompletionOptions:
    return types.CompletionOptions(trigger_characters=[".", '"', "'"])


FEATURES = (
    Feature(types.TEXT_DOCUMENT_COMPLETION, completion, options=_completing),
    Feature(types.TEXT_DOCUMENT_DEFINITION, definition),
    Feature(types.TEXT_DOCUMENT_REFERENCES, references),
)
