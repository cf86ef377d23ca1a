"""A short day; ``make soak`` is a long one."""

from __future__ import annotations

import soak_pulling
from soak import soak


def test_random_edits_end_with_the_findings_of_a_check() -> None:
    assert soak(150, 7) == []


def test_what_a_client_that_asks_shows_in_the_end_is_what_a_check_finds() -> None:
    assert soak_pulling.soak(rounds=2, steps=40, seed=7) == []
