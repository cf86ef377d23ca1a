"""The server starts warm: with the findings of the last session."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from lsp_client import PATIENCE
from lsprotocol import types
from understudy.engine import Analysis, Project
from understudy.index.store import Entry, Store
from understudy.lsp.documents import Documents
from understudy.lsp.exchange import Report, Settings
from understudy.lsp.worker import Worker
from understudy.rules import registry

MODELS = "class Base:\n    pass\n\n\n" + "".join(f"def function_{number}(): ...\n" for number in range(300))
TEST = """\
from unittest.mock import patch

from models import Base


@patch("models.functoin_7")
def test_a(double):
    assert Base
"""


@contextmanager
def session(
    root: Path, seen: Callable[[Report], object] = lambda report: None
) -> Iterator[tuple[Worker, queue.Queue[Report]]]:
    """``seen`` is called with each report on the thread that made it."""
    reports: queue.Queue[Report] = queue.Queue()

    def note(report: Report) -> None:
        seen(report)
        reports.put(report)

    worker = Worker(Settings((root,)), note, lambda problems: pytest.fail(str(problems)))
    path = root / "test_a.py"
    document = Documents().open(types.TextDocumentItem(path.as_uri(), "python", 1, TEST))
    worker.tell(lambda change: change.open(path, document))
    worker.start()
    try:
        yield worker, reports
    finally:
        worker.stop()
        worker.join(PATIENCE)
    assert not worker.is_alive()


def codes(reports: queue.Queue[Report]) -> list[str]:
    return [finding.code for finding in reports.get(timeout=PATIENCE).findings]


def test_a_file_that_changed_meanwhile_is_read(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    with session(tmp_path) as (_, reports):
        assert codes(reports) == ["US201"]
    (tmp_path / "models.py").write_text(MODELS.replace("function_7()", "functoin_7()"))
    with session(tmp_path) as (_, reports):
        assert codes(reports) == []


def test_nothing_is_written_before_the_first_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when many files were read for them."""
    for number in range(250):
        (tmp_path / f"module_{number}.py").write_text(f"class Model{number}(Base): ...\n")
    (tmp_path / "models.py").write_text(MODELS)
    events: list[str] = []
    written = Store.put

    def noting(store: Store, entries: Sequence[Entry]) -> None:
        events.append("written")
        written(store, entries)

    monkeypatch.setattr(Store, "put", noting)
    with session(tmp_path, lambda report: events.append("found")) as (_, reports):
        assert codes(reports) == ["US201"]
    assert events[0] == "found"
    assert "written" in events


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """``analysed`` whenever a file was; tests add what else happens."""
    found: list[str] = []
    analyse = Project.analyse

    def noting(project: Project, *arguments: Any) -> Analysis:
        found.append("analysed")
        return analyse(project, *arguments)

    monkeypatch.setattr(Project, "analyse", noting)
    return found


@contextmanager
def whole_session(root: Path, events: list[str]) -> Iterator[tuple[Worker, queue.Queue[Report]]]:
    """Ends when everything is kept that is worth it."""
    (root / "test_a.py").write_text(TEST)
    with session(root, lambda report: events.append("found")) as (worker, reports):
        yield worker, reports
        ends = monotonic() + PATIENCE
        while worker.is_busy:
            assert monotonic() < ends
            sleep(0.01)


def test_what_the_last_session_found_is_shown_before_anything_is_analysed(
    tmp_path: Path, events: list[str]
) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    with whole_session(tmp_path, events) as (_, reports):
        first = reports.get(timeout=PATIENCE)
    assert events == ["analysed", "found"]
    events.clear()
    with whole_session(tmp_path, events) as (_, reports):
        again = reports.get(timeout=PATIENCE)
    assert again.findings == first.findings
    assert [finding.code for finding in again.findings] == ["US201"]
    # It is analysed all the same, and what was shown is not shown again.
    assert events == ["found", "analysed"]


def test_what_no_longer_holds_is_not_shown(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    with whole_session(tmp_path, events) as (_, reports):
        assert codes(reports) == ["US201"]
    (tmp_path / "models.py").write_text(MODELS.replace("function_7()", "functoin_7()"))
    events.clear()
    with whole_session(tmp_path, events) as (_, reports):
        assert codes(reports) == []
    assert events == ["analysed", "found"]


def test_what_a_fault_of_ours_left_out_is_not_kept(
    tmp_path: Path, events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(rule: object, context: object) -> None:
        raise KeyError("a fault of ours")

    (tmp_path / "models.py").write_text(MODELS)
    rules = {**registry.all_rules(), "US201": replace(registry.all_rules()["US201"], check=fail)}
    with monkeypatch.context() as patched:
        patched.setattr(registry, "all_rules", lambda: rules)
        with whole_session(tmp_path, events) as (_, reports):
            assert codes(reports) == []
    events.clear()
    with whole_session(tmp_path, events) as (_, reports):
        assert codes(reports) == ["US201"]
    assert events == ["analysed", "found"]


def test_nothing_is_kept_once_files_change(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    with whole_session(tmp_path, events) as (worker, reports):
        worker.tell(lambda change: change.on_disk.update({tmp_path / "other.py": None}))
        assert codes(reports) == ["US201"]
    events.clear()
    with whole_session(tmp_path, events) as (_, reports):
        assert codes(reports) == ["US201"]
    assert events == ["analysed", "found"]
