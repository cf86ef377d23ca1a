"""How an object of a class of the workspace is made: by its ``__init__``, by that of a dataclass, or by code that
stands in between."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from understudy.doubles.arguments import Arguments
from understudy.doubles.values import UNKNOWN, Environment, Instance, Node, Place, Value
from understudy.facts import model
from understudy.infer.entities import Absent, ClassEntity, External, FunctionEntity

if TYPE_CHECKING:
    from understudy.doubles.core import Core
    from understudy.doubles.functions import Functions

_DATACLASSES = frozenset({"dataclass", "define", "frozen", "mutable"})
"""Of :mod:`dataclasses` and attrs."""
_GENERIC = tuple(
    External(f"{module}.{name}")
    for module in ("typing", "typing_extensions")
    for name in ("Generic", "Protocol")
)


def metaclass_defines(machine: Core, entity: ClassEntity, name: str) -> bool:
    """Has a metaclass of the workspace a method of this name, or is it not known what the metaclass is?"""
    resolver = machine.resolver
    for cls in resolver.ancestry(entity).classes:
        for keyword in cls.declaration.keywords:
            if keyword.name != "metaclass" or not cls.module.workspace:
                continue
            found = resolver.open(resolver.base(cls, keyword.value))
            if isinstance(found, External):
                continue
            if not isinstance(found, ClassEntity):
                return True
            above = resolver.ancestry(found).classes
            if any(each.module.workspace and resolver.declared(each, name) for each in above):
                return True
    return False


def is_generic(machine: Core, entity: ClassEntity) -> bool:
    """Is ``Class[int]`` the class again, for all that can be done with it?"""
    resolver = machine.resolver
    ancestry = resolver.ancestry(entity)
    if not ancestry.complete or any(resolver.declared(cls, "__class_getitem__") for cls in ancestry.classes):
        return False
    return any(
        isinstance(base, model.SubscriptTerm) and resolver.base(cls, base) in _GENERIC
        for cls in ancestry.classes
        for base in cls.declaration.bases
    )


def is_abstract(machine: Core, entity: ClassEntity) -> bool:
    """Does Python refuse to make an object of the class? Tests get round that in several ways."""
    ancestry = machine.resolver.ancestry(entity)
    if not ancestry.is_abstract:
        return False
    bases = (machine.resolver.base(entity, base) for base in entity.declaration.bases)
    if any(isinstance(base, External) and base.name == "Protocol" for base in bases):
        return True
    for cls in ancestry.classes:
        for declaration in cls.declaration.body:
            if not isinstance(declaration, model.Function) or not _says_abstract(declaration):
                continue
            found = machine.resolver.class_attribute(entity, declaration.name)
            if found is Absent.UNKNOWN or (isinstance(found, FunctionEntity) and found.owner == cls):
                return True
    return False


def _says_abstract(declaration: model.Function) -> bool:
    named = (d.func if isinstance(d, model.CallTerm) else d for d in declaration.decorators)
    return any(isinstance(d, model.Ref) and d.parts[-1].startswith("abstract") for d in named)


def is_replaced(machine: Functions, entity: ClassEntity) -> bool:
    """Does a decorator of the workspace give something else than the class that it gets?"""
    for decorator in entity.declaration.decorators:
        term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
        if not isinstance(term, model.Ref):
            return True
        found = machine.resolver.ref(entity.module, term.parts)
        if isinstance(found, ClassEntity) and found.module.workspace:
            return True
        if isinstance(found, FunctionEntity) and found.module.workspace:
            known = machine.node_of(found)
            if known is None or not _gives_back(known[0], isinstance(decorator, model.CallTerm)):
                return True
    return False


def _gives_back(function: ast.FunctionDef | ast.AsyncFunctionDef, called: bool) -> bool:
    """Does a class decorator return its argument?

    :param called: it is a function that makes the decorator.
    """
    if called:
        inner = [child for child in function.body if isinstance(child, ast.FunctionDef)]
        return len(inner) == 1 and _gives_back(inner[0], False)
    if not function.args.args:
        return False
    name = function.args.args[0].arg
    returns = [child for child in ast.walk(function) if isinstance(child, ast.Return)]
    return bool(returns) and all(
        isinstance(each.value, ast.Name) and each.value.id == name for each in returns
    )


def initializer(machine: Functions, entity: ClassEntity) -> FunctionEntity | ClassEntity | None:
    """The ``__init__`` that runs: a function, or the dataclass that has made its own; None for ``object``'s, and where
    it is not known."""
    for cls in machine.resolver.ancestry(entity).classes:
        own = machine.resolver.own_attribute(cls, "__init__")
        if isinstance(own, FunctionEntity):
            return own
        if any(_makes_init(decorator) for decorator in _dataclass_decorators(machine, cls)):
            return cls
    return None


def _dataclass_decorators(machine: Functions, cls: ClassEntity) -> list[model.Term]:
    """Those of :mod:`dataclasses` and attrs, and not of others that look like them: pydantic converts."""
    found = []
    for decorator in cls.declaration.decorators:
        term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
        if isinstance(term, model.Ref) and term.parts[-1] in _DATACLASSES:
            named = machine.resolver.ref(cls.module, term.parts)
            if not isinstance(named, External) or named.root in ("attr", "attrs", "dataclasses"):
                found.append(decorator)
    return found


def is_made_otherwise(machine: Functions, entity: ClassEntity) -> bool:
    """Is it a dataclass of a library that may convert what it gets, or has it a say in how its fields are set?"""
    for cls in machine.resolver.ancestry(entity).classes:
        named = [d.func if isinstance(d, model.CallTerm) else d for d in cls.declaration.decorators]
        looks = [d for d in named if isinstance(d, model.Ref) and d.parts[-1] in _DATACLASSES]
        if looks and not _dataclass_decorators(machine, cls):
            return True
        if cls.module.workspace and machine.resolver.declared(cls, "__setattr__"):
            return True
    return False


def _makes_init(decorator: model.Term) -> bool:
    return not _says(decorator, "init", False)


@dataclass
class _Field:
    by_position: bool
    is_stored: bool
    """No ``InitVar``."""
    is_given: bool
    """It is a parameter."""


def _fields(machine: Functions, entity: ClassEntity) -> dict[str, _Field]:
    fields: dict[str, _Field] = {}
    for cls in reversed(machine.resolver.ancestry(entity).classes):
        if not _dataclass_decorators(machine, cls):
            # Its annotations are no fields.
            continue
        all_by_name = any(_says(decorator, "kw_only", True) for decorator in cls.declaration.decorators)
        by_name = all_by_name
        for declaration in cls.declaration.body:
            if not isinstance(declaration, model.Assign) or declaration.annotation is None:
                continue
            kind = _annotated_as(declaration.annotation)
            if kind == "KW_ONLY":
                by_name = True
            if kind in ("ClassVar", "KW_ONLY"):
                continue
            value = declaration.value
            alone = _says(value, "kw_only", True)
            fields[declaration.target] = _Field(
                by_position=not (by_name or alone) or _says(value, "kw_only", False),
                is_stored=kind != "InitVar",
                is_given=not _says(value, "init", False),
            )
    return fields


def _annotated_as(annotation: model.Term) -> str:
    """The last part of the name that an annotation begins with."""
    if isinstance(annotation, model.SubscriptTerm):
        annotation = annotation.value
    if isinstance(annotation, model.Const) and isinstance(annotation.value, str):
        return annotation.value.partition("[")[0].rpartition(".")[2].strip()
    return annotation.parts[-1] if isinstance(annotation, model.Ref) else ""


def _says(term: model.Term | None, keyword: str, value: bool) -> bool:
    """Is it a call with this keyword?"""
    said = term.keyword(keyword) if isinstance(term, model.CallTerm) else None
    return isinstance(said, model.Const) and said.value is value


def fill(
    machine: Functions,
    entity: ClassEntity,
    instance: Instance,
    arguments: Arguments,
    node: Node,
    env: Environment,
) -> None:
    """What the ``__init__`` of a dataclass does."""
    fields = _fields(machine, entity)
    given: dict[str, Value] = {}
    positional = [name for name, each in fields.items() if each.is_given and each.by_position]
    given.update(zip(positional, arguments.values, strict=False))
    # attrs takes ``x`` for ``_x``.
    private = {name.lstrip("_"): name for name in fields}
    for name, value in arguments.keywords.items():
        given[name if name in fields else private.get(name, name)] = value
    for name, each in fields.items():
        if each.is_stored:
            instance.slots[name] = given.get(name, UNKNOWN)
    after = machine.resolver.class_attribute(entity, "__post_init__")
    if isinstance(after, FunctionEntity) and (function := machine.raw_function(after)) is not None:
        passed = [given.get(name, UNKNOWN) for name, each in fields.items() if not each.is_stored]
        machine.call_function(function, Arguments.of(instance, *passed), node, env)
    if machine.is_test(env.unit.path) and not machine.is_test(entity.path):
        for value, value_node in zip(arguments.values, arguments.nodes, strict=True):
            if value_node is not None:
                machine.handed(value, Place(env.unit, value_node))
        machine.hand_over_to_class(entity, arguments, env)
