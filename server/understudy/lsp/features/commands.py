"""``workspace/executeCommand``: show the log, start over, explain a rule."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from understudy.lsp.feature import Feature
from understudy.lsp.session import Session

_LINES = 500


class Recent(logging.Handler):
    """Keeps the latest lines of the log for whoever asks."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


recent = Recent()


async def show_logs(session: Session, arguments: tuple[Any, ...]) -> str:
    """The latest lines of the server's log."""
    return "\n".join(recent.lines)


async def clear_cache(session: Session, arguments: tuple[Any, ...]) -> None:
    """Forget all that is known of the workspace, and look at the open files anew."""
    session.start_over()


async def explain(session: Session, arguments: tuple[Any, ...]) -> str | None:
    """The page of a rule, by its code or name, Markdown; None when there is no such rule."""
    from understudy.rules import registry

    wanted = arguments[0] if arguments else None
    rule = registry.find(wanted) if isinstance(wanted, str) else None
    return rule.page if rule is not None else None


FEATURES = (
    Feature("understudy.showLogs", show_logs),
    Feature("understudy.clearCache", clear_cache),
    Feature("understudy.explain", explain),
)
