"""Asking the policy before acting."""

from unittest.mock import AsyncMock, patch

from core.enums import AgentStatus
from services.action_runner import ActionRunner, LookupRunner, PolicyAgent


def test_reading_is_allowed():
    agent = PolicyAgent(AgentStatus.INTERN)
    runner = ActionRunner(agent)
    with patch.object(agent, "decide", return_value="allow"):
        report = runner.run(["read"])
    assert report.done == ["read"]


def test_every_action_is_decided():
    policy = PolicyAgent(AgentStatus.INTERN)
    runner = ActionRunner(policy)
    with patch.object(policy, "decide", return_value="deny") as decide:
        runner.run(["read", "write"])
    assert decide.call_count == 2


async def test_explanations_come_from_the_policy():
    policy = PolicyAgent(AgentStatus.SUPERVISED)
    runner = ActionRunner(policy)
    with patch("services.action_runner.PolicyAgent.explain", AsyncMock(return_value="because")):
        assert await runner.explain_all(["delete"]) == ["because"]


def test_decisions_patched_before_the_runner_is_made():
    agent = PolicyAgent(AgentStatus.INTERN)
    with patch.object(agent, "decide", return_value="deny") as early:
        report = ActionRunner(agent).run(["read"])
    assert report.denied == ["read"]
    early.assert_called_once_with("read")


def test_decisions_looked_up_each_time():
    agent = PolicyAgent(AgentStatus.INTERN)
    runner = LookupRunner(agent)
    with patch.object(agent, "decide", side_effect=["ask", "allow"]) as late:
        assert runner.first_allowed(["read", "write", "delete"]) == "write"
    assert late.call_count == 2


def test_the_real_policy():
    report = ActionRunner(PolicyAgent(AgentStatus.SUPERVISED)).run(["read", "delete"])
    assert (report.done, report.asked) == (["read"], ["delete"])
    assert ActionRunner(PolicyAgent(AgentStatus.RETIRED)).run(["read"]).denied == ["read"]
