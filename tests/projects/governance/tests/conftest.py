"""Fixtures for every test: databases in memory, and people to work with."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import StaticPool

from core.enums import Role
from core.models import (
    AgentFeedback,
    AgentProposal,
    AgentRegistry,
    Base,
    ProposalVote,
    RevokedToken,
    User,
    Workspace,
)

#: What the tests of the registry need; the whole schema takes longer to create.
REGISTRY_MODELS = (User, Workspace, AgentRegistry, AgentProposal, ProposalVote, AgentFeedback, RevokedToken)


def memory_engine() -> AsyncEngine:
    """An empty database that lives as long as its engine."""
    return create_async_engine(
        "sqlite+aiosqlite:///:memory:", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )


@pytest.fixture
async def registry_engine() -> AsyncIterator[AsyncEngine]:
    """A database with the tables of the registry."""
    engine = memory_engine()
    tables = [Base.metadata.tables[model.__tablename__] for model in REGISTRY_MODELS]
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all, tables=tables)
    yield engine
    await engine.dispose()


@pytest.fixture
async def registry_session(registry_engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """A session on a database with the tables of the registry."""
    async with async_sessionmaker(registry_engine, expire_on_commit=False)() as session:
        yield session


@pytest.fixture
async def full_engine() -> AsyncIterator[AsyncEngine]:
    """A database with all tables."""
    engine = memory_engine()
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield engine
    await engine.dispose()


@pytest.fixture
async def lenient_engine() -> AsyncIterator[AsyncEngine]:
    """A database that may have been set up already, as on the shared build machine."""
    engine = memory_engine()
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
    except OperationalError as error:
        print(f"schema is already there: {error}")
    yield engine
    await engine.dispose()


@pytest.fixture
def supervisor() -> User:
    """Someone who may decide."""
    return User(id="user-sup", email="sup@example.com", full_name="Sam Supervisor", role=Role.SUPERVISOR)


@pytest.fixture
def viewer() -> User:
    """Someone who may only look."""
    return User(id="user-view", email="view@example.com", full_name="Vera Viewer", role=Role.VIEWER)
