"""What agents show to people."""

from unittest.mock import AsyncMock, patch

import pytest

from services.canvas_service import CanvasService
from tools import canvas_tool


@pytest.fixture
def canvas(async_session, agent):
    """A service for an agent."""
    return CanvasService(async_session, agent)


@patch("tools.canvas_tool.publish_canvas")
async def test_present_gives_a_receipt(publish, canvas):
    publish.return_value = {"canvas_id": "c1", "delivered": True}
    receipt = await canvas.present("c1", "markdown", {"text": "hello"})
    assert receipt["delivered"]


async def test_present_publishes_once(canvas):
    with patch("tools.canvas_tool.publish_canvas", new=AsyncMock(return_value={})) as publish_once:
        await canvas.present("c2", "chart", {"points": [1, 2]})
    publish_once.assert_awaited_once()


async def test_present_sends_what_was_rendered(canvas):
    with patch("services.canvas_service.publish_canvas") as publish:
        publish.return_value = {"canvas_id": "c3", "delivered": True}
        receipt = await canvas.present("c3", "table", {"rows": []})
    publish.assert_awaited_once_with("c3", '{"content": {"rows": []}, "kind": "table"}')
    assert receipt["canvas_id"] == "c3"


async def test_hosted_builds_compress(canvas):
    with (
        patch("services.canvas_service.compress_document", return_value="{}") as compress,
        patch("services.canvas_service.publish_canvas", return_value={"delivered": True}) as publish,
    ):
        await canvas.present("c4", "form", {"fields": ["name"]})
    compress.assert_called_once()
    publish.assert_awaited_once_with("c4", "{}")


async def test_store_keeps_the_artifact(canvas, async_session):
    artifact = await canvas.store("form", "Feedback", {"fields": []})
    async_session.add.assert_called_once_with(artifact)


def test_a_snapshot_is_a_document(canvas):
    assert "markdown" in canvas.snapshot({"text": "hello"})


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="unknown kind"):
        canvas_tool.render_canvas("hologram", {})


async def test_withdrawing_twice_does_nothing():
    await canvas_tool.publish_canvas("c9", "{}")
    assert await canvas_tool.withdraw_canvas("c9")
    assert not await canvas_tool.withdraw_canvas("c9")
