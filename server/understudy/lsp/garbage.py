"""When the analysis thread looks for garbage.

What analyses leave behind is full of cycles and outlives Python's frequent looks at what is young; its look at
everything comes so rarely, as the whole workspace is in memory, that a server would grow for hours. So the old is
looked at here: now and then among what came since the last time, and all of it when nobody types.
"""

from __future__ import annotations

import gc

QUIET = 2.0
"""Seconds without anything to do until everything is looked at: that takes a tenth of a second or more."""
_WORTH_IT = 20
"""Analyses that leave enough behind."""
_AT_MOST = 100
"""Analyses without a look at what came since the last time."""
_THRESHOLD = 20_000
"""An analysis makes many short-lived objects: look for garbage less often than Python's 700."""
_AT_FIRST = 500_000
"""What is read for the first files stays: looking through it again and again takes a fifth of the time."""


def set_up() -> None:
    """For the whole process, until the first files are done."""
    gc.set_threshold(_AT_FIRST, 20, 20)


class Garbage:
    """Counts analyses, and collects what they left."""

    def __init__(self) -> None:
        self._since_all = 0
        self._since_some = 0
        self._settled = False

    @property
    def waits(self) -> bool:
        """Is it worth to look at everything?"""
        return self._since_all >= _WORTH_IT

    def analysed(self) -> None:
        self._since_all += 1
        self._since_some += 1
        if self._since_some >= _AT_MOST:
            self._since_some = 0
            gc.collect()

    def settle(self) -> None:
        """Once, when the first files are done: what was read for them stays, so that later looks need not walk
        through it."""
        if not self._settled:
            self._settled = True
            gc.freeze()
            gc.set_threshold(_THRESHOLD, 20, 20)

    def collect(self) -> None:
        """Look at everything."""
        self._since_all = self._since_some = 0
        gc.unfreeze()
        gc.collect()
        gc.freeze()
