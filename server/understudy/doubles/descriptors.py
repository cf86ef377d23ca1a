"""What happens when an attribute of an object is set: the object keeps it, a property gets it, or it is refused
(``object.__setattr__``: data descriptors of the class come before what the object itself has)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.doubles.arguments import Arguments
from understudy.doubles.values import UNKNOWN, Environment, Instance, Place, Value
from understudy.facts import model
from understudy.infer.entities import ClassEntity, ValueEntity
from understudy.infer.properties import inherited_property

if TYPE_CHECKING:
    from understudy.doubles.objects import Objects


def set_on_object(
    machine: Objects, target: Instance, name: str, value: Value, place: Place, env: Environment
) -> None:
    """``target.name = value``, by the class of the object, which is one of the workspace."""
    classes = [cls for cls in machine.resolver.ancestry(target.entity).classes if cls.module.workspace]
    if any(machine.resolver.declared(cls, "__setattr__") for cls in classes):
        # Where the value goes, its own code says; it may refuse it.
        machine.may_raise()
        machine.escape([target, value])
        machine.write(target.slots, name, UNKNOWN)
        return
    if machine.class_override(target.entity, name) is None:
        found = inherited_property(machine.resolver, target.entity, name)
        if found is not None and found.getter is not None and found.getter.module.workspace:
            setter = machine.raw_function(found.setter) if found.setter is not None else None
            if setter is None:
                machine.may_raise()
            else:
                machine.call_function(setter, Arguments.of(target, value), place.node, env)
            return
        if _is_data_descriptor(machine, target.entity, name):
            machine.may_raise()
            machine.escape([value])
            machine.write(target.slots, name, UNKNOWN)
            return
    if _refuses(machine, target, classes, name):
        machine.may_raise()
        return
    machine.write(target.slots, name, value)


def _is_data_descriptor(machine: Objects, entity: ClassEntity, name: str) -> bool:
    """Is a name of the class bound to an object of a class of the workspace that has ``__set__``?"""
    found = machine.resolver.class_attribute(entity, name)
    if not isinstance(found, ValueEntity) or not isinstance(found.declaration.value, model.CallTerm):
        return False
    func = found.declaration.value.func
    maker = machine.resolver.ref(found.module, func.parts) if isinstance(func, model.Ref) else None
    if not isinstance(maker, ClassEntity):
        return False
    above = machine.resolver.ancestry(maker).classes
    return any(machine.resolver.declared(cls, "__set__") for cls in above)


def _refuses(machine: Objects, target: Instance, classes: list[ClassEntity], name: str) -> bool:
    """A frozen dataclass, or one whose slots do not have the name."""
    if any(_is_frozen(cls) for cls in classes):
        return True
    if target.opaque or any(machine.resolver.is_set_on_class(cls, name) for cls in classes):
        return False
    return all(machine.resolver.declared(cls, "__slots__") for cls in classes)


def _is_frozen(cls: ClassEntity) -> bool:
    """``@dataclass(frozen=True)``, or ``@frozen`` of attrs."""
    for decorator in cls.declaration.decorators:
        term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
        if isinstance(term, model.Ref) and term.parts[-1] == "frozen":
            return True
        frozen = decorator.keyword("frozen") if isinstance(decorator, model.CallTerm) else None
        if isinstance(frozen, model.Const) and frozen.value is True:
            return True
    return False
