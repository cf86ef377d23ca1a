"""What people have read: the errors that Understudy reports on suites that pass, and why each of them is true."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True, order=True)
class Found:
    """A finding of ``understudy check --output-format json``."""

    package: str
    place: str
    """``tests/test_a.py:12:5``"""
    code: str
    severity: str
    message: str

    def __str__(self) -> str:
        return f"{self.package}: {self.place}: {self.severity}[{self.code}] {self.message}"


@dataclass(frozen=True)
class Entry:
    """A true error, and why the suite passes although it is one."""

    package: str
    place: str
    code: str
    why: str


def found(package: str, objects: Iterable[dict[str, Any]]) -> list[Found]:
    """The findings in the output of a check of one package."""
    return [
        Found(
            package,
            f"{item['filename']}:{item['location']['row']}:{item['location']['column']}",
            item["code"],
            item["severity"],
            item["message"],
        )
        for item in objects
    ]


def load(file: Path) -> list[Entry]:
    """The entries of a triage file. ``places`` is a list of those that one reason explains.

    :raises ValueError: one without a reason, or twice.
    """
    entries = [
        Entry(place=place, **item)
        for item in tomllib.loads(file.read_text("utf-8")).get("true", [])
        for place in (item.pop("places") if "places" in item else [item.pop("place")])
    ]
    seen: set[tuple[str, str, str]] = set()
    for entry in entries:
        key = (entry.package, entry.place, entry.code)
        if not entry.why.strip():
            raise ValueError(f"{file.name}: {entry.package}: {entry.place}: say why the suite passes")
        if key in seen:
            raise ValueError(f"{file.name}: {entry.package}: {entry.place}: {entry.code} is there twice")
        seen.add(key)
    return entries


def complaints(findings: Iterable[Found], entries: Iterable[Entry], packages: Iterable[str]) -> list[str]:
    """Errors that nobody has read, and entries of the checked packages that are found no more."""
    known = {(entry.package, entry.place, entry.code) for entry in entries}
    errors = {(item.package, item.place, item.code): item for item in findings if item.severity == "error"}
    checked = set(packages)
    said = [f"not in triage.toml: {errors[key]}" for key in sorted(errors.keys() - known)]
    said += [
        f"in triage.toml, but not found: {package}: {place}: {code}"
        for package, place, code in sorted(known - errors.keys())
        if package in checked
    ]
    return said


@dataclass(frozen=True, order=True)
class Read:
    """A warning in a public repository that a person has read."""

    repository: str
    commit: str
    place: str
    code: str
    is_true: bool
    why: str
    near_miss: str
    """Of a false one: the heading on the rule's page that keeps it from coming back."""


def warnings(file: Path) -> list[Read]:
    """The entries of a file of judged warnings, one for each place.

    :raises ValueError: one without a reason, twice, or false without a near miss.
    """
    found: list[Read] = []
    for item in tomllib.loads(file.read_text("utf-8"))["read"]:
        verdict, near_miss = item["verdict"], item.get("near_miss", "")
        if (
            verdict not in ("true", "false")
            or not item["why"].strip()
            or (verdict == "false") is not bool(near_miss)
        ):
            raise ValueError(f"{file.name}: {item['repository']}: {item['code']}: say what it is, and why")
        found.extend(
            Read(
                item["repository"],
                item["commit"],
                place,
                item["code"],
                verdict == "true",
                item["why"],
                near_miss,
            )
            for place in item["places"]
        )
    keys = [(read.repository, read.place, read.code) for read in found]
    if len(set(keys)) != len(keys):
        raise ValueError(f"{file.name}: a place is there twice")
    return found
