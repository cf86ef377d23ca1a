"""A short day; ``make soak`` is a long one."""

from __future__ import annotations

import pytest
import soak_workspace
from soak import soak
from watching import Pulling, Watching


def test_random_edits_end_with_the_findings_of_a_check() -> None:
    assert soak(150, 7) == []


@pytest.mark.parametrize("kind", [Pulling, Watching])
def test_what_is_shown_of_the_workspace_is_in_the_end_what_a_check_finds(kind: type[Watching]) -> None:
    assert soak_workspace.soak(kind, rounds=1, steps=60, seed=7) == []
