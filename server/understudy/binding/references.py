"""What refers to a function or a class of the workspace otherwise than by calling it: only that can keep it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from understudy.doubles.library import web
from understudy.infer.entities import ClassEntity, FunctionEntity, ModuleEntity
from understudy.infer.resolve import Resolver
from understudy.infer.scopes import LocalNames, Scope
from understudy.source.computed import beginning
from understudy.source.dotted import dotted_name, last_name
from understudy.source.parse import Unit, children
from understudy.source.span import Span

_COMPUTING = re.compile(rb"\bgetattr\(")
_DOTTED = re.compile(r"[\w.]+")
_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.GeneratorExp,
    ast.DictComp,
)


@dataclass
class References:
    """Who refers to one function or class in the files of a workspace."""

    is_kept: bool = False
    """May something keep it: a ``Depends``, a table, an argument, a string that names it? The keys under which a test
    overrides it do not."""
    calls: list[tuple[Path, Span]] = field(default_factory=list)
    """Where it is called outside tests."""
    results: list[tuple[Path, Span]] = field(default_factory=list)
    """Where what its call gives is a dependency: ``Depends(f(…))``."""


def references(
    resolver: Resolver, entity: FunctionEntity | ClassEntity, is_test: Callable[[Path], bool]
) -> References:
    """Found once for each state of the workspace."""
    workspace = resolver.workspace
    key = f"binding.references {entity.path}:{entity.qualname}"
    return workspace.derived(key, lambda: _references(Resolver(workspace), entity, is_test))


def _references(
    resolver: Resolver, entity: FunctionEntity | ClassEntity, is_test: Callable[[Path], bool]
) -> References:
    found = References()
    if any(_computes(resolver, path, entity) for path in resolver.workspace.files_with(_COMPUTING)):
        found.is_kept = True
        return found
    pattern = re.compile(rb"\b" + re.escape(entity.name.encode()) + rb"\b")
    for path in resolver.workspace.files_with(pattern):
        module, parsed = resolver.workspace.module(path), resolver.workspace.readable(path)
        if module is None or parsed is None or parsed.problems:
            found.is_kept = True
            return found
        names = LocalNames(module, resolver)
        for unit in parsed.units:
            if unit.mentions(entity.name):
                _Reader(names, entity, unit, is_test(path), found).visit(unit.node, Scope(None, None))
                if found.is_kept:
                    return found
    return found


def _computes(resolver: Resolver, path: Path, entity: FunctionEntity | ClassEntity) -> bool:
    """Does a file take names out of the module that it computes, as ``getattr(deps, f"get_{name}")``?"""
    module, parsed = resolver.workspace.module(path), resolver.workspace.readable(path)
    if module is None or parsed is None:
        return True
    for _, node in parsed.walk():
        if isinstance(node, ast.Call) and last_name(node) == "getattr" and len(node.args) > 1:
            owner, key = node.args[:2]
            if isinstance(key, ast.Constant) or not entity.name.startswith(beginning(key)):
                continue
            parts = (dotted_name(owner) or "").split(".")
            of = resolver.ref(module, tuple(parts)) if parts[0] else None
            if isinstance(of, ModuleEntity) and of.file.path == entity.path:
                return True
    return False


def is_overrides(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """Is this ``app.dependency_overrides``?"""
    return isinstance(node, ast.Attribute) and node.attr == web.OVERRIDES


def keys(node: ast.AST) -> list[ast.expr]:
    """The keys under which an expression or a statement overrides dependencies, or takes that back."""
    if isinstance(node, ast.Subscript) and is_overrides(node.value):
        return [node.slice]
    if isinstance(node, ast.Compare) and any(map(is_overrides, node.comparators)):
        return [node.left]
    if isinstance(node, ast.Assign) and any(map(is_overrides, node.targets)):
        return _keys_of(node.value)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and is_overrides(node.func.value):
            return _keys_of(node.args[0]) if node.args else []
        if len(node.args) > 1 and is_overrides(node.args[0]):
            # ``patch.dict(app.dependency_overrides, {f: …})``, ``monkeypatch.setitem(app.dependency_overrides, f, …)``
            return _keys_of(node.args[1])
    return []


def _keys_of(node: ast.expr) -> list[ast.expr]:
    return [key for key in node.keys if key is not None] if isinstance(node, ast.Dict) else [node]


@dataclass
class _Reader:
    """Reads one statement of a module."""

    names: LocalNames
    entity: FunctionEntity | ClassEntity
    unit: Unit
    is_test: bool
    found: References
    overriding: set[ast.AST] = field(default_factory=set)
    """Keys of overrides in tests."""
    given: set[ast.AST] = field(default_factory=set)
    """Arguments of ``Depends``."""

    def visit(self, node: ast.AST, scope: Scope) -> None:
        name = self.entity.name
        if self.is_test:
            self.overriding.update(keys(node))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Constant):
            self._string(node.value)
        elif isinstance(node, ast.alias):
            last = node.name.rpartition(".")[2]
            if last == name and node.asname not in (None, name):
                self.found.is_kept = True
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            last = node.id if isinstance(node, ast.Name) else node.attr
            if last == name and node not in self.overriding and self._may_be_it(node, scope):
                self.found.is_kept = True
        elif isinstance(node, ast.Call):
            self._call(node, scope)
            return
        if isinstance(node, ast.Assign) and any(last_name(each) == "__all__" for each in node.targets):
            return
        inner = Scope(node, scope) if isinstance(node, _SCOPES) else scope
        for child in children(node):
            self.visit(child, inner)

    def _call(self, node: ast.Call, scope: Scope) -> None:
        if last_name(node) in web.DEPENDS:
            self.given.update(node.args)
        if last_name(node) == self.entity.name:
            if self._may_be_it(node.func, scope):
                place = self.unit.path, self.unit.span(node)
                if node in self.given:
                    self.found.results.append(place)
                elif not self.is_test:
                    self.found.calls.append(place)
            if isinstance(node.func, ast.Attribute):
                self.visit(node.func.value, scope)
        else:
            self.visit(node.func, scope)
        for child in (*node.args, *node.keywords):
            self.visit(child, scope)

    def _string(self, value: object) -> None:
        # A name, a path to it, or an annotation: no sentence, and no path of an URL.
        if not isinstance(value, str) or self.entity.name not in value:
            return
        named = rf"(?:^|[.:(\[,] *){re.escape(self.entity.name)}(?:$|[)\],])"
        # What a test patches is named by a string, too.
        if re.search(named, value) and not (self.is_test and _DOTTED.fullmatch(value)):
            self.found.is_kept = True

    def _may_be_it(self, node: ast.expr, scope: Scope) -> bool:
        found = self.names.resolve(node, scope)
        return not isinstance(found, (FunctionEntity, ClassEntity, ModuleEntity)) or found == self.entity
