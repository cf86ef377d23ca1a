"""Analysing many files: in this process, or in several at once with the same results."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import traceback
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TextIO

from understudy.engine import Analysis, Project
from understudy.index.dependencies import Places, matching, spelled
from understudy.index.kept_facts import KeptFacts
from understudy.index.store import Store
from understudy.index.workspace import Dependency
from understudy.project.config import Config

_FEW_FILES = 60
"""Up to here, starting processes costs more than they save."""
_MOST_PROCESSES = 8
_MOST = 61 if os.name == "nt" else 1024
"""More are refused by Windows, and of no use elsewhere."""
_SMALLEST_BATCH = 4
_BETWEEN_PROGRESS = 0.1


@dataclass(frozen=True)
class Table:
    """The dependencies of a batch as text, each once."""

    items: tuple[str, ...]
    matching: Mapping[str, Sequence[str]]
    """For each of them that is a pattern, the files that it matches."""


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


def process_count(jobs: int | None, files: int) -> int:
    """How many processes to use; 1 means this one. ``jobs`` is what the user asked for."""
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
    return Checked(analysis, tuple(crashes))


def _crash(code: str, error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    return f"internal error {code}({type(error).__name__}: {error}, at {place}); please report it"


class Checker:
    """Analyses the files of several projects. Leave its ``with`` block to end the processes."""

    def __init__(self, projects: Sequence[Project], processes: int, err: TextIO) -> None:
        self._projects = projects
        self._processes = processes
        self._err = err
        self._changed: list[list[Path]] = [[] for _ in projects]
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(at_once=kind is not None)

    def changed(self, index: int, paths: Iterable[Path]) -> None:
        """Files of a project were written: read them again."""
        for path in paths:
            self._projects[index].workspace.changed_on_disk(path)
            self._changed[index].append(path)

    def check(self, index: int, files: Sequence[Path]) -> list[Checked]:
        """The files of a project, in the order given."""
        progress = _Progress(self._err, len(files))
        found: dict[Path, Checked] = {}
        try:
            if self._processes > 1 and len(files) > 1:
                for batch in self._in_processes(index, files):
                    found.update((checked.analysis.path, checked) for checked in batch)
                    progress.advance(len(batch))
                if self._projects[index].tier2 is not None:
                    # The other processes have no second tier: one is enough, and it is asked from here.
                    for path in [path for path, checked in found.items() if checked.analysis.questions]:
                        found[path] = check_file(self._projects[index], path)
            # Here is what runs in this process from the start, and what is left when the others ended.
            for path in files:
                if path not in found:
                    found[path] = check_file(self._projects[index], path)
                    progress.advance(1)
        finally:
            progress.clear()
        return [found[path] for path in files]

    def _in_processes(self, index: int, files: Sequence[Path]) -> Iterator[list[Checked]]:
        """What comes back, as it does; not everything when processes cannot be had, or die."""
        try:
            if os.name == "posix":
                from multiprocessing import resource_tracker

                # Its start would let Ctrl-C through again.
                resource_tracker.ensure_running()
            # The processes must not end by Ctrl-C on their own: it is this one that ends them.
            with without_interrupts():
                pool = self._started()
                changed = tuple(self._changed[index])
                waiting: list[Future[list[Checked]]] = [
                    pool.submit(_work, index, batch, changed) for batch in _batches(files, self._processes)
                ]
            for done in as_completed(waiting):
                yield done.result()
        except (BrokenProcessPool, OSError, ImportError) as error:
            print(f"understudy: goes on in one process ({error})", file=self._err)
            self._processes = 1
            self._close(at_once=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
            context = multiprocessing.get_context(method)
            if method == "forkserver":
                context.set_forkserver_preload([__name__])
            settings = tuple(
                (project.root, project.config, project.workspace.kept_facts is not None)
                for project in self._projects
            )
            self._pool = ProcessPoolExecutor(self._processes, context, _start, (os.getcwd(), settings))
        return self._pool

    def _close(self, *, at_once: bool) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if at_once:
            for process in multiprocessing.active_children():
                process.terminate()
        # Not left to the end of the interpreter, which may find the pool's pipe half closed: CPython's
        # concurrent.futures then prints a traceback.
        pool.shutdown(wait=True, cancel_futures=True)


def _batches(files: Sequence[Path], processes: int) -> Iterator[tuple[Path, ...]]:
    """Large ones first, small ones at the end, so that none is left to one process while the others idle.
    Neighbours stay together: they look at the same files."""
    start = 0
    while start < len(files):
        size = max(_SMALLEST_BATCH, (len(files) - start) // (2 * processes))
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


# --- in the other processes


class _Worker:
    def __init__(self, settings: Sequence[tuple[Path, Config, bool]]) -> None:
        self._settings = settings
        self._projects: dict[int, Project] = {}
        self._known_changes: dict[int, int] = {}

    def check(self, index: int, files: Sequence[Path], changed: Sequence[Path]) -> list[Checked]:
        project = self._projects.get(index)
        if project is None:
            project = self._projects[index] = _project(*self._settings[index])
        for path in changed[self._known_changes.get(index, 0) :]:
            project.workspace.changed_on_disk(path)
        self._known_changes[index] = len(changed)
        checked = [check_file(project, path) for path in files]
        if project.workspace.kept_facts is not None:
            project.workspace.kept_facts.flush()
        return _light(checked, project)


def _project(root: Path, config: Config, with_cache: bool) -> Project:
    if not with_cache:
        return Project(root, config)
    # The first process says what is wrong with the cache.
    return Project(root, config, kept_facts=KeptFacts(Store(config.cache_url, lambda sentence: None)))


_worker: _Worker | None = None


def _start(folder: str, settings: tuple[tuple[Path, Config, bool], ...]) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir(folder)
    _worker = _Worker(settings)


def _work(index: int, files: tuple[Path, ...], changed: tuple[Path, ...]) -> list[Checked]:
    assert _worker is not None
    return _worker.check(index, files, changed)


def _light(checked: Sequence[Checked], project: Project) -> list[Checked]:
    """With what they rest on as numbers: as objects, that would be most of what goes from process to process."""
    if project.workspace.kept_facts is None:
        nothing: frozenset[Path] = frozenset()
        return [
            replace(item, analysis=replace(item.analysis, dependencies=nothing, conditions=nothing))
            for item in checked
        ]
    places = Places(project.workspace)
    numbers: dict[Dependency, int] = {}
    light = []
    rows = []
    for item in checked:
        analysis = item.analysis
        rests = (*analysis.dependencies, *analysis.conditions)
        rows.append(array("I", [numbers.setdefault(each, len(numbers)) for each in rests]))
    patterns = [each for each in numbers if isinstance(each, re.Pattern)]
    table = Table(
        tuple(spelled(each, places) for each in numbers), matching(project.workspace, patterns, places)
    )
    for item, row in zip(checked, rows, strict=True):
        analysis = replace(item.analysis, dependencies=frozenset(), conditions=frozenset())
        light.append(replace(item, analysis=analysis, rests=Rests(table, row)))
    return light


# --- progress


class _Progress:
    """A line on a terminal that is gone at the end; nothing elsewhere."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._width = 0
        self._next = monotonic() + _BETWEEN_PROGRESS
        self._shown = stream.isatty() and os.environ.get("TERM") != "dumb"

    def advance(self, files: int) -> None:
        self._done += files
        if self._shown and monotonic() >= self._next:
            self._next = monotonic() + _BETWEEN_PROGRESS
            line = f"Checking: {self._done} of {self._total} files"
            self._write(line.ljust(self._width))
            self._width = len(line)

    def clear(self) -> None:
        if self._width:
            self._write(" " * self._width)
            self._write("")
            self._width = 0

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line}")
        self._stream.flush()
