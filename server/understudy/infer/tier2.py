"""The second tier: what facts could not name, jedi may be asked.

jedi lives in a process of its own (:mod:`understudy.infer.jedi_worker`); this is the client. Nothing is
started before the first question. Whatever goes wrong there (too slow, crashed, nonsense for an answer) is no
answer, and no answer leaves the findings as the first tier made them.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Any, Protocol

from understudy.facts import model
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.project.modules import Kind
from understudy.source.parse import Unit

RESTARTS = 5
"""In an hour; after one more failure the second tier stays off."""
_HOUR = 3600.0
_BACK_OFF = 0.25
"""Seconds without a process after the first failure; twice as long after each further one."""
_MEMORY = 512 * 1024 * 1024
_YOUNG = 10
"""A process that outgrew the memory cap before so many answers counts as a failure: the next would, too."""
_CACHED = 4096
_LONGEST_ANSWER = 1 << 22


@dataclass(frozen=True, slots=True)
class Definition:
    """What jedi says an expression is. ``line`` counts from 1, ``column`` from 0."""

    full_name: str
    type: str
    path: Path | None
    line: int
    column: int
    certain: bool
    """False when jedi gave up on something on its way, or believed an annotation, a default or a docstring:
    good for a hover, no evidence for a finding."""


class Names(Protocol):
    """Whoever can be asked what an expression is."""

    def names(
        self,
        path: Path,
        text: str,
        row: int,
        column: int,
        *,
        root: Path | None = None,
        search_path: tuple[Path, ...] = (),
        generation: int = 0,
    ) -> tuple[Definition, ...] | None: ...


@dataclass(frozen=True, slots=True)
class Question:
    """Where an expression ends that the first tier could not name."""

    path: Path
    row: int
    column: int


class Deferred:
    """Stands for the second tier while the first works alone: it answers nothing, and notes the questions."""

    def __init__(self) -> None:
        self.questions: dict[Question, None] = {}

    def names(
        self,
        path: Path,
        text: str,
        row: int,
        column: int,
        *,
        root: Path | None = None,
        search_path: tuple[Path, ...] = (),
        generation: int = 0,
    ) -> tuple[Definition, ...] | None:
        self.questions[Question(path, row, column)] = None
        return None


class Tier2:
    """The worker process, started at the first question; may be used from several threads.

    :param deadline: seconds for one answer; a process that takes longer is killed.
    :param start_deadline: seconds for a new process to get ready.
    :param memory: bytes that the process may hold; above it, it is replaced.
    :param on_disabled: told once, in a sentence, that no more questions will be answered.
    :param command: starts the worker; for tests.
    """

    def __init__(
        self,
        *,
        deadline: float = 2.0,
        start_deadline: float = 15.0,
        memory: int = _MEMORY,
        on_disabled: Callable[[str], None] | None = None,
        command: Sequence[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.deadline = deadline
        self.start_deadline = start_deadline
        self.memory = memory
        self.started = 0
        """Processes that were started so far."""
        self._on_disabled = on_disabled
        self._command = command
        self._clock = clock
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        self._failures: list[float] = []
        self._not_before = float("-inf")
        self._closed = False
        self._disabled = False
        self._identity = 0
        self._answers: dict[tuple[object, ...], tuple[Definition, ...] | None] = {}

    def __enter__(self) -> Tier2:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def disabled(self) -> bool:
        return self._disabled or self._closed

    @property
    def has_failed(self) -> bool:
        """Was a question left without an answer for a reason that may be another the next time: too slow, for one?"""
        return bool(self._failures) or self.disabled

    def close(self) -> None:
        """Kill the process; a question under way gets no answer, nor does any later one."""
        self._closed = True
        worker = self._worker
        if worker is not None:
            worker.kill()
        with self._lock:
            self._drop()

    def names(
        self,
        path: Path,
        text: str,
        row: int,
        column: int,
        *,
        root: Path | None = None,
        search_path: tuple[Path, ...] = (),
        generation: int = 0,
    ) -> tuple[Definition, ...] | None:
        """What the expression that ends at a place is; None when there is no answer.

        Answers are kept by the text and by ``generation``, which stands for the state of all other files. A
        question that was not answered in time, or that the process died of, is not asked again.
        """
        key = (
            path,
            sha256(text.encode("utf-8", "replace")).digest(),
            row,
            column,
            root,
            search_path,
            generation,
        )
        with self._lock:
            if key in self._answers:
                return self._answers[key]
            worker = self._running()
            if worker is None:
                return None
            self._identity += 1
            question = {
                "id": self._identity,
                "path": str(path),
                "text": text,
                "row": row,
                "column": column,
                "what": "infer",
                "root": str(root) if root is not None else None,
                "search_path": [str(folder) for folder in search_path],
            }
            worker.send(question)
            found: tuple[Definition, ...] | None = None
            try:
                answer = worker.receive(self.deadline)
                if answer.get("id") != self._identity:
                    raise _Broken("an answer to another question")
                if "error" not in answer:
                    found = tuple(_definitions(answer))
                memory = int(answer.get("rss") or 0)
            except (_Broken, KeyError, TypeError, ValueError, AttributeError):
                self._fail()
            else:
                worker.answered += 1
                if memory > self.memory:
                    if worker.answered < _YOUNG:
                        self._fail()
                    else:
                        self._drop()
            if self._closed:
                return None
            if len(self._answers) >= _CACHED:
                self._answers.clear()
            self._answers[key] = found
            return found

    # --- the process

    def _running(self) -> _Worker | None:
        """The process, started when there is none; None when there may be none now."""
        if self._worker is not None and self._worker.owner != os.getpid():
            # A fork has the parent's pipes, which are not its own to use.
            self._worker = None
        if self._worker is not None:
            return self._worker
        if self.disabled or self._clock() < self._not_before:
            return None
        try:
            self._worker = _Worker(self._command or _command())
            self.started += 1
            if self._worker.receive(self.start_deadline).get("ready") is not True:
                raise _Broken("not ready")
        except (OSError, _Broken):
            self._fail()
            return None
        if self._closed:
            self._drop()
        return self._worker

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            worker.reap()

    def _fail(self) -> None:
        self._drop()
        if self._closed:
            return
        now = self._clock()
        self._failures = [*(when for when in self._failures if now - when < _HOUR), now]
        self._not_before = now + _BACK_OFF * 2 ** (len(self._failures) - 1)
        if len(self._failures) > RESTARTS and not self._disabled:
            self._disabled = True
            if self._on_disabled is not None:
                self._on_disabled(
                    f"jedi failed {len(self._failures)} times within an hour and is not asked any more; "
                    "findings that need it are missing"
                )


class _Broken(Exception):
    """The process is too slow, gone, or does not speak the protocol."""


class _Worker:
    """One process with its pipes. Two threads move the bytes, so that neither a full pipe nor a silent
    process can block whoever asks."""

    def __init__(self, command: Sequence[str]) -> None:
        import subprocess

        self.owner = os.getpid()
        self.answered = 0
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Not the workspace: nothing there is found by a relative path.
            cwd=sys.prefix,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self._incoming: SimpleQueue[bytes] = SimpleQueue()
        for target, arguments in (
            (_write, (self._process.stdin, self._outgoing)),
            (_read, (self._process.stdout, self._incoming)),
        ):
            threading.Thread(target=target, args=arguments, daemon=True, name="understudy-jedi").start()

    def send(self, question: dict[str, Any]) -> None:
        self._outgoing.put(json.dumps(question).encode("ascii") + b"\n")

    def receive(self, timeout: float) -> dict[str, Any]:
        """
        :raises _Broken: no answer in time, or none that can be read.
        """
        try:
            line = self._incoming.get(timeout=timeout)
        except Empty:
            raise _Broken("too slow") from None
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            raise _Broken("gone, or not JSON") from None
        if not isinstance(answer, dict):
            raise _Broken("not an object")
        return answer

    def kill(self) -> None:
        if self.owner == os.getpid():
            self._process.kill()

    def reap(self) -> None:
        self._outgoing.put(None)
        if self.owner == os.getpid():
            self._process.wait()


def _write(pipe: IO[bytes], outgoing: SimpleQueue[bytes | None]) -> None:
    try:
        with pipe:
            while (line := outgoing.get()) is not None:
                pipe.write(line)
                pipe.flush()
    except (OSError, ValueError):
        pass


def _read(pipe: IO[bytes], incoming: SimpleQueue[bytes]) -> None:
    """Every line; an empty one for the end."""
    try:
        with pipe:
            while line := pipe.readline(_LONGEST_ANSWER):
                incoming.put(line)
    except (OSError, ValueError):
        pass
    incoming.put(b"")


def _command() -> list[str]:
    """Our own interpreter, isolated: beside the standard library it sees the folders that it is given, and
    neither the current one nor ``PYTHONPATH``, and it runs no ``.pth`` file."""
    needed = dict.fromkeys(_folder_of(name) for name in ("understudy", "jedi", "parso"))
    start = "import sys; sys.path += sys.argv[1:]; from understudy.infer.jedi_worker import main; main()"
    return [sys.executable, "-I", "-S", "-c", start, *(folder for folder in needed if folder)]


def _folder_of(package: str) -> str:
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return ""
    return str(Path(spec.origin).parent.parent) if spec is not None and spec.origin else ""


def _definitions(answer: dict[str, Any]) -> Iterator[Definition]:
    certain = answer["certain"] is True
    for name in answer["names"]:
        path = name["module_path"]
        yield Definition(
            str(name["full_name"]),
            str(name["type"]),
            Path(path) if path is not None else None,
            int(name["line"]),
            int(name["column"]),
            certain,
        )


# --- from an answer to an entity --------------------------------------------------------------------------


def entity_at(
    names: Names, workspace: Workspace, unit: Unit, node: ast.expr, library: str | None = None
) -> ClassEntity | FunctionEntity | None:
    """The class or function that an expression is, where the answer is certain and the only one.

    :param library: the dotted name that the first tier knows it by, when it is something of a library.
    """
    if library is not None:
        # What is compiled or not installed, jedi could not read either.
        module = workspace.find(library.partition(".")[0], unit.path)
        if module is None or module.kind is Kind.OPAQUE:
            return None
    if _starts_at_parameter(unit, node):
        return None
    span = unit.span(node)
    roots = workspace.finder.roots_for(unit.path)
    environment = workspace.environment
    found = names.names(
        unit.path,
        unit.text.content,
        span.end_row,
        span.end_column,
        root=workspace.root,
        search_path=(*roots.certain, *environment.stdlib, *environment.site, *roots.likely),
        generation=workspace.generation,
    )
    if found is None or len(found) != 1:
        return None
    definition = found[0]
    if not definition.certain or definition.type not in ("class", "function"):
        return None
    return _entity(definition, workspace, unit.path)


def _starts_at_parameter(unit: Unit, node: ast.expr) -> bool:
    """True unless it is a name, attribute or call that no parameter is part of: what is passed to the
    function is not in its text."""
    first: ast.expr = node
    while isinstance(first, (ast.Attribute, ast.Call)):
        first = first.value if isinstance(first, ast.Attribute) else first.func
    if not isinstance(first, ast.Name):
        return True
    used = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    return not used.isdisjoint(_parameters_around(unit, node))


def _parameters_around(unit: Unit, node: ast.expr) -> set[str]:
    """The parameters of the functions that a node stands in."""
    inside = unit.span(node)
    found: set[str] = set()
    for function in ast.walk(unit.node):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            holds = any(unit.span(statement).encloses(inside) for statement in function.body)
        elif isinstance(function, ast.Lambda):
            holds = unit.span(function.body).encloses(inside)
        else:
            continue
        if holds:
            spec = function.args
            for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg):
                if arg is not None:
                    found.add(arg.arg)
    return found


def _entity(
    definition: Definition, workspace: Workspace, importer: Path
) -> ClassEntity | FunctionEntity | None:
    """The declaration whose name stands where the definition says, and has the name that it says."""
    path = definition.path
    if path is None or path.suffix != ".py":
        return None
    module = workspace.module(path)
    if module is None:
        return None
    entity = next(_at(module, definition.line - 1, definition.column), None)
    if entity is None or not f".{definition.full_name}".endswith(f".{entity.qualname}"):
        return None
    if not module.workspace:
        # A library's module is known by the name that leads to it; relative imports start from there.
        name = definition.full_name.removesuffix(f".{entity.qualname}")
        file = workspace.find(name, importer)
        if file is None or file.path != path:
            return None
        workspace.load(file)
        reloaded = workspace.module(path)
        entity = (
            None if reloaded is None else next(_at(reloaded, definition.line - 1, definition.column), None)
        )
    wanted = ClassEntity if definition.type == "class" else FunctionEntity
    return entity if isinstance(entity, wanted) else None


def _at(module: Module, row: int, column: int) -> Iterator[ClassEntity | FunctionEntity]:
    for start, declaration in module.declarations():
        yield from _below(module, declaration, start, "", None, (row, column))


def _below(
    module: Module,
    declaration: model.Declaration,
    start: int,
    prefix: str,
    owner: ClassEntity | None,
    place: tuple[int, int],
) -> Iterator[ClassEntity | FunctionEntity]:
    if isinstance(declaration, model.Function):
        if declaration.span.shifted(start)[:2] == place:
            yield FunctionEntity(module, declaration, start, prefix + declaration.name, owner)
    elif isinstance(declaration, model.Class):
        entity = ClassEntity(module, declaration, start, prefix + declaration.name)
        if entity.span[:2] == place:
            yield entity
        for child in declaration.body:
            yield from _below(module, child, start, f"{entity.qualname}.", entity, place)
