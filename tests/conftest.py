"""What all the tests share: the interpreter that is the judge of examples and programs."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from oracle import interpreters
from oracle.interpreters import Interpreter

_NUMBERS = itertools.count()

# On a busy machine everything is slow, and that proves nothing. Hypothesis itself sees to it in CI.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if settings.get_current_profile_name() == "default":
    settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--oracle",
        metavar="PYTHON",
        help="run rule pages and differential programs on this interpreter, and analyse them for its version",
    )


def pytest_configure() -> None:
    """A virtual environment that is active where the tests are started is not that of what they check."""
    os.environ.pop("VIRTUAL_ENV", None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares an expensive set-up runs in one process.

    pytest-xdist 3.8 appends the group to ``_nodeid``, which pytest 9.2 does not look at (pytest-xdist#1386).
    """
    for item in items:
        grouped = vars(item).get("_nodeid", item.nodeid)
        if grouped != item.nodeid:
            item._id = type(item._id).parse(grouped)  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def cache_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For what lives longer than a test: never the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder / "shared"))
        yield folder


@pytest.fixture(autouse=True)
def cache_folder(cache_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a cache folder of its own, here and in the processes that it starts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_folders / str(next(_NUMBERS))))


@pytest.fixture(scope="session")
def oracle(pytestconfig: pytest.Config) -> Interpreter:
    """The interpreter on which examples are run: the running one, unless ``--oracle`` names another."""
    path = pytestconfig.getoption("--oracle")
    if path is None:
        return interpreters.RUNNING
    interpreter = interpreters.ask(Path(path).absolute())
    if interpreter is None:
        raise pytest.UsageError(f"--oracle: {path} is no CPython of a known version")
    return interpreter
