"""Files that are not open, checked when there is nothing else to do (``diagnosticMode: workspace``).

Used by the analysis thread only. What is found is kept; what is read for it is not, or a large workspace would not
fit into memory.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from understudy.engine import Analysis
from understudy.finding import Finding
from understudy.lsp.exchange import Progress
from understudy.lsp.projects import OpenProject, others_behind
from understudy.project.modules import Asked

_KEPT_TREES = 400
"""Files whose trees stay in memory from one background analysis to the next."""
_MOST_BITS = 4096
"""For questions about folders. What shares a bit is looked at more often than it has to be."""


@dataclass(slots=True)
class _Result:
    findings: tuple[Finding, ...]
    """In any file."""
    dependencies: int
    """The files that it rests on, a bit each."""
    others: int
    """What else it rests on: bits that others may have, too."""
    plain: bool


@dataclass
class Background:
    """The closed files of one project: those that wait, and what was found in the others."""

    opened: OpenProject
    waiting: dict[Path, None] = field(default_factory=dict)
    shown: dict[Path, tuple[Finding, ...] | None] = field(default_factory=dict)
    """What the editor was last told about closed files; None when it may show what it was told while they were open."""
    _results: dict[Path, _Result] = field(default_factory=dict)
    _bits: dict[Path, int] = field(default_factory=dict)
    _others: dict[re.Pattern[bytes] | Asked, int] = field(default_factory=dict)
    """Patterns and questions about folders, with the bit of each."""
    _answers: dict[Asked, int] = field(default_factory=dict)
    """What stands for the answer to each of the questions."""
    _found_in: dict[Path, set[Path]] = field(default_factory=dict)
    """By file: those whose analysis found something in it."""
    _total: int = 0

    def start(self, open_files: Collection[Path]) -> list[Path]:
        """All files of the project wait that are not known yet. Those that are gone, or excluded now."""
        files = dict.fromkeys(self.opened.project.workspace.files())
        gone = [path for path in {**self._results, **self.shown} if path not in files]
        for path in gone:
            self._results.pop(path, None)
            self.waiting.pop(path, None)
        self.add(path for path in files if path not in open_files and path not in self._results)
        return gone

    def add(self, paths: Iterable[Path]) -> None:
        if not self.waiting:
            self._total = 0
        for path in paths:
            if path not in self.waiting:
                self.waiting[path] = None
                self._total += 1

    def changed(
        self,
        paths: Collection[Path],
        others: Iterable[re.Pattern[bytes] | Asked],
        open_files: Collection[Path],
    ) -> None:
        """Whatever rests on these files, or on something else, waits again."""
        mask = 0
        for path in paths:
            mask |= self._bits.get(path, 0)
        more = 0
        for other in others:
            more |= self._others.get(other, 0)
        self.add(
            path
            for path, known in self._results.items()
            if (known.dependencies & mask or known.others & more) and path not in open_files
        )

    def answered_otherwise(self) -> list[Asked]:
        """The questions about folders that have another answer since files were created, deleted or renamed."""
        different = [asked for asked, answer in self._answers.items() if self._answer(asked) != answer]
        for asked in different:
            self._answers[asked] = self._answer(asked)
        return different

    def _answer(self, asked: Asked) -> int:
        return hash(tuple(self.opened.project.workspace.finder.listing.answer(asked)))

    def opened_in_editor(self, path: Path) -> None:
        """From now on the file is another's business."""
        self.waiting.pop(path, None)
        self._results.pop(path, None)
        self.shown.pop(path, None)

    def closed_in_editor(self, path: Path) -> None:
        """The editor is to be told what is known about it, if it is nothing, too."""
        self.shown[path] = None

    @property
    def progress(self) -> Progress:
        return Progress(self.opened.project.root, self._total - len(self.waiting), self._total)

    def done(self, path: Path, analysis: Analysis) -> list[Path]:
        """Note an analysis; the closed files whose findings may be others now."""
        self.waiting.pop(path, None)
        before = self._results.get(path)
        mask = 0
        for dependency in analysis.dependencies:
            mask |= self._bits.setdefault(dependency, 1 << len(self._bits))
        self._results[path] = _Result(analysis.findings, mask, self._bits_of_others(analysis), analysis.plain)
        for finding in analysis.findings:
            self._found_in.setdefault(finding.path, set()).add(path)
        concerned = {path: None, **{finding.path: None for finding in analysis.findings}}
        if before is not None:
            concerned.update((finding.path, None) for finding in before.findings)
        return list(concerned)

    def _bits_of_others(self, analysis: Analysis) -> int:
        mask = 0
        for each in others_behind(self.opened.project.workspace, analysis):
            mask |= self._others.setdefault(each, 1 << len(self._others) % _MOST_BITS)
            if isinstance(each, Asked) and each not in self._answers:
                self._answers[each] = self._answer(each)
        return mask

    def findings(self, path: Path, others: Iterable[Analysis]) -> tuple[Finding, ...] | None:
        """What is to be shown in a closed file; None when that is shown already.

        :param others: the analyses of the open files.
        """
        found_by = {*self._found_in.get(path, ()), path} & self._results.keys()
        analyses = [
            Analysis(
                of,
                tuple(finding for finding in self._results[of].findings if finding.path == path),
                frozenset(),
                (),
                plain=self._results[of].plain,
            )
            for of in found_by
        ]
        analyses.extend(analysis for analysis in others if any(f.path == path for f in analysis.findings))
        found = tuple(finding for finding in self.opened.project.finish(analyses) if finding.path == path)
        if self.shown.get(path, ()) == found:
            return None
        self.shown[path] = found
        return found

    def make_room(self, open_files: Collection[Path]) -> None:
        """Let go of what was read, beyond what is often read again."""
        self.opened.project.workspace.let_go(_KEPT_TREES, open_files)
