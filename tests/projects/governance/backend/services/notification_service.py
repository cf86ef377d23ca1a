"""Telling people and programs what happened."""

import inspect
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.models import NotificationPreference

Listener = Callable[[dict[str, Any]], Any]


class NotificationService:
    """Passes events to listeners, plain functions and coroutine functions alike."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Add a listener; adding it twice does nothing."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    async def publish(self, event: dict[str, Any]) -> int:
        """Tell every listener; how many were told."""
        for listener in self._listeners:
            outcome = listener(event)
            if inspect.isawaitable(outcome):
                await outcome
        return len(self._listeners)


async def channels_of(session: AsyncSession, user_id: str) -> list[str]:
    """The channels a user wants to be reached on."""
    result = await session.execute(
        select(NotificationPreference.channel).filter_by(user_id=user_id, enabled=True)
    )
    return sorted(result.scalars().all())
