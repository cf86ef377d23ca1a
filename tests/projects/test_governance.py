"""The example backend `governance` fails as its manifest says, and nowhere else.

Each test file of the backend runs in a pytest process of its own, on a copy of the sources.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pages import harness

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
BACKEND = HERE / "governance"
TEST_FILES = sorted(path.relative_to(BACKEND).as_posix() for path in BACKEND.glob("tests/*/test_*.py"))

with (HERE / "governance.toml").open("rb") as _stream:
    MANIFEST: dict[str, list[dict[str, Any]]] = tomllib.load(_stream)


@dataclass(frozen=True)
class Outcome:
    """What became of one test, and what pytest printed about it."""

    status: str
    exception: str = ""
    message: str = ""


@dataclass(frozen=True)
class Expected:
    """What the manifest says about one test that does not pass."""

    status: str
    exception: str
    message: str

    def fits(self, outcome: Outcome) -> bool:
        return (
            outcome.status == self.status
            and outcome.exception == self.exception
            and self.message in outcome.message
        )


def nodes_of(entry: dict[str, Any]) -> list[str]:
    """The node ids of an entry, which names one or several."""
    single = entry.get("test")
    return [single] if single is not None else list(entry["tests"])


def expected_failures() -> dict[str, Expected]:
    """The tests that must not pass, by node id."""
    expected: dict[str, Expected] = {}
    for entry in MANIFEST["planted"]:
        if entry["outcome"] == "passes":
            continue
        for test in nodes_of(entry):
            assert test not in expected, f"{test} is named twice"
            expected[test] = Expected(entry["outcome"], entry["exception"], entry["message"])
    return expected


def clean_environment() -> dict[str, str]:
    """The environment, without what would make the inner pytest differ from one run to the next."""
    foreign = ("PYTEST_", "COV_", "COVERAGE_", "GOVERNANCE_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    environment.pop("PYTHONPATH", None)
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment


def exception_of(message: str, text: str) -> str:
    """The name of the exception of a failure, without its module."""
    if "fixture '" in text and "' not found" in text and "available fixtures:" in text:
        return "FixtureLookupError"
    head = message.removeprefix('failed on setup with "').partition(":")[0]
    return head.strip().rpartition(".")[2]


def read_report(report: Path, test_file: str) -> Iterator[tuple[str, Outcome]]:
    """The outcomes in a JUnit report, by node id."""
    module = test_file.removesuffix(".py").replace("/", ".")
    for case in ElementTree.parse(report).iter("testcase"):
        classes = case.get("classname", "").removeprefix(module).strip(".")
        node = "::".join(part for part in (test_file, *classes.split("."), case.get("name", "")) if part)
        outcome = Outcome("passed")
        for tag, status in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
            element = case.find(tag)
            if element is not None:
                message, text = element.get("message", ""), element.text or ""
                outcome = Outcome(status, exception_of(message, text), f"{message}\n{text}")
        yield node, outcome


def copy_backend(folder: Path) -> Path:
    """The sources of the backend in a folder that may be written to."""
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    return Path(shutil.copytree(BACKEND, folder / "governance", ignore=ignored))


def run_files(project: Path, folder: Path) -> dict[str, Outcome]:
    """The outcomes of all test files."""
    results = {file: folder / f"result-{number}" for number, file in enumerate(TEST_FILES)}
    common = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    jobs = [
        {
            "folder": str(project),
            "arguments": [*common, f"--junitxml={result}.xml", file],
            "result": str(result),
        }
        for file, result in results.items()
    ]
    request = folder / "jobs.json"
    request.write_text(json.dumps({"jobs": jobs, "parallel": 2}), "utf-8")
    command = [sys.executable, "-I", "-B", str(harness.RUNNER), str(request)]
    subprocess.run(command, env=clean_environment(), timeout=600, check=True)
    outcomes: dict[str, Outcome] = {}
    for file, result in results.items():
        finished = Path(f"{result}.outcome.json")
        log = Path(f"{result}.log").read_text("utf-8", "replace")
        assert finished.exists(), f"{file}: {log}"
        assert json.loads(finished.read_text("utf-8"))["code"] in (0, 1), f"{file}: {log}"
        outcomes.update(read_report(Path(f"{result}.xml"), file))
    return outcomes


def test_outcomes_are_those_of_the_manifest(tmp_path: Path) -> None:
    outcomes = run_files(copy_backend(tmp_path), tmp_path)
    expected = expected_failures()
    wrong: list[str] = [f"{test} does not exist" for test in expected if test not in outcomes]
    for test, outcome in outcomes.items():
        if test not in expected:
            if outcome.status != "passed":
                wrong.append(f"{test} should pass: {outcome}")
        elif not expected[test].fits(outcome):
            wrong.append(f"{test} should be {expected[test]}: {outcome}")
    functions = {test.partition("[")[0] for test in outcomes}
    for entry in [*MANIFEST["planted"], *MANIFEST["near_miss"]]:
        wrong.extend(f"{test} does not exist" for test in nodes_of(entry) if test not in functions)
    assert not wrong, "\n".join(wrong)

    passed = sum(outcome.status == "passed" for outcome in outcomes.values())
    assert len(functions) >= 45
    assert passed > len(outcomes) / 2


@pytest.mark.parametrize("kind", ["planted", "near_miss"])
def test_fragments_are_on_one_line_of_their_file(kind: str) -> None:
    wrong: list[str] = []
    for entry in MANIFEST[kind]:
        lines = (BACKEND / entry["file"]).read_text(encoding="utf-8").splitlines()
        hits = sum(entry["line_contains"] in line for line in lines)
        if hits != 1:
            wrong.append(f"{entry['file']}: {entry['line_contains']!r} is on {hits} lines")
    assert not wrong, "\n".join(wrong)


def test_near_misses_are_not_planted() -> None:
    planted = {(entry["file"], entry["line_contains"]) for entry in MANIFEST["planted"]}
    failing = expected_failures()
    for entry in MANIFEST["near_miss"]:
        assert (entry["file"], entry["line_contains"]) not in planted
        assert entry["test"] not in failing


def test_what_passes_for_nothing_is_shown_elsewhere() -> None:
    """A fault whose test passes is proven by a failing one of the same kind, or by what it leaves behind."""
    planted = MANIFEST["planted"]
    for entry in (entry for entry in planted if entry["outcome"] == "passes"):
        if "leaks" in entry:
            continue
        witnesses = [other for other in planted if entry["shown_by"] in nodes_of(other)]
        assert [witness["code"] for witness in witnesses] == [entry["code"]], entry
        assert witnesses[0]["outcome"] == "failed"


LEAK_PROBE = """
import sys
import pytest

pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:randomly", sys.argv[1]])
print("left behind:", type(sys.modules[sys.argv[2]]).__name__)
"""


@pytest.mark.parametrize(
    "entry",
    [entry for entry in MANIFEST["planted"] if "leaks" in entry],
    ids=lambda entry: str(entry["leaks"]),
)
def test_stubs_that_are_never_restored_stay(entry: dict[str, Any], tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", LEAK_PROBE, entry["file"], entry["leaks"]],
        cwd=copy_backend(tmp_path),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert finished.stdout.splitlines()[-1] == "left behind: MagicMock"
