"""What a session shows from the last one, before it has looked at anything, is what a fresh look finds."""

from __future__ import annotations

import builtins
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from test_results import VARIANTS, Workspace, workspace  # noqa: F401
from understudy.engine import Analysis
from understudy.finding import Finding
from understudy.index import hashes
from understudy.index.kept_facts import Caches
from understudy.index.workspace import Interrupted
from understudy.lsp.documents import Document, Documents
from understudy.lsp.exchange import Settings
from understudy.lsp.projects import OpenProject, Projects
from understudy.orm.models import Models

OPENED = ("tests/unit/test_service.py", "tests/test_orders.py", "shop/service.py")
TOO_NEW = hashes._TOO_NEW


@pytest.fixture(autouse=True)
def stamps_count_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "_TOO_NEW", 0)


@contextmanager
def session(root: Path, *, cache: bool = True) -> Iterator[tuple[OpenProject, dict[Path, Document]]]:
    """A project and its open files, as they are on disk."""
    with Caches(lambda sentence: pytest.fail(sentence), used=cache, later=True) as caches:
        opened, _ = Projects(Settings((root,)), caches).of(root / "any.py")
        documents: dict[Path, Document] = {}
        for name in OPENED:
            path = root / name
            if path.exists():
                item = types.TextDocumentItem(path.as_uri(), "python", 1, path.read_text("utf-8"))
                documents[path] = Documents().open(item)
                opened.project.workspace.open(path, documents[path].source)
        yield opened, documents


def known(opened: OpenProject, documents: dict[Path, Document]) -> dict[Path, Analysis]:
    found = ((path, opened.earlier.find(path, documents)) for path in documents)
    return {path: analysis for path, analysis in found if analysis is not None}


def work(opened: OpenProject, documents: dict[Path, Document]) -> None:
    """What a session does: it looks up what is known, analyses what is open, and keeps it."""
    known(opened, documents)
    for path in documents:
        opened.earlier.note(opened.project.analyse(path))
    opened.earlier.keep(documents)


def fresh(root: Path) -> dict[Path, list[Finding]]:
    with session(root, cache=False) as (opened, documents):
        project = opened.project
        return {path: project.finish([project.analyse(path)]) for path in documents}


@pytest.mark.parametrize("seed", range(int(os.environ.get("UNDERSTUDY_FUZZ_EXAMPLES", "3"))))
def test_what_is_known_is_what_a_fresh_look_finds(workspace: Workspace, seed: int) -> None:  # noqa: F811
    chance = random.Random(seed)
    shown = 0
    for _ in range(12):
        with session(workspace.root) as (opened, documents):
            found = known(opened, documents)
            expected = fresh(workspace.root)
            for path, analysis in found.items():
                assert opened.project.finish([analysis]) == expected[path], path
            shown += len(found)
            for path in documents:
                # Patterns that were matched in the last session are not asked of the files again.
                assert opened.project.finish([opened.project.analyse(path)]) == expected[path], path
            work(opened, documents)
        for name in chance.sample(sorted(VARIANTS), chance.choice((0, 1, 1, 2))):
            workspace.put(name, chance.choice(VARIANTS[name]))
    assert shown > 3


def test_a_warm_start_reads_only_what_changed(
    workspace: Workspace,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(30):
        workspace.put(f"shop/other_{number}.py", f"def function_{number}(): ...\n")
    with session(workspace.root) as (opened, documents):
        assert known(opened, documents) == {}
        work(opened, documents)
    workspace.put("shop/other_7.py", "def function(): ...\n")
    read: list[str] = []
    plain, reading = builtins.open, Path.read_bytes

    def open_(file: Any, *rest: Any, **more: Any) -> Any:
        read.append(str(file))
        return plain(file, *rest, **more)

    def read_bytes(path: Path) -> bytes:
        read.append(str(path))
        return reading(path)

    with session(workspace.root) as (opened, documents):
        monkeypatch.setattr(builtins, "open", open_)
        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        assert known(opened, documents).keys() == documents.keys()
        assert {Path(name).name for name in read if "other_" in name} == {"other_7.py"}
        read.clear()
        work(opened, documents)
        assert not any("other_" in name for name in read)


def test_the_time_of_a_file_put_back_hides_no_change(workspace: Workspace) -> None:  # noqa: F811
    path = workspace.root / "shop/service.py"
    with session(workspace.root) as (opened, documents):
        work(opened, documents)
    before = path.stat()
    content = path.read_text("utf-8")
    path.write_text(content.replace("number=number", "nubmer=number"), "utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with session(workspace.root) as (opened, documents):
        assert path not in known(opened, documents)


def test_a_file_that_was_just_written_is_read_again(
    workspace: Workspace,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = str(workspace.root / "shop/service.py")
    monkeypatch.setattr(hashes, "_TOO_NEW", TOO_NEW)
    with session(workspace.root) as (opened, _):
        facts = opened.project.workspace.kept_facts
        assert facts is not None
        stamp = hashes.stamp_of(path)
        for number in range(2):
            kept = hashes.Hashes(facts.store, workspace.root)
            found = kept.of(path, stamp)
            kept.flush()
            if number == 0:
                Path(path).write_text("changed = True\n")
        # The stamp is the old one: as if the second writing had left it alone.
        assert found == hashes.hash_of(path)


def test_what_is_open_with_another_text_is_not_known(workspace: Workspace) -> None:  # noqa: F811
    with session(workspace.root) as (opened, documents):
        work(opened, documents)
    with session(workspace.root) as (opened, documents):
        path = next(iter(documents))
        item = types.TextDocumentItem(path.as_uri(), "python", 1, "")
        documents[path] = Documents().open(item)
        assert known(opened, documents) == {}
        work(opened, documents)
    with session(workspace.root) as (opened, documents):
        # And nothing was kept of it.
        found = known(opened, documents)
        assert found.keys() == documents.keys()
        for path, analysis in found.items():
            assert opened.project.finish([analysis]) == fresh(workspace.root)[path]


def test_what_changes_while_it_is_looked_at_is_not_vouched_for(workspace: Workspace) -> None:  # noqa: F811
    with session(workspace.root) as (opened, documents):
        known(opened, documents)
        for path in documents:
            opened.earlier.note(opened.project.analyse(path))
        workspace.put("shop/mail.py", VARIANTS["shop/mail.py"][1])
        opened.earlier.keep(documents)
    with session(workspace.root) as (opened, documents):
        assert workspace.root / "tests/unit/test_service.py" not in known(opened, documents)


def test_keeping_gives_way_and_is_tried_again(workspace: Workspace) -> None:  # noqa: F811
    def stop() -> None:
        raise Interrupted

    with session(workspace.root) as (opened, documents):
        known(opened, documents)
        for path in documents:
            opened.earlier.note(opened.project.analyse(path))
        opened.project.workspace._matching.clear()
        opened.project.workspace._listed.clear()
        opened.project.workspace.checkpoint = stop
        with pytest.raises(Interrupted):
            opened.earlier.keep(documents)
        assert opened.earlier.pending
        opened.project.workspace.checkpoint = lambda: None
        opened.earlier.keep(documents)
        assert not opened.earlier.pending
    with session(workspace.root) as (opened, documents):
        assert known(opened, documents).keys() == documents.keys()


def test_the_first_look_for_models_reads_a_file_once(
    workspace: Workspace,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(5):
        workspace.put(f"shop/other_{number}.py", f"def function_{number}(): ...\n")
    read: list[str] = []
    reading = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        read.append(path.name)
        return reading(path)

    with session(workspace.root) as (opened, _):
        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        models = Models(opened.project.workspace)
        assert models.exist
        assert {name for name, _ in models.declared} >= {"Line", "Order"}
    assert sorted(name for name in read if "other_" in name) == [f"other_{number}.py" for number in range(5)]
