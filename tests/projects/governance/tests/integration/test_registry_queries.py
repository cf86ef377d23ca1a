"""The registry on a real database."""

import pytest
from sqlalchemy import select, update

from core.enums import AgentStatus, ProposalStatus
from core.models import AgentRegistry, Workspace
from services.agent_service import AgentService
from services.proposal_service import ProposalService, pending_titles
from tests.factories import AgentFactory, ProposalFactory, WorkspaceFactory


@pytest.fixture
async def agents(registry_session):
    """Three agents in the database."""
    rows = [
        AgentFactory.build(name="Ada", confidence_score=0.9, status=AgentStatus.AUTONOMOUS),
        AgentFactory.build(name="Bob", confidence_score=0.6, status=AgentStatus.INTERN),
        AgentFactory.build(name="Cyd", confidence_score=0.6, category="sales"),
    ]
    registry_session.add_all(rows)
    await registry_session.commit()
    return rows


async def test_the_most_trusted_comes_first(registry_session, agents):
    found = await AgentService(registry_session).list_by_category("research")
    assert [agent.name for agent in found] == ["Ada", "Bob"]


async def test_agents_are_counted(registry_session, agents):
    counts = await AgentService(registry_session).count_by_status()
    assert counts == {AgentStatus.AUTONOMOUS: 1, AgentStatus.INTERN: 1, AgentStatus.STUDENT: 1}


async def test_confident_agents_are_found(registry_session, agents):
    query = select(AgentRegistry).filter_by(
        confidence=0.9,
    )
    found = (await registry_session.execute(query)).scalars().all()
    assert [agent.name for agent in found] == ["Ada"]


async def test_agents_are_found_by_status(registry_session, agents):
    query = select(AgentRegistry).filter_by(status=AgentStatus.INTERN, display_name="Bob")
    assert (await registry_session.execute(query)).scalar_one().name == "Bob"


async def test_confidence_can_be_reset(registry_session, agents):
    statement = update(AgentRegistry).values(
        confidence=0.1,
    )
    await registry_session.execute(statement)
    await registry_session.commit()


async def test_autonomous_agents_by_hybrid(registry_session, agents):
    query = select(AgentRegistry.name).where(AgentRegistry.is_autonomous)
    assert (await registry_session.execute(query)).scalars().all() == ["Ada"]


async def test_a_workspace_is_stored(registry_session):
    workspace = Workspace(name="Operations")
    registry_session.add(workspace)
    await registry_session.flush()
    assert workspace.id


async def test_a_complete_workspace_is_stored(registry_session):
    registry_session.add(WorkspaceFactory.build(slug="finance"))
    await registry_session.commit()
    assert (await registry_session.execute(select(Workspace.slug))).scalar_one() == "finance"


async def test_proposals_reach_the_digest(registry_session, agents):
    proposal = await ProposalService(registry_session).create(agents[1], "Mail the report", {})
    registry_session.add(ProposalFactory.build(agent_id=agents[1].id, status=ProposalStatus.EXPIRED))
    await registry_session.commit()
    assert proposal.is_open
    assert await pending_titles(registry_session) == ["Mail the report"]
