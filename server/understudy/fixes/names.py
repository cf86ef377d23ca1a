"""The nearest existing name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CUTOFF = 0.6


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name that was most likely meant; None when nothing is near, or two names are equally near.

    A name that contains the other as whole words (``confidence`` in ``confidence_score``) counts as near.
    """
    scored: list[tuple[float, str]] = []
    words = _words(name)
    for candidate in dict.fromkeys(known):
        if candidate == name:
            continue
        ratio = difflib.SequenceMatcher(None, name.lower(), candidate.lower()).ratio()
        other = _words(candidate)
        if words and other and (words <= other or other <= words):
            ratio = max(ratio, _CUTOFF) + 0.1
        if ratio >= _CUTOFF:
            scored.append((ratio, candidate))
    scored.sort(key=lambda item: (-item[0], item[1]))
    if not scored or (len(scored) > 1 and scored[0][0] - scored[1][0] < 0.02):
        return None
    return scored[0][1]


def _words(name: str) -> set[str]:
    return {word for word in name.lower().split("_") if word}
