"""A method, or a variable of a class, wherever the workspace spells it: in the class, in those that derive from it, on
their objects, and in the strings of patches.

Only what is known to mean it is renamed. Where ``value.name`` may or may not, the name is not renamed at all: half of a
rename breaks code, and a guess breaks other code.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model
from understudy.infer.entities import (
    Absent,
    ClassEntity,
    External,
    FunctionEntity,
    Lookup,
    ModuleEntity,
    ValueEntity,
)
from understudy.infer.scopes import Scope
from understudy.rules.base import Context
from understudy.rules.patch_calls import PatchCall, all_patches
from understudy.rules.patch_strings import Part, owner_of
from understudy.rules.receivers import class_entity, receiver
from understudy.rules.renaming import Refused, walk
from understudy.source.dotted import last_name
from understudy.source.parse import Unit
from understudy.source.span import Span

_PLAIN_BASES = frozenset({"ABC", "Generic", "object", "Protocol"})
_BY_NAME = frozenset({"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller"})


@dataclass(frozen=True)
class Member:
    """A name of a class of the workspace."""

    owner: ClassEntity
    name: str


@dataclass(frozen=True)
class _Spelled:
    """A place that spells the name, and whose it is there; None where that is not known."""

    span: Span
    owner: Lookup


def member_at(context: Context, row: int, column: int) -> tuple[Member, Span] | None:
    """The member under the cursor, both of its ends count; None for all that is known to be none."""
    line = context.parsed.text.line(row) if row < context.parsed.text.row_count else ""
    for word in re.finditer(r"[^\W\d]\w*", line):
        if word.start() <= column <= word.end():
            for spelled in _spelled(context, word.group()):
                if spelled.span.contains(row, column):
                    member = _member(context, spelled.owner, word.group())
                    return (member, spelled.span) if member is not None else None
    return None


def renamed(context: Context, member: Member, new: str) -> dict[Path, list[Span]]:
    """Everything that has to be replaced for a member to get a new name, by file.

    :raises Refused: the name is no good, is taken, or the code does not say clearly what it refers to.
    """
    if not new.isidentifier() or keyword.iskeyword(new):
        raise Refused(f"'{new}' is not a name")
    pattern = re.compile(rf"\b{re.escape(member.name)}\b".encode())
    files = [
        other for path in context.workspace.files_with(pattern) if (other := context.other(path)) is not None
    ]
    family = _family(context, member, files)
    for cls in sorted(family, key=lambda cls: cls.key):
        _refuse(context, cls, member.name, new)
    found: dict[Path, list[Span]] = {}
    for other in files:
        shown = other.path.name
        if any(
            member.name in other.parsed.text.line(row) for rows in other.parsed.broken for row in _rows(rows)
        ):
            raise Refused(f"{shown} uses '{member.name}' and does not parse; mend it first")
        for spelled in _spelled(other, member.name):
            where = f"{shown}:{spelled.span.row + 1}"
            if spelled.owner is Absent.UNKNOWN:
                raise Refused(
                    f"it is not known whose '{member.name}' is meant in {where}; rename it there first"
                )
            if not _is_of(other, spelled.owner, member.name, family):
                continue
            if other.parsed.text.slice(spelled.span) != member.name:
                raise Refused(f"'{member.name}' is not spelled plainly in {where}; change that first")
            found.setdefault(other.path, []).append(spelled.span)
    return {path: sorted(set(spans)) for path, spans in found.items()}


def _rows(broken: tuple[int, int]) -> range:
    return range(broken[0], broken[1] + 1)


def _member(context: Context, owner: Lookup, name: str) -> Member | None:
    if not isinstance(owner, ClassEntity) or name.startswith("__"):
        return None
    found = context.resolver.class_attribute(owner, name)
    if not isinstance(found, (FunctionEntity, ValueEntity)) or found.owner is None:
        return None
    return Member(found.owner, name) if found.module.workspace else None


def _family(context: Context, member: Member, files: list[Context]) -> set[ClassEntity]:
    """The classes that bind the name and inherit one another's."""
    binding = {member.owner}
    for other in files:
        for unit in other.parsed.units:
            for node, scope in walk(unit.node, Scope(None, None)):
                if isinstance(node, ast.ClassDef):
                    cls = class_entity(other, Scope(node, scope))
                    if (
                        cls is not None
                        and other.resolver.own_attribute(cls, member.name) is not Absent.MISSING
                    ):
                        binding.add(cls)
                    elif cls is None and _overrides(other, node, scope, member.name):
                        where = f"{other.path.name}:{unit.span(node).row + 1}"
                        raise Refused(f"a class inside a function has '{member.name}', too, in {where}")
    family = {member.owner}
    grown = True
    while grown:
        near = {one for one in binding - family for two in family if _related(context, one, two)}
        grown = bool(near)
        family |= near
    return family


def _overrides(context: Context, node: ast.ClassDef, scope: Scope, name: str) -> bool:
    """Does a class that is not followed bind the name, and derive from one of the workspace?"""
    if not any(getattr(statement, "name", None) == name for statement in node.body):
        return False
    return any(not isinstance(context.names.resolve(base, scope), External) for base in node.bases)


def _related(context: Context, one: ClassEntity, two: ClassEntity) -> bool:
    ancestry = context.resolver.ancestry
    return one in ancestry(two).classes or two in ancestry(one).classes


def _refuse(context: Context, cls: ClassEntity, name: str, new: str) -> None:
    ancestry = context.resolver.ancestry(cls)
    names = [external.name for external in ancestry.externals]
    names += [base.name for base in ancestry.classes if not base.module.workspace]
    above = [base for base in names if base not in _PLAIN_BASES]
    if above:
        raise Refused(f"`{cls.name}` derives from `{above[0]}` of a library, which may use '{name}'")
    if not ancestry.complete:
        raise Refused(f"not all that `{cls.name}` derives from is known")
    if context.resolver.class_attribute(cls, new) is not Absent.MISSING:
        raise Refused(f"`{cls.name}` has '{new}' already")
    for related in ancestry.classes:
        content = context.workspace.text(related.path).content if related.module.workspace else ""
        if re.search(rf"\.{re.escape(new)}\b", content) is not None:
            raise Refused(f"'{new}' is used in {related.path.name} already")
    for declaration in cls.declaration.body:
        if isinstance(declaration, model.Assign) and declaration.target == name:
            if declaration.annotation is not None and cls.declaration.decorators:
                raise Refused(
                    f"'{name}' is a field of `{cls.name}`: its constructor has a parameter of that name"
                )
        for decorator in getattr(declaration, "decorators", ()) if _named(declaration, name) else ():
            term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
            if isinstance(term, model.Ref) and term.parts[-1].endswith("fixture"):
                raise Refused(f"'{name}' is a fixture: tests ask for it by the name of a parameter")


def _named(declaration: object, name: str) -> bool:
    return getattr(declaration, "name", None) == name


def _is_of(context: Context, owner: Lookup, name: str, family: set[ClassEntity]) -> bool:
    if not isinstance(owner, ClassEntity):
        return False
    for cls in context.resolver.ancestry(owner).classes:
        if cls in family:
            return True
        if context.resolver.own_attribute(cls, name) is not Absent.MISSING:
            return False
    return False


# --- where it is spelled


def _spelled(context: Context, name: str) -> Iterator[_Spelled]:
    """Every place of a file that spells a name as that of an attribute."""
    for unit in context.parsed.units:
        for node, scope in walk(unit.node, Scope(None, None)):
            yield from _in_node(context, unit, node, scope, name)
    for call in all_patches(context):
        for index, part in enumerate(call.names or (call.name,)):
            if part == name and (index or call.target is None):
                yield _in_patch(context, call, index)


def _in_node(context: Context, unit: Unit, node: ast.AST, scope: Scope, name: str) -> Iterator[_Spelled]:
    if isinstance(node, ast.Attribute) and node.attr == name:
        whole = unit.span(node)
        span = Span(whole.end_row, whole.end_column - len(name), whole.end_row, whole.end_column)
        yield _Spelled(span, receiver(context, unit, node.value, scope))
    elif scope.is_class and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
        yield _Spelled(unit.name_span(node), class_entity(context, scope) or Absent.MISSING)
    elif scope.is_class and isinstance(node, ast.Name) and node.id == name and name in scope.names:
        yield _Spelled(unit.span(node), class_entity(context, scope) or Absent.MISSING)
    elif isinstance(node, ast.Call) and last_name(node) in _BY_NAME:
        for argument in node.args[:2]:
            if isinstance(argument, ast.Constant) and argument.value == name:
                first = node.args[0]
                owner = Absent.UNKNOWN if first is argument else receiver(context, unit, first, scope)
                yield _Spelled(unit.string_span(argument, 0, len(name)), owner)


def _in_patch(context: Context, call: PatchCall, index: int) -> _Spelled:
    part = Part(call, index, call.part_span(index) if call.names else call.name_span)
    owner: Lookup = owner_of(context, part) or Absent.MISSING
    if isinstance(owner, Absent) and call.owner is not None:
        owner = receiver(context, call.site.unit, call.owner, call.site.scope)
    elif owner is Absent.UNKNOWN and context.workspace.find(call.names[0], context.path) is None:
        # Something in a library.
        owner = External(call.path)
    if isinstance(owner, ValueEntity):
        owner = Absent.UNKNOWN
    return _Spelled(part.span, ModuleEntity(owner.file) if isinstance(owner, ModuleEntity) else owner)
