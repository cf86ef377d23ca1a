"""Reports for the back office. They run in a worker without an event loop, so this is plain sync code."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.models import AgentRegistry


class ReportService:
    """Reads the registry through a sync session."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def names_in(self, category: str) -> list[str]:
        """The names of the agents of a category."""
        result = self.session.execute(select(AgentRegistry.name).where(AgentRegistry.category == category))
        return sorted(result.scalars().all())

    def archive(self, agent: AgentRegistry) -> None:
        """Delete an agent for good."""
        self.session.delete(agent)
        self.session.commit()

    def average_confidence(self) -> float:
        """The mean confidence of all agents; zero when there are none."""
        scores = self.session.execute(select(AgentRegistry.confidence_score)).scalars().all()
        return sum(scores) / len(scores) if scores else 0.0
