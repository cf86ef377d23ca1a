"""The server that the extension carries, on the oldest and the newest CPython that is installed, with its own libraries
only: the example backend is checked, and its findings are those of this checkout; a client talks to it.

``python tests/editors/bundled.py`` after ``make vsix``. Interpreters are found as by ``make oracle``.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from oracle import interpreters  # noqa: E402

VSIX = ROOT / "editors" / "vscode" / "dist" / "understudy.vsix"
EXAMPLE = ROOT / "tests" / "projects" / "governance"
SESSIONS = ["tests/lsp/test_lsp_second_tier.py", "tests/lsp/test_lsp_model_fields.py"]
"""What needs most of the libraries: jedi in a process of its own, SQLAlchemy, pygls."""
CHECK = ["check", "--no-cache", "--output-format", "json", "--jobs", "2", "--python", sys.executable, "."]
"""``--python``: for all, the project has the libraries of the environment that runs this."""


def main() -> int:
    expected = checked([sys.executable, "-m", "understudy"])
    assert expected, "nothing is found in the example"
    failed = []
    found = interpreters.find()
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(VSIX) as packed:
            packed.extractall(folder)
        start = Path(folder, "extension", "bundled", "start.py")
        for interpreter in dict.fromkeys((found[0], found[-1])):
            # No site-packages: what is not in the extension is missing.
            command = [str(interpreter.path), "-I", "-S", str(start)]
            same = checked(command) == expected
            print(
                f"{interpreter}: {len(expected)} findings" if same else f"{interpreter}: other findings",
                flush=True,
            )
            if not same or not talked(command):
                failed.append(str(interpreter))
    if failed:
        print("failed on", ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


def checked(command: Sequence[str]) -> list[dict[str, object]]:
    """The findings in the example, by two processes, without what is the server's own: where its pages are."""
    done = subprocess.run([*command, *CHECK], cwd=EXAMPLE, capture_output=True, text=True, check=False)
    if done.returncode != 1:
        print(done.stderr, file=sys.stderr)
        return []
    return [{key: value for key, value in found.items() if key != "url"} for found in json.loads(done.stdout)]


def talked(command: Sequence[str]) -> bool:
    environment = {**os.environ, "UNDERSTUDY_SERVER": shlex.join([*command, "server"])}
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SESSIONS]
    return subprocess.run(pytest, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    raise SystemExit(main())
