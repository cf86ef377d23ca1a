"""Runs the command as a user would, in a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AWAITED = """\
from unittest.mock import MagicMock


async def test_commit():
    session = MagicMock()
    await session.commit()
"""
"""One finding: US101 at 6:5, with a safe fix."""


def fixed(raw: bytes) -> bytes:
    """What ``--fix`` makes of a file with that finding."""
    return raw.replace(b"import MagicMock", b"import AsyncMock, MagicMock").replace(
        b"= MagicMock", b"= AsyncMock"
    )


FIXED = fixed(AWAITED.encode()).decode()


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def messages(self) -> list[str]:
        return self.err.splitlines()

    @property
    def places(self) -> list[str]:
        """``file:row:column code`` of each finding, of the concise format."""
        found = []
        for line in self.out.splitlines():
            place, _, rest = line.partition(": ")
            found.append(f"{place} {rest[rest.index('[') + 1 : rest.index(']')]}")
        return found

    @property
    def json(self) -> list[dict[str, Any]]:
        objects: list[dict[str, Any]] = json.loads(self.out)
        return objects


def environ() -> dict[str, str]:
    """That of this process, without what would change what is found or how it looks."""
    return {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "COLUMNS")}


def run(folder: Path, *arguments: str | Path) -> Ran:
    """``understudy ARGUMENTS``. It never ends with a traceback, and never hangs."""
    done = subprocess.run(
        [sys.executable, "-m", "understudy", *map(str, arguments)],
        cwd=folder,
        env={**environ(), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


@contextmanager
def signals_heard() -> Iterator[None]:
    """What is started meanwhile hears of Ctrl-C: where the tests themselves were started in the background, SIGINT is
    ignored, and a child inherits that (POSIX, *Signals and Error Handling* of the shell's commands)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check(folder: Path, *arguments: str | Path) -> Ran:
    """``understudy check --output-format concise``."""
    return run(folder, "check", "--output-format", "concise", *arguments)


def project(folder: Path, configuration: str = "[tool.understudy]\n", **files: str | bytes) -> Path:
    """A project with a configuration and Python files: ``test_a="…"``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(configuration, "utf-8")
    for name, content in files.items():
        raw = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.py").write_bytes(raw)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
