"""Exports, without files where that is possible."""

import json
from unittest.mock import mock_open, patch

from core import legacy
from core.enums import AgentStatus
from services.export_service import export_csv, export_json
from tests.factories import AgentFactory


def test_json_goes_to_the_path():
    with patch("services.export_service.open", mock_open()) as opened:
        assert export_json(AgentFactory.build_batch(2), "agents.json") == 2
    opened.assert_called_once_with("agents.json", "w", encoding="utf-8")


def test_json_can_be_read_back(tmp_path):
    path = tmp_path / "agents.json"
    export_json([AgentFactory.build(name="Scout")], str(path))
    assert json.loads(path.read_text(encoding="utf-8"))[0]["name"] == "Scout"


def test_csv_has_a_header(tmp_path):
    path = tmp_path / "agents.csv"
    export_csv([], str(path))
    assert path.read_text(encoding="utf-8").startswith("name,category,status")


def test_old_names_still_work():
    with patch("core.legacy.maturity_for_score", return_value=AgentStatus.PAUSED) as old_name:
        assert legacy.maturity_for_score(0.9) is AgentStatus.PAUSED
    old_name.assert_called_once_with(0.9)
