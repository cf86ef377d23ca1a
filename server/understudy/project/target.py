"""The version of Python that a project's tests run on: what ``unittest.mock`` does depends on it."""

from __future__ import annotations

from pathlib import Path

from understudy.project.config import NEWEST, OLDEST, load_requires_python
from understudy.project.environment import Environment


def find(configured: tuple[int, int] | None, environment: Environment, root: Path) -> tuple[int, int]:
    """``target-version``, else the version of the project's own interpreter or virtual environment, else the
    oldest one that its ``requires-python`` allows, else that of the interpreter that runs Understudy."""
    if configured is not None:
        return configured
    if environment.running:
        required = load_requires_python(root)
        oldest = None if required is None else _oldest(required)
        if oldest is not None:
            return oldest
    return environment.version


def _oldest(required: str) -> tuple[int, int] | None:
    """The oldest known version with a release that a specifier allows; None when there is none, and when it is
    not a specifier."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(required)
    except InvalidSpecifier:
        return None
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        # ``>3.10`` and ``>=3.10.2`` are satisfied by a later release of 3.10, ``<=3.10`` by its first.
        if any(allowed.contains(f"3.{minor}.{micro}") for micro in range(40)):
            return 3, minor
    return None
