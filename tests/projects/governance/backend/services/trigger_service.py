"""The gate between triggers and agents."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.enums import AgentStatus, TriggerSource
from core.models import AgentRegistry, BlockedTrigger

#: Statuses whose agents do not act on triggers that no person has pulled.
HELD_BACK = frozenset({AgentStatus.STUDENT, AgentStatus.INTERN, AgentStatus.PAUSED})


class TriggerService:
    """Passes triggers on, or blocks them and says why."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    @staticmethod
    def reason_to_block(agent: AgentRegistry, source: TriggerSource) -> str | None:
        """Why a trigger may not reach an agent, if so."""
        if agent.status is AgentStatus.RETIRED:
            return "the agent is retired"
        if source is not TriggerSource.MANUAL and agent.status in HELD_BACK:
            return f"{agent.status.value} agents only act when a person asks"
        return None

    async def submit(self, agent: AgentRegistry, source: TriggerSource, **context: Any) -> bool:
        """Whether a trigger may pass; a blocked one is noted."""
        reason = self.reason_to_block(agent, source)
        if reason is None:
            return True
        self._session.add(BlockedTrigger(agent_id=agent.id, source=source, reason=reason, context=context))
        await self._session.commit()
        return False

    async def unresolved(self, agent_id: str) -> Sequence[BlockedTrigger]:
        """What was blocked, and nobody has looked at."""
        rows = await self._session.execute(
            select(BlockedTrigger).filter_by(agent_id=agent_id, resolved=False)
        )
        return list(rows.scalars())

    async def resolve(self, trigger: BlockedTrigger) -> None:
        """Close a blocked trigger."""
        if trigger.resolved:
            return
        trigger.resolved = True
        await self._session.commit()
