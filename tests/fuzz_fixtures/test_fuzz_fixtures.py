"""A small seeded run of suites of fixtures and marks, and that it can fail. `make fuzz-fixtures` runs more."""

from __future__ import annotations

from pathlib import Path

import pytest
from understudy.finding import Finding, Severity
from understudy.source.span import Span

from fuzz_fixtures import compare, reduce
from fuzz_fixtures.__main__ import by_kind, count
from fuzz_fixtures.compare import ELSEWHERE, Verdict, judge
from fuzz_fixtures.programs import Program, programs

_CONFTEST = """\
from unittest.mock import AsyncMock, MagicMock

import pytest


@pytest.fixture(params=[MagicMock, AsyncMock])
def client(request):
    return request.param()


@pytest.fixture
def unrelated():
    return 1
"""
_TESTS = """\
from unittest.mock import AsyncMock, MagicMock

import pytest


async def test_raises():
    await MagicMock().get()


async def test_raises_in_one_case(client):
    await client.get()


class TestPasses:
    async def test_it(self, unrelated):
        client = AsyncMock()
        await client.get()


@pytest.mark.skip
async def test_skipped():
    await MagicMock().get()


@pytest.mark.xfail
async def test_fails_as_expected():
    await MagicMock().get()
"""
_PROGRAM = Program({"conftest.py": _CONFTEST, "test_app.py": _TESTS})
_PASSES = "test_app.py::TestPasses.test_it"
_RAISES = ["test_app.py::test_raises", "test_app.py::test_raises_in_one_case"]
_FALSE = Finding("US101", "", Severity.ERROR, "", Path("test_app.py"), Span.at(0, 0))


def _one(folder: Path, program: Program = _PROGRAM) -> Verdict:
    (verdict,) = judge([program], folder / "programs")
    return verdict


def _always_said(monkeypatch: pytest.MonkeyPatch, *tests: str) -> None:
    said = dict.fromkeys(tests, (_FALSE,))
    monkeypatch.setattr(compare, "check", lambda folder, config=None: said)
    monkeypatch.setattr(reduce, "check", lambda folder, config=None: said)


def test_nothing_false_is_said(tmp_path: Path) -> None:
    verdicts = judge(programs(0, 40), tmp_path / "programs")
    wrong = [str(verdict) for verdict in verdicts if verdict.false]
    assert not wrong, "\n\n".join(wrong)
    counts = count(verdicts)
    # It is no use when nothing is ever said, when hardly a test passes, or when suites cannot be collected.
    assert counts["raised by a double"] - counts["of them missed"] > 15
    assert counts["passed"] > 60
    assert counts["broken"] < 4


def test_the_same_seed_gives_the_same_programs() -> None:
    assert programs(3, 20) == programs(3, 20)
    assert programs(3, 5, 10) == programs(3, 20)[10:15]
    assert programs(3, 5) != programs(4, 5)


def test_what_happens_is_known(tmp_path: Path) -> None:
    verdict = _one(tmp_path)
    assert verdict.passed == [_PASSES]
    assert list(verdict.raised) == _RAISES
    assert verdict.outcomes["test_app.py::test_skipped"] == ("skipped",)
    assert verdict.outcomes["test_app.py::test_fails_as_expected"] == ("xfailed",)
    assert (verdict.false, verdict.broken) == ([], ())
    assert by_kind([verdict])["await"].endswith(" of 2 (50 %)")


@pytest.mark.parametrize("test", [_PASSES, "test_app.py::test_skipped", "test_app.py::test_not_there"])
def test_what_is_false_or_missed_is_heard(test: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _always_said(monkeypatch, test, _RAISES[0])
    verdict = _one(tmp_path)
    assert (verdict.false, verdict.missed) == ([test], [_RAISES[1]])


def test_what_passes_only_after_others_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = """\
from unittest.mock import AsyncMock, MagicMock

CLIENT = MagicMock()


def test_first():
    globals()["CLIENT"] = AsyncMock()


async def test_second():
    await CLIENT.get()
"""
    first, second = "test_app.py::test_first", "test_app.py::test_second"
    _always_said(monkeypatch, first, second)
    verdict = _one(tmp_path, Program({"test_app.py": tests}))
    assert verdict.passed == [first, second]
    assert verdict.false == [first]


def test_outside_of_tests_it_is_false_where_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _always_said(monkeypatch, ELSEWHERE)
    assert _one(tmp_path).false == []
    assert _one(tmp_path, Program({"test_app.py": "def test_it():\n    pass\n"})).false == [ELSEWHERE]


def test_a_false_one_is_made_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _always_said(monkeypatch, _PASSES)
    tests = "class TestPasses:\n    async def test_it(self):\n        unrelated = 1\n\n\ndef test_other():\n    pass\n"
    program = Program({"conftest.py": "import pytest\n", "test_app.py": tests})
    small = reduce.reduce(_one(tmp_path, program), _PASSES, "US101", tmp_path / "programs")
    assert small.files == {"test_app.py": "class TestPasses:\n\n    async def test_it(self):\n        pass"}


@pytest.mark.parametrize("name", ["conftest.py", "test_app.py"])
def test_what_cannot_be_collected_is_not_judged(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _always_said(monkeypatch, _PASSES)
    verdict = _one(tmp_path, Program({**_PROGRAM.files, name: "1 / 0\n"}))
    assert verdict.broken
    assert not verdict.false
