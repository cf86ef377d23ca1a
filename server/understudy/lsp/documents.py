"""The documents that are open in the editor, kept by our own application of its edits.

pygls splits lines with ``str.splitlines``; the protocol knows ``\\n``, ``\\r\\n`` and ``\\r`` only, and so
does :class:`~understudy.source.text.Text`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lsprotocol import types
from pygls import uris

from understudy.source.text import Text

_BYTE_ORDER_MARK = "\ufeff"
_UNSAFE = re.compile(r"[^\w.-]")


@dataclass(frozen=True, slots=True)
class Document:
    """One version of an open document. Immutable: what works on it in the background keeps its own."""

    uri: str
    version: int | None
    """None for a file that is not open, as it is on disk."""
    text: Text
    path: Path | None
    """Where it is, or would be: what was never saved is taken to be a file of the first folder, the cell of a
    notebook one beside the notebook. None for what cannot be checked, such as an old revision."""
    language: str

    @property
    def is_python(self) -> bool:
        """True for a file that can be analysed."""
        if self.path is None:
            return False
        return self.path.suffix == ".py" or (self.language == "python" and self.path.suffix != ".pyi")

    @property
    def source(self) -> Text:
        """The text to parse. A byte order mark that the editor left in becomes a form feed, which Python
        skips, so that no column moves."""
        if self.text.content.startswith(_BYTE_ORDER_MARK):
            return Text("\f" + self.text.content[1:])
        return self.text


class Documents:
    """All open documents in their latest version."""

    def __init__(self) -> None:
        self._by_uri: dict[str, Document] = {}
        self._by_path: dict[Path, Document] = {}
        self.home: Path | None = None
        """The folder in which what was never saved is checked."""

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._by_uri.values()))

    def get(self, uri: str) -> Document | None:
        return self._by_uri.get(uri)

    def at(self, path: Path) -> Document | None:
        """The document that stands for a file."""
        return self._by_path.get(path)

    def uri_of(self, path: Path) -> str:
        """The client's own spelling of the URI where it has one."""
        document = self._by_path.get(path)
        return document.uri if document is not None else (uris.from_fs_path(str(path)) or "")

    def open(self, item: types.TextDocumentItem) -> Document:
        language = str(item.language_id)
        path = path_of(item.uri)
        if path is None and language == "python":
            path = self._stand_in(item.uri)
        return self._put(Document(item.uri, item.version, Text(item.text), path, language))

    def _stand_in(self, uri: str) -> Path | None:
        """The file that Python without one is checked as: named like a test, for doubles are found in tests, and
        like no file that there is, or it would be hidden."""
        scheme, _, rest = uri.partition(":")
        if scheme == "untitled" and self.home is not None:
            return self.home / f"test_unsaved {re.sub(_UNSAFE, '_', rest)}.py"
        if scheme == "vscode-notebook-cell":
            place, _, cell = rest.partition("#")
            notebook = path_of(f"file:{place}")
            if notebook is not None:
                return notebook.with_name(f"test_cell {re.sub(_UNSAFE, '_', cell)} of {notebook.stem}.py")
        return None

    def change(
        self,
        uri: str,
        version: int,
        changes: Iterable[types.TextDocumentContentChangeEvent],
        encoding: str,
    ) -> Document | None:
        """None when the document is not open."""
        document = self._by_uri.get(uri)
        if document is None:
            return None
        text = document.text
        for change in changes:
            text = apply(text, change, encoding)
        return self._put(replace(document, version=version, text=text))

    def close(self, uri: str) -> Document | None:
        document = self._by_uri.pop(uri, None)
        if document is not None and document.path is not None:
            self._by_path.pop(document.path, None)
        return document

    def _put(self, document: Document) -> Document:
        self._by_uri[document.uri] = document
        if document.path is not None:
            self._by_path[document.path] = document
        return document


def apply(text: Text, change: types.TextDocumentContentChangeEvent, encoding: str) -> Text:
    """One change applied. Positions beyond a line or the text mean their end."""
    if isinstance(change, types.TextDocumentContentChangeWholeDocument):
        return Text(change.text)
    start = _offset(text, change.range.start, encoding)
    end = max(start, _offset(text, change.range.end, encoding))
    return Text(text.content[:start] + change.text + text.content[end:])


def path_of(uri: str) -> Path | None:
    """The file of a URI; None for other schemes: a cell of a notebook, an old revision, what was never saved."""
    if not uri.lower().startswith("file:"):
        return None
    try:
        path = uris.to_fs_path(uri)
    except ValueError:
        return None
    if not path or "\0" in path:
        return None
    # normpath and not resolve(): files are known by the path they were asked for.
    return Path(os.path.normpath(path))


def _offset(text: Text, position: types.Position, encoding: str) -> int:
    return text.offset(position.line, text.from_units(position.line, position.character, encoding))
