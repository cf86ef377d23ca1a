"""Completion, definition and references of the names in ``patch("…")``, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lsp_client import Client
from lsp_edits import ASKING, place
from lsprotocol import types

Make = Callable[[Mapping[str, str]], Path]

MAIL = """\
class Mailer:
    def connect(self):
        return 1


def send(text):
    return text


mailer = Mailer()
limits = {}
"""
ORDERS = "from shop.mail import send\n\nlimit = 3\n\n\ndef confirm(order):\n    return send(order)\n"
TESTS = """\
from unittest.mock import patch

from shop import mail


def test_confirm(monkeypatch, mocker):
    with patch("shop.orders.send"), patch("shop.mail.send"):
        pass
    "😀"; monkeypatch.setattr("shop.mail.Mailer.connect", None)
    mocker.patch("shop.orders.limit")
    patch.object(mail, "send").start()
    patch("shop.mail.mailer.connect").start(); patch.object(mail.mailer, "connect").start()
    patch.dict("shop.mail.limits", {"a": 1}).start()
"""


@pytest.fixture
def files() -> dict[str, str]:
    return {"shop/__init__.py": "", "shop/mail.py": MAIL, "shop/orders.py": ORDERS, "test_shop.py": TESTS}


async def test_definition(client: Client, project: Make, files: dict[str, str]) -> None:
    root = project(files)
    await client.begin(ASKING, root)
    uri = client.open(root / "test_shop.py")
    for words, into, file, row, column in (
        ("shop.orders.send", 13, "shop/mail.py", 5, 4),
        ("shop.mail.Mailer.connect", 12, "shop/mail.py", 0, 6),
        ("shop.mail.Mailer.connect", 20, "shop/mail.py", 1, 8),
        ("shop.mail.send", 6, "shop/mail.py", 0, 0),
        ("shop.orders.limit", 15, "shop/orders.py", 2, 0),
        ('mail, "send"', 8, "shop/mail.py", 5, 4),
        ("shop.mail.mailer.connect", 12, "shop/mail.py", 9, 0),
        ("shop.mail.mailer.connect", 20, "shop/mail.py", 1, 8),
        ('mail.mailer, "connect"', 15, "shop/mail.py", 1, 8),
        ("shop.mail.limits", 12, "shop/mail.py", 10, 0),
    ):
        found = await client.text_document_definition_async(
            types.DefinitionParams(types.TextDocumentIdentifier(uri), place(TESTS, words, into))
        )
        assert isinstance(found, list), words
        (location,) = found
        assert isinstance(location, types.Location)
        assert location.uri == (root / file).as_uri()
        start = location.range.start
        assert (start.line, start.character) == (row, column), words


async def test_completion_offers_what_is_there(client: Client, project: Make, files: dict[str, str]) -> None:
    root = project(files)
    await client.begin(ASKING, root)
    uri = client.open(root / "test_shop.py")

    async def labels(words: str, into: int) -> dict[str, types.CompletionItem]:
        found = await client.text_document_completion_async(
            types.CompletionParams(types.TextDocumentIdentifier(uri), place(TESTS, words, into))
        )
        assert isinstance(found, list)
        return {item.label: item for item in found}

    in_module = await labels("shop.orders.send", 14)
    # What the consumer has only imported is what is to be patched there.
    assert set(in_module) == {"send", "limit", "confirm"}
    assert in_module["send"].detail == "imported from shop.mail"
    edit = in_module["send"].text_edit
    assert isinstance(edit, types.TextEdit)
    assert edit.range.start == place(TESTS, "shop.orders.send", 12)
    assert edit.range.end == place(TESTS, "shop.orders.send", 16)
    assert set(await labels("shop.orders.send", 6)) == {"mail", "orders"}
    assert "shop" in await labels("shop.orders.send", 2)
    assert set(await labels("shop.mail.Mailer.connect", 20)) == {"connect"}
    assert set(await labels("shop.mail.mailer.connect", 20)) == {"connect"}
    assert "limits" in await labels("shop.mail.limits", 12)
    elsewhere = types.CompletionParams(types.TextDocumentIdentifier(uri), types.Position(0, 3))
    assert not await client.text_document_completion_async(elsewhere)


@pytest.mark.parametrize(
    ("statement", "offered"),
    [
        pytest.param('    with patch("shop.orders.|\n', {"send", "limit", "confirm"}, id="with"),
        pytest.param(
            '    with patch("shop.orders.|):\n        pass\n', {"send", "limit", "confirm"}, id="with-block"
        ),
        pytest.param("    x = [patch('shop.|)]\n", {"mail", "orders"}, id="brackets"),
        pytest.param('    mock = mocker.patch("shop.mail.Mailer.|\n', {"connect"}, id="mocker"),
        pytest.param('    print("shop.orders.|\n', set(), id="no-patch"),
        pytest.param("    # patch('shop.orders.|\n", set(), id="comment"),
    ],
)
async def test_completion_where_the_string_is_not_closed_yet(
    client: Client,
    project: Make,
    files: dict[str, str],
    statement: str,
    offered: set[str],
) -> None:
    head = "from unittest.mock import patch\n\n\ndef test_it(mocker):\n    é = 1\n"
    files["test_typing.py"] = head + statement.replace("|", "") + "\n\ndef test_other():\n    pass\n"
    root = project(files)
    await client.begin(ASKING, root)
    uri = client.open(root / "test_typing.py")
    place = types.Position(head.count("\n"), statement.index("|"))
    found = await client.text_document_completion_async(
        types.CompletionParams(types.TextDocumentIdentifier(uri), place)
    )
    assert {item.label for item in found or ()} == offered  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("file", "words", "into"), [("test_shop.py", "shop.orders.send", 13), ("shop/mail.py", "def send", 5)]
)
async def test_references(
    client: Client,
    project: Make,
    files: dict[str, str],
    file: str,
    words: str,
    into: int,
) -> None:
    root = project(files)
    await client.begin(ASKING, root)
    uri = client.open(root / file)
    found = await client.text_document_references_async(
        types.ReferenceParams(
            types.ReferenceContext(include_declaration=True),
            types.TextDocumentIdentifier(uri),
            place(files[file], words, into),
        )
    )
    assert found is not None
    places = [(Path(location.uri).name, location.range.start) for location in found]
    assert places == [
        ("mail.py", types.Position(5, 4)),
        ("test_shop.py", place(TESTS, "shop.orders.send", 12)),
        ("test_shop.py", place(TESTS, "shop.mail.send", 10)),
        ("test_shop.py", place(TESTS, 'mail, "send"', 7)),
    ]


@pytest.mark.parametrize(
    ("words", "into", "uses"),
    [
        (
            "def connect",
            5,
            [("Mailer.connect", 7), ("mailer.connect", 7), ('mailer, "connect"', 9)],
        ),
        ("limits = ", 2, [("mail.limits", 5)]),
        ("mailer = ", 2, [("mail.mailer.connect", 5)]),
    ],
)
async def test_references_of_members_and_variables(
    client: Client,
    project: Make,
    files: dict[str, str],
    words: str,
    into: int,
    uses: list[tuple[str, int]],
) -> None:
    root = project(files)
    await client.begin(ASKING, root)
    uri = client.open(root / "shop/mail.py")
    found = await client.text_document_references_async(
        types.ReferenceParams(
            types.ReferenceContext(include_declaration=False),
            types.TextDocumentIdentifier(uri),
            place(MAIL, words, into),
        )
    )
    assert found is not None
    assert [location.range.start for location in found] == [place(TESTS, text, at) for text, at in uses]
