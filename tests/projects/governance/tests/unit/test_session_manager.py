"""Supervision and training sessions, without a database."""

import unittest
from unittest.mock import AsyncMock, MagicMock

import pytest

from core.enums import AgentStatus, Role, SessionStatus
from core.exceptions import NotFoundError, PermissionDenied, StateError
from core.models import TrainingModule, TrainingSession
from services.session_manager import SessionManager, terminate_all
from tests.factories import AgentFactory, SupervisionSessionFactory, UserFactory


class SessionManagerTest(unittest.IsolatedAsyncioTestCase):
    """The manager with a mocked session."""

    def setUp(self) -> None:
        self.session = MagicMock()
        self.manager = SessionManager(self.session, max_parallel=2)
        self.agent = AgentFactory.build()
        self.supervisor = UserFactory.build(role=Role.SUPERVISOR)

    async def test_supervision_starts_running(self) -> None:
        started = await self.manager.start_supervision(self.agent, self.supervisor)
        self.assertIs(started.status, SessionStatus.RUNNING)
        self.session.add.assert_called_once_with(started)

    async def test_viewers_do_not_supervise(self) -> None:
        with self.assertRaises(PermissionDenied):
            await self.manager.start_supervision(self.agent, UserFactory.build(role=Role.VIEWER))

    async def test_training_is_planned(self) -> None:
        module = TrainingModule(id=7, title="Mail etiquette", category="research")
        training = await self.manager.schedule_training(self.agent, module)
        self.assertEqual(training.module_id, 7)
        self.assertIs(training.status, SessionStatus.PLANNED)

    async def test_scores_have_bounds(self) -> None:
        with self.assertRaises(ValueError):
            await self.manager.finish_training(TrainingSession(), self.agent, 1.5)


async def test_good_training_raises_confidence(async_session):
    agent = AgentFactory.build(confidence_score=0.65)
    training = TrainingSession(agent_id=agent.id, module_id=1)
    await SessionManager(async_session).finish_training(training, agent, 0.9)
    assert agent.confidence_score == pytest.approx(0.75)
    assert agent.status is AgentStatus.SUPERVISED


async def test_interventions_are_counted():
    db = MagicMock()
    db.commit = AsyncMock()
    running = SupervisionSessionFactory.build()

    event = await SessionManager(db).intervene(running, "pause", reason="wrong recipient")

    assert running.intervention_count == 1
    assert event.payload == {"reason": "wrong recipient"}
    db.commit.assert_awaited_once_with()


async def test_no_intervention_after_the_end():
    over = SupervisionSessionFactory.build(status=SessionStatus.COMPLETED)
    with pytest.raises(StateError):
        await SessionManager(MagicMock(name="never used")).intervene(over, "pause")


async def test_complete_notes_the_outcome(strict_session):
    running = SupervisionSessionFactory.build()
    strict_session.get.return_value = running
    ended = await SessionManager(strict_session).complete(running.id, "went well")
    assert ended.status is SessionStatus.COMPLETED
    assert ended.outcome_note == "went well"


async def test_complete_needs_a_session(async_session):
    async_session.get.return_value = None
    with pytest.raises(NotFoundError):
        await SessionManager(async_session).complete("gone")


async def test_a_fresh_supervisor_has_room(bare_async_session):
    manager = SessionManager(bare_async_session)
    assert await manager.has_room("user-sup")


async def test_terminate_all_says_why():
    sessions = SupervisionSessionFactory.build_batch(3)
    db = MagicMock()
    assert await terminate_all(db, sessions, "fire drill") == 3
    assert {session.outcome_note for session in sessions} == {"fire drill"}
