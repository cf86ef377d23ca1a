"""Runs pytest in many folders, each in a process of its own, and says what became of each test.

Started by :mod:`pages.harness` with ``python -I runner.py JOBS.json``: it must not see the sources of
Understudy. Where the system can fork, pytest and its plugins are imported once.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

PLUGINS = {
    "asyncio": "pytest_asyncio.plugin",
    "mocker": "pytest_mock",
    "hypothesis": "_hypothesis_pytestplugin",
}
HEAVY = {
    "sqlalchemy": ("sqlalchemy.orm", "sqlalchemy.ext.asyncio"),
    "fastapi": ("fastapi.testclient",),
    "httpx": ("httpx",),
    "factory": ("factory.alchemy",),
    "flask_sqlalchemy": ("flask_sqlalchemy",),
    "flask": ("flask",),
    "polyfactory": ("polyfactory.factories.sqlalchemy_factory",),
    "sqlmodel": ("sqlmodel",),
    "hypothesis": ("hypothesis",),
}
"""Libraries that take long to import, by the word that stands for them in an example."""
SECONDS = 60
CAN_FORK = sys.platform != "win32" and hasattr(os, "fork")


class Recorder:
    """A pytest plugin: the outcome of each phase of each test, and of each file's import."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, Any]] = {}

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        import pytest

        entry = self.outcomes.setdefault(
            item.nodeid, {"test": _name(item), "file": _file(item), "status": "passes"}
        )
        if call.excinfo is None:
            return
        if call.excinfo.errisinstance((pytest.skip.Exception,)):
            entry["status"] = "skipped"
        elif entry["status"] == "passes":
            entry |= _raised(call.excinfo) | {"phase": call.when}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if hasattr(report, "wasxfail") and report.when == "call":
            entry = self.outcomes[report.nodeid]
            entry["status"] = "xfailed" if report.skipped else "xpassed"
        elif report.failed and self.outcomes[report.nodeid]["status"] == "passes":
            # For instance a strict xfail that passes.
            self.outcomes[report.nodeid] |= {
                "status": "raises",
                "exception": "",
                "message": str(report.longrepr),
            }

    def pytest_collectreport(self, report: Any) -> None:
        if report.skipped:
            file = report.nodeid.partition("::")[0]
            self.outcomes[f"collect {report.nodeid}"] = {"test": None, "file": file, "status": "skipped"}

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        if call.when == "collect":
            cause = call.excinfo.value.__cause__
            raised = _raised(call.excinfo)
            if cause is not None and raised["exception"] == "CollectError":
                raised |= {"exception": type(cause).__name__, "message": str(cause)}
            # pytest gives up a file for one function that it cannot parametrize.
            refused = re.match(r"In [^:]+::(\S+): function uses no ", raised["message"])
            test = refused[1].replace("::", ".") if refused else None
            self.outcomes[f"collect {node.nodeid}"] = {"test": test, "file": _file(node)} | raised


def _raised(excinfo: Any) -> dict[str, Any]:
    return {"status": "raises", "exception": excinfo.type.__name__, "message": str(excinfo.value)}


def _file(node: Any) -> str:
    return Path(os.path.relpath(node.path)).as_posix()


def _name(item: Any) -> str:
    import pytest

    names = [getattr(item, "originalname", None) or item.name]
    parent = item.parent
    while parent is not None:
        if isinstance(parent, pytest.Class):
            names.append(parent.name)
        parent = parent.parent
    return ".".join(reversed(names))


def on_postgresql(url: str) -> None:
    """From now on, each engine that is made for an SQLite database gets an empty schema of a PostgreSQL server."""
    import sqlalchemy

    real = sqlalchemy.create_engine

    def create_engine(given: Any, **options: Any) -> Any:
        if not str(given).startswith("sqlite"):
            return real(given, **options)
        schema = f"understudy_{uuid.uuid4().hex}"
        # A server may keep plain bytes.
        settings = "-c client_encoding=utf8"
        with real(url, connect_args={"options": settings}).begin() as connection:
            connection.execute(sqlalchemy.text(f"CREATE SCHEMA {schema}"))
        return real(url, connect_args={"options": f"{settings} -c search_path={schema}"})

    sqlalchemy.create_engine = create_engine


def run(job: dict[str, Any]) -> None:
    """Run the tests of a folder in this process; ``outcome.json`` beside the folder, or beside what ``result`` names,
    holds the result. With ``arguments``, as ``python -m pytest`` does there."""
    import pytest

    if job.get("postgresql") is not None:
        on_postgresql(job["postgresql"])
    os.chdir(job["folder"])
    recorder = Recorder()
    if "arguments" in job:
        sys.path.insert(0, job["folder"])
        arguments = job["arguments"]
    else:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ.pop("PYTEST_ADDOPTS", None)
        options = [part for plugin in job["plugins"] for part in ("-p", PLUGINS[plugin])]
        arguments = [
            *options, "-p", "no:cacheprovider", "-q", "--tb=native", "--continue-on-collection-errors", "."
        ]  # fmt: skip
    code = pytest.main(arguments, plugins=[recorder])
    result = {"code": int(code), "outcomes": list(recorder.outcomes.values())}
    Path(f"{_result(job)}.outcome.json").write_text(json.dumps(result), "utf-8")


def _result(job: dict[str, Any]) -> str:
    return str(job.get("result", job["folder"]))


def _in_child(job: dict[str, Any]) -> None:
    with open(f"{_result(job)}.log", "w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    run(job)


def _forked(jobs: list[dict[str, Any]], parallel: int) -> None:
    from _pytest.config import default_plugins

    plugins = [f"_pytest.{plugin}" for plugin in default_plugins]
    plugins += [PLUGINS[plugin] for plugin in ("asyncio", "mocker")]
    if any("arguments" in job for job in jobs):
        # The plugin of hypothesis imports it at the end of every run.
        plugins += [*(entry.module for entry in entry_points(group="pytest11")), "hypothesis"]
    for name in (*plugins, *_heavy(jobs)):
        # The examples that need what is not there will say so.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # pytest collects garbage several times in each process: not among what all of them share.
    gc.collect()
    gc.freeze()

    running: set[int] = set()
    for job in jobs:
        if len(running) == parallel:
            running.discard(os.wait()[0])
        child = os.fork()
        if child == 0:
            signal.alarm(SECONDS)
            try:
                _in_child(job)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                sys.stdout.flush()
                os._exit(0)
        running.add(child)
    for _ in running:
        os.wait()


def _heavy(jobs: list[dict[str, Any]]) -> list[str]:
    """The modules worth importing once, before the children are forked: those that examples import."""
    words = {
        word
        for folder in {job["folder"] for job in jobs}
        for file in Path(folder).rglob("*.py")
        for word in HEAVY
        if word in file.read_text("utf-8", "replace")
    }
    return [module for word, modules in HEAVY.items() if word in words for module in modules]


def _one_by_one(jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        with open(f"{_result(job)}.log", "w", encoding="utf-8") as log:
            subprocess.run(
                [sys.executable, "-I", __file__, "--one", json.dumps(job)],
                stdout=log,
                stderr=log,
                timeout=SECONDS,
                check=False,
            )


def main(arguments: list[str]) -> None:
    if arguments[0] == "--one":
        run(json.loads(arguments[1]))
        return
    request = json.loads(Path(arguments[0]).read_text("utf-8"))
    if CAN_FORK:
        _forked(request["jobs"], request["parallel"])
    else:
        _one_by_one(request["jobs"])


if __name__ == "__main__":
    main(sys.argv[1:])
