"""Analysing many files: in this process, or at several places at once with the same results."""

from __future__ import annotations

import gc
import os
import signal
import threading
import traceback
import uuid
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TextIO

from understudy.engine import Analysis, Project
from understudy.executors import Workers
from understudy.index.dependencies import Described, Places, describe, spelled
from understudy.index.kept_facts import KeptFacts
from understudy.index.store import Store
from understudy.index.workspace import Dependency
from understudy.progress import Progress
from understudy.project.config import Config
from understudy.project.environment import Environment
from understudy.report import one_line

_FEW_FILES = 60
"""Up to here, starting processes costs more than they save."""
_MOST_PROCESSES = 8
_MOST = 61 if os.name == "nt" else 1024
"""More are refused by Windows, and of no use elsewhere."""
_SMALLEST_BATCH, _LARGE_BATCH = 4, 32
_BETWEEN_LOOKS = 0.2
_ALL_GARBAGE_AFTER = 200
"""Analyses, until what is older is looked at, too."""
_TREES_AFTER = 8
"""Analyses, until the oldest trees are let go of."""
_KEPT_TREES = 40
"""Files whose trees a process holds: they are what its memory goes to."""


@dataclass(frozen=True)
class Table:
    """The dependencies of a batch as text, each once."""

    items: tuple[str, ...]
    described: Described


@dataclass(frozen=True, slots=True)
class Rests:
    """What an analysis in another process rested on."""

    table: Table
    numbers: array[int]

    def items(self) -> list[str]:
        return [self.table.items[number] for number in self.numbers]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file's analysis, and the mistakes of ours that it ran into, a sentence each."""

    analysis: Analysis
    crashes: tuple[str, ...] = ()
    rests: Rests | None = None
    """None: the analysis itself says what it rests on."""


def process_count(jobs: int | None, files: int, *, others_known: bool = False) -> int:
    """How many processes to use; 1 means this one.

    :param jobs: what the user asked for.
    :param others_known: these are not all files, and this process found out what they have in common with the others
        when it looked which of them to analyse. Another one would have to find it out again.
    """
    if others_known and files <= _FEW_FILES:
        return 1
    if jobs is None:
        jobs = min(_processors(), _MOST_PROCESSES) if files > _FEW_FILES else 1
    return max(1, min(jobs, files, _MOST))


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def check_file(project: Project, path: Path) -> Checked:
    """Analyse a file. A rule that fails costs its own findings there, and nothing else."""
    crashes: list[str] = []

    def note(code: str, error: Exception) -> None:
        crashes.append(_crash(f"in {code} ", error))

    try:
        analysis = project.analyse(path, note)
    except Exception as error:
        crashes.append(_crash("", error))
        analysis = Analysis(path, (), frozenset(), ())
    if project.is_test(path) and path.name != "conftest.py":
        # Hardly anybody else looks into a test module.
        project.workspace.let_go_of(path)
    _tidy_up(project)
    return Checked(analysis, tuple(crashes))


def _tidy_up(project: Project) -> None:
    """Let go of trees, and of what an analysis leaves behind, which is full of cycles, and young. What has stayed for
    long is looked through again each time that twice as much has been done: each time takes longer."""
    global _analyses
    _analyses += 1
    if _analyses % _TREES_AFTER == 0:
        project.workspace.let_go(_KEPT_TREES, ())
    if _analyses == 1:
        # What is there by now is there to stay.
        gc.freeze()
        return
    if _analyses % _ALL_GARBAGE_AFTER:
        gc.collect(0)
        return
    rounds = _analyses // _ALL_GARBAGE_AFTER
    if rounds & (rounds - 1) == 0:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


def _crash(code: str, error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    return f"internal error {code}({type(error).__name__}: {error}, at {place}); please report it"


class Checker:
    """Analyses the files of several projects. Leave its ``with`` block to end the workers."""

    def __init__(
        self, projects: Sequence[Project], workers: Workers | None, err: TextIO, *, rests: bool = False
    ) -> None:
        """
        :param workers: None to do everything in this process.
        :param rests: what analyses rest on is wanted also where there is no cache to keep it.
        """
        self._projects = projects
        self._workers = workers
        self._executor: Executor | None = None
        self._err = err
        self._changed: list[list[Path]] = [[] for _ in projects]
        self._settings = Settings(
            uuid.uuid4().hex,
            Path.cwd(),
            tuple(
                (project.root, project.config, project.environment, project.workspace.kept_facts is not None)
                for project in projects
            ),
            rests,
        )
        self.interrupted = False
        """True: the user wants no more; what :meth:`check` gave was not everything."""

    def __enter__(self) -> Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(at_once=kind is not None or self.interrupted)

    def changed(self, index: int, paths: Iterable[Path]) -> None:
        """Files of a project were written: read them again."""
        for path in paths:
            self._projects[index].workspace.changed_on_disk(path)
            self._changed[index].append(path)

    def check(self, index: int, files: Sequence[Path]) -> list[Checked]:
        """The files of a project, in the order given; with Ctrl-C, those that were done.

        :raises ExecutorError: there are no such workers.
        """
        progress = Progress(self._err, len(files))
        found: dict[Path, Checked] = {}
        try:
            if self._workers is not None and len(files) > 1:
                for batch in self._by_workers(self._workers, index, files):
                    for checked in batch:
                        found[checked.analysis.path] = checked
                        progress.advance(checked.analysis.findings)
                    progress.draw()
                if self._projects[index].tier2 is not None:
                    # The workers have no second tier: one is enough, and it is asked from here.
                    for path in [path for path, checked in found.items() if checked.analysis.questions]:
                        found[path] = check_file(self._projects[index], path)
            # Here is what runs in this process from the start, and what is left when the workers failed.
            for path in files:
                if path not in found:
                    found[path] = check_file(self._projects[index], path)
                    progress.advance(found[path].analysis.findings)
                    progress.draw()
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            progress.clear()
        return [found[path] for path in files if path in found]

    def _by_workers(self, workers: Workers, index: int, files: Sequence[Path]) -> Iterator[list[Checked]]:
        """What comes back, as it does, and an empty list now and then while nothing does; not everything when
        workers cannot be had, or die."""
        try:
            # Processes must not end by Ctrl-C on their own: it is this one that ends them.
            with without_interrupts():
                if self._executor is None:
                    self._executor = workers.open(partial(unseen, self._settings))
                changed = tuple(self._changed[index])
                waiting: set[Future[list[Checked]]] = {
                    self._executor.submit(_work, self._settings, index, batch, changed)
                    for batch in _batches(files, workers.count)
                }
            while waiting:
                # In here Ctrl-C would leave the locks of futures held, and the pool would wait for them for ever.
                with without_interrupts():
                    done, waiting = wait(waiting, _BETWEEN_LOOKS, FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
                if not done:
                    workers.look()
                    yield []
        except workers.failures as error:
            said = str(error).strip() or "the connection is lost"
            print(f"understudy: goes on in one process ({one_line(said)})", file=self._err)
            self._close(at_once=True)
            self._workers = None

    def _close(self, *, at_once: bool) -> None:
        if self._workers is not None:
            self._executor = None
            self._workers.close(at_once=at_once, forget=partial(_forget, self._settings.token))


def _batches(files: Sequence[Path], places: int) -> Iterator[tuple[Path, ...]]:
    """Large ones first, small ones at the end, so that none is left to one worker while the others idle; none so
    large that nothing is heard of it for long. Neighbours stay together: they look at the same files."""
    start = 0
    largest = max(_LARGE_BATCH, len(files) // (8 * places))
    while start < len(files):
        size = max(_SMALLEST_BATCH, min(largest, (len(files) - start) // (2 * places)))
        yield tuple(files[start : start + size])
        start += size


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Ctrl-C waits until the end of the block, and processes that are started in it never see it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- on the workers


@dataclass(frozen=True)
class Settings:
    """What a worker has to know, so that it answers as this process would."""

    token: str
    """Of one run: what a worker keeps is of no use to another."""
    folder: Path
    """Names in messages are relative to it."""
    projects: tuple[tuple[Path, Config, Environment, bool], ...]
    """The last: is there a cache?"""
    rests: bool


class _Worker:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._projects: dict[int, Project] = {}
        self._known_changes: dict[int, int] = {}

    def check(self, index: int, files: Sequence[Path], changed: Sequence[Path]) -> list[Checked]:
        project = self._projects.get(index)
        if project is None:
            project = self._projects[index] = _project(self.settings, *self.settings.projects[index])
        for path in changed[self._known_changes.get(index, 0) :]:
            project.workspace.changed_on_disk(path)
        self._known_changes[index] = len(changed)
        checked = [check_file(project, path) for path in files]
        if project.workspace.kept_facts is not None:
            project.workspace.kept_facts.flush()
        return _light(checked, project, self.settings.rests)


def _project(
    settings: Settings, root: Path, config: Config, environment: Environment, with_cache: bool
) -> Project:
    # The first process says what is wrong with the cache.
    kept = KeptFacts(Store(config.cache_url, lambda sentence: None)) if with_cache else None
    return Project(root, config, None, kept, environment=environment, folder=settings.folder)


_analyses = 0
_worker: _Worker | None = None
_alone = threading.Lock()
"""A worker of a cluster may have several threads, and a project is for one at a time."""


def _work(
    settings: Settings, index: int, files: tuple[Path, ...], changed: tuple[Path, ...]
) -> list[Checked]:
    global _worker
    with _alone:
        if _worker is None or _worker.settings.token != settings.token:
            _worker = _Worker(settings)
        return _worker.check(index, files, changed)


def _forget(token: str) -> None:
    global _worker
    with _alone:
        if _worker is not None and _worker.settings.token == token:
            _worker = None


def unseen(settings: Settings) -> str | None:
    """Why a worker would find something else; None when it sees the files of the projects."""
    for root, _, environment, _ in settings.projects:
        for folder in (root, *environment.stdlib, *environment.site):
            if not folder.is_dir():
                return f"does not see {folder}"
    return None


def _light(checked: Sequence[Checked], project: Project, rests_wanted: bool) -> list[Checked]:
    """With what they rest on as numbers: as objects, that would be most of what goes from process to process."""
    if project.workspace.kept_facts is None and not rests_wanted:
        nothing: frozenset[Path] = frozenset()
        return [
            replace(item, analysis=replace(item.analysis, dependencies=nothing, rests_on=frozenset()))
            for item in checked
        ]
    places = Places(project.workspace)
    numbers: dict[Dependency, int] = {}
    light = []
    rows = []
    for item in checked:
        rests = item.analysis.rests_on
        rows.append(array("I", [numbers.setdefault(each, len(numbers)) for each in rests]))
    described = describe(project.workspace, numbers, places)
    table = Table(tuple(spelled(each, places) for each in numbers), described)
    for item, row in zip(checked, rows, strict=True):
        analysis = replace(item.analysis, dependencies=frozenset(), rests_on=frozenset())
        light.append(replace(item, analysis=analysis, rests=Rests(table, row)))
    return light
