"""Runs the tests of programs with pytest and prints what each does, as JSON; it knows nothing of Understudy.

Called as ``python -I runner.py FOLDER``, where each folder in it has one program; of one with a file ``only.txt`` it
runs the test named there. Each runs in a process of its own, which has pytest loaded. Tests of a program that takes
longer than ten seconds have no outcome.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SECONDS = 10
_ARGUMENTS = (
    "-q",
    "--tb=no",
    "-p",
    "no:unraisableexception",
    "-p",
    "pytest_asyncio.plugin",
    "-p",
    "pytest_mock",
    "-p",
    "no:cacheprovider",
)


class Recorder:
    """A plugin that keeps what each case of a test does: ``passes``, ``skipped``, ``xfailed``, or the exception."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: dict[str, dict[str, list[Any]]] = {}
        """By function, by case: the outcome and the lines of the program that the exception came through."""
        self.broken: list[str] = []
        """What could not be collected."""
        only = folder / "only.txt"
        self.only = only.read_text("utf-8") if only.exists() else ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.only:
            items[:] = [item for item in items if self._function(item) == self.only]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken.append(str(report.longrepr))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        outcome: Any = yield
        report = outcome.get_result()
        cases = self.cases.setdefault(self._function(item), {})
        known = cases.setdefault(item.nodeid, ["passes", []])
        if report.skipped:
            known[0] = "xfailed" if hasattr(report, "wasxfail") else "skipped"
        elif report.failed and call.excinfo is not None and known[0] in ("passes", "xfailed"):
            known[0] = f"{call.excinfo.typename}: {call.excinfo.value}"
            places = [(Path(entry.path), entry.lineno + 1) for entry in call.excinfo.traceback]
            known[1] = [
                [path.relative_to(self.folder).as_posix(), line]
                for path, line in places
                if path.is_relative_to(self.folder)
            ]

    def _function(self, item: pytest.Item) -> str:
        """Where it is defined: the tests of a base class are the same function in each class below."""
        function = inspect.unwrap(getattr(item, "function"))  # noqa: B009
        file = Path(function.__code__.co_filename).relative_to(self.folder)
        return f"{file.as_posix()}::{function.__qualname__}"


def outcomes(folder: Path) -> dict[str, Any]:
    """What happens in a folder, found out in a process of its own."""
    with tempfile.TemporaryFile("w+") as written:
        child = os.fork()
        if child == 0:
            _run(folder, written)
        os.waitpid(child, 0)
        written.seek(0)
        text = written.read()
    found: dict[str, Any] = json.loads(text) if text else {"cases": {}, "broken": ["takes too long"]}
    return found


def _run(folder: Path, written: Any) -> None:
    signal.alarm(_SECONDS)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.chdir(folder)
    recorder = Recorder(folder)
    ended = pytest.main([*_ARGUMENTS, str(folder)], [recorder])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        recorder.broken.append(f"pytest ends with {ended}")
    signal.alarm(0)
    json.dump({"cases": recorder.cases, "broken": recorder.broken}, written)
    written.flush()
    os._exit(0)


def main() -> None:
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    import pytest_asyncio.plugin  # noqa: F401
    import pytest_mock  # noqa: F401

    with tempfile.TemporaryDirectory() as name:
        # What pytest loads when it runs, each program would load again.
        Path(name, "test_warm.py").write_text(
            "import asyncio, unittest.mock\n\nasync def test(mocker):\n    pass\n"
        )
        with contextlib.redirect_stdout(io.StringIO()):
            pytest.main([*_ARGUMENTS, "--asyncio-mode=auto", name])
        sys.modules.pop("test_warm", None)
    gc.freeze()
    folders = sorted(path for path in Path(sys.argv[1]).resolve().iterdir() if path.is_dir())
    print(json.dumps({folder.name: outcomes(folder) for folder in folders}))


if __name__ == "__main__":
    main()
