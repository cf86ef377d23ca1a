"""The FastAPI application."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request, status
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from api.schemas import AgentIn, AgentOut
from core.database import get_db
from core.exceptions import NotFoundError, StateError
from core.models import AgentRegistry
from services.agent_service import AgentService

app = FastAPI(title="Agent governance")

DB = Annotated[AsyncSession, Depends(get_db)]


@app.exception_handler(NotFoundError)
async def on_not_found(request: Request, error: NotFoundError) -> JSONResponse:
    """404, with the reason."""
    return JSONResponse({"detail": str(error)}, status_code=status.HTTP_404_NOT_FOUND)


@app.exception_handler(StateError)
async def on_bad_state(request: Request, error: StateError) -> JSONResponse:
    """409, with the reason."""
    return JSONResponse({"detail": str(error)}, status_code=status.HTTP_409_CONFLICT)


@app.get("/health")
async def health() -> dict[str, str]:
    """Whether the process is alive."""
    return {"status": "ok"}


@app.post("/agents", status_code=status.HTTP_201_CREATED)
async def create_agent(body: AgentIn, db: DB) -> AgentOut:
    """Register an agent."""
    agent = await AgentService(db).register(body.name, body.category, **body.configuration)
    return AgentOut.model_validate(agent)


@app.get("/agents/{agent_id}")
async def read_agent(agent_id: str, db: DB) -> AgentOut:
    """One agent."""
    agent: AgentRegistry = await AgentService(db).get(agent_id)
    return AgentOut.model_validate(agent)


@app.post("/agents/{agent_id}/promote")
async def promote_agent(agent_id: str, db: DB) -> AgentOut:
    """Move an agent one status up."""
    agent = await AgentService(db).promote(agent_id)
    return AgentOut.model_validate(agent)
