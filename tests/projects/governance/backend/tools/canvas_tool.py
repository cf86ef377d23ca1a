"""A canvas: what agents put before users."""

import json
from typing import Any

CANVAS_KINDS = ("chart", "form", "markdown", "table")

_published: dict[str, dict[str, Any]] = {}


def render_canvas(kind: str, content: dict[str, Any]) -> str:
    """The canvas as a document that the front end can show."""
    if kind not in CANVAS_KINDS:
        raise ValueError(f"unknown kind of canvas {kind!r}")
    return json.dumps({"kind": kind, "content": content}, sort_keys=True)


async def publish_canvas(canvas_id: str, document: str) -> dict[str, Any]:
    """Send a document to everyone who looks at a canvas."""
    receipt = {"canvas_id": canvas_id, "bytes": len(document.encode()), "delivered": True}
    _published[canvas_id] = receipt
    return receipt


async def withdraw_canvas(canvas_id: str) -> bool:
    """Take a canvas back; whether there was one."""
    return _published.pop(canvas_id, None) is not None


def published_canvases() -> list[str]:
    """The canvases that are on show."""
    return sorted(_published)
