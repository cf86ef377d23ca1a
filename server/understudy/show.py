"""What a check prints: the findings in one of the formats, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from understudy import __version__
from understudy.engine import Project
from understudy.finding import Finding
from understudy.index.workspace import Workspace
from understudy.rules import registry
from understudy.source.parse import Parsed
from understudy.source.text import Text


class Sources:
    """The files of several projects as they were checked."""

    def __init__(self, projects: Sequence[Project]) -> None:
        self._projects = projects

    def parsed(self, path: Path) -> Parsed:
        """
        :raises SourceError: unreadable.
        """
        return self._workspace(path).parsed(path)

    def text(self, path: Path) -> Text:
        """
        :raises SourceError: unreadable.
        """
        return self._workspace(path).text(path)

    def _workspace(self, path: Path) -> Workspace:
        project = next((each for each in self._projects if path.is_relative_to(each.root)), self._projects[0])
        return project.workspace


@dataclass(frozen=True)
class Outcome:
    """What a check came to."""

    findings: Sequence[Finding]
    """In order."""
    sources: Sources
    base: Path
    """Names of files are relative to it when they are inside."""
    problems: Sequence[str] = ()
    """What could not be checked, a sentence each; the user has read it."""
    complete: bool = True
    """False: because of it, the check failed."""

    partial: bool = False
    """True: the user has ended the check before it was done."""
    known: int | None = None
    """How many findings a baseline hides; None without a baseline."""


def show(outcome: Outcome, output_format: str, statistics: bool, out: TextIO) -> None:
    """Print the findings.

    :param output_format: ``text``, ``concise``, ``json``, ``sarif`` or ``github``.
    :param statistics: the counts, too; of JSON they are the only document, in SARIF a property of the run.
    """
    findings, base = outcome.findings, outcome.base
    if output_format == "json":
        if statistics:
            from understudy.report import statistics as counts

            out.write(counts.render_json(findings, base))
            return
        from understudy.report import jsonout

        out.write(jsonout.render(findings, base, registry.url))
        return
    if output_format == "sarif":
        out.write(_sarif(outcome, statistics))
        return
    if output_format == "concise":
        from understudy.report import concise

        out.write(concise.render(findings, base))
    elif output_format == "github":
        from understudy.report import github

        out.write(github.render(findings, base))
    else:
        from understudy.report import text

        out.write(text.render(findings, outcome.sources.text, base, text.look(out)))
        out.write(text.summary(findings, outcome.known, so_far=outcome.partial))
        if statistics and findings:
            out.write("\n")
    if statistics:
        from understudy.report import statistics as counts

        out.write(counts.render(findings, base))


def _sarif(outcome: Outcome, statistics: bool) -> str:
    from understudy.report import sarif
    from understudy.report import statistics as counts

    about = sarif.About(
        __version__,
        outcome.complete,
        outcome.problems,
        counts.objects(outcome.findings, outcome.base) if statistics else None,
        compared=outcome.known is not None,
    )
    return sarif.render(outcome.findings, outcome.base, outcome.sources.parsed, registry.all_rules(), about)
