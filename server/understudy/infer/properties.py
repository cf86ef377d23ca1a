"""The properties of classes: Python's own, with the functions that read, set and delete them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from understudy.facts import model
from understudy.infer.entities import ClassEntity, External, FunctionEntity
from understudy.infer.resolve import ACCESSORS, Resolver

_PROPERTY = "builtins.property"
_DEPTH = 8
"""Of properties that are made of others; ``@y.setter def x`` and ``@x.setter def y`` may stand in one class."""


@dataclass(frozen=True, slots=True)
class Property:
    """What ``@property``, ``@x.setter`` and ``@x.deleter`` of a class body make of a name."""

    getter: FunctionEntity | None = None
    setter: FunctionEntity | None = None
    deleter: FunctionEntity | None = None


def inherited_property(resolver: Resolver, entity: ClassEntity, name: str, depth: int = 0) -> Property | None:
    """The property that a class or one of its bases binds to a name; None for anything else."""
    for cls in resolver.ancestry(entity).classes:
        if resolver.declared(cls, name):
            return own_property(resolver, cls, name, depth)
    return None


def own_property(resolver: Resolver, cls: ClassEntity, name: str, depth: int = 0) -> Property | None:
    """The property that the body of a class binds to a name; None for anything else."""
    found: Property | None = None
    for declaration in resolver.declared(cls, name):
        decorators = declaration.decorators if isinstance(declaration, model.Function) else ()
        decorator = decorators[0] if len(decorators) == 1 else None
        if not isinstance(declaration, model.Function) or not isinstance(decorator, model.Ref):
            found = None
            continue
        *owner, part = decorator.parts
        # Functions are told apart by their names; the setter has that of the property.
        own_name = f"{cls.qualname}.{name}.{part}" if owner else f"{cls.qualname}.{name}"
        function = FunctionEntity(cls.module, declaration, cls.row, own_name, cls)
        if not owner:
            plain = part == "property" and resolver.ref(cls.module, decorator.parts) == External(_PROPERTY)
            found = Property(function) if plain else None
        elif part in ACCESSORS:
            before = found if owner == [name] else _named(resolver, cls, owner, depth)
            found = replace(before, **{part: function}) if before is not None else None
        else:
            found = None
    return found


def _named(resolver: Resolver, cls: ClassEntity, parts: list[str], depth: int) -> Property | None:
    """The property that ``x`` or ``Base.x`` stands for in the body of a class."""
    if depth > _DEPTH:
        return None
    if len(parts) == 1:
        return own_property(resolver, cls, parts[0], depth + 1)
    owner = resolver.ref(cls.module, tuple(parts[:-1]))
    return (
        inherited_property(resolver, owner, parts[-1], depth + 1) if isinstance(owner, ClassEntity) else None
    )
