"""``make oracle``: rule pages and differential programs, run for real on every known CPython that is installed, and
analysed for its version; both have to agree.

``python tests/oracle/run.py [--others] [--ends] [ARGUMENTS OF PYTEST]``; ``--others`` leaves out the version that runs
this, for which ``make test`` does the same, ``--ends`` all but the oldest and the newest that are left. Each
interpreter gets a virtual environment in ``.oracle/``, with what examples import (the dependency group ``oracle`` of
``pyproject.toml``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from oracle import interpreters  # noqa: E402
from oracle.interpreters import RUNNING, Interpreter, NoInterpreterError  # noqa: E402

CACHE = ROOT / ".oracle"
TESTS = ("tests/pages/test_pages.py", "tests/differential")
_PROJECT = ROOT / "pyproject.toml"


class NotInstalledError(Exception):
    """An environment cannot be made; ``str()`` is what pip said."""


def prepared(interpreter: Interpreter, cache: Path = CACHE) -> Path:
    """The ``python`` of an interpreter's virtual environment, made anew when what it has to hold changed.

    :raises NotInstalledError: see there.
    """
    folder = cache / interpreter.name
    python = folder / "bin" / "python"
    stamp = folder / ".made-of"
    made_of = f"{interpreter}\n{_group('oracle')}"
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == made_of:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    commands: list[list[str | Path]] = [
        [interpreter.path, "-m", "venv", "--without-pip", folder],
        [
            *(sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install"),
            *("--quiet", "--group", f"{_PROJECT}:oracle"),
        ],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalledError(f"{interpreter}: {done.stderr.strip() or done.stdout.strip()}")
    stamp.write_text(made_of, "utf-8")
    return python


def _group(name: str) -> str:
    """The text of a dependency group."""
    text = _PROJECT.read_text("utf-8")
    start = text.index(f"\n{name} = [")
    return text[start : text.index("]\n", start)].strip()


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 when all agree on all interpreters, 1 when not, 2 when it could not be tried."""
    try:
        found = interpreters.find()
    except NoInterpreterError as error:
        print(error, file=sys.stderr)
        return 2
    others = "--others" in arguments
    if others:
        found = [interpreter for interpreter in found if interpreter.version != RUNNING.version]
    if "--ends" in arguments and len(found) > 2:
        found = [found[0], found[-1]]
    arguments = [argument for argument in arguments if argument not in ("--others", "--ends")]
    versions = ", ".join(interpreter.name for interpreter in found)
    beside = f" beside {RUNNING.name}" if others else ""
    print(f"Found{beside}: {versions or 'none'}.", flush=True)
    failed: list[str] = []
    for interpreter in found:
        try:
            python = prepared(interpreter)
        except NotInstalledError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"\n{interpreter}", flush=True)
        started = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]
        command += ["--oracle", str(python), *TESTS, *arguments]
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environ, check=False)
        print(f"{interpreter.name}: {time.monotonic() - started:.0f} s", flush=True)
        if done.returncode:
            failed.append(interpreter.name)
    if failed:
        print(f"\nAnalysis and runtime disagree on {', '.join(failed)}.", file=sys.stderr)
        return 1
    if found:
        print(f"\nAnalysis and runtime agree on {versions}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
