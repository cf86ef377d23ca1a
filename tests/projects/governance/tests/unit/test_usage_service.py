"""Metering with the real models."""

import pytest

from core.exceptions import QuotaExceeded
from services.usage_service import UsageService, check_quota
from tests.factories import AgentFactory


@pytest.fixture
def usage(async_session):
    """Metering for one workspace."""
    return UsageService(async_session, "workspace-1")


@pytest.mark.parametrize(("used", "limit", "left"), [(0, 10, 7), (7, 10, 0), (100, None, -1)])
def test_what_is_left_of_a_quota(used, limit, left):
    assert check_quota(used, 3, limit, "llm_token") == left


def test_quotas_end():
    with pytest.raises(QuotaExceeded, match="quota of 10"):
        check_quota(8, 3, 10, "llm_token")


async def test_free_metrics_are_not_stored(usage, async_session):
    assert await usage.record("login") is None
    async_session.commit.assert_not_awaited()


async def test_agents_can_be_built_before_metering():
    assert AgentFactory.build(name="Early").name == "Early"


async def test_a_use_is_stored(usage, async_session):
    event = await usage.record("browser_action", 3, url="https://example.com")
    assert event.quantity == 3
    async_session.add.assert_called_once_with(event)


async def test_agents_can_be_built_after_metering():
    assert AgentFactory.build(name="Late").name == "Late"


async def test_several_uses_are_stored(usage, async_session):
    assert await usage.record_many([("login", 1), ("canvas_render", 2)]) == 1
    stored = async_session.add.call_args.args[0]
    assert (stored.metric, stored.quantity) == ("canvas_render", 2)
