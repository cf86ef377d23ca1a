"""Metering without the heavy models: they are replaced for one test at a time."""

import sys
from unittest.mock import AsyncMock, MagicMock, patch

from services.usage_service import UsageService


async def test_a_use_is_stored_with_a_stubbed_model(monkeypatch):
    stub = MagicMock()
    monkeypatch.setitem(sys.modules, "saas.models", stub)
    session = AsyncMock()
    session.add = MagicMock()

    event = await UsageService(session, "workspace-1").record("canvas_render", 2)

    assert event is stub.UsageEvent.return_value
    stub.UsageEvent.assert_called_once_with(
        workspace_id="workspace-1", metric="canvas_render", quantity=2, details={}
    )


async def test_the_stub_is_gone_afterwards():
    before = sys.modules.get("saas.models")
    session = AsyncMock()
    session.add = MagicMock()
    with patch.dict(sys.modules, {"saas.models": MagicMock()}):
        assert await UsageService(session, "workspace-1").record_many([("llm_token", 5)]) == 1
    assert sys.modules.get("saas.models") is before


def test_a_module_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_bridge", MagicMock(VERSION="1.0"))
    import prometheus_bridge

    assert prometheus_bridge.VERSION == "1.0"
