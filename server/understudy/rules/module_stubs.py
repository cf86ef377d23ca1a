"""Entries of ``sys.modules`` that a file replaces, and whether it puts them back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.doubles.state import last_name
from understudy.infer.scopes import FunctionNode
from understudy.rules.base import Context
from understudy.source.parse import Parsed, Unit

_IMPORTERS = frozenset({"import_module", "__import__", "reload", "module_from_spec"})


@dataclass(frozen=True)
class Stub:
    """``sys.modules["m"] = value`` or ``sys.modules.setdefault("m", value)``."""

    unit: Unit
    statement: ast.stmt
    target: ast.expr
    """``sys.modules["m"]``, or the call."""
    name: str
    value: ast.expr
    function: FunctionNode | None
    """The innermost function it stands in; None at import time."""
    top_level: bool
    """True when it is a statement of the module itself, in no block."""
    only_if_absent: bool


def is_sys_modules(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "modules"
        and isinstance(node.value, ast.Name)
        and node.value.id in ("sys", "_sys")
    )


def stubs(parsed: Parsed) -> Iterator[Stub]:
    """Every entry that the file replaces, with a constant name. Putting a real module there is no stub."""
    if "sys.modules" not in parsed.text.content:
        return
    real: frozenset[str] | None = None
    for unit in parsed.units:
        for stub in _in(unit, unit.node, None, True):
            if real is None:
                real = _real_modules(parsed)
            if not _is_real(stub.value, real):
                yield stub


def _real_modules(parsed: Parsed) -> frozenset[str]:
    """Names that stand for modules that were really imported: by an import, ``import_module`` or out of
    ``sys.modules``."""
    found: set[str] = set()
    for _, node in parsed.walk():
        if isinstance(node, ast.Import):
            found.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, (ast.Assign, ast.NamedExpr)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if _is_real(node.value, frozenset()):
                found.update(target.id for target in targets if isinstance(target, ast.Name))
    return frozenset(found)


def _is_real(value: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(value, ast.Name):
        return value.id in names
    return any(
        (isinstance(node, ast.expr) and is_sys_modules(node))
        or (isinstance(node, (ast.Attribute, ast.Name)) and last_name(node) in _IMPORTERS)
        for node in ast.walk(value)
    )


def imports_again(parsed: Parsed, name: str) -> bool:
    """Does the file take a module other than ``name`` out of ``sys.modules``, so that it is imported anew and sees
    what is there then?"""
    for _, node in parsed.walk():
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and is_sys_modules(node.func.value):
                if node.func.attr in ("pop", "clear", "__delitem__"):
                    first = node.args[0] if node.args else None
                    if not isinstance(first, ast.Constant) or first.value != name:
                        return True
            if last_name(node) == "delitem" and node.args and is_sys_modules(node.args[0]):
                second = node.args[1] if len(node.args) > 1 else None
                if not isinstance(second, ast.Constant) or second.value != name:
                    return True
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Subscript) and is_sys_modules(target.value):
                    key = target.slice
                    if not isinstance(key, ast.Constant) or key.value != name:
                        return True
    return False


def names(parsed: Parsed) -> set[str]:
    """The module names that the file replaces in any way: by assignment, ``patch.dict``, ``setitem``."""
    found = {stub.name for stub in stubs(parsed)}
    if "sys.modules" not in parsed.text.content:
        return found
    if any(_computed(node) for _, node in parsed.walk()):
        # Which ones is not written where they are set: any string of the file may be one.
        for _, node in parsed.walk():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
        return found
    for _, node in parsed.walk():
        if isinstance(node, ast.Call):
            mentions = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(
                is_sys_modules(arg) or (isinstance(arg, ast.Constant) and arg.value == "sys.modules")
                for arg in mentions
            ):
                for arg in mentions:
                    found.update(
                        child.value
                        for child in ast.walk(arg)
                        if isinstance(child, ast.Constant) and isinstance(child.value, str)
                    )
    return found


def around(context: Context) -> frozenset[str]:
    """Modules that the test run of a file replaces in ``sys.modules``: a mock has every attribute."""
    return context.once("stubs around", lambda: _around(context))


def _around(context: Context) -> frozenset[str]:
    found: set[str] = set()
    for module in context.fixtures.chain(context.module):
        found.update(names(context.workspace.parsed(module.path)))
    return frozenset(found)


def _computed(node: ast.AST) -> bool:
    """Is an entry with a computed name replaced here?"""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        return is_sys_modules(node.value) and not isinstance(node.slice, ast.Constant)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        if node.func.attr in ("update", "setdefault") and is_sys_modules(node.func.value):
            return not isinstance(node.args[0], (ast.Constant, ast.Dict))
        first = node.args[0]
        if is_sys_modules(first) or (isinstance(first, ast.Constant) and first.value == "sys.modules"):
            if node.func.attr in ("dict", "setitem"):
                return any(not isinstance(arg, (ast.Constant, ast.Dict)) for arg in node.args[1:2])
    return False


def _in(
    unit: Unit, node: ast.stmt, function: FunctionNode | None, top: bool, absent: bool = False
) -> Iterator[Stub]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Subscript) and is_sys_modules(target.value):
                if isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str):
                    yield Stub(unit, node, target, target.slice.value, node.value, function, top, absent)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "setdefault" and len(call.args) == 2:
            first = call.args[0]
            if is_sys_modules(call.func.value) and isinstance(first, ast.Constant):
                if isinstance(first.value, str):
                    yield Stub(unit, node, call, first.value, call.args[1], function, top, True)
    inner = node if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
    for child in _children(node):
        yield from _in(unit, child, inner, False, absent or _if_absent(node))


def _if_absent(node: ast.stmt) -> bool:
    """``if "m" not in sys.modules:``, ``try: import m``"""
    if isinstance(node, ast.If):
        return any(isinstance(child, ast.expr) and is_sys_modules(child) for child in ast.walk(node.test))
    return isinstance(node, ast.Try) and any(isinstance(s, (ast.Import, ast.ImportFrom)) for s in node.body)


def _children(node: ast.stmt) -> Iterator[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        for child in getattr(node, name, ()):
            if isinstance(child, ast.stmt):
                yield child
    for handler in getattr(node, "handlers", ()):
        yield from handler.body
    for case in getattr(node, "cases", ()):
        yield from case.body


def restored(parsed: Parsed, name: str, stub: Stub) -> bool:
    """Does the file put the entry back, anywhere and in any way that could be meant so?"""
    for _, node in parsed.walk():
        if isinstance(node, ast.Delete):
            if any(_is_entry(target, name) for target in node.targets):
                return True
        elif isinstance(node, ast.Assign) and node is not stub.statement:
            if any(_is_entry(target, name) for target in node.targets) and not _makes_mock(node.value):
                return True
        elif isinstance(node, ast.Call) and any(_puts_back(arg) for arg in node.args):
            # ``addCleanup(sys.modules.pop, "m")``
            return True
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if is_sys_modules(node.func.value) and node.func.attr in (
                "pop",
                "update",
                "clear",
                "__delitem__",
            ):
                first = node.args[0] if node.args else None
                if not isinstance(first, ast.Constant) or first.value == name:
                    return True
            if node.func.attr == "dict" and any(
                is_sys_modules(arg) or (isinstance(arg, ast.Constant) and arg.value == "sys.modules")
                for arg in node.args
            ):
                return True
            if node.func.attr in ("setitem", "delitem") and node.args and is_sys_modules(node.args[0]):
                second = node.args[1] if len(node.args) > 1 else None
                if isinstance(second, ast.Constant) and second.value == name:
                    return True
    return False


def _puts_back(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("pop", "update", "clear", "__delitem__", "__setitem__")
        and is_sys_modules(node.value)
    )


def _is_entry(target: ast.expr, name: str) -> bool:
    if not isinstance(target, ast.Subscript) or not is_sys_modules(target.value):
        return False
    return not isinstance(target.slice, ast.Constant) or target.slice.value == name


def _makes_mock(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        func = node.func
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        return name.endswith(("Mock", "ModuleType", "SimpleNamespace"))
    return False
