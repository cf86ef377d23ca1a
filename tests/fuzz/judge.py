"""Compares what programs do with what Understudy says of them, in both directions.

The runtime's verdict is the line that raises first. Understudy's is the lines of its error findings: the primary place,
and for what is reported where the double was handed over also the related places where it is used. They agree when

- a program that raises ``TypeError`` or ``AttributeError`` has a finding at the line that raises;
- no finding stands at a line that ran without raising, or in a program that passes.

A finding at a line that did not run any more, behind the one that raised, is no disagreement: whoever mends the first
meets it next. Behind another exception (that the program itself configured) it is one: that line never runs.
A line marked ``# vain: US401`` does not raise but tests nothing: there that finding must stand once the line ran.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from understudy.engine import Project
from understudy.finding import Finding, Severity
from understudy.project.config import Config

from fuzz.grammar import Program

_ORACLE = Path(__file__).with_name("oracle.py")
_REQUIRED = ("TypeError", "AttributeError")
_FAILED = ("AssertionError", "Failed")
"""A test that fails by its own expectations: it is meant to pass, and then what follows runs."""
_OURS = ("NameError", "UnboundLocalError", "SyntaxError", "ImportError", "IndentationError")
"""What only a mistake in the grammar raises."""
_ELSEWHERE = re.compile(r"made here|set up here|configured here|bound here|defined here|the spec")
"""What related places say that are not uses."""
_VAIN = re.compile(r"# vain: (US\d+)")

Where = tuple[str, int]


@dataclass(frozen=True)
class Said:
    """An error finding: its code, message, primary line and every line where it says something fails."""

    code: str
    message: str
    primary: Where
    uses: frozenset[Where]


@dataclass
class Verdict:
    """A program, what it did, what was said of it, and how that disagrees."""

    program: Program
    status: str
    exception: str
    message: str
    place: Where | None
    ran: frozenset[Where]
    said: list[Said]
    disagreements: list[str] = field(default_factory=list)
    """``false US101``, ``miss TypeError: …``."""

    @property
    def raised(self) -> bool:
        return self.status == "raises"


class Judge:
    """Runs and analyses batches of programs below one folder."""

    def __init__(self, folder: Path, python: Path | None = None) -> None:
        """
        :param python: the interpreter that runs the programs and whose version the analysis assumes; it needs
            pytest, pytest-asyncio and pytest-mock.
        """
        self.folder = folder.resolve()
        self.python = python
        self.batches = 0
        self._oracle: subprocess.Popen[str] | None = None

    def __enter__(self) -> Judge:
        self._oracle = subprocess.Popen(
            [str(self.python or sys.executable), "-I", "-B", "-W", "ignore", str(_ORACLE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._oracle is not None and self._oracle.stdin is not None
        self._oracle.stdin.close()
        self._oracle.wait(timeout=60)

    def judge(self, programs: Sequence[Program]) -> list[Verdict]:
        """What the runtime and Understudy make of each program."""
        self.batches += 1
        folder = self.folder / f"b{self.batches}"
        names = _write(programs, folder)
        outcomes = self._outcomes(folder, names)
        said = self._analyse(folder, names)
        shutil.rmtree(folder)
        return [
            self._verdict(program, outcomes.get(name, {"status": "broken"}), said[name])
            for name, program in zip(names, programs, strict=True)
        ]

    def _outcomes(self, folder: Path, names: list[str]) -> dict[str, dict[str, Any]]:
        """What the programs in a folder do. One that never ends spoils the run of all: then each is run alone."""
        together = self._run(folder)
        if together is not None:
            return together
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            alone = self.folder / "alone"
            shutil.copytree(folder / name, alone / name)
            shutil.copy(folder / "pytest.ini", alone)
            own = self._run(alone)
            if own is None:
                print("never ends:", *(file.read_text("utf-8") for file in alone.rglob("*.py")), sep="\n")
            found.update(own or {name: {"status": "endless"}})
            shutil.rmtree(alone)
        return found

    def _run(self, folder: Path) -> dict[str, dict[str, Any]] | None:
        """None when the interpreter had to be stopped: too much time, or memory."""
        oracle = self._oracle
        assert oracle is not None and oracle.stdin is not None and oracle.stdout is not None
        oracle.stdin.write(f"{folder}\n")
        oracle.stdin.flush()
        answer = json.loads(oracle.stdout.readline() or "null")
        return None if answer is None else dict(answer)

    def _analyse(self, folder: Path, names: list[str]) -> dict[str, list[Said]]:
        version = _version(self.python) if self.python is not None else None
        project = Project(folder, Config(python=self.python, target_version=version))
        found: dict[str, list[Said]] = {}
        for name in names:
            own = folder / name
            findings = project.finish([project.analyse(path) for path in sorted(own.glob("*.py"))])
            found[name] = [_said(f, own) for f in findings if f.severity is Severity.ERROR]
        return found

    def _verdict(self, program: Program, outcome: dict[str, Any], said: list[Said]) -> Verdict:
        place = outcome.get("place")
        verdict = Verdict(
            program,
            outcome["status"],
            outcome.get("exception", ""),
            outcome.get("message", ""),
            (_plain(place[0]), place[1]) if place else None,
            frozenset((_plain(file), line) for file, line in outcome.get("lines", ())),
            said,
        )
        verdict.disagreements = list(_disagreements(verdict))
        return verdict


def _write(programs: Sequence[Program], folder: Path) -> list[str]:
    """Write each program into a folder of its own; the names of those."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", "utf-8")
    names = [f"p{number}" for number in range(len(programs))]
    for name, program in zip(names, programs, strict=True):
        (folder / name).mkdir()
        for file, text in program.files.items():
            # pytest wants test modules of different names, and modules under test stay imported.
            own = file.replace("service", f"service_{name}").replace("test_example", f"test_{name}")
            (folder / name / own).write_text(re.sub(r"\bservice\b", f"service_{name}", text), "utf-8")
    return names


def _disagreements(verdict: Verdict) -> list[str]:
    if verdict.status == "broken" or verdict.exception in _OURS:
        return [f"broken {verdict.exception}: {verdict.message}"]
    found: list[str] = []
    vain = {
        (file, row): match.group(1)
        for file, text in verdict.program.files.items()
        for row, line in enumerate(text.split("\n"), 1)
        if (match := _VAIN.search(line))
    }
    met = False
    later: list[Said] = []
    for said in verdict.said:
        if verdict.raised and verdict.place in {said.primary, *said.uses}:
            met = True
        elif vain.get(said.primary) == said.code:
            continue
        elif not verdict.raised or said.uses & verdict.ran:
            found.append(f"false {said.code}")
        else:
            later.append(said)
    if later and not met and verdict.exception not in (*_REQUIRED, *_FAILED):
        found.extend(f"unreached {said.code}" for said in later)
    if verdict.raised and not met and verdict.exception in _REQUIRED:
        found.append(f"miss {verdict.exception}: {_kind(verdict.message)}")
    heard = {(said.code, said.primary) for said in verdict.said}
    for where, code in vain.items():
        if where in verdict.ran and where != verdict.place and (code, where) not in heard:
            found.append(f"miss vain {code}")
    return found


def _kind(message: str) -> str:
    """An error's message without what differs from program to program."""
    first = message.partition("\n")[0]
    return re.sub(r"id='\d+'|0x[0-9a-f]+|p\d+|\d+", "…", first)[:90]


def _said(finding: Finding, folder: Path) -> Said:
    def where(path: Path, row: int) -> Where:
        try:
            return (_plain(path.relative_to(folder).as_posix()), row + 1)
        except ValueError:
            return (path.as_posix(), row + 1)

    primary = where(finding.path, finding.span.row)
    related = {
        where(place.path, place.span.row) for place in finding.related if not _ELSEWHERE.match(place.message)
    }
    # What is reported where the double was handed over fails where it is used.
    uses = related or {primary}
    return Said(finding.code, finding.message, primary, frozenset(uses))


def _plain(file: str) -> str:
    """The name of a file before it was made unique."""
    return re.sub(r"_p\d+", lambda _: "" if "service" in file else "_example", file)


def _version(python: Path) -> tuple[int, int]:
    done = subprocess.run(
        [str(python), "-c", "import sys; print(*sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    )
    major, minor = done.stdout.split()
    return int(major), int(minor)
