"""What is known of a project's pytest plugins, and when it is enough to say that a fixture is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from understudy.engine import Project
from understudy.project import config
from understudy.rules import registry

_NEEDS_PYTEST = '[project]\nname = "shop"\ndependencies = ["pytest"]\n'
_TEST = "def test_server(aiohttp_server) -> None:\n    assert aiohttp_server\n"


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        pytest.param('[project]\nname = "shop"\n', [], id="nothing-says-what-tests-need"),
        pytest.param(_NEEDS_PYTEST, ["US501"], id="it-needs-pytest"),
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
    assert _codes(tmp_path, "test_server.py", settings) == found


@pytest.mark.parametrize(
    ("file", "settings", "found"),
    [
        ("tests/test_server.py", "", ["US501"]),
        ("tests/server.py", "", []),
        ("tests/fake/__init__.py", "", []),
        ("tests/server.py", 'python_files = ["*.py"]\n', ["US501"]),
        ("tests/fake/server.py", 'python_files = "fake/*.py"\n', ["US501"]),
        ("tests/server.py", 'python_files = "fake/*.py"\n', []),
        ("tests/unit/test_server.py", 'testpaths = ["tests"]\n', ["US501"]),
        ("tests/unit/test_server.py", 'testpaths = ["tests/*"]\n', ["US501"]),
        ("conformance/test_server.py", 'testpaths = ["tests"]\n', []),
    ],
)
def test_missing_fixtures_of_what_pytest_collects(
    file: str, settings: str, found: list[str], tmp_path: Path
) -> None:
    assert _codes(tmp_path, file, f"{_NEEDS_PYTEST}\n[tool.pytest.ini_options]\n{settings}") == found


@pytest.mark.parametrize(
    ("needs", "found"),
    [('["pytest"]', ["US501"]), ('["pytest", "pytest-not-installed"]', []), ('["syrupy"]', [])],
)
def test_plugins_that_a_project_in_the_project_needs(needs: str, found: list[str], tmp_path: Path) -> None:
    nested = tmp_path / "libs/server"
    nested.mkdir(parents=True)
    (nested / "pyproject.toml").write_text(f"[dependency-groups]\ntest = {needs}\n", "utf-8")
    assert _codes(tmp_path, "libs/server/tests/test_server.py", _NEEDS_PYTEST) == found


def _codes(root: Path, file: str, settings: str) -> list[str]:
    (root / "pyproject.toml").write_text(settings, "utf-8")
    test = root / file
    test.parent.mkdir(parents=True, exist_ok=True)
    test.write_text(_TEST, "utf-8")
    loaded = config.load(root, registry.names())
    assert not loaded.problems
    return [finding.code for finding in Project(loaded.root, loaded.config).analyse(test).findings]
