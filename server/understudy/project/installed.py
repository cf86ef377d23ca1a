"""Which version of a library the project's environment has."""

from __future__ import annotations

import re

from understudy.project.environment import Environment


def version_of(environment: Environment, distribution: str) -> tuple[int, ...] | None:
    """``(2, 0, 36)``; None when it is not installed, or when the environment may not be the project's."""
    if environment.running:
        return None
    pattern = re.compile(rf"{re.escape(distribution)}-(\d+(?:\.\d+)*).*\.dist-info", re.IGNORECASE)
    for site in environment.site:
        for info in sorted(site.glob("*.dist-info")):
            match = pattern.fullmatch(info.name)
            if match is not None:
                return tuple(int(part) for part in match.group(1).split("."))
    return None
