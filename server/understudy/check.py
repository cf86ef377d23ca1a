"""``understudy check``: find the files, analyse them, fix, report."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from understudy.engine import Analysis, Project
from understudy.finding import Finding
from understudy.fixes import apply
from understudy.project import config as configuration
from understudy.project.discover import discover
from understudy.rules import registry
from understudy.source.text import Text

_ROUNDS = 5
"""A fix may uncover another finding; after this many rounds the rest is left for the next run."""

FOUND_NOTHING, FOUND, COULD_NOT_RUN = 0, 1, 2


@dataclass(frozen=True)
class Options:
    """The arguments of the command."""

    paths: tuple[Path, ...]
    output_format: str = "text"
    select: list[str] | None = None
    ignore: list[str] | None = None
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    exit_zero: bool = False
    python: str | None = None
    jobs: int | None = None
    statistics: bool = False


def run(options: Options, out: TextIO, err: TextIO) -> int:
    """Check, report, and give the exit status."""
    try:
        projects, unreadable = _projects(options, err)
    except _Unusable as error:
        print(f"understudy: {error}", file=err)
        return COULD_NOT_RUN
    base = Path.cwd()
    findings: list[Finding] = []
    fixed = 0
    for project, files in projects:
        if options.fix and not options.diff:
            fixed += _fix(project, files, options, err)
        shown, problems, failed = _analyse(project, files)
        for problem in problems:
            print(problem, file=err)
        unreadable = unreadable or failed
        if options.diff:
            _print_diff(project, shown, options, base, out, err)
        findings.extend(shown)
    findings.sort(key=lambda finding: finding.sort_key)
    if not options.diff:
        _report(findings, projects, options, base, out)
    if fixed and options.output_format == "text":
        print(f"Fixed {fixed} finding{'s' if fixed != 1 else ''}.", file=err)
    if unreadable:
        return COULD_NOT_RUN
    return FOUND if findings and not options.exit_zero else FOUND_NOTHING


class _Unusable(Exception):
    """The check cannot run; ``str()`` says why."""


def _projects(options: Options, err: TextIO) -> tuple[list[tuple[Project, list[Path]]], bool]:
    """The projects that the paths belong to, each with its files to check."""
    unreadable = False
    by_root: dict[Path, tuple[Project, dict[Path, None]]] = {}
    said: set[str] = set()
    for path in options.paths:
        absolute = Path(os.path.abspath(path))
        if not absolute.exists():
            print(f"understudy: {path}: no such file or folder", file=err)
            unreadable = True
            continue
        folder = absolute if absolute.is_dir() else absolute.parent
        loaded = configuration.load(folder, registry.names())
        if loaded.fatal:
            raise _Unusable("; ".join(str(problem) for problem in loaded.problems))
        settings = {"select": options.select, "ignore": options.ignore, "python": options.python}
        config, problems = configuration.merge(
            loaded.config, settings, registry.names(), Path.cwd(), "command line"
        )
        if problems:
            raise _Unusable("; ".join(str(problem) for problem in problems))
        for problem in loaded.problems:
            if str(problem) not in said:
                said.add(str(problem))
                print(f"understudy: {problem}", file=err)
        if loaded.root not in by_root:
            by_root[loaded.root] = (Project(loaded.root, config), {})
        project, files = by_root[loaded.root]
        found = discover([path], config, loaded.root)
        for sentence in found.problems:
            print(f"understudy: {sentence}", file=err)
            unreadable = True
        files.update(dict.fromkeys(found.files))
    return [(project, list(files)) for project, files in by_root.values()], unreadable


def _analyse(project: Project, files: Sequence[Path]) -> tuple[list[Finding], list[str], bool]:
    """The findings, what could not be checked in a sentence each, and whether that must fail the run."""
    analyses: list[Analysis] = []
    problems: list[str] = []
    failed = False
    for path in files:
        crashes: list[str] = []
        analysis = project.analyse(path, lambda code, error, into=crashes: into.append(_crash(code, error)))
        analyses.append(analysis)
        problems.extend(analysis.problems)
        problems.extend(f"{os.path.relpath(path)}: {crash}" for crash in crashes)
        failed = failed or analysis.unreadable or bool(crashes)
    return project.finish(analyses), problems, failed


def _crash(code: str, error: Exception) -> str:
    """A mistake of ours: the other rules and files go on."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"internal error in {code} ({type(error).__name__}: {error}, at {Path(where.filename).name}:{where.lineno}); "
        "please report it"
    )


def _fix(project: Project, files: Sequence[Path], options: Options, err: TextIO) -> int:
    """Apply fixes until none is left; how many findings were fixed."""
    fixed = 0
    for _ in range(_ROUNDS):
        findings, _, _ = _analyse(project, files)
        plan = apply.plan(findings, unsafe=options.unsafe_fixes)
        if not plan.chosen:
            break
        outcome = apply.write_fixed(plan, project.workspace.text)
        for refusal in outcome.refused:
            print(f"understudy: {refusal.path}: not fixed: {refusal.reason}", file=err)
        for changed in outcome.changed:
            project.workspace.changed_on_disk(changed.path)
        fixed += len(outcome.plan.applied)
        if not outcome.changed:
            break
    return fixed


def _print_diff(
    project: Project, findings: list[Finding], options: Options, base: Path, out: TextIO, err: TextIO
) -> None:
    outcome = apply.preview(apply.plan(findings, unsafe=options.unsafe_fixes), project.workspace.text)
    for refusal in outcome.refused:
        print(f"understudy: {refusal.path}: not fixed: {refusal.reason}", file=err)
    out.write(apply.diff(outcome.changed, base))


def _report(
    findings: list[Finding],
    projects: list[tuple[Project, list[Path]]],
    options: Options,
    base: Path,
    out: TextIO,
) -> None:
    def text_of(path: Path) -> Text:
        for project, _ in projects:
            if path.is_relative_to(project.root):
                return project.workspace.text(path)
        return projects[0][0].workspace.text(path)

    if options.output_format == "json":
        from understudy.report import jsonout

        out.write(jsonout.render(findings, base, registry.url))
    elif options.output_format == "concise":
        from understudy.report import concise

        out.write(concise.render(findings, base))
    elif options.output_format == "github":
        from understudy.report import github

        out.write(github.render(findings, base))
    else:
        from understudy.report import text

        out.write(text.render(findings, text_of, base, text.look(out)))
        out.write(text.summary(findings))
    if options.statistics:
        from understudy.report import statistics

        out.write(statistics.render(findings))
