"""``$/progress`` for the files that are checked in the background."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from lsprotocol import types

from understudy.lsp.exchange import Progress

if TYPE_CHECKING:
    from understudy.lsp.server import Server

_EVERY = 0.25
"""Seconds between two reports."""
_WORTH_IT = 20
"""With fewer files nothing is shown: it would flash."""


class ProgressBar:
    """One bar at a time, for the folder that is being checked. It names the folder and counts the files."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.token: str | None = None
        self._ready = False
        self._last = 0.0

    def show(self, progress: Progress) -> None:
        if not self._server.session.client.work_done_progress:
            return
        if progress.done >= progress.total:
            self._end(progress)
        elif self.token is None and progress.total >= _WORTH_IT:
            self._begin(progress)
        elif self._ready and monotonic() - self._last >= _EVERY:
            self._last = monotonic()
            self._send(
                types.WorkDoneProgressReport(
                    message=f"{progress.done} of {progress.total} files",
                    percentage=100 * progress.done // max(progress.total, 1),
                )
            )

    def close(self) -> None:
        """The work is interrupted: by the user, or because everything is read anew."""
        if self._ready:
            self._send(types.WorkDoneProgressEnd(message="stopped"))
        self.token, self._ready = None, False

    def _begin(self, progress: Progress) -> None:
        token = self.token = f"understudy-{uuid4()}"

        def created(_: object) -> None:
            if self.token != token:
                return
            self._ready = True
            title = f"Understudy: checking {progress.folder.name}"
            message = f"{progress.done} of {progress.total} files"
            self._send(types.WorkDoneProgressBegin(title, cancellable=True, message=message, percentage=0))

        self._server.window_work_done_progress_create(types.WorkDoneProgressCreateParams(token), created)

    def _end(self, progress: Progress) -> None:
        if self._ready:
            self._send(types.WorkDoneProgressEnd(message=f"{progress.total} files"))
        self.token, self._ready = None, False

    def _send(
        self, value: types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd
    ) -> None:
        if self.token is not None:
            self._server.protocol.notify(types.PROGRESS, types.ProgressParams(self.token, value))
