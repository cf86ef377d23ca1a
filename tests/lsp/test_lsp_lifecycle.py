"""The process: its exit status, what it writes, and what it makes of clients that misbehave."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lsp_client import BAD, COMMAND, ENVIRONMENT, PATIENCE, Wire
from lsprotocol import types
from understudy.lsp import feature as feature_module
from understudy.lsp import server as server_module
from understudy.lsp.feature import Feature
from understudy.lsp.session import Session

CAPABILITIES = {
    "textDocument": {
        "hover": {},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}},
    }
}
INITIALIZE = {"processId": None, "rootUri": None, "capabilities": CAPABILITIES}


async def begin(wire: Wire, capabilities: object = None) -> dict[str, object]:
    wire.request(
        1,
        "initialize",
        {**INITIALIZE, "capabilities": CAPABILITIES if capabilities is None else capabilities},
    )
    answer = await wire.answer(1)
    wire.notify("initialized", {})
    return answer["result"]["capabilities"]


async def test_exit_after_shutdown_is_success(wire: Wire) -> None:
    await begin(wire)
    wire.request(2, "shutdown")
    assert (await wire.answer(2))["result"] is None
    wire.notify("exit")
    assert await wire.rest() == b""
    assert await wire.status() == 0


async def test_exit_without_shutdown_is_failure(wire: Wire) -> None:
    await begin(wire)
    wire.notify("exit")
    assert await wire.status() == 1


async def test_exit_before_initialize(wire: Wire) -> None:
    wire.notify("exit")
    assert await wire.status() == 1


async def test_closed_input_ends_the_process(wire: Wire) -> None:
    await begin(wire)
    wire.hang_up()
    assert await wire.status() == 1


async def test_input_that_ends_inside_a_message(wire: Wire) -> None:
    wire.send_raw(b"{}", b"Content-Length: 1%d\r\n\r\n")
    wire.hang_up()
    assert await wire.status() == 1


async def test_a_request_after_shutdown_is_refused(wire: Wire) -> None:
    await begin(wire)
    wire.request(2, "shutdown")
    await wire.answer(2)
    wire.request(3, "textDocument/hover", hover_of("file:///t.py"))
    assert (await wire.answer(3))["error"]["code"] == -32600
    wire.notify("exit")
    assert await wire.status() == 0


async def test_a_request_before_initialize_is_refused(wire: Wire) -> None:
    wire.request(1, "textDocument/hover", hover_of("file:///t.py"))
    assert (await wire.answer(1))["error"]["code"] == -32002
    await begin(wire)
    wire.request(5, "initialize", INITIALIZE)
    assert (await wire.answer(5))["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"jsonrpc": "2.0", "id": 9, "method": "textDocument/hover", "params": {"position": 3}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 9, "method": "textDocument/hover"}', -32602),
        (b'{"jsonrpc": "2.0", "id": 9, "method": "no/such"}', -32601),
    ],
)
async def test_a_malformed_request_is_answered_with_an_error(wire: Wire, message: bytes, code: int) -> None:
    await begin(wire)
    wire.send_raw(message)
    number = 9 if b'"id": 9' in message else None
    assert (await wire.answer(number))["error"]["code"] == code
    wire.request(10, "textDocument/hover", hover_of("file:///t.py"))
    assert (await wire.answer(10))["result"] is None


async def test_a_malformed_notification_is_passed_over(wire: Wire) -> None:
    await begin(wire)
    wire.notify("textDocument/didOpen", {"textDocument": 3})
    wire.notify("textDocument/didChange", change_of("file:///not-open.py"))
    wire.notify("textDocument/didClose", {"textDocument": {"uri": "file:///not-open.py"}})
    wire.notify("$/no-such", {})
    wire.request(2, "textDocument/hover", hover_of("file:///t.py"))
    assert (await wire.answer(2))["result"] is None


async def test_headers_in_any_case_and_order(wire: Wire) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}).encode()
    wire.send_raw(
        body, b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length:%d\r\n\r\n"
    )
    assert "result" in await wire.answer(1)


async def test_only_frames_on_standard_output(wire: Wire, tmp_path: Path) -> None:
    """`receive` refuses anything else, and after the end there is nothing left."""
    await begin(wire)
    path = tmp_path / "test_a.py"
    uri = path.as_uri()
    document = {"uri": uri, "languageId": "python", "version": 1, "text": BAD + "def broken(:\n"}
    wire.notify("textDocument/didOpen", {"textDocument": document})
    message = await wire.receive()
    while message.get("method") != "textDocument/publishDiagnostics":
        message = await wire.receive()
    assert [item["code"] for item in message["params"]["diagnostics"]] == ["US101"]
    wire.request(2, "shutdown")
    assert await wire.receive() == {"jsonrpc": "2.0", "id": 2, "result": None}
    wire.notify("exit")
    assert await wire.rest() == b""


async def test_a_request_is_about_the_text_it_was_made_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the next edit has arrived already."""
    seen: list[int] = []

    async def hover(session: Session, params: types.HoverParams) -> None:
        document = session.documents.get(params.text_document.uri)
        assert document is not None
        seen.append(document.version)

    features = (Feature(types.TEXT_DOCUMENT_HOVER, hover),)
    monkeypatch.setattr(feature_module, "all_features", lambda: features)
    uri = "untitled:x"
    document = {"uri": uri, "languageId": "python", "version": 1, "text": ""}
    messages = [
        {"id": 0, "method": "initialize", "params": INITIALIZE},
        {"method": "textDocument/didOpen", "params": {"textDocument": document}},
    ]
    for number in range(2, 50):
        change = {"textDocument": {"uri": uri, "version": number}, "contentChanges": [{"text": str(number)}]}
        messages.append({"id": number, "method": "textDocument/hover", "params": hover_of(uri)})
        messages.append({"method": "textDocument/didChange", "params": change})
    messages += [{"id": 50, "method": "shutdown"}, {"method": "exit"}]
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages]
    source = io.BytesIO(b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies))
    assert await server_module._serve(source, io.BytesIO()) == 0
    assert seen == list(range(1, 49))


async def test_what_anybody_else_prints_goes_to_standard_error(tmp_path: Path) -> None:
    program = """
import os, subprocess, sys
from understudy.cli import main
from understudy.engine import Project

works = Project.analyse

def analyse(*arguments):
    print("NOISE 1", flush=True)
    os.write(1, b"NOISE 2")
    subprocess.run(["echo", "NOISE 3"])
    assert sys.stdin.read() == ""
    return works(*arguments)

Project.analyse = analyse
sys.exit(main(["server"]))
"""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=pipe, stdout=pipe, stderr=pipe, env=ENVIRONMENT
    )
    wire = Wire(process)
    await begin(wire)
    document = {"uri": (tmp_path / "test_a.py").as_uri(), "languageId": "python", "version": 1, "text": BAD}
    wire.notify("textDocument/didOpen", {"textDocument": document})
    message = await wire.receive()
    assert message["method"] == "textDocument/publishDiagnostics"
    assert len(message["params"]["diagnostics"]) == 1
    wire.hang_up()
    assert await wire.rest() == b""
    assert await wire.status() == 1
    assert process.stderr is not None
    assert (await process.stderr.read()).count(b"NOISE") == 3


async def test_a_client_that_never_answers_for_its_settings(wire: Wire, tmp_path: Path) -> None:
    await begin(wire, {"workspace": {"configuration": True}})
    assert (await wire.receive())["method"] == "workspace/configuration"
    uri = (tmp_path / "test_a.py").as_uri()
    document = {"uri": uri, "languageId": "python", "version": 1, "text": BAD}
    wire.notify("textDocument/didOpen", {"textDocument": document})
    message = await wire.receive()
    assert message["method"] == "textDocument/publishDiagnostics"
    assert [item["code"] for item in message["params"]["diagnostics"]] == ["US101"]


async def test_only_what_is_there_is_announced(wire: Wire) -> None:
    announced = await begin(wire)
    assert announced["textDocumentSync"]["change"] == 2
    assert announced["hoverProvider"] is True
    assert announced["codeActionProvider"]["codeActionKinds"] == ["quickfix", "source.fixAll.understudy"]
    # Diagnostics are pushed. A client that is also told to pull would show each twice.
    assert "diagnosticProvider" not in announced
    assert "notebookDocumentSync" not in announced


async def test_what_the_client_cannot_use_is_not_announced(wire: Wire) -> None:
    announced = await begin(wire, {})
    assert "hoverProvider" not in announced
    assert "codeActionProvider" not in announced
    wire.request(2, "textDocument/hover", hover_of("file:///t.py"))
    assert (await wire.answer(2))["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("options", "modules"),
    [
        (["--no-cache"], {"pygls", "lsprotocol", "asyncio"}),
        # SQLAlchemy, which opens the cache, imports asyncio.
        ([], {"pygls", "lsprotocol"}),
    ],
)
def test_a_check_does_not_import_the_protocol(tmp_path: Path, options: list[str], modules: set[str]) -> None:
    (tmp_path / "test_a.py").write_text(BAD)
    program = (
        "import sys; from understudy.cli import main; status = main(sys.argv[1:]); "
        f"assert not {modules} & set(sys.modules); sys.exit(status)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, "check", str(tmp_path), *options],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (found.returncode, found.stderr) == (1, "")


def test_initialize_waits_for_no_engine() -> None:
    """What answers it is imported first; the engine, half of all, afterwards."""
    engine = ("engine", "index", "infer", "doubles", "orm", "binding", "rules", "facts", "project.config")
    program = (
        "import sys; from understudy.lsp import server; server.Server(); server.feature.all_features();"
        f"print(*(name for name in sys.modules if name.startswith({tuple(f'understudy.{e}' for e in engine)})))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (found.returncode, found.stdout.strip(), found.stderr) == (0, "", "")


async def test_over_tcp(tmp_path: Path, project: Callable[[dict[str, str]], Path]) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--tcp", "127.0.0.1:0", stderr=asyncio.subprocess.PIPE, env=ENVIRONMENT
    )
    assert process.stderr is not None
    line = (await asyncio.wait_for(process.stderr.readline(), PATIENCE)).decode()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(line.rpartition(":")[2]))
    for message in (
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE},
        {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": "exit"},
    ):
        body = json.dumps(message).encode()
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    answers = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answers.count(b"Content-Length") == 2
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    writer.close()


def hover_of(uri: str) -> dict[str, object]:
    return {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}


def change_of(uri: str) -> dict[str, object]:
    return {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": "x"}]}
