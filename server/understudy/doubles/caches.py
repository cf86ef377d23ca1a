"""Functions that keep what they gave: :func:`functools.lru_cache` and :func:`functools.cache`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from understudy.doubles.arguments import Arguments
from understudy.doubles.values import (
    UNKNOWN,
    FunctionValue,
    Instance,
    Literal,
    Sequence_,
    Value,
    carries_double,
)

if TYPE_CHECKING:
    from understudy.doubles.core import Core

DECORATORS = frozenset({"functools.cache", "functools.lru_cache"})
_CLEARED = "cleared"
_LARGE = 32
"""A cache of this size keeps what a test makes."""


def call(machine: Core, function: FunctionValue, arguments: Arguments, run: Callable[[], Value]) -> Value:
    """A call of a function that keeps what it gave. Unless this test has cleared the cache, an earlier one may have
    called it with the same plain arguments: then what it makes of doubles now is not what it gives."""
    key = (function.node, tuple(map(_key, arguments.values)), _named(arguments))
    known = machine.cached.get(key)
    if isinstance(known, Value):
        return known
    called_before = any(other[0] is function.node and len(other) == len(key) for other in machine.cached)
    if called_before and any(isinstance(value, Instance) for value in arguments.everything()):
        # It may equal one that was given before.
        return _given_perhaps(machine, run)
    own = any(not isinstance(value, (Literal, Sequence_)) for value in arguments.everything())
    if own or (function.node, _CLEARED) in machine.cached:
        made = run()
    else:
        made = _given_perhaps(machine, run)
    machine.write(machine.cached, key, made)
    return made


def forgets(decorator: ast.expr) -> bool:
    """May it push out what it has kept: ``@lru_cache(maxsize=1)``?"""
    if not isinstance(decorator, ast.Call):
        return False
    sizes = [*decorator.args[:1], *(each.value for each in decorator.keywords if each.arg == "maxsize")]
    return any(
        not isinstance(size, ast.Constant) or (isinstance(size.value, int) and size.value < _LARGE)
        for size in sizes
    )


def _given_perhaps(machine: Core, run: Callable[[], Value]) -> Value:
    made = machine.perhaps(run) or UNKNOWN
    if carries_double(made):
        machine.escape([made])
        return UNKNOWN
    return made


def clear(machine: Core, function: FunctionValue) -> None:
    """``function.cache_clear()``."""
    for key in [key for key in machine.cached if key[0] is function.node]:
        machine.delete(machine.cached, key)
    machine.write(machine.cached, (function.node, _CLEARED), True)


def _key(value: Value) -> Hashable:
    """Equal for what is equal at run time, as far as that is known."""
    if isinstance(value, Literal):
        return ("literal", value.value)
    if isinstance(value, Sequence_) and value.kind == "tuple" and value.items is not None:
        return tuple(map(_key, value.items))
    return id(value)


def _named(arguments: Arguments) -> Hashable:
    return tuple(sorted((name, _key(value)) for name, value in arguments.keywords.items()))
