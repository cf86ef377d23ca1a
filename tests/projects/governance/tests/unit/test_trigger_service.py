"""The gate between triggers and agents. Counters are not wanted in the logs of these tests."""

import sys
from unittest.mock import AsyncMock, MagicMock

import pytest

sys.modules["core.telemetry"] = MagicMock()

from core.enums import AgentStatus, TriggerSource
from core.models import BlockedTrigger
from services.agent_service import AgentService
from services.trigger_service import TriggerService
from tests.factories import AgentFactory


@pytest.mark.parametrize(
    ("status", "source", "blocked"),
    [
        (AgentStatus.STUDENT, TriggerSource.MANUAL, False),
        (AgentStatus.STUDENT, TriggerSource.SCHEDULE, True),
        (AgentStatus.SUPERVISED, TriggerSource.DATA_SYNC, False),
        (AgentStatus.RETIRED, TriggerSource.MANUAL, True),
    ],
)
def test_who_is_held_back(status, source, blocked):
    agent = AgentFactory.build(status=status)
    assert (TriggerService.reason_to_block(agent, source) is not None) is blocked


async def test_blocked_triggers_are_noted():
    session = MagicMock()
    gate = TriggerService(session)
    assert not await gate.submit(AgentFactory.build(), TriggerSource.SCHEDULE, cron="@daily")
    session.add.assert_called_once()


async def test_allowed_triggers_pass():
    untouched = MagicMock()
    assert await TriggerService(untouched).submit(AgentFactory.build(), TriggerSource.MANUAL)
    untouched.add.assert_not_called()


async def test_nothing_is_unresolved():
    fresh = AsyncMock()
    assert await TriggerService(fresh).unresolved("agent-1") == []


async def test_resolving_twice_does_nothing():
    trigger = BlockedTrigger(agent_id="agent-1", reason="retired", resolved=True)
    await TriggerService(MagicMock(name="unused")).resolve(trigger)
    assert trigger.resolved


async def test_new_agents_are_held_back(async_session):
    agent = await AgentService(async_session).register("Newcomer", "research")
    assert TriggerService.reason_to_block(agent, TriggerSource.WORKFLOW)
