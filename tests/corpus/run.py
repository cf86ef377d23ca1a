"""``make corpus``: check real packages, count what is found, and compare the errors with what people have read.

``python tests/corpus/run.py [PACKAGE…]``: all of ``tests/corpus.toml``, or the named ones. Archives, files and the
findings of the last run are kept in ``.corpus/``; ``tests/corpus/RESULTS.md`` is written when all were checked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from understudy.project.config import Config  # noqa: E402
from understudy.project.discover import discover  # noqa: E402

from corpus import sources, triage  # noqa: E402
from corpus.sources import FetchError  # noqa: E402
from corpus.triage import Found  # noqa: E402

CACHE = ROOT / ".corpus"
CORPUS = ROOT / "tests" / "corpus.toml"
TRIAGE = ROOT / "tests" / "corpus" / "triage.toml"
WARNINGS = ROOT / "tests" / "corpus" / "warnings.toml"
RESULTS = ROOT / "tests" / "corpus" / "RESULTS.md"


class CheckError(Exception):
    """A check did not come to its end; ``str()`` is what it said."""


@dataclass(frozen=True)
class Checked:
    """What a package's check found, and what it said on stderr."""

    files: int
    findings: tuple[Found, ...]
    messages: tuple[str, ...]


def check(package: str, folder: Path) -> Checked:
    """``understudy check`` in a folder, on two processes.

    :raises CheckError: an internal error, a file that cannot be read, no file at all…
    """
    files = len(discover([folder], Config(), folder).files)
    if not files:
        raise CheckError(f"{package}: no file to check")
    environ = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "understudy",
            "check",
            "--output-format",
            "json",
            "--exit-zero",
            "--jobs",
            "2",
        ],
        cwd=folder,
        env={**environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise CheckError(f"{package}: exit status {done.returncode}: {done.stderr.strip()}")
    return Checked(
        files, tuple(triage.found(package, json.loads(done.stdout))), tuple(done.stderr.splitlines())
    )


def results(checked: Mapping[str, Checked]) -> str:
    """The table of counts: a row for each package, a column for each code."""
    codes = sorted({item.code for result in checked.values() for item in result.findings})
    lines = [
        "# What Understudy finds in the corpus",
        "",
        "Written by `make corpus`. Findings by rule, and how many of all are errors; each error is explained in",
        "`triage.toml`. *messages*: files that do not parse as a whole.",
        "",
        f"| package | files | errors | {' | '.join([*codes, 'messages'])} |",
        f"| --- | ---: | ---: | {'---: | ' * (len(codes) + 1)}".rstrip(),
    ]
    for name, result in checked.items():
        count = Counter(item.code for item in result.findings)
        errors = sum(item.severity == "error" for item in result.findings)
        cells = [result.files, errors, *(count[code] for code in codes), len(result.messages)]
        lines.append(f"| {name} | {' | '.join(str(cell or '') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def changes(before: Sequence[Found], now: Sequence[Found]) -> list[str]:
    """What is new (``+``) and what is gone (``-``) since the last run, a line each."""
    earlier, later = set(before), set(now)
    lines = [(item, f"- {item}") for item in earlier - later] + [
        (item, f"+ {item}") for item in later - earlier
    ]
    return [line for _, line in sorted(lines)]


def main(names: Sequence[str]) -> int:
    """Exit status: 0 when each error is explained, 1 when not, 2 when something could not be fetched or checked."""
    distributions = sources.load(CORPUS)
    unknown = set(names) - {item.name for item in distributions}
    if unknown:
        print(f"not in corpus.toml: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [item for item in distributions if not names or item.name in names]
    checked: dict[str, Checked] = {}
    failed = False
    for distribution in chosen:
        try:
            result = check(distribution.name, sources.unpacked(distribution, CACHE))
        except (FetchError, CheckError) as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        checked[str(distribution)] = result
        print(f"{distribution}: {len(result.findings)} findings", flush=True)
        for line in changes(_remembered(distribution.name), result.findings):
            print(f"  {line}")
        _remember(distribution.name, result.findings)
    findings = [item for result in checked.values() for item in result.findings]
    said = triage.complaints(findings, triage.load(TRIAGE), (item.name for item in chosen))
    for sentence in said:
        print(sentence, file=sys.stderr)
    if failed:
        return 2
    if not names:
        RESULTS.write_text(results(checked), "utf-8")
    return 1 if said else 0


def _file(name: str) -> Path:
    return CACHE / "findings" / f"{name}.json"


def _remembered(name: str) -> list[Found]:
    try:
        return [Found(*item) for item in json.loads(_file(name).read_text("utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def _remember(name: str, findings: Sequence[Found]) -> None:
    _file(name).parent.mkdir(parents=True, exist_ok=True)
    rows = [[item.package, item.place, item.code, item.severity, item.message] for item in findings]
    _file(name).write_text(json.dumps(rows, indent=1), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
