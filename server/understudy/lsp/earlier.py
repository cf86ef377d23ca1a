"""What the last session found in the files that are opened first, for as long as it is sure to hold.

It is shown while everything is read that an analysis needs, and that analysis follows. Used by the analysis thread
only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from understudy.engine import Analysis, Project
from understudy.index.hashes import Hashes
from understudy.index.workspace import Interrupted
from understudy.jobs import Checked
from understudy.lsp.documents import Document
from understudy.results import Results
from understudy.source.text import SourceError, read


class Earlier:
    """Of one project: what is known of its files when it is made, and what is worth keeping of this session."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._results: Results | None = None
        self._known: dict[Path, Analysis] | None = None
        self._new: dict[Path, Analysis] = {}

    def find(self, path: Path, documents: Mapping[Path, Document]) -> Analysis | None:
        """What is known of a file. The first question decides which files are known: those that are open then, if
        all are as they are on disk."""
        if self._known is None:
            self._known = {}
            self._known = self._look(documents)
        return self._known.pop(path, None)

    def _look(self, documents: Mapping[Path, Document]) -> dict[Path, Analysis]:
        kept_facts = self._project.workspace.kept_facts
        if kept_facts is None:
            return {}
        results = Results(self._project, Hashes(kept_facts.store, self._project.root))
        results.look()
        self._results = results
        if not _are_as_on_disk(documents):
            return {}
        try:
            found = results.known(documents)
            results.share_matches()
        except Interrupted:
            self.forget()
            raise
        return found

    def forget(self) -> None:
        """Files are no longer as they were when the session began."""
        self._results, self._known = None, {}
        self._new.clear()

    def note(self, analysis: Analysis) -> None:
        """Keep an analysis, when there is time."""
        if self._results is not None:
            self._new[analysis.path] = analysis

    @property
    def pending(self) -> bool:
        """Is there anything new to keep?"""
        return bool(self._new)

    def keep(self, documents: Mapping[Path, Document]) -> None:
        """Write down what is new, if nothing is open that is not as it is on disk."""
        if self._results is not None and _are_as_on_disk(documents):
            self._results.keep([Checked(self._new[path]) for path in self._new if path in documents])
        self._new.clear()


def _are_as_on_disk(documents: Mapping[Path, Document]) -> bool:
    return all(_is_as_on_disk(path, document) for path, document in documents.items())


def _is_as_on_disk(path: Path, document: Document) -> bool:
    try:
        return read(path).content == document.source.content
    except SourceError:
        return False
