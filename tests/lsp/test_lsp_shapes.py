"""Hover on a mock, and inlay hints for what patches inject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lsp_client import Client, position
from lsprotocol import types

Make = Callable[[dict[str, str]], Path]

SHOP = """\
class Session:
    async def execute(self, query):
        return query

    def add(self, item):
        pass


async def load(key):
    return key


def plain(key):
    return key
"""
TESTS = """\
from unittest.mock import AsyncMock, MagicMock, patch

import shop


async def test_session():
    session = MagicMock(spec=shop.Session)
    session.execute.return_value = 3
    "\U0001f600"; await session.execute("x")


@patch("shop.plain")
@patch("shop.load")
async def test_injected(load, plain):
    with patch("shop.load") as inner, patch("shop.plain", new=3) as three:
        await inner()
"""


@pytest.fixture
def capable() -> types.ClientCapabilities:
    return types.ClientCapabilities(
        text_document=types.TextDocumentClientCapabilities(
            hover=types.HoverClientCapabilities(content_format=[types.MarkupKind.Markdown]),
            inlay_hint=types.InlayHintClientCapabilities(),
        )
    )


async def test_a_mock_shows_its_shape(
    client: Client, project: Make, capable: types.ClientCapabilities
) -> None:
    root = project({"shop.py": SHOP, "test_shop.py": TESTS})
    await client.begin(capable, root)
    uri = client.open(root / "test_shop.py")
    at = TESTS.index("session.execute(")
    row = position(TESTS, at).line
    # In UTF-16 the character before it counts twice.
    place = types.Position(row, position(TESTS, at).character + 1 + 2)
    shown = await client.text_document_hover_async(
        types.HoverParams(types.TextDocumentIdentifier(uri), place)
    )
    assert shown is not None
    assert isinstance(shown.contents, types.MarkupContent)
    lines = shown.contents.value.splitlines()
    assert lines[0] == "**session**: MagicMock with the spec Session, made in test_shop.py:7"
    assert "| `execute()` | AsyncMock | yes | 3 |" in lines
    assert "| `add()` | MagicMock | no | MagicMock |" in lines
    assert shown.range is not None
    assert (shown.range.start.character, shown.range.end.character) == (
        place.character - 2,
        place.character - 2 + len("session"),
    )


async def test_what_is_no_mock_shows_nothing(
    client: Client, project: Make, capable: types.ClientCapabilities
) -> None:
    root = project({"shop.py": SHOP, "test_shop.py": TESTS})
    await client.begin(capable, root)
    for name, word in (("test_shop.py", "shop\n"), ("shop.py", "query")):
        uri = client.open(root / name)
        place = position(client.texts[uri], client.texts[uri].index(word))
        params = types.HoverParams(types.TextDocumentIdentifier(uri), place)
        assert await client.text_document_hover_async(params) is None


@pytest.mark.parametrize("enabled", [True, False])
async def test_hints_say_what_a_patch_injects(
    client: Client, project: Make, capable: types.ClientCapabilities, enabled: bool
) -> None:
    root = project({"shop.py": SHOP, "test_shop.py": TESTS})
    await client.begin(capable, root, options={"inlayHints": {"enable": enabled}})
    uri = client.open(root / "test_shop.py")
    whole = types.Range(types.Position(0, 0), types.Position(99, 0))
    hints = await client.text_document_inlay_hint_async(
        types.InlayHintParams(types.TextDocumentIdentifier(uri), whole)
    )
    lines = TESTS.split("\n")
    shown = {
        (lines[hint.position.line][: hint.position.character].split(" ")[-1], hint.label)
        for hint in hints or ()
    }
    expected = {("test_injected(load", ": AsyncMock"), ("plain", ": MagicMock"), ("inner", ": AsyncMock")}
    assert shown == (expected if enabled else set())
