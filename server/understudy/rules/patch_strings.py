"""The dotted string in ``patch("…")`` as what it is: a reference to a module, and to names in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from understudy.facts import model
from understudy.facts.model import Guard
from understudy.infer import objects
from understudy.infer.entities import (
    Absent,
    ClassEntity,
    Entity,
    FunctionEntity,
    Lookup,
    ModuleEntity,
    ValueEntity,
)
from understudy.rules.base import Context
from understudy.rules.patch_calls import PatchCall, all_patches, found_by_path
from understudy.source.span import Span

_E = TypeVar("_E", Entity, Lookup)
_PATCHING = re.compile(rb"\bpatch\b|\bmonkeypatch\b|\bmocker\b")


_DEFINED = (ClassEntity, FunctionEntity, ValueEntity)


@dataclass(frozen=True)
class Part:
    """One name in a patch: of a dotted string, or the attribute of ``patch.object``."""

    call: PatchCall
    index: int
    span: Span

    @property
    def name(self) -> str:
        return self.call.names[self.index] if self.call.names else self.call.name


@dataclass(frozen=True)
class Candidate:
    """A name that may stand at some place in a patch."""

    name: str
    kind: str
    """``module``, ``class``, ``function`` or ``variable``."""
    detail: str


def parts(context: Context) -> Iterator[Part]:
    """Every name in the patches of a file that is written plainly."""
    for call in all_patches(context):
        if call.target is not None and call.keyword is None:
            whole = call.site.unit.span(call.target)
            for index, name in enumerate(call.names):
                span = call.part_span(index)
                if span != whole and (name or len(call.names) == index + 1):
                    yield Part(call, index, span)
        elif call.attribute is not None and call.name_span != call.site.unit.span(call.attribute):
            yield Part(call, 0, call.name_span)


def part_at(context: Context, row: int, column: int) -> Part | None:
    """The name under the cursor; both of its ends count."""
    return next((part for part in parts(context) if part.span.contains(row, column)), None)


def meaning(context: Context, part: Part) -> Lookup:
    """What the name stands for."""
    owner = owner_of(context, part)
    if isinstance(owner, Absent):
        return owner
    if owner is None:
        file = context.workspace.find(part.name, context.path)
        return ModuleEntity(file) if file is not None else Absent.UNKNOWN
    if isinstance(owner, ModuleEntity) and part.index < len(part.call.names) - 1:
        return found_by_path(context, part.call, part.index + 1)
    return context.resolver.attribute(owner, part.name, context.module)


def owner_of(context: Context, part: Part) -> Entity | Absent | None:
    """What the name is looked up in; None for the first name of a string. For an object it is its class."""
    call = part.call
    if call.target is None:
        assert call.owner is not None
        return _class_of_object(context, context.names.resolve(call.owner, call.site.scope))
    if part.index == 0:
        return None
    found = found_by_path(context, call, 1)
    for count, name in enumerate(call.names[1 : part.index], 2):
        if isinstance(found, Absent):
            return found
        if isinstance(found, ModuleEntity):
            found = found_by_path(context, call, count)
        else:
            found = context.resolver.attribute(_class_of_object(context, found), name, context.module)
    return _class_of_object(context, found)


def _class_of_object(context: Context, found: _E) -> _E | ClassEntity:
    cls = objects.class_of(context.resolver, found) if isinstance(found, ValueEntity) else None
    return cls if cls is not None else found


def definition(entity: Lookup) -> tuple[Path, Span] | None:
    """Where something is defined: its name, or the start of a module's file."""
    if isinstance(entity, ModuleEntity):
        return (entity.file.path, Span.at(0, 0)) if entity.file.path is not None else None
    if isinstance(entity, (ClassEntity, FunctionEntity, ValueEntity)):
        return entity.path, entity.span
    return None


def references(context: Context, entity: Entity) -> Iterator[tuple[Path, Span]]:
    """Every name in a patch of the workspace that stands for the same thing."""
    for path in context.workspace.files_with(_PATCHING):
        module = context.workspace.module(path)
        if module is None:
            continue
        other = Context(context.workspace.parsed(path), module, context.workspace, context.is_test_path)
        for part in parts(other):
            found = meaning(other, part)
            if _same(found, entity):
                yield path, part.span


def _same(found: Lookup, entity: Entity) -> bool:
    if isinstance(found, ModuleEntity) and isinstance(entity, ModuleEntity):
        return found.file.path is not None and found.file.path == entity.file.path
    return found == entity


def candidates(context: Context, part: Part) -> list[Candidate]:
    """The names that exist there: also those that a module has only imported, for that is where to patch them."""
    owner = owner_of(context, part)
    if owner is None:
        return [Candidate(name, "module", "") for name in _top_modules(context)]
    if isinstance(owner, ModuleEntity) and owner.file.workspace:
        return [*_names(context, owner), *_submodules(context, owner)]
    if isinstance(owner, ClassEntity):
        return list(_members(context, owner))
    return []


def _names(context: Context, owner: ModuleEntity) -> Iterator[Candidate]:
    module = context.workspace.load(owner.file)
    if module is None:
        return
    for name, bindings in module.bindings.items():
        if name.startswith("__") or all(Guard.TYPE_CHECKING in binding.guards for binding in bindings):
            continue
        found = context.resolver.module_attribute(module, name)
        declaration = bindings[-1].declaration
        detail = ""
        if isinstance(declaration, model.Import):
            source = context.resolver.absolute(module, declaration) if declaration.is_from else None
            detail = f"imported from {source}" if source else "imported"
        yield Candidate(name, _kind(found), detail)


def _submodules(context: Context, owner: ModuleEntity) -> Iterator[Candidate]:
    for folder in owner.file.folders:
        yield from (Candidate(name, "module", "") for name in _modules_in(context, folder))


def _members(context: Context, owner: ClassEntity) -> Iterator[Candidate]:
    seen: set[str] = set()
    for cls in context.resolver.ancestry(owner).classes:
        for declaration in cls.declaration.body:
            name = getattr(declaration, "name", None) or getattr(declaration, "target", None)
            if isinstance(name, str) and name not in seen:
                seen.add(name)
                kind = "function" if isinstance(declaration, model.Function) else "variable"
                yield Candidate(name, kind, cls.name)


def _top_modules(context: Context) -> list[str]:
    roots = context.workspace.finder.roots_for(context.path)
    names: dict[str, None] = {}
    for root in (*roots.certain, *roots.likely):
        names.update(dict.fromkeys(_modules_in(context, root)))
    return list(names)


def _modules_in(context: Context, folder: Path) -> Iterator[str]:
    for entry, is_folder in sorted(context.workspace.finder.listing.entries(folder).items()):
        name = entry if is_folder else entry.removesuffix(".py")
        if not name.isidentifier() or name.startswith("__") or (not is_folder and not entry.endswith(".py")):
            continue
        if is_folder and not any(
            e.endswith(".py") for e in context.workspace.finder.listing.entries(folder / name)
        ):
            continue
        yield name


def _kind(found: Lookup) -> str:
    if isinstance(found, ModuleEntity):
        return "module"
    if isinstance(found, ClassEntity):
        return "class"
    return "function" if isinstance(found, FunctionEntity) else "variable"


def entity_named_at(context: Context, row: int, column: int) -> Entity | None:
    """The function, class or variable of the file, or the member of a class, whose name, where it is defined, is under
    the cursor."""
    for name, bindings in context.module.bindings.items():
        found = context.resolver.module_attribute(context.module, name)
        if not isinstance(found, _DEFINED) or found.path != context.path:
            continue
        if any(
            isinstance(binding.declaration, (model.Function, model.Class, model.Assign))
            and binding.span.contains(row, column)
            for binding in bindings
        ):
            return found
        if isinstance(found, ClassEntity):
            member = _member_at(context, found, row, column)
            if member is not None:
                return member
    return None


def _member_at(context: Context, cls: ClassEntity, row: int, column: int) -> Entity | None:
    for declaration in cls.declaration.body:
        if isinstance(declaration, (model.Function, model.Class, model.Assign)):
            if declaration.span.shifted(cls.row).contains(row, column):
                name = declaration.target if isinstance(declaration, model.Assign) else declaration.name
                found = context.resolver.own_attribute(cls, name)
                return found if isinstance(found, _DEFINED) else None
            if isinstance(declaration, model.Class):
                inner = context.resolver.own_attribute(cls, declaration.name)
                member = _member_at(context, inner, row, column) if isinstance(inner, ClassEntity) else None
                if member is not None:
                    return member
    return None
