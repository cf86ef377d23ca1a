"""The findings on the example backend are those of its manifest, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from understudy.rules import registry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_HERE = Path(__file__).parent
_BACKEND = _HERE / "governance"
_MANIFEST = tomllib.loads((_HERE / "governance.toml").read_text("utf-8"))


@dataclass(frozen=True, order=True)
class Place:
    file: str
    row: int
    code: str
    severity: str


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    """What the command itself prints, as a user would run it."""
    run = subprocess.run(
        [sys.executable, "-m", "understudy", "check", "--output-format", "json", "."],
        cwd=_BACKEND,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    assert run.stderr == ""
    findings: list[dict[str, Any]] = json.loads(run.stdout)
    return findings


def _rows(file: str, fragment: str) -> Iterator[int]:
    text = (_BACKEND / file).read_text("utf-8")
    return (row for row, line in enumerate(text.splitlines(), 1) if fragment in line)


def _planted() -> set[Place]:
    known = registry.all_rules()
    return {
        Place(item["file"], row, item["code"], item["severity"])
        for item in _MANIFEST["planted"]
        if item["code"] in known
        for row in _rows(item["file"], item["line_contains"])
    }


def test_every_planted_failure_is_found_and_nothing_else(found: list[dict[str, Any]]) -> None:
    places = {
        Place(item["filename"], item["location"]["row"], item["code"], item["severity"]) for item in found
    }
    assert sorted(_planted() - places) == []
    assert sorted(places - _planted()) == []


def test_the_near_misses_stay_silent(found: list[dict[str, Any]]) -> None:
    right = {(item["file"], row) for item in _MANIFEST["near_miss"] for row in _rows(item["file"], item["line_contains"])}
    assert len(right) == len(_MANIFEST["near_miss"])
    wrong = [item for item in found if (item["filename"], item["location"]["row"]) in right]
    assert wrong == []


def test_findings_across_files_say_where(found: list[dict[str, Any]]) -> None:
    for item in found:
        if item["code"] == "US108":
            files = {related["filename"] for related in item["related"]}
            assert any(not file.startswith("tests/") for file in files), item
