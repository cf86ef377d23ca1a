"""A browser for agents: navigation, actions, and what they may touch."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from core.exceptions import PermissionDenied
from core.settings import settings

SUPPORTED_ACTIONS = frozenset({"navigate", "click", "fill", "extract", "screenshot"})


@dataclass
class ActionResult:
    """What came of one action."""

    kind: str
    target: str
    succeeded: bool = True
    data: dict[str, Any] = field(default_factory=dict)


def host_is_allowed(url: str) -> bool:
    """Whether agents may visit the host of a URL."""
    host = urlsplit(url).hostname or ""
    return any(host == allowed or host.endswith("." + allowed) for allowed in settings.browser_allowed_hosts)


def validate_action(kind: str, target: str) -> None:
    """Refuse an action that is unknown, or that leaves the allowed hosts."""
    if kind not in SUPPORTED_ACTIONS:
        raise ValueError(f"unknown browser action {kind!r}")
    if kind == "navigate" and not host_is_allowed(target):
        raise PermissionDenied(f"agents may not visit {target}")


async def execute_browser_action(kind: str, target: str, **options: Any) -> ActionResult:
    """Carry out one action."""
    validate_action(kind, target)
    await asyncio.sleep(0)
    return ActionResult(kind=kind, target=target, data=dict(options))


async def execute_browser_script(steps: Sequence[tuple[str, str]]) -> list[ActionResult]:
    """Carry out several actions, up to the first that does not succeed."""
    results: list[ActionResult] = []
    for kind, target in steps:
        result = await execute_browser_action(kind, target)
        results.append(result)
        if not result.succeeded:
            break
    return results


async def take_screenshot(url: str) -> bytes:
    """A picture of a page."""
    result = await execute_browser_action("screenshot", url)
    return f"screenshot of {result.target}".encode()


@asynccontextmanager
async def open_browser(start_url: str) -> AsyncIterator[list[ActionResult]]:
    """A browser at a page; yields the list that actions are noted in."""
    history = [await execute_browser_action("navigate", start_url)]
    try:
        yield history
    finally:
        history.append(ActionResult(kind="close", target=start_url))
