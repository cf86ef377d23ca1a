"""A file that is no test is looked through where a rule looks for something, with the same findings as when all of it
is."""

from __future__ import annotations

from pathlib import Path

import pytest
from understudy.engine import Project
from understudy.project.config import Config
from understudy.source.text import decode

_MODELS = """from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""
_NO_MODELS = "def total(values):\n    return sum(values)\n\n\ndef get(table):\n    return table.values()\n"
_SERVICES = {
    "by its name": """from models import User


def plain(value):
    return value


def make():
    return User(nme="é")
""",
    "under another name": """from models import User as Person


def plain():
    return "User()"


def make():
    return Person(nme="é")


def again():
    from models import User

    return User(name="é")
""",
    "under a name of its own": """import models

Person = models.User


def make():
    return Person(nme="é")


def again():
    return models.User(name="é")
""",
    "read from what is made": """from models import User


def make():
    user = User()
    return user.nme
""",
    "in a statement": """from models import User
from sqlalchemy import select


def make():
    statement = select(User)
    return statement.filter_by(nme="é")
""",
    "imported by a function": """def make():
    from models import Usr

    return Usr
""",
    "a patch": """from unittest.mock import patch


def make():
    with patch("models.Usr"):
        return 1
""",
}


def _project(tmp_path: Path, **files: str) -> Project:
    for name, content in files.items():
        (tmp_path / f"{name}.py").write_text(content, encoding="utf-8")
    return Project(tmp_path.resolve(), Config())


def _looked_through(project: Project, name: str) -> list[str | None]:
    """The functions and classes of a file that were looked through, by name."""
    units = project.workspace.parsed(project.root / f"{name}.py").units
    return [unit.name for unit in units if unit.name is not None and "sites" in unit.parts[0].memo]


def test_what_no_rule_looks_for_is_not_looked_through(tmp_path: Path) -> None:
    service = f"from models import User\n\n\n{_NO_MODELS}\n\ndef make():\n    return User(name='é')\n"
    project = _project(tmp_path, models=_MODELS, service=service, test_it=service)
    for name in ("service", "test_it"):
        project.analyse(project.root / f"{name}.py")
    assert _looked_through(project, "service") == ["make"]
    assert _looked_through(project, "test_it") == ["total", "get", "make"]


def test_syntax_errors_are_mentioned_wherever_they_are(tmp_path: Path) -> None:
    project = _project(tmp_path, broken=f"{_NO_MODELS}\n\ndef broken():\n    return (\n")
    assert len(project.analyse(project.root / "broken.py").problems) == 1


@pytest.mark.parametrize("service", _SERVICES.values(), ids=_SERVICES)
def test_the_same_is_found_when_it_is_open(tmp_path: Path, service: str) -> None:
    project = _project(tmp_path, models=_MODELS, service=service)
    path = project.root / "service.py"
    closed = project.analyse(path)
    project.workspace.open(path, decode(service.encode()))
    opened = project.analyse(path)
    assert len(opened.findings) == 1
    assert closed.findings == opened.findings
