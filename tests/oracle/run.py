"""``make oracle``: rule pages and differential programs, run for real on every known CPython that is installed, and
analysed for its version; both have to agree.

``python tests/oracle/run.py [--others] [--within SECONDS] [ARGUMENTS OF PYTEST]``; ``--others`` leaves out the version
that runs this, for which ``make test`` does the same; ``--within`` begins with the oldest and the newest, and with none
that would take longer. Each interpreter gets a virtual environment in ``.oracle/``, with what examples import (the
dependency group ``oracle`` of ``pyproject.toml``).
"""

from __future__ import annotations

import argparse
import math
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
_AT_LEAST = 120.0
"""Seconds that one interpreter takes, before one did."""


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
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--within", type=float, default=math.inf)
    options, for_pytest = parser.parse_known_args(arguments)
    try:
        found = interpreters.find()
    except NoInterpreterError as error:
        print(error, file=sys.stderr)
        return 2
    if options.others:
        found = [interpreter for interpreter in found if interpreter.version != RUNNING.version]
    beside = f" beside {RUNNING.name}" if options.others else ""
    print(f"Found{beside}: {', '.join(each.name for each in found) or 'none'}.", flush=True)
    ends = time.monotonic() + options.within
    took = _AT_LEAST
    agreed: list[str] = []
    failed: list[str] = []
    for interpreter in [*found[:1], *found[:0:-1]]:
        if time.monotonic() + took > ends:
            print(f"{interpreter.name} is left out: it would take longer than there is time")
            continue
        try:
            python = prepared(interpreter)
        except NotInstalledError as error:
            print(error, file=sys.stderr)
            return 2
        print(f"\n{interpreter}", flush=True)
        started = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]
        command += ["--oracle", str(python), *TESTS, *for_pytest]
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environ, check=False)
        took = max(took, time.monotonic() - started)
        print(f"{interpreter.name}: {time.monotonic() - started:.0f} s", flush=True)
        (failed if done.returncode else agreed).append(interpreter.name)
    if failed:
        print(f"\nAnalysis and runtime disagree on {', '.join(failed)}.", file=sys.stderr)
        return 1
    if agreed:
        print(f"\nAnalysis and runtime agree on {', '.join(agreed)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
