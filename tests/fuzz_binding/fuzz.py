"""``make fuzz-binding EXAMPLES=5000 SEED=1``: random import graphs, run and checked, until one disagrees."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzz_binding.compare import compare
from fuzz_binding.programs import Program, programs


def fuzz(examples: int, number: int) -> Counter[str]:
    """Compare so many programs.

    :raises AssertionError: with the smallest program that disagrees.
    """
    counts: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(programs())
    def agrees(program: Program) -> None:
        comparison = compare(program)
        counts["programs"] += 1
        counts.update({finding.code for finding in comparison.findings})
        counts["missed"] += comparison.missed
        assert not comparison.disagreements, str(comparison)

    agrees()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    started = time.monotonic()
    counts = fuzz(arguments.examples, arguments.seed)
    print(dict(sorted(counts.items())), f"in {time.monotonic() - started:.0f} s, no disagreement")


if __name__ == "__main__":
    main()
