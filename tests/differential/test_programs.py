"""What Understudy says of a program agrees with what happens when it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from oracle.interpreters import Interpreter
from pages import harness
from pages.markdown import Block, Example, Page, holds
from understudy.finding import Severity

_HERE = Path(__file__).parent
_FILES = sorted((_HERE / "programs").glob("*.txt"))
_PREAMBLE = """import asyncio
import contextlib
import inspect
import unittest
from unittest.mock import ANY, DEFAULT, AsyncMock, MagicMock, Mock, create_autospec, patch, sentinel

import pytest
"""


@dataclass(frozen=True)
class Verdict:
    """One program: did a test of it raise, and was an error reported?"""

    title: str
    raised: str
    reported: str


def _programs(path: Path) -> Iterator[Example]:
    text = path.read_text("utf-8")
    for number, part in enumerate(re.split(r"^=== ", text, flags=re.MULTILINE)[1:], 1):
        title, _, body = part.partition("\n")
        example = Example(f"{number} {title.strip()}", "", 1)
        first, *pieces = re.split(r"^--- (.*)\n", body, flags=re.MULTILINE)
        if first.strip():
            example.files["test_example.py"] = Block("test_example.py", _PREAMBLE + first, 1)
        for name, content in zip(pieces[::2], pieces[1::2], strict=True):
            is_test = name.startswith("test") or name == "conftest.py"
            example.files[name] = Block(name, (_PREAMBLE if is_test else "") + content, 1)
        yield example


@pytest.fixture(
    scope="module",
    params=[pytest.param(path, id=path.stem, marks=pytest.mark.xdist_group(path.stem)) for path in _FILES],
)
def verdicts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, oracle: Interpreter
) -> list[Verdict]:
    page = Page(request.param.stem)
    page.examples.extend(_programs(request.param))
    folder = tmp_path_factory.mktemp(request.param.stem)
    cases = harness.cases(page, folder, oracle)
    harness.run(cases, folder, with_fixes=False)
    return [
        Verdict(
            f"{request.param.stem} {case.example.title}",
            "; ".join(str(outcome) for outcome in case.outcomes if outcome.status == "raises"),
            "; ".join(f.message for f in case.findings if f.severity is Severity.ERROR),
        )
        for case in cases
    ]


def test_the_programs_are_run(verdicts: list[Verdict]) -> None:
    raised = sum(1 for verdict in verdicts if verdict.raised)
    assert len(verdicts) > 100
    assert raised > 20
    assert raised < len(verdicts) - 20


def test_no_program_that_passes_draws_an_error(verdicts: list[Verdict]) -> None:
    wrong = [verdict for verdict in verdicts if verdict.reported and not verdict.raised]
    assert wrong == []


def test_the_misses_are_those_that_are_known(verdicts: list[Verdict], oracle: Interpreter) -> None:
    known = _misses((_HERE / "misses.txt").read_text("utf-8"), oracle.version)
    titles = {verdict.title for verdict in verdicts}
    missed = {verdict.title for verdict in verdicts if verdict.raised and not verdict.reported}
    new, gone = sorted(missed - known), sorted((known & titles) - missed)
    if new or gone:
        lines = [*(f"new: {title}" for title in new), *(f"gone: {title}" for title in gone)]
        pytest.fail("\n".join(lines), pytrace=False)


def _misses(text: str, version: tuple[int, int]) -> set[str]:
    """The lines of a list of misses, without those for other versions: ``[<3.11] corners 131 RaisesGroup``."""
    found: set[str] = set()
    for line in text.splitlines():
        mark = re.match(r"\[([^\]]+)\] ", line)
        if mark is None or holds(mark.group(1), version):
            found.add(line[mark.end() :] if mark else line)
    return found


def test_a_miss_may_be_one_of_some_versions() -> None:
    text = "a 1\n[<3.11] b 2\n[>=3.12] [c] 3\n"
    assert _misses(text, (3, 10)) == {"a 1", "b 2"}
    assert _misses(text, (3, 12)) == {"a 1", "[c] 3"}
