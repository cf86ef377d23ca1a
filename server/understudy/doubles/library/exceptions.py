"""Exceptions of the simulated program, and where they are expected."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from understudy.doubles.state import Raised
from understudy.doubles.values import (
    ClassValue,
    ExceptionValue,
    Expectation,
    LibraryName,
    Sequence_,
    Value,
)

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments
    from understudy.doubles.core import Core as Machine


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
        cls = getattr(builtins, value.entity.name, None) if value.entity.root == "builtins" else None
        if isinstance(cls, type) and issubclass(cls, BaseException):
            return ExceptionValue(value.entity.name, True)
        if value.entity.name.endswith(("Error", "Exception", "Timeout")):
            # Of which other classes it is one, is not known.
            return ExceptionValue(value.entity.name, True)
    if isinstance(value, ClassValue):
        ancestry = machine.resolver.ancestry(value.entity)
        outside = [external.name for external in ancestry.externals]
        if any(name.endswith(("Error", "Exception")) for name in outside):
            return ExceptionValue(
                value.entity.name, True, (*(c.name for c in ancestry.classes), *outside, "Exception")
            )
    return None


def raise_effect(machine: Machine, value: Value) -> None:
    found = as_exception(machine, value)
    if found is not None:
        raise Raised(found.name, found.bases)
