"""Supervision and training sessions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.enums import SessionStatus
from core.exceptions import NotFoundError, PermissionDenied, StateError
from core.models import (
    AgentRegistry,
    SupervisionEvent,
    SupervisionSession,
    TrainingModule,
    TrainingSession,
    User,
    utcnow,
)

#: How much a good training session adds to the confidence of an agent.
TRAINING_GAIN = 0.1


class SessionManager:
    """Starts, watches and ends sessions."""

    def __init__(self, db: AsyncSession, *, max_parallel: int = 5) -> None:
        self.db = db
        self.max_parallel = max_parallel

    async def start_supervision(self, agent: AgentRegistry, supervisor: User) -> SupervisionSession:
        """Let a supervisor watch an agent."""
        if not supervisor.may_supervise():
            raise PermissionDenied(f"{supervisor.full_name} is not a supervisor")
        session = SupervisionSession(
            agent_id=agent.id,
            supervisor_id=supervisor.id,
            status=SessionStatus.RUNNING,
            started_at=utcnow(),
            intervention_count=0,
        )
        self.db.add(session)
        await self.db.commit()
        return session

    async def running(self, supervisor_id: str) -> Sequence[SupervisionSession]:
        """The sessions that a supervisor watches now."""
        result = await self.db.execute(
            select(SupervisionSession).where(
                SupervisionSession.supervisor_id == supervisor_id,
                SupervisionSession.status == SessionStatus.RUNNING,
            )
        )
        sessions = result.scalars().all()
        return sessions

    async def has_room(self, supervisor_id: str) -> bool:
        """Whether a supervisor can watch one more."""
        return len(await self.running(supervisor_id)) < self.max_parallel

    async def intervene(self, session: SupervisionSession, kind: str, **payload: Any) -> SupervisionEvent:
        """Note that the supervisor stepped in."""
        if session.status is not SessionStatus.RUNNING:
            raise StateError("the session is over")
        event = SupervisionEvent(session_id=session.id, kind=kind, payload=payload)
        session.intervention_count += 1
        async with self.db.begin_nested():
            self.db.add(event)
        await self.db.commit()
        return event

    async def complete(self, session_id: str, note: str = "") -> SupervisionSession:
        """End a session in good order."""
        session = await self.db.get(SupervisionSession, session_id)
        if session is None:
            raise NotFoundError("supervision session", session_id)
        session.status = SessionStatus.COMPLETED
        session.completed_at = utcnow()
        session.outcome_note = note
        await self.db.commit()
        return session

    async def schedule_training(self, agent: AgentRegistry, module: TrainingModule) -> TrainingSession:
        """Send an agent to a training module."""
        training = TrainingSession(agent_id=agent.id, module_id=module.id, status=SessionStatus.PLANNED)
        self.db.add(training)
        await self.db.flush()
        return training

    async def finish_training(
        self, training: TrainingSession, agent: AgentRegistry, score: float
    ) -> TrainingSession:
        """Note the result; a good one raises the confidence of the agent."""
        if not 0 <= score <= 1:
            raise ValueError("a score lies between 0 and 1")
        training.status = SessionStatus.COMPLETED
        training.score = score
        training.finished_at = utcnow()
        if score >= 0.8:
            agent.apply_confidence(agent.confidence_score + TRAINING_GAIN)
        await self.db.commit()
        return training


async def terminate_all(db: AsyncSession, sessions: Sequence[SupervisionSession], reason: str) -> int:
    """End sessions at once, whatever they are at."""
    for session in sessions:
        session.status = SessionStatus.TERMINATED
        session.outcome_note = reason
    await db.flush()
    await db.commit()
    return len(sessions)
