"""A cache that several machines share, on a real server. ``make test-pg`` installs one where there is none."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postgresql import Server, binaries, running
from understudy.check import Options, run
from understudy.engine import Project, forget_settings
from understudy.index.store import SCHEMA, Entry, Store

FOUND = binaries()
pytestmark = [
    pytest.mark.skipif(
        FOUND is None and not os.environ.get("UNDERSTUDY_NEEDS_POSTGRESQL"), reason="there is no PostgreSQL"
    ),
    pytest.mark.xdist_group("postgresql"),
]
SERVICE = "class Service:\n    async def run(self):\n        return 1\n"
TEST = """\
from unittest.mock import MagicMock

from service import Service


async def test_run():
    service = MagicMock()
    await service.run()
    assert Service
"""


@pytest.fixture(scope="module")
def started() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def server(started: Server) -> Server:
    """With an empty database."""
    started.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return started


class Opened:
    def __init__(self, url: str) -> None:
        self.said: list[str] = []
        self.store = Store(url, self.said.append)


def test_what_one_keeps_another_finds(server: Server) -> None:
    first, second = Opened(server.url), Opened(server.url)
    first.store.put([Entry("a", b"\x00\xff"), Entry("b", b"2", "scope")])
    assert second.store.get(["a", "c"]) == {"a": b"\x00\xff"}
    assert second.store.latest("scope") == b"2"
    second.store.put([Entry("a", b"3")])
    assert first.store.get(["a"]) == {"a": b"3"}
    assert first.said == second.said == []
    second.store.clear()
    assert first.store.get(["a", "b"]) == {}
    first.store.close()
    second.store.close()


def _write(url: str, name: str) -> None:
    said: list[str] = []
    store = Store(url, said.append)
    for number in range(30):
        entries = [Entry(f"{name}{number}:{part}", os.urandom(500)) for part in range(20)]
        shared = [Entry(f"shared{part}", name.encode(), "scope") for part in range(6)]
        # Each in an order of its own.
        store.put([*entries, *(shared if name in "ac" else reversed(shared))])
        assert len(store.get(entry.key for entry in entries)) == 20
    store.close()
    if said:
        raise SystemExit(f"{name}: {said}")


def test_four_writers_at_once(server: Server) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(server.url, name)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert server.query("SELECT count(*) FROM understudy_entries WHERE scope = ''") == [(4 * 30 * 20,)]
    assert server.query("SELECT version FROM understudy_schema") == [(SCHEMA,)]


def test_a_server_that_goes_away(server: Server) -> None:
    opened = Opened(server.url)
    opened.store.put([Entry("a", b"1")])
    server.stop()
    try:
        opened.store.put([Entry("b", b"2")])
        assert opened.store.get(["a"]) == {}
        opened.store.close()
    finally:
        server.start()
    assert len(opened.said) == 1 and opened.said[0].startswith("goes on without its cache: ")
    assert Opened(server.url).store.get(["a", "b"]) == {"a": b"1"}


@pytest.mark.parametrize("version", [SCHEMA - 1, SCHEMA + 1])
def test_another_schema_version(server: Server, version: int) -> None:
    first = Opened(server.url)
    first.store.put([Entry("a", b"1")])
    first.store.close()
    server.query(f"UPDATE understudy_schema SET version = {version}")
    second = Opened(server.url)
    second.store.put([Entry("b", b"2")])
    known = second.store.get(["a", "b"])
    second.store.close()
    assert len(second.said) == 1 and f"schema {version}" in second.said[0]
    if version < SCHEMA:
        assert known == {"b": b"2"}
        assert server.query("SELECT version FROM understudy_schema") == [(SCHEMA,)]
    else:
        assert known == {}
        assert server.query("SELECT key FROM understudy_entries") == [("a",)]


def test_a_server_that_is_not_there(server: Server) -> None:
    opened = Opened("postgresql+psycopg://ci:secret@127.0.0.1:1/postgres")
    opened.store.put([Entry("a", b"1")])
    assert len(opened.said) == 1
    assert "secret" not in opened.said[0]
    assert "\n" not in opened.said[0]


# --- the check


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    return _project(tmp_path / "work", server.url, monkeypatch)


def _project(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f'[tool.understudy]\ncache-url = "{url}"\n')
    (folder / "service.py").write_text(SERVICE)
    for number in range(8):
        (folder / f"test_{number}.py").write_text(TEST)
    monkeypatch.chdir(folder)
    return folder


def _found(jobs: int, *, cache: bool = True) -> tuple[int, list[dict[str, Any]], str]:
    out, err = io.StringIO(), io.StringIO()
    forget_settings()
    status = run(Options((Path(),), output_format="json", jobs=jobs, cache=cache), out, err)
    return status, json.loads(out.getvalue()), err.getvalue()


def test_another_machine_does_not_check_again(
    project: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _found(1)
    assert len(first[1]) == 8
    _project(tmp_path / "another-machine", server.url, monkeypatch)
    monkeypatch.setattr(Project, "analyse", lambda *arguments: pytest.fail("it was analysed"))
    assert _found(1) == first


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_check_goes_on_when_the_server_goes_away(
    project: Path, server: Server, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = _found(1, cache=False)
    from understudy.results import Results

    keep = Results.keep

    def too_late(self: Results, checked: Any) -> None:
        server.stop()
        keep(self, checked)

    monkeypatch.setattr(Results, "keep", too_late)
    try:
        status, findings, said = _found(jobs)
    finally:
        server.start()
    assert (status, findings) == fresh[:2]
    assert len(said.splitlines()) == 1
    assert said.startswith("understudy: goes on without its cache: ")
