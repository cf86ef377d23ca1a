"""A client for the tests: it speaks to a real ``understudy server`` process, and waits for conditions."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest_lsp
from lsprotocol import types
from pytest_lsp import LanguageClient

SERVER = Path(__file__).parents[2] / "server"
COMMAND = shlex.split(os.environ.get("UNDERSTUDY_SERVER", "")) or [
    sys.executable,
    "-m",
    "understudy",
    "server",
]
"""``UNDERSTUDY_SERVER`` names another one: ``tests/editors/bundled.py`` does."""
_OWN = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
ENVIRONMENT = {**_OWN, "PYTHONPATH": str(SERVER)}
"""Without the virtual environment that the tests run in: what it has installed is not the projects'."""
PATIENCE = 30.0
"""Seconds after which a condition is taken never to come true."""

SERVICE = """\
async def save(session):
    await session.commit()


def keep(session):
    session.add(1)
"""
TEST = """\
from unittest.mock import MagicMock

from service import keep, save


async def test_save():
    session = MagicMock()
    await save(session)


def test_keep():
    keep(MagicMock())
"""
BAD = """\
from unittest.mock import MagicMock


async def test_commit():
    session = MagicMock()
    await session.commit()
"""


class Client(LanguageClient):
    """Remembers every publication, and the texts it opened."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.publications: list[types.PublishDiagnosticsParams] = []
        self.registrations: list[types.Registration] = []
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self._news = asyncio.Event()

    # --- what comes in

    def noted(self) -> None:
        self._news.set()

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition holds, which only a message of the server can bring about."""

        async def wait() -> Any:
            while not (value := condition()):
                self._news.clear()
                await self._news.wait()
            return value

        return await asyncio.wait_for(wait(), PATIENCE)

    def latest(self, uri: str) -> types.PublishDiagnosticsParams | None:
        return next((p for p in reversed(self.publications) if p.uri == uri), None)

    async def found(self, uri: str, version: int | None = None) -> list[types.Diagnostic]:
        """The diagnostics of a version of a document (its latest by default)."""
        wanted = self.versions[uri] if version is None else version

        def published() -> types.PublishDiagnosticsParams | None:
            latest = self.latest(uri)
            return latest if latest is not None and latest.version == wanted else None

        return list((await self.until(published)).diagnostics)

    async def codes(self, uri: str, wanted: list[str]) -> list[types.Diagnostic]:
        """Wait until a document's findings have these codes."""

        def published() -> types.PublishDiagnosticsParams | None:
            latest = self.latest(uri)
            return latest if latest is not None and codes(latest.diagnostics) == wanted else None

        try:
            return list((await self.until(published)).diagnostics)
        except asyncio.TimeoutError:
            latest = self.latest(uri)
            shown = codes(latest.diagnostics) if latest is not None else "nothing"
            raise AssertionError(f"{uri}: {shown}, not {wanted}") from None

    # --- what goes out

    async def begin(
        self, capabilities: types.ClientCapabilities, *folders: Path, options: Any = None
    ) -> types.InitializeResult:
        return await self.initialize_session(
            types.InitializeParams(
                capabilities=capabilities,
                workspace_folders=[types.WorkspaceFolder(f.as_uri(), f.name) for f in folders],
                initialization_options=options,
            )
        )

    def open(self, path: Path | str, text: str | None = None, language: str = "python") -> str:
        uri = path if isinstance(path, str) else path.as_uri()
        if text is None:
            assert isinstance(path, Path)
            text = path.read_text("utf-8")
        self.texts[uri], self.versions[uri] = text, 1
        self.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, 1, text))
        )
        return uri

    def edit(self, uri: str, text: str) -> int:
        """Replace the whole text."""
        return self.send(uri, types.TextDocumentContentChangeWholeDocument(text), text)

    def replace(self, uri: str, old: str, new: str) -> int:
        """An incremental edit of an ASCII text with ``\\n`` line endings."""
        text = self.texts[uri]
        assert text.isascii()
        assert text.count(old) == 1, old
        start = text.index(old)
        change = types.TextDocumentContentChangePartial(
            types.Range(position(text, start), position(text, start + len(old))), new
        )
        return self.send(uri, change, text.replace(old, new))

    def send(self, uri: str, change: types.TextDocumentContentChangeEvent, text: str) -> int:
        self.texts[uri] = text
        self.versions[uri] += 1
        self.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.versions[uri], uri), [change]
            )
        )
        return self.versions[uri]

    def close(self, uri: str) -> None:
        self.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))

    def touched(self, path: Path, kind: types.FileChangeType) -> None:
        self.workspace_did_change_watched_files(
            types.DidChangeWatchedFilesParams([types.FileEvent(path.as_uri(), kind)])
        )

    async def actions(
        self,
        uri: str,
        at: types.Range,
        *,
        diagnostics: list[types.Diagnostic] | None = None,
        only: list[str] | None = None,
    ) -> list[types.CodeAction]:
        found = await self.text_document_code_action_async(
            types.CodeActionParams(
                types.TextDocumentIdentifier(uri),
                at,
                types.CodeActionContext(diagnostics or [], only),  # type: ignore[arg-type]
            )
        )
        actions: list[types.CodeAction] = list(found or [])  # type: ignore[arg-type]
        return [
            await self.code_action_resolve_async(action) if action.data is not None else action
            for action in actions
        ]

    def applied(self, action: types.CodeAction) -> dict[str, str]:
        """The texts after an action, by URI. It must not refer to another version than the current one."""
        edit = action.edit
        assert edit is not None
        changes = dict(edit.changes or {})
        for change in edit.document_changes or ():
            assert isinstance(change, types.TextDocumentEdit)
            uri = change.text_document.uri
            assert change.text_document.version == self.versions.get(uri)
            changes[uri] = list(change.edits)  # type: ignore[arg-type]
        after = {}
        for uri, edits in changes.items():
            text = self.texts.get(uri)
            if text is None:
                text = Path(uri.removeprefix("file://")).read_text("utf-8")
            assert text.isascii()
            places = [(offset(text, e.range.start), offset(text, e.range.end), e.new_text) for e in edits]
            for start, end, new in sorted(places, key=lambda place: place[:2], reverse=True):
                text = text[:start] + new + text[end:]
            after[uri] = text
        return after


def codes(diagnostics: Any) -> list[str]:
    return [diagnostic.code for diagnostic in diagnostics]


def position(text: str, at: int) -> types.Position:
    return types.Position(text.count("\n", 0, at), at - (text.rfind("\n", 0, at) + 1))


def offset(text: str, at: types.Position) -> int:
    return sum(len(line) for line in text.splitlines(keepends=True)[: at.line]) + at.character


def make_client() -> Client:
    client = Client(converter_factory=pytest_lsp.client.default_converter)
    pytest_lsp.client.register_lsp_features(client)

    del client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS]

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def _(params: types.PublishDiagnosticsParams) -> None:
        client.publications.append(params)
        client.noted()

    del client.protocol.fm.features[types.WINDOW_SHOW_MESSAGE]

    @client.feature(types.WINDOW_SHOW_MESSAGE)
    def _(params: types.ShowMessageParams) -> None:
        client.messages.append(params)
        client.noted()

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def _(params: types.RegistrationParams) -> None:
        client.registrations.extend(params.registrations)
        client.noted()

    return client


class Wire:
    """The bare protocol on a process's pipes, for what a well-behaved client never does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout

    def send(self, message: Any) -> None:
        self.send_raw(json.dumps(message).encode())

    def send_raw(self, body: bytes, header: bytes = b"Content-Length: %d\r\n\r\n") -> None:
        self._input.write(header % len(body) + body)

    def request(self, number: int, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def receive(self) -> Any:
        """The next message. Anything but a frame on standard output is an error."""
        head = await asyncio.wait_for(self._output.readuntil(b"\r\n\r\n"), PATIENCE)
        fields = dict(line.split(b": ", 1) for line in head.strip().split(b"\r\n"))
        return json.loads(await self._output.readexactly(int(fields[b"Content-Length"])))

    async def answer(self, number: int | None) -> Any:
        while True:
            message = await self.receive()
            if "method" not in message and message.get("id") == number:
                return message

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self._output.read(), PATIENCE)

    def hang_up(self) -> None:
        self._input.close()

    async def status(self) -> int:
        return await asyncio.wait_for(self.process.wait(), PATIENCE)
