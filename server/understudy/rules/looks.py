"""What the simulated tests of a file did with their mocks that rules look at."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.run import Outcome
from understudy.doubles.state import Look, Sight
from understudy.rules.base import Context


def looks(context: Context, sight: Sight) -> Iterator[Look]:
    """Those of one kind in test code, each place once."""
    seen = set()
    for _, look in all_looks(context, sight):
        if look.in_test and look.place.key not in seen:
            seen.add(look.place.key)
            yield look


def all_looks(context: Context, sight: Sight) -> Iterator[tuple[Outcome, Look]]:
    """Those of one kind, in test code and in the code under test, with the test that came by."""
    if not context.is_test:
        return
    for outcome in context.simulation.outcomes:
        for look in outcome.looks:
            if look.sight is sight:
                yield outcome, look
