"""The built-in functions, and methods of lists and dicts."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from understudy.doubles.arguments import Arguments
from understudy.doubles.arithmetic import converted, number
from understudy.doubles.library import kinds
from understudy.doubles.library.played import TypeOfMock
from understudy.doubles.shapes import COROUTINE_ATTRIBUTES
from understudy.doubles.state import Guard, Misuse, Raised
from understudy.doubles.values import (
    UNKNOWN,
    Coroutine,
    Environment,
    ExceptionValue,
    Generator,
    Literal,
    Mapping_,
    Mock,
    Node,
    Place,
    Sequence_,
    Unknown,
    Value,
    one_of,
    part_of,
)

if TYPE_CHECKING:
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
_CALLING = frozenset({"filter", "map", "max", "min", "sorted"})
"""What calls the functions that it gets."""
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


_ORDERING: dict[str, type[ast.cmpop]] = {"max": ast.Gt, "min": ast.Lt, "sorted": ast.Lt}
"""Functions that compare a value with one before it, and how."""


def _range(bounds: list[Any]) -> Value:
    try:
        numbers = range(*bounds)
    except (TypeError, ValueError):
        return UNKNOWN
    return Sequence_.of("range", [Literal(n) for n in numbers] if len(numbers) <= 40 else None)


def call_builtin(machine: Machine, name: str, arguments: Arguments, node: Node, env: Environment) -> Value:
    values = arguments.values
    if name in _CALLING:
        machine.call_back()
    if name in ("getattr", "setattr", "delattr") and len(values) >= 2:
        key = values[1].value if isinstance(values[1], Literal) else None
        if name == "getattr":
            if isinstance(key, str) and len(values) == 2:
                return machine.attribute(values[0], key, node, env)
            if isinstance(key, str) and isinstance(values[0], Mock):
                there = _has_attribute(machine, values[0], values[1], node, env)
                if isinstance(there, Literal):
                    return machine.attribute(values[0], key, node, env) if there.value else values[2]
            return _any_of(values)
        if name == "setattr" and isinstance(key, str) and len(values) == 3:
            machine.set_attribute(values[0], key, values[2], Place(env.unit, node), env)
            return Literal(None)
        machine.escape(values)
        return UNKNOWN
    if name == "iter" and len(values) == 2:
        # The first one is called until it gives the second.
        machine.escape(values)
        return UNKNOWN
    if name in _ORDERING and "key" not in arguments.keywords and not arguments.is_open:
        if len(values) > 1:
            return _ordered(machine, name, values, [each or node for each in arguments.nodes], env)
    if name in _ITERATING and values:
        target = arguments.nodes[0]
        items = machine.items(values[0], target, env) if target is not None else None
        if name in _ORDERING and items is not None and "key" not in arguments.keywords:
            _ordered(machine, name, list(items), [target or node] * len(items), env)
        if name in ("list", "tuple", "set"):
            return Sequence_.of(name, items, (part_of(values[0]),) if items is None else ())
        if name == "sorted":
            return Sequence_.of("list", None, items or (part_of(values[0]),))
        if name == "iter":
            return Sequence_.of("iterator", items)
        if name == "enumerate" and items is not None and len(values) == 1:
            pairs = [Sequence_.of("tuple", (Literal(i), item)) for i, item in enumerate(items)]
            return Sequence_.of("iterator", pairs)
        if name == "zip" and items is not None:
            rows = [value.items if isinstance(value, Sequence_) else None for value in values[1:]]
            if None not in rows:
                known = [row for row in rows if row is not None]
                pairs = [Sequence_.of("tuple", row) for row in zip(items, *known, strict=False)]
                return Sequence_.of("iterator", pairs)
        return _any_of(values)
    if name == "next" and len(values) == 1 and isinstance(values[0], Sequence_):
        return _next(machine, values[0])
    if name in ("next", "anext") and len(values) == 1 and isinstance(values[0], Generator):
        first = machine.started(values[0])
        machine.may_raise()
        return first.value if first is not None and first.is_certain and name == "next" else UNKNOWN
    if name in ("list", "dict", "tuple", "set") and not values:
        if name == "dict":
            return Mapping_.of(arguments.keywords, is_open=arguments.is_open)
        return Sequence_.of(name, ())
    if name == "len" and values and isinstance(values[0], Coroutine) and arguments.nodes[0] is not None:
        error = "object of type 'coroutine' has no len()"
        return machine.fail(env, Misuse.COROUTINE_OPERATION, values[0], arguments.nodes[0], error)
    if name == "type" and len(values) == 1 and isinstance(values[0], Mock):
        return TypeOfMock(values[0])
    if name == "range" and values and all(isinstance(number(value), int) for value in values):
        return _range([number(value) for value in values])
    if name == "vars" and values:
        machine.escape(values)
        return UNKNOWN
    if name in _ASKING and values:
        return _ask(machine, name, arguments, node, env)
    if name == "hasattr" and len(values) == 2:
        return _has_attribute(machine, values[0], values[1], node, env)
    if name == "isinstance" and len(values) == 2:
        return kinds.is_instance(machine, values[0], values[1], arguments.nodes[1] or node, env)
    if name == "issubclass" and len(values) == 2 and kinds.is_no_class(values[1]):
        error = "issubclass() arg 2 must be a class, a tuple of classes, or a union"
        return machine.fail(env, Misuse.NO_CLASS, values[1], arguments.nodes[1] or node, error)
    if name == "callable" and len(values) == 1 and isinstance(values[0], Mock) and values[0].certain:
        return Literal(values[0].kind.callable)
    if name in _PURE_BUILTINS:
        return _any_of(arguments.everything())
    cls = getattr(builtins, name, None)
    if isinstance(cls, type) and issubclass(cls, BaseException):
        return ExceptionValue(name, False)
    machine.escape(arguments.everything())
    return UNKNOWN


def _any_of(values: Iterable[Value]) -> Value:
    """What a function may give that gives back one of its arguments, or something that holds them."""
    return one_of(each for value in values for each in (value, part_of(value)))


def _ordered(machine: Machine, name: str, values: list[Value], nodes: list[Node], env: Environment) -> Value:
    """The first comparison of ``max``, ``min`` and ``sorted``: of the second value with the first. Which others are
    made is a matter of the values."""
    op = _ORDERING[name]
    pair = nodes[1:2] + nodes[:1]
    if len(values) > 1 and all(isinstance(node, ast.expr) for node in pair):
        sides = tuple(node for node in pair if isinstance(node, ast.expr))
        machine.ordering(op(), (sides[0], sides[1]), values[1], values[0], env)
    return _any_of(values)


def _next(machine: Machine, iterator: Sequence_) -> Value:
    items = iterator.items
    if iterator.kind not in ("iterator", "generator") or items is None:
        return part_of(iterator)
    if not items:
        raise Raised("StopIteration")
    machine.write(iterator.slots, "items", items[1:])
    return items[0]


_RAISED = {
    "index": ("ValueError",),
    "remove": ("ValueError", "KeyError", "LookupError"),
    "pop": ("IndexError", "KeyError", "LookupError"),
    "popitem": ("KeyError", "LookupError"),
}
"""By methods of lists, sets and dicts, for what is not there."""


def call_sequence_method(machine: Machine, receiver: Sequence_, name: str, arguments: Arguments) -> Value:
    if name == "append" and len(arguments.values) == 1 and receiver.items is not None:
        machine.add(receiver, arguments.values[0])
        return Literal(None)
    if name == "copy" and receiver.items is not None:
        return Sequence_.of(receiver.kind, receiver.items)
    if name == "extend" and len(arguments.values) == 1 and receiver.items is not None:
        more = arguments.values[0]
        known = more.items if isinstance(more, Sequence_) else None
        if known is None:
            machine.scatter(receiver, part_of(more))
        else:
            machine.add(receiver, *known)
        return Literal(None)
    if name == "pop" and not arguments.values and receiver.items:
        *rest, last = receiver.items
        machine.write(receiver.slots, "items", tuple(rest))
        return last
    machine.may_raise_for(*_RAISED.get(name, ()))
    if name not in ("index", "count", "copy"):
        machine.scatter(receiver, *arguments.values)
    return part_of(receiver)


def call_mapping_method(machine: Machine, receiver: Mapping_, name: str, arguments: Arguments) -> Value:
    if name == "get" and arguments.values:
        found = receiver.get(arguments.values[0])
        if found is not None:
            return found
        if not receiver.is_open and receiver.slot(arguments.values[0]) is not None:
            return arguments.get(1, "default") or Literal(None)
    if name in ("items", "keys", "values") and not receiver.is_open:
        return _view(receiver, name)
    if len(arguments.values) < 2:
        machine.may_raise_for(*_RAISED.get(name, ()))
    if name not in ("items", "keys", "values", "copy", "get"):
        machine.escape([receiver])
    return part_of(receiver)


def _view(mapping: Mapping_, name: str) -> Value:
    """``dict.items()``, ``keys()``, ``values()``."""
    made: list[Value] = []
    for key, value in mapping.items():
        known = Literal(key)
        pair = Sequence_.of("tuple", (known, value))
        made.append({"items": pair, "keys": known}.get(name, value))
    return Sequence_.of(f"dict_{name}", made)


_COUNTED = frozenset({"dict_items", "dict_keys", "dict_values", "list", "range", "tuple"})
"""What has as many elements as were put into it; a set may have fewer."""
_ASKING = {"len": "__len__", "int": "__int__", "float": "__float__", "bool": "__bool__", "next": "__next__"}


def _length(value: Value) -> Literal | None:
    """Of what is wholly known; equal items of a set are one."""
    if isinstance(value, Sequence_) and value.items is not None:
        return Literal(len(value.items)) if value.kind in _COUNTED else None
    if isinstance(value, Mapping_) and not value.is_open:
        return Literal(sum(1 for _ in value.items()))
    if isinstance(value, Literal) and isinstance(value.value, (str, bytes)):
        return Literal(len(value.value))
    return None


def _ask(machine: Machine, name: str, arguments: Arguments, node: Node, env: Environment) -> Value:
    """``len(mock)``, ``int(mock)``…: what the special method gives."""
    value, where = arguments.values[0], arguments.nodes[0]
    known = _length(value) if name == "len" else converted(name, value)
    if known is not None:
        return known
    if name == "bool":
        truth = machine.truth(value)
        return UNKNOWN if truth is None else Literal(truth)
    if isinstance(value, Coroutine) and where is not None and name != "len":
        error = (
            _not_a_number(name, "coroutine") if name != "next" else "'coroutine' object is not an iterator"
        )
        return machine.fail(env, Misuse.COROUTINE_OPERATION, value, where, error)
    if not isinstance(value, Mock) or where is None:
        return part_of(value) if name == "next" else UNKNOWN
    if not value.certain:
        return UNKNOWN
    magic = _ASKING[name]
    supported = machine.shapes.supports(value, magic)
    if supported is None or (name == "next" and len(arguments.values) > 1):
        return UNKNOWN
    if supported:
        return machine.call_magic(value, magic, Arguments(), node, env)
    error = {
        "len": f"object of type {value.type_name!r} has no len()",
        "next": f"{value.type_name!r} object is not an iterator",
    }.get(name, _not_a_number(name, value.type_name))
    return machine.fail(env, Misuse.OPERATION, value, where, error)


def _not_a_number(function: str, kind: str) -> str:
    taken = "a string, a bytes-like object" if function == "int" else "a string"
    return f"{function}() argument must be {taken} or a real number, not {kind!r}"


def _has_attribute(machine: Machine, value: Value, name: Value, node: Node, env: Environment) -> Value:
    if (
        not isinstance(name, Literal)
        or not isinstance(name.value, str)
        or not isinstance(value, (Mock, Coroutine))
    ):
        return UNKNOWN
    if isinstance(value, Coroutine):
        return Literal(name.value in COROUTINE_ATTRIBUTES or name.value == "__await__")
    if not value.certain:
        return UNKNOWN
    guard = Guard(("AttributeError",))
    try:
        found = machine.guarded(guard, lambda: machine.mock_attribute(value, str(name.value), node, env))
    except Raised:
        return Literal(False)
    return UNKNOWN if isinstance(found, Unknown) else Literal(True)
