"""``understudy check``: find the files, analyse them, fix, report."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from understudy import executors
from understudy.engine import Analysis, Project
from understudy.executors import ExecutorError, Workers
from understudy.finding import Finding
from understudy.fixes import apply
from understudy.index.kept_facts import Caches
from understudy.infer.tier2 import Tier2
from understudy.jobs import Checked, Checker, process_count, without_interrupts
from understudy.project import config as configuration
from understudy.project import environment
from understudy.project.changes import Changes, ChangesError, changed_since
from understudy.project.config import Config, ConfigProblem, Loaded
from understudy.project.discover import discover
from understudy.report import display_path, one_line, plural
from understudy.report.baseline import Baseline, BaselineError, Entry
from understudy.results import Results
from understudy.rules import registry
from understudy.show import Outcome, Sources, show
from understudy.source.suppress import UNUSED_CODE
from understudy.touched import Touched

_ROUNDS = 5
"""A fix may uncover another finding; after this many rounds the rest is left for the next run."""

_SHOWN_GONE = 10
_SHOWN_ALIKE = 5
_PLACE = re.compile(r"^.*?:\d+:\d+: ")

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
    executor: str = executors.PROCESSES
    changed_since: str | None = None
    """A revision of git: only findings that may be others than there."""
    statistics: bool = False
    baseline: Path | None = None
    write_baseline: bool = False
    """Write the findings to ``baseline`` instead of comparing with it."""
    cache: bool = True


def run(options: Options, out: TextIO, err: TextIO) -> int:
    """Check, report, and give the exit status."""
    try:
        if options.executor != executors.PROCESSES and options.jobs is not None:
            raise _Unusable(f"--jobs counts processes: leave it or --executor {options.executor} out")
        projects, complete = _projects(options, err)
        baseline = _baseline(options)
        changes = [_changes(project, options) for project, _ in projects]
    except _Unusable as error:
        _say(err, str(error))
        return COULD_NOT_RUN
    projects = [
        (project, files if changed is None or changed.files or options.write_baseline else [])
        for (project, files), changed in zip(projects, changes, strict=True)
    ]
    base = Path.cwd()
    sources = Sources([project for project, _ in projects])
    hidden = baseline if not options.write_baseline else None

    def visible(
        project: Project, checked: Sequence[Checked], touched: Collection[Path] | None
    ) -> list[Finding]:
        found = project.finish([item.analysis for item in checked])
        outside = _elsewhere(found, checked, touched)
        if hidden is not None:
            found = hidden.compare(found, sources.parsed).new
        return [finding for finding in found if finding not in outside]

    findings: list[Finding] = []
    elsewhere: set[Finding] = set()
    problems: list[str] = []
    judged: dict[Path, Project] = {}
    fixed = done = 0
    caches = Caches(partial(_say, err), used=options.cache)
    for project, _ in projects:
        project.workspace.kept_facts = caches.facts(project.config)
    results = [Results(project) for project, _ in projects]
    kept = [_usable(each.known(files), options) for each, (_, files) in zip(results, projects, strict=True)]
    unknown = sum(len(files) - len(done) for done, (_, files) in zip(kept, projects, strict=True))
    workers = _workers(options, unknown, others_known=any(kept))
    with (
        caches,
        Tier2(on_disabled=partial(_say, err)) as tier2,
        Checker(
            [project for project, _ in projects], workers, err, rests=options.changed_since is not None
        ) as checker,
    ):
        for project, _ in projects:
            project.tier2 = tier2
        for index, (project, files) in enumerate(projects):
            try:
                first = _check(checker, index, files, kept[index], results[index])
                changed = changes[index]
                touched = None if changed is None else Touched(project, changed).of(first, results[index])
                look = partial(visible, project, touched=touched)
                checked, mended = _fix(checker, index, project, files, first, look, options, err)
            except ExecutorError as error:
                _say(err, error)
                return COULD_NOT_RUN
            fixed += mended
            done += len(checked)
            said, well = _problems(
                [item for item in checked if touched is None or item.analysis.path in touched]
            )
            for sentence in _shortened(said):
                print(sentence, file=err)
            newer = project.workspace.target_version > sys.version_info[:2]
            if newer and any(": syntax error: " in sentence for sentence in said):
                _say(err, _too_new(project))
            problems.extend(said)
            complete = well and complete
            judged.update((item.analysis.path, project) for item in checked if _whole(item))
            found = project.finish([item.analysis for item in checked])
            if checker.interrupted:
                # What a suppression hides may be found by the analysis of a file that is not done.
                found = [finding for finding in found if finding.code != UNUSED_CODE]
            if options.diff:
                _print_diff(project, look(checked), options, base, out, err)
            findings.extend(found)
            elsewhere.update(_elsewhere(found, checked, touched))
            if checker.interrupted:
                break
    findings = _sorted_once(findings)
    if checker.interrupted:
        complete = False
        asked = sum(len(files) for _, files in projects)
        problems.append(
            f"interrupted when {done} of {plural(asked, 'file')} were checked: there may be more findings"
        )
        _say(err, problems[-1])
    known = None
    if baseline is not None:
        compared = baseline.compare(findings, sources.parsed)
        gone = [entry for entry in compared.missing if _is_gone(baseline.path(entry), entry.code, judged)]
        if hidden is not None:
            findings, known = compared.new, compared.known
            _tell_gone(baseline, gone, base, err)
        elif checker.interrupted:
            _say(err, f"{baseline.file} was not written")
        else:
            try:
                _write(baseline, findings, sources, set(compared.missing) - set(gone), err)
            except BaselineError as error:
                _say(err, error)
                return COULD_NOT_RUN
            findings, known = [], len(findings)
    findings = [finding for finding in findings if finding not in elsewhere]
    if not options.diff:
        outcome = Outcome(findings, sources, base, problems, complete, checker.interrupted, known)
        show(outcome, options.output_format, options.statistics, out)
    if fixed and options.output_format == "text":
        print(f"Fixed {plural(fixed, 'finding')}.", file=err)
    if not complete:
        return COULD_NOT_RUN
    return FOUND if findings and not options.exit_zero else FOUND_NOTHING


class _Unusable(Exception):
    """The check cannot run; ``str()`` says why."""


def _say(err: TextIO, sentence: object) -> None:
    print(f"understudy: {one_line(str(sentence))}", file=err)


def _workers(options: Options, files: int, *, others_known: bool) -> Workers | None:
    """Who is to analyse so many files; None for this process."""
    processes = process_count(options.jobs, files, others_known=others_known)
    if options.executor == executors.PROCESSES and processes == 1:
        return None
    return executors.chosen(options.executor, processes)


def _baseline(options: Options) -> Baseline | None:
    if options.baseline is None:
        if options.write_baseline:
            raise _Unusable("--write-baseline needs --baseline FILE, which says where to")
        return None
    if options.write_baseline and options.diff:
        raise _Unusable("--diff writes nothing: leave it or --write-baseline out")
    if options.write_baseline and not os.path.lexists(options.baseline):
        return Baseline(options.baseline)
    try:
        return Baseline.load(options.baseline)
    except BaselineError as error:
        raise _Unusable(str(error)) from None


def _changes(project: Project, options: Options) -> Changes | None:
    if options.changed_since is None:
        return None
    try:
        return changed_since(project.root, options.changed_since)
    except ChangesError as error:
        raise _Unusable(f"--changed-since {options.changed_since}: {error}") from None


def _elsewhere(
    found: Sequence[Finding], checked: Sequence[Checked], touched: Collection[Path] | None
) -> set[Finding]:
    """The findings that no analysis of a touched file has made.

    :param touched: None: all are.
    """
    if touched is None:
        return set()
    made = {
        (finding.code, finding.path, finding.span)
        for item in checked
        if item.analysis.path in touched
        for finding in item.analysis.findings
    }
    return {
        finding
        for finding in found
        if (finding.code, finding.path, finding.span) not in made
        and not (finding.code == UNUSED_CODE and finding.path in touched)
    }


def _whole(checked: Checked) -> bool:
    """Nothing kept a file's findings from being found."""
    return not checked.analysis.problems and not checked.crashes


def _is_gone(path: Path, code: str, judged: Mapping[Path, Project]) -> bool:
    """Would this check have found what a baseline has?

    :param judged: the files that were checked, each with its project.
    """
    project = judged.get(path)
    if project is None:
        return not path.exists()
    relative = project.relative(path)
    if not project.config.enabled(code, relative):
        return False
    if project.config.is_test(relative) and path.name != "conftest.py":
        return True
    # What a fixture or helper does wrong may show only in the tests that use it.
    return judged.keys() >= set(project.workspace.files())


def _tell_gone(baseline: Baseline, gone: Sequence[Entry], base: Path, err: TextIO) -> None:
    if not gone:
        return
    _say(err, f"{_count(gone)} of {baseline.file} {'is' if len(gone) == 1 else 'are'} gone:")
    for entry in gone[:_SHOWN_GONE]:
        _say(err, f"  {display_path(baseline.path(entry), base)}: {entry.code} {entry.message}")
    more = f"  and {len(gone) - _SHOWN_GONE} more; " if len(gone) > _SHOWN_GONE else ""
    _say(err, f"{more}take {'it' if len(gone) == 1 else 'them'} out with --write-baseline")


def _write(
    baseline: Baseline, findings: Sequence[Finding], sources: Sources, kept: Iterable[Entry], err: TextIO
) -> None:
    """
    :param kept: what this check could say nothing about.
    """
    anew = baseline.anew(findings, sources.parsed, kept)
    anew.save()
    _say(err, f"wrote {_count(anew.entries)} to {baseline.file}")


def _count(entries: Sequence[Entry]) -> str:
    return plural(len(entries), "finding")


def _projects(options: Options, err: TextIO) -> tuple[list[tuple[Project, list[Path]]], bool]:
    """The projects that the paths belong to, each with its files to check; False when something cannot be
    read."""
    settings = {"select": options.select, "ignore": options.ignore, "python": options.python}
    # A mistake on the command line ends the run also when no path can be read.
    _merged(Config(), settings)
    complete = True
    by_root: dict[Path, tuple[Project, dict[Path, None]]] = {}
    said: set[str] = set()

    def say_once(sentence: object) -> None:
        if str(sentence) not in said:
            said.add(str(sentence))
            _say(err, sentence)

    for path in options.paths:
        absolute = Path(os.path.abspath(path))
        folder = absolute if absolute.is_dir() else absolute.parent
        loaded = _usable_python(configuration.load(folder, registry.names()))
        for problem in loaded.problems:
            say_once(problem)
        if loaded.fatal:
            complete = False
            continue
        config = _merged(loaded.config, settings)
        found = discover([path], config, loaded.root)
        for sentence in found.problems:
            say_once(sentence)
            complete = False
        if loaded.root not in by_root:
            by_root[loaded.root] = (Project(loaded.root, config), {})
        by_root[loaded.root][1].update(dict.fromkeys(found.files))
    # A file below two roots that were both asked for belongs to the inner one.
    roots = sorted(by_root, key=lambda root: len(root.parts))
    owner = {file: root for root in roots for file in by_root[root][1]}
    return [
        (project, sorted(file for file in files if owner[file] == root))
        for root, (project, files) in by_root.items()
    ], complete


def _merged(config: Config, settings: Mapping[str, object]) -> Config:
    merged, problems = configuration.merge(config, settings, registry.names(), Path.cwd(), "command line")
    if problems:
        raise _Unusable("; ".join(str(problem) for problem in problems))
    if settings["python"] is not None and merged.python and environment.of(merged.python) is None:
        raise _Unusable(f"command line: python: {_not_python(merged.python)}")
    return merged


def _usable_python(loaded: Loaded) -> Loaded:
    """Without a ``python`` that is none, which becomes a problem."""
    python = loaded.config.python
    if python is None or environment.of(python) is not None:
        return loaded
    prefix = "tool.understudy." if loaded.file is not None and loaded.file.name == "pyproject.toml" else ""
    problem = ConfigProblem(loaded.file, f"{prefix}python", _not_python(python))
    return replace(loaded, config=replace(loaded.config, python=None), problems=(*loaded.problems, problem))


def _not_python(path: Path) -> str:
    return f"expected the path of an interpreter or of a virtual environment, which {str(path)!r} is not"


def _problems(checked: Sequence[Checked]) -> tuple[list[str], bool]:
    """What could not be checked, a sentence each; False when that must fail the run."""
    sentences: list[str] = []
    crashed: dict[str, list[str]] = {}
    for item in checked:
        sentences.extend(one_line(problem) for problem in item.analysis.problems)
        for crash in item.crashes:
            crashed.setdefault(crash, []).append(os.path.relpath(item.analysis.path))
    for crash, (first, *others) in crashed.items():
        also = f" (the same in {plural(len(others), 'other file')})" if others else ""
        sentences.append(one_line(f"{first}: {crash}{also}"))
    return sentences, not any(item.analysis.unreadable or item.crashes for item in checked)


def _shortened(problems: Sequence[str]) -> Iterator[str]:
    """Of those that say the same of many places, the first few."""
    seen: Counter[str] = Counter()
    for problem in problems:
        what = _PLACE.sub("", problem)
        seen[what] += 1
        if seen[what] <= _SHOWN_ALIKE:
            yield problem
    for what, count in seen.items():
        if count > _SHOWN_ALIKE:
            yield f"{plural(count - _SHOWN_ALIKE, 'more place')}: {what}"


def _too_new(project: Project) -> str:
    theirs, ours = (
        f"{version[0]}.{version[1]}" for version in (project.workspace.target_version, sys.version_info)
    )
    return f"{project.root.name} is for Python {theirs}; run Understudy with that, Python {ours} cannot read all of it"


def _sorted_once(findings: Sequence[Finding]) -> list[Finding]:
    """In order, and each once: two projects may have found the same in a file that both look at."""
    found: dict[tuple[object, ...], Finding] = {}
    for finding in sorted(findings, key=lambda finding: finding.sort_key):
        found.setdefault((finding.path, finding.span, finding.code), finding)
    return list(found.values())


def _usable(known: Mapping[Path, Analysis], options: Options) -> Mapping[Path, Analysis]:
    """Without those that lead to edits, where these are to be made: no cache decides what is written to a file."""
    if not (options.fix or options.diff):
        return known
    return {path: done for path, done in known.items() if not any(each.fixes for each in done.findings)}


def _check(
    checker: Checker, index: int, files: Sequence[Path], known: Mapping[Path, Analysis], results: Results
) -> list[Checked]:
    """What is known from earlier, and what had to be found out, in the order of the files; with Ctrl-C, not all."""
    unknown = [path for path in files if path not in known]
    if unknown:
        results.share_matches()
    new = checker.check(index, unknown)
    results.keep(new)
    found = {item.analysis.path: item for item in new}
    found.update((path, Checked(done)) for path, done in known.items())
    return [found[path] for path in files if path in found]


def _fix(
    checker: Checker,
    index: int,
    project: Project,
    files: Sequence[Path],
    checked: list[Checked],
    look: Callable[[Sequence[Checked]], list[Finding]],
    options: Options,
    err: TextIO,
) -> tuple[list[Checked], int]:
    """With ``--fix``, fix and check again until nothing is left to fix; how many findings were fixed."""
    if not options.fix or options.diff or checker.interrupted:
        return checked, 0
    fixed = 0
    refused: dict[str, None] = {}
    for _ in range(_ROUNDS):
        findings = look(checked)
        plan = apply.plan(findings, unsafe=options.unsafe_fixes)
        if not plan.chosen:
            break
        with without_interrupts():
            outcome = apply.write_fixed(plan, project.workspace.text)
        refused.update((f"{item.path}: not fixed: {item.reason}", None) for item in outcome.refused)
        fixed += len(outcome.plan.applied)
        if not outcome.changed:
            break
        checker.changed(index, [change.path for change in outcome.changed])
        checked = checker.check(index, files)
        if len(checked) < len(files):  # interrupted
            break
    for sentence in refused:
        _say(err, sentence)
    return checked, fixed


def _print_diff(
    project: Project, findings: list[Finding], options: Options, base: Path, out: TextIO, err: TextIO
) -> None:
    outcome = apply.preview(apply.plan(findings, unsafe=options.unsafe_fixes), project.workspace.text)
    for refusal in outcome.refused:
        _say(err, f"{refusal.path}: not fixed: {refusal.reason}")
    out.write(apply.diff(outcome.changed, base))
