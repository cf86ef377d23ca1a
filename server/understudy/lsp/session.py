"""One client's session: its documents, its settings, and the traffic with the analysis thread.

Everything here runs on the event loop and is short; :class:`~understudy.lsp.worker.Worker` does the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

from lsprotocol import types

from understudy.lsp import capabilities
from understudy.lsp.capabilities import Client
from understudy.lsp.documents import Document, Documents, path_of
from understudy.lsp.projects import OpenProject, Settings
from understudy.lsp.worker import Change, Question, Report, Withdrawn, Worker

SECTION: Final = "understudy"
CONFIGURATION_FILES: Final = (
    "pyproject.toml",
    "understudy.toml",
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "tox.ini",
    "setup.cfg",
    "pyvenv.cfg",
)
WATCHED: Final = ("**/*.py", "**/.gitignore", *(f"**/{name}" for name in CONFIGURATION_FILES))

_T = TypeVar("_T")

_log = logging.getLogger(__name__)
_CONFIGURATION_DEADLINE = 2.0
"""Seconds to wait for the client's settings before analysing without them."""
_REPORT_DEADLINE = 10.0
_CLIENTS_OWN_KEYS = frozenset({"trace", "server", "diagnosticMode", "inlayHints"})
"""Keys under our section that are no configuration of a project."""


class Overtaken(Exception):
    """The document was changed or closed before the answer was there."""


class Connection(Protocol):
    """What is sent to the client."""

    def publish(self, report: Report) -> None: ...

    def clear(self, uri: str) -> None: ...

    def warn(self, message: str) -> None: ...

    def configuration(self, params: types.ConfigurationParams) -> Future[Sequence[Any]]: ...

    def register(self, params: types.RegistrationParams) -> None: ...


class Session:
    """From ``initialize`` to ``shutdown``."""

    def __init__(self, connection: Connection) -> None:
        self.client = Client()
        self.documents = Documents()
        self._connection = connection
        self._reports: dict[str, Report] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._folders: dict[Path, str] = {}
        self._initial: Mapping[str, Any] = {}
        self._settings = Settings()
        self._worker: Worker | None = None
        self._unheard = Change()
        """What happened before the worker was started."""
        self._stopped = False

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
        self._initial = _section(params.initialization_options)
        self._settings = Settings(tuple(self._folders), self._initial)

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
        else:
            self._start()

    def stop(self) -> None:
        """No more analyses; what waits for one is told that there is none."""
        self._stopped = True
        if self._worker is not None:
            self._worker.stop()
        for uri in list(self._waiting):
            self._wake(uri)

    def _start(self) -> None:
        if self._worker is not None or self._stopped:
            return
        loop = asyncio.get_running_loop()
        self._worker = Worker(
            self._settings,
            partial(_call_on, loop, self._receive),
            partial(_call_on, loop, self._show_problems),
        )
        unheard, self._unheard = self._unheard, Change()
        unheard.settings = None
        self._worker.tell(lambda change: _hand_over(unheard, change))
        self._worker.start()

    def _tell(self, note: Callable[[Change], None]) -> None:
        if self._worker is not None:
            self._worker.tell(note)
        else:
            note(self._unheard)

    # --- documents

    def open(self, item: types.TextDocumentItem) -> None:
        self._changed(self.documents.open(item))

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        uri, version = params.text_document.uri, params.text_document.version
        document = self.documents.change(uri, version, params.content_changes, self.client.encoding)
        if document is None:
            _log.warning("an edit of a document that is not open: %s", uri)
        else:
            self._changed(document)

    def close(self, uri: str) -> None:
        document = self.documents.close(uri)
        if document is None:
            return
        if self._reports.pop(uri, None) is not None:
            self._connection.clear(uri)
        if document.is_python and document.path is not None:
            path = document.path
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
            self._use(Settings(tuple(self._folders), self._settings.values))

    def configuration_changed(self, settings: Any) -> None:
        if self.client.configuration:
            self._ask_for_settings()
        else:
            values = {**self._initial, **_section(settings)}
            self._use(Settings(tuple(self._folders), values))

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
        self._use(Settings(tuple(self._folders), own, dict(zip(folders, by_folder, strict=False))))
        self._start()

    def _use(self, settings: Settings) -> None:
        if settings != self._settings:
            self._settings = settings
            self._reload()

    def _reload(self) -> None:
        settings = self._settings

        def note(change: Change) -> None:
            change.settings = settings

        self._tell(note)

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
        if document is None or not document.is_python or self._stopped or self._worker is None:
            return None
        question = Question(document, work)
        self._worker.ask(question)
        try:
            return cast("_T", await asyncio.wrap_future(question.answer))
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
            await asyncio.wait([woken], timeout=rest)
        return None

    def _receive(self, report: Report) -> None:
        uri = report.document.uri
        # A newer version is on its way through the worker, or the document is closed.
        if report.document is not self.documents.get(uri):
            return
        self._reports[uri] = report
        self._connection.publish(report)
        self._wake(uri)

    def _wake(self, uri: str) -> None:
        for woken in self._waiting.pop(uri, ()):
            if not woken.done():
                woken.set_result(None)

    def _show_problems(self, problems: list[str]) -> None:
        for problem in problems:
            self._connection.warn(f"Understudy: {problem}")


def _call_on(loop: asyncio.AbstractEventLoop, function: Callable[[Any], None], argument: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, argument)
    except RuntimeError:
        # The loop was closed: the session is over.
        _log.debug("a result came after the end")


def _hand_over(source: Change, target: Change) -> None:
    target.opened, target.closed = source.opened, source.closed


def _section(options: Any) -> Mapping[str, Any]:
    """Our settings in what a client sent: by themselves, or under ``understudy`` or ``settings``."""
    for key in (SECTION, "settings"):
        if isinstance(options, Mapping) and isinstance(options.get(key), Mapping):
            options = options[key]
    if not isinstance(options, Mapping):
        return {}
    return {key: value for key, value in options.items() if key not in _CLIENTS_OWN_KEYS}
