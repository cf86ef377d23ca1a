"""``--executor``: clusters find what one process finds, and say plainly when they cannot be had."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_run import AWAITED, FIXED, check, contents, environ, project, run, signals_heard

distributed = pytest.importorskip("distributed")

HERE = Path(__file__).parent
BACKEND = HERE.parent / "projects" / "governance"

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="starts and kills processes as POSIX does"),
    pytest.mark.xdist_group("dask"),
]


@dataclass
class Cluster:
    """A scheduler and its workers, each a process of its own."""

    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]
    port: int

    @property
    def executor(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def start(folder: Path, workers: int) -> Cluster:
    """A cluster on loopback, once all its workers are there."""
    file = folder / "scheduler.json"
    # Nothing of this process may be what makes the workers find the same.
    settings = {
        "cwd": "/",
        "env": environ(),
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    scheduler = subprocess.Popen(
        [
            *(sys.executable, "-m", "distributed.cli.dask_scheduler"),
            *("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)),
        ],
        **settings,
    )
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)),
                *("--nthreads", "2", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)),
            ],
            **settings,
        )
        for _ in range(workers)
    ]
    cluster = Cluster(scheduler, started, 0)
    try:
        deadline = time.monotonic() + 90
        while not file.exists():
            assert time.monotonic() < deadline, "the scheduler does not start"
            time.sleep(0.1)
        with distributed.Client(scheduler_file=str(file), timeout=60, set_as_default=False) as client:
            if workers:
                client.wait_for_workers(workers, timeout=60)
            cluster.port = int(client.scheduler.address.rpartition(":")[2])
    except BaseException:
        cluster.close()
        raise
    return cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = start(tmp_path_factory.mktemp("dask"), 2)
    yield started
    started.close()


def imported_by_workers(cluster: Cluster) -> list[bool]:
    """Of each worker: has it looked for a rule?"""

    def imported() -> bool:
        return "understudy.rules.us101_awaited_sync_mock" in sys.modules

    with distributed.Client(f"127.0.0.1:{cluster.port}", set_as_default=False) as client:
        return list(client.run(imported).values())


@pytest.mark.parametrize(
    ("output_format", "options"),
    [("json", []), ("sarif", ["--statistics"]), ("text", []), ("concise", ["--statistics"])],
)
def test_two_dask_workers_find_the_same(
    tmp_path: Path, cluster: Cluster, output_format: str, options: list[str]
) -> None:
    files: dict[str, str | bytes] = {f"test_{n}": AWAITED for n in range(20)}
    files |= {"test_bad": "def f(:\n", "test_latin": b"\xe9"}
    folder = project(tmp_path / "other", "[tool.understudy]\n", **files)
    command: list[str | Path] = [
        "check",
        "--no-cache",
        "--output-format",
        output_format,
        *options,
        BACKEND,
        folder,
    ]
    alone = run(tmp_path, *command, "--jobs", "1")
    assert (alone.status, len(alone.messages)) == (2, 2)
    assert "US108" in alone.out
    assert run(tmp_path, *command, "--executor", cluster.executor) == alone
    assert imported_by_workers(cluster) == [True, True]


def test_dask_workers_see_what_was_fixed_and_what_was_edited(tmp_path: Path, cluster: Cluster) -> None:
    folder = project(tmp_path, **{f"test_{n}": AWAITED for n in range(12)})
    assert check(folder, "--executor", cluster.executor).status == 1
    project(folder, test_0="x = 1\n")
    ran = check(folder, "--executor", cluster.executor, "--fix")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    found = contents(folder)
    assert found["test_0.py"] == b"x = 1\n"
    assert found["test_3.py"] == FIXED.encode()


def test_the_environment_is_that_of_the_one_who_asks(tmp_path: Path, cluster: Cluster) -> None:
    """``VIRTUAL_ENV`` and the working directory are not the workers'."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").write_text(f"home = {sys.prefix}/bin\nversion = 3.11.1\n")
    (site / "installed.py").write_text("class C:\n    async def x(self): ...\n    def y(self): ...\n")
    source = AWAITED.replace("\n\n\n", "\n\nimport installed\n\n\n", 1)
    source = source.replace("()\n    a", "(spec=installed.C)\n    a").replace("commit()\n", "y()\n")
    folder = project(tmp_path / "p", test_a=source, test_b=source, test_bad="def f(:\n")
    answers = [
        subprocess.run(
            [
                *(sys.executable, "-m", "understudy", "check", "--no-cache", "--output-format", "concise"),
                *options,
            ],
            cwd=folder,
            env={**environ(), "VIRTUAL_ENV": str(tmp_path / "env")},
            capture_output=True,
            text=True,
            check=False,
        )
        for options in (["--jobs", "1"], ["--executor", cluster.executor])
    ]
    assert answers[0].stdout.count("US101") == 2
    assert answers[0].stderr.startswith("test_bad.py:1:")
    assert (answers[1].stdout, answers[1].stderr) == (answers[0].stdout, answers[0].stderr)


@pytest.mark.parametrize("victim", ["scheduler", "workers"])
def test_a_cluster_that_goes_away_is_done_without(tmp_path: Path, victim: str) -> None:
    source = AWAITED + "".join(f"\n\ndef test_{n}():\n    x = MagicMock()\n    x.y()\n" for n in range(400))
    folder = project(tmp_path / "p", **{f"test_{n:02}": source for n in range(40)})
    expected = check(folder, "--jobs", "2", "--no-cache")
    mortal = start(tmp_path, 1)
    try:
        command = [sys.executable, "-m", "understudy", "check", "--no-cache", "--output-format", "concise"]
        running = subprocess.Popen(
            [*command, "--executor", mortal.executor],
            cwd=folder,
            env=environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while not any(imported_by_workers(mortal)):
            assert time.monotonic() < deadline, "no worker does anything"
        for process in mortal.workers if victim == "workers" else [mortal.scheduler]:
            process.kill()
        out, err = running.communicate(timeout=100)
    finally:
        mortal.close()
    assert (running.returncode, out) == (1, expected.out)
    (line,) = err.splitlines()
    assert line.startswith("understudy: goes on in one process (")


# What cannot be had


def test_nobody_listens(tmp_path: Path) -> None:
    ran = check(project(tmp_path, test_a=AWAITED, test_b=AWAITED), "--executor", "dask://127.0.0.1:1")
    assert (ran.status, ran.out, len(ran.messages)) == (2, "", 1)
    assert ran.err.startswith("understudy: --executor dask://127.0.0.1:1: no Dask scheduler answers there (")


def test_a_cluster_without_workers(tmp_path: Path) -> None:
    empty = start(tmp_path, 0)
    try:
        ran = check(project(tmp_path / "p", test_a=AWAITED, test_b=AWAITED), "--executor", empty.executor)
    finally:
        empty.close()
    assert (ran.status, ran.out) == (2, "")
    assert ran.messages == [f"understudy: --executor {empty.executor}: this cluster has no workers"]


def test_a_worker_that_would_answer_otherwise_is_refused() -> None:
    from understudy import executors

    here = tuple(sys.version_info[:2])
    assert executors.trouble(executors.__version__, here) is None
    assert executors.trouble("9.9", here) == f"has Understudy {executors.__version__}, and this is 9.9"
    told = executors.trouble(executors.__version__, (3, 1))
    assert told == f"runs Python {here[0]}.{here[1]}, and this is 3.1"


def test_a_worker_that_does_not_see_the_files_is_refused(tmp_path: Path) -> None:
    from understudy.engine import Project
    from understudy.jobs import Settings, unseen
    from understudy.project.config import Config

    folder = project(tmp_path / "p")
    found = Project(folder, Config())
    settings = Settings("", folder, ((folder, found.config, found.environment, False),), False)
    assert unseen(settings) is None
    (folder / "pyproject.toml").unlink()
    folder.rmdir()
    assert unseen(settings) == f"does not see {folder}"


@pytest.mark.parametrize(
    ("executor", "module", "extra"),
    [("dask://127.0.0.1:1", "distributed", "dask"), ("ray", "ray", "ray")],
)
def test_a_package_that_is_missing(tmp_path: Path, executor: str, module: str, extra: str) -> None:
    folder = project(tmp_path / "p", test_a=AWAITED, test_b=AWAITED)
    missing = f"No module named {module!r}"
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError({missing!r}, name={module!r})\n")
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "check", "--executor", executor],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"understudy: --executor {executor}: needs a package that is not here; install it with "
        f"`python -m pip install 'understudy[{extra}]'` (ModuleNotFoundError: {missing})\n"
    )


@pytest.mark.parametrize(
    "value", ["", "threads", "dask", "dask://", "dask://host", "ray://host:x", "spark://h:1"]
)
def test_what_is_no_executor(tmp_path: Path, value: str) -> None:
    ran = check(project(tmp_path, test_a=AWAITED), "--executor", value)
    assert (ran.status, ran.out) == (2, "")
    assert "argument --executor: expected " in ran.messages[-1]


def test_jobs_are_processes(tmp_path: Path) -> None:
    ran = check(project(tmp_path, test_a=AWAITED), "--executor", "ray", "--jobs", "2")
    assert (ran.status, ran.messages) == (
        2,
        ["understudy: --jobs counts processes: leave it or --executor ray out"],
    )


def test_ctrl_c_leaves_the_cluster_usable(tmp_path: Path, cluster: Cluster) -> None:
    source = AWAITED + "".join(f"\n\ndef test_{n}():\n    x = MagicMock()\n    x.y()\n" for n in range(600))
    folder = project(tmp_path / "slow", **{f"test_{n:02}": source for n in range(80)})
    with signals_heard():
        running = subprocess.Popen(
            [sys.executable, "-m", "understudy", "check", "--executor", cluster.executor],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    with distributed.Client(f"127.0.0.1:{cluster.port}", set_as_default=False) as client:
        deadline = time.monotonic() + 60
        while not any(client.processing().values()):
            assert time.monotonic() < deadline, "no worker does anything"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 2
    assert " so far" in out
    (line,) = err.splitlines()
    assert line.startswith("understudy: interrupted when ")
    other = project(tmp_path / "p", test_a=AWAITED, test_b=AWAITED)
    assert len(check(other, "--executor", cluster.executor).places) == 2
