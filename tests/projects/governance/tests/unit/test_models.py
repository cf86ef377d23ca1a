"""What models accept, and what they derive."""

import pytest

from core.enums import AgentStatus, Role
from core.models import AgentRegistry, Team, User, Workspace
from tests.factories import AgentFactory, UserFactory, WorkspaceFactory


def test_confidence_is_kept():
    agent = AgentRegistry(
        name="Scout",
        category="research",
        confidence=0.72,
    )
    assert agent.name == "Scout"


def test_capabilities_are_kept():
    agent = AgentRegistry(
        name="Clerk",
        category="finance",
        capabilities=["browse", "summarise"],
    )
    assert agent.allows("browse")


def test_unknown_keywords_are_refused():
    with pytest.raises(TypeError, match="invalid keyword"):
        AgentRegistry(nope=1)


def test_maturity_sets_status_and_confidence():
    agent = AgentRegistry(name="Pilot", category="ops", maturity="autonomous")
    assert agent.is_autonomous
    assert agent.confidence_score == pytest.approx(0.9)


def test_display_name_is_the_name():
    agent = AgentRegistry(display_name="Scout", category="research")
    assert agent.name == "Scout"


def test_an_owner_may_be_given():
    owner = UserFactory.build()
    agent = AgentRegistry(name="Scout", category="research", owner=owner)
    assert owner.owned_agents == [agent]


def test_a_workspace_may_be_given_its_agents():
    agent = AgentFactory.build()
    workspace = Workspace(name="Ops", slug="ops", region="eu", agents=[agent])
    assert agent.workspace is workspace


def test_mixin_columns_are_keywords():
    agent = AgentRegistry(name="Old", category="research", deleted_at=None, updated_at=None)
    assert not agent.is_deleted


def test_teams_hang_below_workspaces():
    team = Team(name="Reviewers", workspace=WorkspaceFactory.build(name="Ops"))
    assert team.workspace.teams == [team]


@pytest.mark.parametrize(
    ("role", "expected"),
    [(Role.VIEWER, False), (Role.OPERATOR, False), (Role.SUPERVISOR, True), (Role.ADMIN, True)],
)
def test_who_may_supervise(role, expected):
    assert User(email="x@example.com", full_name="X", role=role).may_supervise() is expected


@pytest.mark.parametrize(("score", "status"), [(0.2, AgentStatus.STUDENT), (0.71, AgentStatus.SUPERVISED)])
def test_confidence_moves_the_status(score, status):
    agent = AgentFactory.build()
    agent.apply_confidence(score)
    assert agent.status is status
