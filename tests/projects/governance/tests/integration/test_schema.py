"""The schema as a whole."""

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import async_sessionmaker

from core.models import AgentRegistry, Base, BlockedTrigger, NotificationPreference, PolicyRule, User
from tests.conftest import memory_engine


async def test_all_tables_are_there(full_engine):
    async with full_engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert {"agent_registry", "active_tokens", "policy_rules"} <= set(names)


async def test_policies_of_an_empty_database(lenient_engine):
    async with async_sessionmaker(lenient_engine)() as session:
        policies = (await session.execute(select(PolicyRule))).scalars().all()
    assert policies == []


async def test_triggers_have_a_table():
    engine = memory_engine()
    tables = [Base.metadata.tables[name] for name in ("agent_registry", BlockedTrigger.__tablename__)]
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all, tables=tables)
    await engine.dispose()


async def test_tables_can_be_created_alone():
    engine = memory_engine()
    async with engine.begin() as connection:
        await connection.run_sync(User.metadata.tables["users"].create)
        await connection.run_sync(Base.metadata.tables[NotificationPreference.__tablename__].create)
    await engine.dispose()


def test_every_agent_column_is_known():
    columns = {column.key for column in inspect(AgentRegistry).columns}
    assert {"confidence_score", "configuration", "status", "created_at", "deleted_at"} <= columns
