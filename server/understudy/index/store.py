"""The database of what is worth keeping between runs: SQLite in the user's cache folder, or PostgreSQL for a team.

It holds bytes under keys and knows nothing of what they mean. Whatever goes wrong with it is said once, in a sentence,
and from then on it is empty and keeps nothing: a check never fails because of its cache. Nothing in it is executed.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Executable, Table

SCHEMA: Final = 1
"""Grows when the tables change. An older cache is made anew, a newer one is left alone."""
LIMIT: Final = 512 * 1024 * 1024
"""Bytes of entries. Above it, those that were not used for the longest time leave."""
_KEPT_SNAPSHOTS = 4
_DAY = 24 * 60 * 60 * 1000
_CHUNK = 400
_BUSY = 10
"""Seconds to wait for another process that writes."""
_FOR_PSYCOPG = {
    "connect_timeout": _BUSY,
    "options": f"-c statement_timeout={_BUSY}s",
    # A database without an encoding would give bytes.
    "client_encoding": "utf8",
}
_LOCK = 0x756E6465
"""PostgreSQL's advisory lock of whoever writes: one after the other, so that two never wait for each other."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to keep. Of those with the same scope, the latest few stay."""

    key: str
    data: bytes
    scope: str = ""


class Store:
    """Opened at the first use. Not thread-safe; use one per thread."""

    def __init__(self, url: str | None, say: Callable[[str], None], limit: int = LIMIT) -> None:
        """
        :param url: ``sqlite:///…`` or ``postgresql+psycopg://…``; None stands for the user's cache folder.
        :param say: told in a sentence, at most once each, that the cache is made anew, or goes unused.
        """
        self._url = url
        self._say = say
        self._limit = limit
        self._engine: Engine | None = None
        self._tables: _Tables | None = None
        self._off = False
        self._used: set[str] = set()

    @property
    def off(self) -> bool:
        """True when it failed: nothing is read or kept any more."""
        return self._off

    def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What is kept under the keys; those that are missing, or damaged, are left out."""
        found: dict[str, bytes] = {}
        for part in _parts(list(dict.fromkeys(keys))):
            found.update(self._found("key", part))
        return found

    def latest(self, scope: str) -> bytes | None:
        """What was kept last within a scope."""
        return next(iter(self._found("scope", [scope], latest=True).values()), None)

    def put(self, entries: Sequence[Entry]) -> None:
        """Keep them, in place of what there was under their keys."""
        for part in _parts(entries):
            self._safely(None, self._insert, part)
        if entries:
            self._safely(None, self._make_room)

    def clear(self) -> None:
        """Forget everything."""
        self._safely(
            None, self._write, lambda connection, tables: connection.execute(tables.entries.delete())
        )

    def close(self) -> None:
        """Write down what was used, and let go of the connection."""
        if self._used and not self._off:
            self._safely(None, self._touch)
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.dispose()

    # --- what can go wrong

    def _safely(self, otherwise: _T, work: Callable[..., _T], *arguments: Any) -> _T:
        if self._off:
            return otherwise
        from sqlalchemy.exc import SQLAlchemyError

        try:
            return work(*arguments)
        except _Unusable as error:
            self._give_up(str(error))
        except SQLAlchemyError as error:
            if self._is_damaged(error) and self._set_aside():
                return self._safely(otherwise, work, *arguments)
            self._give_up(_reason(error))
        except Exception as error:  # a driver's own, too
            self._give_up(_reason(error))
        return otherwise

    def _give_up(self, reason: str) -> None:
        self._off = True
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()
        self._say(f"goes on without its cache: {reason}")

    def _is_damaged(self, error: Exception) -> bool:
        import sqlite3

        # Only the class itself: those derived from it are about locks, disks and mistakes of ours.
        return type(getattr(error, "orig", None)) is sqlite3.DatabaseError

    def _set_aside(self) -> bool:
        """Move a damaged file away, for it may be no cache at all; False when that cannot be done, or was done."""
        file = self._file()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if file is None:
            return False
        aside = file.with_name(f"{file.name}.damaged")
        try:
            os.replace(file, aside)
            for suffix in ("-wal", "-shm"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        self._say(f"the cache was damaged and is made anew; the old file is {aside}")
        return True

    def _file(self) -> Path | None:
        if self._url is None:
            return default_file()
        from sqlalchemy import make_url

        database = make_url(self._url).database
        return Path(database) if self._url.startswith("sqlite") and database else None

    # --- the connection

    def _open(self) -> tuple[Engine, _Tables]:
        if self._engine is not None and self._tables is not None:
            return self._engine, self._tables
        from sqlalchemy import create_engine, event, make_url
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError

        tables = self._tables or _Tables()
        try:
            url = make_url(self._url or f"sqlite:///{_made(default_file())}")
            if url.get_backend_name() == "sqlite":
                engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"timeout": _BUSY})
                event.listen(engine, "connect", _set_up_sqlite)
            elif url.get_backend_name() == "postgresql":
                engine = create_engine(
                    url,
                    isolation_level="AUTOCOMMIT",
                    connect_args=_FOR_PSYCOPG if url.drivername == "postgresql+psycopg" else {},
                )
            else:
                raise _Unusable(f"cache-url is for sqlite or postgresql, not for {url.get_backend_name()}")
        except ModuleNotFoundError as error:
            raise _Unusable(
                f"{error.name} is not installed; pip install 'understudy[postgresql]' brings it"
            ) from None
        except (ArgumentError, NoSuchModuleError) as error:
            raise _Unusable(f"cache-url: {_reason(error)}") from None
        self._engine, self._tables = engine, tables
        with engine.connect() as connection:
            self._agree(connection, tables)
        return engine, tables

    def _agree(self, connection: Connection, tables: _Tables) -> None:
        """Make the tables where there are none; make them anew where they are older."""
        from sqlalchemy import inspect, select

        known = None
        if inspect(connection).has_table(tables.schema.name):
            known = connection.execute(select(tables.schema.c.version)).scalar()
        if known == SCHEMA:
            return
        if known is not None and known > SCHEMA:
            raise _Unusable(f"it was made by a newer Understudy (schema {known}, this one has {SCHEMA})")
        with _transaction(connection):
            # Another process may have been faster.
            if inspect(connection).has_table(tables.schema.name):
                again = connection.execute(select(tables.schema.c.version)).scalar()
                if again == SCHEMA:
                    return
            tables.metadata.drop_all(connection)
            tables.metadata.create_all(connection)
            connection.execute(tables.schema.insert().values(version=SCHEMA))
        if known is not None:
            self._say(f"the cache was an older one (schema {known}) and is made anew")

    def _run(self, statement: Callable[[_Tables], Executable]) -> Sequence[Any]:
        engine, tables = self._open()
        with engine.connect() as connection:
            return connection.execute(statement(tables)).fetchall()

    def _write(self, work: Callable[..., object], *arguments: Any) -> None:
        engine, tables = self._open()
        with engine.connect() as connection, _transaction(connection):
            work(connection, tables, *arguments)

    # --- the work

    def _found(self, column: str, values: Sequence[str], latest: bool = False) -> dict[str, bytes]:
        if self._off:
            return {}
        if self._engine is None:
            rows = self._read_at_once(column, values, latest)
            if rows is not None:
                return self._unpacked(rows, latest)
        nothing: dict[str, bytes] = {}
        return self._safely(nothing, self._select, column, values, latest)

    def _read_at_once(self, column: str, values: Sequence[str], latest: bool) -> list[Any] | None:
        """What :meth:`_select` reads, from SQLite without SQLAlchemy: to import that takes longer than all the rest
        of a check of files that did not change. None: ask as usual, which says what is wrong.
        """
        prefix = "sqlite:///"
        if self._url is not None and (not self._url.startswith(prefix) or "?" in self._url):
            return None
        file = Path(self._url.removeprefix(prefix)) if self._url is not None else default_file()
        if not file.is_file():
            return None
        import sqlite3

        statement = f"SELECT key, used, data FROM understudy_entries WHERE {column} IN ({_marks(values)})"
        if latest:
            statement += " ORDER BY used DESC, key LIMIT 1"
        try:
            connection = sqlite3.connect(file, timeout=_BUSY)
            try:
                if connection.execute("SELECT version FROM understudy_schema").fetchall() != [(SCHEMA,)]:
                    return None
                return connection.execute(statement, values).fetchall()
            finally:
                connection.close()
        except sqlite3.Error:
            return None

    def _select(self, column: str, values: Sequence[str], latest: bool) -> dict[str, bytes]:
        from sqlalchemy import select

        def statement(tables: _Tables) -> Executable:
            c = tables.entries.c
            found = select(c.key, c.used, c.data).where(c[column].in_(values))
            return found.order_by(c.used.desc(), c.key).limit(1) if latest else found

        return self._unpacked(self._run(statement), latest)

    def _unpacked(self, rows: Iterable[Any], latest: bool) -> dict[str, bytes]:
        now = _now()
        found = {}
        for key, used, data in rows:
            try:
                found[key] = zlib.decompress(data)
            except zlib.error:
                continue
            if not latest and used < now - _DAY:
                self._used.add(key)
        return found

    def _insert(self, entries: Sequence[Entry]) -> None:
        now = _now()
        packed = {entry.key: (entry, zlib.compress(entry.data, 1)) for entry in entries}
        rows = [
            {"key": key, "scope": entry.scope, "used": now, "size": len(data), "data": data}
            for key, (entry, data) in packed.items()
        ]

        def work(connection: Connection, tables: _Tables) -> None:
            if connection.dialect.name == "postgresql":
                from sqlalchemy.dialects.postgresql import insert
            else:
                from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
            statement = insert(tables.entries)
            changed = {name: statement.excluded[name] for name in ("scope", "used", "size", "data")}
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=changed), rows)
            for scope in {entry.scope for entry in entries} - {""}:
                self._keep_latest(connection, tables, scope)

        self._write(work)

    def _keep_latest(self, connection: Connection, tables: _Tables, scope: str) -> None:
        from sqlalchemy import select

        c = tables.entries.c
        old = select(c.key).where(c.scope == scope).order_by(c.used.desc(), c.key).offset(_KEPT_SNAPSHOTS)
        keys = list(connection.execute(old).scalars())
        if keys:
            self._delete(connection, tables, keys)

    def _make_room(self) -> None:
        from sqlalchemy import func, select

        sizes = self._run(lambda tables: select(func.coalesce(func.sum(tables.entries.c.size), 0)))
        excess = int(sizes[0][0]) - self._limit
        if excess <= 0:
            return
        excess += self._limit // 5

        def by_age(tables: _Tables) -> Executable:
            c = tables.entries.c
            return select(c.key, c.size).order_by(c.used, c.key)

        leaving: list[str] = []
        for key, size in self._run(by_age):
            if excess <= 0:
                break
            leaving.append(key)
            excess -= size
        for part in _parts(leaving):
            self._write(self._delete, part)

    def _delete(self, connection: Connection, tables: _Tables, keys: Sequence[str]) -> None:
        connection.execute(tables.entries.delete().where(tables.entries.c.key.in_(keys)))

    def _touch(self) -> None:
        keys = sorted(self._used)
        self._used.clear()
        for part in _parts(keys):
            self._write(self._mark, part)

    def _mark(self, connection: Connection, tables: _Tables, keys: Sequence[str]) -> None:
        which = tables.entries.c.key.in_(keys)
        connection.execute(tables.entries.update().where(which).values(used=_now()))


class _Unusable(Exception):
    """The cache cannot be used; ``str()`` says why."""


class _Tables:
    """The tables as SQLAlchemy knows them."""

    def __init__(self) -> None:
        from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

        self.metadata = MetaData()
        self.schema: Table = Table(
            "understudy_schema", self.metadata, Column("version", Integer, nullable=False)
        )
        self.entries: Table = Table(
            "understudy_entries",
            self.metadata,
            Column("key", String(100), primary_key=True),
            Column("scope", String(100), nullable=False),
            Column("used", BigInteger, nullable=False),
            Column("size", Integer, nullable=False),
            Column("data", LargeBinary, nullable=False),
            Index("understudy_entries_scope", "scope", "used"),
            Index("understudy_entries_used", "used", "size"),
        )


class _transaction:
    """One that holds from its first moment: nobody else writes until it ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql("BEGIN")
            self._connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        else:
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._connection.exec_driver_sql("COMMIT" if kind is None else "ROLLBACK")


def _parts(whole: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(whole), _CHUNK):
        yield whole[start : start + _CHUNK]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _now() -> int:
    """Milliseconds."""
    return int(time() * 1000)


def default_file() -> Path:
    """The database in the user's cache folder."""
    from platformdirs import user_cache_path

    return user_cache_path("understudy", appauthor=False) / "index.db"


def _made(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _set_up_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _reason(error: BaseException) -> str:
    """What happened, in one line, without the statement that was to be run."""
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    return lines[0] if lines else type(original).__name__
