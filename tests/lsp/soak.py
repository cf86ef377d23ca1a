"""A long day for a server: random edits over twenty files, with cancels, opens, closes and file events.

    python tests/lsp/soak.py [--edits 20000] [--seed 1]

It fails when the server ends, when its memory (of all its processes) grows by more than a tenth after the first
quarter, or when the findings at the end are not those of a fresh ``understudy check``.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from servers import PATIENCE, Client, initialize, memory

GOVERNANCE = Path(__file__).parents[1] / "projects" / "governance"
FILES = 20
WARM_UP = 2000
"""Steps until everything has happened once: each file recovered by parso, SQLAlchemy and jedi imported."""
PIECES = (
    "x = 1\n",
    "    pass\n",
    "(",
    ")",
    '"""',
    "import os\n",
    "é\U0001f600",
    "\n",
    "    await session.commit()\n",
)


class Editor:
    """Open documents as an editor has them, and what it was last told about each."""

    def __init__(self, client: Client, paths: list[Path], seed: int) -> None:
        self.client = client
        self.chance = random.Random(seed)
        self.paths = paths
        self.original = {path: path.read_text("utf-8") for path in paths}
        self.texts: dict[Path, str] = {}
        self.versions: dict[Path, int] = {}
        self._requests = 1000

    def step(self) -> None:
        path = self.chance.choice(self.paths)
        kind = self.chance.random()
        uri = path.as_uri()
        if path not in self.texts:
            self.open(path)
        elif kind < 0.02:
            self.close(path)
        elif kind < 0.05:
            event = {"uri": self.chance.choice(self.paths).as_uri(), "type": 2}
            self.client.notify("workspace/didChangeWatchedFiles", {"changes": [event]})
        elif kind < 0.12:
            self._requests += 1
            at = {"line": self.chance.randrange(40), "character": self.chance.randrange(20)}
            params = {"textDocument": {"uri": uri}, "position": at}
            self.client.send({"id": self._requests, "method": "textDocument/hover", "params": params})
            if self.chance.random() < 0.5:
                self.client.notify("$/cancelRequest", {"id": self._requests})
        elif kind < 0.2:
            self.edit(path, 0, len(self.texts[path]), self.original[path])
        else:
            text = self.texts[path]
            start = self.chance.randrange(len(text) + 1)
            end = min(len(text), start + self.chance.choice((0, 0, 0, 1, 3)))
            self.edit(path, start, end, self.chance.choice(PIECES))

    def wait(self) -> None:
        """For the findings of a document as it is now, which come after those of all earlier edits."""
        path = self.chance.choice(self.paths)
        if path in self.texts:
            self.edit(path, 0, 0, "")
        else:
            self.open(path)
        self.client.diagnostics(path.as_uri(), self.versions[path])

    def open(self, path: Path) -> None:
        self.texts[path] = self.original[path]
        self.versions[path] = self.versions.get(path, 0) + 1
        item = {
            "uri": path.as_uri(),
            "languageId": "python",
            "version": self.versions[path],
            "text": self.texts[path],
        }
        self.client.notify("textDocument/didOpen", {"textDocument": item})

    def close(self, path: Path) -> None:
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})
        del self.texts[path]

    def edit(self, path: Path, start: int, end: int, new: str) -> None:
        text = self.texts[path]
        change = {"range": {"start": position(text, start), "end": position(text, end)}, "text": new}
        self.texts[path] = text[:start] + new + text[end:]
        self.versions[path] += 1
        self.client.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": path.as_uri(), "version": self.versions[path]},
                "contentChanges": [change],
            },
        )


def position(text: str, at: int) -> dict[str, int]:
    """In UTF-16. The texts have ``\\n`` alone."""
    line = text.rfind("\n", 0, at) + 1
    return {"line": text.count("\n", 0, at), "character": len(text[line:at].encode("utf-16-le")) // 2}


def soak(edits: int, seed: int) -> list[str]:
    """What went wrong, a sentence each."""
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(shutil.copytree(GOVERNANCE, Path(folder).resolve() / "governance"))
        paths = sorted(root.glob("tests/**/*.py"))[: FILES // 2] + sorted(root.glob("backend/services/*.py"))
        client = Client([sys.executable, "-m", "understudy", "server"], root)
        try:
            asked = initialize(root)
            asked["capabilities"]["textDocument"]["hover"] = {}
            client.request("initialize", asked)
            client.notify("initialized", {})
            editor = Editor(client, paths[:FILES], seed)
            taken = []
            warm = max(edits // 4, WARM_UP)
            for number in range(edits):
                if number == warm:
                    # What is done when nobody types has to have happened once, too: jedi is asked, garbage collected.
                    editor.wait()
                    client.settle({})
                editor.step()
                if number % 20 == 19:
                    # As much as a person waits for: the server keeps up, or memory would be that of a server
                    # which has not looked at anything yet.
                    editor.wait()
                if number >= warm and number % (edits // 20) == 0:
                    taken.append(memory(client.process.pid))
            problems += _ends_as_a_check(client, editor, root)
            taken.append(memory(client.process.pid))
            grown = max(taken) / taken[0] - 1
            shown = ", ".join(f"{each / 1e6:.0f}" for each in taken)
            print(
                f"{edits} steps; memory from the first quarter on, and at the end: {shown} MB ({grown:+.1%})"
            )
            if grown > 0.1:
                problems.append(f"memory grew by {grown:.0%}")
        finally:
            client.end()
    return problems


def _ends_as_a_check(client: Client, editor: Editor, root: Path) -> list[str]:
    for path in editor.paths:
        if path not in editor.texts:
            editor.open(path)
        # A file that does not parse is recovered from what it was before: that is not what a check can know.
        editor.edit(path, 0, len(editor.texts[path]), editor.original[path] + "\n")
        path.write_text(editor.texts[path], "utf-8")
        client.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})
    told: dict[str, Any] = {}
    for path in editor.paths:
        uri, version = path.as_uri(), editor.versions[path]
        while told.get(uri, {}).get("version") != version:
            _, message = client.receive(time.perf_counter() + PATIENCE)
            if message.get("method") == "textDocument/publishDiagnostics":
                told[message["params"]["uri"]] = message["params"]
    client.settle(told)
    found = subprocess.run(
        [sys.executable, "-m", "understudy", "check", "--output-format", "json"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    expected: dict[str, set[tuple[str, int]]] = {}
    for item in json.loads(found.stdout):
        uri = (root / item["filename"]).as_uri()
        expected.setdefault(uri, set()).add((item["code"], item["location"]["row"]))
    problems = []
    for path in editor.paths:
        uri = path.as_uri()
        shown = {(item["code"], item["range"]["start"]["line"] + 1) for item in told[uri]["diagnostics"]}
        if path.name.startswith("test_") and shown != expected.get(uri, set()):
            differing = sorted(shown ^ expected.get(uri, set()))
            problems.append(f"{path.name}: the server and a check differ in {differing}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description="Random edits on a real server.")
    parser.add_argument("--edits", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    problems = soak(options.edits, options.seed)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
