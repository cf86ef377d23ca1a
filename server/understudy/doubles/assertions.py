"""Which assertion of :mod:`unittest.mock` somebody meant who wrote another name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from understudy.doubles.shapes import ASSERTIONS, AWAIT_ASSERTIONS

_NAMES = ASSERTIONS | AWAIT_ASSERTIONS
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SYNONYMS = {"never": "not", "was": "", "were": "", "is": "", "been": "", "have": "has", "had": "has"}
_LONG = 11
"""Letters of ``called_once``. What is near a shorter name (``has_calls``) may well be a name of its own."""


@cache
def meant(name: str) -> str | None:
    """The assertion that a name is a misspelling of; None for a name that is right, or is not near one.

    ``called_once`` and its kin lack only ``assert_``. Of two assertions that are equally near, none is meant.
    """
    if name in _NAMES or f"assert_{name}" == "assert_called" or len(name) > 40:
        return None
    if f"assert_{name}" in _NAMES:
        return f"assert_{name}"
    plain = _HUMP.sub("_", name).lower().strip("_")
    if "ca" not in plain and "aw" not in plain:
        return None
    words = [_SYNONYMS.get(word, word) for word in plain.split("_")]
    plain = "_".join(filter(None, words))
    candidates = list(_near(plain))
    best = min((letters for letters, _ in candidates), default=None)
    nearest = {candidate for letters, candidate in candidates if letters == best}
    return nearest.pop() if len(nearest) == 1 else None


def _near(plain: str) -> Iterator[tuple[int, str]]:
    for candidate in _NAMES:
        if sorted(plain.split("_")) == sorted(candidate.split("_")):
            yield 0, candidate
            continue
        if ("not" in plain.split("_")) is not ("not" in candidate.split("_")):
            # The opposite of what is written is never meant.
            continue
        letters = distance(plain, candidate)
        if letters <= 2:
            yield letters, candidate
        short = candidate.removeprefix("assert_")
        if len(short) >= _LONG and distance(plain, short) <= 1:
            yield 1, candidate


def distance(one: str, other: str) -> int:
    """The number of letters to insert, drop, change or swap with the next (optimal string alignment)."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
