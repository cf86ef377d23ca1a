"""A seeded run of generated programs, without what is not modelled yet. `make fuzz` runs as many as one likes."""

from __future__ import annotations

import pytest

from fuzz.campaign import Campaign, batches, show, unmodelled
from fuzz.grammar import Program
from fuzz.judge import Judge
from fuzz.reduce import reduce

pytestmark = pytest.mark.xdist_group("fuzz")
PROGRAMS = 300
_AWAITS_A_MOCK = """from unittest.mock import MagicMock


async def test_it():
    double = MagicMock()
    unrelated = 1
    await double.execute({0})
"""


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    with Judge(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.fixture(scope="module")
def campaign(judge: Judge) -> Campaign:
    made = Campaign(judge)
    for batch in batches(PROGRAMS, 0, frozenset(unmodelled())):
        made.add(batch)
    return made


def test_programs_and_findings_agree(campaign: Campaign) -> None:
    shown = "\n\n".join(show(verdict) for verdict in campaign.first.values())
    assert not campaign.disagreements, f"{campaign.summary()}\n\n{shown}"


def test_many_programs_raise_and_many_pass(campaign: Campaign) -> None:
    assert campaign.total == PROGRAMS
    because_of_doubles = campaign.exceptions["TypeError"] + campaign.exceptions["AttributeError"]
    assert because_of_doubles > PROGRAMS // 4
    assert campaign.passed > PROGRAMS // 4


def test_the_same_seed_gives_the_same_programs() -> None:
    first, again = (next(iter(batches(50, 7, frozenset()))) for _ in range(2))
    assert [str(program) for program in first] == [str(program) for program in again]
    assert not {"MagicMock"} & {
        feature
        for program in next(iter(batches(50, 7, frozenset({"MagicMock"}))))
        for feature in program.features
    }


def test_a_finding_at_the_line_that_raises_agrees(judge: Judge) -> None:
    (verdict,) = judge.judge([Program({"test_example.py": _AWAITS_A_MOCK.format("")}, frozenset())])
    assert (verdict.exception, verdict.place) == ("TypeError", ("test_example.py", 7))
    assert verdict.disagreements == []


def test_the_judge_hears_misses_and_false_errors(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    raises = Program({"test_example.py": _AWAITS_A_MOCK.format("")}, frozenset())
    (wrong,) = judge.judge([raises])
    passes = Program(
        {"test_example.py": _AWAITS_A_MOCK.replace("MagicMock", "AsyncMock").format("")}, frozenset()
    )
    fails_before = Program(
        {"test_example.py": _AWAITS_A_MOCK.replace("unrelated = 1", "raise ValueError").format("")},
        frozenset(),
    )
    monkeypatch.setattr(Judge, "_analyse", lambda self, folder, names: {name: [] for name in names})
    (missed,) = judge.judge([raises])
    monkeypatch.setattr(Judge, "_analyse", lambda self, folder, names: dict.fromkeys(names, wrong.said))
    false, unreached = judge.judge([passes, fails_before])
    assert missed.disagreements == ["miss TypeError: object MagicMock can't be used in 'await' expression"]
    assert false.disagreements == ["false US101"]
    assert unreached.disagreements == ["unreached US101"]


def test_a_disagreement_is_made_small(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Judge, "_analyse", lambda self, folder, names: {name: [] for name in names})
    (verdict,) = judge.judge([Program({"test_example.py": _AWAITS_A_MOCK.format('"k", 1')}, frozenset())])
    small = reduce(judge, verdict.disagreements[0], verdict)
    assert "unrelated" not in str(small.program)
    assert "await double" in str(small.program)
    assert small.exception == "TypeError"


def test_every_unmodelled_feature_has_a_reason() -> None:
    assert all(len(reason) > 10 for reason in unmodelled().values())
