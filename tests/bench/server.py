"""Keystroke to diagnostics: a client types into a test file over stdio, and waits for what is published.

The file is opened in the largest package of the corpus. Each keystroke is one ``didChange`` that inserts a
character; it is answered when diagnostics of its version arrive. Wall time, so keep the machine idle.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.subjects import Subject, largest
from bench.table import Series, Table

KEYSTROKES = 40


def measure(repeats: int) -> list[Table]:
    table = Table(
        "Server, keystroke to diagnostics over stdio",
        ["file", "lines", "open ms", "p50 ms", "p95 ms"],
        note=f"Wall time; {KEYSTROKES} keystrokes a session, {repeats} sessions.",
    )
    for subject in largest():
        sessions = [_session(subject) for _ in range(repeats)]
        table.rows.append(
            [
                subject.name,
                str(subject.lines),
                Series(tuple(opened for opened, _ in sessions)),
                Series(tuple(statistics.median(keys) for _, keys in sessions)),
                Series(tuple(statistics.quantiles(keys, n=20)[-1] for _, keys in sessions)),
            ]
        )
    return [table]


def _session(subject: Subject) -> tuple[float, list[float]]:
    """Milliseconds from opening the file to its diagnostics, and for each keystroke."""
    with Client(subject.root) as client:
        uri, text = subject.path.as_uri(), subject.path.read_text("utf-8")
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        opened = client.timed("textDocument/didOpen", {"textDocument": document}, uri, 1)
        row = next(row for row, line in enumerate(text.split("\n")) if line.startswith("import ")) + 1
        keys = []
        for version in range(2, KEYSTROKES + 2):
            place = {"line": row, "character": 0 if version == 2 else version - 2}
            # First a line of its own for the comment, then one character after another.
            typed = "#\n" if version == 2 else "x"
            change = {"range": {"start": place, "end": place}, "text": typed}
            parameters = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]}
            keys.append(client.timed("textDocument/didChange", parameters, uri, version))
        return opened, keys


class Client:
    """The least that speaks the protocol: it adds nothing to what is measured."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "understudy", "server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=root,
            env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
        )
        folder = {"uri": root.as_uri(), "name": root.name}
        capabilities = {"textDocument": {"publishDiagnostics": {"versionSupport": True}}}
        parameters = {"processId": None, "rootUri": None, "capabilities": capabilities}
        self._send({"id": 1, "method": "initialize", "params": {**parameters, "workspaceFolders": [folder]}})
        while self._receive().get("id") != 1:
            pass
        self._send({"method": "initialized", "params": {}})

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self._send({"id": 2, "method": "shutdown"})
        while self._receive().get("id") != 2:
            pass
        self._send({"method": "exit"})
        self._process.communicate(timeout=60)

    def timed(self, method: str, parameters: dict[str, Any], uri: str, version: int) -> float:
        """Milliseconds from sending a notification to the diagnostics of a version."""
        started = time.perf_counter()
        self._send({"method": method, "params": parameters})
        while True:
            message = self._receive()
            if message.get("method") == "textDocument/publishDiagnostics":
                published = message["params"]
                if published["uri"] == uri and published.get("version") == version:
                    return (time.perf_counter() - started) * 1000

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        raw = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(raw) + raw)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; a request of the server gets an empty answer."""
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise RuntimeError(f"the server has ended with {self._process.wait(10)}")
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if "id" in message and "method" in message:
            self._send({"id": message["id"], "result": None})
        return message
