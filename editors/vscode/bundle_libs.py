"""Fills ``bundled/libs`` with the server of this checkout and what it needs, as pure Python for any platform;
brings the project's licence and changelog along."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBS = HERE / "bundled" / "libs"
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(LIBS)]
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
    compiled = [path for suffix in ("so", "pyd", "dylib") for path in LIBS.rglob(f"*.{suffix}")]
    if compiled:
        print("not pure Python:", *compiled, sep="\n  ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
