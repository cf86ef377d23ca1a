"""Listeners of both kinds."""

from unittest.mock import AsyncMock, MagicMock

from services.notification_service import NotificationService, channels_of


async def test_plain_listeners_are_told():
    listener = MagicMock(return_value=None)
    notifications = NotificationService()
    notifications.subscribe(listener)
    assert await notifications.publish({"kind": "promoted"}) == 1
    listener.assert_called_once_with({"kind": "promoted"})


async def test_coroutine_listeners_are_awaited():
    listener = AsyncMock()
    notifications = NotificationService()
    notifications.subscribe(listener)
    notifications.subscribe(listener)
    assert await notifications.publish({"kind": "retired"}) == 1
    listener.assert_awaited_once_with({"kind": "retired"})


async def test_nobody_listens_at_first():
    assert await NotificationService().publish({}) == 0


async def test_new_users_have_no_channels(bare_async_session):
    assert await channels_of(bare_async_session, "user-1") == []


async def test_channels_are_sorted(async_session):
    async_session.execute.return_value.scalars.return_value.all.return_value = ["sms", "mail"]
    assert await channels_of(async_session, "user-1") == ["mail", "sms"]
