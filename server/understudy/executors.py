"""Where batches of files are checked: processes of this machine, or the workers of a cluster.

Each is a :class:`concurrent.futures.Executor` behind a small interface. ``dask`` and ``ray`` are extras and are
imported when somebody asks for them.
"""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any, TypeVar

from understudy import __version__

_T = TypeVar("_T")

PROCESSES = "processes"
_GARBAGE_THRESHOLD = 500_000
_PATIENCE = 10
"""Seconds to wait for a cluster to answer."""


class ExecutorError(Exception):
    """It cannot be had; ``str()`` says why, and what to do."""


class Workers(ABC):
    """Something that runs calls at several places at once, once :meth:`open` has been called."""

    failures: tuple[type[BaseException], ...]
    """What futures and :meth:`open` raise when it is the workers that fail, and not the call."""

    @abstractmethod
    def open(self, visible: Callable[[], str | None]) -> Executor:
        """
        :param visible: called on the workers; says what they cannot see of the project, or None.
        :raises ExecutorError: it cannot be had.
        """

    @property
    @abstractmethod
    def count(self) -> int:
        """How many calls run at once; known when it is open."""

    @abstractmethod
    def look(self) -> None:
        """Called now and then while calls run: raises one of :attr:`failures` when nobody is there to run them."""

    @abstractmethod
    def close(self, *, at_once: bool, forget: Callable[[], None]) -> None:
        """
        :param at_once: do not wait for calls that run.
        :param forget: called on workers that live on.
        """


def chosen(name: str, processes: int) -> Workers:
    """The workers that ``--executor`` names: ``processes``, ``dask://HOST:PORT``, ``ray`` or ``ray://HOST:PORT``."""
    if name == PROCESSES:
        return Processes(processes)
    if name.startswith("dask://"):
        return Dask(name)
    return Ray(name)


def trouble(version: str, python: tuple[int, int]) -> str | None:
    """Runs on a worker: why it could answer otherwise than the machine that asks; None when it could not."""
    if __version__ != version:
        return f"has Understudy {__version__}, and this is {version}"
    if sys.version_info[:2] != python:
        here, there = ".".join(map(str, python)), ".".join(map(str, sys.version_info[:2]))
        return f"runs Python {there}, and this is {here}"
    return None


class Processes(Workers):
    """Processes of this machine."""

    failures = (BrokenProcessPool, OSError, ImportError)

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None
        self._wanted: tuple[Connection, Connection] | None = None
        """A pipe whose writing end only this process has: when it is closed, nobody wants an answer any more."""

    @property
    def count(self) -> int:
        return self._count

    def open(self, visible: Callable[[], str | None]) -> Executor:
        del visible  # They see what this process sees.
        # Nothing is imported before they part: counting references copies its pages into each of them all the same.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context = multiprocessing.get_context(method)
        if os.name == "posix":
            from multiprocessing import resource_tracker

            # Its start would let Ctrl-C through again.
            resource_tracker.ensure_running()
        self._wanted = context.Pipe(duplex=False)
        self._pool = _Pool(self._count, context, _set_up, (self._wanted[0],))
        return self._pool

    def look(self) -> None:
        """Nothing to do: futures fail when they have to."""

    def close(self, *, at_once: bool, forget: Callable[[], None]) -> None:
        pool, self._pool = self._pool, None
        wanted, self._wanted = self._wanted, None
        if pool is None or wanted is None:
            return
        if at_once:
            wanted[1].close()
        # Not left to the end of the interpreter, which may find the pool's pipe half closed: CPython's
        # concurrent.futures then prints a traceback.
        pool.shutdown(wait=True, cancel_futures=True)
        for end in wanted:
            end.close()


class _Pool(ProcessPoolExecutor):
    """Its processes end when they are told to, but never in the middle of an answer."""

    def submit(self, function: Callable[..., _T], /, *arguments: Any, **named: Any) -> Future[_T]:
        return super().submit(_call_while_wanted, function, arguments, named)


def set_up_garbage_collection() -> None:
    """For a process that only checks. Trees stay for long and hold few cycles; looking through all of them again and
    again takes a quarter of the time. So only what is young is looked at, and the rest when :mod:`jobs` says so."""
    gc.set_threshold(_GARBAGE_THRESHOLD, 10_000, 10_000)
    gc.freeze()


# --- on the processes

_gate = threading.Lock()
_working = False
_unwanted = False


def _set_up(wanted: Connection) -> None:
    """The processes must not end by Ctrl-C on their own; but they end with the one that asked, however it did."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_up_garbage_collection()
    threading.Thread(target=_end_when_told, args=(wanted,), daemon=True).start()


def _end_when_told(wanted: Connection) -> None:
    """A process that is killed while it writes an answer leaves the pool waiting for the rest of it for ever: the
    pool itself holds that pipe open (``concurrent.futures.process`` up to CPython 3.14). So it ends itself, and only
    while it works."""
    global _unwanted
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if parent.sentinel not in multiprocessing.connection.wait([wanted, parent.sentinel]):
        with _gate:
            _unwanted = True
            if _working:
                os._exit(1)
        # A pool's processes hold each other's pipes open: no end of file tells them.
        parent.join()
    os._exit(1)


def _call_while_wanted(function: Callable[..., _T], arguments: tuple[Any, ...], named: dict[str, Any]) -> _T:
    global _working
    with _gate:
        if _unwanted:
            os._exit(1)
        _working = True
    try:
        return function(*arguments, **named)
    finally:
        with _gate:
            _working = False


class Dask(Workers):
    """The workers of a Dask cluster, through its scheduler."""

    def __init__(self, name: str) -> None:
        """
        :param name: ``dask://HOST:PORT``.
        """
        self._name = name
        self._address = name.replace("dask://", "tcp://", 1)
        self._client: Any = None
        self._executor: Any = None
        self._count = 1
        self._seen = self._asked = 0.0
        self.failures = (OSError,)

    @property
    def count(self) -> int:
        return self._count

    def open(self, visible: Callable[[], str | None]) -> Executor:
        with _extra(self._name, "dask"):
            import dask
            import distributed
        _quiet("distributed")
        # It tells of lost connections in its own way; what they mean is said by us.
        dask.config.set({"distributed.comm.timeouts.connect": f"{_PATIENCE}s"})
        from concurrent.futures import CancelledError

        self.failures = (OSError, CancelledError, distributed.KilledWorker)
        connect: Any = distributed.Client
        try:
            self._client = connect(self._address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ExecutorError(
                f"--executor {self._name}: no Dask scheduler answers there ({_words(error)})"
            ) from None
        try:
            self._greet(visible)
        except ExecutorError:
            self._client.close()
            raise
        self._seen = monotonic()
        self._executor = self._client.get_executor(pure=False)
        executor: Executor = self._executor
        return executor

    def look(self) -> None:
        # A scheduler waits for workers for ever.
        if monotonic() - self._asked < 1:
            return
        if self._client.scheduler_info()["workers"]:
            self._seen = monotonic()
        elif monotonic() - self._seen > _PATIENCE:
            raise OSError("the cluster has no workers any more")
        self._asked = monotonic()

    def _greet(self, visible: Callable[[], str | None]) -> None:
        try:
            answers = self._client.run(_greeted, visible, __version__, tuple(sys.version_info[:2]))
        except (ImportError, AttributeError) as error:
            raise ExecutorError(f"--executor {self._name}: {_not_installed(error)}") from None
        except Exception as error:
            raise ExecutorError(f"--executor {self._name}: the workers fail ({_words(error)})") from None
        if not answers:
            raise ExecutorError(f"--executor {self._name}: this cluster has no workers")
        for worker, answer in sorted(answers.items()):
            if answer is not None:
                raise ExecutorError(f"--executor {self._name}: the worker {worker} {answer}")
        self._count = len(answers)

    def close(self, *, at_once: bool, forget: Callable[[], None]) -> None:
        client, executor, self._client, self._executor = self._client, self._executor, None, None
        if client is None:
            return
        # A scheduler that is gone has nothing to forget.
        with suppress(Exception):
            executor.shutdown(wait=not at_once)
            client.run(forget, wait=False)
        with suppress(Exception):
            client.close(_PATIENCE)


class Ray(Workers):
    """The workers of a Ray cluster."""

    def __init__(self, name: str) -> None:
        """
        :param name: ``ray`` for the cluster that this machine belongs to (or ``RAY_ADDRESS`` names), or
            ``ray://HOST:PORT``.
        """
        self._name = name
        self._count = 1
        self._ray: Any = None
        self._executor: _RayExecutor | None = None
        self.failures = (OSError,)

    @property
    def count(self) -> int:
        return self._count

    def open(self, visible: Callable[[], str | None]) -> Executor:
        with _extra(self._name, "ray"):
            import ray
        _quiet("ray")
        self.failures = (OSError, ray.exceptions.RayError)
        address = os.environ.get("RAY_ADDRESS", "") if self._name == "ray" else self._name
        host, _, port = address.rpartition("://")[2].rpartition(":")
        try:
            if host and port.isdecimal():
                # Ray itself tries for minutes.
                socket.create_connection((host, int(port)), _PATIENCE).close()
            ray.init(
                address="auto" if self._name == "ray" else self._name,
                configure_logging=False,
                log_to_driver=False,
            )
        except Exception as error:
            raise ExecutorError(
                f"--executor {self._name}: no Ray cluster answers; start one with `ray start --head`, or set "
                f"RAY_ADDRESS ({_words(error)})"
            ) from None
        self._ray = ray
        self._executor = _RayExecutor(ray)
        self._count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        try:
            answer = self._executor.submit(
                _greeted, visible, __version__, tuple(sys.version_info[:2])
            ).result()
        except ray.exceptions.RayError as error:
            self._disconnect()
            raise ExecutorError(f"--executor {self._name}: {_not_installed(error)}") from None
        if answer is not None:
            self._disconnect()
            raise ExecutorError(f"--executor {self._name}: a worker {answer}")
        return self._executor

    def look(self) -> None:
        """Nothing to do: futures fail when they have to."""

    def close(self, *, at_once: bool, forget: Callable[[], None]) -> None:
        # Its workers end with the connection: there is nothing to forget.
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=not at_once, cancel_futures=True)
            self._disconnect()

    def _disconnect(self) -> None:
        ray, self._ray = self._ray, None
        if ray is not None:
            ray.shutdown()


class _RayExecutor(Executor):
    """Ray's own futures are those of ``concurrent.futures``; it only lacks the class."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._run = ray.remote(_call)
        self._waiting: list[tuple[Any, Future[Any]]] = []

    def submit(self, function: Callable[..., _T], /, *arguments: Any, **named: Any) -> Future[_T]:
        reference = self._run.remote(function, arguments, named)
        future: Future[_T] = reference.future()
        self._waiting.append((reference, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        waiting, self._waiting = self._waiting, []
        for reference, future in waiting:
            if cancel_futures and not future.done():
                self._ray.cancel(reference, force=True)
            elif wait:
                with suppress(Exception):
                    future.result()


def _call(function: Callable[..., _T], arguments: tuple[Any, ...], named: dict[str, Any]) -> _T:
    return function(*arguments, **named)


def _greeted(visible: Callable[[], str | None], version: str, python: tuple[int, int]) -> str | None:
    return trouble(version, python) or visible()


def _not_installed(error: BaseException) -> str:
    return f"the workers cannot import this version of Understudy; install it there, too ({_words(error)})"


@contextmanager
def _extra(name: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ExecutorError(
            f"--executor {name}: needs a package that is not here; install it with "
            f"`python -m pip install 'understudy[{extra}]'` ({_words(error)})"
        ) from None


def _quiet(logger: str) -> None:
    """What a library logs is for those who run the cluster."""
    import logging

    for name in [logger, *logging.root.manager.loggerDict]:
        if name == logger or name.startswith(f"{logger}."):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip()}" if lines else type(error).__name__
