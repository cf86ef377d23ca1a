"""Counters for operations; in production an exporter reads them."""

from collections import Counter

_counts: Counter[str] = Counter()


def record(name: str, amount: int = 1) -> None:
    """Count an event."""
    if not name:
        raise ValueError("an event needs a name")
    _counts[name] += amount


def count(name: str) -> int:
    """How often an event was counted."""
    return _counts[name]


def reset() -> None:
    """Forget everything."""
    _counts.clear()
