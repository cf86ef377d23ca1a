"""jedi's answers, fetched on a thread of their own: the analysis never waits for them.

The analysis thread asks :class:`SecondTier` as it would ask jedi. What is not known is noted, and fetched after the
findings that need no jedi are published; then the file is looked at once more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

from understudy.infer.tier2 import Definition, Tier2

_log = logging.getLogger(__name__)
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class _Asked:
    path: Path
    text: str
    row: int
    column: int
    root: Path | None
    search_path: tuple[Path, ...]

    @property
    def key(self) -> tuple[object, ...]:
        digest = sha256(self.text.encode("utf-8", "replace")).digest()
        return (self.path, digest, self.row, self.column, self.root, self.search_path)


class SecondTier:
    """Answers at once, from what is known.

    :param ready: called, on another thread, with the file whose questions are answered now.
    :param quiet_message: called once when jedi failed too often to be asked again.
    """

    def __init__(self, ready: Callable[[Path], None], quiet_message: Callable[[str], None]) -> None:
        self._tier2 = Tier2(on_disabled=quiet_message)
        self._ready = ready
        self._answers: dict[tuple[object, ...], tuple[Definition, ...] | None] = {}
        self._missing: dict[tuple[object, ...], _Asked] = {}
        self._queue: SimpleQueue[tuple[Path, int, list[_Asked]] | None] = SimpleQueue()
        self._generation = 0
        self._thread: threading.Thread | None = None

    @property
    def disabled(self) -> bool:
        return self._tier2.disabled

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
        """What is known; a question that is new is noted for :meth:`fetch`."""
        asked = _Asked(path, text, row, column, root, search_path)
        key = asked.key
        if key in self._answers:
            return self._answers[key]
        self._missing[key] = asked
        return None

    def fetch(self, path: Path) -> bool:
        """Have the noted questions answered; False when there are none. Those of an earlier call that were not
        put to jedi yet are dropped: the text has changed since."""
        missing, self._missing = list(self._missing.values()), {}
        if not missing or self.disabled:
            return False
        self._generation += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="understudy-second-tier", daemon=True)
            self._thread.start()
        self._queue.put((path, self._generation, missing))
        return True

    def forget(self) -> None:
        """Other files have changed: what they answered may be different now."""
        self._answers.clear()

    def close(self) -> None:
        self._queue.put(None)
        self._tier2.close()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            path, generation, missing = item
            for asked in missing:
                if generation != self._generation:
                    break
                try:
                    answer = self._tier2.names(
                        asked.path,
                        asked.text,
                        asked.row,
                        asked.column,
                        root=asked.root,
                        search_path=asked.search_path,
                        generation=generation,
                    )
                except Exception:
                    _log.exception("the second tier failed")
                    answer = None
                if len(self._answers) >= _KEPT:
                    self._answers.clear()
                self._answers[asked.key] = answer
            else:
                self._ready(path)
