"""The built-in functions, and methods of lists and dicts."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from understudy.doubles import trace
from understudy.doubles.arguments import Arguments
from understudy.doubles.arithmetic import converted, number
from understudy.doubles.library import kinds
from understudy.doubles.library.played import TypeOfMock
from understudy.doubles.shapes import COROUTINE_ATTRIBUTES
from understudy.doubles.state import Guard, Misuse, Raised
from understudy.doubles.values import (
    ITERATORS,
    UNKNOWN,
    ClassValue,
    Coroutine,
    Environment,
    ExceptionValue,
    FunctionValue,
    Generator,
    Instance,
    Literal,
    Mapping_,
    Mock,
    ModuleValue,
    Node,
    Place,
    Sequence_,
    Unknown,
    Value,
    as_set,
    one_of,
    part_of,
    without_order,
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


_IN_ANY_ORDER = frozenset({"all", "any", "frozenset", "set", "sum"})
"""What gives the same whichever comes first."""
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
        trace.handed_over(machine, arguments.everything())
        machine.unsettle([each for value in values if isinstance(value, Sequence_) for each in value.held])
    if name in ("getattr", "setattr", "delattr") and len(values) >= 2:
        key = values[1].value if isinstance(values[1], Literal) else None
        if name == "getattr":
            if isinstance(key, str) and len(values) == 2:
                return machine.attribute(values[0], key, node, env)
            if not isinstance(key, str):
                machine.may_raise_for("AttributeError")
                # Whatever it is, it may be a method, and called.
                machine.unsettle(values[:1])
            if isinstance(key, str) and isinstance(values[0], Mock):
                there = _has_attribute(machine, values[0], values[1], node, env)
                if isinstance(there, Literal):
                    return machine.attribute(values[0], key, node, env) if there.value else values[2]
            return _any_of(values)
        if name == "setattr" and isinstance(key, str) and len(values) == 3:
            machine.set_attribute(values[0], key, values[2], Place(env.unit, node), env)
            return Literal(None)
        machine.escape(values)
        if isinstance(values[0], (ClassValue, ModuleValue)):
            machine.lose(key if isinstance(key, str) else None)
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
        if isinstance(values[0], Sequence_) and without_order(values[0]) and name in _IN_ANY_ORDER:
            items = values[0].items
        if name in ("max", "min") and items == () and "default" not in arguments.keywords:
            machine.may_raise()
        if name in _ORDERING and items is not None and "key" not in arguments.keywords:
            _ordered(machine, name, list(items), [target or node] * len(items), env)
        if name in ("any", "all") and items is not None:
            return _any_or_all(machine, name, items)
        if name == "sum" and items is not None and isinstance(target, ast.expr) and not arguments.is_open:
            start = arguments.get(1, "start") or Literal(0)
            return _sum(machine, start, items, target, env)
        if name in ("frozenset", "set"):
            return as_set(items, () if items is not None else (part_of(values[0]),))
        if name in ("list", "tuple"):
            return Sequence_.of(name, items, (part_of(values[0]),) if items is None else ())
        if name == "sorted":
            return Sequence_.of("list", None, items or (part_of(values[0]),))
        if name == "iter":
            return Sequence_.of("iterator", items)
        if name == "enumerate" and items is not None and not arguments.is_open:
            begin = number(arguments.get(1, "start") or Literal(0))
            numbers = [Literal(begin + i) if isinstance(begin, int) else UNKNOWN for i in range(len(items))]
            pairs = [Sequence_.of("tuple", pair) for pair in zip(numbers, items, strict=True)]
            return Sequence_.of("iterator", pairs)
        if name == "zip" and items is not None:
            rows = [machine.taken(value) if isinstance(value, Sequence_) else None for value in values[1:]]
            strict = machine.truth(arguments.keywords.get("strict", Literal(False)))
            if strict is not False:
                if None not in rows and len({len(items), *(len(row or ()) for row in rows)}) > 1:
                    machine.may_raise()
                machine.may_raise_for("ValueError")
            if None not in rows and not arguments.is_open:
                known = [row for row in rows if row is not None]
                pairs = [Sequence_.of("tuple", row) for row in zip(items, *known, strict=False)]
                return Sequence_.of("iterator", pairs)
        return _any_of(values)
    if name == "next" and len(values) in (1, 2) and isinstance(values[0], Sequence_):
        return _next(machine, values[0], values[1:])
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
    if name == "type" and len(values) == 1 and isinstance(values[0], Instance):
        return ClassValue(values[0].entity)
    if name == "range" and values and all(isinstance(number(value), int) for value in values):
        return _range([number(value) for value in values])
    if name == "vars" and values:
        if isinstance(values[0], Mock):
            return machine.mock_attribute(values[0], "__dict__", node, env)
        machine.escape(values)
        return UNKNOWN
    if name in _ASKING and values:
        return _ask(machine, name, arguments, node, env)
    if name == "hasattr" and len(values) == 2:
        return _has_attribute(machine, values[0], values[1], node, env)
    if name == "isinstance" and len(values) == 2:
        answer = kinds.is_instance(machine, values[0], values[1], arguments.nodes[1] or node, env)
        kinds.asserted(machine, values[0], answer, node, env)
        return answer
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


def _any_or_all(machine: Machine, name: str, items: Iterable[Value]) -> Value:
    truths = {machine.truth(item) for item in items}
    decisive = name == "any"
    if decisive in truths:
        return Literal(decisive)
    return UNKNOWN if None in truths else Literal(not decisive)


def _sum(machine: Machine, total: Value, items: Iterable[Value], node: ast.expr, env: Environment) -> Value:
    for item in items:
        total = machine.operation(ast.Add(), (node, node), total, item, env)
    return total


def _ordered(machine: Machine, name: str, values: list[Value], nodes: list[Node], env: Environment) -> Value:
    """The first comparison of ``max``, ``min`` and ``sorted``: of the second value with the first. Which others are
    made is a matter of the values."""
    op = _ORDERING[name]
    pair = nodes[1:2] + nodes[:1]
    if len(values) > 1 and all(isinstance(node, ast.expr) for node in pair):
        sides = tuple(node for node in pair if isinstance(node, ast.expr))
        machine.ordering(op(), (sides[0], sides[1]), values[1], values[0], env)
    return _any_of(values)


def _next(machine: Machine, iterator: Sequence_, default: list[Value]) -> Value:
    machine.may_be_made(iterator)
    items = iterator.items
    if iterator.kind not in ITERATORS or items is None:
        return _any_of([iterator, *default])
    if not items and default:
        return default[0]
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
        known = machine.taken(more) if isinstance(more, Sequence_) else None
        if known is None:
            machine.scatter(receiver, part_of(more))
        else:
            machine.add(receiver, *known)
        return Literal(None)
    if name == "pop" and not arguments.values and receiver.items and not without_order(receiver):
        *rest, last = receiver.items
        machine.write(receiver.slots, "items", tuple(rest))
        return last
    if receiver.items == () and name in _RAISED:
        machine.may_raise()
    machine.may_raise_for(*_RAISED.get(name, ()))
    if name not in ("index", "count", "copy"):
        machine.scatter(receiver, *arguments.values)
    return part_of(receiver)


def call_mapping_method(machine: Machine, receiver: Mapping_, name: str, arguments: Arguments) -> Value:
    if name in ("items", "keys", "values") and not receiver.is_open:
        return _view(receiver, name)
    if name in ("items", "keys", "values", "copy"):
        return part_of(receiver)
    if name in ("get", "pop", "setdefault") and arguments.values and not arguments.is_open:
        return _look_up(machine, receiver, name, arguments)
    if name == "update" and not arguments.is_open and len(arguments.values) <= 1:
        given = arguments.values[0] if arguments.values else Mapping_.of({}, is_open=False)
        if isinstance(given, Mapping_) and not given.is_open:
            for key, value in (*given.items(), *arguments.keywords.items()):
                machine.write(receiver.slots, f"[{key!r}]", value)
            return Literal(None)
    if name == "clear":
        was_open = receiver.is_open
        machine.scatter(receiver)
        for key in [key for key in receiver.slots if key.startswith("[")]:
            machine.delete(receiver.slots, key)
        machine.write(receiver.slots, "among", ())
        # Whoever else has it may fill it again.
        machine.write(receiver.slots, "open", was_open)
        return Literal(None)
    machine.may_raise_for(*_RAISED.get(name, ()))
    if name != "get":
        machine.scatter(receiver, *[part_of(value) for value in arguments.everything()])
    return part_of(receiver)


def _look_up(machine: Machine, receiver: Mapping_, name: str, arguments: Arguments) -> Value:
    """``dict.get``, ``pop`` and ``setdefault``."""
    key = receiver.slot(arguments.values[0])
    found = receiver.get(arguments.values[0])
    default = arguments.get(1, "default")
    if found is not None:
        if name == "pop" and key is not None:
            machine.delete(receiver.slots, key)
        return found
    if key is not None and not receiver.is_open:
        if name == "pop" and default is None:
            machine.may_raise()
            return UNKNOWN
        given = default or Literal(None)
        if name == "setdefault":
            machine.write(receiver.slots, key, given)
        return given
    if name == "pop" and default is None:
        machine.may_raise_for(*_RAISED["pop"])
    if name != "get":
        machine.scatter(receiver, *arguments.values[1:])
    return _any_of([receiver, *arguments.values[1:]]) if name != "get" else part_of(receiver)


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
    if isinstance(value, Instance) and name != "bool":
        asked = machine.instance_attribute(value, _ASKING[name])
        if isinstance(asked, FunctionValue):
            return machine.call_function(asked, Arguments(), node, env)
        machine.loosen(value)
    if not isinstance(value, Mock) or where is None:
        return part_of(value) if name == "next" else UNKNOWN
    if not value.certain:
        return UNKNOWN
    magic = _ASKING[name]
    supported = machine.shapes.supports(value, magic)
    if supported is None or (name == "next" and len(arguments.values) > 1):
        return UNKNOWN
    if (
        not supported
        and name in ("float", "int")
        and machine.shapes.supports(value, "__index__") is not False
    ):
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
