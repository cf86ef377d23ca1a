"""Exceptions of the simulated program, and where they are expected."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from understudy.doubles.state import OTHERS, Raised
from understudy.doubles.values import (
    ClassValue,
    ExceptionValue,
    Expectation,
    LibraryName,
    Sequence_,
    Value,
)
from understudy.infer.entities import ClassEntity, External

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments
    from understudy.doubles.core import Core as Machine


_ALIASES = {
    "asyncio.TimeoutError": "builtins.TimeoutError",
    "asyncio.exceptions.TimeoutError": "builtins.TimeoutError",
    "concurrent.futures.TimeoutError": "builtins.TimeoutError",
    "socket.timeout": "builtins.TimeoutError",
    "socket.error": "builtins.OSError",
    "os.error": "builtins.OSError",
}
"""Other names of built-in exceptions, those of :mod:`asyncio` from Python 3.11 on."""


def expectation(machine: Machine, arguments: Arguments) -> Value:
    values = arguments.values or [
        value for name, value in arguments.keywords.items() if name == "expected_exception"
    ]
    names: tuple[str, ...] = ()
    for value in values:
        found = exception_names(machine, value)
        if found is None:
            return Expectation(None)
        names = (*names, *found)
    return Expectation(names or None)


def exception_names(machine: Machine, value: Value) -> tuple[str, ...] | None:
    """The exception classes that a value (a class, or a tuple of them) stands for; None when not known."""
    values = value.items if isinstance(value, Sequence_) else (value,)
    if values is None:
        return None
    names = []
    for item in values:
        found = as_exception(machine, item)
        if found is None:
            return None
        names.append(found.name)
    return tuple(names)


def as_exception(machine: Machine, value: Value) -> ExceptionValue | None:
    """The exception that raising this value raises; None when it is no exception."""
    if isinstance(value, ExceptionValue):
        return value
    if isinstance(value, LibraryName):
        return _of_library(machine, value.entity)
    if isinstance(value, ClassValue):
        bases = bases_of(machine, value.entity)
        return ExceptionValue(bases[0], True, bases) if bases is not None else None
    return None


def _of_library(machine: Machine, entity: External) -> ExceptionValue | None:
    dotted = _ALIASES.get(entity.dotted, entity.dotted)
    cls = getattr(builtins, dotted.rpartition(".")[2], None) if dotted.startswith("builtins.") else None
    if isinstance(cls, type) and issubclass(cls, BaseException):
        return ExceptionValue(cls.__name__, True)
    opened = machine.resolver.open(entity)
    bases = bases_of(machine, opened) if isinstance(opened, ClassEntity) else None
    if bases is not None:
        return ExceptionValue(bases[0], True, bases)
    if entity.name.endswith(("Error", "Exception", "Timeout")):
        return ExceptionValue(entity.dotted, True, (OTHERS,))
    return None


def bases_of(machine: Machine, entity: ClassEntity) -> tuple[str, ...] | None:
    """The names of a class and of all that it derives from, :data:`OTHERS` where they are not all known; None for what
    is no exception. Built-in ones are called as they are, others by module and name."""
    ancestry = machine.resolver.ancestry(entity)
    names = [cls.dotted for cls in ancestry.classes]
    raisable = False
    unknown = False
    for external in ancestry.externals:
        cls = getattr(builtins, external.name, None) if external.root == "builtins" else None
        if isinstance(cls, type):
            names.extend(base.__name__ for base in cls.__mro__[:-1])
            raisable = raisable or issubclass(cls, BaseException)
        else:
            names.append(external.dotted)
            unknown = True
            raisable = raisable or external.name.endswith(("Error", "Exception", "Warning"))
    if not raisable:
        return None
    for each in ancestry.classes:
        for base in each.declaration.bases:
            found = machine.resolver.open(machine.resolver.base(each, base))
            unknown = unknown or not isinstance(found, (ClassEntity, External))
    return (*names, OTHERS) if unknown else tuple(names)


def raise_effect(machine: Machine, value: Value) -> None:
    found = as_exception(machine, value)
    if found is not None:
        raise Raised(found.name, found.bases)
