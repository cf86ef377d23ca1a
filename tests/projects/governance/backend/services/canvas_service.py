"""Agents that show things to people."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from core.models import AgentRegistry, CanvasArtifact
from tools.canvas_tool import publish_canvas, render_canvas

try:
    from tools.canvas_tool import compress_document
except ImportError:  # only the hosted build of the tools can compress
    compress_document = None


class CanvasService:
    """Stores what an agent shows, and sends it."""

    def __init__(self, session: AsyncSession, agent: AgentRegistry) -> None:
        self.session = session
        self.agent = agent

    async def present(self, canvas_id: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Show something; the receipt says who got it."""
        document = render_canvas(kind, content)
        if compress_document is not None:
            document = compress_document(document)
        receipt = await publish_canvas(canvas_id, document)
        return receipt

    async def store(self, kind: str, title: str, content: dict[str, Any]) -> CanvasArtifact:
        """Keep what was shown."""
        artifact = CanvasArtifact(agent_id=self.agent.id, kind=kind, title=title, content=content)
        self.session.add(artifact)
        await self.session.commit()
        return artifact

    def snapshot(self, content: dict[str, Any]) -> str:
        """A still picture of a canvas, for the audit trail."""
        from tools.canvas_tool import render_canvas_snapshot

        return render_canvas_snapshot("markdown", content)
