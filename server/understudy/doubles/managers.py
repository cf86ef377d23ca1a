"""Whether a context manager that is written as a generator may swallow what is raised in its ``with``."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from understudy.doubles.state import leaves
from understudy.doubles.values import ClassValue, Environment, FunctionValue, LibraryName
from understudy.infer.entities import FunctionEntity

if TYPE_CHECKING:
    from understudy.doubles.functions import Functions

_DEPTH = 4
SWALLOWING = ("raise", "suppress", "ignore")
"""In the names of managers that end what is raised in them."""
_PERHAPS_SWALLOWING = (*SWALLOWING, "warns", "exitstack")


def swallows(machine: Functions, function: FunctionValue, depth: int = 0) -> bool:
    """May the generator go on to its end where an exception comes out of its ``yield``?"""
    assert not isinstance(function.node, ast.Lambda)
    env = Environment(function.module, function.unit, {}, function.closure, frozenset())
    for node in ast.walk(function.node):
        if isinstance(node, ast.Try) and node.handlers and _yields(node):
            return True
        if node.__class__.__name__ == "TryStar" and _yields(node):
            return True
        if isinstance(node, ast.YieldFrom):
            return True
        if isinstance(node, ast.Try) and any(map(_yields, node.body)):
            if leaves(*node.finalbody):
                return True
        if isinstance(node, (ast.With, ast.AsyncWith)) and any(map(_yields, node.body)):
            for item in node.items:
                if _item_swallows(machine, item.context_expr, env, depth, function):
                    return True
    return False


def exits_with_answer(machine: Functions, leave: FunctionEntity) -> bool:
    """Does ``__exit__`` return something, which may be true?"""
    found = machine.node_of(leave)
    return found is None or any(
        isinstance(child, ast.Return) and child.value is not None for child in ast.walk(found[0])
    )


def _yields(node: ast.AST) -> bool:
    return any(isinstance(child, (ast.Yield, ast.YieldFrom)) for child in ast.walk(node))


def _item_swallows(
    machine: Functions, manager: ast.expr, env: Environment, depth: int, inside: FunctionValue
) -> bool:
    func = manager.func if isinstance(manager, ast.Call) else manager
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    if any(word in name.lower() for word in _PERHAPS_SWALLOWING):
        return True
    made_by = machine.lookup(env, func.id) if isinstance(func, ast.Name) else None
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and inside.owner is not None:
        # ``self.guard()``
        found = machine.resolver.class_attribute(inside.owner, func.attr)
        if isinstance(found, FunctionEntity) and found.module.workspace:
            made_by = machine.raw_function(found)
    if isinstance(made_by, LibraryName):
        return any(word in made_by.entity.dotted.lower() for word in _PERHAPS_SWALLOWING)
    if isinstance(made_by, FunctionValue) and not isinstance(made_by.node, ast.Lambda):
        return depth >= _DEPTH or swallows(machine, made_by, depth + 1)
    if isinstance(made_by, ClassValue):
        for exit_name in ("__exit__", "__aexit__"):
            leave = machine.resolver.class_attribute(made_by.entity, exit_name)
            if isinstance(leave, FunctionEntity) and exits_with_answer(machine, leave):
                return True
    return False
