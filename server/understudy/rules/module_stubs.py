"""Entries of ``sys.modules`` that a file replaces, and whether it puts them back."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from understudy.binding.names import loaded_twice
from understudy.infer.imports import ImportGraph, Node
from understudy.infer.scopes import FunctionNode
from understudy.rules.base import Context
from understudy.source.dotted import last_name
from understudy.source.parse import Parsed, Unit

_IMPORTERS = frozenset({"import_module", "__import__", "reload", "module_from_spec"})
LOADING = re.compile(rb"\b(?:import_module|__import__|resolve_name)\(\s*(?![\"'\s])")
"""What imports modules by computed names."""
_LOADERS = frozenset({"import_module", "__import__", "exec_module", "run_module", "run_path", "exec"})
# Context managers that let every exception out: all of their block runs, or else the file is not imported.
_PLAIN_MANAGERS = frozenset(
    {
        "catch_warnings",
        "redirect_stdout",
        "redirect_stderr",
        "nullcontext",
        "open",
        "chdir",
        "TemporaryDirectory",
    }
)


@dataclass(frozen=True)
class Stub:
    """``sys.modules["m"] = value``, ``sys.modules.setdefault("m", value)``, or an entry of
    ``sys.modules.update({"m": value})``."""

    unit: Unit
    statement: ast.stmt
    target: ast.expr
    """``sys.modules["m"]``, the call, or the key in it."""
    key: ast.expr
    name: str
    value: ast.expr
    function: FunctionNode | None
    """The innermost function it stands in; None at import time."""
    top_level: bool
    """True when it runs for certain as the module is imported, and stays: a statement of the module itself, of a loop
    over written names, of a ``with`` that swallows nothing, of a ``try`` without ``except``."""
    only_if_absent: bool
    doubtful: bool
    """True when a condition decides whether it runs: that of an ``if``, a ``while`` or a ``case``, or an exception."""


def is_sys_modules(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "modules"
        and isinstance(node.value, ast.Name)
        and node.value.id in ("sys", "_sys")
    )


def stands_for_sys_modules(node: ast.expr) -> bool:
    """The same, or its name in a string: what ``patch.dict`` takes."""
    return is_sys_modules(node) or (isinstance(node, ast.Constant) and node.value == "sys.modules")


def stubs(parsed: Parsed) -> Iterator[Stub]:
    """Every entry that the file replaces, with a name that is written in the file: a constant, parts of one, or the
    names that a loop goes through. Putting a real module there is no stub, nor is anything in a ``finally``."""
    if "sys.modules" not in parsed.text.content:
        return
    real: frozenset[str] | None = None
    written = _written(parsed)
    for unit in parsed.units:
        for stub in _in(unit, unit.node, _Around(), written):
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
            if any(stands_for_sys_modules(arg) for arg in mentions):
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
        if stands_for_sys_modules(first):
            if node.func.attr in ("dict", "setitem"):
                return any(not isinstance(arg, (ast.Constant, ast.Dict)) for arg in node.args[1:2])
    return False


@dataclass(frozen=True)
class _Around:
    """What stands around a statement; see :class:`Stub`."""

    function: FunctionNode | None = None
    top: bool = True
    absent: bool = False
    doubtful: bool = False


def _in(
    unit: Unit, node: ast.stmt, around: _Around, written: Mapping[str, tuple[str, ...]]
) -> Iterator[Stub]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Subscript) and is_sys_modules(target.value):
                for name in _values(target.slice, written):
                    yield _stub(unit, node, target, target.slice, name, node.value, around)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        if isinstance(call.func, ast.Attribute) and is_sys_modules(call.func.value):
            if call.func.attr == "setdefault" and len(call.args) == 2:
                absent = replace(around, absent=True)
                for name in _values(call.args[0], written):
                    yield _stub(unit, node, call, call.args[0], name, call.args[1], absent)
            for key, value in updated(call):
                for name in _values(key, written):
                    yield _stub(unit, node, key, key, name, value, around)
    looped = _looped(node, written)
    inner = _Around(
        node if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else around.function,
        around.top and (looped is not None or _runs_whole(node)),
        around.absent or _if_absent(node),
        around.doubtful or isinstance(node, (ast.If, ast.While, ast.Match)),
    )
    for child in _children(node):
        yield from _in(unit, child, inner, looped or written)
    for handler in getattr(node, "handlers", ()):
        for child in handler.body:
            yield from _in(unit, child, replace(inner, doubtful=True), written)


def _stub(
    unit: Unit,
    statement: ast.stmt,
    target: ast.expr,
    key: ast.expr,
    name: str,
    value: ast.expr,
    around: _Around,
) -> Stub:
    return Stub(
        unit,
        statement,
        target,
        key,
        name,
        value,
        around.function,
        around.top,
        around.absent,
        around.doubtful,
    )


def _runs_whole(node: ast.stmt) -> bool:
    """Does the block of a statement run to its end wherever the file is imported, and leave ``sys.modules`` as it
    is then?"""
    if isinstance(node, ast.With):
        return all(_lets_through(item.context_expr) for item in node.items)
    if isinstance(node, ast.Try):
        return not node.handlers and not any(
            isinstance(child, ast.expr) and is_sys_modules(child)
            for statement in node.finalbody
            for child in ast.walk(statement)
        )
    return False


def _lets_through(manager: ast.expr) -> bool:
    if not isinstance(manager, ast.Call) or any(stands_for_sys_modules(arg) for arg in manager.args):
        return False
    return last_name(manager) in _PLAIN_MANAGERS or "patch" in ast.unparse(manager.func).split(".")


def loads_by_name(statement: ast.stmt, *, again: bool) -> bool:
    """Does a statement at the top of a file load modules by computed names or paths when the file is imported, or
    ``again`` (``reload``)?"""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    loaders = _LOADERS | {"reload"} if again else _LOADERS
    return any(isinstance(node, ast.Call) and last_name(node) in loaders for node in ast.walk(statement))


def updated(call: ast.Call) -> list[tuple[ast.expr, ast.expr]]:
    """The entries of ``sys.modules.update({…})``."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "update":
        return []
    if not is_sys_modules(call.func.value) or len(call.args) != 1 or not isinstance(call.args[0], ast.Dict):
        return []
    pairs = zip(call.args[0].keys, call.args[0].values, strict=True)
    return [(key, value) for key, value in pairs if key is not None]


def _looped(node: ast.stmt, written: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]] | None:
    """``for name in ("a", "b"):`` with what ``name`` stands for; None for other statements."""
    if not isinstance(node, ast.For) or not isinstance(node.target, ast.Name) or node.orelse:
        return None
    if any(isinstance(child, (ast.Break, ast.Continue, ast.If)) for child in ast.walk(node)):
        return None
    each = _elements(node.iter, written)
    return {**written, node.target.id: each} if each else None


def _elements(node: ast.expr, written: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return written.get(f"*{node.id}", ())
    if not isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return ()
    found = [_values(item, written) for item in node.elts]
    return tuple(value for values in found for value in values) if all(found) else ()


def _written(parsed: Parsed) -> dict[str, tuple[str, ...]]:
    """The text of each variable of the module that is bound once in the file; those of a tuple or list of texts
    under the name with a star."""
    found: dict[str, tuple[str, ...]] = {}
    for unit in parsed.units:
        made = unit.node
        if isinstance(made, ast.Assign) and len(made.targets) == 1 and isinstance(made.targets[0], ast.Name):
            name = made.targets[0].id
            for key, values in (
                (name, _values(made.value, found)),
                (f"*{name}", _elements(made.value, found)),
            ):
                if values:
                    found[key] = values
    if not found:
        return found
    seen: set[str] = set()
    for _, node in parsed.walk():
        bound: str | None = None
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound = node.id
        elif isinstance(node, ast.arg):
            bound = node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            # ``NAMES.append(…)``
            found.pop(f"*{node.value.id}", None)
        if bound is not None:
            if bound in seen:
                found.pop(bound, None)
                found.pop(f"*{bound}", None)
            seen.add(bound)
    return found


def _values(node: ast.expr, written: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The texts that an expression stands for, one after another; empty when they are not known."""
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else ()
    if isinstance(node, ast.Name):
        return written.get(node.id, ())
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_values(node.left, written), _values(node.right, written)]
    elif isinstance(node, ast.JoinedStr):
        parts = [_part(value, written) for value in node.values]
    else:
        return ()
    return tuple("".join(texts) for texts in itertools.product(*parts))


def _part(node: ast.expr, written: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if not isinstance(node, ast.FormattedValue):
        return _values(node, written)
    plain = node.conversion == -1 and node.format_spec is None
    return _values(node.value, written) if plain else ()


def _if_absent(node: ast.stmt) -> bool:
    """``if "m" not in sys.modules:``, ``try: import m``"""
    if isinstance(node, ast.If):
        return any(isinstance(child, ast.expr) and is_sys_modules(child) for child in ast.walk(node.test))
    return isinstance(node, ast.Try) and any(isinstance(s, (ast.Import, ast.ImportFrom)) for s in node.body)


def _children(node: ast.stmt) -> Iterator[ast.stmt]:
    """The statements in the blocks of one. What a ``finally`` sets is put back."""
    for name in ("body", "orelse"):
        for child in getattr(node, name, ()):
            if isinstance(child, ast.stmt):
                yield child
    for case in getattr(node, "cases", ()):
        yield from case.body


def taken_twice(context: Context, graph: ImportGraph, reached: Iterable[Node], target: Node) -> bool:
    """May a module that imports ``target`` be loaded once more under another name, and get the stub then?"""
    takers = {module.path for module, _ in graph.importers(reached, target, lazy=False, possible=True)}
    return bool(loaded_twice(context.resolver, context.fixtures.chain(context.module), takers))


def restored(parsed: Parsed, name: str, stub: Stub) -> bool:
    """Does the file put the entry back, anywhere and in any way that could be meant so?"""
    elsewhere = _in_other_tests(parsed, stub)
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
            entries = updated(node)
            if entries and len(entries) == len(getattr(node.args[0], "keys", ())):
                if any(_stands_for(key, name) and not _makes_mock(value) for key, value in entries):
                    if not any(key is stub.key for key, _ in entries):
                        return True
            elif is_sys_modules(node.func.value) and node.func.attr in (
                "pop",
                "update",
                "clear",
                "__delitem__",
            ):
                first = node.args[0] if node.args else None
                if not isinstance(first, ast.Constant) or first.value == name:
                    return True
            if id(node) in elsewhere:
                # Puts back what it has replaced itself.
                continue
            if node.func.attr == "dict" and any(stands_for_sys_modules(arg) for arg in node.args):
                return True
            if node.func.attr in ("setitem", "delitem") and node.args and is_sys_modules(node.args[0]):
                second = node.args[1] if len(node.args) > 1 else None
                if isinstance(second, ast.Constant) and second.value == name:
                    return True
    return False


def _in_other_tests(parsed: Parsed, stub: Stub) -> frozenset[int]:
    """The calls of test functions that do not run the stub's statement."""
    own = stub.function
    if own is not None and not own.name.startswith("test") and not _is_fixture(own):
        # A helper: any test may call it.
        return frozenset()
    return frozenset(
        id(child)
        for _, node in parsed.walk()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test")
        if node is not own
        for child in ast.walk(node)
        if isinstance(child, ast.Call)
    )


def _is_fixture(function: FunctionNode) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)


def _puts_back(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("pop", "update", "clear", "__delitem__", "__setitem__")
        and is_sys_modules(node.value)
    )


def _is_entry(target: ast.expr, name: str) -> bool:
    if not isinstance(target, ast.Subscript) or not is_sys_modules(target.value):
        return False
    return _stands_for(target.slice, name)


def _stands_for(key: ast.expr, name: str) -> bool:
    """May a key be that name?"""
    return not isinstance(key, ast.Constant) or key.value == name


def _makes_mock(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        func = node.func
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        return name.endswith(("Mock", "ModuleType", "SimpleNamespace"))
    return False
