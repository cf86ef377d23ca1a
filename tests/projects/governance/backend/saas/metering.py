"""Prices of metered features, and the events that are written for them."""

from decimal import Decimal
from typing import Any

from saas.models import UsageEvent

UNIT_PRICES: dict[str, Decimal] = {
    "browser_action": Decimal("0.002"),
    "canvas_render": Decimal("0.01"),
    "llm_token": Decimal("0.00003"),
}


def price_of(metric: str, quantity: int) -> Decimal:
    """What a use costs; metrics without a price are free."""
    return UNIT_PRICES.get(metric, Decimal(0)) * quantity


def build_event(workspace_id: str, metric: str, quantity: int, **details: Any) -> UsageEvent:
    """A usage event, not yet stored."""
    if quantity < 1:
        raise ValueError("a use has a positive quantity")
    return UsageEvent(workspace_id=workspace_id, metric=metric, quantity=quantity, details=details)
