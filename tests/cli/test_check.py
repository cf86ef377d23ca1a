"""``understudy check`` and ``understudy rule``: options, formats, order, exit statuses, processes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cli_run import AWAITED, FIXED, check, contents, environ, project, run, signals_heard
from understudy import cli, jobs
from understudy.engine import Project
from understudy.executors import Processes
from understudy.jobs import process_count
from understudy.rules import registry

HERE = Path(__file__).parent
BACKEND = HERE.parent / "projects" / "governance"

UNUSED = "x = 1  # understudy: ignore[US101]\n"
"""One warning: US901 at 1:8."""


# Exit status and what is printed


def test_nothing_found(tmp_path: Path) -> None:
    ran = run(project(tmp_path, test_a="x = 1\n"), "check")
    assert (ran.status, ran.out, ran.err) == (0, "No findings.\n", "")


def test_text_is_the_default_format(tmp_path: Path) -> None:
    ran = run(project(tmp_path, test_a=AWAITED), "check")
    assert (ran.status, ran.err) == (1, "")
    assert "error[US101]" in ran.out
    assert " --> test_a.py:6:5\n" in ran.out
    assert ran.out.endswith("Found 1 error in 1 file; 1 can be fixed with --fix.\n")


def test_exit_zero_hides_findings_but_no_failures(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    ran = check(folder, "--exit-zero")
    assert (ran.status, ran.places) == (0, ["test_a.py:6:5 US101"])
    assert check(folder, "--exit-zero", "gone", "test_a.py").status == 2


def test_json_is_the_contract(tmp_path: Path) -> None:
    source = AWAITED.replace("    await", "    '\U0001f600'; await")
    ran = run(project(tmp_path, test_a=source), "check", "--output-format", "json")
    assert ran.status == 1
    (finding,) = ran.json
    assert {
        key: finding[key] for key in ("code", "name", "severity", "filename", "location", "end_location")
    } == {
        "code": "US101",
        "name": "awaited-sync-mock",
        "severity": "error",
        "filename": "test_a.py",
        "location": {"row": 6, "column": 10},
        "end_location": {"row": 6, "column": 32},
    }
    assert set(finding) == {
        "code",
        "name",
        "severity",
        "message",
        "filename",
        "location",
        "end_location",
        "related",
        "fix",
        "url",
    }
    for related in finding["related"]:
        assert set(related) == {"filename", "location", "end_location", "message"}
    assert finding["related"][0]["location"]["row"] == 5
    assert set(finding["fix"]) == {"title", "applicability", "edits"}
    assert finding["fix"]["applicability"] == "safe"
    for edit in finding["fix"]["edits"]:
        assert set(edit) == {"filename", "location", "end_location", "content"}
    assert {edit["content"] for edit in finding["fix"]["edits"]} >= {"AsyncMock"}
    assert finding["url"].startswith(("https://", "file://"))
    assert finding["url"].endswith("/us101_awaited_sync_mock.md")
    assert run(project(tmp_path, test_a=""), "check", "--output-format", "json").out == "[]\n"


def test_github(tmp_path: Path) -> None:
    ran = run(project(tmp_path, test_a=AWAITED), "check", "--output-format", "github")
    assert ran.status == 1
    assert ran.out.startswith(
        "::error title=US101 awaited-sync-mock,file=test_a.py,line=6,endLine=6,col=5,endColumn=27::"
    )
    assert len(ran.out.splitlines()) == 1


def test_statistics(tmp_path: Path) -> None:
    ran = check(project(tmp_path, test_a=AWAITED, test_b=AWAITED, test_c=UNUSED), "--statistics")
    assert ran.out.splitlines()[3:] == [
        "2  US101  awaited-sync-mock   2 fixable",
        "1  US901  unused-suppression  1 fixable",
        "",
        "3  .  US101 2, US901 1",
    ]


def test_statistics_by_folder(tmp_path: Path) -> None:
    folder = project(tmp_path / "a", test_a=AWAITED, test_b=UNUSED)
    for name in ("tests/unit", "tests/api"):
        (folder / name).mkdir(parents=True)
        (folder / name / "test_a.py").write_text(AWAITED, "utf-8")
    (folder / "tests" / "api" / "test_b.py").write_text(AWAITED, "utf-8")
    project(tmp_path / "other", test_a=UNUSED)
    ran = check(folder, ".", "../other", "--statistics")
    other = (tmp_path / "other").as_posix()
    width = len(other)
    assert ran.out.splitlines()[-4:] == [
        f"2  {'.':{width}}  US101 1, US901 1",
        f"2  {'tests/api':{width}}  US101 2",
        f"1  {other}  US901 1",
        f"1  {'tests/unit':{width}}  US101 1",
    ]
    (awaited, unused) = run(folder, "check", "--output-format", "json", "--statistics").json
    assert awaited["folders"] == {".": 1, "tests/api": 2, "tests/unit": 1}
    assert unused["folders"] == {".": 1}


def test_statistics_as_json_are_the_only_document(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED, test_b=AWAITED, test_c=UNUSED)
    ran = run(folder, "check", "--output-format", "json", "--statistics")
    assert (ran.status, ran.err) == (1, "")
    assert ran.json == [
        {
            "code": "US101",
            "name": "awaited-sync-mock",
            "count": 2,
            "fixable": 2,
            "fixable_unsafe": 2,
            "folders": {".": 2},
        },
        {
            "code": "US901",
            "name": "unused-suppression",
            "count": 1,
            "fixable": 1,
            "fixable_unsafe": 1,
            "folders": {".": 1},
        },
    ]
    project(tmp_path / "clean", test_a="x = 1\n")
    ran = run(tmp_path / "clean", "check", "--output-format", "json", "--statistics")
    assert (ran.status, ran.json) == (0, [])


@pytest.mark.parametrize("options", [[], ["--statistics"], ["--fix"], ["--fix", "--statistics"]])
def test_json_stays_json_with_every_option(tmp_path: Path, options: list[str]) -> None:
    """Also when something cannot be checked, and when something was fixed."""
    folder = project(tmp_path, test_a=AWAITED, test_bad="def f(:\n", test_latin=b"\xe9")
    ran = run(folder, "check", "--output-format", "json", *options)
    assert (ran.status, len(ran.messages)) == (2, 2)
    assert [item["code"] for item in ran.json] == ([] if "--fix" in options else ["US101"])


def test_findings_are_in_order_of_path_row_and_column(tmp_path: Path) -> None:
    twice = AWAITED + "    await session.a(); await session.b()\n"
    project(tmp_path / "b", "[tool.understudy]\n", test_x=twice, test_a=AWAITED)
    project(tmp_path / "a", "[tool.understudy]\n", test_z=AWAITED)
    expected = [
        "a/test_z.py:6:5 US101",
        "b/test_a.py:6:5 US101",
        "b/test_x.py:6:5 US101",
        "b/test_x.py:7:5 US101",
        "b/test_x.py:7:24 US101",
    ]
    assert check(tmp_path, "b/test_x.py", "b", "a", "b/test_a.py").places == expected
    assert check(tmp_path, "a", "b").places == expected


# Which rules


def test_select_and_ignore(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED, test_b=UNUSED)
    both = ["test_a.py:6:5 US101", "test_b.py:1:8 US901"]
    assert check(folder).places == both
    assert check(folder, "--select", "US1").places == both[:1]
    assert check(folder, "--select", "unused-suppression").places == both[1:]
    assert check(folder, "--select", "US101,US901").places == both
    assert check(folder, "--ignore", "us1").places == both[1:]
    assert check(folder, "--ignore", "US101, US901").status == 0


def test_options_win_over_the_file(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.understudy]\nignore = ["US101"]\n', test_a=AWAITED)
    assert check(folder).places == []
    assert check(folder, "--ignore", "US9").places == ["test_a.py:6:5 US101"]


@pytest.mark.parametrize(
    ("option", "value", "near"),
    [
        ("select", "US1O1", "; did you mean 'US101'?"),
        ("select", "US101,awaited-sync-mok", "; did you mean 'awaited-sync-mock'?"),
        ("ignore", "nonsense", ""),
    ],
)
def test_unknown_rules_are_refused(tmp_path: Path, option: str, value: str, near: str) -> None:
    ran = check(project(tmp_path, test_a=AWAITED), f"--{option}", value)
    assert (ran.status, ran.out) == (2, "")
    wrong = value.split(",")[-1]
    assert ran.messages == [
        f"understudy: command line: {option}: no rule has the code, prefix or name {wrong!r}{near}"
    ]


# Fixing


def test_fix_and_what_it_says(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED, test_b=AWAITED, test_c="x = 1\n")
    ran = run(folder, "check", "--fix")
    assert (ran.status, ran.out, ran.err) == (0, "No findings.\n", "Fixed 2 findings.\n")
    assert contents(folder)["test_a.py"] == FIXED.encode()
    assert contents(folder)["test_b.py"] == FIXED.encode()
    assert contents(folder)["test_c.py"] == b"x = 1\n"


def test_diff_prints_a_patch_and_writes_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    before = contents(folder)
    for options in (["--diff"], ["--diff", "--fix"], ["--diff", "--fix", "--unsafe-fixes"]):
        ran = check(folder, *options)
        assert ran.status == 1
        assert "-    session = MagicMock()\n+    session = AsyncMock()\n" in ran.out
        assert contents(folder) == before
    subprocess.run(["patch", "-p0", "-s"], cwd=folder, input=ran.out, text=True, check=True)
    assert contents(folder)["test_a.py"] == FIXED.encode()


def test_only_fix_writes(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    before = contents(folder)
    for options in ([], ["--unsafe-fixes"], ["--statistics"], ["--no-cache"], ["--jobs", "2"]):
        check(folder, *options)
    assert contents(folder) == before


# The project's Python


@pytest.mark.parametrize("path", [".", "bin/python"])
def test_python_is_a_venv_or_its_interpreter(tmp_path: Path, path: str) -> None:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (tmp_path / "env" / "bin").mkdir()
    (tmp_path / "env" / "bin" / "python").touch()
    (tmp_path / "env" / "pyvenv.cfg").write_text(f"home = {sys.prefix}/bin\nversion = 3.11.1\n")
    (site / "installed.py").write_text("class C:\n    async def x(self): ...\n    def y(self): ...\n")
    source = AWAITED.replace("\n\n\n", "\n\nimport installed\n\n\n", 1).replace(
        "()\n    a", "(spec=installed.C)\n    a"
    )
    folder = project(
        tmp_path / "p",
        test_a=source.replace("commit()\n", "x()\n"),
        test_b=source.replace("commit()\n", "y()\n"),
    )
    assert check(folder).places == []
    ran = check(folder, "--python", tmp_path / "env" / path)
    assert (ran.err, ran.places) == ("", ["test_b.py:8:5 US101"])


@pytest.mark.parametrize("path", ["gone", ".", "test_a.py"])
def test_python_that_is_none_is_refused(tmp_path: Path, path: str) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    ran = check(folder, "--python", path)
    assert (ran.status, ran.out) == (2, "")
    assert ran.messages == [
        "understudy: command line: python: expected the path of an interpreter or of a virtual environment, "
        f"which {os.path.normpath(folder / path)!r} is not"
    ]


# Several projects


def test_each_project_has_its_own_configuration(tmp_path: Path) -> None:
    project(tmp_path / "a", '[tool.understudy]\nignore = ["US101"]\n', test_a=AWAITED)
    project(tmp_path / "b", '[tool.understudy.severity]\nUS101 = "hint"\n', test_b=AWAITED)
    ran = check(tmp_path, "a", "b/test_b.py")
    assert ran.places == ["b/test_b.py:6:5 US101"]
    assert ": hint[US101] " in ran.out


@pytest.mark.parametrize("order", [("inner", "."), (".", "inner")])
def test_a_file_that_was_asked_for_twice_is_checked_once(tmp_path: Path, order: tuple[str, str]) -> None:
    project(tmp_path, test_a=AWAITED)
    project(tmp_path / "inner", '[tool.understudy.severity]\nUS101 = "hint"\n', test_b=AWAITED)
    ran = check(tmp_path, *order)
    assert ran.places == ["inner/test_b.py:6:5 US101", "test_a.py:6:5 US101"]
    assert [line.split(": ")[1][:12] for line in ran.out.splitlines()] == ["hint[US101] ", "error[US101]"]


# Processes


@pytest.mark.parametrize(
    ("jobs", "files", "processes"),
    [(1, 500, 1), (4, 500, 4), (4, 3, 3), (4, 0, 1), (None, 60, 1), (None, 0, 1), (10_000, 100_000, 1024)],
)
def test_how_many_processes(jobs: int | None, files: int, processes: int) -> None:
    assert process_count(jobs, files) == (min(processes, 61) if os.name == "nt" else processes)


def test_many_files_use_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.jobs._processors", lambda: 6)
    assert process_count(None, 61) == 6
    monkeypatch.setattr("understudy.jobs._processors", lambda: 64)
    assert process_count(None, 61) == 8


def test_a_few_files_that_changed_need_no_processes() -> None:
    assert process_count(4, 60, others_known=True) == 1
    assert process_count(4, 61, others_known=True) == 4


@pytest.mark.parametrize(
    ("output_format", "options", "numbers"),
    [
        ("json", [], ("2", "3")),
        ("json", ["--statistics"], ("3",)),
        ("sarif", [], ("3",)),
        ("text", [], ("3",)),
        ("concise", ["--statistics"], ("2",)),
    ],
)
def test_processes_change_nothing(
    tmp_path: Path, output_format: str, options: list[str], numbers: tuple[str, ...]
) -> None:
    files: dict[str, str | bytes] = {f"test_{n}": AWAITED for n in range(20)}
    files |= {"test_bad": "def f(:\n", "test_latin": b"\xe9", "test_unused": UNUSED}
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
    for number in numbers:
        assert run(tmp_path, *command, "--jobs", number) == alone


def test_processes_see_what_was_fixed(tmp_path: Path) -> None:
    files = {f"test_{n}": AWAITED for n in range(12)}
    one = project(tmp_path / "one", **files)
    two = project(tmp_path / "two", **files)
    alone = check(one, "--fix", "--jobs", "1")
    assert check(two, "--fix", "--jobs", "2") == alone
    assert alone.status == 0
    assert contents(one) == contents(two)
    assert contents(one)["test_3.py"] == FIXED.encode()


def test_processes_that_cannot_be_had_are_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(_: Processes, visible: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Processes, "open", refuses)
    monkeypatch.chdir(project(tmp_path, test_a=AWAITED, test_b=AWAITED))
    assert cli.main(["check", "--output-format", "concise", "--jobs", "2"]) == 1
    captured = capsys.readouterr()
    assert captured.out.count("US101") == 2
    assert captured.err == "understudy: goes on in one process ([Errno 28] No space left on device)\n"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_stops_and_shows_what_was_found(tmp_path: Path, jobs: str) -> None:
    slow = AWAITED + "".join(f"\n\ndef test_{n}():\n    x = MagicMock()\n    x.y()\n" for n in range(1200))
    files: dict[str, str | bytes] = {f"test_{n:02}": AWAITED for n in range(10)}
    files |= {f"test_{n}": slow for n in range(10, 160)}
    folder = project(tmp_path, **files)
    master, slave = os.openpty()
    with signals_heard():
        running = subprocess.Popen(
            [sys.executable, "-m", "understudy", "check", "--output-format", "concise", "--jobs", jobs],
            cwd=folder,
            env={**environ(), "TERM": "xterm"},
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            start_new_session=True,
        )
    os.close(slave)
    said = b""
    while not re.search(rb" [1-9]\d* of 160 files", said):
        said += os.read(master, 4096)
    os.killpg(running.pid, signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    rest = _read_to_end(master)
    assert running.returncode == 2
    match = re.search(
        rb"(?:^|\r)understudy: interrupted when (\d+) of 160 files were checked: there may be more findings\r\n$",
        rest,
    )
    assert match is not None, rest
    found = out.splitlines()
    assert len(found) == int(match[1]) < 160, "each file has one"
    assert found == check(folder, *(line.partition(":")[0] for line in found)).out.splitlines()
    deadline = time.monotonic() + 10
    while _alive(running.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(running.pid), "a process was left behind"


def test_ctrl_c_in_json_and_sarif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """What is printed stays one document, says that it is not all, and no suppression is called unused."""
    folder = project(tmp_path, test_a=AWAITED, test_b=UNUSED, test_c=AWAITED, test_d=AWAITED)
    monkeypatch.chdir(folder)
    _interrupt_at(monkeypatch, "test_c.py")
    assert cli.main(["check", "--output-format", "json"]) == 2
    captured = capsys.readouterr()
    assert [item["filename"] for item in json.loads(captured.out)] == ["test_a.py"]
    said = "interrupted when 2 of 4 files were checked: there may be more findings"
    assert captured.err == f"understudy: {said}\n"
    assert cli.main(["check", "--output-format", "sarif"]) == 2
    (invocation,) = json.loads(capsys.readouterr().out)["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"] == [{"level": "error", "message": {"text": said}}]
    assert cli.main(["check"]) == 2
    assert capsys.readouterr().out.endswith("Found 1 error in 1 file so far; 1 can be fixed with --fix.\n")


def test_ctrl_c_leaves_files_and_baseline_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    folder = project(tmp_path, test_a=AWAITED, test_b=AWAITED)
    before = contents(folder)
    monkeypatch.chdir(folder)
    _interrupt_at(monkeypatch, "test_b.py")
    assert cli.main(["check", "--fix"]) == 2
    assert cli.main(["check", "--baseline", "known.json", "--write-baseline"]) == 2
    assert capsys.readouterr().err.endswith("understudy: known.json was not written\n")
    assert contents(folder) == before


Captured: TypeAlias = pytest.CaptureFixture[str]


def _interrupt_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Ctrl-C when a file's turn comes."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    real = jobs.check_file

    def check_file(project: Project, path: Path) -> jobs.Checked:
        if path.name == name:
            raise KeyboardInterrupt
        return real(project, path)

    monkeypatch.setattr(jobs, "check_file", check_file)


def _read_to_end(master: int) -> bytes:
    """What was written to a pseudo-terminal, after everybody has closed it."""
    said = b""
    try:
        while chunk := os.read(master, 65536):
            said += chunk
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(master)
    return said


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_never_reaches_the_locks_of_futures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """An interrupt between a future's lock and its release leaves the pool waiting for that lock for ever."""
    folder = project(tmp_path, **{f"test_{n}": AWAITED for n in range(9)})
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.chdir(folder)
    real = jobs.wait
    waited = []

    def wait(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        result = real(*arguments)
        waited.append(result)
        return result

    monkeypatch.setattr(jobs, "wait", wait)
    with signals_heard():
        assert cli.main(["check", "--jobs", "2"]) == 2
    assert len(waited) == 1
    assert "interrupted when" in capsys.readouterr().err


def test_ctrl_c_while_answers_are_written() -> None:
    """A process that is killed in the middle of an answer leaves the pool waiting for the rest of it for ever."""
    for _ in range(3):
        workers = Processes(2)
        executor = workers.open(lambda: None)
        answers = [executor.submit(bytes, 20_000_000) for _ in range(20)]
        answers[0].result()
        closing = threading.Thread(
            target=workers.close, kwargs={"at_once": True, "forget": lambda: None}, daemon=True
        )
        closing.start()
        closing.join(60)
        assert not closing.is_alive()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_process_survives_one_that_is_killed(tmp_path: Path) -> None:
    slow = AWAITED + "".join(f"\n\ndef test_{n}():\n    x = MagicMock()\n    x.y()\n" for n in range(4000))
    folder = project(tmp_path, **{f"test_{n}": slow for n in range(40)})
    command = [sys.executable, "-m", "understudy", "check", "--jobs", "2"]
    running = subprocess.Popen(
        command,
        cwd=folder,
        env=environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while _members(running.pid) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    running.kill()
    running.wait()
    while _alive(running.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(running.pid), "a process was left behind"


def _members(group: int) -> int:
    """How many processes a group has (Linux)."""
    count = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            count += int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[2]) == group
    return count


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


# Terminals and pipes


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_progress_on_a_terminal_only(tmp_path: Path, jobs: str) -> None:
    source = AWAITED + "".join(f"\n\ndef test_{n}():\n    x = MagicMock()\n    x.y()\n" for n in range(300))
    folder = project(tmp_path, **{f"test_{n}": source for n in range(40)})
    quiet = check(folder, "--no-cache", "--jobs", jobs)
    assert quiet.err == ""
    master, slave = os.openpty()
    command = [sys.executable, "-m", "understudy", "check", "--output-format", "concise"]
    done = subprocess.run(
        [*command, "--no-cache", "--jobs", jobs],
        cwd=folder,
        env={**environ(), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        check=False,
    )
    os.close(slave)
    shown = _read_to_end(master)
    assert done.stdout == quiet.out
    assert b"\rChecking [=" in shown
    assert re.search(rb"\] \d+ of 40 files, \d+ findings?", shown)
    assert b"\n" not in shown
    assert shown.endswith(b" \r")


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("count", [1, 300])
def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path, count: int) -> None:
    folder = project(tmp_path, **{f"test_{n}": AWAITED for n in range(count)})
    running = subprocess.Popen(
        [sys.executable, "-m", "understudy", "check", "--jobs", "1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait(60) == 2


# understudy rule


def test_rule_prints_the_page() -> None:
    page = registry.all_rules()["US101"].page
    for name in ("US101", "us101", "awaited-sync-mock"):
        ran = run(HERE, "rule", name)
        assert (ran.status, ran.out, ran.err) == (0, page, "")


def test_rule_as_json() -> None:
    ran = run(HERE, "rule", "US101", "--output-format", "json")
    described = json.loads(ran.out)
    assert list(described) == ["code", "name", "severity", "summary", "documentation", "url"]
    assert (described["code"], described["severity"]) == ("US101", "error")
    assert described["documentation"].startswith("# awaited-sync-mock (US101)")


def test_all_rules() -> None:
    ran = run(HERE, "rule", "--all")
    lines = ran.out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [rule.code, rule.name, rule.severity.value] for rule in registry.all_rules().values()
    ]
    assert len({line.index(line.split()[2]) for line in lines}) == 1


@pytest.mark.parametrize(
    ("rule", "near"),
    [
        ("US1O1", "; did you mean 'US101'?"),
        ("awaited-sync-mok", "; did you mean 'awaited-sync-mock'?"),
        ("x", ""),
    ],
)
def test_a_rule_that_there_is_not(rule: str, near: str) -> None:
    ran = run(HERE, "rule", rule)
    assert (ran.status, ran.out, ran.err) == (2, "", f"understudy rule: there is no rule {rule}{near}\n")


def test_rule_needs_one_of_both() -> None:
    for arguments in ([], ["US101", "--all"]):
        ran = run(HERE, "rule", *arguments)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err == "understudy rule: give either a rule's code or --all\n"


# Start


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["check", "--help"]])
def test_nothing_heavy_is_imported_to_say_so(tmp_path: Path, arguments: list[str]) -> None:
    assert _imported(tmp_path, *arguments).isdisjoint(
        {"pygls", "lsprotocol", "jedi", "parso", "sqlalchemy", "rich", "asyncio", "multiprocessing"}
    )


def test_a_check_imports_no_language_server(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED)
    imported = _imported(folder, "check", "--no-cache", "--output-format", "json")
    assert "understudy" in imported
    assert imported.isdisjoint({"pygls", "lsprotocol", "jedi", "sqlalchemy", "asyncio"})
    # The cache is a database.
    assert _imported(folder, "check").isdisjoint({"pygls", "lsprotocol", "jedi"})


def _imported(folder: Path, *arguments: str) -> set[str]:
    """The top-level names of all modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "understudy", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    times = (
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    )
    return {name.partition(".")[0] for name in times}
