"""What passes between the event loop and the thread that analyses. Plain data: nothing here needs the engine, whose
import takes longer than the answer to ``initialize`` may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.finding import Finding
from understudy.lsp.documents import Document
from understudy.source.text import Text

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject


@dataclass(frozen=True, slots=True)
class Settings:
    """The workspace folders and what the editor is configured to, per folder and for all else."""

    folders: tuple[Path, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    by_folder: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    whole_workspace: bool = False
    """Findings of files that are not open, too."""

    def folder_of(self, path: Path) -> Path | None:
        """The innermost workspace folder that holds a path."""
        holding = [folder for folder in self.folders if path.is_relative_to(folder)]
        return max(holding, key=lambda folder: len(folder.parts), default=None)

    def values_for(self, path: Path) -> Mapping[str, Any]:
        folder = self.folder_of(path)
        own = self.by_folder.get(folder) if folder is not None else None
        return self.values if own is None else own


@dataclass(frozen=True, slots=True)
class Report:
    """What is known about one version of an open document."""

    document: Document
    findings: tuple[Finding, ...]
    """In order of place, suppressed ones left out."""
    texts: Mapping[Path, Text]
    """The texts that related places and fixes refer to, as far as they can be read."""


@dataclass(slots=True)
class Change:
    """Everything that happened since the last one was taken."""

    opened: dict[Path, Document] = field(default_factory=dict)
    """Python files opened or edited, the latest version of each, the latest edit last."""
    closed: dict[Path, None] = field(default_factory=dict)
    on_disk: dict[Path, None] = field(default_factory=dict)
    moved: bool = False
    """Files were created, deleted or renamed."""
    recheck: bool = False
    settings: Settings | None = None
    """Configuration has to be read anew, with these settings."""
    answered: dict[Path, None] = field(default_factory=dict)
    """Files whose questions the second tier can answer now."""
    clear: bool = False
    """Nothing that is kept from earlier is to be used, neither in memory nor on disk."""
    resume: bool = False
    """Go on with the files that are not open."""

    def __bool__(self) -> bool:
        happened = self.opened or self.closed or self.on_disk or self.moved or self.recheck
        return bool(happened) or self.settings is not None or self.resume or bool(self.answered)

    def concerns(self, path: Path) -> bool:
        """Will an analysis of the file have to be repeated for certain?"""
        return path in self.opened or path in self.closed or self.settings is not None

    def open(self, path: Path, document: Document) -> None:
        self.closed.pop(path, None)
        self.opened.pop(path, None)
        self.opened[path] = document

    def close(self, path: Path) -> None:
        self.opened.pop(path, None)
        self.closed[path] = None


class Withdrawn(Exception):
    """The answer to a question that rests on a version of a document which is no longer current."""


@dataclass(eq=False)
class Question:
    """Something to be run on the analysis thread, with the project that a file belongs to."""

    path: Path
    work: Callable[[OpenProject], object]
    document: Document | None = None
    """The version of the file that the answer rests on; None when it is about no version of any."""
    answer: Future[object] = field(default_factory=Future)
    withdrawn: bool = False
    """Set by whoever asked when nobody waits for the answer any longer."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the background work of a folder is. ``done == total`` at the end."""

    folder: Path
    done: int
    total: int
