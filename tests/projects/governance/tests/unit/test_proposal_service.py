"""Proposals, without a database."""

from datetime import datetime, timezone
from unittest.mock import AsyncMock, MagicMock

import pytest

from core.enums import AgentStatus, ProposalStatus
from core.exceptions import NotFoundError, PermissionDenied, StateError
from services.proposal_service import ProposalService, pending_titles
from tests.factories import AgentFactory, ProposalFactory, UserFactory


async def test_create_makes_a_pending_proposal(agent):
    session = MagicMock()
    service = ProposalService(session)

    proposal = await service.create(agent, "Send the report", {"kind": "mail"})

    assert proposal.status is ProposalStatus.PENDING
    assert proposal.agent_id == agent.id
    session.commit.assert_called_once_with()


async def test_autonomous_agents_do_not_ask():
    agent = AgentFactory.build(status=AgentStatus.AUTONOMOUS)
    idle_session = MagicMock()
    with pytest.raises(StateError, match="does not have to ask"):
        await ProposalService(idle_session).create(agent, "Anything", {})
    idle_session.commit.assert_not_called()


async def test_approve_notes_the_reviewer(mock_session, supervisor):
    proposal = ProposalFactory.build()
    result = MagicMock()
    result.scalar_one_or_none.return_value = proposal
    mock_session.execute.return_value = result

    decided = await ProposalService(mock_session).approve(proposal.id, supervisor, note="go ahead")

    assert decided.status is ProposalStatus.APPROVED
    assert decided.reviewer_id == supervisor.id
    assert decided.review_note == "go ahead"


async def test_approve_with_the_strict_session(strict_session, supervisor):
    proposal = ProposalFactory.build()
    result = MagicMock()
    result.scalar_one_or_none.return_value = proposal
    strict_session.execute.return_value = result

    decided = await ProposalService(session=strict_session).approve(proposal.id, supervisor)

    assert decided.status is ProposalStatus.APPROVED
    strict_session.commit.assert_awaited_once_with()


async def test_viewers_may_not_approve(viewer):
    refused_session = MagicMock()
    with pytest.raises(PermissionDenied):
        await ProposalService(refused_session).approve("proposal-1", viewer)
    refused_session.execute.assert_not_called()


async def test_unknown_proposals_are_an_error(async_session, supervisor):
    async_session.execute.return_value.scalar_one_or_none.return_value = None
    with pytest.raises(NotFoundError):
        await ProposalService(async_session).reject("nope", supervisor)


async def test_decided_proposals_stay_decided(async_session, supervisor):
    proposal = ProposalFactory.build(status=ProposalStatus.REJECTED)
    async_session.execute.return_value.scalar_one_or_none.return_value = proposal
    with pytest.raises(StateError, match="already rejected"):
        await ProposalService(async_session).approve(proposal.id, supervisor)


async def test_bulk_approve_of_nothing(supervisor):
    unused_session = MagicMock()
    assert await ProposalService(unused_session).bulk_approve([], supervisor) == []


async def test_list_pending_is_empty_at_first():
    session = AsyncMock()
    proposals = await ProposalService(session=session).list_pending()
    assert list(proposals) == []


async def test_list_pending_gives_what_the_query_found(async_session):
    found = ProposalFactory.build_batch(2)
    async_session.execute.return_value.scalars.return_value.all.return_value = found
    assert await ProposalService(async_session).list_pending("agent-0") == found


async def test_the_digest_may_be_empty():
    db = AsyncMock()
    assert await pending_titles(db, limit=5) == []


async def test_vote_is_stored(mock_session):
    voter = UserFactory.build()
    service = ProposalService(session=mock_session)
    vote = await service.vote(ProposalFactory.build(), voter, in_favour=True)
    assert vote.voter_id == voter.id
    assert vote.in_favour is True


async def test_expiry_is_one_statement(async_session):
    await ProposalService(async_session).expire_stale(datetime(2025, 1, 1, tzinfo=timezone.utc))
    async_session.execute.assert_awaited_once()
    async_session.commit.assert_awaited_once_with()
