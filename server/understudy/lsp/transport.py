"""Framed messages on a pair of streams.

A thread of our own reads: pygls's reader needs four turns of a thread pool per message, refuses headers that
the protocol allows, and keeps the process alive when it is interrupted.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from time import sleep
from typing import BinaryIO

_WATCH_EVERY = 2.0
"""Seconds between two looks whether the editor is still there."""


def messages(stream: BinaryIO) -> Iterator[bytes]:
    """The body of each message, to the end of the stream. What is no header is passed over."""
    length: int | None = None
    while line := stream.readline():
        name, _, value = line.strip().partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
        elif not name and length is not None:
            body = stream.read(length)
            if len(body) < length:
                return
            yield body
            length = None


class Inbound:
    """Messages, read ahead by a thread. None at the end of the stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._stream = stream
        threading.Thread(target=self._read, name="understudy-input", daemon=True).start()

    async def next(self) -> bytes | None:
        return await self._queue.get()

    def _read(self) -> None:
        # ValueError: the stream was closed under our hands.
        with suppress(OSError, ValueError):
            for body in messages(self._stream):
                if not self._put(body):
                    return
        self._put(None)

    def _put(self, body: bytes | None) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, body)
        except RuntimeError:
            return False
        return True


class Outbound:
    """Writes in the shape that pygls expects of its writer. Quiet once the client is gone."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.broken = False

    def write(self, data: bytes) -> None:
        if self.broken:
            return
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            self.broken = True

    def close(self) -> None:
        self.broken = True
        with suppress(OSError, ValueError):
            self._stream.close()


def standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for messages alone: whatever else is printed, by C code or by another
    process, too, goes to standard error from here on, and nobody else can read the input."""
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, target


def accepted(host: str, port: int) -> tuple[BinaryIO, BinaryIO]:
    """The streams of the first client that connects."""
    with socket.create_server((host, port)) as listener:
        name, number = listener.getsockname()[:2]
        print(f"listening on {name}:{number}", file=sys.stderr, flush=True)
        connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection.makefile("rb"), connection.makefile("wb")


def end_with(parent: int) -> None:
    """End this process when the editor's has ended, also when somebody else still holds our input open."""
    if sys.platform == "win32" or parent <= 0:
        # There, another process can have the number at once; closed pipes have to do.
        return

    def watch() -> None:
        while True:
            sleep(_WATCH_EVERY)
            try:
                os.kill(parent, 0)
            except ProcessLookupError:
                os._exit(1)
            except OSError:
                # It is there, and another user's.
                return

    threading.Thread(target=watch, name="understudy-parent", daemon=True).start()
