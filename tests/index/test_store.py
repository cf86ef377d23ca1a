"""The store: what is kept is there for the next process, and whatever goes wrong costs a sentence and no more."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from understudy.index.store import SCHEMA, Entry, Store


class Opened:
    """A store in a file, and what it said."""

    def __init__(self, file: Path, limit: int = 1_000_000) -> None:
        self.said: list[str] = []
        self.store = Store(f"sqlite:///{file}", self.said.append, limit)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


def test_what_is_kept_is_there_for_the_next(file: Path) -> None:
    first = Opened(file)
    first.store.put([Entry("a", b"1"), Entry("b", b"2")])
    first.store.put([Entry("a", b"3")])
    first.store.close()
    second = Opened(file)
    assert second.store.get(["a", "b", "c"]) == {"a": b"3", "b": b"2"}
    assert first.said == second.said == []


def test_more_keys_than_a_statement_can_take(file: Path) -> None:
    store = Opened(file).store
    entries = [Entry(str(number), str(number).encode()) for number in range(2500)]
    store.put(entries)
    assert store.get(entry.key for entry in entries) == {entry.key: entry.data for entry in entries}


def test_the_latest_of_a_scope(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Opened(file).store
    seconds = itertools.count(1_800_000_000)
    monkeypatch.setattr("understudy.index.store.time", lambda: next(seconds))
    for number in range(7):
        store.put([Entry(f"key{number}", str(number).encode(), "scope"), Entry(f"other{number}", b"x")])
    assert store.latest("scope") == b"6"
    assert store.latest("nothing") is None
    assert sorted(store.get(f"key{number}" for number in range(7))) == ["key3", "key4", "key5", "key6"]
    assert len(store.get(f"other{number}" for number in range(7))) == 7


def test_clear(file: Path) -> None:
    store = Opened(file).store
    store.put([Entry("a", b"1")])
    store.clear()
    assert store.get(["a"]) == {}


def test_it_is_in_wal_mode_with_one_schema_version(file: Path) -> None:
    Opened(file).store.put([Entry("a", b"1")])
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT version FROM understudy_schema").fetchall() == [(SCHEMA,)]


def test_size_is_bounded_and_what_was_not_used_leaves(file: Path) -> None:
    noise = [os.urandom(10_000) for _ in range(30)]
    store = Opened(file, limit=200_000).store
    store.put([Entry(f"old{number}", data) for number, data in enumerate(noise[:10])])
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE understudy_entries SET used = used - 1000000000")
    reader = Opened(file, limit=200_000).store
    assert reader.get(["old3"])
    reader.close()
    store.put([Entry(f"new{number}", data) for number, data in enumerate(noise[10:24])])
    with sqlite3.connect(file) as connection:
        ((size,),) = connection.execute("SELECT sum(length(data)) FROM understudy_entries").fetchall()
    assert size <= 200_000
    assert store.get(["old3"]), "it was used a moment ago"
    assert not store.get(f"old{number}" for number in range(10) if number != 3)


def test_a_file_that_is_no_database_is_set_aside(file: Path) -> None:
    file.write_bytes(b"some notes of mine\n" * 100)
    opened = Opened(file)
    opened.store.put([Entry("a", b"1")])
    assert opened.store.get(["a"]) == {"a": b"1"}
    aside = file.with_name("index.db.damaged")
    assert opened.said == [f"the cache was damaged and is made anew; the old file is {aside}"]
    assert aside.read_bytes().startswith(b"some notes")


def test_a_database_that_is_damaged_in_the_middle(file: Path) -> None:
    first = Opened(file)
    first.store.put([Entry(str(number), os.urandom(3000)) for number in range(300)])
    first.store.close()
    raw = bytearray(file.read_bytes())
    raw[4096 * 3 :] = os.urandom(len(raw) - 4096 * 3)
    file.write_bytes(raw)
    second = Opened(file)
    second.store.get(str(number) for number in range(300))
    second.store.put([Entry("new", b"1")])
    assert second.store.get(["new"]) == {"new": b"1"}
    assert len(second.said) == 1 and "damaged" in second.said[0]


def test_an_entry_that_is_damaged_is_missing(file: Path) -> None:
    store = Opened(file).store
    store.put([Entry("a", b"1" * 50), Entry("b", b"2" * 50)])
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE understudy_entries SET data = ? WHERE key = 'a'", [b"\x80\x04K\x01."])
        half = zlib.compress(b"2" * 50)[:-3]
        connection.execute("UPDATE understudy_entries SET data = ? WHERE key = 'b'", [half])
    assert store.get(["a", "b"]) == {}


def test_an_older_one_is_made_anew(file: Path) -> None:
    _with_schema(file, SCHEMA - 1)
    opened = Opened(file)
    assert opened.store.get(["a"]) == {}
    opened.store.put([Entry("b", b"2")])
    assert opened.store.get(["b"]) == {"b": b"2"}
    assert opened.said == [f"the cache was an older one (schema {SCHEMA - 1}) and is made anew"]


def test_a_newer_one_is_left_alone(file: Path) -> None:
    _with_schema(file, SCHEMA + 1)
    opened = Opened(file)
    opened.store.put([Entry("b", b"2")])
    assert opened.store.get(["a", "b"]) == {}
    assert opened.store.off
    assert len(opened.said) == 1 and f"schema {SCHEMA + 1}" in opened.said[0]
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT key FROM understudy_entries").fetchall() == [("a",)]


def _with_schema(file: Path, version: int) -> None:
    store = Opened(file).store
    store.put([Entry("a", b"1")])
    store.close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE understudy_schema SET version = ?", [version])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/db", "cache-url is for sqlite or postgresql, not for mysql"),
        ("nonsense://host/db", "nonsense"),
        ("sqlite:////proc/nowhere/index.db", "unable to open database file"),
    ],
)
def test_a_url_that_leads_nowhere(url: str, said: str) -> None:
    sentences: list[str] = []
    store = Store(url, sentences.append)
    store.put([Entry("a", b"1")])
    assert store.get(["a"]) == {}
    assert (
        len(sentences) == 1
        and sentences[0].startswith("goes on without its cache: ")
        and said in sentences[0]
    )


def test_a_full_disk(file: Path) -> None:
    """The limit on the size of files stands for the disk."""
    done = subprocess.run(
        [sys.executable, "-c", _FILL, str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("goes on without its cache: ")


_FILL = """
import os, resource, signal, sys
from understudy.index.store import Entry, Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
store = Store("sqlite:///" + sys.argv[1], print)
for number in range(20):
    store.put([Entry(str(number), os.urandom(50_000))])
    store.get([str(number)])
"""


def test_a_file_that_cannot_be_written(file: Path) -> None:
    store = Opened(file).store
    store.put([Entry("a", b"1")])
    store.close()
    opened = Opened(file)
    with sqlite3.connect(f"file:{file}?mode=rw", uri=True, isolation_level=None) as other:
        # As a read-only file system answers; root may write to whatever has no mode bits.
        opened.store.get(["a"])
        other.execute(
            "CREATE TRIGGER t BEFORE INSERT ON understudy_entries BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        opened.store.put([Entry("b", b"2")])
    assert opened.store.off
    assert opened.said == ["goes on without its cache: no"]


def _write(file: Path, name: str) -> None:
    said: list[str] = []
    store = Store(f"sqlite:///{file}", said.append)
    for number in range(40):
        store.put([Entry(f"{name}{number}", os.urandom(2000)), Entry("shared", name.encode())])
        store.get(["shared", f"{name}{number}"])
    store.close()
    if said:
        raise SystemExit(f"{name}: {said}")


def test_four_processes_write_at_once(file: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(file, name)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    opened = Opened(file)
    names = [f"{name}{number}" for name in "abcd" for number in range(40)]
    assert len(opened.store.get(names)) == len(names)
    assert opened.store.get(["shared"])["shared"] in (b"a", b"b", b"c", b"d")
    assert opened.said == []


_WRITE_FOR_EVER = """
import itertools, os, sys
from understudy.index.store import Entry, Store
store = Store("sqlite:///" + sys.argv[1], print)
for number in itertools.count():
    store.put([Entry(f"{number}:{part}", os.urandom(20_000)) for part in range(50)])
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_a_readable_cache(file: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITE_FOR_EVER, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    opened = Opened(file)
    for number in range(3):
        assert len(opened.store.get(f"{number}:{part}" for part in range(50))) == 50
    opened.store.put([Entry("a", b"1")])
    assert opened.store.get(["a"]) == {"a": b"1"}
    assert opened.said == []


def test_nothing_is_imported_until_it_is_used() -> None:
    code = (
        "import sys; from understudy.index.store import Store; Store(None, print);"
        "print([name for name in ('sqlalchemy', 'sqlite3', 'platformdirs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
