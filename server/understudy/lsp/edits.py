"""Edits of files as the protocol has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lsprotocol import types

from understudy.finding import Edit
from understudy.lsp import convert
from understudy.lsp.capabilities import Client
from understudy.lsp.documents import Documents
from understudy.source.text import Text


def workspace_edit(
    edits: Mapping[Path, Sequence[Edit]], texts: Mapping[Path, Text], documents: Documents, client: Client
) -> types.WorkspaceEdit | None:
    """
    :param texts: the files as they were when the edits were made.
    :returns: None when a file is not what it was then, or could not be read.
    """
    changes: dict[str, list[types.TextEdit]] = {}
    versioned: list[types.TextDocumentEdit] = []
    for path, of_path in edits.items():
        text = texts.get(path)
        document = documents.at(path)
        if text is None or (document is not None and document.text.content != text.content):
            return None
        uri = documents.uri_of(path)
        changes[uri] = convert.to_text_edits(text, of_path, client.encoding)
        version = document.version if document is not None else None
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri, version)
        versioned.append(types.TextDocumentEdit(identifier, list(changes[uri])))
    if not changes:
        return None
    if client.document_changes:
        return types.WorkspaceEdit(document_changes=versioned)
    return types.WorkspaceEdit(changes=changes)
