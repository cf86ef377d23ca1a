"""``--baseline`` and ``--write-baseline``: what is known, what is new, what is gone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cli_run import AWAITED, FIXED, Ran, check, contents, project, run

HERE = Path(__file__).parent
BACKEND = HERE.parent / "projects" / "governance"

COMPARE = ("--baseline", "known.json")
WRITE = (*COMPARE, "--write-baseline")
CLOSED = AWAITED.replace("test_commit", "test_close").replace("commit()", "close()")
BOTH = AWAITED + "\n\n" + CLOSED[CLOSED.index("async def") :]


def entries(folder: Path) -> list[list[str]]:
    """File, code, and the message's first word."""
    document = json.loads((folder / "known.json").read_text("utf-8"))
    assert document["understudy-baseline"] == 1
    return [[item["filename"], item["code"], item["message"].split()[0]] for item in document["findings"]]


def written(folder: Path, *options: str) -> Ran:
    ran = check(folder, *WRITE, *options)
    assert (ran.status, ran.out) == (0, "")
    return ran


def test_what_was_there_is_left_out(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED, test_b=CLOSED)
    assert written(folder).messages == ["understudy: wrote 2 findings to known.json"]
    assert [entry[:2] for entry in entries(folder)] == [["test_a.py", "US101"], ["test_b.py", "US101"]]
    ran = run(folder, "check", *COMPARE)
    assert (ran.status, ran.out, ran.err) == (0, "No new findings; 2 in the baseline.\n", "")
    project(folder, test_b=BOTH, test_c=AWAITED)
    ran = check(folder, *COMPARE)
    assert (ran.status, ran.places, ran.err) == (1, ["test_b.py:6:5 US101", "test_c.py:6:5 US101"], "")
    ran = run(folder, "check", *COMPARE, "--exit-zero")
    assert ran.status == 0
    assert ran.out.endswith("Found 2 errors in 2 files; 2 can be fixed with --fix; 2 in the baseline.\n")


def test_the_example_backend_can_start_today(tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    before = run(BACKEND, "check", "--output-format", "json").json
    assert check(BACKEND, "--baseline", file, "--write-baseline").status == 0
    assert len(json.loads(file.read_text("utf-8"))["findings"]) == len(before)
    for jobs in ("1", "2"):
        ran = check(BACKEND, "--baseline", file, "--jobs", jobs)
        assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_moved_lines_and_another_name_of_the_file_are_not_new(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=BOTH)
    written(folder)
    (folder / "test_a.py").unlink()
    project(folder, test_b='"""Moved."""\n\n\n' + BOTH)
    ran = check(folder, *COMPARE)
    assert (ran.status, ran.places, ran.err) == (0, [], "")


def test_a_copy_of_a_file_is_new(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    written(folder)
    project(folder, test_b=AWAITED)
    assert check(folder, *COMPARE).places == ["test_b.py:6:5 US101"]


def test_one_more_of_the_same_is_new(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    written(folder)
    project(folder, test_a=AWAITED + "    await session.commit()\n")
    assert check(folder, *COMPARE).places == ["test_a.py:7:5 US101"]


def test_what_is_gone_is_said_and_taken_out(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=BOTH, test_b=AWAITED)
    written(folder)
    (folder / "test_b.py").unlink()
    project(folder, test_a=CLOSED)
    ran = check(folder, *COMPARE)
    assert (ran.status, ran.out) == (0, "")
    first, second, third, last = ran.messages
    assert first == "understudy: 2 findings of known.json are gone:"
    assert second.startswith("understudy:   test_a.py: US101 `await session.commit()`")
    assert third.startswith("understudy:   test_b.py: US101 `await session.commit()`")
    assert last == "understudy: take them out with --write-baseline"
    assert written(folder).messages == ["understudy: wrote 1 finding to known.json"]
    assert check(folder, *COMPARE).err == ""


def test_of_many_that_are_gone_the_first_are_named(tmp_path: Path) -> None:
    folder = project(tmp_path, **{f"test_{n:02}": AWAITED for n in range(13)})
    written(folder)
    for n in range(13):
        (folder / f"test_{n:02}.py").write_text("x = 1\n", "utf-8")
    messages = check(folder, *COMPARE).messages
    assert len(messages) == 12
    assert messages[-1] == "understudy:   and 3 more; take them out with --write-baseline"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["test_a.py"], id="another file"),
        pytest.param(["--ignore", "US101"], id="another rule"),
    ],
)
def test_what_was_not_looked_at_is_not_gone(tmp_path: Path, options: list[str]) -> None:
    folder = project(tmp_path, test_a=UNUSED, test_b=AWAITED)
    written(folder)
    project(folder, test_b="x = 1\n")
    assert check(folder, *COMPARE, *options).err == ""
    written(folder, *options)
    assert ["test_b.py", "US101"] in [entry[:2] for entry in entries(folder)]


UNUSED = "x = 1  # understudy: ignore[US101]\n"


def test_what_does_not_parse_now_is_not_gone(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    written(folder)
    project(folder, test_a=AWAITED.replace("session = ", "session = = "))
    ran = check(folder, *COMPARE)
    assert len(ran.messages) == 1
    assert "syntax error" in ran.err


def test_a_fixture_is_judged_by_all_its_tests(tmp_path: Path) -> None:
    """What a conftest's double runs into shows only in the tests that use it."""
    folder = project(tmp_path, service=SERVICE, conftest=FIXTURE, test_a=USES, test_b="x = 1\n")
    written(folder)
    assert entries(folder) == [["conftest.py", "US108", "`save`"]]
    assert check(folder, *COMPARE, "conftest.py", "test_b.py").err == ""
    project(folder, test_a="x = 1\n")
    assert "1 finding of known.json is gone" in check(folder, *COMPARE).err


SERVICE = """\
class Service:
    def __init__(self, session):
        self.session = session

    async def save(self):
        await self.session.commit()
"""
FIXTURE = """\
from unittest.mock import MagicMock

import pytest
from service import Service


@pytest.fixture
def service():
    return Service(MagicMock())
"""
USES = """\
async def test_a(service):
    await service.save()
"""


def test_fix_mends_what_is_new_and_no_more(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    written(folder)
    project(folder, test_b=AWAITED)
    ran = check(folder, *COMPARE, "--diff")
    assert (ran.status, ran.out.count("+++")) == (1, 1)
    assert "test_b.py" in ran.out
    assert check(folder, *COMPARE, "--fix").status == 0
    assert contents(folder)["test_a.py"] == AWAITED.encode()
    assert contents(folder)["test_b.py"] == FIXED.encode()


def test_names_are_relative_to_the_file(tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    (folder / "tests").mkdir()
    (folder / "ci").mkdir()
    (folder / "tests" / "test_a.py").write_text(AWAITED, "utf-8")
    check(folder / "tests", "--baseline", "../ci/known.json", "--write-baseline")
    assert entries(folder / "ci")[0][0] == "../tests/test_a.py"
    assert check(folder, "--baseline", folder / "ci" / "known.json").status == 0
    os.rename(folder, tmp_path / "moved")
    assert check(tmp_path, "moved", "--baseline", "moved/ci/known.json").status == 0


def test_formats_for_programs_hold_what_is_new(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    written(folder)
    project(folder, test_b=AWAITED)
    assert [item["filename"] for item in run(folder, "check", "--output-format", "json", *COMPARE).json] == [
        "test_b.py"
    ]
    sarif = json.loads(run(folder, "check", "--output-format", "sarif", *COMPARE).out)
    (result,) = sarif["runs"][0]["results"]
    assert result["baselineState"] == "new"
    assert check(folder, *COMPARE, "--statistics").out.splitlines()[-1] == "1  .  US101 1"


def test_the_file_is_a_finding_a_line_in_order(tmp_path: Path) -> None:
    folder = project(tmp_path, test_b=BOTH, test_a=AWAITED)
    written(folder)
    lines = (folder / "known.json").read_text("utf-8").splitlines()
    assert len(lines) == 3 + 3 + 2
    assert sorted(lines[3:6]) == lines[3:6]
    again = (folder / "known.json").read_bytes()
    written(folder, "--jobs", "2")
    assert (folder / "known.json").read_bytes() == again


# Mistakes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file; write it with --write-baseline"),
        (b"", "is no baseline; choose another name, or delete it first"),
        (b"\xff", "is no baseline; choose another name, or delete it first"),
        (b"[]", "is no baseline; choose another name, or delete it first"),
        (b'{"understudy-baseline": 1}', "is no baseline; choose another name, or delete it first"),
        (
            b'{"understudy-baseline": 1, "findings": [{"filename": 1, "code": "", "fingerprint": "", "message": ""}]}',
            "is no baseline; choose another name, or delete it first",
        ),
        (
            b'{"understudy-baseline": 2, "findings": []}',
            "is a baseline of another version of Understudy; delete it and write it anew with --write-baseline",
        ),
    ],
)
def test_what_is_no_baseline(tmp_path: Path, content: bytes | None, said: str) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    if content is not None:
        (folder / "known.json").write_bytes(content)
    ran = check(folder, *COMPARE)
    assert (ran.status, ran.out, ran.messages) == (2, "", [f"understudy: known.json: {said}"])
    if content is not None:
        assert check(folder, *WRITE).messages == [f"understudy: known.json: {said}"]
        assert (folder / "known.json").read_bytes() == content


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    ran = check(folder, "--baseline", "gone/known.json", "--write-baseline")
    assert (ran.status, ran.messages) == (2, ["understudy: gone/known.json: no such file or directory"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--write-baseline"], "--write-baseline needs --baseline FILE, which says where to"),
        ([*WRITE, "--diff"], "--diff writes nothing: leave it or --write-baseline out"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, options: list[str], said: str) -> None:
    ran = check(project(tmp_path, test_a=AWAITED), *options)
    assert (ran.status, ran.out, ran.messages) == (2, "", [f"understudy: {said}"])
    assert not (tmp_path / "known.json").exists()
