"""Settings, read once from the environment."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """Everything that differs between deployments."""

    database_url: str = field(
        default_factory=lambda: os.environ.get("GOVERNANCE_DATABASE_URL", "sqlite+aiosqlite:///:memory:")
    )
    echo_sql: bool = False
    proposal_ttl_hours: int = 72
    token_ttl_minutes: int = 30
    browser_allowed_hosts: tuple[str, ...] = ("example.com", "intranet.example.com")


settings = Settings()
