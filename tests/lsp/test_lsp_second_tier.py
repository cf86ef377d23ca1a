"""What jedi can name is found a moment later, stays while the file is edited, and never holds up the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lsp_client import Client, codes
from lsprotocol import types

Make = Callable[[dict[str, str]], Path]

CLIENTS = """\
import sys


class Client:
    async def fetch(self):
        return 1

    def close(self):
        return None


if sys.platform == "nowhere":
    Conditional = Client
else:
    Conditional = Client
"""
TESTS = """\
from unittest.mock import MagicMock

from clients import Conditional


async def test_first():
    client = MagicMock()
    await client.close()


async def test_second():
    client = MagicMock(spec=Conditional)
    await client.close()
"""


async def test_what_the_second_tier_finds_is_added_and_does_not_flicker(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"clients.py": CLIENTS, "test_clients.py": TESTS})
    await client.begin(vscode, root)
    uri = client.open(root / "test_clients.py")
    assert codes(await client.found(uri)) == ["US101"]
    await client.codes(uri, ["US101", "US101"])
    client.edit(uri, "\n" + TESTS)
    found = await client.found(uri)
    # At once, and where it stands now.
    assert [item.range.start.line for item in found] == [8, 13]
    client.edit(uri, TESTS.replace("spec=Conditional", ""))
    client.edit(uri, TESTS.replace("await client.close()", "client.close()"))
    await client.codes(uri, [])
