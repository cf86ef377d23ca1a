"""A check of files that did not change: what it does without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from understudy.rules import registry

_CHECK = """
import sys
from understudy.cli import main
status = main(["check", "--output-format", "concise", "--jobs", "1"])
print(status, *sorted({"sqlalchemy", "understudy.rules.base", "understudy.doubles.core"} & sys.modules.keys()))
"""


def test_codes_and_names_are_those_of_the_files() -> None:
    assert registry.names() == {code: rule.name for code, rule in registry.all_rules().items()}


def test_neither_sqlalchemy_nor_a_rule_is_imported(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.understudy]\n")
    (tmp_path / "test_it.py").write_text(
        "from unittest.mock import Mock\n\n\ndef test_it():\n    Mock().assert_called_onec()\n"
    )
    first, second = _checked(tmp_path), _checked(tmp_path)
    assert "US401" in first
    assert first.splitlines()[-1] == "1 sqlalchemy understudy.doubles.core understudy.rules.base"
    assert second.splitlines() == [*first.splitlines()[:-1], "1"]


def _checked(folder: Path) -> str:
    cache = {"XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", _CHECK],
        cwd=folder,
        env={**os.environ, **cache},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout
