"""The second tier: jedi's answers, and that nothing that goes wrong with it can be noticed."""

from __future__ import annotations

import ast
import io
import json
import os
import py_compile
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from understudy import check
from understudy.engine import Analysis, Project
from understudy.finding import Finding
from understudy.infer import tier2
from understudy.infer.entities import ClassEntity
from understudy.infer.tier2 import Deferred, Definition, Tier2
from understudy.project import config
from understudy.rules import registry
from understudy.rules.base import Context, Rule
from understudy.source.span import Span

FAKE = Path(__file__).with_name("tier2_worker.py")
REAL_CLASS = (Definition("m.C", "class", Path("/m.py"), 1, 6, True),)

CLIENTS = """\
import sys


class Client:
    async def fetch(self):
        return 1

    def close(self):
        return None


class Other:
    pass


if sys.platform == "nowhere":
    Conditional = Client
else:
    Conditional = Client

First, Second = Client, Other
made = Client()


def load(flag):
    return getattr(sys.modules[__name__], "Client")


def pick(flag):
    if flag:
        return Client
    return load(flag)


def declared(flag) -> type[Client]:
    return load(flag)


def fall_through(flag):
    if flag:
        return Client


REGISTRY = {"client": Client}
Partly, _ = pick(1), 0
Declared, _ = declared(1), 0
Sometimes, _ = fall_through(1), 0
Registered, _ = REGISTRY["client"], 0
if sys.platform == "nowhere":
    from not_installed import Client as Alternative
else:
    Alternative = Client
if sys.platform == "nowhere":
    Either = Client
else:
    Either = Other


async def helper():
    return 1


Helper, _ = helper, 0
"""

TESTS = """\
import asyncio
from unittest.mock import MagicMock, create_autospec, patch

import clients
from clients import Conditional, First, Helper


def test_conditional():
    async def use():
        client = MagicMock(spec=Conditional)
        await client.close()

    asyncio.run(use())


async def test_spec():
    client = MagicMock(spec=clients.First)
    await client.close()


async def test_spec_set():
    client = MagicMock(spec_set=First)
    await client.close()


async def test_autospec():
    client = create_autospec(First, instance=True)
    await client.close()


async def test_function():
    helper = MagicMock(spec=Helper)
    helper().bit_length()


async def test_fine():
    client = MagicMock(spec=Conditional)
    await client.fetch()
    client.close()


async def test_tier1():
    client = MagicMock()
    await client.close()
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def fake(how: str, log: Path) -> list[str]:
    return [sys.executable, str(FAKE), how, str(log)]


def noted(log: Path) -> list[str]:
    return log.read_text("ascii").split() if log.exists() else []


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- the client ------------------------------------------------------------------------------------------


def test_nothing_starts_before_the_first_question(log: Path) -> None:
    with Tier2(command=fake("good", log)) as asked:
        assert asked.started == 0
        assert noted(log) == []
        assert asked.names(Path("/t.py"), "C", 0, 1) == REAL_CLASS
        assert asked.started == 1


def test_answers_are_kept_by_text_place_and_state_of_the_other_files(log: Path) -> None:
    with Tier2(command=fake("good", log)) as asked:
        for _ in range(3):
            assert asked.names(Path("/t.py"), "C", 0, 1) == REAL_CLASS
        assert noted(log).count("ask") == 1
        asked.names(Path("/t.py"), "C", 0, 0)
        asked.names(Path("/t.py"), "C ", 0, 1)
        asked.names(Path("/u.py"), "C", 0, 1)
        asked.names(Path("/t.py"), "C", 0, 1, generation=1)
        assert noted(log).count("ask") == 5
        assert noted(log).count("start") == 1


@pytest.mark.parametrize(
    "how",
    ["slow", "crash", "garbage", "other shape", "a list", "other id", "endless line", "dead", "never ready"],
)
def test_whatever_goes_wrong_is_no_answer(how: str, log: Path) -> None:
    clock = Clock()
    with Tier2(
        command=fake(how, log), deadline=0.2, start_deadline=5 if how != "never ready" else 0.2, clock=clock
    ) as asked:
        assert asked.names(Path("/t.py"), "a", 0, 1) is None
        process = asked._worker
        assert process is None
        assert not asked.disabled
        clock.now += 60
        assert asked.names(Path("/t.py"), "b", 0, 1) is None
        assert asked.started == 2


def test_a_question_that_was_not_answered_is_not_asked_again(log: Path) -> None:
    clock = Clock()
    with Tier2(command=fake("slow on b", log), deadline=0.2, start_deadline=30, clock=clock) as asked:
        assert asked.names(Path("/t.py"), "b", 0, 1) is None
        clock.now += 60
        assert asked.names(Path("/t.py"), "b", 0, 1) is None
        assert noted(log) == ["start", "ask"]
        asked.deadline = 30
        assert asked.names(Path("/t.py"), "a", 0, 1) == REAL_CLASS
        assert noted(log) == ["start", "ask", "start", "ask"]


def test_an_error_of_jedi_is_no_failure_of_the_process(log: Path) -> None:
    with Tier2(command=fake("error", log)) as asked:
        for column in range(10):
            assert asked.names(Path("/t.py"), "a", 0, column) is None
        assert asked.started == 1


def test_back_off_does_not_block(log: Path) -> None:
    clock = Clock()
    with Tier2(command=fake("crash", log), clock=clock) as asked:
        asked.names(Path("/t.py"), "a", 0, 0)
        asked.names(Path("/t.py"), "a", 0, 1)
        assert asked.started == 1
        clock.now += 0.3
        asked.names(Path("/t.py"), "a", 0, 1)
        assert asked.started == 2
        clock.now += 0.3
        asked.names(Path("/t.py"), "a", 0, 2)
        assert asked.started == 2


def test_five_restarts_an_hour_then_off_with_one_message(log: Path) -> None:
    clock = Clock()
    said: list[str] = []
    with Tier2(command=fake("crash", log), clock=clock, on_disabled=said.append) as asked:
        for column in range(20):
            clock.now += 60
            assert asked.names(Path("/t.py"), "a", 0, column) is None
        assert asked.started == 1 + tier2.RESTARTS
        assert asked.disabled
        assert len(said) == 1
        assert "jedi" in said[0]


def test_restarts_are_counted_by_the_hour(log: Path) -> None:
    clock = Clock()
    with Tier2(command=fake("crash", log), clock=clock) as asked:
        for column in range(10):
            clock.now += 1000
            asked.names(Path("/t.py"), "a", 0, column)
        assert asked.started == 10
        assert not asked.disabled


def test_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    clock = Clock()
    said: list[str] = []
    with Tier2(command=[str(tmp_path / "nothing")], clock=clock, on_disabled=said.append) as asked:
        for column in range(20):
            clock.now += 60
            assert asked.names(Path("/t.py"), "a", 0, column) is None
        assert len(said) == 1


def test_a_process_that_outgrew_the_cap_is_replaced(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier2, "_YOUNG", 1)
    with Tier2(command=fake("fat", log)) as asked:
        for column in range(8):
            assert asked.names(Path("/t.py"), "a", 0, column) == REAL_CLASS
        assert asked.started == 8
        assert not asked.disabled


def test_one_that_outgrows_it_at_once_counts_as_a_failure(log: Path) -> None:
    clock = Clock()
    with Tier2(command=fake("fat", log), clock=clock) as asked:
        for column in range(20):
            clock.now += 60
            asked.names(Path("/t.py"), "a", 0, column)
        assert asked.disabled


def test_close_ends_the_process_and_the_question_under_way(log: Path) -> None:
    asked = Tier2(command=fake("slow", log), deadline=600)
    given: list[object] = ["nothing yet"]
    thread = threading.Thread(target=lambda: given.append(asked.names(Path("/t.py"), "a", 0, 0)))
    thread.start()
    while "ask" not in noted(log):
        assert thread.is_alive()
        thread.join(0.01)
    worker = asked._worker
    assert worker is not None
    asked.close()
    thread.join(60)
    assert given[-1] is None
    assert worker._process.poll() is not None
    assert asked.names(Path("/t.py"), "b", 0, 0) is None
    assert asked.started == 1
    asked.close()


def test_many_threads_one_process(log: Path) -> None:
    given: list[object] = []
    with Tier2(command=fake("good", log)) as asked:
        threads = [
            threading.Thread(target=lambda c=column: given.append(asked.names(Path("/t.py"), "a", 0, c)))
            for column in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert given == [REAL_CLASS] * 16
        assert asked.started == 1


def test_no_module_of_ours_imports_jedi() -> None:
    modules = "understudy.check, understudy.infer.tier2, understudy.infer.jedi_worker"
    code = f"import sys, {modules}; print('jedi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# --- the worker ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Iterator[Tier2]:
    with Tier2(deadline=60, start_deadline=120) as asked:
        yield asked


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[tool.understudy]\n", "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", "ascii")
    (folder / "clients.py").write_text(CLIENTS, "utf-8")
    (folder / "test_clients.py").write_text(TESTS, "utf-8")
    return folder


def ask(asked: Tier2, root: Path, expression: str) -> tuple[Definition, ...] | None:
    text = f"import clients\n{expression}\n"
    return asked.names(root / "t.py", text, 1, len(expression), root=root, search_path=(root,))


@pytest.mark.parametrize("expression", ["clients.Conditional", "clients.First", "type(clients.made)"])
def test_a_class_behind_a_dynamic_path(expression: str, real: Tier2, root: Path) -> None:
    assert ask(real, root, expression) == (
        Definition("clients.Client", "class", root / "clients.py", 4, 6, True),
    )


@pytest.mark.parametrize("name", ["Partly", "Declared", "Sometimes", "Registered", "Alternative"])
def test_what_jedi_only_guesses_is_not_certain(name: str, real: Tier2, root: Path) -> None:
    found = ask(real, root, f"clients.{name}")
    assert found is not None
    assert [definition.full_name for definition in found] == ["clients.Client"]
    assert not found[0].certain


def test_two_answers_are_both_given(real: Tier2, root: Path) -> None:
    found = ask(real, root, "clients.Either")
    assert found is not None
    assert {definition.full_name for definition in found} == {"clients.Client", "clients.Other"}


def test_a_cache_that_another_process_is_writing_is_no_obstacle(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Tier2(deadline=60, start_deadline=120) as asked:
        before = ask(asked, root, "clients.First")
    kept = list((tmp_path / "cache").rglob("*.pkl"))
    assert before is not None
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    with Tier2(deadline=60, start_deadline=120) as asked:
        assert ask(asked, root, "clients.First") == before


def test_what_is_no_question_gets_an_error_and_no_more(real: Tier2, root: Path) -> None:
    assert real.names(root / "t.py", "x\n", 70, 3, root=root) is None
    assert ask(real, root, "clients.First") is not None


def test_standard_output_carries_answers_only(root: Path) -> None:
    """Whatever prints, here a module that jedi itself uses, cannot reach the pipe."""
    start = (
        "import sys, os, json; from understudy.infer import jedi_worker as worker\n"
        "answer = worker._Oracle.answer\n"
        "def noisy(self, question):\n"
        "    print('noise'); os.write(1, b'more noise\\n'); sys.stdout.flush()\n"
        "    return answer(self, question)\n"
        "worker._Oracle.answer = noisy\n"
        "worker.main()"
    )
    question = {"id": 7, "path": str(root / "t.py"), "text": "int\n", "row": 0, "column": 3, "what": "infer"}
    process = subprocess.Popen([sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(question).encode() + b"\n")
    process.stdin.flush()
    lines = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.stdin.close()
    assert process.wait(60) == 0
    assert process.stdout.read() == b""
    process.stdout.close()
    assert lines[0]["ready"] is True
    assert lines[1]["id"] == 7
    assert lines[1]["names"][0]["full_name"] == "builtins.int"
    assert lines[1]["rss"] > 0


def test_the_worker_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom understudy.infer.tier2 import Tier2\n"
        "asked = Tier2(start_deadline=120)\nasked.names(Path('/t.py'), 'int', 0, 3)\n"
        "print(asked._worker._process.pid, flush=True)\ntime.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    os.kill(worker, 0)
    process.kill()
    process.wait()
    process.stdout.close()
    for _ in range(600):
        if not _alive(worker):
            return
        threading.Event().wait(0.05)
    pytest.fail("the worker lives on")


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform == "win32", reason="the traps are shell scripts")
def test_nothing_of_the_workspace_is_executed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = root / "was-run"
    trap = f"#!/bin/sh\necho run >> '{marker}'\nexec '{sys.executable}' \"$@\"\n"
    for folder in (".venv", "venv"):
        binaries = root / folder / "bin"
        binaries.mkdir(parents=True)
        for name in ("python", "python3", f"python3.{sys.version_info.minor}"):
            (binaries / name).write_text(trap, "ascii")
            (binaries / name).chmod(0o755)
        (root / folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.1\n", "ascii")
        (root / folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (root / ".jedi").mkdir()
    settings = {"path": str(root), "environment_path": str(root / ".venv"), "load_unsafe_extensions": True}
    (root / ".jedi" / "project.json").write_text(json.dumps([1, settings]), "ascii")
    python = f"open({str(marker)!r}, 'a').write(__name__)\n"
    for module in ("gi", "zlib", "json", "jedi", "parso", "understudy", "sitecustomize", "usercustomize"):
        (root / f"{module}.py").write_text(python, "ascii")
    py_compile.compile(str(root / "gi.py"), str(root / "sourceless.pyc"))
    (root / "clients.py").write_text(python + CLIENTS, "utf-8")
    (root / "extension.cpython-311-x86_64-linux-gnu.so").write_bytes(b"")
    monkeypatch.chdir(root)
    monkeypatch.setenv("VIRTUAL_ENV", str(root / ".venv"))
    monkeypatch.setenv("CONDA_PREFIX", str(root / "venv"))
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.setenv("PATH", f"{root / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with Tier2(deadline=60, start_deadline=120) as asked:
        found = ask(asked, root, "clients.First")
        assert found is not None
        assert found[0].full_name == "clients.Client"
        for module in ("gi", "zlib", "json", "extension", "sourceless"):
            asked.names(
                root / "t.py",
                f"import {module}\n{module}.x\n",
                1,
                len(module) + 2,
                root=root,
                search_path=(root,),
            )
        assert analyse(root, asked).findings
        assert not asked.disabled
    assert not marker.exists()


# --- from the answer to a finding ------------------------------------------------------------------------


def project(root: Path, asked: Tier2 | None) -> Project:
    return Project(root, config.load(root, registry.names()).config, asked)


def analyse(root: Path, asked: Tier2 | None) -> Analysis:
    return project(root, asked).analyse(root / "test_clients.py")


def places(analysis: Analysis) -> set[tuple[str, str]]:
    """Code and test function of each finding."""
    tree = ast.parse(TESTS)
    found = set()
    for finding in analysis.findings:
        for node in tree.body:
            if node.lineno - 1 <= finding.span.row < (node.end_lineno or 0):
                assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                found.add((finding.code, node.name))
    return found


def test_findings_that_need_the_second_tier_and_what_the_runtime_says(real: Tier2, root: Path) -> None:
    alone = analyse(root, None)
    assert places(alone) == {("US101", "test_tier1")}
    assert len(alone.questions) == 6
    both = analyse(root, real)
    assert set(alone.findings) < set(both.findings)
    assert places(both) == {
        ("US101", "test_conditional"),
        ("US101", "test_spec"),
        ("US101", "test_spec_set"),
        ("US101", "test_autospec"),
        ("US102", "test_function"),
        ("US101", "test_tier1"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "test_clients.py"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    outcome = {
        line.split("::")[1].split()[0]: line.split()[0]
        for line in done.stdout.splitlines()
        if "::test_" in line and line[0] in "PF"
    }
    assert outcome == {
        name: "FAILED" if any(name == found for _, found in places(both)) else "PASSED" for name in _tests()
    }


def _tests() -> list[str]:
    return [n.name for n in ast.parse(TESTS).body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]


@pytest.mark.parametrize(
    "how", ["slow", "crash", "garbage", "other shape", "other id", "error", "dead", "never ready"]
)
def test_it_only_adds(how: str, log: Path, root: Path) -> None:
    alone = analyse(root, None)
    with Tier2(
        command=fake(how, log), deadline=0.2, start_deadline=5 if how != "never ready" else 0.2
    ) as asked:
        assert analyse(root, asked) == alone
    assert noted(log)


def test_what_the_first_tier_found_stays(root: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_each(rule: Rule, context: Context) -> Iterator[Finding]:
        assert context.tier2 is not None
        answer = context.tier2.names(context.path, "C", 0, 1)
        yield rule.finding(context.path, Span.at(0 if answer is None else 1, 0), "")
        yield rule.finding(context.path, Span.at(2, 0), "by the first" if answer is None else "by the second")

    rule = replace(registry.all_rules()["US101"], check=one_each)
    monkeypatch.setattr(registry, "all_rules", lambda: {"US101": rule})
    with Tier2(command=fake("good", log)) as asked:
        found = analyse(root, asked).findings
    assert [(finding.span.row, finding.message) for finding in found] == [
        (0, ""),
        (2, "by the first"),
        (1, ""),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "def test_it(cls=clients.First):\n    MagicMock(spec=cls)",
        "def test_it():\n    def make(cls):\n        return MagicMock(spec=cls.kind)\n    make(unknown())",
        "def test_it():\n    f = lambda cls: MagicMock(spec=cls)\n    f(unknown())",
        "def test_it():\n    with patch('clients.First', unknown()):\n        MagicMock(spec=clients.First)",
        "def test_it():\n    with patch('clients.Other', 1):\n        MagicMock(spec=type(clients.made))",
    ],
)
def test_what_is_not_in_the_text_is_not_asked(body: str, root: Path) -> None:
    source = f"from unittest.mock import MagicMock, patch\nimport clients\n\n\n{body}\n"
    (root / "test_clients.py").write_text(source, "utf-8")
    assert analyse(root, None).questions == ()


def test_only_certain_single_classes_become_entities(real: Tier2, root: Path) -> None:
    workspace = project(root, None).workspace
    names = [
        "Conditional",
        "Helper",
        "Partly",
        "Declared",
        "Sometimes",
        "Registered",
        "Alternative",
        "Either",
        "made",
    ]
    source = "import clients\n" + "".join(f"clients.{name}\n" for name in names)
    (root / "test_clients.py").write_text(source, "utf-8")
    units = workspace.parsed(root / "test_clients.py").units[1:]
    found = [tier2.entity_at(real, workspace, unit, unit.node.value) for unit in units]  # type: ignore[attr-defined]
    assert [repr(entity) for entity in found] == [
        "<class clients.Client>",
        "<function clients.helper>",
        *["None"] * 7,
    ]


def test_a_nested_class_keeps_its_qualified_name(real: Tier2, root: Path) -> None:
    (root / "clients.py").write_text(
        "class Outer:\n    class Inner:\n        pass\n\n\nFound, _ = Outer.Inner, 0\n"
    )
    (root / "test_clients.py").write_text("import clients\nclients.Found\n", "utf-8")
    workspace = project(root, None).workspace
    unit = workspace.parsed(root / "test_clients.py").units[1]
    entity = tier2.entity_at(real, workspace, unit, unit.node.value)  # type: ignore[attr-defined]
    assert isinstance(entity, ClassEntity)
    assert entity.qualname == "Outer.Inner"
    assert entity.path == root / "clients.py"


def test_an_edit_of_another_file_is_a_new_question(real: Tier2, root: Path) -> None:
    made = project(root, real)
    test = root / "test_clients.py"
    before = places(made.analyse(test))
    assert len(before) == 6
    later = CLIENTS.replace("Conditional = Client", "Conditional = Other").replace(
        "= helper, 0", "= Client, 0"
    )
    (root / "clients.py").write_text(later, "utf-8")
    made.workspace.changed_on_disk(root / "clients.py")
    gone = {("US101", "test_conditional"), ("US102", "test_function")}
    # ``Other`` has neither ``fetch`` nor ``close``.
    lacking = {("US403", "test_conditional"), ("US403", "test_fine")}
    assert places(made.analyse(test)) == (before - gone) | lacking


def test_deferred_notes_and_does_not_answer() -> None:
    deferred = Deferred()
    assert deferred.names(Path("/t.py"), "a", 3, 4) is None
    assert [(q.path, q.row, q.column) for q in deferred.questions] == [(Path("/t.py"), 3, 4)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_check_uses_one_and_closes_it(jobs: int, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Tier2] = []

    class Noted(Tier2):
        def __init__(self, **options: object) -> None:
            super().__init__(**{**options, "deadline": 60, "start_deadline": 120})  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(check, "Tier2", Noted)
    monkeypatch.chdir(root)
    out = io.StringIO()
    options = check.Options((root,), output_format="json", jobs=jobs)
    assert check.run(options, out, io.StringIO()) == check.FOUND
    assert len(json.loads(out.getvalue())) == 6
    (asked,) = made
    assert asked.started == 1
    assert asked._worker is None
    assert asked.disabled


def test_check_says_once_that_jedi_is_given_up(
    root: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    def ticking() -> float:
        clock.now += 60
        return clock.now

    class Broken(Tier2):
        def __init__(self, **options: object) -> None:
            super().__init__(**{**options, "command": fake("crash", log), "clock": ticking})  # type: ignore[arg-type]

    monkeypatch.setattr(check, "Tier2", Broken)
    monkeypatch.chdir(root)
    out, err = io.StringIO(), io.StringIO()
    assert check.run(check.Options((root,), output_format="json"), out, err) == check.FOUND
    assert len(json.loads(out.getvalue())) == 1
    assert err.getvalue().count("jedi") == 1
