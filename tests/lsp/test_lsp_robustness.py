"""What editors, disks and people do to a server that is switched on all day."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lsp_client import (
    BAD,
    COMMAND,
    ENVIRONMENT,
    SERVICE,
    TEST,
    Client,
    Wire,
    codes,
    make_client,
)
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
    assert time.monotonic() - began < 5


async def test_it_ends_when_its_input_is_closed_in_the_middle_of_its_work(wire: Wire, project: Make) -> None:
    root = project({f"test_{number}.py": BAD for number in range(50)})
    options = {"diagnosticMode": "workspace"}
    wire.request(1, "initialize", {**INITIALIZE, "rootUri": root.as_uri(), "initializationOptions": options})
    await wire.answer(1)
    wire.notify("initialized", {})
    while (await wire.receive()).get("method") != "textDocument/publishDiagnostics":
        pass
    wire.hang_up()
    began = time.monotonic()
    assert await wire.status() == 1
    assert time.monotonic() - began < 5


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


_WITH_A_DISK_THAT_HANGS = """
import builtins, io, os, sys, threading

def hanging(function):
    def asked(path, *arguments, **options):
        if not isinstance(path, int) and (os.fspath(path) + "/").startswith(FOLDER):
            threading.Event().wait()
        return function(path, *arguments, **options)
    return asked

FOLDER = sys.argv.pop(1)
os.stat, os.scandir, io.open = hanging(os.stat), hanging(os.scandir), hanging(io.open)
from understudy.cli import main
sys.exit(main(["server"]))
"""


@pytest.mark.parametrize("hanging", ["remote", "remote/thing.py"])
async def test_a_network_path_that_never_answers(
    project: Make, minimal: types.ClientCapabilities, hanging: str
) -> None:
    test = "from remote import thing\n" + BAD
    root = project({"test_a.py": test, "remote/__init__.py": "", "remote/thing.py": "", "test_b.py": BAD})
    command = (sys.executable, "-c", _WITH_A_DISK_THAT_HANGS, f"{root / hanging}/")
    async with started(*command) as client:
        await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
        uri = client.open(root / "test_a.py")
        assert codes(await client.found(uri)) == ["US101"]
        client.edit(uri, test + "\n")
        assert codes(await client.found(uri)) == ["US101"]
        await client.codes((root / "test_b.py").as_uri(), ["US101"])
    assert said(client) == [f"Understudy: {root / 'remote'} does not answer and is left alone from now on"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
async def test_what_never_ends_is_not_read(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": "import pipe\nimport folder\n" + BAD, "folder.py/x.py": ""})
    os.mkfifo(root / "pipe.py")
    await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions")
async def test_a_file_and_a_folder_that_may_not_be_read(
    project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": "import secret\n" + BAD, "secret.py": "", "locked/test_b.py": BAD})
    (root / "secret.py").chmod(0)
    (root / "locked").chmod(0)
    # The superuser may read everything unless this is taken from him.
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if prefix and shutil.which(prefix[0]) is None:
        pytest.skip("run by the superuser, and there is no setpriv")
    async with started(*prefix, *COMMAND) as client:
        await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
        uri = client.open(root / "test_a.py")
        assert codes(await client.found(uri)) == ["US101"]
        secret = client.open(root / "secret.py", "x = 1\n")
        assert await client.found(secret) == []
    (root / "locked").chmod(0o700)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


def with_cache(project: Make, cache: Path) -> Path:
    """A project whose file is long enough to be kept."""
    long = BAD + "".join(f"\n\ndef helper_{number}():\n    return {number}\n" for number in range(150))
    table = f'[tool.understudy]\ncache-url = "sqlite:///{cache.as_posix()}"\n'
    return project(
        {"pyproject.toml": table, "service.py": long, "test_a.py": "from service import helper_1\n" + BAD}
    )


@asynccontextmanager
async def started(*command: str) -> AsyncIterator[Client]:
    client = make_client()
    await client.start_io(*command, env=ENVIRONMENT)
    try:
        yield client
    finally:
        await client.shutdown_session()
        await client.stop()


def said(client: Client) -> list[str]:
    return [message.message for message in client.messages]


async def work_a_little(
    client: Client, root: Path, capabilities: types.ClientCapabilities, kept_in: Path | None = None
) -> None:
    """Open a file that needs the other, and edit it.

    :param kept_in: read until what was learnt is written there, which is when nobody types.
    """
    await client.begin(capabilities, root)
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101"]
    for _ in range(100):
        if kept_in is None or entries(kept_in):
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("nothing was written")
    client.edit(uri, client.texts[uri] + "\n")
    assert codes(await client.found(uri)) == ["US101"]
    client.close(uri)


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
async def test_a_full_disk_for_the_cache(
    project: Make, cache: Path, minimal: types.ClientCapabilities
) -> None:
    root = with_cache(project, cache)
    limited = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    async with started(sys.executable, "-c", limited, *COMMAND) as client:
        await work_a_little(client, root, minimal)
        await client.until(lambda: client.messages)
        await work_on(client, root)
    (only,) = said(client)
    assert only.startswith("Understudy: goes on without its cache: ")


async def test_a_corrupt_cache_is_made_anew_with_one_message(
    project: Make, cache: Path, minimal: types.ClientCapabilities
) -> None:
    root = with_cache(project, cache)
    cache.write_bytes(b"this is no database" * 1000)
    async with started(*COMMAND) as client:
        await work_a_little(client, root, minimal)
        await client.until(lambda: client.messages)
        await work_on(client, root)
    (only,) = said(client)
    assert "the cache was damaged and is made anew" in only
    async with started(*COMMAND) as again:
        await work_a_little(again, root, minimal, cache)
    assert said(again) == []
    assert entries(cache) > 0


async def test_two_servers_share_a_cache(
    project: Make, cache: Path, minimal: types.ClientCapabilities
) -> None:
    root = with_cache(project, cache)
    async with started(*COMMAND) as first, started(*COMMAND) as second:
        await asyncio.gather(*(work_a_little(client, root, minimal, cache) for client in (first, second)))
    assert (said(first), said(second)) == ([], [])
    assert entries(cache) > 0


async def work_on(client: Client, root: Path) -> None:
    """As much as would make a second message of the same kind."""
    for number in range(3):
        uri = client.open(root / "test_a.py", f"x = {number}\n" + BAD)
        assert codes(await client.found(uri)) == ["US101"]
        client.touched(root / "service.py", types.FileChangeType.Changed)
        client.close(uri)
        await asyncio.sleep(0.2)


def entries(cache: Path) -> int:
    if not cache.exists():
        return 0
    with sqlite3.connect(cache) as database:
        try:
            return int(database.execute("SELECT count(*) FROM understudy_entries").fetchone()[0])
        except sqlite3.OperationalError:
            # It is about to be made.
            return 0


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
    """As a checkout of another branch does it: files come, change and go, and what is open rests on some of them."""
    names = [f"module_{number}.py" for number in range(400)]
    root = project({"test_a.py": TEST, "service.py": SERVICE, **dict.fromkeys(names, "x = 1\n")})
    await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US108"]
    (root / "service.py").write_text(SERVICE.replace("    await session", "    session"))
    events = [types.FileEvent((root / "service.py").as_uri(), types.FileChangeType.Changed)]
    for number, name in enumerate(names):
        if number % 2:
            (root / name).unlink()
            events.append(types.FileEvent((root / name).as_uri(), types.FileChangeType.Deleted))
        else:
            (root / name).write_text("x = 2\n")
            events.append(types.FileEvent((root / name).as_uri(), types.FileChangeType.Changed))
    for number in range(600):
        content = BAD if number == 300 else "x = 1\n"
        (root / f"test_new_{number}.py").write_text(content)
        new = (root / f"test_new_{number}.py").as_uri()
        events.append(types.FileEvent(new, types.FileChangeType.Created))
    client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(events))
    await client.codes(uri, [])
    await client.codes((root / "test_new_300.py").as_uri(), ["US101"])


async def test_a_file_is_renamed_in_the_editor(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": TEST, "old.py": SERVICE})
    assert vscode.workspace is not None
    assert vscode.text_document is not None
    vscode.workspace.configuration, vscode.text_document.diagnostic = False, None
    announced = await client.begin(vscode, root)
    assert announced.capabilities.workspace is not None
    assert announced.capabilities.workspace.file_operations is not None
    assert announced.capabilities.workspace.file_operations.did_rename is not None
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == []
    (root / "old.py").rename(root / "service.py")
    rename = types.FileRename((root / "old.py").as_uri(), (root / "service.py").as_uri())
    client.workspace_did_rename_files(types.RenameFilesParams([rename]))
    await client.codes(uri, ["US108"])


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
