"""``make fuzz``: generates programs, compares, minimises what disagrees, prints totals; exits 1 on a disagreement."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from fuzz.campaign import Campaign, batches, show, unmodelled
from fuzz.judge import Judge
from fuzz.reduce import reduce


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="how many different programs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--python", type=Path, help="interpreter that runs the programs (its version is the target)"
    )
    parser.add_argument("--shrink", type=int, default=5, help="how many classes of disagreement to minimise")
    parser.add_argument("--everything", action="store_true", help="the features that are not modelled, too")
    parser.add_argument(
        "--model", action="append", default=[], help="a feature to take out of unmodelled.toml"
    )
    parser.add_argument("--whole", action="store_true", help="show programs as they were generated")
    parser.add_argument("--only", default="", help="minimise only the classes that contain this text")
    arguments = parser.parse_args()
    excluded = frozenset() if arguments.everything else frozenset(unmodelled()) - set(arguments.model)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as folder,
        Judge(Path(folder), arguments.python) as judge,
    ):
        campaign = Campaign(judge)
        for batch in batches(arguments.examples, arguments.seed, excluded):
            campaign.add(batch)
            if sys.stderr.isatty():
                print(f"\r{campaign.total} programs", end="", file=sys.stderr)
        print(f"{campaign.summary()}\n{time.monotonic() - started:.0f} s", flush=True)
        chosen = [kind for kind in campaign.by_weight() if arguments.only in kind]
        for kind in chosen[: arguments.shrink]:
            if arguments.whole:
                print(f"\n=== {kind}\n{show(campaign.first[kind])}")
                continue
            print(f"\n=== {kind}\n{show(reduce(judge, kind, campaign.first[kind]))}", flush=True)
    return 1 if campaign.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
