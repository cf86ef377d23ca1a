"""``textDocument/rename`` keeps the strings of patches in step, and only the right ones, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lsp_client import Client
from lsp_edits import RENAMING, after, applied, assert_passes, place, rename, renamed, unmarked
from lsprotocol import types
from pygls.exceptions import JsonRpcException

Make = Callable[[Mapping[str, str]], Path]

# What is to be renamed stands in ‹›: everything else is a near-miss.
MARKED = {
    "shop/__init__.py": "from .mail import *\n",
    "shop/mail.py": """\
__all__ = ["‹send›", "Mailer"]


def ‹send›(text):
    return text


class Mailer:
    def send(self, text):
        return ‹send›(text)


def twice(text):
    send = text + text
    return (lambda send: send)(send)


def every(send):
    return [send for send in send]
""",
    "shop/sms.py": "def send(text):\n    return None\n",
    "shop/orders.py": """\
from shop import mail, sms
from shop.mail import ‹send›


def confirm(order):
    "send"; sms.send(order); mail.Mailer().send(order)
    return mail.‹send›(order) and ‹send›(order)


def later(order):
    from shop.mail import ‹send›
    from shop.sms import send as quick

    return ‹send›(order), quick(order)


def now(order):
    from shop.sms import send

    return send(order)
""",
    "shop/alias.py": "from shop.mail import ‹send› as send_mail\n\nsend = send_mail\nagain = send(1)\n",
    "test_shop.py": """\
from unittest.mock import patch

import shop
import shop.mail as post
from shop import ‹send› as renamed
from shop import alias, orders, sms


def test_confirm(monkeypatch):
    monkeypatch.setattr("shop.mail.Mailer.send", lambda self, text: 3)
    with patch("shop.orders.‹send›", return_value=2), patch("shop.mail.‹send›"), patch("shop.sms.send"):
        assert orders.confirm(1) == 2
    "😀"; monkeypatch.setattr("shop.orders.‹send›", lambda text: 7)
    monkeypatch.setattr(orders.mail, "‹send›", lambda text: 1)
    assert orders.confirm(1) == 7
    with patch.object(sms, "send", return_value=None), patch.object(post, "‹send›", return_value=4):
        assert orders.later(1) == (4, None)
        patch("shop.alias.send").start()
        assert alias.again == renamed(1) == shop.‹send›(1) == 1


@patch.multiple("shop.orders", ‹send›=None)
def test_now():
    assert orders.now(1) is None
    assert orders.‹send› is None
""",
}
OLD, NEW = unmarked(MARKED), renamed(MARKED, "deliver")
CURSORS = [
    ("shop/mail.py", "def send(text)", 6),
    ("shop/mail.py", '"send"', 2),
    ("shop/orders.py", "mail import send", 12),
    ("shop/orders.py", "mail.send(order) and", 9),
    ("test_shop.py", "shop.orders.send", 13),
    ("test_shop.py", 'mail, "send"', 8),
]


@pytest.mark.parametrize(("file", "words", "into"), CURSORS)
async def test_a_function_is_renamed_with_the_strings_that_mean_it(
    client: Client, project: Make, file: str, words: str, into: int
) -> None:
    root = project(OLD)
    announced = await client.begin(RENAMING, root)
    provider = announced.capabilities.rename_provider
    assert isinstance(provider, types.RenameOptions)
    assert provider.prepare_provider
    uri = client.open(root / file)
    at = place(OLD[file], words, into)
    ready = await client.text_document_prepare_rename_async(
        types.PrepareRenameParams(types.TextDocumentIdentifier(uri), at)
    )
    assert isinstance(ready, types.Range)
    assert ready.end.character - ready.start.character == len("send")
    edit = await rename(client, uri, at, "deliver")
    assert after(OLD, edit, root) == NEW


def test_the_renamed_project_still_passes(project: Make) -> None:
    assert_passes(project(OLD))
    assert_passes(project(NEW))


@pytest.mark.parametrize(
    ("file", "words", "into"),
    [
        ("shop/mail.py", "send = text", 2),
        ("shop/orders.py", '"send"', 2),
        ("test_shop.py", "unittest", 3),
    ],
)
async def test_what_is_no_name_of_a_module_or_class_is_left_to_others(
    client: Client, project: Make, file: str, words: str, into: int
) -> None:
    root = project(OLD)
    await client.begin(RENAMING, root)
    uri = client.open(root / file)
    at = place(OLD[file], words, into)
    identifier = types.TextDocumentIdentifier(uri)
    assert await client.text_document_prepare_rename_async(types.PrepareRenameParams(identifier, at)) is None
    assert await rename(client, uri, at, "deliver") is None


@pytest.mark.parametrize(
    ("files", "new", "why"),
    [
        ({}, "confirm", "'confirm' is used in orders.py already"),
        ({}, "class", "'class' is not a name"),
        ({"shop/worse.py": "from shop.mail import send\n\nsend(\n"}, "deliver", "does not parse"),
        (
            {"shop/maybe.py": "try:\n    from shop.mail import send\nexcept ImportError:\n    send = None\n"},
            "deliver",
            "'send' in maybe.py is bound in more than one way",
        ),
        (
            {"test_b.py": 'from unittest.mock import patch\n\npatch("shop." "mail.send").start()\n'},
            "deliver",
            "not spelled plainly in test_b.py:3",
        ),
        (
            {"shop/mail.py": "import pytest\n\n\n@pytest.fixture\ndef send(text):\n    return 1\n"},
            "deliver",
            "is a fixture",
        ),
    ],
)
async def test_what_cannot_be_renamed_rightly_is_refused(
    client: Client,
    project: Make,
    files: dict[str, str],
    new: str,
    why: str,
) -> None:
    root = project({**OLD, **files})
    await client.begin(RENAMING, root)
    uri = client.open(root / "test_shop.py")
    with pytest.raises(JsonRpcException, match=why):
        await rename(client, uri, place(OLD["test_shop.py"], "shop.mail.send", 11), new)


async def test_a_class_is_renamed_in_annotations_and_a_variable_where_it_is_set(
    client: Client, project: Make
) -> None:
    marked = {
        "store.py": """\
class ‹Order›:
    other: "list[‹Order›] | None" = None


_‹limit› = 3


def size(order: "‹Order›") -> "‹Order›":
    return order
""",
        "use.py": """\
from typing import Literal

import store

kind: Literal["Order"] = "Order"


def load(order: store.‹Order›) -> "store.‹Order›":
    return order
""",
    }
    old = {name: text.replace("‹", "").replace("›", "") for name, text in marked.items()}
    root = project(old)
    await client.begin(RENAMING, root)
    uri = client.open(root / "store.py")
    edit = await rename(client, uri, place(old["store.py"], "class Order", 8), "Purchase")
    assert edit is not None
    assert edit.changes is not None
    for name, text in marked.items():
        expected = text.replace("‹Order›", "Purchase").replace("‹", "").replace("›", "")
        assert applied(old[name], list(edit.changes[(root / name).as_uri()])) == expected
