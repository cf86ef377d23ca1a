"""Doubles for unit tests. Nothing here touches a database."""

from unittest.mock import AsyncMock, MagicMock

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from core.models import AgentRegistry
from tests.factories import AgentFactory


@pytest.fixture
def mock_session():
    """A session that remembers what it was asked."""
    session = MagicMock()
    session.info = {"tenant": "test"}
    return session


@pytest.fixture
def strict_session():
    """A session with the methods of the real one, and no others."""
    return MagicMock(spec=AsyncSession)


@pytest.fixture
def async_session():
    """A session whose queries give a plain result."""
    session = AsyncMock()
    session.add = MagicMock()
    session.execute.return_value = MagicMock()
    return session


@pytest.fixture
def bare_async_session():
    """A session nobody has told what to answer."""
    session = AsyncMock()
    session.add = MagicMock()
    return session


@pytest.fixture
def sync_session():
    """A session for the code that runs without an event loop."""
    return MagicMock(spec=Session)


@pytest.fixture
def agent() -> AgentRegistry:
    """An agent that is just beginning, and may browse."""
    return AgentFactory.build(configuration={"capabilities": ["browse"]})
