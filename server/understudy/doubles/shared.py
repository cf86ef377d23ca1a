"""What modules and classes hold, for all tests: whatever runs at import, or in another test, may have changed it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from understudy.doubles.closures import FILLING
from understudy.doubles.values import UNKNOWN, Instance, Literal, Mapping_, Sequence_, Value
from understudy.infer.entities import ValueEntity
from understudy.source.text import SourceError

if TYPE_CHECKING:
    from understudy.doubles.core import Core as Machine


def as_shared(machine: Machine, entity: ValueEntity, made: Value) -> Value:
    """What is known of a variable while a test runs, of what its statement bound it to.

    An object may have been set up by other statements, or by tests. A list or dict is filled somewhere if it is empty,
    or if the text of its module says so. A number or string of a class is another where the text sets it on anything
    but ``self``.
    """
    if entity.owner is None and entity.declaration.target in entity.module.set_by_functions:
        return UNKNOWN
    if isinstance(made, Instance):
        if entity.owner is None:
            machine.loosen(made, grows=False)
    elif isinstance(made, Sequence_) and made.kind != "tuple":
        if not made.items or _is_changed(machine, entity):
            machine.unsettle([made])
    elif isinstance(made, Mapping_):
        if not made.held or _is_changed(machine, entity):
            machine.unsettle([made])
    elif isinstance(made, Literal):
        if entity.owner is None:
            # Which of several statements ran last is not known: ``try: … except ImportError:``
            return made if len(entity.module.bindings[entity.declaration.target]) == 1 else UNKNOWN
        return UNKNOWN if _is_changed(machine, entity) else made
    return made


def _is_changed(machine: Machine, entity: ValueEntity) -> bool:
    try:
        text = machine.workspace.parsed(entity.path).text.content
    except SourceError:
        return True
    if entity.declaration.target not in text:
        return True
    return _changing(entity.declaration.target, entity.owner is not None).search(text) is not None


@lru_cache(maxsize=1024)
def _changing(name: str, of_class: bool) -> re.Pattern[str]:
    """Matches what fills a list or table, sets an item of it, or binds an attribute of a class anew."""
    before = r"\." if of_class else r"(?<![\w.])"
    filling = "|".join(sorted(FILLING))
    parts = [
        rf"{before}{name}\s*(?:\[[^\]\n]*\]\s*)*\.\s*(?:{filling})\s*\(",
        rf"{before}{name}\s*(?:\[[^\]\n]*\]\s*)+(?:=(?!=)|[-+*/|&]=)",
        rf"\bdel\s+[\w.]*{before}{name}\b",
    ]
    if of_class:
        parts.append(rf"(?<!\bself)\.{name}\s*(?:=(?!=)|[-+*/|&]=)")
    else:
        parts.append(rf"(?<![\w.]){name}\s*[-+*/|&]=")
    return re.compile("|".join(parts))
