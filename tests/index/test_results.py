"""What is kept of an earlier check is what a check without a cache finds, whatever changed meanwhile."""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from understudy.check import Options, run
from understudy.engine import Project, forget_settings
from understudy.infer.tier2 import Tier2

_SERVICE = """\
from shop.mail import send
from shop.models import Order


class Service:
    def __init__(self, session):
        self.session = session

    {kind} place(self, number):
        order = Order({field}=number)
        self.session.add(order)
        {wait}self.session.commit()
        send(order)
        return order
"""
_TEST = """\
from unittest.mock import AsyncMock, MagicMock, patch

import pytest

from shop.service import Service


async def test_place(session):
    with patch("shop.service.send") as sent:
        order = await Service(session).place("1")
    sent.assert_called_once_with(order)


async def test_place_with_a_double():
    session = {double}()
    await Service(session).place("1")


@patch("shop.mail.send")
async def test_where_defined(send, session):
    await Service(session).place("2")


@patch("shop.mail.deliver", create=True)
async def test_created(deliver):
    deliver.assert_called_onec()
"""
_MODELS = """\
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Order(Base):
    __tablename__ = "orders"

    id = Column(Integer, primary_key=True)
    {field} = Column(String(20), nullable={nullable}, index=True)
    lines = relationship("{target}"{back})
"""
_LINES = """\
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import relationship

from shop.models import Base


class {name}(Base):
    __tablename__ = "lines"

    id = Column(Integer, primary_key=True)
    order_id = Column(Integer, ForeignKey("{table}.id"))
    order = relationship("Order", back_populates="{back}")
"""
_GIFTS = """\
from sqlalchemy import Column, Integer

from shop.models import Order


class Gift(Order):
    {table}

    wrapping = Column(Integer)
"""
_FIXTURE = """\
from unittest.mock import {double}

import pytest


@pytest.fixture
def {name}():
    return {double}()
"""
_SPEC = """\
from unittest.mock import MagicMock

from shop import clients


async def test_spec():
    client = MagicMock(spec=clients.First)
    await client.close()
"""
_FACTORY = """\
import factory

from shop.models import Order


class OrderFactory(factory.Factory):
    class Meta:
        model = Order

    number = "1"
"""
_USES_FACTORY = """\
from tests.factories import OrderFactory
from shop.models import Order
from shop.queries import find


def test_order():
    assert OrderFactory(number="1").number == "1"


def test_model(session):
    order = Order(number="1", extra="2")
    session.add(order)
    assert order.numbr
    find(session, "1")
"""

VARIANTS: Mapping[str, tuple[str | None, ...]] = {
    "shop/__init__.py": ("", None, "from shop.mail import send\n"),
    "shop/mail.py": (
        "def send(order):\n    return order\n",
        "async def send(order):\n    return order\n",
        "from shop.smtp import send\n",
        "def deliver(order):\n    return order\n",
        None,
    ),
    "shop/smtp.py": (None, "def send(order):\n    return order\n", "def send(order:\n    pass\n"),
    "shop/models.py": (
        _MODELS.format(field="number", nullable=False, target="Line", back=', back_populates="order"'),
        _MODELS.format(field="number", nullable=True, target="Line", back=""),
        _MODELS.format(field="name", nullable=False, target="LineItem", back=', backref="whole"'),
        "from sqlmodel import SQLModel as Base\nclass Order(Base): ...\n",
    ),
    "shop/models/__init__.py": (
        None,
        "from sqlalchemy.orm import declarative_base\nBase = declarative_base()\n",
    ),
    "shop/lines.py": (
        _LINES.format(name="Line", table="orders", back="lines"),
        _LINES.format(name="LineItem", table="order", back="line"),
        _LINES.format(name="Line", table="orders", back="lines").replace("orders.id", "orders.wrapping"),
        None,
    ),
    "shop/gifts.py": (
        None,
        _GIFTS.format(table="# In that of its orders."),
        _GIFTS.format(table='__tablename__ = "gifts"'),
        _GIFTS.format(table='__tablename__ = "lines"'),
    ),
    "shop/lines_again.py": (None, _LINES.format(name="Line", table="orders", back="lines")),
    "shop/service.py": (
        _SERVICE.format(kind="async def", field="number", wait="await "),
        _SERVICE.format(kind="async def", field="nubmer", wait="await "),
        _SERVICE.format(kind="def", field="number", wait=""),
        "# a line more\n" + _SERVICE.format(kind="async def", field="number", wait="await "),
    ),
    "shop/queries.py": (
        "from shop.models import Order\n\n\ndef find(session, number):\n"
        "    return session.query(Order).filter_by(number=number).first()\n",
        None,
        "import shop.models\n\nOrder = shop.models.Order\nOrder.extra = 1\n\n\ndef find(session, n): ...\n",
    ),
    "tests/__init__.py": (None, ""),
    "tests/conftest.py": (
        _FIXTURE.format(double="AsyncMock", name="session"),
        _FIXTURE.format(double="MagicMock", name="session"),
        _FIXTURE.format(double="AsyncMock", name="sessions"),
        "from shop.models import Order\nfrom tests.more import session\n",
        "from tests.more import *\n",
        None,
    ),
    "tests/more.py": (
        None,
        _FIXTURE.format(double="AsyncMock", name="session"),
        "# a line more\n" + _FIXTURE.format(double="MagicMock", name="session"),
        _FIXTURE.format(double="MagicMock", name="session").replace("fixture\n", "fixture(autouse=True)\n"),
        "def session():\n    return None\n",
    ),
    "tests/unit/conftest.py": (None, _FIXTURE.format(double="MagicMock", name="session")),
    "tests/unit/test_service.py": (
        _TEST.format(double="AsyncMock"),
        _TEST.format(double="MagicMock"),
        _TEST.format(double="MagicMock") + "\n\n# understudy: ignore-file[US108]\n",
        _TEST.format(double="MagicMock(") + "\n",
    ),
    "tests/unit/shop/__init__.py": (None, ""),
    "tests/factories.py": (_FACTORY, _FACTORY.replace("number", "nubmer"), None),
    "tests/test_orders.py": (_USES_FACTORY, _USES_FACTORY.replace("extra", "id"), None),
    "requirements.txt": (None, "pytest\n", "pytest\npytest-sqlalchemy\n"),
    "pyproject.toml": (
        '[tool.understudy]\n[tool.pytest.ini_options]\nasyncio_mode = "auto"\n',
        "[tool.understudy]\n[tool.pytest.ini_options]\n",
        '[tool.understudy]\nignore = ["US1"]\n',
        '[tool.understudy]\nexclude = ["shop/lines.py"]\n[tool.understudy.severity]\nUS201 = "info"\n',
    ),
    "pytest.ini": (None, "[pytest]\nasyncio_mode = auto\npythonpath = tests/unit\n"),
    "conftest.py": (None, "", 'pytest_plugins = ["shop.fixtures"]\n'),
}


class Workspace:
    """A folder, and its findings with and without what earlier checks left."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state: dict[str, str | None] = {}

    def put(self, name: str, content: str | None) -> None:
        path = self.root / name
        if self.state.get(name) == content:
            return
        self.state[name] = content
        if content is None:
            path.unlink(missing_ok=True)
            if path.name == "__init__.py" and path.parent.exists() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")

    def found(self, *paths: str, cache: bool = True, jobs: int = 1) -> tuple[int, list[dict[str, Any]], str]:
        out, err = io.StringIO(), io.StringIO()
        forget_settings()
        names = tuple(Path(path) for path in paths or ["."])
        options = Options(names, output_format="json", cache=cache, jobs=jobs)
        status = run(options, out, err)
        return status, json.loads(out.getvalue()), err.getvalue()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Workspace(tmp_path / "work")
    for name, variants in VARIANTS.items():
        made.put(name, variants[0])
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were analysed, as they are."""
    names: list[str] = []
    analyse = Project.analyse

    def noting(self: Project, path: Path, *rest: Any) -> Any:
        names.append(path.relative_to(self.root).as_posix())
        return analyse(self, path, *rest)

    monkeypatch.setattr(Project, "analyse", noting)
    return names


@pytest.mark.parametrize("seed", range(int(os.environ.get("UNDERSTUDY_FUZZ_EXAMPLES", "4"))))
def test_a_warm_check_finds_what_a_fresh_one_finds(workspace: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    seen: set[str] = set()
    for step in range(16):
        changes = {}
        for _ in range(chance.randrange(1, 3)):
            name = chance.choice(list(VARIANTS))
            changes[name] = chance.choice(VARIANTS[name])
        for name, content in changes.items():
            workspace.put(name, content)
        part = ["tests"] if chance.random() < 0.15 else []
        warm = workspace.found(*part)
        assert warm == workspace.found(*part, cache=False), (step, changes)
        seen.update(finding["code"] for finding in warm[1])
    assert len(seen) >= 5, f"too little is found to mean anything: {seen}"


def test_an_unchanged_tree_is_not_analysed_again(workspace: Workspace, analysed: list[str]) -> None:
    first = workspace.found()
    assert first[1]
    assert sorted(analysed) == sorted(name for name in workspace.state if _is_checked(workspace, name))
    analysed.clear()
    assert workspace.found() == first
    assert workspace.found("tests") != first
    assert analysed == []


def _is_checked(workspace: Workspace, name: str) -> bool:
    return name.endswith(".py") and workspace.state[name] is not None


def test_an_edit_concerns_what_rests_on_the_file(workspace: Workspace, analysed: list[str]) -> None:
    workspace.found()
    analysed.clear()
    name = "tests/unit/test_service.py"
    workspace.put(name, f"{workspace.state[name]}\n\ndef test_more():\n    pass\n")
    workspace.found()
    assert analysed == [name]
    analysed.clear()
    workspace.put(name, f"import shop.lines\n{workspace.state[name]}")
    workspace.found()
    # Which modules the tests load decides about the models.
    assert analysed == ["shop/models.py", name]


def test_an_edit_in_a_body_concerns_what_looks_into_bodies(workspace: Workspace, analysed: list[str]) -> None:
    workspace.found()
    analysed.clear()
    name = "tests/unit/test_service.py"
    workspace.put(name, str(workspace.state[name]).replace('place("1")', 'place("3")'))
    assert workspace.found() == workspace.found(cache=False)
    assert set(analysed[: analysed.index(name) + 1]) == {name}
    analysed.clear()
    workspace.put("shop/mail.py", "def send(order):\n    return None\n")
    workspace.found()
    assert analysed == ["shop/mail.py", name]


def test_another_column_does_not_concern_who_only_asks_which_models_there_are(
    workspace: Workspace, analysed: list[str]
) -> None:
    workspace.put(
        "shop/queue.py", "from shop.mail import send\n\n\ndef put(order):\n    send(order).number = 1\n"
    )
    workspace.found()
    analysed.clear()
    lines = VARIANTS["shop/lines.py"][0]
    assert lines is not None
    workspace.put("shop/lines.py", f"{lines}    amount = Column(Integer)\n")
    assert workspace.found() == workspace.found(cache=False)
    analysed.clear()
    workspace.put("shop/lines.py", f"{lines}    price = Column(Integer)\n")
    workspace.found()
    assert "shop/lines.py" in analysed
    assert "shop/queue.py" not in analysed
    analysed.clear()
    workspace.put("shop/lines.py", lines.replace("class Line(", "class Row("))
    workspace.found()
    assert "shop/queue.py" in analysed


def test_what_a_conftest_imports_besides_fixtures_does_not_concern_the_tests(
    workspace: Workspace, analysed: list[str]
) -> None:
    workspace.put("tests/__init__.py", "")
    workspace.put("tests/more.py", VARIANTS["tests/more.py"][1])
    workspace.put("tests/conftest.py", VARIANTS["tests/conftest.py"][3])
    name = "tests/test_sent.py"
    workspace.put(
        name, "from shop.mail import send\n\n\nasync def test_sent(session):\n    await session.a()\n"
    )
    assert "US101" not in _codes(workspace.found()[1], "test_sent.py")
    analysed.clear()
    workspace.put("shop/models.py", f"{workspace.state['shop/models.py']}    extra = Column(Integer)\n")
    workspace.found()
    assert "shop/models.py" in analysed
    assert name not in analysed
    workspace.put("tests/more.py", VARIANTS["tests/more.py"][2])
    _, findings, _ = workspace.found()
    assert name in analysed
    assert "US101" in _codes(findings, "test_sent.py")


def _codes(findings: list[dict[str, Any]], name: str) -> set[str]:
    return {each["code"] for each in findings if each["filename"].endswith(name)}


def test_another_column_concerns_no_other_model_but_those_that_refer_to_it(
    workspace: Workspace, analysed: list[str]
) -> None:
    workspace.put("shop/gifts.py", VARIANTS["shop/gifts.py"][2])
    workspace.put("shop/lines.py", VARIANTS["shop/lines.py"][2])
    _, findings, _ = workspace.found()
    assert "US307" in _codes(findings, "lines.py")
    gifts = workspace.state["shop/gifts.py"]
    workspace.put("shop/gifts.py", f"{gifts}    ribbon = Column(Integer)\n")
    analysed.clear()
    workspace.found()
    assert "shop/gifts.py" in analysed
    assert "shop/lines.py" not in analysed
    # Now the column that the foreign key asks for is in the table of the orders.
    workspace.put("shop/gifts.py", VARIANTS["shop/gifts.py"][1])
    analysed.clear()
    _, findings, _ = workspace.found()
    assert "shop/lines.py" in analysed
    assert "US307" not in _codes(findings, "lines.py")


def test_a_file_that_did_not_exist_concerns_those_that_looked_for_it(
    workspace: Workspace, analysed: list[str]
) -> None:
    workspace.found()
    analysed.clear()
    workspace.put("tests/unit/conftest.py", _FIXTURE.format(double="MagicMock", name="session"))
    _, findings, _ = workspace.found()
    assert "tests/unit/test_service.py" in analysed
    assert "tests/test_orders.py" not in analysed
    assert any(finding["filename"].endswith("test_service.py") for finding in findings)


def test_several_processes_keep_what_one_uses(workspace: Workspace, analysed: list[str]) -> None:
    first = workspace.found(jobs=2)
    analysed.clear()
    assert workspace.found() == first
    assert analysed == []
    workspace.put("shop/service.py", VARIANTS["shop/service.py"][2])
    assert workspace.found(jobs=2) == workspace.found(cache=False)


def test_another_folder_with_the_same_files_uses_it(
    workspace: Workspace, analysed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = workspace.found()
    analysed.clear()
    other = Workspace(tmp_path / "elsewhere")
    for name, content in workspace.state.items():
        other.put(name, content)
    monkeypatch.chdir(other.root)
    assert other.found() == first
    assert analysed == []


def test_the_folder_that_it_is_called_from_does_not_matter(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.put("shop/smtp.py", "def send(order:\n    pass\n")
    _, _, said = workspace.found()
    assert said.startswith("shop/smtp.py:1:")
    monkeypatch.chdir(workspace.root / "shop")
    _, _, said = workspace.found("..")
    assert said == workspace.found("..", cache=False)[2]
    assert "smtp.py:1:" in said


@pytest.mark.parametrize("failed", [False, True])
def test_what_the_second_tier_was_too_slow_for_is_asked_again(
    workspace: Workspace, analysed: list[str], failed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise findings would be missing for as long as nothing changes."""
    workspace.put(
        "shop/clients.py", "class Client:\n    async def close(self): ...\n\n\nFirst, _ = Client, 0\n"
    )
    workspace.put("tests/test_spec.py", _SPEC)
    asked: list[Path] = []

    def names(self: Tier2, path: Path, *rest: Any, **named: Any) -> None:
        asked.append(path)

    monkeypatch.setattr(Tier2, "names", names)
    monkeypatch.setattr(Tier2, "has_failed", property(lambda self: failed))
    workspace.found()
    assert asked
    analysed.clear()
    workspace.found()
    assert ("tests/test_spec.py" in analysed) is failed


def test_no_cache_reads_and_writes_none(workspace: Workspace, analysed: list[str], tmp_path: Path) -> None:
    workspace.found(cache=False)
    assert not (tmp_path / "cache").exists()
    workspace.found()
    analysed.clear()
    workspace.found(cache=False)
    assert "shop/service.py" in analysed


def test_cache_url_in_the_configuration(workspace: Workspace, tmp_path: Path) -> None:
    workspace.put("pyproject.toml", '[tool.understudy]\ncache-url = "sqlite:///kept/../mine.db"\n')
    first = workspace.found()
    assert (workspace.root / "mine.db").exists()
    assert not (tmp_path / "cache").exists()
    assert workspace.found() == first


def test_a_cache_that_fails_costs_a_sentence(workspace: Workspace) -> None:
    fresh = workspace.found(cache=False)
    workspace.put("pyproject.toml", '[tool.understudy]\ncache-url = "sqlite:////proc/nothing/mine.db"\n')
    status, findings, said = workspace.found(jobs=2)
    assert (status, findings) == (fresh[0], findings)
    assert said == "understudy: goes on without its cache: unable to open database file\n"


@pytest.mark.parametrize("harm", ["{}", "[]", '{"files": {}}', "null", "\x80"])
def test_a_snapshot_that_is_none_is_passed_over(
    workspace: Workspace, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = workspace.found()
    monkeypatch.setattr("understudy.results._written", lambda snapshot: harm.encode("latin-1"))
    workspace.put("tests/test_orders.py", None)
    workspace.found()
    workspace.put("tests/test_orders.py", VARIANTS["tests/test_orders.py"][0])
    (workspace.root / "requirements.txt").touch()
    assert workspace.found() == workspace.found(cache=False)
    assert fresh[1]


def test_what_is_written_to_while_it_is_looked_at_is_looked_at_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows which content was analysed then."""
    analyse = Project.analyse
    service = workspace.root / "shop" / "service.py"
    changed = VARIANTS["shop/service.py"][2]
    assert changed is not None

    def meddling(self: Project, path: Path, *rest: Any) -> Any:
        found = analyse(self, path, *rest)
        if path.name == "test_service.py" and service.read_text("utf-8") != changed:
            service.write_text(changed, "utf-8")
        return found

    monkeypatch.setattr(Project, "analyse", meddling)
    before = workspace.found()
    monkeypatch.setattr(Project, "analyse", analyse)
    service.write_text(str(VARIANTS["shop/service.py"][0]), "utf-8")
    os.utime(service)
    assert workspace.found() == before
    service.write_text(changed, "utf-8")
    assert workspace.found() == workspace.found(cache=False)


def test_fixes_are_never_taken_from_a_cache(workspace: Workspace, analysed: list[str]) -> None:
    workspace.put("tests/unit/test_service.py", VARIANTS["tests/unit/test_service.py"][1])
    _, findings, _ = workspace.found()
    with_fixes = {finding["filename"] for finding in findings if finding["fix"]}
    assert with_fixes
    analysed.clear()
    run(Options((Path(),), diff=True), io.StringIO(), io.StringIO())
    assert with_fixes <= set(analysed)
