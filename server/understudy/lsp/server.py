"""The server: its construction, which handler answers what, and its life from first byte to exit status."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import Future
from typing import Any, BinaryIO

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcContentModified,
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter
from pygls.protocol.language_server import lsp_method

from understudy import __version__
from understudy.lsp import feature, garbage, transport
from understudy.lsp.diagnostics import publication
from understudy.lsp.exchange import Progress, Report
from understudy.lsp.feature import Feature
from understudy.lsp.features.commands import recent
from understudy.lsp.features.rename_files import MODULES
from understudy.lsp.progress import ProgressBar
from understudy.lsp.session import Overtaken, Session

_log = logging.getLogger(__name__)
_NOTEBOOKS = types.NotebookDocumentSyncOptions(
    [types.NotebookDocumentFilterWithCells([types.NotebookCellLanguage("python")], "*")]
)
_SWITCH_INTERVAL = 0.001


def serve(tcp: tuple[str, int] | None, log_level: str = "warning") -> int:
    """Serve one client; ``log_level`` is a level of ``logging``. Exit status: 0 when it said ``shutdown``
    first, else 1."""
    layout = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=log_level.upper(), format=layout)
    recent.setFormatter(logging.Formatter(layout))
    logging.getLogger().addHandler(recent)
    # pygls logs the body of every message at INFO.
    logging.getLogger("pygls").setLevel(logging.ERROR)
    # An edit must not wait the usual 5 ms, at each of several turns, behind a running analysis.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    garbage.set_up()
    source, target = transport.standard_streams() if tcp is None else transport.accepted(*tcp)
    try:
        return asyncio.run(_serve(source, target))
    except KeyboardInterrupt:
        return 1


async def _serve(source: BinaryIO, target: BinaryIO) -> int:
    server = Server()
    inbound, outbound = transport.Inbound(source), transport.Outbound(target)
    server.protocol.set_writer(outbound)
    while server.exit_status is None and not outbound.broken:
        body = await inbound.next()
        if body is None:
            break
        server.protocol.handle_body(body)
        # A handler that is a coroutine starts before the next message changes what it asks about.
        await asyncio.sleep(0)
    server.session.stop()
    outbound.close()
    return 1 if server.exit_status is None else server.exit_status


class Protocol(LanguageServerProtocol):
    """pygls's protocol without its own copy of the documents, and strict about the order of messages."""

    _server: Server

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._initialized = False

    # --- documents: ours, not pygls's

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        self._server.session.open(params.text_document)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        self._server.session.change(params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self._server.session.close(params.text_document.uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        for cell in params.cell_text_documents:
            self._server.session.open(cell)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: types.DidChangeNotebookDocumentParams) -> None:
        if params.change.cells is not None:
            self._server.session.change_cells(params.change.cells)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: types.DidCloseNotebookDocumentParams) -> None:
        for cell in params.cell_text_documents:
            self._server.session.close(cell.uri)

    # --- lifecycle

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> Generator[Any, Any, None]:
        self._server.exit_status = 0 if self._shutdown else 1
        yield from ()

    def handle_body(self, body: bytes) -> None:
        """One message off the wire. Never raises; a request is always answered."""
        try:
            raw = json.loads(body)
        except ValueError as error:
            _log.error("a message is not JSON: %s", error)
            self._answer_error(None, JsonRpcParseError(str(error)))
            return
        if not isinstance(raw, dict):
            self._answer_error(None, JsonRpcInvalidRequest("expected an object"))
            return
        method = raw.get("method")
        request_id = raw.get("id") if isinstance(method, str) else None
        try:
            if isinstance(method, str):
                refusal = self._refusal(method)
                if refusal is not None:
                    if request_id is not None:
                        self._answer_error(request_id, refusal)
                    return
                # A method without parameters may leave them out; pygls asks for them where it knows no type.
                raw.setdefault("params", None)
            self.handle_message(self.structure_message(raw))
            if method == types.INITIALIZE:
                self._initialized = True
        except JsonRpcException as error:
            _log.error("a message could not be read: %s", error)
            if request_id is not None:
                self._answer_error(request_id, error)
        except Exception as error:
            _log.exception("a message could not be handled")
            if request_id is not None:
                self._answer_error(request_id, JsonRpcInvalidParams(str(error)))

    def _refusal(self, method: str) -> JsonRpcException | None:
        """What the protocol forbids at this time."""
        if method == types.EXIT:
            return None
        if self._shutdown:
            return JsonRpcInvalidRequest("the server is shutting down")
        if self._initialized == (method == types.INITIALIZE):
            if self._initialized:
                return JsonRpcInvalidRequest("the server is initialized already")
            return JsonRpcServerNotInitialized("the server is not initialized yet")
        return None

    def _send_handler_result(self, future: Any, *, msg_id: int | str) -> None:
        """As pygls does it, but a refusal that the protocol provides for is no fault, and is not logged."""
        if future.cancelled() or not isinstance(future.exception(), JsonRpcException):
            super()._send_handler_result(future, msg_id=msg_id)
            return
        self._request_futures.pop(msg_id, None)
        self._answer_error(msg_id, future.exception())

    def _answer_error(self, request_id: int | str | None, error: JsonRpcException) -> None:
        self._send_data(types.ResponseErrorMessage(id=request_id, error=error.to_response_error()))


class Server(LanguageServer):
    """One client's server; also the :class:`~understudy.lsp.session.Connection` of its session."""

    protocol: Protocol

    def __init__(self) -> None:
        super().__init__(
            "understudy",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=_NOTEBOOKS,
            protocol_cls=Protocol,
            converter_factory=default_converter,
        )
        self.session = Session(self)
        self._bar = ProgressBar(self)
        self.exit_status: int | None = None
        """Set by ``exit``."""
        _register(self)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """To the log: a message box per error would be worse than the error."""
        _log.error("%s: %s", getattr(source, "__name__", source), error, exc_info=error)

    def cancelled(self, token: types.ProgressToken) -> bool:
        """The user does not want to wait for the progress bar's work. False for what is no bar of ours."""
        ours = self._bar.token == token
        if ours:
            self._bar.close()
        return ours

    # --- what the session sends

    def publish(self, report: Report) -> None:
        self.text_document_publish_diagnostics(
            publication(report, self.session.client, self.session.documents.uri_of)
        )

    def clear(self, uri: str) -> None:
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def warn(self, message: str) -> None:
        self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))

    def configuration(self, params: types.ConfigurationParams) -> Future[Sequence[Any]]:
        return self.workspace_configuration(params)

    def register(self, params: types.RegistrationParams) -> None:
        self.client_register_capability(params)

    def refresh_diagnostics(self) -> None:
        self.workspace_diagnostic_refresh(None)

    def show_progress(self, progress: Progress) -> None:
        self._bar.show(progress)


def _register(server: Server) -> None:
    """Which handler answers what. Each is short: the event loop waits for it."""
    session = server.session

    @server.feature(types.INITIALIZE)
    def _(params: types.InitializeParams) -> None:
        session.initialize(params)
        if params.process_id is not None:
            transport.end_with(params.process_id)
        for method, features, options in feature.offered(session.client):
            if features[0].is_command:
                server.command(method)(_command(session, features[0]))
            else:
                server.feature(method, options)(_answer(session, features))

    @server.feature(types.INITIALIZED)
    def _(params: types.InitializedParams) -> None:
        session.initialized()

    @server.feature(types.SHUTDOWN)
    def _(params: None) -> None:
        session.stop()

    @server.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def _(params: types.WorkDoneProgressCancelParams) -> None:
        if server.cancelled(params.token):
            session.pause()

    @server.feature(types.WORKSPACE_DID_RENAME_FILES, MODULES)
    def _(params: types.RenameFilesParams) -> None:
        session.files_renamed([(file.old_uri, file.new_uri) for file in params.files])

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def _(params: types.DidSaveTextDocumentParams) -> None:
        session.save(params.text_document.uri)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def _(params: types.DidChangeWatchedFilesParams) -> None:
        session.files_changed(params.changes)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def _(params: types.DidChangeConfigurationParams) -> None:
        session.configuration_changed(params.settings)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def _(params: types.DidChangeWorkspaceFoldersParams) -> None:
        session.folders_changed(params.event)


def _answer(session: Session, features: tuple[Feature, ...]) -> Callable[[Any], Awaitable[Any]]:
    async def answer(params: Any) -> Any:
        return feature.joined([await _guarded(each, session, params) for each in features])

    return answer


def _command(session: Session, command: Feature) -> Callable[..., Awaitable[Any]]:
    async def run(*arguments: Any) -> Any:
        return await _guarded(command, session, arguments)

    return run


async def _guarded(answering: Feature, session: Session, params: Any) -> Any:
    """A handler's own fault is nothing that the user should be shown."""
    try:
        return await answering.handler(session, params)
    except JsonRpcException:
        raise
    except Overtaken:
        raise JsonRpcContentModified("the document has changed") from None
    except Exception:
        _log.exception("%s failed", answering.method)
        return None
