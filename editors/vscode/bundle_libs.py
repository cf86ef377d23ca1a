"""Fills ``bundled/libs`` with the server of this checkout and what it needs, as pure Python for any platform;
brings the project's licence and changelog along."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBS = HERE / "bundled" / "libs"
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(LIBS)]
LEFT_OUT = {"greenlet", "importlib-metadata"}
"""Compiled, or for Pythons that Understudy does not run on."""
ANY_PLATFORM = [
    *("--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none"),
    *("--python-version=3.10", "--requirement", str(HERE / "requirements.txt")),
]


def main() -> int:
    shutil.rmtree(LIBS, ignore_errors=True)
    subprocess.run([*PIP, *ANY_PLATFORM], check=True)
    subprocess.run([*PIP, str(HERE.parents[1])], check=True)
    shutil.rmtree(LIBS / "bin", ignore_errors=True)
    for name in ("LICENSE", "CHANGELOG.md"):
        shutil.copy(HERE.parents[1] / name, HERE / name)
    missing = [*_missing()]
    if missing:
        print("to be added to requirements.txt:", *missing, sep="\n  ", file=sys.stderr)
        return 1
    compiled = [path for suffix in ("so", "pyd", "dylib") for path in LIBS.rglob(f"*.{suffix}")]
    if compiled:
        print("not pure Python:", *compiled, sep="\n  ", file=sys.stderr)
        return 1
    return 0


def _missing() -> Iterator[str]:
    """What a package in ``libs`` asks for, on some Python or platform, and is not there. Extras do not count."""
    there = {_normal(found.metadata["Name"]): found for found in metadata.distributions(path=[str(LIBS)])}
    for name, found in sorted(there.items()):
        for requirement in found.requires or ():
            needed = re.match(r"[\w.-]+", requirement)
            if needed is None or "extra ==" in requirement or _normal(needed[0]) in {*there, *LEFT_OUT}:
                continue
            yield f"{requirement} (for {name})"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    raise SystemExit(main())
