"""Clients that remember what their user sees."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from servers import Client, Gone

_CANCELLED = (-32800, -32802)
_BETWEEN = 0.05
"""Seconds between two questions about the workspace; VS Code takes two."""


@dataclass
class _Document:
    """What the client knows of a document that it asks about by itself."""

    result_id: str | None = None
    asked: int | None = None
    """The request that is under way."""
    again: bool = False
    """Ask again when that is answered: something has changed."""
    open: bool = True


@dataclass
class Watching(Client):
    """``shown`` is what its user sees: the diagnostics of each document, by URI. The server says what they are."""

    command: list[str]
    root: Path
    settings: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.command, self.root)

    def capabilities(self) -> dict[str, Any]:
        """What the client adds to those of any."""
        return {"workspace": {"configuration": True, "didChangeWatchedFiles": {"dynamicRegistration": True}}}

    def opened(self, uri: str) -> None:
        """The server has heard of it."""

    def changed(self, uri: str) -> None:
        """The server has heard of it."""

    def closing(self, uri: str) -> None:
        """Before the server hears of it."""

    def answer(self, method: str, params: Any) -> Any:
        return [self.settings for _ in params["items"]] if method == "workspace/configuration" else None

    def take_in(self, quiet: float) -> None:
        """What has arrived, and what comes until there is nothing for so many seconds."""
        end = time.perf_counter() + quiet
        while True:
            self.tend()
            try:
                _, message = self.receive(min(end, time.perf_counter() + _BETWEEN))
            except Gone:
                if self.process.poll() is not None:
                    raise
                if time.perf_counter() > end:
                    return
                continue
            if self.is_news(message):
                end = time.perf_counter() + quiet

    def tend(self) -> None:
        """Whatever the client does by itself, every now and then."""

    def is_news(self, message: dict[str, Any]) -> bool:
        """Take in what the server says of diagnostics."""
        if message.get("method") != "textDocument/publishDiagnostics":
            return False
        self.shown[message["params"]["uri"]] = message["params"]["diagnostics"]
        return True


@dataclass
class Pulling(Watching):
    """It asks, as VS Code does: ``diagnostic.js`` of vscode-languageclient 11."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._documents: dict[str, _Document] = {}
        self._of_workspace: dict[str, str] = {}
        self._workspace_asked: int | None = None
        self._workspace_next = 0.0

    def capabilities(self) -> dict[str, Any]:
        known = super().capabilities()
        return {
            "textDocument": {"diagnostic": {"dynamicRegistration": False}},
            "workspace": {**known["workspace"], "diagnostics": {"refreshSupport": True}},
        }

    # --- what the user does

    def opened(self, uri: str) -> None:
        self._documents.setdefault(uri, _Document()).open = True
        self._pull(uri)

    def changed(self, uri: str) -> None:
        self._pull(uri)

    def closing(self, uri: str) -> None:
        """Before the server hears of it. What was shown stays until an answer about the workspace says otherwise."""
        document = self._documents[uri]
        document.open = False
        if document.asked is None:
            self._pull(uri)
        self._of_workspace.pop(uri, None)

    # --- what comes in

    def answer(self, method: str, params: Any) -> Any:
        if method == "workspace/diagnostic/refresh":
            for uri, document in list(self._documents.items()):
                if document.open:
                    self._pull(uri)
        return super().answer(method, params)

    def is_news(self, message: dict[str, Any]) -> bool:
        assert message.get("method") != "textDocument/publishDiagnostics"
        return "method" not in message and self._answered(message)

    def _answered(self, message: dict[str, Any]) -> bool:
        if message["id"] == self._workspace_asked:
            self._workspace_asked = None
            self._workspace_next = time.perf_counter() + _BETWEEN
            for item in (message.get("result") or {"items": ()})["items"]:
                if item["kind"] == "full" and item["uri"] not in self._documents:
                    self.shown[item["uri"]] = item["items"]
                self._of_workspace[item["uri"]] = item["resultId"]
            return True
        for uri, document in list(self._documents.items()):
            if document.asked == message["id"]:
                self._document_answered(uri, document, message)
                return True
        return False

    def _document_answered(self, uri: str, document: _Document, message: dict[str, Any]) -> None:
        document.asked = None
        again, document.again = document.again, False
        error, report = message.get("error"), message.get("result")
        if error is not None:
            assert error["code"] in _CANCELLED, error
            again = (error.get("data") or {}).get("retriggerRequest", True)
        if not document.open:
            del self._documents[uri]
            return
        if report is not None and not again:
            if report["kind"] == "full":
                self.shown[uri] = report["items"]
            document.result_id = report["resultId"]
        if again:
            self._pull(uri)

    # --- what goes out

    def _pull(self, uri: str) -> None:
        document = self._documents[uri]
        if document.asked is not None:
            if not document.again:
                self.notify("$/cancelRequest", {"id": document.asked})
            document.again = True
            return
        params: dict[str, Any] = {"identifier": "understudy", "textDocument": {"uri": uri}}
        if document.result_id is not None:
            params["previousResultId"] = document.result_id
        document.asked = self._ask("textDocument/diagnostic", params)

    def tend(self) -> None:
        if self._workspace_asked is not None or time.perf_counter() < self._workspace_next:
            return
        known = {
            uri: self._documents[uri].result_id if uri in self._documents else identity
            for uri, identity in self._of_workspace.items()
        }
        previous = [{"uri": uri, "value": value} for uri, value in known.items() if value is not None]
        params = {"identifier": "understudy", "previousResultIds": previous}
        self._workspace_asked = self._ask("workspace/diagnostic", params)

    def _ask(self, method: str, params: Any) -> int:
        self._identity += 1
        self.send({"id": self._identity, "method": method, "params": params})
        return self._identity
