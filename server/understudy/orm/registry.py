"""How SQLAlchemy finds the class that a string in ``relationship("…")`` names.

The rules are those of ``sqlalchemy.orm.clsregistry`` (2.0): a plain name is looked up among the registry's
classes, then among its tables; a dotted one must end the dotted path of a class's module, and a table of the
name of its first part hides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from understudy.orm.models import Model, Registry


class Verdict(Enum):
    FOUND = "found"
    NOWHERE = "nowhere"
    SEVERAL = "several"
    HIDDEN_BY_TABLE = "hidden by table"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    verdict: Verdict
    models: tuple[Model, ...] = ()


def locate(registry: Registry, name: str) -> Answer:
    """What a target string leads to, when every model of the workspace is imported."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return Answer(Verdict.UNKNOWN)
    tables = registry.tables
    if len(parts) == 1:
        named = registry.named(name)
        if not named:
            return Answer(Verdict.UNKNOWN if name in tables else Verdict.NOWHERE)
        return Answer(Verdict.FOUND if len(named) == 1 else Verdict.SEVERAL, tuple(named))
    if parts[0] in tables and not registry.named(parts[0]):
        return Answer(Verdict.HIDDEN_BY_TABLE)
    named = [found for found in registry.named(parts[-1]) if _ends(found.entity.module.name, parts[:-1])]
    if len(named) == 1:
        return Answer(Verdict.FOUND, tuple(named))
    if named:
        return Answer(Verdict.SEVERAL, tuple(named))
    for found in registry.named(parts[-1]):
        # A module that is imported by a longer path than the one it has here (``backend.core.models``).
        path = ".".join(found.entity.path.with_suffix("").parts)
        if path.endswith("." + ".".join(parts[:-1])):
            return Answer(Verdict.UNKNOWN)
    return Answer(Verdict.NOWHERE)


def _ends(module: str, parts: list[str]) -> bool:
    tokens = module.split(".")
    return tokens[-len(parts) :] == parts
