"""The list of rules in the README. ``python tests/cli/readme_rules.py`` brings it up to date."""

from __future__ import annotations

from pathlib import Path

from understudy.rules import registry

README = Path(__file__).parents[2] / "README.md"
START, END = "<!-- rules -->\n", "<!-- /rules -->\n"


def table() -> str:
    rows = [
        f"| {rule.code} | {rule.name} | {rule.severity.value} | {rule.summary} |"
        for rule in registry.all_rules().values()
    ]
    return "\n".join(["| code | name | severity | finds |", "| --- | --- | --- | --- |", *rows]) + "\n"


def main() -> None:
    before, _, rest = README.read_text("utf-8").partition(START)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{START}{table()}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
