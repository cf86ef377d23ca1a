"""Which path a thread is looking at, and which paths are not looked at any longer because they did not answer.

A file on a network can keep whoever asks for it waiting for hours, and nothing can interrupt that. So each look is
noted while it lasts: the server gives up a thread that waits for too long, and leaves the path alone from then on.
"""

from __future__ import annotations

import errno
import os
import threading
from time import monotonic
from types import TracebackType

_looks: dict[int, tuple[str, float]] = {}
"""By thread: the path, and when it was asked for."""
_avoided: tuple[str, ...] = ()
"""With a separator at the end."""


class looking:
    """``with looking(path):`` around whatever asks the file system.

    :raises OSError: the path, or a folder above it, did not answer before.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)

    def __enter__(self) -> None:
        if _avoided and (self._path + os.sep).startswith(_avoided):
            raise OSError(errno.ETIMEDOUT, "does not answer")
        _looks[threading.get_ident()] = (self._path, monotonic())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _looks.pop(threading.get_ident(), None)


def entries(folder: str | os.PathLike[str]) -> dict[str, bool]:
    """The names in a folder, and whether each is a folder; none where it cannot be read."""
    try:
        with looking(folder), os.scandir(folder) as found:
            return {entry.name: entry.is_dir() for entry in found}
    except OSError:
        return {}


def waited_for(thread: int) -> tuple[str, float] | None:
    """The path that a thread is waiting for, and since when (``time.monotonic``)."""
    return _looks.get(thread)


def avoid(path: str) -> None:
    """Leave a path alone, and all below it, as long as this process lives."""
    global _avoided
    _avoided = (*_avoided, path.rstrip(os.sep) + os.sep)
