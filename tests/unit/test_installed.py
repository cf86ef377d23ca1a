"""Versions of what the project's environment has, and what depends on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from understudy.orm.rebuild import renders_on_sqlite
from understudy.project.environment import Environment
from understudy.project.installed import version_of


def _environment(site: Path, running: bool = False) -> Environment:
    return Environment((3, 12), (), (site,), "", running)


def test_version_is_read_from_the_metadata(tmp_path: Path) -> None:
    (tmp_path / "sqlalchemy_utils-0.42.0.dist-info").mkdir()
    assert version_of(_environment(tmp_path), "sqlalchemy") is None
    (tmp_path / "SQLAlchemy-2.0.36.dist-info").mkdir()
    assert version_of(_environment(tmp_path), "sqlalchemy") == (2, 0, 36)


def test_own_environment_says_nothing_about_the_project(tmp_path: Path) -> None:
    (tmp_path / "sqlalchemy-2.1.9.dist-info").mkdir()
    assert version_of(_environment(tmp_path, running=True), "sqlalchemy") is None


@pytest.mark.parametrize(("version", "expected"), [(None, None), ((2, 0, 36), False), ((2, 1, 0), True)])
def test_jsonb_is_a_matter_of_the_version(version: tuple[int, ...] | None, expected: bool | None) -> None:
    assert renders_on_sqlite("postgresql", "JSONB", version) is expected


def test_sqlalchemy_is_asked_about_other_types() -> None:
    assert renders_on_sqlite("postgresql", "INET", None) is False
    assert renders_on_sqlite("", "ARRAY", None) is False
    assert renders_on_sqlite("postgresql", "DOUBLE_PRECISION", None) is True
    assert renders_on_sqlite("postgresql", "NoSuchType", None) is None
