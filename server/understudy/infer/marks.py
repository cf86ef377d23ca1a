"""The marks around a test: those of its class and of the classes above it, and those of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import Absent, ClassEntity
from understudy.infer.resolve import Resolver
from understudy.source.dotted import dotted_name
from understudy.source.parse import Parsed

_NAME = "pytestmark"


@dataclass(frozen=True)
class Marks:
    """Marks as they are written; of the test's own class, all decorators."""

    found: tuple[ast.expr, ...]
    known: bool
    """False: there may be others."""


def around(resolver: Resolver, parsed: Parsed, module: Module, owner: ClassEntity | None) -> Marks:
    """The marks that a test has from its class and its module, which are the file's."""
    above = of_class(resolver, owner) if owner is not None else Marks((), True)
    outside = of_module(resolver, parsed, module)
    return Marks((*above.found, *outside.found), above.known and outside.known)


def of_class(resolver: Resolver, owner: ClassEntity) -> Marks:
    """Decorators and ``pytestmark`` of a class; of the classes above it, what is written as a mark."""
    found: list[ast.expr] = []
    known = True
    for cls in resolver.ancestry(owner).classes:
        if not cls.module.workspace or not _may_have_marks(cls):
            continue
        node = _node(resolver, cls)
        if node is None:
            known = False
            continue
        inside = _assigned(node.body)
        found.extend(d for d in node.decorator_list if cls == owner or _is_mark(d))
        found.extend(inside.found)
        known = known and inside.known
    return Marks(tuple(found), known)


def of_module(resolver: Resolver, parsed: Parsed, module: Module) -> Marks:
    """The ``pytestmark`` of a file."""
    inside = _assigned(unit.node for unit in parsed.units if unit.name is None and unit.mentions(_NAME))
    # A star import may bring it.
    known = not module.stars or resolver.module_attribute(module, _NAME) is Absent.MISSING
    return inside if known or inside.found else Marks((), False)


def _may_have_marks(cls: ClassEntity) -> bool:
    declared = cls.declaration
    return bool(declared.decorators) or any(
        isinstance(inner, model.Import) or getattr(inner, "target", None) == _NAME for inner in declared.body
    )


def _node(resolver: Resolver, cls: ClassEntity) -> ast.ClassDef | None:
    """The statement of a class at the top level of its file."""
    for unit in resolver.workspace.parsed(cls.path).units:
        if unit.row == cls.row and isinstance(unit.node, ast.ClassDef) and unit.node.name == cls.qualname:
            return unit.node
    return None


def _is_mark(decorator: ast.expr) -> bool:
    name = dotted_name(decorator.func if isinstance(decorator, ast.Call) else decorator) or ""
    return name.startswith(("pytest.mark.", "mark."))


def _assigned(body: Iterable[ast.AST]) -> Marks:
    """What a body binds to ``pytestmark``: all that it is, or is given, is collected."""
    found: list[ast.expr] = []
    known = True
    for node in body:
        value: ast.expr | None = None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.Assign) and any(_is_name(target) for target in node.targets):
            value = node.value
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and _is_name(node.target):
            value = node.value
        elif any(_binds(inner) for inner in ast.walk(node)):
            known = False
        if value is not None:
            found.extend(value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value])
    return Marks(tuple(found), known)


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == _NAME


def _binds(node: ast.AST) -> bool:
    if isinstance(node, ast.alias):
        return (node.asname or node.name) == _NAME
    return isinstance(node, ast.Name) and node.id == _NAME
