"""What may have names, or parts, that no file of the workspace shows: nothing is said to be missing there."""

from __future__ import annotations

from pathlib import Path

import pytest
from understudy.engine import Project
from understudy.project.config import Config

_EXTENDED = {"app/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"}


@pytest.mark.parametrize(
    ("files", "target"),
    [
        (_EXTENDED, "app.sdk.load"),
        ({"app/cloud/storage/__init__.py": ""}, "app.cloud.client.connect"),
        ({"app/__init__.py": "", "app/fast.pyx": "workers = 1\n"}, "app.fast.workers"),
    ],
    ids=["extend_path", "namespace packages", "Cython"],
)
def test_no_part_is_missing(tmp_path: Path, files: dict[str, str], target: str) -> None:
    assert _codes(tmp_path, files, target) == []


def test_of_a_package_with_all_its_parts_one_is(tmp_path: Path) -> None:
    assert _codes(tmp_path, {"app/__init__.py": ""}, "app.sdk.load") == ["US201"]


@pytest.mark.parametrize(("package", "found"), [({}, []), ({"app/cli/__init__.py": ""}, ["US201"])])
def test_a_folder_may_share_its_name_with_a_package(
    tmp_path: Path, package: dict[str, str], found: list[str]
) -> None:
    test = "import app.cli\n\n\ndef test_it(monkeypatch):\n    monkeypatch.setattr(app.cli, 'run', 3)\n"
    _write(tmp_path, {**package, "app/cli/test_it.py": "", "test_cli.py": test})
    project = Project(tmp_path.resolve(), Config())
    findings = project.analyse(tmp_path.resolve() / "test_cli.py").findings
    assert [finding.code for finding in findings] == found


def _codes(root: Path, files: dict[str, str], target: str) -> list[str]:
    test = f'from unittest.mock import patch\n\n\n@patch("{target}")\ndef test_it(double):\n    double()\n'
    _write(root, {**files, "test_it.py": test})
    project = Project(root.resolve(), Config())
    return [finding.code for finding in project.analyse(root.resolve() / "test_it.py").findings]


def _write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def test_what_a_finally_returns_may_be_anything(tmp_path: Path) -> None:
    """A ``return`` that only some ways lead to, around an exception that is raised again."""
    (tmp_path / "app.py").write_text(
        "def handle(runner):\n    answer = None\n    try:\n        runner.authorize()\n"
        "    except KeyError:\n        answer = runner.respond()\n    except Exception as error:\n"
        "        raise error\n    finally:\n        if answer:\n            return answer\n    return 3\n"
    )
    path = tmp_path.resolve() / "test_it.py"
    path.write_text(
        "from unittest.mock import Mock\n\nfrom app import handle\n\n\nclass Refused(Exception): ...\n\n\n"
        "def test_it():\n    runner = Mock()\n    runner.authorize.side_effect = Refused\n    handle(runner)\n"
    )
    assert Project(tmp_path.resolve(), Config()).analyse(path).findings == ()


_FOUND = {
    "server/telemetry.py": "def capture(event): ...\n",
    "server/routers/__init__.py": "",
    "plugin/scripts/telemetry.py": "def send(event): ...\n",
}
_SENT = """
def test_it(monkeypatch):
    import telemetry

    monkeypatch.setattr(telemetry, "send", print)
"""


@pytest.mark.parametrize(
    ("path", "codes"), [("import sys\n\nsys.path.insert(0, FOLDER)\n\n", []), ("", ["US201"])]
)
def test_a_folder_that_only_looks_like_one_of_the_path(tmp_path: Path, path: str, codes: list[str]) -> None:
    """``server`` has a package in it, and may be one; the test says which folder it means."""
    name = "plugin/tests/test_it.py"
    _write(tmp_path, {**_FOUND, name: f"{path}{_SENT}"})
    project = Project(tmp_path.resolve(), Config())
    assert [finding.code for finding in project.analyse(tmp_path.resolve() / name).findings] == codes


@pytest.mark.parametrize(("mode", "codes"), [('asyncio_mode = "auto"\n', []), ("", ["US503"])])
def test_a_package_with_settings_of_its_own(tmp_path: Path, mode: str, codes: list[str]) -> None:
    name, table = "a/sub/tests/test_it.py", "[tool.pytest.ini_options]\n"
    needed = '[project]\nname = "x"\noptional-dependencies = {test = ["pytest", "pytest-asyncio"]}\n'
    _write(
        tmp_path,
        {
            "pyproject.toml": f"{needed}{table}",
            "a/sub/pyproject.toml": f"{table}{mode}",
            name: "async def test_it():\n    assert 1\n",
        },
    )
    project = Project(tmp_path.resolve(), Config())
    assert [finding.code for finding in project.analyse(tmp_path.resolve() / name).findings] == codes
