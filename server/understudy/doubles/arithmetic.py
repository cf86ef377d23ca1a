"""Numbers that are written in the code, and what is worked out from them: how often a loop runs."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from understudy.doubles.values import Literal, Value

_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_LARGEST = 10**12
"""Tests do not count further; what is multiplied again and again grows without end."""


def number(value: Value) -> int | float | None:
    """The number that a value is; None for anything else, truth values too."""
    found = value.value if isinstance(value, Literal) else None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def converted(function: str, value: Value) -> Literal | None:
    """``int(…)`` and ``float(…)`` of a number; None for anything else, and where it raises."""
    known = number(value)
    if function not in ("int", "float") or known is None or not math.isfinite(known):
        return None
    return Literal(int(known) if function == "int" else float(known))


def worked_out(operation: ast.operator, left: Value, right: Value) -> Literal | None:
    """``left + right`` and the like; None where one is no number, where it raises, and for other operators."""
    apply = _OPERATIONS.get(type(operation))
    first, second = number(left), number(right)
    if apply is None or first is None or second is None:
        return None
    try:
        result = apply(first, second)
    except ArithmeticError:
        return None
    # Neither too large nor NaN.
    return Literal(result) if abs(result) <= _LARGEST else None
