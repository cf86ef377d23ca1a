"""``make bench``: every benchmark, and their tables in ``tests/bench/RESULTS.md``.

``python tests/bench/run.py [--repeats N] [NAME…]``. Each module of ``tests/bench`` with a function
``measure(repeats: int) -> list[Table]`` is a benchmark (:class:`bench.table.Benchmark`), named as the file. With names,
only those are run, and their sections are written. ``profile NAME`` prints where a benchmark spends its time instead.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib
import pstats
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from bench.table import Benchmark, Table, Unavailable, write  # noqa: E402


def benchmarks() -> Iterator[tuple[str, Benchmark]]:
    """All of them, by name."""
    for file in sorted(HERE.glob("*.py")):
        if file.stem in ("__init__", "run"):
            continue
        module = importlib.import_module(f"bench.{file.stem}")
        if callable(getattr(module, "measure", None)):
            yield file.stem, cast(Benchmark, module)


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 when all limits are kept, 1 when not, 2 when something could not be measured."""
    known = dict(benchmarks())
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *known], help=", ".join(known))
    parser.add_argument("--repeats", type=int, default=5, help="how often each figure is measured (5)")
    parser.add_argument("--profile", action="store_true", help="print where the time goes; write nothing")
    options = parser.parse_args(arguments)
    if options.profile:
        profile = cProfile.Profile()
        for name in options.names or known:
            profile.runcall(known[name].measure, 1)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return 0
    tables: list[Table] = []
    missing = False
    for name in options.names or known:
        try:
            found = known[name].measure(options.repeats)
        except Unavailable as error:
            print(f"{name}: {error}", file=sys.stderr)
            missing = True
            continue
        for table in found:
            print(table.markdown(), flush=True)
        tables += found
    for table in tables:
        for sentence in table.broken:
            print(sentence, file=sys.stderr)
    if missing:
        return 2
    write(tables)
    return 1 if any(table.broken for table in tables) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
