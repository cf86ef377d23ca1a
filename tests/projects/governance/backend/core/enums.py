"""Enumerations that models, services and the API share."""

import enum


class AgentStatus(str, enum.Enum):
    """How far an agent has come on its way to autonomy."""

    STUDENT = "student"
    INTERN = "intern"
    SUPERVISED = "supervised"
    AUTONOMOUS = "autonomous"
    PAUSED = "paused"
    RETIRED = "retired"


class ProposalStatus(str, enum.Enum):
    """The life of a proposal."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    EXECUTED = "executed"


class SessionStatus(str, enum.Enum):
    """The state of a supervision or training session."""

    PLANNED = "planned"
    RUNNING = "running"
    COMPLETED = "completed"
    TERMINATED = "terminated"


class TriggerSource(str, enum.Enum):
    """What asked an agent to act."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    DATA_SYNC = "data_sync"
    WORKFLOW = "workflow"


class Role(str, enum.Enum):
    """What a user may do in a workspace."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


#: The confidence from which on an agent holds a status.
STATUS_THRESHOLDS: dict[AgentStatus, float] = {
    AgentStatus.STUDENT: 0.0,
    AgentStatus.INTERN: 0.5,
    AgentStatus.SUPERVISED: 0.7,
    AgentStatus.AUTONOMOUS: 0.9,
}


def status_for_confidence(score: float) -> AgentStatus:
    """The highest status that a confidence score allows."""
    best = AgentStatus.STUDENT
    for status, threshold in STATUS_THRESHOLDS.items():
        if score >= threshold:
            best = status
    return best
