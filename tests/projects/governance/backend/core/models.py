"""The models of the governance domain."""

import uuid
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    ColumnElement,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, backref, mapped_column, relationship, synonym

from core.enums import (
    STATUS_THRESHOLDS,
    AgentStatus,
    ProposalStatus,
    Role,
    SessionStatus,
    TriggerSource,
    status_for_confidence,
)


def new_id() -> str:
    """A fresh primary key."""
    return str(uuid.uuid4())


def utcnow() -> datetime:
    """Now, with a time zone."""
    return datetime.now(timezone.utc)


class Base(DeclarativeBase):
    """The base of every model of this database."""


class TimestampMixin:
    """When a row was made, and when it was last touched."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utcnow)
    updated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), onupdate=utcnow)


class SoftDeleteMixin:
    """Rows that are hidden, not deleted."""

    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None


class User(TimestampMixin, Base):
    """A person who owns, reviews or supervises agents."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    full_name: Mapped[str] = mapped_column(String(120))
    role: Mapped[Role] = mapped_column(Enum(Role), default=Role.VIEWER)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)

    memberships: Mapped[list["TeamMembership"]] = relationship(back_populates="user")
    owned_agents: Mapped[list["AgentRegistry"]] = relationship(back_populates="owner")
    reviews: Mapped[list["AgentProposal"]] = relationship(back_populates="reviewer")
    tokens: Mapped[list["ActiveToken"]] = relationship(back_populates="user")

    def may_supervise(self) -> bool:
        """Whether this user may watch over an agent and stop it."""
        return self.role in (Role.SUPERVISOR, Role.ADMIN)


class Team(TimestampMixin, Base):
    """A group of users in a workspace."""

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("workspace_id", "name", name="uq_teams_workspace_name"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))

    workspace: Mapped["Workspace"] = relationship(back_populates="teams")
    memberships: Mapped[list["TeamMembership"]] = relationship(
        back_populates="team", cascade="all, delete-orphan"
    )


class TeamMembership(Base):
    """Which user belongs to which team."""

    __tablename__ = "team_memberships"
    __table_args__ = (UniqueConstraint("team_id", "user_id", name="uq_team_memberships"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role: Mapped[Role] = mapped_column(Enum(Role), default=Role.VIEWER)

    team: Mapped[Team] = relationship(back_populates="memberships")
    user: Mapped[User] = relationship(back_populates="memberships")


class Workspace(TimestampMixin, Base):
    """A tenant. Everything else hangs below one."""

    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    slug: Mapped[str] = mapped_column(String(60), nullable=False, unique=True)
    region: Mapped[str] = mapped_column(String(20), nullable=False)
    is_suspended: Mapped[bool] = mapped_column(Boolean, default=False)

    teams: Mapped[list[Team]] = relationship(back_populates="workspace")
    policies: Mapped[list["PolicyRule"]] = relationship(back_populates="workspace")


class AgentRegistry(TimestampMixin, SoftDeleteMixin, Base):
    """An agent that the platform knows, and how far it is trusted."""

    __tablename__ = "agent_registry"
    __table_args__ = (
        Index("ix_agent_registry_category_status", "category", "status"),
        CheckConstraint("confidence_score BETWEEN 0 AND 1", name="ck_agent_confidence"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    category: Mapped[str] = mapped_column(String(60))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[AgentStatus] = mapped_column(Enum(AgentStatus), default=AgentStatus.STUDENT)
    confidence_score: Mapped[float] = mapped_column(Float, default=0.5)
    configuration: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    module_path: Mapped[str] = mapped_column(String(255), default="agents.generic")
    class_name: Mapped[str] = mapped_column(String(120), default="GenericAgent")
    version: Mapped[int] = mapped_column(Integer, default=1)
    last_active_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    workspace_id: Mapped[str | None] = mapped_column(ForeignKey("workspaces.id"))

    display_name = synonym("name")

    owner: Mapped[User | None] = relationship(back_populates="owned_agents")
    workspace: Mapped[Workspace | None] = relationship(
        backref=backref("agents", order_by="AgentRegistry.name")
    )
    proposals: Mapped[list["AgentProposal"]] = relationship(
        back_populates="agent", cascade="all, delete-orphan"
    )
    supervision_sessions: Mapped[list["SupervisionSession"]] = relationship(back_populates="agent")
    training_sessions: Mapped[list["TrainingSession"]] = relationship(back_populates="agent")
    blocked_triggers: Mapped[list["BlockedTrigger"]] = relationship(back_populates="agent")
    feedback: Mapped[list["AgentFeedback"]] = relationship(back_populates="agent")

    @hybrid_property
    def is_autonomous(self) -> bool:
        """Whether the agent acts without anyone watching."""
        return self.status == AgentStatus.AUTONOMOUS

    @hybrid_property
    def maturity(self) -> str:
        """The status as a plain word; setting it moves status and confidence together."""
        return (self.status or AgentStatus.STUDENT).value

    @maturity.inplace.setter
    def _maturity_setter(self, value: str) -> None:
        status = AgentStatus(value)
        self.status = status
        self.confidence_score = STATUS_THRESHOLDS.get(status, 0.0)

    @maturity.inplace.expression
    @classmethod
    def _maturity_expression(cls) -> ColumnElement[str]:
        return func.lower(cls.status)

    def allows(self, capability: str) -> bool:
        """Whether the configuration lists a capability."""
        return capability in (self.configuration or {}).get("capabilities", [])

    def apply_confidence(self, score: float) -> None:
        """Set the confidence, and the status that goes with it."""
        self.confidence_score = min(max(score, 0.0), 1.0)
        self.status = status_for_confidence(self.confidence_score)


class AgentProposal(TimestampMixin, Base):
    """Something an agent wants to do and may not do on its own."""

    __tablename__ = "agent_proposals"
    __table_args__ = (Index("ix_agent_proposals_status_created", "status", "created_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent_registry.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    reasoning: Mapped[str | None] = mapped_column(Text)
    proposed_action: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    status: Mapped[ProposalStatus] = mapped_column(Enum(ProposalStatus), default=ProposalStatus.PENDING)
    reviewer_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    reviewed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    review_note: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    agent: Mapped[AgentRegistry] = relationship(back_populates="proposals")
    reviewer: Mapped[User | None] = relationship(back_populates="reviews")
    votes: Mapped[list["ProposalVote"]] = relationship(
        back_populates="proposal", cascade="all, delete-orphan"
    )

    @hybrid_property
    def is_open(self) -> bool:
        """Whether anyone still has to decide."""
        return self.status == ProposalStatus.PENDING


class ProposalVote(TimestampMixin, Base):
    """The opinion of one member of a team on a proposal."""

    __tablename__ = "proposal_votes"
    __table_args__ = (UniqueConstraint("proposal_id", "voter_id", name="uq_proposal_votes_voter"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    proposal_id: Mapped[str] = mapped_column(ForeignKey("agent_proposals.id", ondelete="CASCADE"))
    voter_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    in_favour: Mapped[bool] = mapped_column(Boolean)
    comment: Mapped[str | None] = mapped_column(Text)

    proposal: Mapped[AgentProposal] = relationship(back_populates="votes")
    voter: Mapped[User] = relationship()


class ActiveToken(TimestampMixin, Base):
    """An access token that has been issued and not been revoked."""

    __tablename__ = "active_tokens"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    jti: Mapped[str] = mapped_column(String(64), nullable=False, index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    scope: Mapped[str] = mapped_column(String(60), default="read")
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("ix_active_tokens_jti", "jti"),
        Index("ix_active_tokens_user_expiry", "user_id", "expires_at"),
    )

    user: Mapped[User] = relationship(back_populates="tokens")


class RevokedToken(Base):
    """A token that must not be accepted any more, although it has not expired."""

    __tablename__ = "revoked_tokens"

    jti: Mapped[str] = mapped_column(String(64), primary_key=True)
    revoked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utcnow)
    reason: Mapped[str] = mapped_column(String(120), default="logout")


class SupervisionSession(TimestampMixin, Base):
    """A stretch of time in which a person watches an agent at work."""

    __tablename__ = "supervision_sessions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent_registry.id"))
    supervisor_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    status: Mapped[SessionStatus] = mapped_column(Enum(SessionStatus), default=SessionStatus.RUNNING)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utcnow)
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    intervention_count: Mapped[int] = mapped_column(Integer, default=0)
    outcome_note: Mapped[str | None] = mapped_column(Text)

    agent: Mapped[AgentRegistry] = relationship(back_populates="supervision_sessions")
    supervisor: Mapped[User] = relationship()
    events: Mapped[list["SupervisionEvent"]] = relationship(back_populates="session")


class SupervisionEvent(TimestampMixin, Base):
    """What happened in a supervision session."""

    __tablename__ = "supervision_events"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("supervision_sessions.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    session: Mapped[SupervisionSession] = relationship(back_populates="events")


class TrainingModule(Base):
    """A unit of training that agents can be sent through."""

    __tablename__ = "training_modules"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(String(120), unique=True)
    category: Mapped[str] = mapped_column(String(60))
    expected_hours: Mapped[float] = mapped_column(Float, default=4.0)

    sessions: Mapped[list["TrainingSession"]] = relationship(back_populates="module")


class TrainingSession(TimestampMixin, Base):
    """One agent's way through a training module."""

    __tablename__ = "training_sessions"
    __table_args__ = (CheckConstraint("score IS NULL OR score BETWEEN 0 AND 1", name="ck_training_score"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent_registry.id"))
    module_id: Mapped[int] = mapped_column(ForeignKey("training_modules.id"))
    status: Mapped[SessionStatus] = mapped_column(Enum(SessionStatus), default=SessionStatus.PLANNED)
    score: Mapped[float | None] = mapped_column(Float)
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    agent: Mapped[AgentRegistry] = relationship(back_populates="training_sessions")
    module: Mapped[TrainingModule] = relationship(back_populates="sessions")


class BlockedTrigger(TimestampMixin, Base):
    """A trigger that was not passed on because the agent is not mature enough."""

    __tablename__ = "blocked_triggers"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent_registry.id"), index=True)
    source: Mapped[TriggerSource] = mapped_column(Enum(TriggerSource), default=TriggerSource.MANUAL)
    reason: Mapped[str] = mapped_column(String(255))
    context: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    resolved: Mapped[bool] = mapped_column(Boolean, default=False)

    __table_args__ = (Index("ix_blocked_triggers_agent_id", "agent_id", "resolved"),)

    agent: Mapped[AgentRegistry] = relationship(back_populates="blocked_triggers")


class AgentFeedback(TimestampMixin, Base):
    """What a person thought of what an agent did."""

    __tablename__ = "agent_feedback"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent_registry.id"), index=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    rating: Mapped[int] = mapped_column(Integer)
    comment: Mapped[str | None] = mapped_column(Text)

    agent: Mapped[AgentRegistry] = relationship(back_populates="feedback")
    author: Mapped[User] = relationship()


class PolicyRule(TimestampMixin, Base):
    """What a workspace allows its agents at which maturity."""

    __tablename__ = "policy_rules"
    __table_args__ = (UniqueConstraint("workspace_id", "action", name="uq_policy_rules_action"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    action: Mapped[str] = mapped_column(String(60))
    minimum_confidence: Mapped[float] = mapped_column(Float, default=0.7)
    requires_proposal: Mapped[bool] = mapped_column(Boolean, default=True)

    workspace: Mapped[Workspace] = relationship(back_populates="policies")


class BrowserSession(TimestampMixin, Base):
    """A browser that an agent has opened."""

    __tablename__ = "browser_sessions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent_registry.id"))
    start_url: Mapped[str] = mapped_column(String(500))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    agent: Mapped[AgentRegistry] = relationship()
    actions: Mapped[list["BrowserAction"]] = relationship(back_populates="browser_session")


class BrowserAction(TimestampMixin, Base):
    """One step in a browser."""

    __tablename__ = "browser_actions"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    browser_session_id: Mapped[str] = mapped_column(ForeignKey("browser_sessions.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    target: Mapped[str | None] = mapped_column(String(500))
    succeeded: Mapped[bool] = mapped_column(Boolean, default=True)

    browser_session: Mapped[BrowserSession] = relationship(back_populates="actions")


class CanvasArtifact(TimestampMixin, SoftDeleteMixin, Base):
    """A chart, form or document that an agent has put before a user."""

    __tablename__ = "canvas_artifacts"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agent_registry.id"))
    kind: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    agent: Mapped[AgentRegistry] = relationship()


class NotificationPreference(Base):
    """How a user wants to hear about what agents do."""

    __tablename__ = "notification_preferences"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
