"""Factories for models. Tests build objects with them; no session is bound."""

import factory
from factory.alchemy import SQLAlchemyModelFactory

from core.enums import AgentStatus, ProposalStatus, Role, SessionStatus
from core.models import AgentProposal, AgentRegistry, SupervisionSession, User, Workspace


class UserFactory(SQLAlchemyModelFactory):
    class Meta:
        model = User

    id = factory.Sequence(lambda n: f"user-{n}")
    email = factory.Sequence(lambda n: f"user{n}@example.com")
    full_name = factory.Faker("name")
    role = Role.OPERATOR
    is_active = True


class WorkspaceFactory(SQLAlchemyModelFactory):
    class Meta:
        model = Workspace

    id = factory.Sequence(lambda n: f"workspace-{n}")
    name = factory.Sequence(lambda n: f"Workspace {n}")
    slug = factory.Sequence(lambda n: f"workspace-{n}")
    region = "eu"


class AgentFactory(SQLAlchemyModelFactory):
    class Meta:
        model = AgentRegistry

    id = factory.Sequence(lambda n: f"agent-{n}")
    name = factory.Sequence(lambda n: f"Agent {n}")
    category = "research"
    status = AgentStatus.STUDENT
    confidence_score = 0.4
    configuration = factory.LazyFunction(dict)
    version = 1


class ProposalFactory(SQLAlchemyModelFactory):
    class Meta:
        model = AgentProposal

    id = factory.Sequence(lambda n: f"proposal-{n}")
    agent_id = "agent-0"
    title = factory.Sequence(lambda n: f"Proposal {n}")
    status = ProposalStatus.PENDING


class SupervisionSessionFactory(SQLAlchemyModelFactory):
    class Meta:
        model = SupervisionSession

    id = factory.Sequence(lambda n: f"supervision-{n}")
    agent_id = "agent-0"
    supervisor_id = "user-sup"
    status = SessionStatus.RUNNING
    intervention_count = 0
