"""Runs programs under pytest and says which line of which file raised what, and which lines ran before.

Started as ``python -I oracle.py`` with the interpreter that is asked; reads one request per line from stdin (a folder
whose folders have one program each) and answers with one line of JSON. It must not see the sources of Understudy. Each
request runs in a forked child, so pytest is imported once.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import types
from pathlib import Path
from typing import Any

_MEMORY = 4 << 30
_SECONDS = 30
"""Of CPU time, for one request."""


class Recorder:
    """A pytest plugin: what each program does first, and the lines that it ran."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.programs: dict[str, dict[str, Any]] = {}

    def program(self, path: str) -> dict[str, Any]:
        name = os.path.relpath(path, self.root).partition(os.sep)[0]
        return self.programs.setdefault(name, {"status": "passes", "lines": set()})

    def pytest_runtest_protocol(self, item: Any) -> None:
        entry = self.program(str(item.path))
        # Of a test with several parameter sets, only those before the first that fails count.
        # What failed is not shown: formatting the traceback would take most of the time.
        item.repr_failure = lambda excinfo, style=None: ""
        if entry["status"] == "passes":
            sys.settrace(self._tracer(entry["lines"]))

    def pytest_runtest_logfinish(self) -> None:
        sys.settrace(None)

    def _tracer(self, lines: set[tuple[str, int]]) -> Any:
        root = self.root + os.sep

        def local(frame: types.FrameType, event: str, arg: object) -> Any:
            if event == "line":
                lines.add((frame.f_code.co_filename, frame.f_lineno))
            return local

        def trace(frame: types.FrameType, event: str, arg: object) -> Any:
            # A module that a patch imports runs no line of the program's.
            own = frame.f_code.co_filename.startswith(root) and frame.f_code.co_name != "<module>"
            return local if own else None

        return trace

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        if call.excinfo is None or call.when == "teardown":
            return
        self._note(self.program(str(item.path)), call.excinfo)

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        if call.when == "collect":
            cause = call.excinfo.value.__cause__ or call.excinfo.value
            entry = self.program(str(node.path))
            entry |= {"status": "broken", "exception": type(cause).__name__, "message": str(cause)}

    def _note(self, entry: dict[str, Any], excinfo: Any) -> None:
        if entry["status"] != "passes":
            return
        frames = [
            (str(frame.path), frame.lineno + 1)
            for frame in excinfo.traceback
            if str(frame.path).startswith(self.root + os.sep)
        ]
        entry["status"] = "raises"
        entry["exception"] = excinfo.type.__name__
        entry["message"] = str(excinfo.value)
        entry["place"] = frames[-1] if frames else None
        entry["in_mock"] = str(excinfo.traceback[-1].path).endswith("unittest/mock.py")


def run(root: str) -> dict[str, dict[str, Any]]:
    """The outcomes of the programs in the folders of a folder, with paths relative to each."""
    import pytest

    recorder = Recorder(root)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    arguments = [
        "-p",
        "pytest_asyncio.plugin",
        "-p",
        "pytest_mock",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:warnings",
        "-p",
        "no:unraisableexception",
        "--assert=plain",
    ]
    arguments += [
        "-p",
        "no:logging",
        "-p",
        "no:threadexception",
        "-p",
        "no:terminal",
        "--continue-on-collection-errors",
    ]
    arguments += ["--capture=no", f"--rootdir={root}", "-c", str(Path(root, "pytest.ini"))]
    sys.dont_write_bytecode = True
    pytest.main([*arguments, root], plugins=[recorder])
    for name, entry in recorder.programs.items():
        base = os.path.join(root, name)
        entry["lines"] = sorted((os.path.relpath(file, base), line) for file, line in entry["lines"])
        if entry.get("place"):
            entry["place"] = [os.path.relpath(entry["place"][0], base), entry["place"][1]]
    return recorder.programs


def _in_child(root: str, answer: Path) -> None:
    child = os.fork()
    if not child:
        # A program that never ends must not take the machine with it.
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        status = 1
        try:
            answer.write_text(json.dumps(run(root)), "utf-8")
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.waitpid(child, 0)


def main() -> None:
    import pytest
    import pytest_asyncio.plugin
    import pytest_mock  # noqa: F401

    assert pytest, pytest_asyncio
    for line in sys.stdin:
        root = line.rstrip("\n")
        answer = Path(root, "answer.json")
        _in_child(root, answer)
        sys.stdout.write((answer.read_text("utf-8") if answer.exists() else "null") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
