"""``--executor ray`` with a real cluster of one machine. Ray is large: it is tested where it is installed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import AWAITED, FIXED, check, contents, project, run

pytest.importorskip("ray")

BACKEND = Path(__file__).parent.parent / "projects" / "governance"
PORT = "6397"

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        command = [sys.executable, "-m", "ray.scripts.scripts"]
        # Not `ray stop` at the end, which stops every cluster of this machine.
        head = subprocess.Popen(
            [
                *(*command, "start", "--head", "--block", "--port", PORT, "--num-cpus", "2"),
                *("--include-dashboard=false", "--object-store-memory", "100000000"),
                *("--temp-dir", str(tmp_path_factory.mktemp("r"))),
            ],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        patch.setenv("RAY_ADDRESS", f"127.0.0.1:{PORT}")
        deadline = time.monotonic() + 60
        status = [*command, "status"]
        while subprocess.run(
            status, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        ).returncode:
            assert time.monotonic() < deadline, "Ray does not start"
        yield
        head.terminate()
        head.wait(60)


@pytest.mark.parametrize("output_format", ["json", "text"])
def test_ray_finds_the_same(tmp_path: Path, output_format: str) -> None:
    files: dict[str, str | bytes] = {f"test_{n}": AWAITED for n in range(20)}
    files |= {"test_bad": "def f(:\n", "test_latin": b"\xe9"}
    folder = project(tmp_path / "other", "[tool.understudy]\n", **files)
    command: list[str | Path] = ["check", "--no-cache", "--output-format", output_format, BACKEND, folder]
    alone = run(tmp_path, *command, "--jobs", "1")
    assert "US108" in alone.out
    assert run(tmp_path, *command, "--executor", "ray") == alone


def test_ray_sees_what_was_fixed(tmp_path: Path) -> None:
    folder = project(tmp_path, **{f"test_{n}": AWAITED for n in range(12)})
    ran = check(folder, "--executor", "ray", "--fix")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert contents(folder)["test_3.py"] == FIXED.encode()


def test_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    ran = check(project(tmp_path, test_a=AWAITED, test_b=AWAITED), "--executor", "ray")
    assert (ran.status, ran.out, len(ran.messages)) == (2, "", 1)
    assert ran.err.startswith("understudy: --executor ray: no Ray cluster answers; start one with ")
