"""What the editors' files say must be what the project is; nothing of it needs an editor."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from understudy import __version__
from understudy.project import config

ROOT = Path(__file__).parents[2]
VSCODE = ROOT / "editors" / "vscode"
MANIFEST = json.loads((VSCODE / "package.json").read_text("utf-8"))
SETTINGS = MANIFEST["contributes"]["configuration"]["properties"]
LOCKS = (VSCODE / "package-lock.json", ROOT / "tests" / "editors" / "vscode" / "package-lock.json")


def test_the_extension_has_the_version_of_the_server() -> None:
    assert MANIFEST["version"] == __version__


def test_the_configuration_setting_has_exactly_the_keys_of_the_configuration_file(tmp_path: Path) -> None:
    offered = SETTINGS["understudy.configuration"]["properties"]
    accepted = config._Reader(None, "", "", {}, tmp_path)._readers
    assert set(offered) == set(accepted)


def test_every_setting_is_described_in_the_manifest_and_in_the_readme() -> None:
    readme = (VSCODE / "README.md").read_text("utf-8")
    for name, setting in SETTINGS.items():
        assert setting.get("description") or setting.get("markdownDescription"), name
        assert f"| `{name}` |" in readme, name


def test_every_command_of_the_manifest_is_registered() -> None:
    source = (VSCODE / "src" / "extension.ts").read_text("utf-8")
    registered = {f"understudy.{name}" for name in re.findall(r"this\.command\('(\w+)'", source)}
    assert registered == {command["command"] for command in MANIFEST["contributes"]["commands"]}


def test_what_starts_a_program_is_restricted_in_untrusted_workspaces() -> None:
    limits = MANIFEST["capabilities"]["untrustedWorkspaces"]
    assert limits["supported"] == "limited"
    assert {"understudy.interpreter", "understudy.path", "understudy.args"} <= set(
        limits["restrictedConfigurations"]
    )
    assert set(limits["restrictedConfigurations"]) <= set(SETTINGS)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.parent.name)
def test_lock_files_name_no_registry(lock: Path) -> None:
    packages = json.loads(lock.read_text("utf-8"))["packages"]
    assert len(packages) > 10
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all("integrity" in package for name, package in packages.items() if name)


def test_pictures_are_there_and_small() -> None:
    named = set(
        re.findall(r"images/(\w+\.png)", (VSCODE / "README.md").read_text("utf-8") + json.dumps(MANIFEST))
    )
    assert len(named) >= 4
    for name in named:
        picture = (VSCODE / "images" / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 200_000
