"""Which functions of a file are tests that run, as pytest and unittest collect them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer import marks
from understudy.infer.entities import ClassEntity, FunctionEntity, ValueEntity
from understudy.infer.resolve import Resolver
from understudy.project.config import pytest_of
from understudy.source.parse import Parsed, Unit

_ALL_NAMES = re.compile(r"\bglobals\(\)\s*(?:\)|\.\s*(?:copy|items|keys|values)\b)")
_RUN_BY = ("run", "__call__", "debug", "_callTestMethod", "_callSetUp", "_callTearDown")
"""Methods of a test case that run its tests otherwise."""


@dataclass(frozen=True)
class Test:
    """A test function of a file."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    unit: Unit
    owner: ClassEntity | None
    owner_node: ast.ClassDef | None


def tests(parsed: Parsed, module: Module, resolver: Resolver) -> Iterator[Test]:
    """The test functions that pytest, or unittest, would collect."""
    config = pytest_of(parsed.path.parent)
    collected = config.collects(parsed.path)
    if "globals()" in parsed.text.content and any(map(_goes_through, parsed.units)):
        return
    for unit in parsed.units:
        node = unit.node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if (
                collected
                and node.name.startswith("test")
                and config.collects_function(node.name)
                and not _not_run(node, module, resolver)
                and _stands(module, node.name, unit)
            ):
                yield Test(node, unit, None, None)
        elif isinstance(node, ast.ClassDef) and _stands(module, node.name, unit):
            yield from _methods(node, unit, module, resolver, collected)


def _goes_through(unit: Unit) -> bool:
    """Does a statement go through all names of the module, and perhaps bind them anew?
    ``for name, test in list(globals().items()): …``"""
    if unit.name is not None:
        return False
    node = unit.node
    return isinstance(node, (ast.For, ast.While)) and _ALL_NAMES.search(unit.source(node)) is not None


def _stands(module: Module, name: str, unit: Unit) -> bool:
    """Is the name still bound to this statement when the module is loaded, and may what it is be collected?"""
    if not {"__test__", "pytestmark", None}.isdisjoint(module.set_on_classes.get(name, ())):
        return False
    return module.bindings.last_row(name) == unit.row


def _methods(
    node: ast.ClassDef, unit: Unit, module: Module, resolver: Resolver, collected: bool
) -> Iterator[Test]:
    """
    :param collected: is pytest looking for classes of its own in the file?
    """
    declaration = module.bindings[node.name][-1].declaration
    if not isinstance(declaration, model.Class):
        return
    entity = ClassEntity(module, declaration, unit.row, node.name)
    if not resolver.is_test_case(entity):
        config = pytest_of(module.path.parent)
        if not collected or not node.name.startswith("Test") or not config.collects_class(node.name):
            return
        if isinstance(resolver.class_attribute(entity, "__init__"), FunctionEntity):
            return
    if _is_run_otherwise(resolver, entity):
        return
    switch = resolver.class_attribute(entity, "__test__")
    if isinstance(switch, ValueEntity) or marks.may_not_run(marks.of_class(resolver, entity).found):
        return
    last: dict[str, Test] = {}
    for child in node.body:
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and child.name.startswith("test"):
            last[child.name] = Test(child, unit, entity, node)
        else:
            for name in _bound_in(child):
                last.pop(name, None)
    yield from (test for test in last.values() if not _not_run(test.node, module, resolver))


def _is_run_otherwise(resolver: Resolver, entity: ClassEntity) -> bool:
    """Does the class have a say in what its tests are, or in how they are run?"""
    for cls in resolver.ancestry(entity).classes:
        if not cls.module.workspace:
            continue
        if any(resolver.declared(cls, name) for name in _RUN_BY):
            return True
        if cls != entity and resolver.declared(cls, "__init_subclass__"):
            return True
        for keyword in cls.declaration.keywords:
            made_by = resolver.base(cls, keyword.value) if keyword.name == "metaclass" else None
            if isinstance(made_by, ClassEntity) and made_by.module.workspace:
                return True
    return False


def _bound_in(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a class body binds, deletes, or sets attributes on."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Name):
                yield node.value.id
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name


def _not_run(node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module, resolver: Resolver) -> bool:
    return marks.may_not_run(marks.meant(resolver, module, decorator) for decorator in node.decorator_list)
