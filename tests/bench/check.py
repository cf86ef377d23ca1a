"""``understudy check`` on the generated workspace, as a user calls it: cold, warm, after an edit; memory; growth.

Sizes: 1,250 to 10,000 files (``UNDERSTUDY_BENCH_FILES=1250,5000`` chooses). CPU seconds are those of all processes; a
shared machine disturbs them less than wall time. *ratio*: the CPU time of the cold check to that of reading and
``ast.parse`` of the same files in one process. *growth*: the slope between the smallest and the largest size on
logarithmic scales; 1 is as fast as the files. The largest size up to 5,000 files is checked by ty, pyrefly and ruff,
too, in the same run; the others show the growth, and two runs of each are enough for that.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.generate import generate
from bench.others import installed
from bench.table import Series, Table, Unavailable, repeated

SIZES = (1250, 2500, 5000, 10000)
BESIDE = 5000
OTHERS = {
    "ty check": ["ty", "check", "--exit-zero"],
    "pyrefly check": ["pyrefly", "check"],
    "ruff check --no-cache": ["ruff", "check", "--no-cache", "--exit-zero"],
}
CHECK = [sys.executable, "-m", "understudy", "check", "--exit-zero", "--statistics", "--jobs", "2"]
_BETWEEN_SAMPLES = 0.2
RATIO_LIMIT, GROWTH_LIMIT, MEMORY_LIMIT = 2.5, 1.1, 400.0
"""Of the issue that asked for these figures; megabytes."""
_TO_OTHERS = 0.5
_TO_RUFF = (1.0, 1.5, 1.5)
"""Warm, and after the two edits."""


@dataclass(frozen=True)
class Run:
    """Seconds, and megabytes of all processes together at their most."""

    wall: float
    cpu: float
    memory: float


def measure(repeats: int) -> list[Table]:
    sizes = [int(size) for size in os.environ.get("UNDERSTUDY_BENCH_FILES", "").split(",") if size] or SIZES
    table = Table(
        "Check",
        ["files", "lines", "cold s", "cold CPU s", "MB", "ratio", "warm s", "a model's body s", "a column s"],
        note="Two processes. Limits: ratio 2.5, 400 MB, growth 1.1.",
    )
    cold: dict[int, Run] = {}
    beside = max([size for size in sizes if size <= BESIDE], default=min(sizes))
    compared: list[Table] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "backend"
            made = generate(root, size)
            cold[size] = _row(table, root, size, made.lines, repeats if size == beside else min(repeats, 2))
            if size == beside:
                compared.append(_compared(root, size, table.rows[-1], repeats))
    smallest, largest = min(sizes), max(sizes)
    if largest > smallest:
        for name in ("cpu", "memory"):
            slope = math.log(getattr(cold[largest], name) / getattr(cold[smallest], name))
            slope /= math.log(largest / smallest)
            table.note += f" Growth of {name}: {slope:.2f}."
            if slope > GROWTH_LIMIT:
                table.broken.append(f"check: {name} grows by {slope:.2f}, the limit is {GROWTH_LIMIT}")
    return [table, *compared]


def _compared(root: Path, size: int, ours: Sequence[str | Series], repeats: int) -> Table:
    """Wall times of other tools on the same files.

    :raises Unavailable: they cannot be installed.
    """
    cold, *others = (each for each in (ours[2], *ours[6:]) if isinstance(each, Series))
    table = Table(
        "Check, beside other tools",
        ["", "wall s", "ours, cold, to it", "warm", "a model's body", "a column"],
        note=f"{size} files. Limits: half of ty's and of pyrefly's time when cold, ruff's when warm, and half as much "
        "again after an edit.",
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            programs = installed(Path(folder), [command[0] for command in OTHERS.values()])
        except subprocess.CalledProcessError:
            raise Unavailable("ty, pyrefly and ruff cannot be installed") from None
        for name, (program, *arguments) in OTHERS.items():
            taken = repeated(repeats, partial(wall, [programs / program, *arguments], root), "s")
            ratios = [each.median / taken.median for each in (cold, *others)]
            table.rows.append([name, taken, *(f"{ratio:.2f}" for ratio in ratios)])
            limits = (
                zip(ratios[1:], _TO_RUFF, strict=True) if program == "ruff" else [(ratios[0], _TO_OTHERS)]
            )
            for ratio, limit in limits:
                if ratio > limit:
                    table.broken.append(f"check: {ratio:.1f} times `{name}`, the limit is {limit}")
    return table


def wall(command: Sequence[str | Path], root: Path, environment: Mapping[str, str] | None = None) -> float:
    """Seconds of a command in a folder."""
    nowhere = subprocess.DEVNULL
    started = time.perf_counter()
    subprocess.run(command, cwd=root, env=environment, stdout=nowhere, stderr=nowhere, check=False)
    return time.perf_counter() - started


def _row(table: Table, root: Path, size: int, lines: int, repeats: int) -> Run:
    cold = [_run(root, "--no-cache") for _ in range(repeats)]
    _run(root)
    warm = [_run(root) for _ in range(repeats)]
    model = sorted((root / "app" / "models").glob("*.py"))[size // 100]
    body = [_after(root, model, f'f"{number} {{self.name}}"') for number in range(repeats)]
    column = [_after(root, model, None, number) for number in range(repeats)]
    alone = parsing(root)
    ratio = Series(tuple(run.cpu / alone for run in cold), "")
    table.rows.append(
        [
            str(size),
            f"{lines:,}",
            Series(tuple(run.wall for run in cold), "s"),
            Series(tuple(run.cpu for run in cold), "s"),
            Series(tuple(run.memory for run in cold), "MB"),
            ratio,
            *(Series(tuple(run.wall for run in runs), "s") for runs in (warm, body, column)),
        ]
    )
    if ratio.median > RATIO_LIMIT:
        table.broken.append(
            f"check: {size} files: {ratio.median:.1f} times parsing, the limit is {RATIO_LIMIT}"
        )
    memory = max(run.memory for run in cold)
    if memory > MEMORY_LIMIT:
        table.broken.append(f"check: {size} files: {memory:.0f} MB, the limit is {MEMORY_LIMIT:.0f} MB")
    return cold[0]


def _after(root: Path, model: Path, returned: str | None, number: int = 0) -> Run:
    """A check after an edit of a model: of what a method returns, or with a column more."""
    text = model.read_text("utf-8")
    if returned is not None:
        text = re.sub(r"return .*", f"return {returned}", text, count=1)
    else:
        text = text.replace("    id =", f"    extra_{number} = Column(Integer)\n    id =", 1)
    model.write_text(text, "utf-8")
    return _run(root)


def _run(root: Path, *options: str) -> Run:
    environment = {**os.environ, "XDG_CACHE_HOME": str(root.parent / "cache")}
    # What is installed has its bytecode.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    process = subprocess.Popen([*CHECK, *options], cwd=root, env=environment, stdout=subprocess.DEVNULL)
    seen = _Seen()
    sampler = threading.Thread(target=seen.watch, args=(process,), daemon=True)
    sampler.start()
    status = process.wait()
    wall = time.perf_counter() - started
    sampler.join()
    if status != 0:
        raise RuntimeError(f"the check ended with {status}")
    return Run(wall, sum(seen.cpu.values()), seen.memory)


class _Seen:
    """What was seen of a process and all below it: nobody waits for the workers, so no parent knows their times."""

    def __init__(self) -> None:
        self.memory = 0.0
        self.cpu: dict[int, float] = {}

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            tree = _tree(process.pid)
            self.memory = max(self.memory, sum(map(_proportional, tree)) / 1e6)
            for pid in tree:
                self.cpu[pid] = max(self.cpu.get(pid, 0.0), _seconds(pid))
            time.sleep(_BETWEEN_SAMPLES)


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        found.extend(_children(each))
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:
        return []


def _proportional(pid: int) -> float:
    """Bytes, what processes share counted once."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return float(match[1]) * 1024 if match is not None else 0.0


def parsing(root: Path) -> float:
    """CPU seconds of reading and parsing all files; a process of its own, whose heap is empty."""
    code = """if True:
        import ast, contextlib, pathlib, sys, time, warnings
        warnings.simplefilter("ignore")
        started = time.process_time()
        for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
            with contextlib.suppress(SyntaxError, ValueError):
                ast.parse(path.read_bytes())
        print(time.process_time() - started)
    """
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True)
    return float(done.stdout)
