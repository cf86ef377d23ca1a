"""What the tests of programs do, beside what is said of them.

An error in a test all of whose cases pass is *false*, and so is one in a test that is skipped or never collected; one
outside of tests (in a fixture, a setup, the code under test) is false where nothing in the program fails. A test that
passes only after what others left behind is none of these: what is said of it happens when it is run alone. A test that
fails because of a double, and of which nothing is said, is *missed*: it is counted by what it raises.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from understudy.engine import Project
from understudy.finding import Finding, Severity
from understudy.project.config import Config

from fuzz_fixtures.programs import Program

_RUNNER = Path(__file__).with_name("runner.py")
_INI = "[pytest]\nasyncio_mode = auto\npythonpath = .\n"
ELSEWHERE: Final = ""
"""The name of what stands in no test."""
KINDS: Final = {
    "await": r"TypeError: object \S+ can't be used in 'await' expression",
    "async with": r"\w+: .*(asynchronous context manager|__aenter__)",
    "async for": r"TypeError: 'async for' ",
    "with": r"\w+: .*(context manager protocol|__enter__)",
    "used up": r"Stop(Async)?Iteration|RuntimeError: .* raised Stop",
    "no attribute": r"AttributeError: (Mock object has no|'\w+' object has no|.* does not have the) attribute",
    "arguments": r"TypeError: (missing a|too many|got an unexpected|unexpected)",
    "assertion of a mock": r"AssertionError: (Expected|expected|Awaits|Calls)",
}
"""What a double makes a test raise."""


@dataclass(frozen=True)
class Verdict:
    """A program, what its tests do, and the tests that an error is said of."""

    program: Program
    outcomes: dict[str, tuple[str, ...]]
    """By test: of each case ``passes``, ``skipped``, ``xfailed``, or the exception and its text."""
    said: dict[str, tuple[Finding, ...]]
    broken: tuple[str, ...]
    """What could not be collected: then nothing is judged."""
    depending: frozenset[str] = frozenset()
    """The tests that do not raise among the others, and do alone."""

    @property
    def passed(self) -> list[str]:
        return [test for test, cases in self.outcomes.items() if set(cases) == {"passes"}]

    @property
    def false(self) -> list[str]:
        """The tests that do not raise though an error is said of them."""
        return [] if self.broken else [test for test in self.said if not self._may_fail(test)]

    @property
    def raised(self) -> dict[str, str]:
        """The tests that fail because of a double, each with the kind of that."""
        found: dict[str, str] = {}
        for test, cases in self.outcomes.items():
            kinds = [kind for text in cases for kind, pattern in KINDS.items() if re.match(pattern, text)]
            if kinds and not self.broken:
                found[test] = kinds[0]
        return found

    @property
    def missed(self) -> list[str]:
        return [test for test in self.raised if test not in self.said]

    def _may_fail(self, test: str) -> bool:
        if test in self.depending:
            return True
        if test == ELSEWHERE:
            return len(self.passed) < len(self.outcomes)
        return not {"passes", "skipped"}.issuperset(self.outcomes.get(test, ()))

    def __str__(self) -> str:
        lines = [str(self.program)]
        for test in sorted({*self.false, *self.missed}):
            lines.append(f"# {test}: {', '.join(self.outcomes.get(test, ('is not run',)))}")
            lines += [
                f"#   {finding.path.name}:{finding.span.row + 1} {finding.code} {finding.message}"
                for finding in self.said.get(test, ())
            ]
        return "\n".join(lines)


def judge(programs: Sequence[Program], folder: Path) -> list[Verdict]:
    """What becomes of programs, in a folder that is emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    verdicts = []
    for place, outcomes, broken in _run([(program, ELSEWHERE) for program in programs], folder):
        verdicts.append(Verdict(programs[len(verdicts)], outcomes, check(place), broken))
    suspects = [
        (number, test)
        for number, verdict in enumerate(verdicts)
        for test in verdict.false
        if test and len(verdict.outcomes) > 1
    ]
    alone = _run([(programs[number], test) for number, test in suspects], folder / "alone")
    for (number, test), (_, outcomes, _) in zip(suspects, alone, strict=True):
        if not {"passes", "skipped"}.issuperset(outcomes.get(test, ())):
            depending = verdicts[number].depending | {test}
            verdicts[number] = replace(verdicts[number], depending=depending)
    shutil.rmtree(folder)
    return verdicts


def _run(
    programs: Sequence[tuple[Program, str]], folder: Path
) -> list[tuple[Path, dict[str, tuple[str, ...]], tuple[str, ...]]]:
    """Of each program, or of one test of it: where it is, what becomes of its tests, and what is not collected."""
    folder.mkdir(parents=True)
    places = [folder / f"p{number:04}" for number in range(len(programs))]
    for place, (program, test) in zip(places, programs, strict=True):
        write(program, place)
        if test:
            (place / "only.txt").write_text(test, "utf-8")
    if not programs:
        return []
    command = [sys.executable, "-I", "-W", "ignore", str(_RUNNER), str(folder)]
    printed = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout
    ran = []
    for place in places:
        found = json.loads(printed)[place.name]
        outcomes = {test: tuple(text for text, _ in cases.values()) for test, cases in found["cases"].items()}
        ran.append((place, outcomes, tuple(found["broken"])))
    return ran


def write(program: Program, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text(_INI, "utf-8")
    for name, text in program.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def check(folder: Path, config: Config | None = None) -> dict[str, tuple[Finding, ...]]:
    """The errors that are said, by test."""
    project = Project(folder, config or Config())
    paths = sorted(folder.rglob("*.py"))
    said: dict[str, tuple[Finding, ...]] = {}
    for finding in project.finish([project.analyse(path) for path in paths]):
        if finding.severity is Severity.ERROR:
            name = _test_at(finding.path, finding.span.row + 1, folder)
            said[name] = (*said.get(name, ()), finding)
    return said


def _test_at(path: Path, row: int, folder: Path) -> str:
    for name, first, last in _tests(ast.parse(path.read_text("utf-8")).body, ""):
        if first <= row <= last:
            return f"{path.relative_to(folder).as_posix()}::{name}"
    return ELSEWHERE


def _tests(body: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, int, int]]:
    """The test functions, each with its first row and its last."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield prefix + node.name, first, node.end_lineno or node.lineno
