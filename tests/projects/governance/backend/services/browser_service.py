"""Agents at work in a browser."""

from collections.abc import Sequence

from core.exceptions import PermissionDenied
from core.models import AgentRegistry
from tools import browser_tool


class BrowserService:
    """Lets an agent use the browser as far as its configuration allows."""

    def __init__(self, agent: AgentRegistry) -> None:
        self.agent = agent

    async def visit(self, url: str) -> bool:
        """Open a page."""
        if not self.agent.allows("browse"):
            raise PermissionDenied(f"{self.agent.name} may not browse")
        hook = getattr(browser_tool, "on_navigate", None)  # plugins may add one
        if hook is not None:
            hook(url)
        result = await browser_tool.execute_browser_action("navigate", url)
        return result.succeeded

    async def collect(self, urls: Sequence[str]) -> list[str]:
        """Visit pages, and list those that could be opened."""
        opened = []
        for url in urls:
            if await self.visit(url):
                opened.append(url)
        return opened

    async def summarise(self, text: str) -> str:
        """Ask the model for a summary."""
        from tools.llm_client import get_llm_client

        if not text.strip():
            return ""
        client = get_llm_client()
        answer = await client.complete(f"Summarise for a supervisor: {text}")
        return answer.strip()
