"""A short day; ``make soak`` is a long one."""

from __future__ import annotations

from soak import soak


def test_random_edits_end_with_the_findings_of_a_check() -> None:
    assert soak(150, 7) == []
