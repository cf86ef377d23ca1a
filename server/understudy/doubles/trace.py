"""What a simulated test does with the things that its patches replace: whether anything looked where the patch is,
and who got at the original in another way.

The machine notes it while it runs. What follows from it is said elsewhere, in :mod:`understudy.binding`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from understudy.doubles.values import (
    ClassValue,
    Environment,
    FunctionValue,
    Instance,
    LibraryName,
    Mapping_,
    ModuleValue,
    Node,
    Partial,
    Place,
    Sequence_,
    Value,
)
from understudy.index.module import Module
from understudy.infer.entities import Absent, ClassEntity, External, Lookup, ValueEntity

if TYPE_CHECKING:
    from understudy.doubles.core import Core
    from understudy.doubles.state import Call

Spot = tuple[str, ...]
"""What a patch replaces: ``("module", path, name)``, ``("class", path, qualname, name)``,
``("instance", id, name)`` or ``("library", dotted)``."""


_BUILT_IN = frozenset(
    {
        "add", "append", "copy", "decode", "discard", "encode", "endswith", "extend", "format", "hexdigest", "insert",
        "isoformat", "items", "join", "keys", "lower", "lstrip", "partition", "replace", "rpartition", "rsplit",
        "rstrip", "setdefault", "sort", "split", "splitlines", "startswith", "strip", "strftime", "title",
        "total_seconds", "upper", "values",
    }
)  # fmt: skip


class Way(str, Enum):
    """How code got at the original of something that is patched."""

    NAME = "name"
    """A global name of its module, bound when that was imported."""
    ATTRIBUTE = "attribute"
    """An attribute of an object, bound when that was made."""
    MODULE = "module"
    """An attribute of a module: looked up when it is used."""
    IMPORT = "import"
    """An import inside the function that uses it."""
    DEFAULT = "default"
    """A default argument, bound when the function was defined."""
    CLOSURE = "closure"
    """A parameter of a function around, bound when that was called."""
    TABLE = "table"
    """An element of a global table, put there when its module was imported."""
    LOCAL = "local"
    """A local variable."""
    OTHER = "other"
    """Anything else."""


@dataclass(frozen=True)
class Bypass:
    """One certain use of the original while it was patched."""

    way: Way
    place: Place
    """The use."""
    module: Module
    """Where the use stands."""
    name: str
    """The name or attribute that held the original."""
    binder: Place | None
    """What bound it, where that is in the same function: an import, a default."""
    holder: Instance | None
    """The object that holds it."""
    calls: tuple[Call, ...]
    """From the test inwards."""


@dataclass(eq=False)
class Watched:
    """A patch that a simulated test entered."""

    place: Place
    """The call that makes the patch."""
    spot: Spot
    original: Lookup
    holder: Instance | None
    """The object, where an attribute of an object is replaced."""
    looked_up: bool = False
    """Did anything look where the patch is, on any path?"""
    lost: bool = False
    """Did the test run code that was not followed while the patch was in place?"""
    bypasses: list[Bypass] = field(default_factory=list)

    def made(self, value: Value) -> bool:
        """Is this a method of an object that the replaced class has made?"""
        return (
            isinstance(value, FunctionValue)
            and isinstance(value.bound, Instance)
            and isinstance(self.original, ClassEntity)
            and value.bound.entity == self.original
        )

    def is_original(self, value: Value) -> bool:
        """Is this what the patch has replaced?"""
        original = self.original
        if isinstance(value, FunctionValue):
            if value.entity is None or value.entity != original:
                return False
            return self.holder is None or value.bound is self.holder
        if isinstance(value, ClassValue):
            return value.entity == original
        return isinstance(value, LibraryName) and value.entity == original


def watch(machine: Core, place: Place, owner: Value, name: str, importer: Module) -> Watched | None:
    """Note that a patch is entered."""
    resolver = machine.resolver
    spot: Spot
    holder: Instance | None = None
    original: Lookup
    if isinstance(owner, ModuleValue):
        module = machine.workspace.load(owner.file)
        if module is None:
            return None
        spot = ("module", str(module.path), name)
        original = resolver.file_attribute(owner.file, name, importer)
    elif isinstance(owner, ClassValue):
        spot = ("class", str(owner.entity.path), owner.entity.qualname, name)
        original = resolver.class_attribute(owner.entity, name)
    elif isinstance(owner, Instance):
        spot, holder = ("instance", str(id(owner)), name), owner
        original = resolver.class_attribute(owner.entity, name)
    elif isinstance(owner, LibraryName):
        if owner.entity.dotted == "builtins":
            # Every lookup of a name that a module does not bind gets there.
            return None
        dotted = f"{owner.entity.dotted}.{name}"
        spot, original = ("library", dotted), External(dotted)
    else:
        return None
    made = Watched(place, spot, original, holder)
    machine.patches.append(made)
    return made


def looked_up(machine: Core, spot: Spot) -> None:
    """Something looked where a patch may be."""
    found = machine.watched.get(spot)
    if found is not None:
        found.looked_up = True


def lost(machine: Core) -> None:
    """Code runs that the machine does not follow: it may look anywhere."""
    machine.strayed = True
    machine.call_back()
    for watched in machine.watched.values():
        watched.lost = True


def handed_over(machine: Core, values: list[Value]) -> None:
    """A library gets these: it calls the functions among them, and those in lists and tables, now or later."""
    machine.call_back()
    held = [each for value in values if isinstance(value, (Sequence_, Mapping_)) for each in value.held]
    if any(isinstance(value, (FunctionValue, Partial)) for value in (*values, *held)):
        for watched in machine.watched.values():
            watched.lost = True


def unknown_call(machine: Core, node: Node) -> None:
    """Something that is not known is called. What is called like a method of the built-in containers and strings is
    taken to be one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _BUILT_IN:
        return
    lost(machine)


def name_read(machine: Core, module: Module, name: str) -> None:
    """A global name is read. For a variable, that is all there is to see of its use."""
    looked_up(machine, ("module", str(module.path), name))
    if not machine.certain:
        return
    for watched in machine.watched.values():
        if isinstance(watched.original, ValueEntity) and watched.spot[:1] == ("module",):
            if watched.spot != ("module", str(module.path), name):
                if machine.resolver.module_attribute(module, name) == watched.original and machine.calls:
                    place = machine.calls[-1].place
                    bypass = Bypass(Way.NAME, place, module, name, None, None, tuple(machine.calls))
                    watched.bypasses.append(bypass)


def used(machine: Core, value: Value, node: Node, env: Environment) -> None:
    """A function or class is called."""
    if not machine.watched or not machine.certain:
        return
    for watched in machine.watched.values():
        callee = node.func if isinstance(node, ast.Call) else None
        if watched.is_original(value):
            bypass = _bypass(machine, callee, node, env)
        elif watched.made(value) and isinstance(callee, ast.Attribute):
            bypass = _bypass(machine, callee.value, node, env)
        else:
            continue
        if bypass is not None:
            watched.bypasses.append(bypass)


def _bypass(machine: Core, callee: ast.expr | None, node: Node, env: Environment) -> Bypass | None:
    """How an expression got at what it stands for."""
    way, name = Way.OTHER, ""
    binder: Place | None = None
    holder: Instance | None = None
    module = env.module
    if isinstance(callee, ast.Name):
        name = callee.id
        found = _owner(env, name)
        if found is None:
            way = Way.NAME
        else:
            way = Way.LOCAL
            function = found.function.node if found.function is not None else None
            binding = _binder(function, name) if function is not None else None
            given = _given_as(function, binding, found is env) if function is not None else None
            if given is not None:
                way, binder = given, Place(found.unit, binding)  # type: ignore[arg-type]
    elif isinstance(callee, ast.Subscript):
        if isinstance(callee.value, ast.Name) and _owner(env, callee.value.id) is None:
            way, name = Way.TABLE, callee.value.id
    elif isinstance(callee, ast.Attribute):
        name = callee.attr
        base = _settled(machine, callee.value, env)
        if isinstance(base, ModuleValue):
            loaded = machine.workspace.load(base.file)
            if loaded is None:
                return None
            way, module = Way.MODULE, loaded
        elif isinstance(base, Instance):
            if not isinstance(base.slots.get(name), Value):
                # The class has it, not the object: that is looked up each time.
                return None
            way, holder = Way.ATTRIBUTE, base
        elif isinstance(base, LibraryName):
            return None
    return Bypass(way, Place(env.unit, node), module, name, binder, holder, tuple(machine.calls))


def _settled(machine: Core, node: ast.expr, env: Environment) -> Value | None:
    """What a plain name stands for now, without running anything."""
    if isinstance(node, ast.Name):
        found = _owner(env, node.id)
        if found is not None:
            value = found.names.get(node.id)
            return value if isinstance(value, Value) else None
        return machine.value_of(machine.resolver.name(env.module, node.id), env.module)
    if isinstance(node, ast.Attribute):
        base = _settled(machine, node.value, env)
        if isinstance(base, Instance):
            value = base.slots.get(node.attr)
            return value if isinstance(value, Value) else None
        if isinstance(base, ModuleValue):
            found_entity = machine.resolver.file_attribute(base.file, node.attr, env.module)
            return None if isinstance(found_entity, Absent) else machine.value_of(found_entity, env.module)
    return None


def _owner(env: Environment, name: str) -> Environment | None:
    current: Environment | None = env
    while current is not None:
        if name in current.names or name in current.local:
            return current
        current = current.parent
    return None


def _given_as(function: ast.AST, binding: ast.AST | None, own: bool) -> Way | None:
    """How what binds a name in a function, in its own or one around the code, got its value before that ran."""
    if isinstance(binding, ast.alias):
        return Way.IMPORT
    if not isinstance(binding, ast.arg) or not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    if not own:
        return Way.CLOSURE
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaulted = positional[len(positional) - len(arguments.defaults) :]
    defaulted += [
        a for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default
    ]
    return Way.DEFAULT if binding in defaulted else None


def _binder(function: ast.AST, name: str) -> ast.AST | None:
    """The import in the function, or the parameter, that binds a name, where nothing else does."""
    found: list[ast.AST] = []
    if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        for statement in function.body:
            for node in ast.walk(statement):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    found.extend(alias for alias in node.names if (alias.asname or alias.name) == name)
                elif isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
                    return None
        arguments = function.args
        found.extend(
            a for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs) if a.arg == name
        )
    return found[0] if len(found) == 1 else None
