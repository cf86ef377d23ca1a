"""``make fuzz-fixtures EXAMPLES=1000 SEED=1``: suites in which doubles come to tests in every way, run and checked; the
first ones of which something false is said are made small. Exits with 1 if there is one."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fuzz_fixtures.compare import Verdict, judge
from fuzz_fixtures.programs import programs
from fuzz_fixtures.reduce import reduce

BATCH = 50


def count(verdicts: list[Verdict]) -> Counter[str]:
    """How many tests there are of each kind."""
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts["programs"] += 1
        counts["broken"] += bool(verdict.broken)
        counts["tests"] += len(verdict.outcomes)
        counts["passed"] += len(verdict.passed)
        counts["raised by a double"] += len(verdict.raised)
        counts["of them missed"] += len(verdict.missed)
        counts["false"] += len(verdict.false)
    return counts


def by_kind(verdicts: list[Verdict]) -> dict[str, str]:
    """How many tests of each kind of failure are missed."""
    raised = Counter(kind for verdict in verdicts for kind in verdict.raised.values())
    missed = Counter(verdict.raised[test] for verdict in verdicts for test in verdict.missed)
    return {
        kind: f"{missed[kind]} of {number} ({100 * missed[kind] / number:.0f} %)"
        for kind, number in raised.most_common()
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz_fixtures", description=__doc__)
    parser.add_argument("--examples", type=int, default=500, help="how many programs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shrink", type=int, default=3, help="how many of the false ones to make small")
    arguments = parser.parse_args()
    started = time.monotonic()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="fuzz-fixtures-") as name:
        folder = Path(name, "programs")
        for start in range(0, arguments.examples, BATCH):
            size = min(BATCH, arguments.examples - start)
            verdicts += judge(programs(arguments.seed, size, start), folder)
            if sys.stderr.isatty():
                print(f"\r{start + size} programs", end="", file=sys.stderr)
        print(f"{dict(count(verdicts))} in {time.monotonic() - started:.0f} s")
        print(f"missed: {by_kind(verdicts)}", flush=True)
        wrong = [(verdict, test) for verdict in verdicts for test in verdict.false]
        for verdict, test in wrong[: arguments.shrink]:
            finding = verdict.said[test][0]
            small = reduce(verdict, test, finding.code, folder)
            print(f"\nfalse: {judge([small], folder)[0]}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
