"""The server starts warm: facts of files that were read in an earlier session are not read out of them again."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from lsp_client import PATIENCE
from lsprotocol import types
from understudy.facts.extract import extract
from understudy.facts.model import ModuleFacts
from understudy.index import workspace
from understudy.index.store import Entry, Store
from understudy.lsp.documents import Documents
from understudy.lsp.exchange import Report, Settings
from understudy.lsp.worker import Worker
from understudy.source.parse import Parsed

MODELS = "class Base:\n    pass\n\n\n" + "".join(f"def function_{number}(): ...\n" for number in range(300))
TEST = """\
from unittest.mock import patch

from models import Base


@patch("models.functoin_7")
def test_a(double):
    assert Base
"""


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose facts were read out of their trees."""
    names: list[str] = []

    def noting(parsed: Parsed) -> ModuleFacts:
        names.append(parsed.path.name)
        return extract(parsed)

    monkeypatch.setattr(workspace, "extract", noting)
    return names


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


def test_the_next_session_starts_with_the_facts_of_the_last(tmp_path: Path, extracted: list[str]) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    with session(tmp_path) as (_, reports):
        assert codes(reports) == ["US201"]
    assert "models.py" in extracted
    extracted.clear()
    with session(tmp_path) as (worker, reports):
        assert codes(reports) == ["US201"]
        assert "models.py" not in extracted
        settings = Settings((tmp_path,))

        def start_over(change: object) -> None:
            change.settings, change.clear = settings, True  # type: ignore[attr-defined]

        worker.tell(start_over)
        assert codes(reports) == ["US201"]
        assert "models.py" in extracted


def test_a_file_that_changed_meanwhile_is_read(tmp_path: Path, extracted: list[str]) -> None:
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
