"""A small seeded run of programs of ordinary Python, and that it can fail. `make fuzz-flow` runs more."""

from __future__ import annotations

from pathlib import Path

import pytest
from understudy.finding import Finding, Severity
from understudy.source.span import Span

from fuzz_flow import compare
from fuzz_flow.__main__ import count
from fuzz_flow.compare import Verdict, judge
from fuzz_flow.programs import Program, programs
from fuzz_flow.reduce import reduce

_CODE = """\
async def run(m, n):
    unrelated = 1
    if n > 1:
        await m.p0()
"""
_TESTS = """\
from unittest.mock import AsyncMock, MagicMock

import app


async def test_0():
    m = AsyncMock()
    m.p0 = MagicMock()
    await app.run(m, 2)


async def test_1():
    m = AsyncMock()
    m.p0 = MagicMock()
    await app.run(m, 1)


async def test_2():
    m = AsyncMock()
    m.p0 = AsyncMock(side_effect=[])
    await app.run(m, 2)
"""


def _one(folder: Path) -> Verdict:
    (verdict,) = judge([Program(_CODE, _TESTS)], folder / "programs")
    return verdict


def test_nothing_false_is_said(tmp_path: Path) -> None:
    verdicts = judge(programs(0, 100), tmp_path / "programs")
    wrong = [str(verdict) for verdict in verdicts if verdict.false or verdict.broken]
    assert not wrong, "\n\n".join(wrong)
    counts = count(verdicts)
    # It is no use when nothing is ever said, or when hardly a test passes.
    assert counts["raised by a probe"] - counts["of them missed"] > 50
    assert counts["passed"] > 300


def test_the_same_seed_gives_the_same_programs() -> None:
    assert programs(3, 20) == programs(3, 20)
    assert programs(3, 5, 10) == programs(3, 20)[10:15]
    assert programs(3, 5) != programs(4, 5)


def test_what_is_true_agrees(tmp_path: Path) -> None:
    verdict = _one(tmp_path)
    assert verdict.outcomes["test_1"] == "passes"
    assert verdict.raised == ["test_0", "test_2"]
    assert (verdict.false, verdict.missed, verdict.broken) == ([], [], [])


def test_what_is_false_or_missed_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    false = Finding("US108", "", Severity.ERROR, "", Path("test_app.py"), Span.at(0, 0))
    monkeypatch.setattr(compare, "check", lambda folder: {"test_1": (false,), "test_2": (false,)})
    verdict = _one(tmp_path)
    assert (verdict.false, verdict.missed) == (["test_1"], ["test_0"])


def test_a_false_one_is_made_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    false = Finding("US108", "", Severity.ERROR, "", Path("test_app.py"), Span.at(0, 0))
    monkeypatch.setattr(compare, "check", lambda folder: {"test_1": (false,)})
    small = reduce(Program(_CODE, _TESTS), "test_1", tmp_path / "programs")
    assert "unrelated" not in small.code
    assert "test_0" not in small.tests
    assert "test_1" in small.tests


def test_a_test_that_never_ends_has_no_outcome(tmp_path: Path) -> None:
    endless = Program("async def run(m, n):\n    while n:\n        pass\n", _TESTS)
    (verdict,) = judge([endless], tmp_path / "programs")
    assert verdict.outcomes == {}
