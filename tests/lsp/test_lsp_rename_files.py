"""``workspace/willRenameFiles``: the strings of patches follow a module that moves, over the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lsp_client import Client
from lsp_edits import after, assert_passes
from lsprotocol import types

Make = Callable[[Mapping[str, str]], Path]

FILES = {
    "conftest.py": "",
    "shop/__init__.py": "",
    "shop/mail.py": """\
LIMIT = 1


def send(text):
    return text


class Mailer:
    def post(self):
        return 1
""",
    "shop/inner/__init__.py": "",
    "shop/inner/mail.py": "def send(text):\n    return None\n",
    "shop/orders.py": "from shop.mail import send\n\n\ndef confirm():\n    return send(1)\n",
    "mail.py": "def send(text):\n    return 2\n",
}
# What names the module is in ‹›, what names another one of its package in «»; imports are another server's business.
MARKED = """\
import importlib
import sys
from unittest.mock import patch

import ⟦shop⟧.inner.mail
import ⟦shop.mail⟧


@patch("‹shop.mail›.send")
@patch.multiple("‹shop.mail›", LIMIT=3)
def test_decorated(send):
    "é😀"; patch("‹shop.mail›.Mailer.post").start()
    patch.stopall()


def test_monkeypatch(monkeypatch):
    monkeypatch.setattr("‹shop.mail›.send", lambda text: 3)
    assert ⟦shop.mail⟧.send(1) == 3


def test_modules(monkeypatch):
    with patch.dict(sys.modules, {"‹shop.mail›": 7}), patch.dict("sys.modules", {"‹shop.mail›": 7}):
        assert sys.modules["‹shop.mail›"] == sys.modules.get("‹shop.mail›") == 7
    monkeypatch.setitem(sys.modules, "‹shop.mail›", 8)
    assert importlib.import_module("‹shop.mail›") == 8
    assert sys.modules["«shop».inner.mail"] and importlib.import_module("mail").send(1) == 2


def test_near_misses(monkeypatch):
    table = {"shop.mail": 1}
    with patch.dict(table, {"shop.mail": 2}):
        assert table["shop.mail"] == table.get("shop.mail") == 2
    monkeypatch.setattr("«shop».inner.mail.send", lambda text: 4)
    monkeypatch.setattr("mail.send", lambda text: 5)
    monkeypatch.setattr("«shop».orders.send", lambda text: 6)
    assert "shop.mail.send"
"""
TEST = re.sub("[⟦⟧‹›«»]", "", MARKED)


@pytest.fixture
def renaming(minimal: types.ClientCapabilities) -> types.ClientCapabilities:
    minimal.workspace = minimal.workspace or types.WorkspaceClientCapabilities()
    minimal.workspace.file_operations = types.FileOperationClientCapabilities(will_rename=True)
    return minimal


async def asked(client: Client, root: Path, old: str, new: str) -> types.WorkspaceEdit | None:
    """What the server wants to be changed first."""
    file = types.FileRename((root / old).as_uri(), (root / new).as_uri())
    return await client.workspace_will_rename_files_async(types.RenameFilesParams([file]))


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("shop/mail.py", "shop/post.py", "shop.post"),
        ("shop/mail.py", "shop/inner/post.py", "shop.inner.post"),
        ("shop", "store", "store.mail"),
    ],
)
async def test_the_strings_of_patches_follow(
    client: Client, project: Make, renaming: types.ClientCapabilities, old: str, new: str, name: str
) -> None:
    files = {**FILES, "test_shop.py": TEST}
    root = project(files)
    await client.begin(renaming, root)
    client.open(root / "test_shop.py")
    changed = after(files, await asked(client, root, old, new), root)
    package = name.partition(".")[0]
    expected = re.sub("«shop»", package, re.sub("‹shop.mail›", name, MARKED))
    assert changed == {**files, "test_shop.py": re.sub("[⟦⟧]", "", expected)}
    # It passes when another server has done the imports.
    (root / old).rename(root / new)
    for path in root.rglob("*.py"):
        text = expected if path.name == "test_shop.py" else path.read_text("utf-8")
        text = re.sub("⟦shop.mail⟧", name, re.sub("⟦shop⟧", package, text))
        path.write_text(re.sub("(from|import) shop.mail", rf"\1 {name}", text), "utf-8")
    assert_passes(root)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shop/mail.py", "../elsewhere.py"),
        ("shop/mail.py", "shop/mail/__init__.py"),
        ("shop/mail.py", "shop/no-name.py"),
        ("shop/gone.py", "shop/post.py"),
        ("conftest.py", "conf.py"),
        ("README.md", "shop.md"),
    ],
)
async def test_what_has_no_name_then_stays(
    client: Client, project: Make, renaming: types.ClientCapabilities, old: str, new: str
) -> None:
    root = project({**FILES, "test_shop.py": TEST})
    await client.begin(renaming, root)
    client.open(root / "test_shop.py")
    assert await asked(client, root, old, new) is None


async def test_a_client_that_does_not_ask_is_offered_nothing(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project(FILES)
    answer = await client.begin(minimal, root)
    workspace = answer.capabilities.workspace
    operations = workspace.file_operations if workspace is not None else None
    assert operations is None or operations.will_rename is None
