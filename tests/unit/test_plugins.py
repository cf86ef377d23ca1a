"""What is known of a project's pytest plugins, and when it is enough to say that a fixture is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from understudy.engine import Project
from understudy.project import config
from understudy.rules import registry

_TEST = "def test_server(aiohttp_server) -> None:\n    assert aiohttp_server\n"


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        pytest.param('[project]\nname = "shop"\n', [], id="nothing-says-what-tests-need"),
        pytest.param(
            '[project]\nname = "shop"\ndependencies = ["pytest"]\n', ["US501"], id="it-needs-pytest"
        ),
        pytest.param(
            f"[tool.understudy]\npython = '{sys.executable}'\n", ["US501"], id="its-environment-is-named"
        ),
        pytest.param(
            '[project]\nname = "shop"\ndependencies = ["pytest-aiohttp"]\n', [], id="a-plugin-is-missing"
        ),
    ],
)
def test_missing_fixtures_where_the_plugins_are_known(
    settings: str, found: list[str], tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(settings, "utf-8")
    test = tmp_path / "test_server.py"
    test.write_text(_TEST, "utf-8")
    loaded = config.load(tmp_path, registry.names())
    assert not loaded.problems
    findings = Project(loaded.root, loaded.config).analyse(test).findings
    assert [finding.code for finding in findings] == found
