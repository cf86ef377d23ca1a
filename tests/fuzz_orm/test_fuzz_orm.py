"""Generated models: Understudy and SQLAlchemy agree. ``make fuzz-orm EXAMPLES=5000`` asks more, at random."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzz_orm.compare import disagreements, read, real
from fuzz_orm.programs import Program, programs

EXAMPLES = int(os.environ.get("UNDERSTUDY_FUZZ_EXAMPLES", "0"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz_orm")


@settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(program=programs())
def test_they_agree(program: Program, folder: Path) -> None:
    assert list(disagreements(program, folder)) == [], program.source


def test_most_programs_are_accepted_and_known(folder: Path) -> None:
    """The comparison means something: SQLAlchemy accepts many of the programs, and Understudy knows them."""
    accepted: list[Program] = []

    @seed(7)
    @settings(max_examples=40, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(program=programs())
    def collect(program: Program) -> None:
        if real(program) is not None:
            accepted.append(program)

    collect()
    assert len(accepted) > 15
    known = [model.known for program in accepted for model in read(program, folder).all]
    assert known.count(True) > len(known) * 0.9
