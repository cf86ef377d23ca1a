"""Generates programs in batches and keeps count of the verdicts."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzz.grammar import Program
from fuzz.judge import Judge, Verdict
from fuzz.programs import programs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BATCH = 250


def unmodelled() -> dict[str, str]:
    """The features (as patterns) that programs must not have yet, each with the reason."""
    content = Path(__file__).with_name("unmodelled.toml").read_text("utf-8")
    return dict(tomllib.loads(content))


def batches(examples: int, start: int, excluded: frozenset[str]) -> Iterator[list[Program]]:
    """Batches until there are so many different programs."""
    known: set[str] = set()
    number = 0
    while len(known) < examples:
        fresh: dict[str, Program] = {}
        for program in _generate(start * 1_000_003 + number, excluded):
            if str(program) not in known and len(known) + len(fresh) < examples:
                fresh.setdefault(str(program), program)
        known |= fresh.keys()
        yield list(fresh.values())
        number += 1


def _generate(batch_seed: int, excluded: frozenset[str]) -> list[Program]:
    """The same programs for the same seed."""
    made: list[Program] = []

    @seed(batch_seed)
    @settings(
        max_examples=BATCH,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(excluded))
    def each(program: Program) -> None:
        made.append(program)

    each()
    return made


@dataclass
class Campaign:
    """The verdicts so far."""

    judge: Judge
    total: int = 0
    raised: int = 0
    passed: int = 0
    agreed: int = 0
    exceptions: Counter[str] = field(default_factory=Counter)
    disagreements: Counter[str] = field(default_factory=Counter)
    first: dict[str, Verdict] = field(default_factory=dict)
    """The first program of each class of disagreement."""

    def add(self, batch: list[Program]) -> None:
        for verdict in self.judge.judge(batch):
            self.total += 1
            self.raised += verdict.raised
            self.passed += verdict.status == "passes"
            self.agreed += not verdict.disagreements
            if verdict.raised:
                self.exceptions[verdict.exception] += 1
            for kind in verdict.disagreements:
                self.disagreements[kind] += 1
                self.first.setdefault(kind, verdict)

    def summary(self) -> str:
        exceptions = ", ".join(f"{name} {count}" for name, count in self.exceptions.most_common())
        lines = [
            f"{self.total} programs: {self.raised} raised ({exceptions}), {self.passed} passed; "
            f"{self.agreed} agreed, {self.total - self.agreed} disagreed"
        ]
        lines += [f"  {self.disagreements[kind]:5} {kind}" for kind in self.by_weight()]
        return "\n".join(lines)

    def by_weight(self) -> list[str]:
        """The classes of disagreement: false errors first, then those that are met most often."""
        return sorted(
            self.disagreements,
            key=lambda kind: (not kind.startswith(("false", "unreached")), -self.disagreements[kind]),
        )


def show(verdict: Verdict) -> str:
    """A program as an example of a page, with what it does and what is said of it."""
    parts = []
    for file, text in verdict.program.files.items():
        lines = text.strip().split("\n")
        for row, line in enumerate(lines, 1):
            if (file, row) == verdict.place:
                lines[row - 1] = (
                    f"{line}  # raises {verdict.exception}: {verdict.message.partition(chr(10))[0]}"
                )
            for said in verdict.said:
                if said.primary == (file, row):
                    lines[row - 1] += f"  # error: [{said.code}] {said.message}"
        parts.append(f'```python {{file="{file}"}}\n' + "\n".join(lines) + "\n```")
    outcome = verdict.exception if verdict.raised else verdict.status
    return "\n\n".join([*parts, f"The program: {outcome}. {'; '.join(verdict.disagreements)}"])
