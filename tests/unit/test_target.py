"""Which Python version the tests of a project run on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from understudy.engine import Project
from understudy.project import config as configuration
from understudy.project import environment, target
from understudy.rules import registry

RUNNING = sys.version_info[:2]


def project(folder: Path, settings: str = "", **section: str) -> Project:
    """A project; ``section`` is its ``[project]``."""
    lines = "".join(f"{key.replace('_', '-')} = {value!r}\n" for key, value in section.items())
    (folder / "pyproject.toml").write_text(f"[project]\n{lines}[tool.understudy]\n{settings}", "utf-8")
    loaded = configuration.load(folder, registry.names())
    assert loaded.problems == ()
    return Project(loaded.root, loaded.config)


def venv(folder: Path, version: str) -> None:
    (folder / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = {sys.prefix}/bin\nversion = {version}.1\n", "utf-8")


@pytest.fixture(autouse=True)
def _no_active_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


def test_the_order_in_which_it_is_found(tmp_path: Path) -> None:
    assert project(tmp_path).workspace.target_version == RUNNING
    assert project(tmp_path, requires_python=">=3.11").workspace.target_version == (3, 11)
    venv(tmp_path / ".venv", "3.13")
    assert project(tmp_path, requires_python=">=3.11").workspace.target_version == (3, 13)
    venv(tmp_path / "other", "3.12")
    settings = "python = 'other'\n"
    assert project(tmp_path, settings, requires_python=">=3.11").workspace.target_version == (3, 12)
    settings += "target-version = '3.10'\n"
    assert project(tmp_path, settings, requires_python=">=3.11").workspace.target_version == (3, 10)


@pytest.mark.parametrize(
    ("required", "version"),
    [
        (">=3.8", (3, 10)),
        (">3.10", (3, 10)),
        (">=3.10.7,<4", (3, 10)),
        ("<=3.11", (3, 10)),
        (">=3.9,!=3.10.*", (3, 11)),
        ("~=3.12", (3, 12)),
        ("==3.13.*", (3, 13)),
        (">=3.12.4,<3.13 ", (3, 12)),
        ("<3.10", RUNNING),
        (">=3.15", RUNNING),
        ("^3.10", RUNNING),
        ("", (3, 10)),
    ],
)
def test_the_oldest_version_that_is_allowed(tmp_path: Path, required: str, version: tuple[int, int]) -> None:
    assert project(tmp_path, requires_python=required).workspace.target_version == version


def test_requires_python_is_that_of_the_nearest_project(tmp_path: Path) -> None:
    """A ``pyproject.toml`` that only configures tools has none to say."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\nrequires-python = '>=3.12'\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[tool.understudy]\n")
    assert configuration.load_requires_python(inner) == ">=3.12"
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert configuration.load_requires_python(inner) is None
    (inner / "pyproject.toml").write_text("[project]\nrequires-python = 3.12\n")
    assert configuration.load_requires_python(inner) is None
    (inner / "pyproject.toml").write_text("[project\n")
    assert configuration.load_requires_python(inner) == ">=3.12"
    (tmp_path / "pyproject.toml").unlink()
    assert configuration.load_requires_python(inner) is None


def test_an_old_environment_keeps_its_version(tmp_path: Path) -> None:
    """It is not replaced by what ``requires-python`` says; the table of versions takes the nearest."""
    venv(tmp_path / ".venv", "3.8")
    found = environment.find(tmp_path, None, None)
    assert target.find(None, found, tmp_path) == (3, 8)
