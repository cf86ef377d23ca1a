"""What Understudy says about a program, beside what happened when it was run."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from understudy.engine import Project
from understudy.finding import Finding, Severity
from understudy.project import config as configuration
from understudy.rules import registry

from fuzz_binding.programs import FAKE, FOLDER, REAL, STUB, Program, Result, run

_PROJECT = f"""\
[project]
name = "p"
version = "0"

[tool.pytest.ini_options]
pythonpath = [".", "{FOLDER}"]
"""

_IDLE = frozenset({"US202", "US203", "US209", "US210", "US213", "US214", "US215"})


@dataclass(frozen=True)
class Comparison:
    program: Program
    result: Result
    findings: tuple[Finding, ...]
    disagreements: tuple[str, ...]
    missed: bool
    """The patch changed nothing, or raised, and nothing is said."""

    def __str__(self) -> str:
        files = "\n".join(f"# --- {name}\n{text}" for name, text in self.program.files.items())
        said = "\n".join(f"{f.path.name}:{f.span.row + 1}: {f.code} {f.message}" for f in self.findings)
        return f"{files}\n# result: {self.result}\n{said}\n" + "\n".join(self.disagreements)


def check(program: Program, folder: Path) -> tuple[Finding, ...]:
    """The findings of US201 to US215 at error or warning severity."""
    for name, text in program.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    loaded = configuration.load(folder, registry.names())
    project = Project(loaded.root, loaded.config)
    findings = project.finish([project.analyse(folder / name) for name in sorted(program.files)])
    return tuple(
        finding
        for finding in findings
        if finding.code.startswith("US2") and finding.severity in (Severity.ERROR, Severity.WARNING)
    )


def _is_unseen(finding: Finding, test: list[str]) -> bool:
    """Is the stub said to be seen by nothing at all? The warning about one that the module sets is that only some code
    sees it, but for ``setdefault``."""
    line = test[finding.span.row]
    return finding.severity is Severity.ERROR or line.startswith(" ") or "setdefault" in line


def compare(program: Program) -> Comparison:
    folder = Path(tempfile.mkdtemp(prefix="binding-"))
    try:
        (folder / "pyproject.toml").write_text(_PROJECT, "utf-8")
        findings = check(program, folder)
    finally:
        shutil.rmtree(folder)
    result = run(program)
    wrong: list[str] = []
    codes = {finding.code for finding in findings}
    faked = any(FAKE in output for output in result.outputs)
    if codes & _IDLE and faked:
        wrong.append("said to change nothing, but the patched object was called")
    # Of a registered function it is only said that no code looks its name up.
    # Of a module under two names, that the code has the other one, whatever it uses of it.
    used = any(f.code in _IDLE - {"US210"} and "no code looks the name up" not in f.message for f in findings)
    if used and not result.failed and not any(REAL in output for output in result.outputs):
        wrong.append("said to change nothing, but the original was not called")
    # A program may fail for another reason before it gets there.
    if "US201" in codes and (not result.failed or result.outputs):
        wrong.append("said to raise when it is entered, but it did not")
    if "US211" in codes and result.failed != "ImportError":
        wrong.append("said to raise ImportError, but it did not")
    test = program.test.split("\n")
    unseen = [f for f in findings if f.code == "US204" and _is_unseen(f, test)]
    if unseen and any(STUB in output for output in result.outputs):
        wrong.append("said to come too late, but the stub was called")
    spoke = bool(codes & (_IDLE | {"US201", "US211", "US204"}))
    idle = bool(result.outputs) and not result.failed and not faked
    missed = not spoke and (idle or result.patching)
    return Comparison(program, result, findings, tuple(wrong), missed)
