"""The registry of agents, without a database."""

from datetime import datetime, timezone
from unittest.mock import AsyncMock, MagicMock

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from core.enums import AgentStatus
from core.exceptions import NotFoundError, StateError, StorageError
from core.models import AgentRegistry
from services.agent_service import AgentService, can_act_alone, describe, rescore, touch_agents
from tests.factories import AgentFactory

NOON = datetime(2025, 3, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def service(async_session):
    """A service on a session that works."""
    return AgentService(async_session)


async def test_register_starts_as_student(service, async_session):
    agent = await service.register("Scout", "research", capabilities=["browse"])
    assert agent.status is AgentStatus.STUDENT
    assert agent.allows("browse")
    async_session.add.assert_called_once_with(agent)


async def test_saving_an_agent_commits_once():
    session = MagicMock()
    agent = AgentFactory.build()
    session.add(agent)
    await session.commit()
    session.commit.assert_called_once_with()


async def test_an_empty_registry_has_no_rows():
    session = AsyncMock()
    result = await session.execute(select(AgentRegistry))
    rows = result.scalars().all()
    assert list(rows) == []


async def test_no_names_in_an_empty_registry():
    db = AsyncMock()
    found = await db.execute(select(AgentRegistry).where(AgentRegistry.category == "sales"))
    names = [row.name for row in found.scalars()]
    assert names == []


async def test_promote_moves_one_up(service, async_session):
    agent = AgentFactory.build(status=AgentStatus.INTERN, confidence_score=0.6)
    async_session.execute.return_value.scalar_one_or_none.return_value = agent
    promoted = await service.promote(agent.id)
    assert promoted.status is AgentStatus.SUPERVISED
    assert promoted.confidence_score == pytest.approx(0.7)
    assert promoted.version == 2


async def test_autonomous_agents_cannot_rise(service, async_session):
    agent = AgentFactory.build(status=AgentStatus.AUTONOMOUS)
    async_session.execute.return_value.scalar_one_or_none.return_value = agent
    with pytest.raises(StateError):
        await service.promote(agent.id)


async def test_deleted_agents_are_not_found(service, async_session):
    async_session.execute.return_value.scalar_one_or_none.return_value = AgentFactory.build(deleted_at=NOON)
    with pytest.raises(NotFoundError):
        await service.get("agent-1")


async def test_retire_commits(agent):
    session = MagicMock()
    await AgentService(session=session).retire(agent)
    assert agent.status is AgentStatus.RETIRED
    session.commit.assert_called_once_with()


async def test_retired_agents_are_left_alone():
    retired = AgentFactory.build(status=AgentStatus.RETIRED)
    untouched = MagicMock()
    await AgentService(untouched).retire(retired)
    untouched.commit.assert_not_called()


async def test_an_unreachable_database_is_reported():
    down = MagicMock()
    down.execute.side_effect = OperationalError("SELECT 1", {}, Exception("connection refused"))
    with pytest.raises(StorageError):
        await AgentService(down).count_by_status()


async def test_list_by_category_of_an_unused_category():
    agents = await AgentService(AsyncMock()).list_by_category("unused")
    assert len(agents) == 0


async def test_ratings_have_bounds(mock_session):
    with pytest.raises(ValueError, match="between 1 and 5"):
        await AgentService(mock_session).add_feedback("agent-1", "user-1", 6)


async def test_touch_notes_the_time(agent):
    assert await touch_agents(MagicMock(name="session"), [agent], NOON) == 1
    assert agent.last_active_at == NOON


async def test_touching_nobody_needs_no_session():
    assert await touch_agents(MagicMock(), [], NOON) == 0


async def test_rescore_stores_the_new_score(agent, async_session):
    scorer = MagicMock(return_value=0.95)
    assert await rescore(async_session, agent, scorer) == 0.95
    assert agent.status is AgentStatus.AUTONOMOUS


async def test_rescore_with_a_coroutine_function(agent, async_session):
    scorer = AsyncMock(return_value=0.75)
    assert await rescore(async_session, agent, scorer=scorer) == 0.75
    assert agent.status is AgentStatus.SUPERVISED


def test_trusted_agents_act_alone():
    agent = MagicMock(
        spec=AgentRegistry,
        status=AgentStatus.AUTONOMOUS,
        confidence=0.95,
    )
    assert can_act_alone(agent)


def test_paused_agents_never_act_alone():
    paused = MagicMock(spec=AgentRegistry)
    paused.status = AgentStatus.PAUSED
    paused.confidence_score = 0.99
    assert not can_act_alone(paused)


def test_describe_names_the_category():
    agent = MagicMock(spec=AgentRegistry)
    agent.name = "Scout"
    agent.category = "research"
    agent.capabilities = ["browse"]
    assert describe(agent) == "Scout [research]"


async def test_plain_mocks_cannot_be_awaited():
    with pytest.raises(TypeError):
        await MagicMock()()
