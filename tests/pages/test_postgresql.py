"""The pages about tables, NOT NULL and sessions hold on PostgreSQL, too: each SQLite database of their examples is an
empty schema there. ``UNDERSTUDY_TEST_PG=postgresql+psycopg://…`` names the server; ``make test-pg`` starts one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle.interpreters import RUNNING
from postgresql import running

from pages import harness
from pages.harness import Case, Outcome
from pages.marks import Runtime
from pages.test_pages import page_of

_GIVEN = os.environ.get("UNDERSTUDY_TEST_PG")
pytestmark = [
    pytest.mark.skipif(
        not _GIVEN and not os.environ.get("UNDERSTUDY_NEEDS_POSTGRESQL"),
        reason="UNDERSTUDY_TEST_PG names no PostgreSQL",
    ),
    pytest.mark.xdist_group("postgresql"),
]
_CODES = ("US307", "US308", "US310", "US311")
_OF_SQLITE = ("# Only on SQLite", "ATTACH", "sqlite_master", "PRAGMA", "poolclass=", "aiosqlite")
"""What an example says that is about SQLite itself."""
_SAME = {"OperationalError": {"OperationalError", "ProgrammingError"}}
"""What psycopg raises where sqlite3 raises this: the classes of PEP 249 leave a choice."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if _GIVEN:
        yield _GIVEN
        return
    with running() as server:
        yield server.url


@pytest.mark.parametrize("code", _CODES)
def test_page_holds(code: str, url: str, tmp_path: Path) -> None:
    cases = [
        case
        for case in harness.cases(page_of(code), tmp_path, RUNNING)
        if case.applies and not any(word in _text(case) for word in _OF_SQLITE)
    ]
    harness.run(cases, tmp_path, with_fixes=False, postgresql=url)
    complaints = [complaint for case in cases for complaint in _complaints(case)]
    assert not complaints, "\n".join(complaints)
    assert any(case.example.section == "Examples" for case in cases)


def _text(case: Case) -> str:
    return "".join(file.source for file in case.files.values())


def _complaints(case: Case) -> list[str]:
    assert case.outcomes is not None
    found = {(outcome.file, outcome.test): outcome for outcome in case.outcomes}
    return [
        f"{case.where}: {test.name}: {found.get((file.name, test.name))}, on SQLite: {test.runtime}"
        for file in case.files.values()
        for test in file.tests
        if not _agrees(found.get((file.name, test.name)), test.runtime)
    ]


def _agrees(outcome: Outcome | None, expected: Runtime) -> bool:
    """The same outcome; each database has messages of its own."""
    if outcome is None or outcome.status != expected.status:
        return False
    return not expected.exception or outcome.exception in _SAME.get(expected.exception, {expected.exception})
