"""Who looks a module's name up when it runs: the code that a patch of that name can reach."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from understudy.index.module import Module
from understudy.infer.entities import ModuleEntity
from understudy.infer.resolve import Resolver
from understudy.infer.scopes import Scope, import_facts
from understudy.source.parse import Parsed

_STAR = re.compile(rb"\bimport\s*\*")
_BY_NAME = re.compile(r"\b(?:import_module|__import__|resolve_name)\(")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def reads(
    resolver: Resolver, module: Module, name: str, is_test: Callable[[Path], bool], loaded: Container[Path]
) -> bool:
    """May any code of the workspace, other than tests, look ``name`` up in ``module`` when it runs? Modules that are
    not ``loaded`` yet do so when they take the name at import time."""
    pattern = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
    for path in resolver.workspace.files_with(pattern):
        if path != module.path and is_test(path):
            continue
        parsed = resolver.workspace.readable(path)
        if parsed is None or parsed.problems:
            return True
        if path == module.path:
            if _own(parsed, name):
                return True
        elif (path in loaded or _may_be_loaded(resolver, path)) and _from_outside(
            resolver, path, parsed, module, name, path in loaded
        ):
            return True
    return any(
        path not in loaded and not is_test(path) and _takes_all(resolver, path, module)
        for path in resolver.workspace.files_with(_STAR)
    )


def _may_be_loaded(resolver: Resolver, path: Path) -> bool:
    """Does any other file import a module of this name, or have it in a string? A script that none does runs alone."""
    stem = path.parent.name if path.stem == "__init__" else path.stem
    word = re.escape(stem.encode())
    mention = re.compile(
        rb"^[ \t]*(?:from|import)\b[^\n]*\b" + word + rb"\b"
        rb"|^[ \t]*" + word + rb"(?:[ \t]+as[ \t]+\w+)?[ \t]*,?[ \t]*(?:#.*)?$"
        rb"|[\"'][\w.]*\b" + word + rb"[\"']",
        re.MULTILINE,
    )
    return resolver.workspace.any_with(mention, other_than=path)


def _takes_all(resolver: Resolver, path: Path, module: Module) -> bool:
    """``from module import *`` at import time."""
    importer = resolver.workspace.module(path)
    for star in importer.stars if importer is not None else ():
        source = resolver.imported_module(importer, star) if importer is not None else None
        if isinstance(source, ModuleEntity) and source.file.path == module.path:
            return True
    return False


def _own(parsed: Parsed, name: str) -> bool:
    """Does a function of the module itself read its global?"""
    for unit in parsed.units:
        for function in ast.walk(unit.node):
            if not isinstance(function, _FUNCTIONS):
                continue
            if name in Scope(function, None).names:
                continue
            body = [function.body] if isinstance(function, ast.Lambda) else function.body
            for statement in body:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                        return True
                    if isinstance(node, ast.Constant) and node.value == name:
                        return True
    return False


def _from_outside(
    resolver: Resolver, path: Path, parsed: Parsed, module: Module, name: str, is_loaded: bool
) -> bool:
    """Does another file read the name as an attribute, by its string, or by an import inside a function? By any import,
    when it is loaded later."""
    importer = resolver.workspace.module(path)
    if importer is None:
        return True
    modules = _modules(resolver, importer)
    own = {module.name.rpartition(".")[2]}
    own.update(name for name, found in modules.items() if found == module.path)
    # Where modules are in variables, any variable may be this one.
    is_open = bool(_BY_NAME.search(parsed.text.content)) or _is_kept(parsed, own)
    for unit in parsed.units:
        # What stands outside functions has run when the module is there.
        for node in _later(unit.node) if is_loaded else ast.walk(unit.node):
            if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Load):
                tail = node.value.attr if isinstance(node.value, ast.Attribute) else None
                tail = node.value.id if isinstance(node.value, ast.Name) else tail
                if is_open or tail is None or tail in modules or tail in own:
                    return True
            elif isinstance(node, ast.Constant) and node.value == name:
                if any(isinstance(c, ast.Call) and _is_getattr(c, node) for c in ast.walk(unit.node)):
                    return True
            elif isinstance(node, ast.ImportFrom):
                if not is_loaded and _takes(resolver, importer, node, module, name):
                    return True
            elif isinstance(node, _FUNCTIONS) and not isinstance(node, ast.Lambda):
                for statement in ast.walk(node):
                    if isinstance(statement, ast.ImportFrom) and _takes(
                        resolver, importer, statement, module, name
                    ):
                        return True
    return False


def _later(node: ast.stmt) -> Iterator[ast.AST]:
    """The functions of a statement, and all that is in their bodies."""
    for function in ast.walk(node):
        if isinstance(function, _FUNCTIONS):
            yield function
            for statement in [function.body] if isinstance(function, ast.Lambda) else function.body:
                yield from ast.walk(statement)


def _modules(resolver: Resolver, importer: Module) -> dict[str, Path | None]:
    """The names that stand for modules anywhere in a file, with their files."""
    found: dict[str, Path | None] = {}
    for _, statement in importer.imports:
        for imported in statement.names:
            entity = resolver.imported(importer, statement, imported)
            if isinstance(entity, ModuleEntity):
                found[imported.bound] = entity.file.path
    return found


def _is_kept(parsed: Parsed, names: set[str]) -> bool:
    """Is a module, under one of these names, put somewhere: in a table, an argument, another variable?"""
    for unit in parsed.units:
        if not any(unit.mentions(name) for name in names):
            continue
        looked_into = {id(node.value) for node in ast.walk(unit.node) if isinstance(node, ast.Attribute)}
        for node in ast.walk(unit.node):
            if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if name in names and id(node) not in looked_into:
                    return True
    return False


def _is_getattr(call: ast.Call, constant: ast.Constant) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "getattr" and constant in call.args


def _takes(
    resolver: Resolver, importer: Module, statement: ast.ImportFrom, module: Module, name: str
) -> bool:
    for alias in statement.names:
        if alias.name in (name, "*"):
            facts, _ = import_facts(statement, alias, alias.asname or alias.name)
            source = resolver.imported_module(importer, facts)
            if isinstance(source, ModuleEntity) and source.file.path == module.path:
                return True
    return False
