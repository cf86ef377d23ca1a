"""What is measured: the largest test files of the corpus that use mocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from understudy.engine import Project
from understudy.project import config as configuration
from understudy.project.discover import discover
from understudy.rules import registry

from bench.table import Unavailable

CORPUS = Path(__file__).parents[2] / ".corpus" / "src"
LARGEST = 5


@dataclass(frozen=True)
class Subject:
    """A test file, and the root of the package that it belongs to."""

    root: Path
    path: Path
    lines: int

    @property
    def name(self) -> str:
        return self.path.relative_to(self.root.parent).as_posix()

    def project(self) -> Project:
        """The package as a project that nothing is known of yet."""
        loaded = configuration.load(self.root, registry.names())
        return Project(loaded.root, loaded.config)


def packages() -> list[Path]:
    """The folders of the packages that were fetched.

    :raises Unavailable: none was.
    """
    found = [root for root in sorted(CORPUS.glob("*/")) if not root.name.endswith(".partial")]
    if not found:
        raise Unavailable("no corpus: run `make corpus` first")
    return found


@cache
def largest() -> tuple[Subject, ...]:
    """The five largest test files in which ``mock`` is imported.

    :raises Unavailable: the corpus was not fetched.
    """
    found: list[Subject] = []
    for root in packages():
        loaded = configuration.load(root, registry.names())
        project = Project(loaded.root, loaded.config)
        for path in discover([root], loaded.config, loaded.root).files:
            if project.is_test(path):
                text = path.read_text("utf-8", "replace")
                if "mock" in text:
                    found.append(Subject(root, path, text.count("\n")))
    if len(found) < LARGEST:
        raise Unavailable("no corpus: run `make corpus` first")
    return tuple(sorted(found, key=lambda subject: -subject.lines)[:LARGEST])
