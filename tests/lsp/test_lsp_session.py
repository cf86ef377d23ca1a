"""The session on the event loop: what is started, and what is published, when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from understudy.finding import Finding, Severity
from understudy.lsp import session as session_module
from understudy.lsp.documents import Document
from understudy.lsp.exchange import Change, Report, Settings
from understudy.lsp.features import pull_diagnostics
from understudy.lsp.session import Session
from understudy.source.span import Span
from understudy.source.text import Text

URI = "file:///project/test_a.py"


class FakeConnection:
    def __init__(self) -> None:
        self.published: list[int] = []
        self.cleared: list[str] = []
        self.refreshed = 0
        self.answer: Future[Sequence[Any]] = Future()

    def publish(self, report: Report) -> None:
        self.published.append(report.document.version)

    def clear(self, uri: str) -> None:
        self.cleared.append(uri)

    def warn(self, message: str) -> None:
        raise AssertionError(message)

    def configuration(self, params: types.ConfigurationParams) -> Future[Sequence[Any]]:
        return self.answer

    def refresh_diagnostics(self) -> None:
        self.refreshed += 1

    def show_progress(self, progress: Any) -> None:
        raise AssertionError(progress)

    def register(self, params: types.RegistrationParams) -> None:
        raise AssertionError(params)


class FakeWorker:
    """Analyses nothing; the tests report in its place."""

    made: FakeWorker

    def __init__(self, settings: Settings, report: Any, problems: Any, progress: Any) -> None:
        FakeWorker.made = self
        self.settings = settings
        self.change = Change()
        self.running = False

    def start(self) -> None:
        self.running = True

    def tell(self, note: Any) -> None:
        note(self.change)

    def stop(self) -> None:
        self.running = False


@pytest.fixture
def connection() -> FakeConnection:
    return FakeConnection()


@pytest.fixture
def session(connection: FakeConnection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(session_module, "_worker_class", lambda: FakeWorker)
    monkeypatch.delattr(FakeWorker, "made", raising=False)
    made = Session(connection)
    yield made
    made.stop()


def begin(session: Session, *, configuration: bool = False, pulls: bool = False) -> None:
    workspace = types.WorkspaceClientCapabilities(configuration=configuration)
    capabilities = types.ClientCapabilities(workspace)
    if pulls:
        workspace.diagnostics = types.DiagnosticWorkspaceClientCapabilities(refresh_support=True)
        capabilities.text_document = types.TextDocumentClientCapabilities(
            diagnostic=types.DiagnosticClientCapabilities()
        )
    session.initialize(
        types.InitializeParams(capabilities, root_uri="file:///project", initialization_options={})
    )
    session.initialized()


def open_document(session: Session, content: str = "") -> Document:
    session.open(types.TextDocumentItem(URI, "python", 1, content))
    document = session.documents.get(URI)
    assert document is not None
    return document


def finding(code: str) -> Finding:
    return Finding(code, "a-rule", Severity.ERROR, "bad", Path("/project/test_a.py"), Span(0, 0, 0, 0))


def edit(session: Session, version: int) -> Document:
    change = types.TextDocumentContentChangeWholeDocument(f"# {version}")
    identifier = types.VersionedTextDocumentIdentifier(version, URI)
    session.change(types.DidChangeTextDocumentParams(identifier, [change]))
    document = session.documents.get(URI)
    assert document is not None
    return document


async def test_nothing_is_analysed_before_the_settings_are_there(
    session: Session, connection: FakeConnection
) -> None:
    begin(session, configuration=True)
    document = open_document(session)
    assert not hasattr(FakeWorker, "made")
    connection.answer.set_result([{"ignore": ["US1"]}, {"ignore": ["US2"]}])
    worker = FakeWorker.made
    assert worker.running
    assert worker.settings.values == {"ignore": ["US1"]}
    assert worker.settings.values_for(Path("/project/test_a.py")) == {"ignore": ["US2"]}
    assert worker.change.opened == {Path("/project/test_a.py"): document}
    # They were there from the start: there is nothing to read again.
    assert worker.change.settings is None


async def test_an_error_for_an_answer_starts_without(session: Session, connection: FakeConnection) -> None:
    begin(session, configuration=True)
    connection.answer.set_exception(RuntimeError("method not found"))
    assert FakeWorker.made.running


async def test_what_is_out_of_date_is_not_published(session: Session, connection: FakeConnection) -> None:
    begin(session)
    first = open_document(session)
    second = edit(session, 2)
    session._receive(Report(first, (), {}))
    assert connection.published == []
    session._receive(Report(second, (), {}))
    assert connection.published == [2]
    session.close(URI)
    session._receive(Report(second, (), {}))
    assert connection.published == [2]
    assert connection.cleared == [URI]


async def test_a_request_waits_for_the_version_it_was_made_on(session: Session) -> None:
    begin(session)
    first = open_document(session)
    asked = asyncio.ensure_future(session.report(URI))
    await asyncio.sleep(0)
    assert not asked.done()
    report = Report(first, (), {})
    session._receive(report)
    assert await asked is report
    assert await session.report(URI) is report
    edit(session, 2)
    overtaken = asyncio.ensure_future(session.report(URI))
    await asyncio.sleep(0)
    session._receive(Report(edit(session, 3), (), {}))
    assert await overtaken is None


async def test_what_only_an_answer_about_the_workspace_told_is_to_be_asked_for(
    session: Session, connection: FakeConnection
) -> None:
    """A client leaves out of such an answer what it asks about by itself: VS Code does."""
    begin(session, pulls=True)
    document = open_document(session, "x = 1\n")
    asked = types.DocumentDiagnosticParams(types.TextDocumentIdentifier(URI))
    session._receive(Report(document, (finding("US101"),), {}))
    first = await pull_diagnostics.of_document(session, asked)
    session._receive(Report(document, (finding("US201"),), {}))
    of_workspace = types.WorkspaceDiagnosticParams([types.PreviousResultId(URI, first.result_id or "")])
    (told,) = (await pull_diagnostics.of_workspace(session, of_workspace)).items
    assert isinstance(told, types.WorkspaceFullDocumentDiagnosticReport)
    assert [each.code for each in told.items] == ["US201"]
    session._refresh(URI)
    assert connection.refreshed == 1
    await pull_diagnostics.of_document(session, asked)
    session._refresh(URI)
    assert connection.refreshed == 1


@pytest.mark.parametrize("known", [False, True])
async def test_what_was_closed_is_told_of_even_when_nothing_is_found(
    session: Session, connection: FakeConnection, known: bool
) -> None:
    """VS Code goes on showing what it was told about an open document until it hears otherwise."""
    begin(session, pulls=True)
    document = open_document(session)
    session._receive(Report(document, (), {}))
    shown = await pull_diagnostics.of_document(
        session, types.DocumentDiagnosticParams(types.TextDocumentIdentifier(URI))
    )
    session.close(URI)
    previous = [types.PreviousResultId(URI, shown.result_id or "")] if known else []
    asked = asyncio.ensure_future(
        pull_diagnostics.of_workspace(session, types.WorkspaceDiagnosticParams(previous))
    )
    await asyncio.sleep(0)
    assert not asked.done()
    session._receive(
        Report(Document("file:///project/test%5Fa.py", None, Text(""), document.path, "python"), (), {})
    )
    (told,) = (await asyncio.wait_for(asked, 10)).items
    # By the name that the client knows.
    assert isinstance(told, types.WorkspaceFullDocumentDiagnosticReport)
    assert (told.uri, told.items) == (URI, [])


async def test_who_cancels_is_asked_to_ask_again(
    session: Session, connection: FakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_REFRESH_AFTER", 0)
    begin(session, pulls=True)
    document = open_document(session)
    cancelled, other = (asyncio.ensure_future(session.report(URI)) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    session._receive(Report(document, (finding("US101"),), {}))
    assert await other is not None
    await asyncio.sleep(0.01)
    # The other one gets it as its answer.
    assert connection.refreshed == 0
    document = edit(session, 2)
    alone = asyncio.ensure_future(session.report(URI))
    await asyncio.sleep(0)
    alone.cancel()
    await asyncio.sleep(0)
    session._receive(Report(document, (finding("US101"),), {}))
    await asyncio.sleep(0.01)
    assert connection.refreshed == 1


async def test_the_end_lets_nobody_wait(session: Session) -> None:
    begin(session)
    open_document(session)
    asked = asyncio.ensure_future(session.report(URI))
    await asyncio.sleep(0)
    session.stop()
    assert await asked is None


async def test_a_settings_change_that_changes_nothing_reads_nothing_again(session: Session) -> None:
    begin(session)
    session.configuration_changed({"understudy": {}})
    assert FakeWorker.made.change.settings is None
    session.configuration_changed({"understudy": {"ignore": ["US1"]}})
    assert FakeWorker.made.change.settings is not None
