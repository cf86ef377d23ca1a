"""What a check prints: the findings in one of the formats, and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from understudy import __version__
from understudy.engine import Project
from understudy.finding import Finding
from understudy.rules import registry
from understudy.source.parse import Parsed
from understudy.source.text import Text


@dataclass(frozen=True)
class Outcome:
    """What a check came to."""

    findings: Sequence[Finding]
    """In order."""
    projects: Sequence[Project]
    """At least one."""
    base: Path
    """Names of files are relative to it when they are inside."""
    problems: Sequence[str] = ()
    """What could not be checked, a sentence each; the user has read it."""
    complete: bool = True
    """False: because of it, the check failed."""

    def parsed_of(self, path: Path) -> Parsed:
        """The file as it was checked.

        :raises SourceError: unreadable.
        """
        for project in self.projects:
            if path.is_relative_to(project.root):
                return project.workspace.parsed(path)
        return self.projects[0].workspace.parsed(path)

    def text_of(self, path: Path) -> Text:
        return self.parsed_of(path).text


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

        out.write(text.render(findings, outcome.text_of, base, text.look(out)))
        out.write(text.summary(findings))
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
    )
    return sarif.render(outcome.findings, outcome.base, outcome.parsed_of, registry.all_rules(), about)
