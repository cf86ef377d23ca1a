"""The documents of the editor: edits land where the client means them, whatever the text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from understudy.lsp.documents import Documents, apply, path_of
from understudy.source.text import Text

PIECES = [*"aé€\f\v\r\n\ufeff", "b ", "\U0001f600", "\u2028", "\x85", "\x1c", "\r\n"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
POSITIONS = st.builds(types.Position, st.integers(0, 8), st.integers(0, 10))


def partial(start: types.Position, end: types.Position, text: str) -> types.TextDocumentContentChangePartial:
    return types.TextDocumentContentChangePartial(types.Range(start, end), text)


EDITS = st.builds(
    lambda one, two, text: partial(
        *sorted((one, two), key=lambda position: (position.line, position.character)), text
    ),
    POSITIONS,
    POSITIONS,
    TEXTS,
) | st.builds(types.TextDocumentContentChangeWholeDocument, TEXTS)


def width(character: str, encoding: str) -> int:
    return {"utf-8": len(character.encode()), "utf-16": len(character.encode("utf-16-le")) // 2, "utf-32": 1}[
        encoding
    ]


def naive_offset(content: str, position: types.Position, encoding: str) -> int:
    """Character by character, as the specification says it."""
    lines = re.split(r"(\r\n|\r|\n)", content)
    bodies, endings = lines[0::2], lines[1::2]
    if position.line >= len(bodies):
        return len(content)
    before = sum(map(len, bodies[: position.line])) + sum(map(len, endings[: position.line]))
    used = column = 0
    for character in bodies[position.line]:
        used += width(character, encoding)
        if used > position.character:
            break
        column += 1
    return before + column


def naive(content: str, change: types.TextDocumentContentChangeEvent, encoding: str) -> str:
    if isinstance(change, types.TextDocumentContentChangeWholeDocument):
        return change.text
    start = naive_offset(content, change.range.start, encoding)
    end = naive_offset(content, change.range.end, encoding)
    return content[:start] + change.text + content[end:]


@given(TEXTS, st.lists(EDITS, max_size=6), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_a_sequence_of_edits_gives_the_text_of_the_client(
    content: str, edits: list[types.TextDocumentContentChangeEvent], encoding: str
) -> None:
    documents = Documents()
    documents.open(types.TextDocumentItem("file:///t.py", "python", 1, content))
    expected = content
    for edit in edits:
        expected = naive(expected, edit, encoding)
    document = documents.change("file:///t.py", 2, edits, encoding)
    assert document is not None
    assert document.text.content == expected
    assert document.text == Text(expected)


@pytest.mark.parametrize("separator", ["\f", "\u2028", "\x85", "\x1c"])
def test_lines_end_as_in_the_protocol_only(separator: str) -> None:
    text = Text(f"a{separator}b\nc\n")
    assert apply(text, partial(types.Position(1, 0), types.Position(1, 1), "d"), "utf-16").content == (
        f"a{separator}b\nd\n"
    )


def test_a_range_that_ends_before_it_starts_is_empty() -> None:
    change = partial(types.Position(0, 2), types.Position(0, 1), "x")
    assert apply(Text("abc"), change, "utf-16").content == "abxc"


def test_an_edit_of_an_unknown_document_changes_nothing() -> None:
    change = types.TextDocumentContentChangeWholeDocument("x")
    assert Documents().change("file:///t.py", 2, [change], "utf-16") is None


def test_a_document_is_known_by_its_file_until_it_is_closed() -> None:
    documents = Documents()
    documents.open(types.TextDocumentItem("file:///a%20b/t.py", "python", 1, ""))
    path = Path("/a b/t.py")
    document = documents.at(path)
    assert document is not None
    assert document.path == path
    assert documents.uri_of(path) == "file:///a%20b/t.py"
    documents.close("file:///a%20b/t.py")
    assert documents.at(path) is None
    assert documents.uri_of(path) == "file:///a%20b/t.py"


@pytest.mark.parametrize(
    ("uri", "language", "analysed"),
    [
        ("file:///t.py", "python", True),
        ("file:///t.py", "plaintext", True),
        ("file:///script", "python", True),
        ("file:///t.pyi", "python", False),
        ("file:///t.toml", "toml", False),
        ("untitled:Untitled-1", "python", False),
        ("vscode-notebook-cell:/t.ipynb#W0", "python", True),
        ("vscode-notebook-cell:/t.ipynb#W0", "markdown", False),
    ],
)
def test_only_python_files_are_analysed(uri: str, language: str, analysed: bool) -> None:
    document = Documents().open(types.TextDocumentItem(uri, language, 1, ""))
    assert document.is_python is analysed


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.py", Path("/a/b.py")),
        ("file:///a/../b%C3%A9.py", Path("/bé.py")),
        ("untitled:x", None),
        ("http://[", None),
        ("file:///a%00b.py", None),
        ("", None),
    ],
)
def test_the_path_of_a_uri(uri: str, path: Path | None) -> None:
    assert path_of(uri) == path


def test_a_byte_order_mark_moves_no_column() -> None:
    document = Documents().open(types.TextDocumentItem("file:///t.py", "python", 1, "\ufeffx = 1\n"))
    compile(document.source.content, "t.py", "exec")
    assert len(document.source.content) == len(document.text.content)
