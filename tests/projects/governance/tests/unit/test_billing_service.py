"""What uses cost. The models of the shop are not needed here, so they are stubbed."""

import sys
from decimal import Decimal
from unittest.mock import MagicMock

import pytest

from services.billing_service import BillingService

sys.modules["saas.models"] = MagicMock()


@pytest.fixture
def billing(async_session):
    """A service that has charged nothing yet."""
    return BillingService(async_session)


def test_quotes_add_up(billing):
    assert billing.quote([("browser_action", 10), ("canvas_render", 2)]) == Decimal("0.040")


def test_free_metrics_cost_nothing(billing):
    assert billing.quote([("login", 1000)]) == 0


async def test_charging_stores_an_event(billing, async_session):
    cost = await billing.charge("workspace-1", "canvas_render", 3)
    assert cost == Decimal("0.03")
    assert billing.total == cost
    async_session.add.assert_called_once()


async def test_nothing_cannot_be_charged(billing):
    with pytest.raises(ValueError, match="positive quantity"):
        await billing.charge("workspace-1", "canvas_render", 0)
