"""``understudy check`` on the source distributions of the corpus, one after the other as a user would, beside other
tools: cold, and warm with nothing changed. *parsing* is to read and ``ast.parse`` the same files, in one process.

Wall seconds of all packages together; what each tool finds there is not compared.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from understudy.project.config import Config
from understudy.project.discover import discover

from bench.check import CHECK, OTHERS, parsing, wall
from bench.others import installed
from bench.subjects import packages
from bench.table import Table, Unavailable, repeated


def measure(repeats: int) -> list[Table]:
    folders = packages()
    files = sum(len(discover([folder], Config(), folder).files) for folder in folders)
    table = Table(
        "Check, source distributions of the corpus",
        ["", "wall s", "ours, cold, to it", "ours, warm, to it"],
        note=f"{len(folders)} packages, {files:,} files, each package by itself. Two processes.",
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            programs = installed(Path(folder) / "venv", [command[0] for command in OTHERS.values()])
        except subprocess.CalledProcessError:
            raise Unavailable("ty, pyrefly and ruff cannot be installed") from None
        environment = {**os.environ, "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        cold = repeated(repeats, partial(_all, [*CHECK, "--no-cache"], folders, environment), "s")
        kept = partial(_all, [*CHECK], folders, environment)
        kept()
        warm = repeated(repeats, kept, "s")
        table.rows += [["cold", cold, "", ""], ["warm", warm, "", ""]]
        others = {
            name: repeated(
                repeats, partial(_all, [programs / program, *arguments], folders, environment), "s"
            )
            for name, (program, *arguments) in OTHERS.items()
        }
        others["parsing"] = repeated(repeats, lambda: sum(map(parsing, folders)), "s")
        for name, taken in others.items():
            table.rows.append([name, taken, *(f"{each.median / taken.median:.2f}" for each in (cold, warm))])
    return [table]


def _all(command: list[str | Path], folders: list[Path], environment: dict[str, str]) -> float:
    return sum(wall(command, folder, environment) for folder in folders)
