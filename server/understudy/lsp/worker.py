"""The thread that analyses: the only one that touches the engine, which is not made for more.

It is told what happened (:class:`Change`), analyses what that concerns, and hands back a :class:`Report` per
open file. What happens while it works is gathered into the next change, so a newer edit supersedes a waiting
one. Files that were edited come first; files that rest on them follow when the editor has been quiet for a
moment.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from pygls import uris

from understudy.engine import Analysis
from understudy.finding import Finding
from understudy.index.kept_facts import Caches
from understudy.index.workspace import Interrupted
from understudy.lsp.background import Background
from understudy.lsp.documents import Document
from understudy.lsp.exchange import Change, Progress, Question, Report, Settings, Withdrawn
from understudy.lsp.garbage import QUIET, Garbage
from understudy.lsp.moving import moved_finding
from understudy.lsp.projects import Done, OpenProject, Projects, others_behind
from understudy.lsp.second_tier import SecondTier
from understudy.rules import registry
from understudy.source import disk
from understudy.source.text import SourceError, Text

_log = logging.getLogger(__name__)
_UNHURRIED = 1.0
"""Seconds without anything to do until what is new is kept on disk: that takes a tenth of a second or more."""
_QUIET = 0.05
"""Seconds without news before files are analysed that only rest on an edited one."""
_STACK = 16 * 1024 * 1024


@dataclass(eq=False)
class _Activity:
    """What the thread is busy with."""

    path: Path
    question: Question | None = None
    background: bool = False
    """Nobody waits for it: it gives way to everything else."""
    overtaken: bool = False

    def checkpoint(self) -> None:
        if self.overtaken or (self.question is not None and self.question.withdrawn):
            raise Interrupted


class Worker(threading.Thread):
    """``report`` and ``problems`` are called on this thread."""

    def __init__(
        self,
        settings: Settings,
        report: Callable[[Report], None],
        problems: Callable[[list[str]], None],
        progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        # A daemon: a long analysis must not keep the process alive.
        super().__init__(name="understudy-analysis", daemon=True)
        self._report = report
        self._report_problems = problems
        self._report_progress = progress
        self._news = threading.Condition()
        self._change = Change()
        self._questions: deque[Question] = deque()
        self._activity: _Activity | None = None
        self._stopped = False
        self._resting = False
        """Waiting for news, with nothing else to do."""

        # Below: this thread's own.
        self._settings = settings
        self._projects: Projects
        self._documents: dict[Path, Document] = {}
        self._urgent: dict[Path, None] = {}
        self._reported: dict[Path, tuple[Document, tuple[Finding, ...]]] = {}
        self._told: dict[str, None] = {}
        self._quiet_from = 0.0
        self._idle_since = monotonic()
        """The last news, or the end of the last work on a file."""
        self._garbage = Garbage()
        self._caches = Caches(lambda sentence: problems([sentence]), later=True)
        self._unnamed: dict[Path, None] = {}
        """Open files with questions for the second tier."""
        self._second_tier = SecondTier(self._is_answered, lambda sentence: problems([sentence]))
        self._background: dict[Path, Background] = {}
        self._paused = False
        self._shown_before: dict[Path, dict[Path, tuple[Finding, ...] | None]] = {}
        """What is shown in closed files from before the configuration was read anew."""

    # --- called from the event loop

    def start(self) -> None:
        earlier = threading.stack_size(_STACK)
        try:
            super().start()
        finally:
            threading.stack_size(earlier)

    def tell(self, note: Callable[[Change], None]) -> None:
        """Add to what happened."""
        with self._news:
            note(self._change)
            active = self._activity
            if active is not None and (active.background or self._change.concerns(active.path)):
                active.overtaken = True
            self._news.notify()

    def ask(self, question: Question) -> None:
        """Its ``answer`` gets the result, or :class:`Withdrawn`."""
        with self._news:
            if self._stopped:
                question.answer.cancel()
                return
            self._questions.append(question)
            if self._activity is not None and self._activity.background:
                self._activity.overtaken = True
            self._news.notify()

    def _is_answered(self, path: Path) -> None:
        """Called by the second tier's thread."""
        self.tell(lambda change: change.answered.update({path: None}))

    def pause(self) -> None:
        """Leave the files that are not open until somebody opens or saves something."""
        self._paused = True
        with self._news:
            if self._activity is not None and self._activity.background:
                self._activity.overtaken = True

    def hung(self, seconds: float) -> str | None:
        """The path that the thread has been waiting for, for longer than this."""
        look = disk.waited_for(self.ident) if self.ident is not None else None
        return look[0] if look is not None and monotonic() - look[1] > seconds else None

    @property
    def is_busy(self) -> bool:
        """Is there anything that it works on, or has to?"""
        with self._news:
            return not self._resting

    def give_up(self) -> None:
        """Stop, although the thread may never hear of it. Whoever asked it something is told to ask again."""
        with self._news:
            asked = [*self._questions]
            if self._activity is not None and self._activity.question is not None:
                asked.append(self._activity.question)
            self._questions.clear()
        for question in asked:
            with suppress(InvalidStateError):
                question.answer.set_exception(Withdrawn())
        self.stop()

    def stop(self) -> None:
        with self._news:
            self._stopped = True
            if self._activity is not None:
                self._activity.overtaken = True
            while self._questions:
                self._questions.popleft().answer.cancel()
            self._news.notify()
        self._second_tier.close()

    # --- the thread

    def run(self) -> None:
        if not self._change.opened:
            # Meanwhile. What is known from earlier can be shown without them.
            registry.all_rules()
        self._projects = Projects(self._settings, self._caches)
        # There may be no news for a long time, and all files of the workspace to check.
        self.tell(lambda change: setattr(change, "resume", True))
        while True:
            change = self._next_change()
            if change is None:
                self._caches.close()
                return
            path: Path | None = None
            try:
                if change:
                    self._apply(change)
                if self._answer_one():
                    continue
                path = self._pick()
                if path is not None:
                    with self._busy(_Activity(path)):
                        self._analyse(path)
                elif not change and self._unnamed:
                    path = self._unnamed.popitem()[0]
                    with self._busy(_Activity(path)):
                        self._look_again(path)
                elif not change:
                    self._check_a_closed_file()
            except Interrupted:
                # By an edit that is waiting to be applied: the file is analysed again after it. A closed file
                # is still among those that wait.
                continue
            except Exception:
                _log.exception("the analysis failed")
                background = self._in_background()
                if path is None and background is not None:
                    background.waiting.popitem()
                for opened in self._projects:
                    # Once is enough: what failed is not tried again before the next change.
                    opened.waiting.pop(path or Path(), None)

    def _next_change(self) -> Change | None:
        """What happened meanwhile. Waits when there is nothing to do; None to end."""
        with self._news:
            self._resting = False
            while not self._stopped and not self._change and not self._urgent and not self._questions:
                if not any(opened.waiting for opened in self._projects):
                    if self._unnamed or self._in_background() is not None:
                        break
                    self._rest()
                    continue
                rest = self._quiet_from - monotonic()
                if rest <= 0:
                    break
                self._news.wait(rest)
            if self._stopped:
                return None
            change, self._change = self._change, Change()
            return change

    def _rest(self) -> None:
        """Until there is news. What takes a while, and nobody waits for, is done when nobody types."""
        if self._reported:
            self._garbage.settle()
        pending = self._caches.pending or any(opened.earlier.pending for opened in self._projects)
        if not pending and not self._garbage.waits:
            self._resting = True
            self._news.wait()
            self._resting = False
            return
        idle_since = self._idle_since
        rest = idle_since + (_UNHURRIED if pending else QUIET) - monotonic()
        if rest > 0:
            self._news.wait(rest)
        elif pending:
            # Writing to a disk must not keep the event loop waiting.
            self._news.release()
            try:
                self._caches.flush()
                for opened in self._projects:
                    if opened.earlier.pending:
                        self._keep(opened)
            finally:
                self._news.acquire()
            self._idle_since = idle_since
        else:
            self._garbage.collect()

    def _keep(self, opened: OpenProject) -> None:
        try:
            with self._busy(_Activity(opened.project.root / "any.py", background=True)):
                opened.earlier.keep(self._documents_in(opened))
        except Interrupted:
            # It is tried again when there is time again.
            return
        except Exception:
            _log.exception("nothing is kept of this session")
            opened.earlier.forget()

    def _pick(self) -> Path | None:
        if self._urgent:
            return self._urgent.popitem()[0]
        if monotonic() >= self._quiet_from:
            for opened in self._projects:
                for path in opened.waiting:
                    return Path(path)
        return None

    # --- what happened

    def _apply(self, change: Change) -> None:
        self._idle_since = monotonic()
        self._quiet_from = self._idle_since + _QUIET
        if change.opened.keys() - self._documents.keys() or change.on_disk or change.resume:
            self._paused = False
        self._documents.update(change.opened)
        for path in change.closed:
            self._documents.pop(path, None)
            self._reported.pop(path, None)
        if change.clear:
            self._caches.clear()
        if change.settings is not None:
            self._reload(change.settings)
        else:
            for opened in self._projects:
                self._update(opened, change)
        for path in change.opened:
            self._home(path).waiting[path] = None
            self._urgent.pop(path, None)
            self._urgent[path] = None
        for path in change.answered:
            if path in self._documents and path not in self._urgent:
                self._unnamed[path] = None
        if change.on_disk or change.moved or change.recheck or change.closed:
            self._second_tier.forget()
        self._plan_background(change)
        self._tell_problems()

    def _reload(self, settings: Settings) -> None:
        """Start over: configuration, environment and file names may all be different."""
        self._settings = settings
        self._projects = Projects(settings, self._caches)
        self._shown_before = {root: each.shown for root, each in self._background.items()}
        self._background.clear()
        self._reported.clear()
        for path in self._documents:
            self._home(path).waiting[path] = None

    def _update(self, opened: OpenProject, change: Change) -> None:
        workspace = opened.project.workspace
        if change.closed or change.on_disk or change.moved or change.recheck:
            opened.earlier.forget()
        left_alone: dict[Path, None] = {}
        for path in change.closed:
            workspace.close(path)
            done = opened.done.pop(path, None)
            if done is not None:
                # What it found in other files is no longer vouched for.
                left_alone.update(dict.fromkeys(finding.path for finding in done.analysis.findings))
            opened.waiting.pop(path, None)
            self._urgent.pop(path, None)
        on_disk = change.on_disk.keys() - self._documents.keys()
        for path in on_disk:
            workspace.changed_on_disk(path)
        for path, document in change.opened.items():
            workspace.open(path, document.source)
        if change.moved:
            workspace.files_moved()
        if change.moved or change.recheck:
            opened.waiting.update(dict.fromkeys(opened.done))
        changed = {*change.closed, *on_disk, *change.opened}
        opened.matching_others = workspace.matching_others()
        for path, done in opened.done.items():
            rests_on_others = not opened.matching_others.isdisjoint(done.others)
            if rests_on_others or not changed.isdisjoint(done.analysis.dependencies):
                opened.waiting[path] = None
        for path in left_alone:
            self._publish(opened, path)

    def _home(self, path: Path) -> OpenProject:
        opened, new = self._projects.of(path)
        if new:
            for other, document in self._documents.items():
                opened.project.workspace.open(other, document.source)
        return opened

    def _tell_problems(self) -> None:
        new = [problem for problem in self._projects.problems if problem not in self._told]
        self._told = dict(self._projects.problems)
        if new:
            self._report_problems(new)

    # --- questions

    def _answer_one(self) -> bool:
        """Answer a question that waits; False when none does."""
        with self._news:
            if not self._questions:
                return False
            question = self._questions.popleft()
        if question.withdrawn or not question.answer.set_running_or_notify_cancel():
            return True
        path, document = question.path, question.document
        if document is not None and self._documents.get(path) is not document:
            question.answer.set_exception(Withdrawn())
            return True
        try:
            with self._busy(_Activity(path, question)):
                question.answer.set_result(question.work(self._home(path)))
        except Interrupted:
            question.answer.set_exception(Withdrawn())
        except Exception as error:
            question.answer.set_exception(error)
        return True

    @contextmanager
    def _busy(self, activity: _Activity) -> Iterator[None]:
        """While it is worked on, news may end it early, with :class:`Interrupted`."""
        workspace = self._home(activity.path).project.workspace
        idle = workspace.checkpoint
        with self._news:
            self._activity = activity
            activity.overtaken = self._change.concerns(activity.path)
        workspace.checkpoint = activity.checkpoint
        try:
            yield
        finally:
            workspace.checkpoint = idle
            with self._news:
                self._activity = None
            self._idle_since = monotonic()
            self._garbage.analysed()

    # --- analysis

    def _analyse(self, path: Path) -> None:
        opened = self._home(path)
        opened.waiting.pop(path, None)
        if path not in self._documents:
            return
        earlier = opened.done.get(path)
        if earlier is None and self._show_what_is_known(opened, path):
            return
        done = self._done(opened, path)
        if earlier is not None and earlier.named:
            texts = {**done.texts, path: self._documents[path].text}
            done = replace(done, texts=texts, named=self._still_there(earlier, path))
        opened.done[path] = done
        self._unnamed.pop(path, None)
        if done.analysis.questions and not self._second_tier.disabled:
            self._unnamed[path] = None
        concerned = {path: None}
        for each in (earlier, done):
            if each is not None:
                concerned.update(dict.fromkeys(finding.path for finding in each.analysis.findings))
        for each_path in concerned:
            self._publish(opened, each_path)

    def _show_what_is_known(self, opened: OpenProject, path: Path) -> bool:
        """What the last session found, if that holds; the analysis follows."""
        known = opened.earlier.find(path, self._documents_in(opened))
        if known is None:
            return False
        opened.done[path] = Done(known, self._texts(opened, known.findings))
        for concerned in dict.fromkeys((path, *(finding.path for finding in known.findings))):
            self._publish(opened, concerned)
        opened.waiting[path] = None
        return True

    def _documents_in(self, opened: OpenProject) -> dict[Path, Document]:
        return {path: each for path, each in self._documents.items() if self._home(path) is opened}

    def _done(self, opened: OpenProject, path: Path) -> Done:
        if opened.excludes(path):
            return Done(Analysis(path, (), frozenset({path}), ()), {})
        failed: list[str] = []

        def note(code: str, error: Exception) -> None:
            failed.append(code)
            _log_rule(code, error)

        try:
            analysis = opened.project.analyse(path, note)
        except Exception:
            _log.exception("%s could not be analysed", path)
            analysis = Analysis(path, (), frozenset({path}), ())
            failed.append("")
        if not failed and path in self._documents:
            opened.earlier.note(analysis)
        for problem in analysis.problems:
            _log.debug("%s", problem)
        others = others_behind(opened.project.workspace, analysis)
        return Done(analysis, self._texts(opened, analysis.findings), others=others)

    def _still_there(self, earlier: Done, path: Path) -> tuple[Finding, ...]:
        """What only the second tier found, where it stands now, until it has answered about this version."""
        before, now = earlier.texts.get(path), self._documents[path].text
        if before is None:
            return ()
        own = (finding for finding in earlier.named if finding.path == path)
        return tuple(moved for finding in own if (moved := moved_finding(finding, path, before, now)))

    def _look_again(self, path: Path) -> None:
        """Look at a file once more with what the second tier knows, and have it asked about the rest."""
        opened = self._home(path)
        done = opened.done.get(path)
        if path not in self._documents or done is None or path in opened.waiting:
            return
        opened.project.tier2 = self._second_tier
        try:
            full = opened.project.analyse(path, _log_rule)
        finally:
            opened.project.tier2 = None
        if self._second_tier.fetch(path):
            # It is looked at again when the answers are there.
            return
        known = {(finding.code, finding.path, finding.span) for finding in done.analysis.findings}
        named = tuple(f for f in full.findings if (f.code, f.path, f.span) not in known)
        texts = {**self._texts(opened, named), **done.texts}
        dependencies = replace(done.analysis, dependencies=done.analysis.dependencies | full.dependencies)
        opened.done[path] = Done(dependencies, texts, named, done.others)
        self._publish(opened, path)

    def _texts(self, opened: OpenProject, findings: tuple[Finding, ...]) -> dict[Path, Text]:
        texts: dict[Path, Text] = {}
        for finding in findings:
            for path in (
                finding.path,
                *(place.path for place in finding.related),
                *(edit.path for fix in finding.fixes for edit in fix.edits),
            ):
                if path in texts:
                    continue
                document = self._documents.get(path)
                try:
                    texts[path] = document.text if document else opened.project.workspace.text(path)
                except SourceError:
                    continue
        return texts

    def _publish(self, opened: OpenProject, path: Path) -> None:
        """Report on an open file when its own analysis is current, with what others' found in it."""
        document = self._documents.get(path)
        own = opened.done.get(path)
        if document is None or own is None or path in opened.waiting:
            return
        texts = dict(own.texts)
        analyses = [replace(own.analysis, findings=(*own.analysis.findings, *own.named))]
        for other, done in opened.done.items():
            if other == path or not any(finding.path == path for finding in done.analysis.findings):
                continue
            analyses.append(_as_of_now(done, path, document.text))
            for key, text in done.texts.items():
                texts.setdefault(key, text)
        texts[path] = document.text
        findings = tuple(f for f in opened.project.finish(analyses) if f.path == path)
        known = self._reported.get(path)
        if known is None or known[0] is not document or known[1] != findings:
            self._reported[path] = (document, findings)
            self._report(Report(document, findings, texts))

    # --- files that are not open

    def _plan_background(self, change: Change) -> None:
        """Which closed files the change concerns."""
        if not self._settings.whole_workspace:
            gone = dict.fromkeys(change.closed)
            for shown in self._shown_before.values():
                gone.update(dict.fromkeys(shown))
            self._shown_before.clear()
            for path in gone:
                if path not in self._documents:
                    self._report(Report(_on_disk(path, Text("")), (), {}))
            return
        for folder in self._settings.folders:
            self._home(folder / "any.py")
        for opened in self._projects:
            root = opened.project.root
            background = self._background.get(root)
            inside = any(root.is_relative_to(folder) for folder in self._settings.folders)
            if background is None and inside:
                background = Background(opened, shown=self._shown_before.pop(root, {}))
                self._background[root] = background
                self._start(background)
            if background is None:
                continue
            for path in change.opened:
                background.opened_in_editor(path)
            for path in change.closed:
                if self._home(path) is opened:
                    background.closed_in_editor(path)
            others = [*opened.matching_others, *(background.answered_otherwise() if change.moved else ())]
            changed = {*change.closed, *change.on_disk, *change.opened}
            background.changed(changed, others, self._documents)
            if change.moved or change.closed or change.recheck:
                self._start(background)
        for path in change.closed:
            if self._home(path).project.root not in self._background:
                self._report(Report(_on_disk(path, Text("")), (), {}))

    def _start(self, background: Background) -> None:
        for path in background.start(self._documents):
            if path not in self._documents:
                self._publish_closed(background, path, {})

    def _in_background(self) -> Background | None:
        if self._paused:
            return None
        return next((each for each in self._background.values() if each.waiting), None)

    def _check_a_closed_file(self) -> None:
        background = self._in_background()
        if background is None:
            return
        opened = background.opened
        path = next(iter(background.waiting))
        with self._busy(_Activity(path, background=True)):
            done = self._done(opened, path)
            concerned = background.done(path, done.analysis)
        for each in concerned:
            if each not in self._documents:
                self._publish_closed(background, each, done.texts)
        self._report_progress(background.progress)
        background.make_room(self._documents)
        self._caches.make_room()

    def _publish_closed(self, background: Background, path: Path, texts: Mapping[Path, Text]) -> None:
        opened = background.opened
        findings = background.findings(path, [done.analysis for done in opened.done.values()])
        if findings is None:
            return
        try:
            text = opened.project.workspace.text(path)
        except SourceError:
            text = Text("")
        texts = {**self._texts(opened, findings), **texts, path: text}
        self._report(Report(_on_disk(path, text), findings, texts))


def _on_disk(path: Path, text: Text) -> Document:
    return Document(uris.from_fs_path(str(path)) or "", None, text, path, "python")


def _as_of_now(done: Done, path: Path, text: Text) -> Analysis:
    """Another file's analysis with what it found in ``path`` where that stands now."""
    before = done.texts.get(path)
    findings = [finding for finding in done.analysis.findings if finding.path == path]
    if before is None:
        findings = []
    elif before.content != text.content:
        moved = (moved_finding(finding, path, before, text) for finding in findings)
        findings = [finding for finding in moved if finding is not None]
    return Analysis(done.analysis.path, tuple(findings), done.analysis.dependencies, ())


def _log_rule(code: str, error: Exception) -> None:
    _log.error("%s failed", code, exc_info=error)
