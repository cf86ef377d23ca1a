"""What the tests of programs do, beside what is said of them.

An error in a test that passes is *false*. A test that a probe makes raise, and of which nothing is said, is *missed*:
it is counted, for a program may be too large or too unknown. Tests that raise what the code under test raises itself do
not count: a test is meant to pass, and then it had gone another way.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.engine import Project
from understudy.finding import Finding, Severity
from understudy.project.config import Config

from fuzz_flow.programs import CODE, TESTS, Program

_RUNNER = Path(__file__).with_name("runner.py")
_OF_PROBES = re.compile(r"TypeError: object MagicMock can't be used in 'await'|StopAsyncIteration: ")
_OURS = ("SyntaxError", "ImportError", "IndentationError")
"""What only a mistake of the writer raises."""


@dataclass(frozen=True)
class Verdict:
    """A program, what its tests do, and the tests that an error is said of."""

    program: Program
    outcomes: dict[str, str]
    """By test: ``passes``, or the exception and its text. What never ends is missing."""
    said: dict[str, tuple[Finding, ...]]

    @property
    def broken(self) -> list[str]:
        return [text for text in self.outcomes.values() if text.startswith(_OURS)]

    @property
    def false(self) -> list[str]:
        """The tests that pass though an error is said of them."""
        return [test for test in self.said if self.outcomes.get(test) == "passes" or not test]

    @property
    def raised(self) -> list[str]:
        """The tests that a probe makes raise."""
        return [test for test, text in self.outcomes.items() if _OF_PROBES.match(text)]

    @property
    def missed(self) -> list[str]:
        return [test for test in self.raised if test not in self.said]

    def __str__(self) -> str:
        lines = [str(self.program)]
        for test in sorted({*self.false, *self.missed}):
            lines.append(f"# {test}: {self.outcomes.get(test)}")
            lines += [f"#   {finding.code} {finding.message}" for finding in self.said.get(test, ())]
        return "\n".join(lines)


def judge(programs: Sequence[Program], folder: Path) -> list[Verdict]:
    """What becomes of programs, in a folder that is emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [f"p{number:04}" for number in range(len(programs))]
    for name, program in zip(names, programs, strict=True):
        own = folder / name
        own.mkdir()
        (own / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", "utf-8")
        (own / CODE).write_text(program.code, "utf-8")
        (own / TESTS).write_text(program.tests, "utf-8")
    command = [sys.executable, "-I", "-W", "ignore", str(_RUNNER), str(folder)]
    printed = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout
    outcomes: dict[str, dict[str, str]] = json.loads(printed)
    verdicts = [
        Verdict(program, outcomes[name], check(folder / name))
        for name, program in zip(names, programs, strict=True)
    ]
    shutil.rmtree(folder)
    return verdicts


def check(folder: Path) -> dict[str, tuple[Finding, ...]]:
    """The errors that are said, by test; of the name ``""`` outside of tests."""
    project = Project(folder, Config())
    findings = project.finish([project.analyse(folder / name) for name in (CODE, TESTS)])
    tests = [
        node
        for node in ast.parse((folder / TESTS).read_text("utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    said: dict[str, tuple[Finding, ...]] = {}
    for finding in findings:
        if finding.severity is Severity.ERROR:
            row = finding.span.row + 1
            around = [test.name for test in tests if test.lineno <= row <= (test.end_lineno or 0)]
            name = around[0] if around and finding.path.name == TESTS else ""
            said[name] = (*said.get(name, ()), finding)
    return said
