"""Subscriptions and the invoices written for them."""

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, Numeric, String
from sqlalchemy.orm import relationship

from core.models import Base, new_id, utcnow


class Subscription(Base):
    """The plan a workspace pays for."""

    __tablename__ = "subscriptions"

    id = Column(String(36), primary_key=True, default=new_id)
    workspace_id = Column(String(36), ForeignKey("workspaces.id"), nullable=False, index=True)
    plan = Column(String(40), nullable=False, default="starter")
    seats = Column(Integer, nullable=False, default=1)
    is_active = Column(Boolean, nullable=False, default=True)
    renewed_at = Column(DateTime(timezone=True), default=utcnow)

    usage_events = relationship("saas.models.UsageEvent", back_populates="subscription")
    invoices = relationship("Invoice", back_populates="subscription")


class Invoice(Base):
    """What a subscription cost in one month."""

    __tablename__ = "invoices"

    id = Column(String(36), primary_key=True, default=new_id)
    subscription_id = Column(String(36), ForeignKey("subscriptions.id"), nullable=False)
    total = Column(Numeric(10, 2), nullable=False)
    paid = Column(Boolean, nullable=False, default=False)

    subscription = relationship("Subscription", back_populates="invoices")
