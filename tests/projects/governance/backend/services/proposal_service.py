"""Proposals: what agents want to do, and what people say to it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import telemetry
from core.enums import ProposalStatus
from core.exceptions import NotFoundError, PermissionDenied, StateError
from core.models import AgentProposal, AgentRegistry, ProposalVote, User, utcnow
from core.settings import settings


class ProposalService:
    """Creates proposals and carries them to a decision."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def create(self, agent: AgentRegistry, title: str, action: dict[str, Any]) -> AgentProposal:
        """A new proposal of an agent."""
        if agent.is_autonomous:
            raise StateError(f"{agent.name} does not have to ask")
        proposal = AgentProposal(
            agent_id=agent.id,
            title=title,
            proposed_action=action,
            status=ProposalStatus.PENDING,
            expires_at=utcnow() + timedelta(hours=settings.proposal_ttl_hours),
        )
        self.session.add(proposal)
        await self.session.commit()
        telemetry.record("proposal.created")
        return proposal

    async def get(self, proposal_id: str) -> AgentProposal:
        """One proposal, or an error."""
        result = await self.session.execute(select(AgentProposal).where(AgentProposal.id == proposal_id))
        proposal = result.scalar_one_or_none()
        if proposal is None:
            raise NotFoundError("proposal", proposal_id)
        return proposal

    async def list_pending(self, agent_id: str | None = None) -> Sequence[AgentProposal]:
        """Proposals that wait for a decision, oldest first."""
        query = select(AgentProposal).where(AgentProposal.status == ProposalStatus.PENDING)
        if agent_id is not None:
            query = query.where(AgentProposal.agent_id == agent_id)
        result = await self.session.execute(query.order_by(AgentProposal.created_at))
        return result.scalars().all()

    async def approve(self, proposal_id: str, reviewer: User, note: str | None = None) -> AgentProposal:
        """Say yes."""
        return await self._decide(proposal_id, reviewer, ProposalStatus.APPROVED, note)

    async def reject(self, proposal_id: str, reviewer: User, note: str | None = None) -> AgentProposal:
        """Say no."""
        return await self._decide(proposal_id, reviewer, ProposalStatus.REJECTED, note)

    async def _decide(
        self, proposal_id: str, reviewer: User, status: ProposalStatus, note: str | None
    ) -> AgentProposal:
        if not reviewer.may_supervise():
            raise PermissionDenied(f"{reviewer.full_name} may not decide on proposals")
        proposal = await self.get(proposal_id)
        if proposal.status is not ProposalStatus.PENDING:
            raise StateError(f"proposal {proposal_id} is already {proposal.status.value}")
        proposal.status = status
        proposal.reviewer_id = reviewer.id
        proposal.reviewed_at = utcnow()
        proposal.review_note = note
        await self.session.commit()
        telemetry.record(f"proposal.{status.value}")
        return proposal

    async def bulk_approve(self, proposal_ids: Sequence[str], reviewer: User) -> list[AgentProposal]:
        """Say yes to several; nothing is asked of the database for an empty list."""
        if not proposal_ids:
            return []
        return [await self.approve(proposal_id, reviewer) for proposal_id in proposal_ids]

    async def vote(self, proposal: AgentProposal, voter: User, in_favour: bool) -> ProposalVote:
        """Note an opinion."""
        vote = ProposalVote(proposal_id=proposal.id, voter_id=voter.id, in_favour=in_favour)
        self.session.add(vote)
        await self.session.commit()
        return vote

    async def expire_stale(self, now: datetime) -> None:
        """Close what nobody decided on in time."""
        await self.session.execute(
            update(AgentProposal)
            .where(AgentProposal.status == ProposalStatus.PENDING, AgentProposal.expires_at < now)
            .values(status=ProposalStatus.EXPIRED)
        )
        await self.session.commit()


async def pending_titles(session: AsyncSession, limit: int = 20) -> list[str]:
    """The titles of what waits, for the digest that is mailed in the morning."""
    result = await session.execute(
        select(AgentProposal.title).where(AgentProposal.status == ProposalStatus.PENDING).limit(limit)
    )
    return [title for title in result.scalars().all()]
