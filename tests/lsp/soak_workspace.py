"""What an editor shows of a whole workspace is in the end what a fresh ``understudy check`` finds.

    python tests/lsp/soak_workspace.py [--rounds 40] [--steps 60] [--seed 1] [--pushes]

The editor asks for diagnostics, as VS Code does, or takes what it is sent.

A round is so many random steps: edits, opens and closes, files that change, come and go on disk, one by one or many at
once, settings and ``pyproject.toml``. After each, when all is quiet, what is shown of every file is compared.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from soak import GOVERNANCE, PIECES, initialize, position
from watching import Pulling, Watching

_QUIET = (0.7, 2.0, 10.0)
"""Seconds without an answer until nothing more is taken to come; the longer ones when something is wrong till then."""
_SETTINGS: tuple[dict[str, Any], ...] = ({}, {"ignore": ["US2"]}, {"ignore": ["US1", "US3"]})
_PROJECT_SETTINGS = (
    "",
    '[tool.understudy]\nexclude = ["tests/integration"]\n',
    '[tool.understudy.severity]\nUS108 = "off"\n',
)
_CREATED, _CHANGED, _DELETED = 1, 2, 3
_NEW = 3
"""How many files may come and go."""
_MOVING = "backend/tools/canvas_tool.py"


class Person:
    """Somebody at the editor, and others who change files beside it."""

    def __init__(self, client: Watching, root: Path, seed: int) -> None:
        self.client = client
        self.root = root
        self.chance = random.Random(seed)
        self.paths = sorted(root.glob("backend/**/*.py")) + sorted(root.glob("tests/**/*.py"))
        self.original = {path: path.read_text("utf-8") for path in self.paths}
        tests = [path for path in self.paths if path.name.startswith("test_")]
        self.new = {
            path.with_name(f"test_new_{number}.py"): self.original[path]
            for number, path in enumerate(self.chance.sample(tests, _NEW))
        }
        self.project = (root / "pyproject.toml").read_text("utf-8")
        self.texts: dict[Path, str] = {}
        self.versions: dict[Path, int] = {}
        self.ignored: dict[str, Any] = {}
        self.whole_workspace = True
        self.steps: list[str] = []
        """What was done since the last time all was quiet, for whoever reads of a mistake."""

    def step(self) -> None:
        kind = self.chance.random()
        path = self.chance.choice(self.paths)
        if kind < 0.1:
            self.on_disk(path)
        elif kind < 0.11:
            self.on_disk(*self.chance.sample(self.paths, len(self.paths) // 2))
        elif kind < 0.12:
            self.set_project()
        elif kind < 0.13:
            self.move(self.root / _MOVING)
        elif kind < 0.16:
            self.come_or_go(self.chance.choice(list(self.new)))
        elif kind < 0.2:
            self.set()
        elif kind < 0.3 or not self.texts:
            self.open(path)
        elif kind < 0.36:
            self.close(self.chance.choice(list(self.texts)))
        elif kind < 0.42:
            self.save(self.chance.choice(list(self.texts)))
        else:
            path = self.chance.choice(list(self.texts))
            text = self.texts[path]
            start = self.chance.randrange(len(text) + 1)
            end = min(len(text), start + self.chance.choice((0, 0, 0, 1, 3)))
            self.edit(path, start, end, self.chance.choice(PIECES))
        if self.chance.random() < 0.5:
            # What has arrived by now; sometimes a moment later.
            self.client.take_in(self.chance.choice((0.001, 0.001, 0.05, 0.3)))

    def variant(self, path: Path) -> str:
        """What a file may as well be: a line less, or one more."""
        lines = self.original[path].splitlines(keepends=True)
        for _ in range(10):
            at = self.chance.randrange(len(lines)) if lines else 0
            changed = "".join([*lines[:at], *self.chance.choice(([], ["\n"])), *lines[at + 1 :]])
            with suppress(SyntaxError):
                ast.parse(changed)
                return changed
        return self.original[path]

    def on_disk(self, *paths: Path) -> None:
        there = [path for path in paths if path.exists()]
        for path in there:
            self._did("on disk", path)
            path.write_text(self.variant(path), "utf-8")
        self._watched(dict.fromkeys(there, _CHANGED))

    def come_or_go(self, path: Path) -> None:
        self._did("comes or goes", path)
        if path.exists():
            path.unlink()
            self._watched({path: _DELETED})
        else:
            path.write_text(self.new[path], "utf-8")
            self._watched({path: _CREATED})

    def move(self, path: Path) -> None:
        """A module gets another name, and the old one again."""
        other = path.with_name("moved.py")
        old, new = (path, other) if path.exists() else (other, path)
        if old in self.texts:
            return
        self._did(f"move {old.name} to {new.name}")
        old.rename(new)
        self._watched({old: _DELETED, new: _CREATED})

    def set_project(self) -> None:
        path = self.root / "pyproject.toml"
        self._did("set the project")
        path.write_text(self.chance.choice(_PROJECT_SETTINGS) + self.project, "utf-8")
        self._watched({path: _CHANGED})

    def set(self) -> None:
        self.ignored = self.chance.choice(_SETTINGS)
        self.whole_workspace = self.chance.random() < 0.7
        mode = "workspace" if self.whole_workspace else "openFiles"
        self.client.settings = {**self.ignored, "diagnosticMode": mode}
        self._did(f"set {self.client.settings}")
        self.client.notify("workspace/didChangeConfiguration", {"settings": None})

    def open(self, path: Path) -> None:
        if path in self.texts or not path.exists():
            return
        self._did("open", path)
        self.texts[path] = path.read_text("utf-8")
        self.versions[path] = self.versions.get(path, 0) + 1
        item = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": self.texts[path]}
        self.client.notify("textDocument/didOpen", {"textDocument": {**item, "version": self.versions[path]}})
        self.client.opened(path.as_uri())

    def close(self, path: Path) -> None:
        self._did("close", path)
        self.client.closing(path.as_uri())
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})
        del self.texts[path]

    def save(self, path: Path) -> None:
        """What does not parse is not kept: a check cannot know what it was before."""
        with suppress(SyntaxError):
            ast.parse(self.texts[path])
            self._did("save", path)
            path.write_text(self.texts[path], "utf-8")
            self.client.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})
            self._watched({path: _CHANGED})

    def edit(self, path: Path, start: int, end: int, new: str) -> None:
        self._did("edit", path)
        text = self.texts[path]
        where = {"start": position(text, start), "end": position(text, end)}
        self.texts[path] = text[:start] + new + text[end:]
        self.versions[path] += 1
        identity = {"uri": path.as_uri(), "version": self.versions[path]}
        changes = [{"range": where, "text": new}]
        self.client.notify("textDocument/didChange", {"textDocument": identity, "contentChanges": changes})
        self.client.changed(path.as_uri())

    def rest(self) -> list[str]:
        """All that is open is written down as something that parses. What is shown then that a check does not find,
        or the other way round."""
        for path in self.texts:
            self.edit(path, 0, len(self.texts[path]), self.variant(path))
            self.save(path)
        expected = self._found()
        for quiet in _QUIET:
            self.client.take_in(quiet)
            problems = self._differences(expected)
            if not problems:
                break
        if problems:
            problems.append("after " + "; ".join(self.steps))
        self.steps.clear()
        return problems

    def _differences(self, expected: dict[Path, set[tuple[str, int]]]) -> list[str]:
        problems = []
        for path in [*self.paths, *self.new]:
            shown = {
                (item["code"], item["range"]["start"]["line"] + 1)
                for item in self.client.shown.get(path.as_uri(), ())
            }
            wanted = expected.get(path, set()) if self.whole_workspace or path in self.texts else set()
            if shown != wanted:
                state = "open" if path in self.texts else "closed"
                more, less = sorted(shown - wanted), sorted(wanted - shown)
                problems.append(f"{path.relative_to(self.root)} ({state}): shown {more}, not shown {less}")
        return problems

    def _found(self) -> dict[Path, set[tuple[str, int]]]:
        command = [sys.executable, "-m", "understudy", "check", "--no-cache", "--output-format", "json"]
        if self.ignored:
            command.append(f"--ignore={','.join(self.ignored['ignore'])}")
        found = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        expected: dict[Path, set[tuple[str, int]]] = {}
        for item in json.loads(found.stdout):
            path = self.root / item["filename"]
            expected.setdefault(path, set()).add((item["code"], item["location"]["row"]))
        return expected

    def _watched(self, paths: dict[Path, int]) -> None:
        changes = [{"uri": path.as_uri(), "type": kind} for path, kind in paths.items()]
        self.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})

    def _did(self, what: str, path: Path | None = None) -> None:
        self.steps.append(what if path is None else f"{what} {path.relative_to(self.root)}")


def soak(kind: type[Watching], rounds: int, steps: int, seed: int) -> list[str]:
    """What went wrong, a sentence each. It ends with the first round that went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(shutil.copytree(GOVERNANCE, Path(folder).resolve() / "governance"))
        client = kind([sys.executable, "-m", "understudy", "server"], root)
        client.settings = {"diagnosticMode": "workspace"}
        try:
            asked = initialize(root)
            for section, more in client.capabilities().items():
                asked["capabilities"][section].update(more)
            client.request("initialize", asked)
            client.notify("initialized", {})
            person = Person(client, root, seed)
            for _ in range(rounds):
                for _ in range(steps):
                    person.step()
                if problems := person.rest():
                    return problems
        finally:
            client.end()
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description="Random edits in a whole workspace.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pushes", action="store_true")
    options = parser.parse_args()
    problems = soak(Watching if options.pushes else Pulling, options.rounds, options.steps, options.seed)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
