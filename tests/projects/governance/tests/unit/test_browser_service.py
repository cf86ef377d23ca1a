"""Agents in a browser; nothing leaves the machine."""

from unittest.mock import AsyncMock, MagicMock, patch

import pytest

from core.exceptions import PermissionDenied
from services.browser_service import BrowserService
from tests.factories import AgentFactory
from tools import browser_tool
from tools.browser_tool import ActionResult


@pytest.fixture
def browser(agent):
    """A service for an agent that may browse."""
    return BrowserService(agent)


async def test_visit_runs_the_automation(browser):
    with patch("tools.browser_tool.execute_browser_automation") as execute:
        execute.return_value = ActionResult(kind="navigate", target="https://example.com/start")
        assert await browser.visit("https://example.com/start")


async def test_visit_asks_the_tool(browser):
    with patch("tools.browser_tool.execute_browser_action") as execute:
        execute.return_value = ActionResult("navigate", "https://example.com", succeeded=False)
        assert not await browser.visit("https://example.com")
    execute.assert_awaited_once_with("navigate", "https://example.com")


async def test_collect_lists_what_opened(browser):
    results = [ActionResult("navigate", "a"), ActionResult("navigate", "b", succeeded=False)]
    with patch.object(browser_tool, "execute_browser_action", AsyncMock(side_effect=results)):
        assert await browser.collect(["a", "b"]) == ["a"]


async def test_agents_need_the_capability():
    with pytest.raises(PermissionDenied):
        await BrowserService(AgentFactory.build()).visit("https://example.com")


async def test_hosts_are_checked(browser):
    with pytest.raises(PermissionDenied, match="may not visit"):
        await browser.visit("https://elsewhere.test/")


@patch("services.browser_service.get_llm_client")
async def test_summaries_come_from_the_model(get_client, browser):
    get_client.return_value.complete = AsyncMock(return_value=" short ")
    assert await browser.summarise("a long text") == "short"


@patch("tools.llm_client.get_llm_client")
async def test_summaries_are_stripped(get_client, browser):
    get_client.return_value.complete = AsyncMock(return_value=" brief\n")
    assert await browser.summarise("another long text") == "brief"


async def test_nothing_is_asked_about_nothing(browser):
    with patch("tools.llm_client.get_llm_client", return_value=MagicMock()) as get_client:
        assert await browser.summarise("  ") == ""
    get_client.assert_not_called()


async def test_the_page_may_be_photographed():
    with patch("tools.browser_tool.execute_browser_action") as execute:
        execute.return_value = ActionResult("screenshot", "https://example.com/page")
        assert await browser_tool.take_screenshot("https://example.com/page") == (
            b"screenshot of https://example.com/page"
        )


def test_there_is_no_such_tool():
    with pytest.raises(AttributeError):  # noqa: SIM117
        with patch("tools.browser_tool.nope"):
            pass


async def test_plugins_may_add_a_hook(browser):
    with patch("tools.browser_tool.on_navigate", create=True) as hook:
        await browser.visit("https://example.com/hooked")
    hook.assert_called_once_with("https://example.com/hooked")


async def test_history_ends_with_close():
    async with browser_tool.open_browser("https://example.com") as history:
        history.append(await browser_tool.execute_browser_action("click", "#ok"))
    assert [step.kind for step in history] == ["navigate", "click", "close"]
