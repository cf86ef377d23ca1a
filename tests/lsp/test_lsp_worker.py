"""The analysis thread by itself: what it does about faults of our own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lsp_client import BAD, PATIENCE
from lsprotocol import types
from understudy.engine import Project
from understudy.finding import Finding
from understudy.index.kept_facts import Caches
from understudy.lsp import worker as worker_module
from understudy.lsp.documents import Document, Documents
from understudy.lsp.earlier import Earlier
from understudy.lsp.exchange import Change, Question, Report, Settings, Withdrawn
from understudy.lsp.projects import OpenProject, Projects
from understudy.lsp.worker import Worker
from understudy.rules import registry
from understudy.rules.base import Context


class Bench:
    """A worker whose reports can be waited for."""

    def __init__(self, root: Path) -> None:
        self.path = root / "test_a.py"
        self.reports: queue.Queue[Report] = queue.Queue()
        self.problems: queue.Queue[list[str]] = queue.Queue()
        self.worker = Worker(Settings((root,)), self.reports.put, self.problems.put)
        self.version = 0

    def open(self, content: str) -> Document:
        self.version += 1
        item = types.TextDocumentItem(self.path.as_uri(), "python", self.version, content)
        document = Documents().open(item)
        self.worker.tell(lambda change: change.open(self.path, document))
        return document

    def report(self) -> Report:
        return self.reports.get(timeout=PATIENCE)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.worker.stop()
    if made.worker.ident is not None:
        made.worker.join(PATIENCE)
    assert not made.worker.is_alive()


def test_a_rule_that_fails_takes_no_other_with_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(rule: object, context: object) -> None:
        raise KeyError("a fault of ours")

    rules = {**registry.all_rules(), "US102": replace(registry.all_rules()["US102"], check=fail)}
    monkeypatch.setattr(registry, "all_rules", lambda: rules)
    bench.open(BAD)
    bench.worker.start()
    assert [finding.code for finding in bench.report().findings] == ["US101"]
    assert "US102 failed" in caplog.text


def test_a_fault_in_one_version_is_over_with_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    works = Project.analyse

    def analyse(project: Project, *arguments: object) -> object:
        if "fault" in project.workspace.text(bench.path).content:
            raise KeyError("a fault of ours")
        return works(project, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Project, "analyse", analyse)
    bench.worker.start()
    bench.open(BAD + "# fault")
    assert bench.report().findings == ()
    assert "could not be analysed" in caplog.text
    document = bench.open(BAD)
    report = bench.report()
    assert report.document is document
    assert [finding.code for finding in report.findings] == ["US101"]


def test_a_fault_outside_the_analysis_is_not_met_again_and_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: queue.Queue[int] = queue.Queue()
    works = Projects.of

    def of(projects: Projects, path: Path) -> object:
        """Fails when the first version is about to be analysed."""
        number = calls.qsize()
        calls.put(number)
        if number and bench.version == 1:
            failed.set()
            raise KeyError("a fault of ours")
        return works(projects, path)

    failed = threading.Event()
    monkeypatch.setattr(Projects, "of", of)
    monkeypatch.setattr(worker_module, "_QUIET", 0)
    bench.open(BAD)
    bench.worker.start()
    assert failed.wait(PATIENCE)
    document = bench.open(BAD)
    assert bench.report().document is document
    assert caplog.text.count("the analysis failed") == 1


def test_of_several_edits_only_the_latest_is_analysed(bench: Bench) -> None:
    for number in range(20):
        latest = bench.open(BAD + f"# {number}\n")
    bench.worker.start()
    assert bench.report().document is latest
    assert bench.reports.empty()


def test_a_change_keeps_the_last_word_on_each_file() -> None:
    change, path = Change(), Path("/t.py")
    assert not change
    document = Documents().open(types.TextDocumentItem("file:///t.py", "python", 1, ""))
    change.open(path, document)
    change.close(path)
    assert (dict(change.opened), list(change.closed)) == ({}, [path])
    change.open(path, document)
    assert (dict(change.opened), list(change.closed)) == ({path: document}, [])
    assert change


def test_files_share_a_project_by_their_configuration(tmp_path: Path) -> None:
    for name in ("a/tests", "b", "c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "b" / "understudy.toml").write_text("")
    projects = Projects(Settings((tmp_path,)), Caches(lambda sentence: None))

    def root(name: str) -> Path:
        return projects.of(tmp_path / name)[0].project.root

    assert root("a/tests/test_a.py") == root("c/test_c.py") == tmp_path
    assert root("b/test_b.py") == tmp_path / "b"
    assert [opened.project.root for opened in projects] == [tmp_path, tmp_path / "b"]


def test_a_question_is_answered_about_the_version_that_it_was_asked_about(bench: Bench) -> None:
    document = bench.open(BAD)
    question = Question(bench.path, lambda opened: opened.project.root, document)
    bench.worker.ask(question)
    bench.worker.start()
    assert question.answer.result(PATIENCE) == bench.path.parent


def test_a_question_about_an_older_version_is_not_answered(bench: Bench) -> None:
    question = Question(bench.path, lambda opened: 1, bench.open(BAD))
    bench.open(BAD + "\n")
    bench.worker.ask(question)
    bench.worker.start()
    with pytest.raises(Withdrawn):
        question.answer.result(PATIENCE)


@pytest.mark.parametrize("reason", ["edit", "cancel"])
def test_an_answer_that_nobody_waits_for_is_not_worked_on(bench: Bench, reason: str) -> None:
    begun = threading.Event()

    def work(opened: OpenProject) -> None:
        begun.set()
        # It would never end by itself.
        while True:
            opened.project.workspace.checkpoint()

    bench.worker.start()
    question = Question(bench.path, work, bench.open(BAD))
    bench.worker.ask(question)
    assert begun.wait(PATIENCE)
    if reason == "edit":
        bench.open(BAD + "\n")
    else:
        question.withdrawn = True
    with pytest.raises(Withdrawn):
        question.answer.result(PATIENCE)
    question = Question(bench.path, lambda opened: 1, bench.open(BAD))
    bench.worker.ask(question)
    assert question.answer.result(PATIENCE) == 1


def test_an_analysis_that_an_edit_overtakes_is_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    rule = registry.all_rules()["US101"]

    def endless(rule: object, context: Context) -> Iterator[Finding]:
        while "await" in context.source:
            begun.set()
            context.workspace.checkpoint()
        yield from ()

    monkeypatch.setattr(registry, "all_rules", lambda: {"US101": replace(rule, check=endless)})
    bench.worker.start()
    bench.open(BAD)
    assert begun.wait(PATIENCE)
    document = bench.open("")
    assert bench.report().document is document


def test_what_a_question_runs_into_is_told_to_whoever_asked(bench: Bench) -> None:
    def fail(opened: object) -> None:
        raise KeyError("a fault of ours")

    question = Question(bench.path, fail, bench.open(BAD))
    bench.worker.ask(question)
    bench.worker.start()
    with pytest.raises(KeyError):
        question.answer.result(PATIENCE)


@pytest.mark.parametrize(("pause", "written"), [(3600.0, False), (0.0, True)])
def test_what_was_found_is_written_when_nobody_types(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, pause: float, written: bool
) -> None:
    kept = threading.Event()
    monkeypatch.setattr(Earlier, "keep", lambda *_: kept.set())
    monkeypatch.setattr(Earlier, "pending", property(lambda _: not kept.is_set()))
    monkeypatch.setattr(worker_module, "_UNHURRIED", pause)
    bench.open(BAD)
    bench.worker.start()
    bench.report()
    assert kept.wait(PATIENCE if written else 0.2) is written
