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
        ("tests/slow/test_server.py", 'norecursedirs = ["quick"]\n', ["US501"]),
        ("tests/slow/test_server.py", 'norecursedirs = ["slow"]\n', []),
        ("tests/test_server.py", 'addopts = "--ignore=tests/slow"\n', ["US501"]),
        ("tests/slow/test_server.py", 'addopts = "--ignore=tests/slow"\n', []),
        ("tests/slow/test_server.py", 'addopts = ["--ignore-glob", "tests/s*"]\n', []),
        ("tests/test_server.py", 'addopts = ["--deselect", "tests/test_server.py::test_server"]\n', []),
        ("tests/test_server.py", 'addopts = ["-p", "fixtures"]\n', []),
        ("tests/test_server.py", 'addopts = ["-pfixtures"]\n', []),
        ("tests/test_server.py", 'addopts = ["-q", "--pdb"]\n', ["US501"]),
        ("tests/test_server.py", 'python_functions = ["check*"]\n', []),
        ("tests/test_server.py", 'python_functions = ["test*", "check"]\n', ["US501"]),
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


def test_the_mode_in_the_file_of_pytest_9(tmp_path: Path) -> None:
    test = "import pytest\n\n\nasync def test_server() -> None:\n    assert True\n"
    needs = '[project]\nname = "shop"\ndependencies = ["pytest", "pytest-asyncio"]\n'
    assert _codes(tmp_path, "test_server.py", needs, test) == ["US503"]
    (tmp_path / "pytest.toml").write_text('[pytest]\nasyncio_mode = "auto"\n', "utf-8")
    assert _codes(tmp_path, "test_server.py", needs, test) == []


def _codes(root: Path, file: str, settings: str, content: str = _TEST) -> list[str]:
    (root / "pyproject.toml").write_text(settings, "utf-8")
    test = root / file
    test.parent.mkdir(parents=True, exist_ok=True)
    test.write_text(content, "utf-8")
    loaded = config.load(root, registry.names())
    assert not loaded.problems
    return [finding.code for finding in Project(loaded.root, loaded.config).analyse(test).findings]
