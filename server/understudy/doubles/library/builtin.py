"""The built-in functions, and methods of lists and dicts."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from understudy.doubles.library.played import TypeOfMock
from understudy.doubles.state import Misuse
from understudy.doubles.values import (
    UNKNOWN,
    Coroutine,
    Environment,
    ExceptionValue,
    Literal,
    Mapping_,
    Mock,
    Node,
    Place,
    Sequence_,
    Value,
)

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments
    from understudy.doubles.objects import Objects as Machine

_PURE_BUILTINS = frozenset(
    {
        "print", "repr", "str", "int", "float", "bool", "bytes", "len", "isinstance", "issubclass", "hasattr",
        "callable", "type", "id", "hash", "min", "max", "sum", "abs", "round", "format", "sorted", "list", "tuple",
        "set", "frozenset", "dict", "enumerate", "zip", "map", "filter", "reversed", "any", "all", "iter", "next",
        "range", "vars", "dir", "ord", "chr", "divmod", "pow", "open", "input", "memoryview", "slice", "object",
        "aiter", "anext",
    }
)  # fmt: skip
_ITERATING = frozenset(
    {
        "list",
        "tuple",
        "set",
        "frozenset",
        "sorted",
        "sum",
        "min",
        "max",
        "any",
        "all",
        "enumerate",
        "iter",
        "zip",
    }
)


def _is_int(value: Value) -> bool:
    return isinstance(value, Literal) and type(value.value) is int


def _range(bounds: list[Any]) -> Value:
    try:
        numbers = range(*bounds)
    except (TypeError, ValueError):
        return UNKNOWN
    return Sequence_.of("range", [Literal(n) for n in numbers] if len(numbers) <= 40 else None)


def call_builtin(machine: Machine, name: str, arguments: Arguments, node: Node, env: Environment) -> Value:
    values = arguments.values
    if name in ("getattr", "setattr", "delattr") and len(values) >= 2:
        key = values[1].value if isinstance(values[1], Literal) else None
        if name == "getattr":
            if isinstance(key, str) and len(values) == 2:
                return machine.attribute(values[0], key, node, env)
            return UNKNOWN
        if name == "setattr" and isinstance(key, str) and len(values) == 3:
            machine.set_attribute(values[0], key, values[2], Place(env.unit, node), env)
            return Literal(None)
        machine.escape(values)
        return UNKNOWN
    if name in _ITERATING and values:
        target = arguments.nodes[0]
        items = machine.items(values[0], target, env) if target is not None else None
        if name in ("list", "tuple", "set", "sorted"):
            return Sequence_.of(name if name != "sorted" else "list", items)
        return UNKNOWN
    if name in ("list", "dict", "tuple", "set") and not values:
        if name == "dict":
            return Mapping_.of(arguments.keywords, is_open=arguments.is_open)
        return Sequence_.of(name, ())
    if name == "len" and values and isinstance(values[0], Coroutine) and arguments.nodes[0] is not None:
        error = "object of type 'coroutine' has no len()"
        return machine.fail(env, Misuse.COROUTINE_OPERATION, values[0], arguments.nodes[0], error)
    if name == "type" and len(values) == 1 and isinstance(values[0], Mock):
        return TypeOfMock(values[0])
    if name == "range" and values and all(_is_int(value) for value in values):
        return _range([value.value for value in values if isinstance(value, Literal)])
    if name == "vars" and values:
        machine.escape(values)
        return UNKNOWN
    if name in _PURE_BUILTINS:
        return UNKNOWN
    cls = getattr(builtins, name, None)
    if isinstance(cls, type) and issubclass(cls, BaseException):
        return ExceptionValue(name, False)
    machine.escape(arguments.everything())
    return UNKNOWN


def call_sequence_method(machine: Machine, receiver: Sequence_, name: str, arguments: Arguments) -> Value:
    if name == "append" and len(arguments.values) == 1 and receiver.items is not None:
        machine.write(receiver.slots, "items", (*receiver.items, arguments.values[0]))
        return Literal(None)
    if name in ("index", "count", "copy"):
        return UNKNOWN
    machine.write(receiver.slots, "items", None)
    return UNKNOWN


def call_mapping_method(machine: Machine, receiver: Mapping_, name: str, arguments: Arguments) -> Value:
    if name == "get" and arguments.values and isinstance(arguments.values[0], Literal):
        found = receiver.get(arguments.values[0].value)
        if found is not None:
            return found
        return UNKNOWN if receiver.slots["open"] else arguments.get(1, "default") or Literal(None)
    if name in ("items", "keys", "values", "copy", "get"):
        return UNKNOWN
    machine.escape([receiver])
    return UNKNOWN
