"""What comparing two values gives, where it is known."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from types import NoneType
from typing import Any

from understudy.doubles.arithmetic import number
from understudy.doubles.values import (
    ClassValue,
    Coroutine,
    Foreign,
    FunctionValue,
    Instance,
    Literal,
    Mapping_,
    Mock,
    Sequence_,
    Unknown,
    Value,
    is_known_double,
)

_ORDERINGS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EQUALITY = frozenset({".__eq__", ".__ne__", "wraps"})
"""Slots with which a mock may say that it equals something else. From CPython 3.13 on, one that wraps an object asks
that."""


def is_never(other: Value, *, identical: bool) -> bool:
    """Is a coroutine never this other thing, or equal to it?"""
    if isinstance(other, (Literal, Sequence_, Mapping_, ClassValue, FunctionValue)):
        return True
    if is_known_double(other):
        return identical or all(_EQUALITY.isdisjoint(each.slots) for each in other.lineage())
    return identical and isinstance(other, Instance)


def equal(left: Value, right: Value) -> bool | None:
    """``left == right``. A mock equals itself alone unless a test says otherwise (``unittest.mock._get_eq``), and a
    coroutine always."""
    if isinstance(left, Literal) and isinstance(right, Literal):
        return bool(left.value == right.value)
    for one, other in ((left, right), (right, left)):
        if isinstance(other, (Literal, Sequence_, Mapping_)):
            if isinstance(one, Coroutine):
                return False
            if is_known_double(one):
                said = any(not _EQUALITY.isdisjoint(each.slots) for each in one.lineage())
                return None if said else False
    return None


def identical(left: Value, right: Value) -> bool | None:
    """``left is right``."""
    if left is right and not isinstance(left, (Unknown, Foreign)):
        return True
    if isinstance(left, Literal) and isinstance(right, Literal):
        if left.value is None or right.value is None:
            return left.value is right.value
        return None
    known = (Mock, Instance, Coroutine, Sequence_, Mapping_, FunctionValue, ClassValue)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Literal) and isinstance(one.value, (bool, NoneType)) and isinstance(other, known):
            return False
    return None


def contains(container: Value, item: Value) -> bool | None:
    """``item in container``. What a table or list lacks, other code may have put there."""
    if not isinstance(item, Literal):
        return None
    if isinstance(container, Literal):
        if isinstance(container.value, str) and isinstance(item.value, str):
            return item.value in container.value
        return None
    if isinstance(container, Mapping_):
        return True if not container.is_open and container.get(item) is not None else None
    items = container.items if isinstance(container, Sequence_) else None
    if items is None:
        return None
    if any(isinstance(each, Literal) and each.value == item.value for each in items):
        return True
    assert isinstance(container, Sequence_)
    return False if container.kind == "tuple" and all(isinstance(each, Literal) for each in items) else None


def in_order(operation: ast.cmpop, left: Value, right: Value) -> bool | None:
    """``left < right`` and the like; None where one is no number."""
    first, second = number(left), number(right)
    return None if first is None or second is None else _ORDERINGS[type(operation)](first, second)
