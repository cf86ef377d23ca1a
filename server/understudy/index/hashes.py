"""The hashes of files by their stamps, kept between sessions: what did not change since is not read again.

A check reads every file, for its answer must not rest on times. A session of an editor answers at once from what its
stamps say, and looks at the file itself right after.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from time import time_ns
from typing import Any, Final

from understudy.index.kept_facts import digest, ours
from understudy.index.store import Entry, Store
from understudy.source.disk import looking

MISSING: Final = ""
"""The hash of what is no file."""
_TOO_NEW: Final = 3_000_000_000
"""Nanoseconds: a file that was written so shortly before may be written again without another stamp."""


class Hashes:
    """Of the files of one workspace. :meth:`flush` writes down what is new."""

    def __init__(self, store: Store, root: Path) -> None:
        self._store = store
        self._key = f"hashes:{ours()}:{digest(os.fsencode(root))}"
        self._known = self._read()
        self._new = False

    def _read(self) -> dict[str, tuple[tuple[int, ...], str]]:
        data = self._store.get([self._key]).get(self._key)
        if data is None:
            return {}
        try:
            found: dict[str, Any] = json.loads(data)
            return {name: (tuple(map(int, stamp)), str(known)) for name, (stamp, known) in found.items()}
        except (ValueError, TypeError, AttributeError):
            # Damaged, or not by us.
            return {}

    def of(self, path: str, stamp: tuple[int, ...]) -> str:
        """The hash of a file's content.

        :param stamp: taken before.
        """
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        found = hash_of(path)
        if stamp and max(stamp[0], stamp[3]) < time_ns() - _TOO_NEW:
            self._known[path] = (stamp, found)
            self._new = True
        return found

    def flush(self) -> None:
        if self._new:
            self._new = False
            self._store.put(
                [Entry(self._key, json.dumps(self._known, separators=(",", ":")).encode("ascii"))]
            )


def stamp_of(path: str) -> tuple[int, ...]:
    """What changes whenever the file does: modified, size, number, status changed (times in nanoseconds), device.
    Empty for what is not there."""
    try:
        with looking(path):
            status = os.stat(path)
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns, status.st_dev)


def content_of(path: str) -> bytes | None:
    """None: it cannot be read, or is no regular file."""
    try:
        with looking(path):
            if not os.path.isfile(path):
                return None
            with open(path, "rb") as file:
                return file.read()
    except OSError:
        return None


def hash_of(path: str) -> str:
    content = content_of(path)
    return MISSING if content is None else digest(content)
