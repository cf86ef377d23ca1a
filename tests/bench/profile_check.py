"""``make profile``: where a cold check of the generated workspace spends its time, in one process.

python tests/bench/profile_check.py [--files 600] [--sort tottime] [--rows 40]
"""

from __future__ import annotations

import argparse
import cProfile
import io
import os
import pstats
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from understudy.check import Options, run

from bench.generate import generate


def main() -> None:
    parser = argparse.ArgumentParser(description="Profile a cold check.")
    parser.add_argument("--files", type=int, default=600)
    parser.add_argument("--sort", default="tottime")
    parser.add_argument("--rows", type=int, default=40)
    options = parser.parse_args()
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        made = generate(Path(folder), options.files)
        os.chdir(folder)
        profile.runcall(run, Options((Path(),), jobs=1, cache=False), io.StringIO(), sys.stderr)
        os.chdir("/")
    print(f"{made.written} files, {made.lines:,} lines")
    pstats.Stats(profile).sort_stats(options.sort).print_stats(options.rows)


if __name__ == "__main__":
    main()
