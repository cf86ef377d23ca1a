"""A PostgreSQL server of its own for the tests, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """The folder with ``initdb`` and ``postgres``: Debian's, or that of what is on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path is not None else None


@contextmanager
def running() -> Iterator[Server]:
    """A server that is there for a while."""
    found = binaries()
    assert found is not None, "make test-pg installs a server"
    # Another user has to get there.
    folder = Path(tempfile.gettempdir()) / f"understudy-pg-{os.getpid()}"
    folder.mkdir(mode=0o700)
    server = Server(folder, found)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


class Server:
    """Start, kill and start again."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        # The server refuses to run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        self._binaries = binaries
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._run(
            "initdb", "--pgdata", str(folder), "--auth=trust", "--username=ci", "--no-sync", "--locale=C"
        )

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://ci@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        settings = (
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "unix_socket_directories=",
            "fsync=off",
        )
        arguments = [argument for setting in settings for argument in ("-c", setting)]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._folder, *arguments],
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        ask = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "60"]
        for _ in range(200):
            if subprocess.run(ask, check=False, cwd="/").returncode == 0:
                return
            if self._process.poll() is not None:
                break
            # It refuses at once while it is not listening yet.
            signal.sigtimedwait([], 0.05)
        raise RuntimeError("PostgreSQL did not start")

    def stop(self) -> None:
        """At once, as when the power fails."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(60)

    def query(self, statement: str) -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=ci dbname=postgres client_encoding=utf8"
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description is not None else []

    def _run(self, *command: str) -> None:
        program, *arguments = command
        subprocess.run(
            [self._binaries / program, *arguments],
            user=self._user,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
