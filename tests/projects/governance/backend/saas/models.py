"""What is metered: events of use, and the quotas they count against."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.models import Base, TimestampMixin, Workspace, new_id, utcnow


class UsageEvent(TimestampMixin, Base):
    """One use of a metered feature."""

    __tablename__ = "usage_events"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
    subscription_id: Mapped[str | None] = mapped_column(ForeignKey("subscriptions.id"))
    metric: Mapped[str] = mapped_column(String(60))
    quantity: Mapped[int] = mapped_column(Integer, default=1)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utcnow)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    workspace: Mapped[Workspace] = relationship()
    subscription = relationship("ecommerce.models.Subscription", back_populates="usage_events")


class UsageQuota(Base):
    """How much of a metric a workspace may use in a month."""

    __tablename__ = "usage_quotas"
    __table_args__ = (UniqueConstraint("workspace_id", "metric", name="uq_usage_quotas_metric"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"))
    metric: Mapped[str] = mapped_column(String(60))
    monthly_limit: Mapped[int] = mapped_column(Integer, default=1000)

    workspace: Mapped[Workspace] = relationship()
