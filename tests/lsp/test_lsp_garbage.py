"""What analyses leave behind is let go, also what Python itself looks at too rarely."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest
from understudy.lsp.garbage import Garbage


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def old() -> Iterator[weakref.ref[Cycle]]:
    """Garbage that has outlived the frequent looks."""
    gc.set_threshold(100_000, 1000, 1000)
    cycle = Cycle()
    gc.collect(1)
    left = weakref.ref(cycle)
    del cycle
    gc.collect(1)
    assert left() is not None
    yield left
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)


def _after_many_analyses(garbage: Garbage) -> None:
    for _ in range(100):
        garbage.analysed()


def _when_nobody_types(garbage: Garbage) -> None:
    gc.freeze()
    assert not garbage.waits
    for _ in range(20):
        garbage.analysed()
    assert garbage.waits
    garbage.collect()
    assert not garbage.waits


@pytest.mark.parametrize("happens", [_after_many_analyses, _when_nobody_types])
def test_old_garbage_is_collected(old: weakref.ref[Cycle], happens: Callable[[Garbage], None]) -> None:
    happens(Garbage())
    assert old() is None
