"""One client's session: its documents, its settings, and the traffic with the analysis thread.

Everything here runs on the event loop and is short; :class:`~understudy.lsp.worker.Worker` does the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from lsprotocol import types

from understudy.lsp import capabilities
from understudy.lsp.capabilities import Client
from understudy.lsp.diagnostics import diagnostics, result_id
from understudy.lsp.documents import Document, Documents, path_of
from understudy.lsp.exchange import Change, Progress, Question, Report, Settings, Withdrawn
from understudy.project.names import SETTINGS_FILES
from understudy.source import disk

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject
    from understudy.lsp.worker import Worker

SECTION: Final = "understudy"
CONFIGURATION_FILES: Final = (*SETTINGS_FILES, "pyvenv.cfg")
WATCHED: Final = ("**/*.py", "**/.gitignore", *(f"**/{name}" for name in CONFIGURATION_FILES))

_T = TypeVar("_T")

_log = logging.getLogger(__name__)
_CONFIGURATION_DEADLINE = 2.0
"""Seconds to wait for the client's settings before analysing without them."""
_REPORT_DEADLINE = 10.0
_HUNG = 5.0
"""Seconds that a file or folder may take."""
_REFRESH_AFTER = 0.15
"""Seconds until a client that pulls is told to ask again, if it has not by then."""
_MODE: Final = "diagnosticMode"
_INLAY_HINTS: Final = "inlayHints"
_SESSIONS_KEYS = frozenset({_MODE, _INLAY_HINTS})
"""Keys under our section that are no configuration of a project, but read here."""
_CLIENTS_OWN_KEYS = frozenset({"trace", "server"})
"""Keys under our section that an editor's extension reads, not the server."""


class Overtaken(Exception):
    """The document was changed or closed before the answer was there."""


class Connection(Protocol):
    """What is sent to the client."""

    def publish(self, report: Report) -> None: ...

    def clear(self, uri: str) -> None: ...

    def warn(self, message: str) -> None: ...

    def configuration(self, params: types.ConfigurationParams) -> Future[Sequence[Any]]: ...

    def register(self, params: types.RegistrationParams) -> None: ...

    def refresh_diagnostics(self) -> None: ...

    def show_progress(self, progress: Progress) -> None: ...


class Session:
    """From ``initialize`` to ``shutdown``."""

    def __init__(self, connection: Connection) -> None:
        self.client = Client()
        self.documents = Documents()
        self._connection = connection
        self._reports: dict[str, Report] = {}
        self.closed_reports: dict[str, Report] = {}
        """On files that are not open, by URI."""
        self.told: dict[str, str] = {}
        """What a client that pulls was last told about a document: the id of the result."""
        self._closed: dict[Path, str] = {}
        """The URIs that the client had for what it has closed."""
        self.owed: set[str] = set()
        """Those of them that a client which pulls shows as they were, until it hears otherwise in an answer about the
        workspace."""
        self._refreshing = False
        self._news: list[asyncio.Future[None]] = []
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._folders: dict[Path, str] = {}
        self._initial: Mapping[str, Any] = {}
        self._settings = Settings()
        self._values: Mapping[str, Any] = {}
        self._worker: Worker | None = None
        self._unheard = Change()
        """What happened before the worker was started."""
        self._stopped = False
        self._is_watched = False

    # --- lifecycle

    def initialize(self, params: types.InitializeParams) -> None:
        self.client = capabilities.resolve(params.capabilities)
        for folder in params.workspace_folders or ():
            self._add_folder(folder.uri)
        if not params.workspace_folders:
            root = params.root_uri
            if root is None and params.root_path:
                root = Path(params.root_path).absolute().as_uri()
            if root is not None:
                self._add_folder(root)
        self.documents.home = next(iter(self._folders), None)
        self._initial = _section(params.initialization_options)
        self._settings = self._made(self._initial)

    def initialized(self) -> None:
        registrations = []
        if self.client.register_watched_files:
            watchers = [types.FileSystemWatcher(pattern) for pattern in WATCHED]
            registrations.append(
                types.Registration(
                    "understudy-files",
                    types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
                    types.DidChangeWatchedFilesRegistrationOptions(watchers),
                )
            )
        if self.client.register_configuration:
            registrations.append(
                types.Registration(
                    "understudy-configuration",
                    types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                    types.DidChangeConfigurationRegistrationOptions(SECTION),
                )
            )
        if registrations:
            self._connection.register(types.RegistrationParams(registrations))
        if self.client.configuration:
            asyncio.get_running_loop().call_later(_CONFIGURATION_DEADLINE, self._start)
            self._ask_for_settings()
            # Meanwhile.
            _worker_class()
        else:
            self._start()

    def stop(self) -> None:
        """No more analyses; what waits for one is told that there is none."""
        self._stopped = True
        if self._worker is not None:
            self._worker.stop()
        for uri in list(self._waiting):
            self._wake(uri)
        for woken in self._news:
            woken.cancel()

    def _start(self) -> None:
        if self._worker is not None or self._stopped:
            return
        loop = asyncio.get_running_loop()
        self._worker = _worker_class()(
            self._settings,
            partial(_call_on, loop, self._receive),
            partial(_call_on, loop, self._show_problems),
            partial(_call_on, loop, self._connection.show_progress),
        )
        unheard, self._unheard = self._unheard, Change()
        unheard.settings = None
        self._worker.tell(lambda change: _hand_over(unheard, change))
        self._worker.start()
        self._watch()

    def _tell(self, note: Callable[[Change], None]) -> None:
        if self._worker is not None:
            self._worker.tell(note)
            self._watch()
        else:
            note(self._unheard)

    # --- disks that do not answer

    def _watch(self) -> None:
        """Look, in a while, whether the worker waits for a disk. Not when there is nothing to do."""
        if not self._is_watched:
            self._is_watched = True
            asyncio.get_running_loop().call_later(1.0, self._look_after)

    def _look_after(self) -> None:
        self._is_watched = False
        if self._worker is None or self._stopped:
            return
        path = self._worker.hung(_HUNG)
        if path is not None:
            self._go_on_without(path)
        elif self._worker.is_busy:
            self._watch()

    def _go_on_without(self, path: str) -> None:
        """With another thread, since nothing can call back the one that waits. Its folder is left alone, too: each of
        the files there would cost as long again."""
        parent = Path(path).parent
        avoided = str(parent) if path.endswith(".py") and parent not in self._folders else path
        disk.avoid(avoided)
        if self._worker is not None:
            self._worker.give_up()
        self._worker, self._unheard = None, Change()
        for document in self.documents:
            self._changed(document)
        self._start()
        self._show_problems([f"{avoided} does not answer and is left alone from now on"])

    # --- documents

    def open(self, item: types.TextDocumentItem) -> None:
        document = self.documents.open(item)
        if document.path is not None:
            self.owed.discard(self._closed.pop(document.path, item.uri))
        self._changed(document)

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        uri, version = params.text_document.uri, params.text_document.version
        document = self.documents.change(uri, version, params.content_changes, self.client.encoding)
        if document is None:
            _log.warning("an edit of a document that is not open: %s", uri)
        else:
            self._changed(document)

    def change_cells(self, cells: types.NotebookDocumentCellChanges) -> None:
        """Of an open notebook."""
        if cells.structure is not None:
            for item in cells.structure.did_open or ():
                self.open(item)
            for identifier in cells.structure.did_close or ():
                self.close(identifier.uri)
        for changed in cells.text_content or ():
            self.change(types.DidChangeTextDocumentParams(changed.document, changed.changes))

    def close(self, uri: str) -> None:
        document = self.documents.close(uri)
        if document is None:
            return
        if self._reports.pop(uri, None) is not None and not self.client.pulls_diagnostics:
            self._connection.clear(uri)
        self.told.pop(uri, None)
        if document.is_python and document.path is not None:
            path = document.path
            self._closed[path] = uri
            if self.client.pulls_diagnostics:
                self.owed.add(uri)
            self._tell(lambda change: change.close(path))
        self._wake(uri)

    def save(self, uri: str) -> None:
        path = path_of(uri)
        if path is None:
            return
        if path.name in CONFIGURATION_FILES:
            self._reload()
            return

        def note(change: Change) -> None:
            change.on_disk[path] = None
            # What an analysis looked for and did not find is no dependency: look again.
            change.recheck = True
            # A client that watches nothing does not say either that the file is new.
            change.moved = change.moved or not self.client.register_watched_files

        self._tell(note)

    def _changed(self, document: Document) -> None:
        path = document.path
        if path is not None and document.is_python:
            self._tell(lambda change: change.open(path, document))

    # --- files and settings

    def files_changed(self, events: Iterable[types.FileEvent]) -> None:
        paths: list[Path] = []
        moved = reload = False
        for event in events:
            path = path_of(event.uri)
            if path is None:
                continue
            paths.append(path)
            reload = reload or path.name in CONFIGURATION_FILES
            moved = moved or event.type is not types.FileChangeType.Changed or path.name == ".gitignore"

        def note(change: Change) -> None:
            change.on_disk.update(dict.fromkeys(paths))
            change.moved = change.moved or moved

        self._tell(note)
        if reload:
            self._reload()

    def files_renamed(self, renamed: Iterable[tuple[str, str]]) -> None:
        """By the editor. What is open there follows as closed and opened documents."""
        self.files_changed(
            types.FileEvent(uri, kind)
            for old, new in renamed
            for uri, kind in ((old, types.FileChangeType.Deleted), (new, types.FileChangeType.Created))
        )

    def folders_changed(self, event: types.WorkspaceFoldersChangeEvent) -> None:
        for folder in event.removed:
            path = path_of(folder.uri)
            if path is not None:
                self._folders.pop(path, None)
        for folder in event.added:
            self._add_folder(folder.uri)
        if self.client.configuration:
            self._ask_for_settings()
        else:
            self._use(self._made(self._values))

    def configuration_changed(self, settings: Any) -> None:
        if self.client.configuration:
            self._ask_for_settings()
        else:
            values = {**self._initial, **_section(settings)}
            self._use(self._made(values))

    def _add_folder(self, uri: str) -> None:
        path = path_of(uri)
        if path is not None:
            self._folders[path] = uri

    def _ask_for_settings(self) -> None:
        folders = dict(self._folders)
        items = [types.ConfigurationItem(section=SECTION)]
        items += [types.ConfigurationItem(scope_uri=uri, section=SECTION) for uri in folders.values()]
        answer = self._connection.configuration(types.ConfigurationParams(items))
        answer.add_done_callback(partial(self._settings_came, tuple(folders)))

    def _settings_came(self, folders: tuple[Path, ...], answer: Future[Sequence[Any]]) -> None:
        try:
            found = [{**self._initial, **_section(values)} for values in answer.result()]
        except CancelledError:
            return
        except Exception as error:
            _log.warning("the client did not answer for its settings: %s", error)
            found = []
        own, by_folder = (found[0], found[1:]) if found else (dict(self._initial), [])
        self._use(self._made(own, dict(zip(folders, by_folder, strict=False))))
        self._start()

    def _made(
        self, values: Mapping[str, Any], by_folder: Mapping[Path, Mapping[str, Any]] | None = None
    ) -> Settings:
        self._values = values
        return Settings(
            tuple(self._folders),
            _of_project(values),
            {folder: _of_project(own) for folder, own in (by_folder or {}).items()},
            whole_workspace=values.get(_MODE) == "workspace",
        )

    def _use(self, settings: Settings) -> None:
        if settings != self._settings:
            self._settings = settings
            self._reload()

    def start_over(self) -> None:
        """Read everything anew, and forget what is kept from earlier."""
        self._reload(clear=True)

    def _reload(self, *, clear: bool = False) -> None:
        settings = self._settings

        def note(change: Change) -> None:
            change.settings = settings
            change.clear = change.clear or clear

        self._tell(note)

    @property
    def inlay_hints(self) -> bool:
        """``inlayHints``: ``{"enable": false}`` or plain ``false`` turns them off."""
        wanted = self._values.get(_INLAY_HINTS, True)
        return bool(wanted.get("enable", True)) if isinstance(wanted, Mapping) else bool(wanted)

    # --- reports

    def latest(self, uri: str) -> Report | None:
        """The report on the current version of a document, if it is there."""
        report = self._reports.get(uri)
        return report if report is not None and report.document is self.documents.get(uri) else None

    async def ask(self, uri: str, work: Callable[[OpenProject, Document], _T]) -> _T | None:
        """Run something on the analysis thread, on the version of a document that is current at the call.

        ``work`` may use the project's engine as it likes, but must not keep anything of it. It comes before all
        analyses. None when the document is no Python file or not open.

        :raises Overtaken: the document was changed or closed meanwhile.
        """
        document = self.documents.get(uri)
        if document is None or not document.is_python or document.path is None:
            return None
        about = document
        question = Question(document.path, lambda opened: work(opened, about), document)
        return cast("_T | None", await self._ask(question))

    async def ask_project(self, path: Path, work: Callable[[OpenProject], _T]) -> _T | None:
        """As :meth:`ask`, about the project that a file or folder belongs to. None before there is one."""
        return cast("_T | None", await self._ask(Question(path, work)))

    async def _ask(self, question: Question) -> object:
        if self._stopped or self._worker is None:
            return None
        self._worker.ask(question)
        try:
            return await asyncio.wrap_future(question.answer)
        except Withdrawn:
            raise Overtaken from None
        finally:
            # The client may have cancelled the request: nobody waits any longer.
            question.withdrawn = True

    async def report(self, uri: str) -> Report | None:
        """The report on the version of a document that is current at the call. None when there is none, or
        when the document changes before it comes."""
        asked = self.documents.get(uri)
        if asked is None or not asked.is_python or self._stopped:
            return None
        deadline = asyncio.get_running_loop().time() + _REPORT_DEADLINE
        while self.documents.get(uri) is asked and not self._stopped:
            report = self.latest(uri)
            rest = deadline - asyncio.get_running_loop().time()
            if report is not None or rest <= 0:
                return report
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(uri, []).append(woken)
            try:
                await asyncio.wait([woken], timeout=rest)
            finally:
                # The client may have cancelled the request: then it has to be told otherwise.
                self._waits_no_longer(uri, woken)
        return None

    def _receive(self, report: Report) -> None:
        uri = report.document.uri
        if report.document.version is None:
            path = report.document.path
            if path is None or self.documents.at(path) is not None:
                return
            if path in self._closed:
                uri = self._closed[path]
                report = replace(report, document=replace(report.document, uri=uri))
            earlier, self.closed_reports[uri] = self.closed_reports.get(uri), report
            if not (report.findings or self.client.pulls_diagnostics or (earlier and earlier.findings)):
                # Nothing is shown there.
                return
        # A newer version is on its way through the worker, or the document is closed.
        elif report.document is not self.documents.get(uri):
            return
        else:
            self.closed_reports.pop(uri, None)
            self._reports[uri] = report
        if not self.client.pulls_diagnostics:
            self._connection.publish(report)
        elif uri not in self._waiting and self.client.refresh_diagnostics and not self._refreshing:
            # Nobody has asked yet, and maybe nobody will: another file's edit can change this one's findings.
            self._refreshing = True
            asyncio.get_running_loop().call_later(_REFRESH_AFTER, self._refresh, uri)
        self._wake(uri)
        for woken in self._news:
            if not woken.done():
                woken.set_result(None)
        self._news.clear()

    def _refresh(self, uri: str) -> None:
        self._refreshing = False
        if not self._stopped and any(self.is_news(report) for report in self.all_reports()):
            self._connection.refresh_diagnostics()

    def is_news(self, report: Report) -> bool:
        """Does the client not know it yet? For one that pulls."""
        known = self.told.get(report.document.uri)
        return known != result_id(diagnostics(report, self.client, self.documents.uri_of))

    def all_reports(self) -> list[Report]:
        """The latest on each open document, and those on files that are not open."""
        latest = [report for uri in list(self._reports) if (report := self.latest(uri)) is not None]
        return [*latest, *self.closed_reports.values()]

    async def news(self) -> None:
        """Wait for the next report on anything."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news.append(woken)
        await woken

    def pause(self) -> None:
        """Leave the files that are not open for now."""
        if self._worker is not None:
            self._worker.pause()

    def _wake(self, uri: str) -> None:
        for woken in self._waiting.pop(uri, ()):
            if not woken.done():
                woken.set_result(None)

    def _waits_no_longer(self, uri: str, woken: asyncio.Future[None]) -> None:
        waiting = [other for other in self._waiting.pop(uri, ()) if other is not woken]
        if waiting:
            self._waiting[uri] = waiting

    def _show_problems(self, problems: list[str]) -> None:
        for problem in problems:
            self._connection.warn(f"Understudy: {problem}")


def _worker_class() -> type[Worker]:
    """Late, as it brings the whole engine: that takes longer than the answer to ``initialize`` may."""
    from understudy.lsp.worker import Worker

    return Worker


def _call_on(loop: asyncio.AbstractEventLoop, function: Callable[[Any], None], argument: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, argument)
    except RuntimeError:
        # The loop was closed: the session is over.
        _log.debug("a result came after the end")


def _hand_over(source: Change, target: Change) -> None:
    target.opened, target.closed = source.opened, source.closed


def _of_project(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a check."""
    return {key: value for key, value in values.items() if key not in _SESSIONS_KEYS}


def _section(options: Any) -> Mapping[str, Any]:
    """Our settings in what a client sent: by themselves, or under ``understudy`` or ``settings``."""
    for key in (SECTION, "settings"):
        if isinstance(options, Mapping) and isinstance(options.get(key), Mapping):
            options = options[key]
    if not isinstance(options, Mapping):
        return {}
    return {key: value for key, value in options.items() if key not in _CLIENTS_OWN_KEYS}
