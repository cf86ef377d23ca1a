"""US201: the module, class or attribute that a patch names does not exist."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.binding.names import spoken
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.index.module import Module
from understudy.infer import objects
from understudy.infer.assigned import set_on_class, set_on_module, sets
from understudy.infer.definitions import definitions
from understudy.infer.entities import (
    Absent,
    ClassEntity,
    Entity,
    External,
    ModuleEntity,
    ValueEntity,
)
from understudy.infer.scopes import Site
from understudy.project.modules import Kind, ModuleFile
from understudy.rules import module_stubs
from understudy.rules.alone import is_alone
from understudy.rules.base import Context, Rule
from understudy.rules.helpers import set_by_helpers
from understudy.rules.idle_patches import aim
from understudy.rules.made import made_by_call
from understudy.rules.patch_calls import PatchCall, creates, patch_calls, replaced_around
from understudy.rules.searching import may_be_another

# Code that gets hold of its own module can set any name on it.
_MAKES_ITSELF = re.compile(r"(?:__import__|import_module)\(__name__\b|sys\.modules\.get\(__name__")


@dataclass(frozen=True)
class _Missing:
    """The first name of a path that does not exist."""

    owner: Entity
    index: int
    name: str
    is_last: bool
    of_object: bool = False
    """``owner`` is the class of an object, whose attribute it is."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    # What stands in for a module is looked up last: it may be set by any other test of the file.
    for call in patch_calls(context, "US201", lambda call: _missing(context, call, frozenset()) is not None):
        found = _missing(context, call, module_stubs.around(context))
        if found is None or _set_elsewhere(context, found) or _below_a_mock(context, call, found):
            continue
        if isinstance(found.owner, ModuleEntity) and may_be_another(context, found.owner.file):
            continue
        fixes = _fixes(context, call, found)
        yield rule.finding(
            context.path,
            call.part_span(found.index) if call.target is not None else call.name_span,
            _message(context, call, found, fixes),
            related=tuple(_related(context, found)),
            fixes=tuple(fix for fix, _ in fixes),
        )


def _missing(context: Context, call: PatchCall, stubs: frozenset[str]) -> _Missing | None:
    """
    :param stubs: modules that something stands in for.
    """
    found = _by_path(context, call, stubs) if call.target is not None else _by_object(context, call, stubs)
    # ``create=True`` and ``raising=False`` are about the last name alone.
    return None if found is not None and found.is_last and call.creates else found


def _by_path(context: Context, call: PatchCall, stubs: frozenset[str]) -> _Missing | None:
    parts = call.path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return None
    if any(".".join(parts[:count]) in stubs for count in range(1, len(parts))):
        return None
    file = context.workspace.find(parts[0], context.path)
    if file is None or not file.workspace:
        return None
    found = _walked(context, call, parts, file, imports_first=call.imports_first)
    if found is not None and call.imports_first and context.workspace.target_version < (3, 11):
        # As mock looked for it before; which of its versions the tests run with may not be known.
        return _walked(context, call, parts, file, imports_first=False) and found
    return found


def _walked(
    context: Context, call: PatchCall, parts: list[str], file: ModuleFile, *, imports_first: bool
) -> _Missing | None:
    """
    :param imports_first: as :meth:`~understudy.infer.resolve.Resolver.imported_first`, or else as ``dotted``.
    """
    entity: Entity = ModuleEntity(file)
    is_imported, is_open = imports_first, True
    for index, part in enumerate(parts[1:], 1):
        is_last = index == len(parts) - 1
        if isinstance(entity, ModuleEntity):
            # A folder without __init__.py may have parts that are not in the workspace.
            is_open = is_open and entity.file.kind is Kind.NAMESPACE
        if is_imported and not is_last:
            submodule = context.workspace.find(".".join(parts[: index + 1]), context.path)
            is_imported = submodule is not None
            if submodule is not None:
                entity = ModuleEntity(submodule)
                continue
        if isinstance(entity, ValueEntity):
            cls = objects.class_of(context.resolver, entity)
            below = _of_object(context, cls, index, part, is_last) if cls is not None else Absent.UNKNOWN
            if isinstance(below, _Missing):
                return None if objects.is_replaced(context.workspace, entity) else below
            if isinstance(below, (Absent, External)):
                return None
            entity = below
            continue
        if context.resolver.only_for_type_checkers(entity, part, context.module):
            return _Missing(entity, index, part, is_last)
        found = context.resolver.attribute(entity, part, context.module)
        if found is Absent.MISSING:
            if isinstance(entity, ModuleEntity):
                if is_last and hasattr(builtins, part) and call.form != "dict":
                    return None
                if is_open:
                    return None
            return _Missing(entity, index, part, is_last)
        if isinstance(found, (Absent, External)):
            return None
        entity = found
    return None


def _of_object(
    context: Context, cls: ClassEntity, index: int, name: str, is_last: bool, *, is_alone: bool = False
) -> _Missing | Entity | Absent:
    found = objects.attribute(context.resolver, cls, name, context.is_test_path, is_alone=is_alone)
    return _Missing(cls, index, name, is_last, True) if found is Absent.MISSING else found


def _by_object(context: Context, call: PatchCall, stubs: frozenset[str]) -> _Missing | None:
    assert call.owner is not None
    owner = context.names.resolve(call.owner, call.site.scope)
    name = call.name
    cls = objects.class_of(context.resolver, owner) if isinstance(owner, ValueEntity) else None
    alone = False
    if cls is None and isinstance(owner, Absent):
        cls = made_by_call(context, call.site, call.owner, _class_made)
        alone = cls is not None and is_alone(context, call.site, call.owner)
    if cls is not None:
        missing = _of_object(context, cls, 0, name, True, is_alone=alone)
        if not isinstance(missing, _Missing):
            return None
        replaced = isinstance(owner, ValueEntity) and objects.is_replaced(context.workspace, owner)
        return None if replaced else missing
    if not isinstance(owner, (ModuleEntity, ClassEntity)):
        return None
    if isinstance(owner, ModuleEntity) and (
        not owner.file.workspace
        # Other folders may be parts of it, and a package anywhere on the path comes before them.
        or owner.file.kind is Kind.NAMESPACE
        or owner.file.name in stubs
        or hasattr(builtins, name)
    ):
        return None
    if context.resolver.attribute(owner, name, context.module) is not Absent.MISSING:
        if not context.resolver.only_for_type_checkers(owner, name, context.module):
            return None
    return _Missing(owner, 0, name, True)


def _class_made(context: Context, site: Site, node: ast.Call) -> ClassEntity | None:
    """The class of the workspace that a call makes an object of."""
    made = context.names.resolve(node.func, site.scope)
    return made if isinstance(made, ClassEntity) and made.module.workspace else None


def _set_elsewhere(context: Context, found: _Missing) -> bool:
    """Does other code set such an attribute? Test code may do it on any object: it may be this one."""
    for module in context.fixtures.chain(context.module):
        parsed = context.workspace.parsed(module.path)
        if sets(parsed, found.name, on_objects=found.of_object) or creates(parsed, found.name):
            return True
        by_helpers = set_by_helpers(context, module, on_objects=found.of_object)
        if not {found.name, model.COMPUTED}.isdisjoint(by_helpers):
            return True
    if isinstance(found.owner, ClassEntity):
        lineage = {cls.name for cls in context.resolver.ancestry(found.owner).classes}
        return set_on_class(context.workspace, lineage, found.name)
    assert isinstance(found.owner, ModuleEntity)
    if set_on_module(context.resolver, found.owner.file, found.name):
        return True
    path = found.owner.file.path
    return path is not None and _MAKES_ITSELF.search(context.workspace.text(path).content) is not None


def _below_a_mock(context: Context, call: PatchCall, found: _Missing) -> bool:
    """Is a part of the target's path replaced around the patch? A mock has every attribute."""
    if isinstance(found.owner, ClassEntity):
        above = found.owner.name
    else:
        assert isinstance(found.owner, ModuleEntity)
        above = found.owner.file.name.rpartition(".")[2]
    return replaced_around(context, call.site, {above, *call.names[: found.index]})


def _message(context: Context, call: PatchCall, found: _Missing, fixes: list[tuple[Fix, str]]) -> str:
    what = f"`{call.spelling}`"
    if isinstance(found.owner, ClassEntity):
        what_it_is = (
            f"this is a `{found.owner.name}`, which" if found.of_object else f"class `{found.owner.name}`"
        )
        problem = f"{what_it_is} does not have the attribute `{found.name}`"
    elif isinstance(found.owner, ModuleEntity):
        kind = "package" if found.owner.file.is_package else "module"
        problem = f"{kind} `{found.owner.file.name}` does not have the attribute `{found.name}`"
        if context.resolver.only_for_type_checkers(found.owner, found.name, context.module):
            problem = (
                f"`{found.owner.file.name}` has `{found.name}` only under `TYPE_CHECKING`, not when it runs"
            )
        elif not found.is_last:
            problem = f"there is no module `{found.owner.file.name}.{found.name}`"
    else:
        problem = f"there is no `{found.name}`"
    otherwise = (
        "correct the name" if found.of_object else "patch the name where the code under test looks it up"
    )
    advice = fixes[0][1] if fixes else otherwise
    return f"{what} raises an error when it is entered: {problem}; {advice}"


def _fixes(context: Context, call: PatchCall, found: _Missing) -> list[tuple[Fix, str]]:
    """The definer of a name that is imported only inside functions; else the modules that define the name now, and
    the nearest name. Each with the advice that the message gives."""
    fixes: list[tuple[Fix, str]] = []
    if found.is_last and isinstance(found.owner, ModuleEntity):
        definers = {definer for _, definer in _lazy_imports(context, found)}
        if len(definers) == 1:
            target = definers.pop()
            edits = aim(context, call, target)
            if edits:
                fix = Fix(f"Patch `{target}`, where it is defined", Applicability.SAFE, edits)
                advice = f"it is imported inside a function, so patch `{target}`, where it is defined"
                return [(fix, advice)]
        moved = definitions(context.workspace, found.name, context.path, context.is_test_path)
        for definition in [d for d in moved if d.module.path != found.owner.file.path][:3]:
            module = spoken(context.resolver, context.module, definition.module)
            target = f"{module}.{found.name}"
            edits = aim(context, call, target)
            if edits:
                fix = Fix(f"Patch `{target}`, where it is now", Applicability.UNSAFE, edits)
                fixes.append((fix, f"it is defined in `{module}`"))
        if len(fixes) > 1:
            fixes = [(fix, "it is defined in other modules") for fix, _ in fixes]
    name = nearest(found.name, _names(context, found))
    if name is not None and _leads_on(context, call, found, name):
        span = call.part_span(found.index) if call.target is not None else call.name_span
        literal = call.target if call.target is not None and not call.keyword else call.literal
        if literal is None or span != call.site.unit.span(literal):
            edit = Edit(context.path, span, name)
            fixes.append(
                (Fix(f"Change to `{name}`", Applicability.UNSAFE, (edit,)), f"did you mean `{name}`?")
            )
    return fixes


def _leads_on(context: Context, call: PatchCall, found: _Missing, name: str) -> bool:
    """Has what is called that the next part of the path, too? A class has not what a module has."""
    if found.is_last or call.target is None:
        return True
    instead = context.resolver.attribute(found.owner, name, context.module)
    if isinstance(instead, Absent):
        return False
    following = call.names[found.index + 1]
    return not isinstance(context.resolver.attribute(instead, following, context.module), Absent)


def _lazy_imports(context: Context, found: _Missing) -> Iterator[tuple[model.Import, str]]:
    """Imports of the name inside functions of the module, with the dotted path that defines it."""
    module = _module(context, found)
    if module is None:
        return
    for _, statement in module.imports:
        if statement.function is None:
            continue
        for imported in statement.names:
            if imported.bound == found.name and statement.is_from:
                source = context.resolver.absolute(module, statement)
                if source is not None:
                    yield statement, f"{source}.{imported.name}"


def _module(context: Context, found: _Missing) -> Module | None:
    if isinstance(found.owner, ModuleEntity):
        return context.workspace.load(found.owner.file)
    return None


def _names(context: Context, found: _Missing) -> list[str]:
    if isinstance(found.owner, ClassEntity):
        names: dict[str, None] = {}
        for cls in context.resolver.ancestry(found.owner).classes:
            for declaration in cls.declaration.body:
                if found.of_object and isinstance(declaration, model.Function):
                    names.update(dict.fromkeys(declaration.self_attributes))
                name = getattr(declaration, "name", None) or getattr(declaration, "target", None)
                if name is not None:
                    names[name] = None
        return list(names)
    if isinstance(found.owner, ModuleEntity):
        module = context.workspace.load(found.owner.file)
        known = (
            [
                name
                for name in module.bindings
                if not context.resolver.only_for_type_checkers(found.owner, name, context.module)
            ]
            if module is not None
            else []
        )
        for folder in found.owner.file.folders:
            known.extend(
                entry.removesuffix(".py")
                for entry, is_folder in context.workspace.finder.listing.entries(folder).items()
                if entry.endswith(".py") or (is_folder and entry.isidentifier())
            )
        return known
    return []


def _related(context: Context, found: _Missing) -> Iterator[Related]:
    module = _module(context, found)
    if module is not None:
        for row, statement in module.imports:
            if statement.function is not None:
                for imported in statement.names:
                    if imported.bound == found.name:
                        yield Related(
                            module.path,
                            imported.span.shifted(row),
                            f"imported inside `{statement.function}`, so it is no attribute of the module",
                        )
    if isinstance(found.owner, ClassEntity):
        yield Related(found.owner.path, found.owner.span, f"class `{found.owner.name}` is defined here")


RULE = Rule(
    "US201",
    "patch-target-not-found",
    Severity.ERROR,
    "the module, class or attribute that a patch names does not exist",
    check,
    __name__,
)
