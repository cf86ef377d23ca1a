"""What metered features cost a workspace."""

from collections.abc import Iterable
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from saas import metering


class BillingService:
    """Charges uses, and adds up what they cost."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.total = Decimal(0)

    def quote(self, uses: Iterable[tuple[str, int]]) -> Decimal:
        """What uses would cost."""
        return sum((metering.price_of(metric, quantity) for metric, quantity in uses), Decimal(0))

    async def charge(self, workspace_id: str, metric: str, quantity: int) -> Decimal:
        """Store a use and its price."""
        cost = metering.price_of(metric, quantity)
        event = metering.build_event(workspace_id, metric, quantity, cost=str(cost))
        self.session.add(event)
        await self.session.commit()
        self.total += cost
        return cost
