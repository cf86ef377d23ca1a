"""Access tokens: issuing, checking, revoking."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.models import ActiveToken, RevokedToken, User, utcnow
from core.settings import settings


def new_jti() -> str:
    """An identifier that nobody can guess."""
    return secrets.token_hex(16)


class TokenService:
    """Keeps the books on tokens."""

    def __init__(self, session: AsyncSession, user: User | None = None) -> None:
        self.session = session
        self.user = user

    async def issue(self, user: User, scope: str = "read") -> ActiveToken:
        """A new token for a user."""
        token = ActiveToken(
            jti=new_jti(),
            user_id=user.id,
            scope=scope,
            expires_at=utcnow() + timedelta(minutes=settings.token_ttl_minutes),
        )
        self.session.add(token)
        await self.session.commit()
        return token

    async def is_revoked(self, jti: str) -> bool:
        """Whether a token has been called back."""
        result = await self.session.execute(select(RevokedToken.jti).where(RevokedToken.jti == jti))
        return result.first() is not None

    async def revoke(self, token: ActiveToken, reason: str = "logout") -> None:
        """Call a token back."""
        self.session.add(RevokedToken(jti=token.jti, reason=reason))
        await self.session.delete(token)
        await self.session.commit()

    async def purge_expired(self, now: datetime) -> None:
        """Forget tokens that have run out."""
        await self.session.execute(delete(ActiveToken).where(ActiveToken.expires_at < now))
        await self.session.commit()
