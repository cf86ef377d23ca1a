"""The table of what differs between the CPython versions is what the installed ones really do."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path

import pytest
from understudy.doubles.versions import (
    FORBIDDEN_WITHOUT_PREFIX,
    Behaviour,
    behaviour,
    not_a_context_manager,
    not_awaitable,
)

from oracle import interpreters, probes
from oracle.interpreters import Interpreter

_FOUND = interpreters.find()


@cache
def measured(interpreter: Interpreter) -> dict[str, bool]:
    done = subprocess.run(
        [interpreter.path, "-I", "-B", probes.__file__],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout)
    return found


def test_each_property_is_measured() -> None:
    assert {field.name for field in fields(Behaviour)} == {probe.__name__ for probe in probes.PROBES}


@pytest.mark.parametrize("interpreter", _FOUND, ids=lambda interpreter: interpreter.name)
@pytest.mark.parametrize("name", [field.name for field in fields(Behaviour)])
def test_the_table_is_true(interpreter: Interpreter, name: str) -> None:
    said = asdict(behaviour(interpreter.version))[name]
    if said is None:
        pytest.skip("depends on the patch release")
    assert measured(interpreter)[name] is said


def test_versions_outside_of_the_table_count_as_the_nearest() -> None:
    assert behaviour((3, 8)) == behaviour((3, 10)) == Behaviour()
    assert behaviour((3, 20)) == behaviour((3, 14)) != behaviour((3, 13))


@pytest.mark.parametrize("interpreter", _FOUND, ids=lambda interpreter: interpreter.name)
def test_messages(interpreter: Interpreter) -> None:
    program = """
import asyncio
from unittest.mock import Mock
async def wait(): await Mock()
async def enter():
    async with Mock(): pass
def enter_plainly():
    with Mock(): pass
for step in (wait, enter, enter_plainly):
    try:
        result = step()
        if result: asyncio.run(result)
    except Exception as error:
        print(type(error).__name__, error, sep='|')
"""
    done = subprocess.run(
        [interpreter.path, "-I", "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    version = interpreter.version
    assert done.stdout.splitlines() == [
        f"TypeError|{not_awaitable('Mock', version)}",
        "|".join(not_a_context_manager("Mock", is_async=True, version=version)),
        "|".join(not_a_context_manager("Mock", is_async=False, version=version)),
    ]


def test_the_forbidden_names_are_those_of_the_library() -> None:
    from unittest import mock

    names: frozenset[str] = getattr(mock, "_ATTRIB_DENY_LIST", FORBIDDEN_WITHOUT_PREFIX | {"called"})
    assert names == FORBIDDEN_WITHOUT_PREFIX | {"called"}


def test_pythons_says_which_interpreters(tmp_path: Path) -> None:
    assert interpreters.find({"PYTHONS": str(interpreters.RUNNING.path)}) == [interpreters.RUNNING]
    (tmp_path / "python").write_text("no interpreter")
    with pytest.raises(interpreters.NoInterpreterError, match=f"PYTHONS: {tmp_path}/python is no CPython"):
        interpreters.find({"PYTHONS": str(tmp_path / "python")})


def test_without_it_they_are_looked_for(tmp_path: Path) -> None:
    """By name on PATH and in pyenv's folder; of one version, the newest release counts."""
    running = interpreters.RUNNING
    alone = interpreters.find({"PATH": "", "HOME": str(tmp_path)})
    assert alone == [running]
    folder = tmp_path / ".pyenv" / "versions" / "3.13.99" / "bin"
    folder.mkdir(parents=True)
    fake = folder / "python"
    fake.write_text("#!/bin/sh\necho CPython 3 13 99 final\n")
    fake.chmod(0o755)
    found = interpreters.find({"PATH": "", "HOME": str(tmp_path)})
    assert [item.path for item in found if item.name == "3.13"] == [fake]
    fake.write_text("#!/bin/sh\necho PyPy 3 13 99 final\n")
    assert interpreters.find({"PATH": "", "HOME": str(tmp_path)}) == alone
