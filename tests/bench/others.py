"""Other tools, from the package index, to measure beside."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path


def installed(folder: Path, names: Sequence[str]) -> Path:
    """Install packages into a new virtual environment; its folder of programs.

    :raises subprocess.CalledProcessError: they cannot be had.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *names], check=True)
    return folder / "bin"
