"""``textDocument/rename`` of the names of modules and classes: with them, the strings of the patches that mean them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from understudy.finding import Edit
from understudy.lsp import convert
from understudy.lsp.capabilities import Client
from understudy.lsp.documents import Document
from understudy.lsp.edits import workspace_edit
from understudy.lsp.feature import Feature
from understudy.lsp.places import at_position, context_of
from understudy.lsp.session import Overtaken, Session
from understudy.source.span import Span
from understudy.source.text import Text

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject
    from understudy.rules import renaming, renaming_members
    from understudy.rules.base import Context

_Found = tuple[dict[Path, list[Edit]], dict[Path, Text]]


async def prepare(session: Session, params: types.PrepareRenameParams) -> types.Range | None:
    encoding = session.client.encoding

    def look(opened: OpenProject, document: Document) -> types.Range | None:
        context = context_of(opened, document)
        at = at_position(document, params.position, encoding)
        found = _under(context, at) if context is not None else None
        return convert.to_range(document.text, found[1], encoding) if found is not None else None

    return await session.ask(params.text_document.uri, look)


async def rename(session: Session, params: types.RenameParams) -> types.WorkspaceEdit | None:
    from understudy.rules import renaming, renaming_members

    encoding, new = session.client.encoding, params.new_name

    def look(opened: OpenProject, document: Document) -> _Found | None:
        context = context_of(opened, document)
        at = at_position(document, params.position, encoding)
        found = _under(context, at) if context is not None else None
        if context is None or found is None:
            return None
        if isinstance(found[0], renaming_members.Member):
            spans = renaming_members.renamed(context, found[0], new)
        else:
            spans = renaming.renamed(context, found[0], new)
        edits = {path: [Edit(path, span, new) for span in of_path] for path, of_path in spans.items()}
        return edits, {path: context.workspace.text(path) for path in edits}

    try:
        answer = await session.ask(params.text_document.uri, look)
    except renaming.Refused as refusal:
        raise JsonRpcException(str(refusal), code=types.LSPErrorCodes.RequestFailed) from None
    if answer is None:
        return None
    made = workspace_edit(*answer, session.documents, session.client)
    if made is None:
        raise Overtaken
    return made


def _under(context: Context, at: Span) -> tuple[renaming.Symbol | renaming_members.Member, Span] | None:
    """The name under the cursor: of a module, or of a class."""
    from understudy.rules import renaming, renaming_members

    return renaming.symbol_at(context, at.row, at.column) or renaming_members.member_at(
        context, at.row, at.column
    )


def _announced(client: Client) -> types.RenameOptions:
    return types.RenameOptions(prepare_provider=client.prepares_rename)


FEATURES = (
    Feature(types.TEXT_DOCUMENT_RENAME, rename, options=_announced),
    Feature(types.TEXT_DOCUMENT_PREPARE_RENAME, prepare, when=lambda client: client.prepares_rename),
)
