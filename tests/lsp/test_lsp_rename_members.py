"""``textDocument/rename`` of methods and class variables, with the strings that mean them, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lsp_client import Client
from lsp_edits import RENAMING, after, applied, assert_passes, place, rename, renamed, unmarked
from pygls.exceptions import JsonRpcException

Make = Callable[[Mapping[str, str]], Path]

# What is to be renamed stands in ‹›: everything else is a near-miss.
MARKED = {
    "mail.py": """\
def send(text):
    return text


class Mailer:
    limit = 3

    def ‹send›(self, text):
        return send(text)

    def twice(self, text):
        send = self.‹send›
        return send(text) + self.‹send›(text)


class Loud(Mailer):
    def ‹send›(self, text):
        return super().‹send›(text.upper())


class Sms:
    def send(self, text):
        return None


mailer = Mailer()
""",
    "orders.py": """\
import mail
from mail import Loud, Mailer, Sms, send


class Orders:
    def __init__(self, mailer: Mailer, sms: "Sms | None" = None) -> None:
        self.mailer = mailer
        self.sms = sms or Sms()
        self.loud = Loud()

    def confirm(self, order):
        "é日本"; return self.mailer.‹send›(order), self.loud.‹send›(order), send(order), mail.send(order)

    def remind(self, sms: Sms, other: "Loud | None" = None):
        made = Loud()
        return sms.send("1"), made.‹send›("a"), other.‹send›("b") if other else Mailer.‹send›


def plain():
    return mail.mailer.‹send›("x"), "send".join([])
""",
    "test_orders.py": """\
from unittest.mock import MagicMock, patch

import mail
import orders
import pytest
from mail import Mailer, Sms


@pytest.fixture
def mailer():
    return Mailer()


@pytest.fixture
def sms():
    return Sms()


def test_confirm(mailer, sms, monkeypatch, mocker):
    made = orders.Orders(mailer)
    with patch("mail.Mailer.‹send›", return_value="stub"), patch("mail.send"), patch("mail.Sms.send"):
        assert mailer.‹send›("a") == "stub"
        assert sms.send("a") is not None
    with patch.object(Mailer, "‹send›", return_value="😀"), patch.object(mail.Sms, "send"):
        assert made.confirm("a")[0] == "😀"
    monkeypatch.setattr("mail.Loud.‹send›", lambda self, text: "loud")
    mocker.patch("orders.Mailer.‹send›", return_value="mocked")
    assert made.confirm("a")[:2] == ("mocked", "loud")


def test_doubles(mailer):
    double = MagicMock(spec=Mailer)
    double.‹send›.return_value = 1
    assert double.‹send›("a") == 1
    other = MagicMock(spec=Sms)
    other.send("b")
    other.send.assert_called_once_with("b")
    with patch.object(mailer, "‹send›", return_value=2):
        assert getattr(mailer, "‹send›")("a") == 2
""",
}
OLD, NEW = unmarked(MARKED), renamed(MARKED, "deliver")
CURSORS = [
    ("mail.py", "def send(self, text):\n        return send", 6),
    ("mail.py", "def send(self, text):\n        return super", 6),
    ("orders.py", "mailer.send(order)", 9),
    ("test_orders.py", "mail.Mailer.send", 13),
    ("test_orders.py", 'Mailer, "send"', 10),
    ("test_orders.py", "orders.Mailer.send", 16),
]


@pytest.mark.parametrize(("file", "words", "into"), CURSORS)
async def test_a_method_is_renamed_with_all_that_means_it(
    client: Client, project: Make, file: str, words: str, into: int
) -> None:
    root = project(OLD)
    await client.begin(RENAMING, root)
    uri = client.open(root / file)
    edit = await rename(client, uri, place(OLD[file], words, into), "deliver")
    assert after(OLD, edit, root) == NEW


def test_the_renamed_project_still_passes(project: Make) -> None:
    assert_passes(project(OLD))
    assert_passes(project(NEW))


async def test_a_class_variable_is_renamed(client: Client, project: Make) -> None:
    marked = {
        "store.py": """\
class Store:
    ‹limit› = 3
    double = ‹limit› * 2

    def full(self, count):
        limit = self.‹limit›
        return count > limit or Store.‹limit› < 0


def size(store: Store, limit=4):
    store.‹limit› = limit
""",
        "test_store.py": """\
from unittest.mock import patch

import store

with patch("store.Store.‹limit›", 4), patch.object(store.Store, "‹limit›", 5):
    limit = store.Store.‹limit›
""",
    }
    old = {name: text.replace("‹", "").replace("›", "") for name, text in marked.items()}
    root = project(old)
    await client.begin(RENAMING, root)
    uri = client.open(root / "store.py")
    edit = await rename(client, uri, place(old["store.py"], "limit = 3", 2), "most")
    assert edit is not None
    assert edit.changes is not None
    for name, text in marked.items():
        assert applied(old[name], list(edit.changes[(root / name).as_uri()])) == text.replace(
            "‹limit›", "most"
        )


@pytest.mark.parametrize(
    ("files", "new", "why"),
    [
        ({}, "twice", "`Loud` has 'twice' already"),
        ({}, "class", "'class' is not a name"),
        ({"use.py": "def use(thing):\n    return thing.send(1)\n"}, "deliver", "not known whose.*use.py:2"),
        (
            {"use.py": 'from unittest.mock import patch\n\npatch("mail.Mailer." "send").start()\n'},
            "deliver",
            "not spelled plainly in use.py:3",
        ),
        (
            {"use.py": "from mail import Mailer\n\nMailer().send(\n"},
            "deliver",
            "use.py uses 'send' and does not parse",
        ),
        (
            {
                "use.py": "from mail import Mailer\n\n\ndef make():\n    class Own(Mailer):\n"
                "        def send(self, text):\n            return 1\n    return Own()\n"
            },
            "deliver",
            "a class inside a function has 'send', too, in use.py:5",
        ),
        (
            {
                "use.py": "import threading\nimport mail\n\n\n"
                "class Own(mail.Mailer, threading.Thread):\n    def send(self): ...\n"
            },
            "deliver",
            "`Own` derives from `Thread` of a library",
        ),
    ],
)
async def test_what_is_not_known_is_refused(
    client: Client,
    project: Make,
    files: dict[str, str],
    new: str,
    why: str,
) -> None:
    root = project({**OLD, **files})
    await client.begin(RENAMING, root)
    uri = client.open(root / "test_orders.py")
    with pytest.raises(JsonRpcException, match=why):
        await rename(client, uri, place(OLD["test_orders.py"], "mail.Mailer.send", 12), new)
