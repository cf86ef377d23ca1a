"""Asking a policy, then acting."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.enums import AgentStatus


@dataclass
class PolicyAgent:
    """Decides by fixed rules what an agent of some status may do."""

    status: AgentStatus
    allowed: frozenset[str] = frozenset({"read", "summarise"})

    def decide(self, action: str) -> str:
        """One of allow, ask, deny."""
        if self.status is AgentStatus.RETIRED:
            return "deny"
        if action in self.allowed or self.status is AgentStatus.AUTONOMOUS:
            return "allow"
        return "ask"

    async def explain(self, action: str) -> str:
        """The decision in words."""
        return f"{action}: {self.decide(action)} for {self.status.value} agents"


@dataclass
class RunReport:
    """What a run did, and what it left out."""

    done: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)


class ActionRunner:
    """Carries out actions. The policy's methods are looked up once, since runs are long."""

    def __init__(self, agent: PolicyAgent) -> None:
        self._decide: Callable[[str], str] = agent.decide
        self._explain: Callable[[str], Awaitable[str]] = agent.explain

    def run(self, actions: list[str]) -> RunReport:
        """Sort actions by decision."""
        report = RunReport()
        bins = {"allow": report.done, "ask": report.asked, "deny": report.denied}
        for action in actions:
            bins[self._decide(action)].append(action)
        return report

    async def explain_all(self, actions: list[str]) -> list[str]:
        """The decisions in words."""
        return [await self._explain(action) for action in actions]


class LookupRunner:
    """Like ActionRunner, for short runs: asks the policy anew each time."""

    def __init__(self, agent: PolicyAgent) -> None:
        self.agent = agent

    def first_allowed(self, actions: list[str]) -> str | None:
        """The first action that nobody has to be asked about."""
        for action in actions:
            if self.agent.decide(action) == "allow":
                return action
        return None
