"""What jedi can name is found a moment later, stays while the file is edited, and never holds up the rest."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lsp_client import COMMAND, ENVIRONMENT, Client, codes, make_client
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


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter is a shell script")
async def test_the_configured_interpreter_says_where_libraries_are_and_is_never_started(
    client: Client, project: Make, minimal: types.ClientCapabilities, tmp_path: Path
) -> None:
    environment, started = tmp_path / "environment", tmp_path / "started"
    site = environment / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    (site / "clients.py").write_text(CLIENTS)
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
    interpreter = environment / "bin" / "python"
    interpreter.parent.mkdir()
    interpreter.write_text(f"#!/bin/sh\ntouch '{started}'\nexec '{sys.executable}' \"$@\"\n")
    interpreter.chmod(0o755)
    root = project({"test_clients.py": TESTS})
    await client.begin(minimal, root, options={"python": str(interpreter)})
    uri = client.open(root / "test_clients.py")
    await client.codes(uri, ["US101", "US101"])
    assert not started.exists()


@pytest.mark.skipif(
    "-I" in COMMAND, reason="jedi is broken by PYTHONPATH, which the extension's server does not read"
)
async def test_a_worker_that_dies_is_replaced_and_in_the_end_left_alone_with_one_message(
    project: Make, minimal: types.ClientCapabilities, tmp_path: Path
) -> None:
    """jedi is broken here: whatever it is asked, its process ends."""
    broken = tmp_path / "broken"
    (broken / "jedi").mkdir(parents=True)
    (broken / "jedi" / "__init__.py").write_text("import os; os._exit(3)\n")
    root = project({"clients.py": CLIENTS, "test_clients.py": TESTS})
    path = f"{broken}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"
    client = make_client()
    await client.start_io(*COMMAND, env={**ENVIRONMENT, "PYTHONPATH": path})
    try:
        await client.begin(minimal, root)
        uri = client.open(root / "test_clients.py")
        while not client.messages:
            client.edit(uri, client.texts[uri] + "#\n")
            assert codes(await client.found(uri)) == ["US101"]
            await asyncio.sleep(0.3)
        for _ in range(3):
            client.edit(uri, client.texts[uri] + "#\n")
            assert codes(await client.found(uri)) == ["US101"]
    finally:
        await client.shutdown_session()
        await client.stop()
    (message,) = (message.message for message in client.messages)
    assert "jedi failed 6 times within an hour and is not asked any more" in message
