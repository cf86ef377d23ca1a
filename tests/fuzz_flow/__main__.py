"""``make fuzz-flow EXAMPLES=2000 SEED=1``: programs of ordinary Python around doubles, run and checked; the first ones
of which something false is said are made small. Exits with 1 if there is one."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fuzz_flow.compare import Verdict, judge
from fuzz_flow.programs import programs
from fuzz_flow.reduce import reduce

BATCH = 100


def count(verdicts: list[Verdict]) -> Counter[str]:
    """How many tests there are of each kind."""
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts["programs"] += 1
        counts["tests"] += len(verdict.outcomes)
        counts["passed"] += sum(text == "passes" for text in verdict.outcomes.values())
        counts["raised by a probe"] += len(verdict.raised)
        counts["of them missed"] += len(verdict.missed)
        counts["false"] += len(verdict.false)
        counts["broken"] += len(verdict.broken)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz_flow", description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="how many programs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shrink", type=int, default=3, help="how many of the false ones to make small")
    arguments = parser.parse_args()
    started = time.monotonic()
    counts: Counter[str] = Counter()
    wrong: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="fuzz-flow-") as name:
        folder = Path(name, "programs")
        for start in range(0, arguments.examples, BATCH):
            verdicts = judge(programs(arguments.seed, min(BATCH, arguments.examples - start), start), folder)
            counts += count(verdicts)
            wrong += [verdict for verdict in verdicts if verdict.false or verdict.broken]
            if sys.stderr.isatty():
                print(f"\r{start + len(verdicts)} programs", end="", file=sys.stderr)
        print(f"{dict(counts)} in {time.monotonic() - started:.0f} s", flush=True)
        for verdict in wrong[: arguments.shrink]:
            for text in verdict.broken:
                print(f"\nbroken: {text}\n{verdict.program}")
            for test in verdict.false[:1]:
                print(f"\nfalse: {test}\n{reduce(verdict.program, test, folder)}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
