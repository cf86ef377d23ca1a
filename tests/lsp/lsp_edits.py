"""Places in texts, renamings over the wire, and what their edits make of a text."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lsp_client import Client
from lsprotocol import types

RENAMING = types.ClientCapabilities(
    text_document=types.TextDocumentClientCapabilities(
        rename=types.RenameClientCapabilities(prepare_support=True)
    )
)
ASKING = types.ClientCapabilities(
    text_document=types.TextDocumentClientCapabilities(
        completion=types.CompletionClientCapabilities(),
        definition=types.DefinitionClientCapabilities(),
        references=types.ReferenceClientCapabilities(),
    )
)


def place(text: str, words: str, into: int) -> types.Position:
    """A place so many characters into the first of some words, in UTF-16."""
    before = text[: text.index(words) + into]
    return types.Position(before.count("\n"), len(before.rpartition("\n")[2].encode("utf-16-le")) // 2)


def applied(text: str, edits: list[types.TextEdit]) -> str:
    """A text after edits, none of which goes over a line."""
    lines = [line.encode("utf-16-le") for line in text.split("\n")]
    for edit in sorted(
        edits, key=lambda edit: (edit.range.start.line, edit.range.start.character), reverse=True
    ):
        start, end = edit.range.start, edit.range.end
        line = lines[start.line]
        new = edit.new_text.encode("utf-16-le")
        lines[start.line] = line[: 2 * start.character] + new + line[2 * end.character :]
    return "\n".join(line.decode("utf-16-le") for line in lines)


def unmarked(files: Mapping[str, str]) -> dict[str, str]:
    """The files as they are: what is to be renamed stands in ‹› in those given."""
    return {name: re.sub("[‹›]", "", text) for name, text in files.items()}


def renamed(files: Mapping[str, str], new: str) -> dict[str, str]:
    """The files as they should become."""
    return {name: re.sub("‹[^›]*›", new, text) for name, text in files.items()}


def after(files: Mapping[str, str], edit: types.WorkspaceEdit | None, root: Path) -> dict[str, str]:
    """The files after an edit of the workspace."""
    assert edit is not None
    assert edit.changes is not None
    changes = edit.changes
    return {
        name: applied(text, list(changes.get((root / name).as_uri(), []))) for name, text in files.items()
    }


async def rename(client: Client, uri: str, at: types.Position, new: str) -> types.WorkspaceEdit | None:
    """What the server says to a new name."""
    return await client.text_document_rename_async(
        types.RenameParams(types.TextDocumentIdentifier(uri), at, new)
    )


def assert_passes(root: Path) -> None:
    """All tests of a project pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
