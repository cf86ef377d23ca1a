"""What the API takes and gives."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from core.enums import AgentStatus


class AgentIn(BaseModel):
    """A new agent."""

    name: str = Field(min_length=1, max_length=120)
    category: str = Field(min_length=1, max_length=60)
    configuration: dict[str, Any] = Field(default_factory=dict)


class AgentOut(BaseModel):
    """An agent as clients see it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    category: str
    status: AgentStatus
    confidence_score: float
