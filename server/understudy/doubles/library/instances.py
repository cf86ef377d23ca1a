"""Objects of classes of libraries, of which nothing is known but what was put on them, or on their class."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from understudy.doubles.values import UNKNOWN, Foreign, LibraryName, Value
from understudy.facts import model
from understudy.infer.entities import Absent, ClassEntity, External, FunctionEntity, Lookup

if TYPE_CHECKING:
    from understudy.doubles.objects import Objects as Machine


def attribute(machine: Machine, value: Foreign, name: str) -> Value | None:
    """What a test has put on an object, or on its class, where that is certainly what the object gives."""
    cls = _class_of(machine, value)
    if cls is None:
        return None
    own = value.slots.get(name)
    if isinstance(own, Value):
        return own
    classes = {(str(each.path), each.qualname) for each in machine.resolver.ancestry(cls).classes}
    patched = {key[-1] for key in machine.class_overrides if key[:2] in classes}
    found = _on_class(machine, value, cls, name) if name in patched else None
    if found is None and (patched or value.slots):
        # What the library does here may use what was put there.
        machine.strayed = True
    return found


def _on_class(machine: Machine, value: Foreign, cls: ClassEntity, name: str) -> Value | None:
    if _is_own(machine, cls, name):
        return None
    for each in machine.resolver.ancestry(cls).classes:
        patched = machine.patched_on(each, name, value)
        if patched is not None:
            for spot, watched in machine.watched.items():
                watched.looked_up = watched.looked_up or (spot[0], spot[-1].rpartition(".")[2]) == (
                    "library",
                    name,
                )
            return patched
        if machine.resolver.own_attribute(each, name) is not Absent.MISSING:
            return None
    return None


def is_true(machine: Machine, value: Foreign) -> bool:
    """Is an object, on which a test has put something, certainly true?"""
    cls = _class_of(machine, value) if value.slots or machine.class_overrides else None
    names = ("__bool__", "__len__")
    return cls is not None and all(
        machine.resolver.class_attribute(cls, name) is Absent.MISSING
        and machine.class_override(cls, name) is None
        for name in names
    )


def takes(machine: Machine, value: Foreign, name: str) -> bool:
    """Does an object give back what is set on it? A property, or ``__setattr__``, may do anything with that."""
    cls = _class_of(machine, value)
    if cls is None:
        return False
    classes = machine.resolver.ancestry(cls).classes
    if any(machine.resolver.declared(each, "__setattr__") for each in classes):
        return False
    return isinstance(original(machine, value, name), LibraryName)


def original(machine: Machine, value: Foreign, name: str) -> Value:
    """The method of the class that a double on an object replaces."""
    cls = _class_of(machine, value)
    if cls is None or value.maker is None or _is_own(machine, cls, name):
        return UNKNOWN
    found = machine.resolver.class_attribute(cls, name)
    if not isinstance(found, FunctionEntity) or machine.shapes.is_coroutine_function(found) is None:
        return UNKNOWN
    return LibraryName(External(f"{value.maker.dotted}.{name}"))


def _is_own(machine: Machine, cls: ClassEntity, name: str) -> bool:
    """Do methods set the attribute on the objects themselves?"""
    functions = [
        each
        for above in machine.resolver.ancestry(cls).classes
        for each in above.declaration.body
        if isinstance(each, model.Function)
    ]
    return any(name in function.self_attributes for function in functions)


def _class_of(machine: Machine, value: Foreign) -> ClassEntity | None:
    """The class of a library, if the object is certainly one of it, and not of a class below."""
    if value.maker is None:
        return None
    key = f"class of {value.maker.dotted}"
    if key not in machine.memo:
        machine.memo[key] = _plain_class(machine, machine.resolver.open(value.maker))
    cls = machine.memo[key]
    if not isinstance(cls, ClassEntity) or machine.class_override(cls, "__new__") is not None:
        return None
    return None if value.entered and not _gives_itself(machine, cls, value.entered) else cls


def _plain_class(machine: Machine, found: Lookup) -> ClassEntity | None:
    """A class whose call makes one of its objects, which get at their attributes as objects do."""
    if not isinstance(found, ClassEntity):
        return None
    ancestry = machine.resolver.ancestry(found)
    own = any(
        machine.resolver.declared(each, name)
        for each in ancestry.classes
        for name in ("__new__", "__getattribute__")
    )
    return found if ancestry.complete and not own else None


def _gives_itself(machine: Machine, cls: ClassEntity, enter: str) -> bool:
    """Does ``with`` bind the very object: ``return self``?"""
    method = machine.resolver.class_attribute(cls, enter)
    found = machine.node_of(method) if isinstance(method, FunctionEntity) else None
    if found is None or found[0].decorator_list or not found[0].args.args:
        return False
    if machine.class_override(cls, enter) is not None:
        return False
    own = found[0].args.args[0].arg
    returned = [node.value for node in ast.walk(found[0]) if isinstance(node, ast.Return)]
    return bool(returned) and all(isinstance(node, ast.Name) and node.id == own for node in returned)
