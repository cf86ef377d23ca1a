"""What all the tests share: the interpreter that is the judge of examples and programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle import interpreters
from oracle.interpreters import Interpreter


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--oracle",
        metavar="PYTHON",
        help="run rule pages and differential programs on this interpreter, and analyse them for its version",
    )


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
