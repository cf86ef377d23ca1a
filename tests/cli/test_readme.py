"""What the README says is so."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from cli_run import check, project, run
from readme_rules import README, table
from understudy.project.config import Config

ROOT = README.parent
TEXT = README.read_text("utf-8")
if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BACKEND = ROOT / "tests" / "projects" / "governance"


def test_the_list_of_rules_is_that_of_the_command() -> None:
    listed = re.findall(r"^\| (US\d+) \| (\S+) \| (\w+) \| (.*) \|$", TEXT, re.MULTILINE)
    printed = [line.split(maxsplit=3) for line in run(ROOT, "rule", "--all").out.splitlines()]
    assert [list(row) for row in listed] == printed
    assert table() in TEXT, "run `python tests/cli/readme_rules.py`"


def test_the_changelog_names_every_rule() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    named = set(re.findall(r"US\d{3}", changes))
    for first, last in re.findall(r"US(\d{3}) to US(\d{3})", changes):
        named |= {f"US{number}" for number in range(int(first), int(last) + 1)}
    missing = [line[:5] for line in run(ROOT, "rule", "--all").out.splitlines() if line[:5] not in named]
    assert missing == []


def test_the_excerpt_is_what_the_command_prints() -> None:
    match = re.search(r"<!-- excerpt: (\S+) -->\n```text\n(.*?)```\n", TEXT, re.DOTALL)
    assert match is not None
    assert match[2] in run(BACKEND, "check", match[1]).out


def test_all_keys_are_listed_and_the_example_has_no_mistake(tmp_path: Path) -> None:
    keys = re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE)
    assert keys == [field.name.replace("_", "-") for field in fields(Config)]
    match = re.search(r"```toml\n(\[tool\.understudy\].*?)```", TEXT, re.DOTALL)
    assert match is not None
    ran = check(project(tmp_path, match[1], test_a="x = 1\n"), ".")
    assert (ran.status, ran.err) == (0, "")


def test_the_options_that_are_named_exist() -> None:
    known = run(ROOT, "check", "--help").out
    for option in set(re.findall(r"`?(--[a-z][a-z-]+)", TEXT)) - {"--all"}:
        assert option in known, option


def test_the_commands_for_developers_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert phony is not None
    targets = set(phony[1].replace("\\", " ").split())
    _, _, develop = TEXT.partition("\n## Develop\n")
    assert set(re.findall(r"`make ([a-z0-9-]+)`", develop)) == targets


def test_the_workflows_are_yaml_and_their_commands_run(tmp_path: Path) -> None:
    project(tmp_path, test_a="x = 1\n")
    blocks = re.findall(r"```yaml\n(# \.github/workflows/.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        (job,) = yaml.safe_load(block)["jobs"].values()
        (command,) = (step["run"] for step in job["steps"] if step.get("run", "").startswith("understudy"))
        words = command.partition(" > ")[0].split()[1:]
        assert run(tmp_path, *words).status == 0


def test_the_hooks_of_pre_commit_are_commands(tmp_path: Path) -> None:
    project(tmp_path, test_a="x = 1\n")
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert [hook["id"] for hook in hooks] == ["understudy", "understudy-fix"]
    for hook in hooks:
        program, *words = hook["entry"].split()
        assert (program, run(tmp_path, *words).status) == ("understudy", 0)


def test_the_example_for_helix_is_toml() -> None:
    editors = (ROOT / "editors" / "README.md").read_text("utf-8")
    match = re.search(r"```toml\n# languages.toml\n(\[language-server.*?)```", editors, re.DOTALL)
    assert match is not None
    assert tomllib.loads(match[1])["language-server"]["understudy"]["args"] == ["server"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text("utf-8")):
        assert (ROOT / target).exists(), target
