"""The engine behind every front: a project, its files, and the findings of each.

The command line, the server and the tests all use :class:`Project`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.finding import Applicability, Edit, Finding, Fix
from understudy.index.kept_facts import KeptFacts
from understudy.index.workspace import Dependency, FactsOf, ImportsOf, ValueOf, Workspace
from understudy.infer.tier2 import Deferred, Names, Question
from understudy.project import environment as environments
from understudy.project import target
from understudy.project.config import Config, pytest_of
from understudy.project.discover import discover
from understudy.project.environment import Environment
from understudy.rules import registry
from understudy.source.suppress import MARKER, UNUSED_CODE, Suppressions, Unused
from understudy.source.text import SourceError

if TYPE_CHECKING:
    from understudy.rules.base import Context

_TEST_FOLDERS = frozenset({"tests", "test", "testing"})


@dataclass(frozen=True)
class Analysis:
    """What one file's analysis found, in it and elsewhere, before suppressions."""

    path: Path
    findings: tuple[Finding, ...]
    dependencies: frozenset[Path]
    """Every file that was looked at: a change of one may change the findings."""
    problems: tuple[str, ...]
    """Why (parts of) the file could not be checked, each after its place: ``path:row:column: …``."""
    unreadable: bool = False
    questions: tuple[Question, ...] = ()
    """What facts could not name and the second tier may: with it there may be more findings."""
    plain: bool = False
    """True: the text has no comment that could suppress anything."""
    rests_on: frozenset[Dependency] = frozenset()
    """More exactly: which files by their content and which by their facts alone, which names folders have, which
    files match a pattern."""


class Project:
    """A root folder with its configuration and environment."""

    def __init__(
        self,
        root: Path,
        config: Config,
        tier2: Names | None = None,
        kept_facts: KeptFacts | None = None,
        *,
        environment: Environment | None = None,
        folder: Path | None = None,
    ) -> None:
        """
        :param tier2: asked, after everything else, about what facts could not name.
        :param kept_facts: of earlier runs.
        :param environment: what another process found out; None to look for it.
        :param folder: what names in problems are relative to; None for the working directory.
        """
        self.tier2 = tier2
        self._is_test: dict[Path, bool] = {}
        self.root = root
        self.config = config
        self.environment = environment or environments.find(
            root, str(config.python) if config.python else None, os.environ.get("VIRTUAL_ENV")
        )
        self._folder = folder
        self.workspace = Workspace(
            root,
            self.environment,
            tuple(config.source_roots),
            lambda: list(discover([root], config, root).files),
            _path_of_tests,
            target.find(config.target_version, self.environment, root),
            kept_facts,
        )

    def relative(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.root)).as_posix()

    def is_test(self, path: Path) -> bool:
        """Test code: what matches ``test-patterns``, and whatever lies in a folder called ``tests``."""
        known = self._is_test.get(path)
        if known is None:
            known = self._is_test[path] = self._looks_like_test(path)
        return known

    def _looks_like_test(self, path: Path) -> bool:
        if not path.is_relative_to(self.root):
            return False
        relative = path.relative_to(self.root)
        return self.config.is_test(relative.as_posix()) or not _TEST_FOLDERS.isdisjoint(relative.parts[:-1])

    # --- analysis

    def analyse(self, path: Path, on_error: Callable[[str, Exception], None] | None = None) -> Analysis:
        """Run every selected rule on a file. With ``on_error``, a rule that fails is reported there, by its
        code, and the others go on."""
        with self.workspace.recording() as seen:
            found = self._analyse(path, on_error)
        all_seen = seen.union(
            *(self.workspace.behind(item.key) for item in seen if isinstance(item, ValueOf))
        )
        files = {item.path if isinstance(item, (FactsOf, ImportsOf)) else item for item in all_seen}
        return replace(
            found,
            dependencies=frozenset(item for item in files if isinstance(item, Path)),
            rests_on=frozenset(seen),
        )

    def _analyse(self, path: Path, on_error: Callable[[str, Exception], None] | None) -> Analysis:
        # A check of files that did not change gets by without the rules, and all that they are made of.
        from understudy.rules.base import Context

        try:
            parsed = self.workspace.parsed(path, whole=True)
        except SourceError as error:
            return Analysis(path, (), frozenset(), (f"{self.display(path)}: {error}",), True)
        problems = tuple(
            f"{self.display(path)}:{problem.row + 1}:{problem.column + 1}: syntax error: "
            f"{problem.message}; only the statements that parse are checked"
            for problem in parsed.problems
        )
        module = self.workspace.module(path)
        if module is None:
            message = f"{self.display(path)}: is nested too deeply to be checked"
            return Analysis(path, (), frozenset(), (message,))
        # Of a module of tests, hardly anybody asks more than what it loads.
        is_of_tests = self.is_test(path) and pytest_of(path.parent).collects(path)
        self.workspace.keep_facts(path, only_imports=is_of_tests)
        unnamed = Deferred()
        context = Context(parsed, module, self.workspace, self.is_test, unnamed)
        if on_error is not None:
            on_error = _once(on_error)
        findings, more = self._run_rules(context, on_error)
        if self.tier2 is not None and unnamed.questions:
            # Once more with the second tier. It only adds: what the first found stays.
            context = Context(parsed, module, self.workspace, self.is_test, self.tier2)
            known = {_identity(finding) for finding in findings}
            again, _ = self._run_rules(context, on_error)
            findings.extend(finding for finding in again if _identity(finding) not in known)
        return Analysis(
            path,
            tuple(self._configured(findings)),
            frozenset(),
            (*problems, *more),
            questions=tuple(unnamed.questions),
            plain=MARKER not in parsed.text.content,
        )

    def _run_rules(
        self, context: Context, on_error: Callable[[str, Exception], None] | None
    ) -> tuple[list[Finding], list[str]]:
        findings: list[Finding] = []
        problems: list[str] = []
        for rule in registry.all_rules().values():
            if not self.config.selected(rule.code):
                continue
            self.workspace.checkpoint()
            try:
                findings.extend(rule.check(rule, context))
            except RecursionError:
                problems.append(f"{self.display(context.path)}: {rule.code} gave up: nested too deeply")
            except Exception as error:
                if on_error is None:
                    raise
                on_error(rule.code, error)
        context.release()
        return findings, problems

    def _configured(self, findings: Iterable[Finding]) -> Iterable[Finding]:
        for finding in findings:
            severity = self.config.severity_of(finding.code, finding.severity)
            if severity is not None and self.config.enabled(finding.code, self.relative(finding.path)):
                yield finding if severity is finding.severity else replace(finding, severity=severity)

    def display(self, path: Path) -> str:
        """A path as problems name it: from the current folder where it is below."""
        relative = os.path.relpath(path, self._folder or os.curdir)
        return str(path) if relative.startswith("..") else relative

    # --- what is shown

    def finish(self, analyses: Sequence[Analysis]) -> list[Finding]:
        """The findings of several analyses together: each once, suppressed ones left out, unused suppressions
        added, in order of path and place."""
        merged: dict[tuple[str, Path, tuple[int, ...]], Finding] = {}
        for analysis in analyses:
            for finding in analysis.findings:
                merged.setdefault(_identity(finding), finding)
        by_file: dict[Path, list[Finding]] = {}
        for finding in merged.values():
            by_file.setdefault(finding.path, []).append(finding)
        for analysis in analyses:
            by_file.setdefault(analysis.path, [])
        asked = {analysis.path for analysis in analyses}
        plain = {analysis.path for analysis in analyses if analysis.plain}
        shown: list[Finding] = []
        for path, findings in by_file.items():
            if path in plain:
                shown.extend(findings)
            else:
                shown.extend(self._unsuppressed(path, findings, complete=path in asked))
        return sorted(shown, key=lambda finding: finding.sort_key)

    def _unsuppressed(self, path: Path, findings: list[Finding], *, complete: bool) -> list[Finding]:
        try:
            text = self.workspace.text(path)
        except SourceError:
            return findings
        suppressions = Suppressions.parse(text)
        kept, unused = suppressions.apply(findings)
        if complete and path.name != "conftest.py":
            # What a conftest's doubles run into shows only in the tests that use them.
            kept.extend(self._configured(_unused(path, item) for item in unused))
        return kept


def _once(on_error: Callable[[str, Exception], None]) -> Callable[[str, Exception], None]:
    """Reports the first failure of each rule."""
    reported: set[str] = set()

    def report(code: str, error: Exception) -> None:
        if code not in reported:
            reported.add(code)
            on_error(code, error)

    return report


def _identity(finding: Finding) -> tuple[str, Path, tuple[int, ...]]:
    return (finding.code, finding.path, tuple(finding.span))


def _unused(path: Path, unused: Unused) -> Finding:
    listed = ", ".join(unused.codes)
    message = f"this suppression hides nothing: {listed}" if listed else "this suppression hides nothing"
    rule = registry.all_rules()[UNUSED_CODE]
    edit = Edit(path, unused.removal, unused.content)
    return rule.finding(
        path,
        unused.span,
        f"{message}; remove it",
        fixes=(Fix("Remove the unused suppression", Applicability.SAFE, (edit,)),),
        unnecessary=True,
    )


def forget_settings() -> None:
    """pytest's configuration files may have changed: read them again when they are needed."""
    pytest_of.cache_clear()


def _path_of_tests(folder: Path) -> tuple[Path, ...]:
    settings = pytest_of(folder)
    return (*settings.pythonpath, settings.rootdir) if settings.file is not None else settings.pythonpath
