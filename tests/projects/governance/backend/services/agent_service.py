"""The registry of agents: registering, finding, promoting, retiring."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from core import telemetry
from core.enums import STATUS_THRESHOLDS, AgentStatus
from core.exceptions import NotFoundError, StateError, StorageError
from core.models import AgentFeedback, AgentRegistry

PROMOTIONS: dict[AgentStatus, AgentStatus] = {
    AgentStatus.STUDENT: AgentStatus.INTERN,
    AgentStatus.INTERN: AgentStatus.SUPERVISED,
    AgentStatus.SUPERVISED: AgentStatus.AUTONOMOUS,
}


def can_act_alone(agent: AgentRegistry, minimum: float = 0.9) -> bool:
    """Whether an agent is trusted enough to act with nobody watching."""
    if agent.status in (AgentStatus.PAUSED, AgentStatus.RETIRED):
        return False
    return agent.confidence_score >= minimum


def describe(agent: AgentRegistry) -> str:
    """One line about an agent, for logs and lists."""
    return f"{agent.name} [{agent.category}]"


class AgentService:
    """Everything that changes the registry goes through here."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def register(self, name: str, category: str, **configuration: Any) -> AgentRegistry:
        """Add an agent; it starts as a student."""
        agent = AgentRegistry(
            name=name,
            category=category,
            status=AgentStatus.STUDENT,
            confidence_score=0.3,
            configuration=configuration,
        )
        self.session.add(agent)
        await self.session.commit()
        telemetry.record("agent.registered")
        return agent

    async def get(self, agent_id: str) -> AgentRegistry:
        """One agent, or an error."""
        result = await self.session.execute(select(AgentRegistry).where(AgentRegistry.id == agent_id))
        agent = result.scalar_one_or_none()
        if agent is None or agent.deleted_at is not None:
            raise NotFoundError("agent", agent_id)
        return agent

    async def list_by_category(self, category: str) -> Sequence[AgentRegistry]:
        """The agents of a category, most trusted first."""
        query = (
            select(AgentRegistry)
            .where(AgentRegistry.category == category, AgentRegistry.deleted_at.is_(None))
            .order_by(AgentRegistry.confidence_score.desc())
        )
        result = await self.session.execute(query)
        return result.scalars().all()

    async def count_by_status(self) -> dict[AgentStatus, int]:
        """How many agents there are of each status."""
        query = select(AgentRegistry.status, func.count()).group_by(AgentRegistry.status)
        try:
            result = await self.session.execute(query)
        except SQLAlchemyError as error:
            raise StorageError("the registry could not be read") from error
        return {status: number for status, number in result.all()}

    async def promote(self, agent_id: str) -> AgentRegistry:
        """Move an agent one status up."""
        agent = await self.get(agent_id)
        if agent.status not in PROMOTIONS:
            raise StateError(f"{agent.name} cannot be promoted from {agent.status.value}")
        agent.status = PROMOTIONS[agent.status]
        agent.confidence_score = max(agent.confidence_score, STATUS_THRESHOLDS[agent.status])
        agent.version = (agent.version or 1) + 1
        await self.session.commit()
        telemetry.record("agent.promoted")
        return agent

    async def retire(self, agent: AgentRegistry) -> None:
        """Take an agent out of service."""
        if agent.status is AgentStatus.RETIRED:
            return
        agent.status = AgentStatus.RETIRED
        await self.session.flush()
        await self.session.commit()

    async def add_feedback(self, agent_id: str, author_id: str, rating: int) -> AgentFeedback:
        """Note a rating from one to five."""
        if not 1 <= rating <= 5:
            raise ValueError("a rating lies between 1 and 5")
        feedback = AgentFeedback(agent_id=agent_id, author_id=author_id, rating=rating)
        self.session.add(feedback)
        await self.session.commit()
        return feedback


async def touch_agents(session: AsyncSession, agents: Sequence[AgentRegistry], when: Any) -> int:
    """Note when agents were last active; how many were touched."""
    if not agents:
        return 0
    for agent in agents:
        agent.last_active_at = when
    await session.commit()
    return len(agents)


async def rescore(
    session: AsyncSession,
    agent: AgentRegistry,
    scorer: Callable[[AgentRegistry], Awaitable[float]],
) -> float:
    """Ask a scorer for an agent's confidence, and store it."""
    score = await scorer(agent)
    agent.apply_confidence(score)
    await session.commit()
    return score
