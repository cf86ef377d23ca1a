"""What modules and classes hold, for all tests: whatever runs at import, or in another test, may have changed it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from understudy.doubles.closures import FILLING
from understudy.doubles.library.played import OwnObject
from understudy.doubles.values import UNKNOWN, Instance, Literal, Mapping_, Mock, Sequence_, Value
from understudy.infer.entities import ValueEntity
from understudy.infer.frame import Stored
from understudy.source.text import SourceError

if TYPE_CHECKING:
    from understudy.doubles.core import Core as Machine

_STORED = "stored"
_DELETED = re.compile(r"\bdel\s+([\w.]+)")
_DEPTH = 3


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


def may_be_changed(machine: Machine, made: Value, stored: frozenset[Stored]) -> None:
    """What a fixture of a wider scope, or ``setup_class``, made is what the tests before have left: of an object, and
    of a double, the attributes that they set on anything are not known until the running test sets them.

    :param stored: what the code that may run before sets.
    """
    if isinstance(made, OwnObject):
        return
    machine.unsettle([made])
    if any(not each.name for each in stored):
        machine.escape([made])
    _forget(machine, made, stored, "", 0)


def is_open(mock: Mock, name: str) -> bool:
    """May a test before have set this attribute of a double that others have, too?"""
    return any(each.name == name for each in _stored(mock))


def begin_child(machine: Machine, mock: Mock, name: str) -> None:
    """A child of a double is made that others may have had, too."""
    stored = _stored(mock)
    if stored:
        _forget_mock(machine, mock, stored, name)


def _stored(mock: Mock) -> frozenset[Stored]:
    stored = mock.root.slots.get(_STORED)
    return stored if isinstance(stored, frozenset) else frozenset()


def _forget(machine: Machine, value: Value, stored: frozenset[Stored], behind: str, depth: int) -> None:
    if depth > _DEPTH:
        return
    if isinstance(value, Mock):
        machine.write(value.slots, _STORED, stored)
        _forget_mock(machine, value, stored, behind)
        held: dict[str, Value] = {
            key.lstrip("."): each for key, each in value.slots.items() if isinstance(each, Mock)
        }
    elif isinstance(value, Instance):
        for each in stored:
            if each.name in value.slots:
                machine.write(value.slots, each.name, UNKNOWN)
        held = {key: each for key, each in value.slots.items() if isinstance(each, Value)}
    elif isinstance(value, (Sequence_, Mapping_)):
        for inner in value.held:
            _forget(machine, inner, stored, "", depth + 1)
        return
    else:
        return
    for key, inner in held.items():
        _forget(machine, inner, stored, key, depth + 1)


def _forget_mock(machine: Machine, mock: Mock, stored: frozenset[Stored], behind: str) -> None:
    for each in stored:
        if each.name in ("return_value", "side_effect"):
            if each.behind in (behind, None):
                machine.write(mock.slots, each.name, UNKNOWN)
        elif f".{each.name}" in mock.slots:
            machine.write(mock.slots, f".{each.name}", UNKNOWN)


def _is_changed(machine: Machine, entity: ValueEntity) -> bool:
    """Does its module fill a list or table, set an item of it, delete it, or bind an attribute of a class anew?"""
    workspace, name, of_class = machine.workspace, entity.declaration.target, entity.owner is not None

    def look() -> bool:
        try:
            text = workspace.parsed(entity.path).text.content
        except SourceError:
            return True
        if name not in text or _changing(name, of_class).search(text) is not None:
            return True
        paths = (match[1].split(".") for match in _DELETED.finditer(text))
        return any(name in (path[1:] if of_class else path[:1]) for path in paths)

    return workspace.of_module(entity.module, f"{name} is changed {of_class}", look)


@lru_cache(maxsize=1024)
def _changing(name: str, of_class: bool) -> re.Pattern[str]:
    """Matches what does so. It begins with the name, which is what is looked for first."""
    before = rf"(?<=\.{name})" if of_class else rf"(?<![\w.]{name})"
    filling = "|".join(sorted(FILLING))
    parts = [
        rf"{before}\s*(?:\[[^\]\n]*\]\s*)*\.\s*(?:{filling})\s*\(",
        rf"{before}\s*(?:\[[^\]\n]*\]\s*)+(?:=(?!=)|[-+*/|&]=)",
    ]
    if of_class:
        parts.append(rf"{before}(?<!\bself\.{name})\s*(?:=(?!=)|[-+*/|&]=)")
    else:
        parts.append(rf"{before}\s*[-+*/|&]=")
    return re.compile(rf"{name}(?:{'|'.join(parts)})")
