"""The CPython interpreters of this machine that Understudy knows the behaviour of.

``PYTHONS`` (paths of interpreters, separated as in ``PATH``) says which; without it they are looked for by name on
``PATH`` and in pyenv's folder of versions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.project.config import NEWEST, OLDEST

_ASK = (
    "import sys, platform; "
    "print(platform.python_implementation(), *sys.version_info[:3], sys.version_info.releaselevel)"
)


class NoInterpreterError(Exception):
    """``str()`` says which path is none, or that there is none at all."""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter, by its path, and its version."""

    path: Path
    version: tuple[int, int]
    micro: int

    @property
    def name(self) -> str:
        """``3.12``"""
        return f"{self.version[0]}.{self.version[1]}"

    def __str__(self) -> str:
        return f"CPython {self.name}.{self.micro} ({self.path})"


RUNNING = Interpreter(Path(sys.executable), sys.version_info[:2], sys.version_info.micro)


def find(environ: Mapping[str, str] = os.environ) -> list[Interpreter]:
    """One for each known version of CPython that is installed, oldest first; of several, the newest release.

    :raises NoInterpreterError: ``PYTHONS`` names something else than known versions of CPython.
    """
    named = environ.get("PYTHONS", "")
    if named:
        chosen = []
        for path in map(Path, named.split(os.pathsep)):
            interpreter = ask(path)
            if interpreter is None:
                raise NoInterpreterError(f"PYTHONS: {path} is no CPython of a known version")
            chosen.append(interpreter)
        return chosen
    found: dict[tuple[int, int], Interpreter] = {}
    for path in _candidates(environ):
        interpreter = ask(path)
        if interpreter is None:
            continue
        known = found.get(interpreter.version)
        if known is None or known.micro < interpreter.micro:
            found[interpreter.version] = interpreter
    return [found[version] for version in sorted(found)]


def ask(path: Path) -> Interpreter | None:
    """What an interpreter says that it is; None when it does not run, or is no known version of CPython."""
    try:
        done = subprocess.run(
            [path, "-I", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    if done.returncode or len(words) != 5 or words[0] != "CPython" or words[4] != "final":
        return None
    major, minor, micro = map(int, words[1:4])
    return Interpreter(path, (major, minor), micro) if OLDEST <= (major, minor) <= NEWEST else None


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    yield RUNNING.path
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        found = shutil.which(f"python3.{minor}", path=environ.get("PATH", ""))
        if found is not None:
            yield Path(found)
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "~")).expanduser() / ".pyenv")
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        yield from sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python"))
