"""The HTTP interface."""

import httpx
import pytest
from fastapi import status

from api.app import app
from core.database import get_db
from core.models import AgentRegistry
from tests.factories import AgentFactory


@pytest.fixture
async def client(registry_session):
    """A client whose requests share the session of the test."""
    app.dependency_overrides[get_db] = lambda: registry_session
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://governance.test") as http:
        yield http
    app.dependency_overrides.clear()


async def test_health(client):
    assert (await client.get("/health")).json() == {"status": "ok"}


async def test_agents_are_registered(client):
    response = await client.post("/agents", json={"name": "Scout", "category": "research"})
    assert response.status_code == status.HTTP_201_CREATED
    assert response.json()["status"] == "student"


async def test_names_are_required(client):
    response = await client.post("/agents", json={"category": "research"})
    assert response.status_code == 422


async def test_agents_are_read(client, registry_session):
    registry_session.add(AgentFactory.build(id="agent-api", name="Reader"))
    await registry_session.commit()
    assert (await client.get("/agents/agent-api")).json()["name"] == "Reader"


async def test_unknown_agents_give_404(client):
    assert (await client.get("/agents/nobody")).status_code == status.HTTP_404_NOT_FOUND


async def test_agents_are_promoted(client, registry_session):
    registry_session.add(AgentFactory.build(id="agent-up"))
    await registry_session.commit()
    assert (await client.post("/agents/agent-up/promote")).json()["status"] == "intern"


async def test_agents_survive_the_request(client, db):
    response = await client.post("/agents", json={"name": "Keeper", "category": "research"})
    assert await db.get(AgentRegistry, response.json()["id"]) is not None
