"""``--changed-since``: what a branch touches and its dependents, in real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_run import AWAITED, FIXED, Ran, check, contents, environ, project, run

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

BACKEND = Path(__file__).parent.parent / "projects" / "governance"

MODEL = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
"""
USES_MODEL = """\
from models import Order


def test_title():
    assert Order(title="a").title == "a"
"""


STORE = """\
async def save(session):
    session.commit()
"""
SERVICE = """\
from store import save


async def register(session):
    await save(session)
"""
USES_SERVICE = """\
from unittest.mock import MagicMock
from service import register


async def test_a():
    await register(MagicMock())
"""
PATCHES = """\
from unittest.mock import patch


@patch("shop.mail.send")
def test_a(send):
    send()
"""
FIXTURE = """\
from unittest.mock import AsyncMock

import pytest


@pytest.fixture
def session():
    return AsyncMock()
"""


def git(folder: Path, *arguments: str | Path) -> str:
    """git as on a machine that nobody has configured."""
    configured = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    names = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *map(str, arguments)],
        cwd=folder,
        env={**environ(), **configured, **names},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def repository(folder: Path, configuration: str = "[tool.understudy]\n", **files: str | bytes) -> Path:
    """A project whose files are committed on ``main``; the branch ``work`` is checked out."""
    project(folder, configuration, **files)
    git(folder, "init", "--quiet")
    commit(folder)
    git(folder, "checkout", "--quiet", "-b", "work")
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x", "--allow-empty")


def package(folder: Path, mail: str) -> None:
    """``shop.mail``."""
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").touch()
    (folder / "shop" / "mail.py").write_text(mail, "utf-8")


def changed(folder: Path, *options: str | Path) -> Ran:
    return check(folder, "--changed-since", "main", *options)


# What is touched


def test_nothing_changed(tmp_path: Path) -> None:
    folder = repository(tmp_path, test_a=AWAITED, test_bad="def f(:\n")
    assert (changed(folder).status, changed(folder).out, changed(folder).err) == (0, "", "")
    assert check(folder).places == ["test_a.py:6:5 US101"]


@pytest.mark.parametrize("state", ["committed", "staged", "in the folder"])
@pytest.mark.parametrize("cache", [[], ["--no-cache"], ["--no-cache", "--jobs", "2"]])
def test_a_file_that_was_edited_and_one_that_is_new(tmp_path: Path, state: str, cache: list[str]) -> None:
    folder = repository(tmp_path, test_a=AWAITED, test_b=AWAITED)
    project(folder, test_b="import os\n" + AWAITED, test_c=AWAITED)
    if state == "committed":
        commit(folder)
    elif state == "staged":
        git(folder, "add", "--all")
    expected = ["test_b.py:7:5 US101", "test_c.py:6:5 US101"]
    for _ in range(2):
        assert changed(folder, *cache).places == expected


def test_dependents(tmp_path: Path) -> None:
    """The test is not edited: what it calls is, two imports away."""
    folder = repository(tmp_path, store=STORE, service=SERVICE, test_a=USES_SERVICE, test_b=AWAITED)
    assert check(folder).places == ["test_b.py:6:5 US101"]
    project(folder, store=STORE.replace("session.commit()", "await session.commit()"))
    for options in ([], [], ["--no-cache"], ["--jobs", "2", "--no-cache"]):
        assert changed(folder, *options).places == ["test_a.py:6:20 US108"]


def test_models_concern_those_who_use_them(tmp_path: Path) -> None:
    folder = repository(tmp_path, models=MODEL, test_a=USES_MODEL, test_b="x = 1  # understudy: ignore\n")
    project(folder, models=MODEL.replace("title", "name"))
    assert changed(folder).places == ["test_a.py:5:18 US301"]


def test_a_module_that_is_gone(tmp_path: Path) -> None:
    folder = repository(tmp_path, test_a=PATCHES, test_b=AWAITED)
    package(folder, "def send(): ...\n")
    commit(folder)
    assert check(folder, "--changed-since", "HEAD").places == []
    (folder / "shop" / "mail.py").unlink()
    assert check(folder, "--changed-since", "HEAD").places == ["test_a.py:4:14 US201"]


def test_a_file_with_another_name(tmp_path: Path) -> None:
    imports = "from helper import send\n\n\ndef test_a():\n    assert send() is None\n"
    folder = repository(tmp_path, helper="def send(): ...\n", test_a=imports, test_b=AWAITED)
    git(folder, "mv", "helper.py", "helpers.py")
    git(folder, "mv", "test_b.py", "test_c.py")
    expected = [place for place in check(folder).places if "test_b" not in place]
    assert changed(folder).places == expected
    assert "test_c.py:6:5 US101" in expected


def test_a_module_that_was_not_there(tmp_path: Path) -> None:
    """What a name means depends on files that were not there."""
    folder = repository(tmp_path, test_a=PATCHES, test_b=AWAITED)
    assert check(folder).places == ["test_b.py:6:5 US101"]
    package(folder, "def post(): ...\n")
    assert changed(folder).places == ["test_a.py:4:19 US201"]


def test_a_conftest_concerns_the_tests_below(tmp_path: Path) -> None:
    folder = repository(tmp_path, test_b=AWAITED)
    (folder / "api").mkdir()
    (folder / "api" / "conftest.py").write_text(FIXTURE, "utf-8")
    (folder / "api" / "test_a.py").write_text(
        "async def test_a(session):\n    await session.commit()\n", "utf-8"
    )
    commit(folder)
    (folder / "api" / "conftest.py").write_text(FIXTURE.replace("Async", "Magic"), "utf-8")
    assert check(folder, "--changed-since", "HEAD").places == ["api/test_a.py:2:5 US101"]


def test_main_has_gone_on(tmp_path: Path) -> None:
    """What others did on ``main`` since is not this branch's."""
    folder = repository(tmp_path, test_a=AWAITED)
    project(folder, test_b=AWAITED)
    commit(folder)
    git(folder, "checkout", "--quiet", "main")
    project(folder, test_a="x = 1\n", test_c="y = 1\n")
    commit(folder)
    git(folder, "checkout", "--quiet", "work")
    assert changed(folder).places == ["test_b.py:6:5 US101"]


def test_settings_concern_everything(tmp_path: Path) -> None:
    folder = repository(tmp_path, "[tool.understudy]\nignore = ['US101']\n", test_a=AWAITED)
    project(folder, "[tool.understudy]\n")
    assert changed(folder).places == ["test_a.py:6:5 US101"]


def test_what_git_ignores_is_not_new(tmp_path: Path) -> None:
    folder = repository(tmp_path, test_a="x = 1\n")
    (folder / ".gitignore").write_text("test_b.py\n", "utf-8")
    commit(folder)
    git(folder, "branch", "--force", "main")
    project(folder, test_b=AWAITED)
    assert changed(folder, "test_b.py").places == []


def test_problems_of_files_that_are_not_touched_are_not_said(tmp_path: Path) -> None:
    folder = repository(tmp_path, test_bad="def f(:\n", test_latin=b"\xe9")
    project(folder, test_a=AWAITED, test_worse="def g(:\n")
    ran = changed(folder)
    assert (ran.status, ran.places) == (1, ["test_a.py:6:5 US101"])
    assert [message.partition(":")[0] for message in ran.messages] == ["test_worse.py"]


def test_a_suppression_is_used_by_a_file_that_is_not_touched(tmp_path: Path) -> None:
    """``app`` reads ``other``, but the test that needs the suppression in it rests on neither's change alone."""
    folder = repository(tmp_path, test_a=AWAITED.replace("commit()", "commit()  # understudy: ignore"))
    project(folder, test_b="x = 1  # understudy: ignore\n")
    assert changed(folder).places == ["test_b.py:1:8 US901"]


def test_with_fix_diff_and_baseline(tmp_path: Path) -> None:
    folder = repository(tmp_path, test_a=AWAITED, test_b=AWAITED)
    assert changed(folder, "--baseline", "known.json", "--write-baseline").status == 0
    project(folder, test_b="import os\n" + AWAITED, test_c=AWAITED)
    assert changed(folder, "--baseline", "known.json").places == ["test_c.py:6:5 US101"]
    assert changed(folder, "--diff").out.count("+++") == 2
    assert changed(folder, "--fix").status == 0
    found = contents(folder)
    assert found["test_a.py"] == AWAITED.encode()
    assert found["test_c.py"] == FIXED.encode()


def test_from_a_folder_inside_and_through_a_link(tmp_path: Path) -> None:
    folder = repository(tmp_path / "real", test_a=AWAITED)
    (folder / "deep").mkdir()
    (folder / "deep" / "test_b.py").write_text(AWAITED, "utf-8")
    assert check(folder / "deep", "--changed-since", "main", "..").places == ["test_b.py:6:5 US101"]
    os.symlink(folder, tmp_path / "link")
    assert changed(tmp_path / "link").places == ["deep/test_b.py:6:5 US101"]


def test_two_projects_of_one_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    for name in ("a", "b"):
        project(tmp_path / name, test_x=AWAITED)
    commit(tmp_path)
    project(tmp_path / "b", test_x="import os\n" + AWAITED)
    assert check(tmp_path, "a", "b", "--changed-since", "HEAD").places == ["b/test_x.py:7:5 US101"]


# Everything that is new is shown, whatever was edited


def rename(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        content = path.read_text("utf-8")
        assert old in content
        path.write_text(content.replace(old, new), "utf-8")

    return edit


def delete(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def move(name: str, new: str) -> Callable[[Path], None]:
    return lambda folder: os.rename(folder / name, folder / new)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(
            rename("backend/core/models.py", "confidence_score", "certainty"), id="a column has another name"
        ),
        pytest.param(
            rename("backend/services/token_service.py", "new_jti", "fresh_jti"),
            id="a function has another name",
        ),
        pytest.param(delete("backend/tools/llm_client.py"), id="a module is gone"),
        pytest.param(
            move("backend/tools/browser_tool.py", "backend/tools/browsers.py"), id="a module has another name"
        ),
        pytest.param(
            rename("tests/conftest.py", "def viewer", "def reader"), id="a fixture has another name"
        ),
    ],
)
def test_nothing_new_is_missed(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    folder = tmp_path / "governance"
    shutil.copytree(BACKEND, folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    git(folder, "init", "--quiet")
    commit(folder)
    before = {key(item) for item in run(folder, "check", "--output-format", "json").json}
    edit(folder)
    shown = run(folder, "check", "--output-format", "json", "--changed-since", "HEAD").json
    everything = run(folder, "check", "--output-format", "json", "--no-cache").json
    new = {key(item) for item in everything} - before
    assert new
    assert new <= {key(item) for item in shown} <= {key(item) for item in everything}


def test_the_same_is_shown_without_a_cache(tmp_path: Path) -> None:
    folder = tmp_path / "governance"
    shutil.copytree(BACKEND, folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    git(folder, "init", "--quiet")
    commit(folder)
    run(folder, "check")
    rename("backend/core/models.py", "confidence_score", "certainty")(folder)
    shown = run(folder, "check", "--output-format", "json", "--changed-since", "HEAD").json
    assert shown
    anew = run(folder, "check", "--output-format", "json", "--no-cache", "--changed-since", "HEAD").json
    assert anew == shown


def key(item: dict[str, object]) -> tuple[object, ...]:
    return (item["filename"], item["code"], str(item["location"]), item["message"])


# What git cannot say


def test_no_repository(tmp_path: Path) -> None:
    ran = changed(project(tmp_path, test_a=AWAITED))
    assert (ran.status, ran.out) == (2, "")
    assert ran.messages == [f"understudy: --changed-since main: {tmp_path} is in no git repository"]


def test_an_unknown_revision(tmp_path: Path) -> None:
    folder = repository(tmp_path, test_a=AWAITED)
    for revision in ("mian", "--all", "main:test_a.py", ""):
        ran = check(folder, f"--changed-since={revision}")
        assert (ran.status, ran.out) == (2, "")
        assert ran.messages == [f"understudy: --changed-since {revision}: git knows no revision {revision!r}"]


def test_a_shallow_clone(tmp_path: Path) -> None:
    folder = repository(tmp_path / "origin", test_a=AWAITED)
    project(folder, test_b=AWAITED)
    commit(folder)
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--branch", "work", f"file://{folder}", "clone")
    hint = "this clone is shallow: fetch more of its history (fetch-depth: 0 in GitHub Actions)"
    ran = check(tmp_path / "clone", "--changed-since", "origin/main")
    assert (ran.status, ran.out) == (2, "")
    assert ran.messages == [
        f"understudy: --changed-since origin/main: git knows no revision 'origin/main'; {hint}"
    ]
    git(tmp_path / "clone", "fetch", "--quiet", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    ran = check(tmp_path / "clone", "--changed-since", "origin/main")
    assert ran.status == 2
    assert ran.messages == [
        f"understudy: --changed-since origin/main: git does not see where this branch left 'origin/main'; {hint}"
    ]
    git(tmp_path / "clone", "fetch", "--quiet", "--unshallow")
    assert check(tmp_path / "clone", "--changed-since", "origin/main").places == ["test_b.py:6:5 US101"]


def test_histories_that_have_nothing_in_common(tmp_path: Path) -> None:
    folder = repository(tmp_path, test_a=AWAITED, test_b=AWAITED)
    git(folder, "checkout", "--quiet", "--orphan", "other")
    project(folder, test_b="import os\n" + AWAITED)
    commit(folder)
    assert changed(folder).places == ["test_b.py:7:5 US101"]


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = repository(tmp_path, test_a=AWAITED)
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = changed(folder)
    assert ran.messages == ["understudy: --changed-since main: git is not installed, or not on the PATH"]


def test_no_program_that_the_repository_names_is_started(tmp_path: Path) -> None:
    folder = repository(tmp_path / "p", test_a=AWAITED)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n", "utf-8")
    program.chmod(0o755)
    (folder / ".git" / "info" / "attributes").write_text("*.py diff=odd\n", "utf-8")
    for setting in ("core.fsmonitor", "diff.external", "diff.odd.command", "diff.odd.textconv", "core.pager"):
        git(folder, "config", setting, program)
    project(folder, test_b=AWAITED, test_a="x = 1\n")
    assert changed(folder).places == ["test_b.py:6:5 US101"]
    assert not (tmp_path / "started").exists()
