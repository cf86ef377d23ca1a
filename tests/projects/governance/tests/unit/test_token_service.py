"""Access tokens, without a database."""

from datetime import datetime, timezone
from unittest.mock import MagicMock, patch

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from core.models import ActiveToken
from services.token_service import TokenService, new_jti


def test_identifiers_differ():
    assert len({new_jti() for _ in range(20)}) == 20


class TestWithStrictSession:
    """The session refuses what the real one has not."""

    @pytest.fixture
    def session(self):
        return MagicMock(spec=AsyncSession)

    @pytest.fixture
    def tokens(self, session):
        return TokenService(session)

    async def test_issue_sets_the_scope(self, tokens, session, supervisor):
        token = await tokens.issue(supervisor, scope="write")
        assert token.scope == "write"
        session.commit.assert_awaited_once_with()

    async def test_revoke_deletes_the_token(self, tokens, session):
        token = ActiveToken(jti="abc", user_id="user-1")
        await tokens.revoke(token, reason="stolen")
        session.delete.assert_awaited_once_with(token)

    async def test_identifiers_come_from_one_place(self, tokens, supervisor):
        with patch("services.token_service.new_jti", return_value="fixed"):
            assert (await tokens.issue(supervisor)).jti == "fixed"


class TestWithPlainSession:
    """The session takes anything."""

    @pytest.fixture
    def tokens(self):
        session = MagicMock()
        return TokenService(session=session)

    async def test_issue_belongs_to_the_user(self, tokens, supervisor):
        token = await tokens.issue(supervisor)
        assert token.user_id == supervisor.id

    async def test_purge_runs(self, tokens):
        await tokens.purge_expired(datetime(2025, 1, 1, tzinfo=timezone.utc))


async def test_unknown_tokens_are_not_revoked():
    session = MagicMock(spec=AsyncSession)
    session.execute.return_value = MagicMock(**{"first.return_value": None})
    assert not await TokenService(session).is_revoked("abc")
