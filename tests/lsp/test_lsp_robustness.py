"""What editors, disks and people do to a server that is switched on all day."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lsp_client import BAD, Client, Wire, codes
from lsprotocol import types
from test_lsp_lifecycle import INITIALIZE

Make = Callable[[dict[str, str]], Path]


async def test_it_ends_with_its_parent_although_its_input_stays_open(wire: Wire) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    wire.request(1, "initialize", {**INITIALIZE, "processId": parent.pid})
    await wire.answer(1)
    wire.notify("initialized", {})
    parent.kill()
    parent.wait()
    began = time.monotonic()
    assert await wire.status() == 1
    assert time.monotonic() - began < 15


async def test_a_file_of_fifty_thousand_lines(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    content = BAD + "\n\n" + "".join(f"x{number} = {number}\n" for number in range(50_000))
    root = project({"test_a.py": content})
    await client.begin(minimal, root)
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101"]
    client.replace(uri, "x40000 = 40000\n", "x40000 = (40000\n")
    assert codes(await client.found(uri)) == ["US101"]


async def test_two_thousand_nested_parentheses(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    nested = "(" * 2000 + ")" * 2000
    root = project({"test_a.py": f"{BAD}\n\nnested = {nested}\n"})
    await client.begin(minimal, root)
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
async def test_a_loop_of_symbolic_links(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD, "package/__init__.py": ""})
    (root / "package" / "again").symlink_to(root, target_is_directory=True)
    (root / "self.py").symlink_to(root / "self.py")
    await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
    await client.codes((root / "test_a.py").as_uri(), ["US101"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
async def test_what_never_ends_is_not_read(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": "import pipe\nimport folder\n" + BAD, "folder.py/x.py": ""})
    os.mkfifo(root / "pipe.py")
    await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": "import secret\n" + BAD, "secret.py": ""})
    (root / "secret.py").chmod(0)
    await client.begin(minimal, root)
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101"]


@pytest.mark.parametrize(
    "uri", ["git:/a/test_a.py?ref", "vscode-vfs://github/a/test_a.py", "vscode-notebook-cell:#", "x"]
)
async def test_documents_that_are_no_files(
    client: Client, project: Make, vscode: types.ClientCapabilities, uri: str
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    client.open(uri, BAD)
    client.edit(uri, BAD + "\n")
    params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(5, 8))
    assert await client.text_document_hover_async(params) is None
    client.close(uri)
    found = await client.found(client.open(root / "test_a.py"))
    assert codes(found) == ["US101"]


async def test_a_thousand_files_change_at_once(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD, "service.py": "x = 1\n"})
    await client.begin(minimal, root)
    uri = client.open(root / "test_a.py")
    await client.found(uri)
    for number in range(1000):
        (root / f"module_{number}.py").write_text("x = 1\n")
    client.workspace_did_change_watched_files(
        types.DidChangeWatchedFilesParams(
            [
                types.FileEvent((root / f"module_{number}.py").as_uri(), types.FileChangeType.Created)
                for number in range(1000)
            ]
        )
    )
    client.edit(uri, BAD + "\n")
    assert codes(await client.found(uri)) == ["US101"]


async def test_the_commands(wire: Wire) -> None:
    wire.request(1, "initialize", INITIALIZE)
    announced = (await wire.answer(1))["result"]["capabilities"]["executeCommandProvider"]["commands"]
    assert set(announced) >= {"understudy.showLogs", "understudy.clearCache", "understudy.explain"}
    wire.notify("initialized", {})
    for number, (command, arguments) in enumerate(
        [("explain", ["US101"]), ("explain", ["no-such"]), ("showLogs", []), ("clearCache", [])], 2
    ):
        wire.request(
            number, "workspace/executeCommand", {"command": f"understudy.{command}", "arguments": arguments}
        )
        result = (await wire.answer(number))["result"]
        if number == 2:
            assert result.startswith("# ")
        elif number == 4:
            assert isinstance(result, str)
        else:
            assert result is None
