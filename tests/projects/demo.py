"""The main job, shown: a real backend, its broken tests, the findings, the fixes, the tests again.

``python tests/projects/demo.py`` works on a copy of the example backend and leaves the original alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

BACKEND = Path(__file__).parent / "governance"


@dataclass(frozen=True)
class Result:
    """One run of a test suite, by test id."""

    passed: frozenset[str]
    failed: frozenset[str]

    def __str__(self) -> str:
        return f"{len(self.failed)} of {len(self.passed | self.failed)} tests fail"


def copy_backend(folder: Path) -> Path:
    """A copy of the example backend to work on."""
    target = folder / "governance"
    shutil.copytree(BACKEND, target, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    return target


def run_tests(backend: Path) -> Result:
    """Run the backend's whole test suite under pytest."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", f"--junitxml={report}"],
            cwd=backend,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        passed: set[str] = set()
        failed: set[str] = set()
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            broken = case.find("failure") is not None or case.find("error") is not None
            (failed if broken else passed).add(name)
        return Result(frozenset(passed), frozenset(failed))


def check(backend: Path, *arguments: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """``understudy check`` in the backend's folder; ``quiet`` keeps what it prints for the result."""
    command = [sys.executable, "-m", "understudy", "check", *arguments, "."]
    return subprocess.run(command, cwd=backend, capture_output=quiet, text=True, check=False)


def main() -> int:
    check(BACKEND)
    with tempfile.TemporaryDirectory() as folder:
        backend = copy_backend(Path(folder))
        before = run_tests(backend)
        print(f"\nOn a copy of the backend:\n  before:                            {before}", flush=True)
        fixed = check(backend, "--fix", "--unsafe-fixes", quiet=True)
        print(fixed.stderr, end="")
        after = run_tests(backend)
        print(f"  after check --fix --unsafe-fixes:  {after}")
        newly = sorted(after.failed - before.failed)
        print(f"  newly failing:                     {', '.join(newly) or 'none'}")
        return 0 if len(after.failed) < len(before.failed) and not newly else 1


if __name__ == "__main__":
    raise SystemExit(main())
