"""Reports: sync code, so plain mocks are right here."""

from unittest.mock import MagicMock

import pytest

from services.report_service import ReportService
from tests.factories import AgentFactory


def test_names_are_sorted(sync_session):
    sync_session.execute.return_value.scalars.return_value.all.return_value = ["Zoe", "Ada"]
    assert ReportService(sync_session).names_in("research") == ["Ada", "Zoe"]


def test_archive_commits():
    session = MagicMock()
    agent = AgentFactory.build()
    ReportService(session).archive(agent)
    session.delete.assert_called_once_with(agent)
    session.commit.assert_called_once_with()


@pytest.mark.parametrize(("scores", "mean"), [([], 0.0), ([0.5, 1.0], 0.75)])
def test_the_mean_confidence(sync_session, scores, mean):
    sync_session.execute.return_value.scalars.return_value.all.return_value = scores
    assert ReportService(sync_session).average_confidence() == pytest.approx(mean)
