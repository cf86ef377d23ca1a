"""Metering of what workspaces use."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from core.exceptions import QuotaExceeded

FREE_METRICS = frozenset({"login", "page_view"})


def check_quota(used: int, requested: int, limit: int | None, metric: str) -> int:
    """What is left after a use; an error when it is too much."""
    if limit is None:
        return -1
    if used + requested > limit:
        raise QuotaExceeded(metric, limit)
    return limit - used - requested


class UsageService:
    """Writes usage events. The billing models are heavy, so they are loaded when they are needed."""

    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self.session = session
        self.workspace_id = workspace_id

    async def record(self, metric: str, quantity: int = 1, **details: Any) -> Any:
        """Store a use of a metric; free ones are not stored."""
        if metric in FREE_METRICS:
            return None
        from saas.models import UsageEvent

        event = UsageEvent(workspace_id=self.workspace_id, metric=metric, quantity=quantity, details=details)
        self.session.add(event)
        await self.session.commit()
        return event

    async def record_many(self, uses: Sequence[tuple[str, int]]) -> int:
        """Store several uses; how many were stored."""
        stored = 0
        for metric, quantity in uses:
            if await self.record(metric, quantity) is not None:
                stored += 1
        return stored
