"""What can certainly not be awaited: values, and what a function of the workspace returns on every path."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from understudy.doubles.values import (
    ClassValue,
    ExceptionValue,
    FunctionValue,
    Instance,
    Literal,
    Mapping_,
    Sentinel,
    Sequence_,
    Value,
    kind_of,
)
from understudy.infer.entities import Absent, External

if TYPE_CHECKING:
    from understudy.doubles.core import Core

_DISPLAYS = (
    ast.Constant,
    ast.JoinedStr,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Dict,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
)
_PLAIN_CALLS = frozenset(
    {
        "bool",
        "bytes",
        "dict",
        "float",
        "frozenset",
        "int",
        "isinstance",
        "len",
        "list",
        "repr",
        "set",
        "sorted",
    }
    | {"str", "tuple"}
)


def kind_if_plain(machine: Core, value: Value) -> str | None:
    """The class of a value that has no ``__await__``, as messages print it; None when it may have one."""
    if isinstance(value, (Literal, Sequence_, Mapping_, FunctionValue, ClassValue, ExceptionValue, Sentinel)):
        return kind_of(value)
    if isinstance(value, Instance) and not value.opaque:
        found = [machine.resolver.class_attribute(value.entity, n) for n in ("__await__", "__getattr__")]
        if all(each is Absent.MISSING for each in found) and not value.entity.declaration.decorators:
            return value.entity.name
    return None


def plain_returns(machine: Core, function: FunctionValue) -> bool:
    """Does every ``return`` of a function, as it is written, give something that cannot be awaited?"""
    node = function.node
    if isinstance(node, ast.Lambda):
        return _is_plain(machine, function, node.body)
    if function.is_async:
        return False
    stack: list[ast.AST] = list(node.body)
    while stack:
        child = stack.pop()
        if isinstance(child, (ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(child, ast.Return) and child.value is not None:
            if not _is_plain(machine, function, child.value):
                return False
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(child))
    return True


def _is_plain(machine: Core, function: FunctionValue, node: ast.expr) -> bool:
    if isinstance(node, _DISPLAYS):
        return True
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Compare):
        return all(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops)
    if isinstance(node, ast.IfExp):
        return _is_plain(machine, function, node.body) and _is_plain(machine, function, node.orelse)
    if isinstance(node, ast.BoolOp):
        return all(_is_plain(machine, function, value) for value in node.values)
    if isinstance(node, ast.Name):
        return _is_plain_variable(machine, function, node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PLAIN_CALLS:
        name = node.func.id
        return (
            function.closure is None
            and name not in machine.local_names(function.node)
            and (str(function.module.path), name) not in machine.overrides
            and machine.resolver.name(function.module, name) == External(f"builtins.{name}")
        )
    return False


def _is_plain_variable(machine: Core, function: FunctionValue, name: str) -> bool:
    """Is a name local, and bound by nothing but assignments of something that cannot be awaited?"""
    bound = 0
    values: list[ast.expr] = []
    for child in ast.walk(function.node):
        if isinstance(child, ast.Name) and child.id == name and not isinstance(child.ctx, ast.Load):
            bound += 1
        elif isinstance(child, ast.Assign) and len(child.targets) == 1:
            if isinstance(child.targets[0], ast.Name) and child.targets[0].id == name:
                values.append(child.value)
        elif isinstance(child, (ast.Global, ast.Nonlocal)) and name in child.names:
            return False
        elif name in (getattr(child, "name", None), getattr(child, "asname", None)):
            # An import, a function, ``except … as``, a pattern.
            return False
        elif isinstance(child, ast.arg) and child.arg == name:
            return False
    others = (node for node in values if not isinstance(node, ast.Name))
    return 0 < bound == len(values) and len(values) == sum(
        _is_plain(machine, function, node) for node in others
    )
