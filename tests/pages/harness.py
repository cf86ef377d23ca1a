"""Checks a page: its examples are analysed, run, fixed, and run again. Each step lists its complaints."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from oracle.interpreters import RUNNING, Interpreter
from understudy.engine import Project
from understudy.finding import Finding, Fix, Severity
from understudy.fixes import apply
from understudy.project import config as configuration
from understudy.project.discover import discover
from understudy.rules import registry

from pages import marks
from pages.markdown import DEFAULT_SETTINGS, Example, Page, PageError, holds, read
from pages.marks import Expected, MarkedFile, Runtime

_ROUNDS = 10
_RAISING = (
    "US1",
    "US201",
    "US206",
    "US207",
    "US211",
    "US212",
    "US218",
    "US221",
    "US301",
    "US302",
    "US303",
    "US304",
    "US403",
    "US405",
    "US409",
    "US410",
    "US501",
    "US504",
)
_WITHOUT_EFFECT = (
    "US202",
    "US203",
    "US204",
    "US209",
    "US210",
    "US213",
    "US214",
    "US215",
    "US216",
    "US217",
    "US219",
    "US221",
    "US309",
    "US310",
    "US311",
    "US312",
    "US411",
    "US502",
    "US503",
)
"""Warnings about what has no effect, or the wrong one: a test that fails with it passes when it is mended."""
_LEAVING = ("US205", "US222")
"""Warnings about what a test leaves behind: tests that are somewhere else fail."""
RUNNER = Path(__file__).with_name("runner.py")


@dataclass(frozen=True)
class Outcome:
    """What became of a test (or of importing a file, when ``test`` is None)."""

    file: str
    test: str | None
    status: str
    exception: str = ""
    message: str = ""

    def __str__(self) -> str:
        return f"{self.exception}: {self.message}" if self.status == "raises" else self.status

    def agrees(self, expected: Runtime) -> bool:
        if self.status != expected.status or self.status != "raises":
            return self.status == expected.status
        return self.exception == expected.exception and expected.message in self.message


@dataclass
class Mended:
    """A copy of an example with all fixes applied. A finding may have several: ``rank`` 0 takes the first of each,
    1 the second where there is one, and so on."""

    rank: int
    folder: Path
    remaining: list[Finding]
    """What the fixes left."""
    refused: list[str]
    outcomes: list[Outcome] | None = None

    @property
    def when(self) -> str:
        return " after the fixes" if not self.rank else f" after the fixes of rank {self.rank + 1}"


@dataclass
class Case:
    """An example on disk: as it is written, and copies for the fixes."""

    page: str
    example: Example
    folder: Path
    interpreter: Interpreter = RUNNING
    """Runs it, and is what the analysis takes for the project's."""
    outcomes: list[Outcome] | None = None
    mended: list[Mended] = field(default_factory=list)
    log: str = ""

    @cached_property
    def files(self) -> dict[str, MarkedFile]:
        version = self.interpreter.version
        return {name: marks.read(self.page, block, version) for name, block in self.example.files.items()}

    @property
    def applies(self) -> bool:
        """False for an example that is about other versions of Python."""
        return bool(holds(self.example.python, self.interpreter.version))

    @property
    def original(self) -> Path:
        return self.folder / "original"

    @property
    def where(self) -> str:
        return f"{self.page}:{self.example.line}: {self.example.title}"

    @property
    def plugins(self) -> list[str]:
        text = "".join(file.source for file in self.files.values())
        return ["asyncio", "mocker", *(["hypothesis"] if "hypothesis" in text else [])]

    # --- static

    @cached_property
    def findings(self) -> list[Finding]:
        self._write(self.original)
        return self._check(self.original)

    def _write(self, folder: Path) -> None:
        if "pyproject.toml" not in self.files:
            _write_file(folder / "pyproject.toml", DEFAULT_SETTINGS)
        for name, file in self.files.items():
            _write_file(folder / name, file.source)

    def _check(self, folder: Path) -> list[Finding]:
        project, files = project_in(folder, self.interpreter)
        analyses = [project.analyse(path) for path in files]
        problems = [problem for analysis in analyses for problem in analysis.problems]
        if problems:
            raise PageError(self.page, self.example.line, "; ".join(problems))
        return project.finish(analyses)

    def findings_complaints(self) -> list[str]:
        """Findings that the page does not announce, and announced ones that are not there."""
        complaints: list[str] = []
        left = [expected for file in self.files.values() for expected in file.expected]
        for finding in self.findings:
            name = finding.path.relative_to(self.original).as_posix()
            candidates = [
                expected
                for expected in left
                if (expected.file, expected.row, expected.code) == (name, finding.span.row, finding.code)
            ]
            exact = [expected for expected in candidates if not self._differences(expected, finding)]
            if exact:
                left.remove(exact[0])
            elif candidates:
                left.remove(candidates[0])
                for difference in self._differences(candidates[0], finding):
                    complaints.append(f"{self.page}:{candidates[0].page_line}: {finding.code}: {difference}")
            else:
                complaints.append(
                    f"{self._page_line(name, finding.span.row)}: not announced: {finding.severity.value}: "
                    f"[{finding.code}] {finding.message} (columns {_columns(finding)})"
                )
        for expected in left:
            complaints.append(
                f"{self.page}:{expected.page_line}: {expected.code} is announced but not found "
                f"({expected.file})"
            )
        return complaints

    def _differences(self, expected: Expected, finding: Finding) -> list[str]:
        found: list[str] = []
        if finding.severity is not expected.severity:
            found.append(f"is {finding.severity.value}, not {expected.severity.value}")
        if expected.message not in finding.message:
            found.append(f"the message is {finding.message!r}, without {expected.message!r}")
        line = self.files[expected.file].source.split("\n")[expected.row]
        span = finding.span
        columns = (span.column, span.end_column if span.end_row == span.row else len(line))
        if expected.columns is not None and expected.columns != columns:
            found.append(
                f"stands at columns {columns[0]}-{columns[1]} ({line[slice(*columns)]!r}), the carets at "
                f"{expected.columns[0]}-{expected.columns[1]} ({line[slice(*expected.columns)]!r})"
            )
        fix = finding.fix
        actual = "no" if fix is None else fix.applicability.value
        if expected.fix and expected.fix != actual:
            found.append(f"has {actual} fix, announced is {expected.fix} fix")
        if not expected.fix and fix is None:
            found.append("has no fix; write (no fix) after the code if that is meant")
        return found

    def _page_line(self, name: str, row: int) -> str:
        file = self.files.get(name)
        return f"{self.page}:{file.page_line + row}" if file else f"{self.where}: {name}:{row + 1}"

    # --- running

    def runtime_complaints(self) -> list[str]:
        """Tests that do something else than the page says, and errors in tests that do not raise."""
        assert self.outcomes is not None, "run() comes first"
        complaints = self._compare(self.outcomes, self._expected_outcomes(), "")
        for file in self.files.values():
            for test in file.tests:
                if test.runtime.status == "raises":
                    continue
                for finding in self._errors_in(file.name, test.rows):
                    complaints.append(
                        f"{self._page_line(file.name, finding.span.row)}: {finding.code} is an error, but "
                        f"{test.name} {test.runtime}"
                    )
        raising = any(outcome.status == "raises" for outcome in self.outcomes)
        if not (complaints or raising) and any(map(_raises_always, self.findings)) and self._all_tests():
            complaints.append(f"{self.where}: there are errors, but no test raises")
        return complaints

    def _all_tests(self) -> list[marks.TestFunction]:
        return [test for file in self.files.values() for test in file.tests]

    def _errors_in(self, name: str, rows: range) -> list[Finding]:
        return [
            finding
            for finding in self.findings
            if finding.path == self.original / name and finding.span.row in rows and _raises_always(finding)
        ]

    def _idle_in(self, name: str, rows: range) -> list[Finding]:
        return [
            finding
            for finding in self.findings
            if finding.path == self.original / name
            and finding.span.row in rows
            and finding.code in _WITHOUT_EFFECT
        ]

    def _expected_outcomes(self) -> dict[tuple[str, str | None], Runtime]:
        expected: dict[tuple[str, str | None], Runtime] = {}
        for file in self.files.values():
            if file.collection.status != "passes":
                expected[file.name, None] = file.collection
            else:
                # Of two tests with one name, only the last is run.
                expected |= {(file.name, test.name): test.runtime for test in file.tests}
        return expected

    def _compare(
        self, outcomes: Sequence[Outcome], expected: dict[tuple[str, str | None], Runtime], when: str
    ) -> list[str]:
        complaints: list[str] = []
        left = dict(expected)
        if not outcomes and expected:
            return [f"{self.where}: nothing was run{when}; pytest says:\n{self.log}"]
        for outcome in outcomes:
            key = (outcome.file, outcome.test)
            left.pop(key, None)
            wanted = expected.get(key, Runtime())
            if not outcome.agrees(wanted):
                what = outcome.test or "the import"
                line = f"{self.page}:{wanted.page_line}" if wanted.marked else self.where
                complaints.append(f"{line}: {outcome.file}: {what}{when}: {outcome}, but expected: {wanted}")
        for (name, test), wanted in left.items():
            if wanted.status == "not collected":
                continue
            complaints.append(f"{self.where}: {name}: {test or 'the import'} was not run{when}")
        return complaints

    # --- fixing

    def apply_fixes(self) -> None:
        """Write copies and apply all fixes to them, unsafe ones included, until none is left."""
        ranks = max(len(_fixes(finding)) for finding in self.findings)
        self.mended = [self._mend(rank) for rank in range(ranks)]

    def _mend(self, rank: int) -> Mended:
        mended = Mended(rank, self.folder / f"fixed{rank or ''}", [], [])
        self._write(mended.folder)
        edited, files = project_in(mended.folder, self.interpreter)
        for path in files:
            # As in an editor: more is kept for what is open.
            edited.workspace.open(path, edited.workspace.text(path))
        for _ in range(_ROUNDS):
            project, files = project_in(mended.folder, self.interpreter)
            mended.remaining = project.finish([project.analyse(path) for path in files])
            if edited.finish([edited.analyse(path) for path in files]) != mended.remaining:
                mended.refused.append("a project that saw the edits finds something else than a new one")
            plan = apply.plan((_with_one_fix(finding, rank) for finding in mended.remaining), unsafe=True)
            if not plan.chosen:
                return mended
            result = apply.write_fixed(plan, project.workspace.text)
            mended.refused.extend(f"{refusal.path.name} {refusal.reason}" for refusal in result.refused)
            if not result.changed:
                break
            for change in result.changed:
                edited.workspace.open(change.path, change.after)
        mended.refused.append(f"fixes are still left after {_ROUNDS} rounds")
        return mended

    @property
    def has_fixes(self) -> bool:
        return any(finding.fixes for finding in self.findings)

    def fix_complaints(self) -> list[str]:
        """Fixes that leave or bring findings, break the file, or do not make the tests pass."""
        if not self.has_fixes:
            if self.example.fixed:
                return [f"{self.where}: a file after the fixes is shown, but there are no fixes"]
            return []
        assert self.mended, "run() comes first"
        complaints = self._shown_complaints(self.mended[0])
        for mended in self.mended:
            complaints += self._mended_complaints(mended)
        return complaints

    def _mended_complaints(self, mended: Mended) -> list[str]:
        assert mended.outcomes is not None, "run() comes first"
        complaints = [f"{self.where}:{mended.when}: {reason}" for reason in mended.refused]
        allowed = Counter(
            (finding.path.relative_to(self.original).as_posix(), finding.code)
            for finding in self.findings
            if not finding.fixes
        )
        for finding in mended.remaining:
            key = (finding.path.relative_to(mended.folder).as_posix(), finding.code)
            allowed[key] -= 1
            if allowed[key] < 0:
                complaints.append(
                    f"{self.where}:{mended.when}, {key[0]}:{finding.span.row + 1} still has, or now has, "
                    f"{finding.code}: {finding.message}"
                )
        for name in self.files:
            if name.endswith(".py"):
                try:
                    ast.parse((mended.folder / name).read_text("utf-8"))
                except SyntaxError as error:
                    complaints.append(f"{self.where}: {name} does not parse{mended.when}: {error}")
        complaints += self._compare(mended.outcomes, self._expected_after(mended), mended.when)
        return complaints

    def _shown_complaints(self, mended: Mended) -> list[str]:
        complaints: list[str] = []
        for name, block in self.example.fixed.items():
            actual = _tidy(marks.bare((mended.folder / name).read_text("utf-8")))
            if actual != _tidy(marks.bare(block.content)):
                complaints.append(
                    f"{self.page}:{block.line}: the fixes make {name} something else:\n{actual}"
                )
        return complaints

    def _expected_after(self, mended: Mended) -> dict[tuple[str, str | None], Runtime]:
        """Tests pass now, but for those that still have a finding, and those that no finding explains."""
        expected = self._expected_outcomes()
        remaining = {(f.path.relative_to(mended.folder).as_posix(), f.code) for f in mended.remaining}
        outside = any(
            finding.fixes and (finding.code in _LEAVING or not self._in_test(finding))
            for finding in self.findings
        )
        for file in self.files.values():
            for test in file.tests:
                if test.runtime.status != "raises" or (file.name, test.name) not in expected:
                    continue
                explained = [*self._errors_in(file.name, test.rows), *self._idle_in(file.name, test.rows)]
                own = [f for f in explained if f.fixes]
                # The fix of one finding may be the end of another, too.
                kept = [f for f in explained if not f.fixes and (file.name, f.code) in remaining]
                if (own and not kept) or (outside and not remaining):
                    expected[file.name, test.name] = Runtime()
        return expected

    def _in_test(self, finding: Finding) -> bool:
        file = self.files[finding.path.relative_to(self.original).as_posix()]
        return any(finding.span.row in test.rows for test in file.tests)


def _fixes(finding: Finding) -> list[Fix]:
    return [fix for fix in finding.fixes if fix.edits]


def _with_one_fix(finding: Finding, rank: int) -> Finding:
    """The fix of that rank alone; the last one where there are fewer."""
    fixes = _fixes(finding)
    return replace(finding, fixes=tuple(fixes[min(rank, len(fixes) - 1) :][:1]) if fixes else ())


def _raises_always(finding: Finding) -> bool:
    """An error about an async double, a patch target or a constructor, or one about a mock that says so: the test
    that reaches it raises."""
    if finding.code.startswith("US4") and " raises " in finding.message:
        return True
    return finding.severity is Severity.ERROR and finding.code.startswith(_RAISING)


def _columns(finding: Finding) -> str:
    return f"{finding.span.column}-{finding.span.end_column}"


def _tidy(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().split("\n"))


def _write_file(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8", newline="\n")


def project_in(folder: Path, interpreter: Interpreter) -> tuple[Project, list[Path]]:
    """A folder as a project whose Python is an interpreter, unless its own configuration says another; its files."""
    loaded = configuration.load(folder, registry.names())
    if loaded.problems:
        raise AssertionError("; ".join(str(problem) for problem in loaded.problems))
    config = loaded.config
    if config.target_version is None:
        config = replace(config, target_version=interpreter.version)
    if config.python is None and interpreter != RUNNING:
        config = replace(config, python=interpreter.path)
    project = Project(loaded.root, config)
    return project, list(discover([folder], loaded.config, loaded.root).files)


def cases(page: Page, folder: Path, interpreter: Interpreter = RUNNING) -> list[Case]:
    """The examples of a page, each with a folder of its own; those about other versions of Python, too."""
    return [
        Case(page.path, example, folder / f"{index:02}", interpreter)
        for index, example in enumerate(page.examples)
    ]


def run(
    prepared: Sequence[Case], folder: Path, *, with_fixes: bool = True, postgresql: str | None = None
) -> None:
    """Analyse, fix, and run all the cases; their outcomes are set afterwards. ``postgresql`` is the URL of a server
    whose empty schemas take the place of SQLite's databases."""
    jobs: list[dict[str, object]] = []
    prepared = [case for case in prepared if case.applies]
    if not prepared:
        return
    for case in prepared:
        _ = case.findings
        jobs.append({"folder": str(case.original), "plugins": case.plugins, "postgresql": postgresql})
        if with_fixes and case.has_fixes:
            case.apply_fixes()
            for mended in case.mended:
                jobs.append({"folder": str(mended.folder), "plugins": case.plugins, "postgresql": postgresql})
    folder.mkdir(parents=True, exist_ok=True)
    request = folder / "jobs.json"
    request.write_text(json.dumps({"jobs": jobs, "parallel": min(2, os.cpu_count() or 1)}), "utf-8")
    done = subprocess.run(
        [prepared[0].interpreter.path, "-I", "-B", str(RUNNER), str(request)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"the runner failed:\n{done.stderr}")
    for case in prepared:
        case.outcomes = _outcomes(case, case.original)
        if with_fixes and case.has_fixes:
            for mended in case.mended:
                mended.outcomes = _outcomes(case, mended.folder)


def _outcomes(case: Case, folder: Path) -> list[Outcome]:
    result = Path(f"{folder}.outcome.json")
    log = Path(f"{folder}.log")
    case.log = log.read_text("utf-8", "replace") if log.exists() else ""
    if not result.exists():
        raise AssertionError(f"{case.where}: pytest did not finish:\n{case.log}")
    found = []
    for outcome in json.loads(result.read_text("utf-8"))["outcomes"]:
        found.append(
            Outcome(
                outcome["file"],
                outcome["test"],
                outcome["status"],
                outcome.get("exception", ""),
                outcome.get("message", ""),
            )
        )
    return found


def complaints(path: str, text: str, folder: Path, interpreter: Interpreter = RUNNING) -> list[str]:
    """Everything that is wrong with a page's examples."""
    try:
        prepared = cases(read(path, text), folder, interpreter)
        run(prepared, folder)
    except PageError as error:
        return [str(error)]
    found: list[str] = []
    for case in prepared:
        if case.applies:
            found += case.findings_complaints() + case.runtime_complaints() + case.fix_complaints()
    return found
