"""The statements that classes and functions at the top level of their files are made by."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.source.parse import Unit
from understudy.source.text import SourceError

if TYPE_CHECKING:
    from understudy.infer.resolve import Resolver

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def class_node(resolver: Resolver, cls: ClassEntity) -> ast.ClassDef | None:
    for unit in _units(resolver, cls):
        if isinstance(unit.node, ast.ClassDef) and unit.node.name == cls.qualname:
            return unit.node
    return None


def function_node(resolver: Resolver, function: FunctionEntity) -> FunctionNode | None:
    for unit in _units(resolver, function):
        if isinstance(unit.node, FunctionNode) and unit.node.name == function.qualname:
            return unit.node
    return None


def _units(resolver: Resolver, entity: ClassEntity | FunctionEntity) -> Iterator[Unit]:
    try:
        units = resolver.workspace.parsed(entity.path).units
    except SourceError:
        return
    yield from (unit for unit in units if unit.row == entity.row)
