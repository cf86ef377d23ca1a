"""Which classes a value is an instance of: ``isinstance``, and class patterns of ``match``."""

from __future__ import annotations

import builtins
import re
from typing import TYPE_CHECKING, TypeGuard

from understudy.doubles.state import Misuse
from understudy.doubles.values import (
    UNKNOWN,
    ClassValue,
    Coroutine,
    Environment,
    Instance,
    LibraryName,
    Literal,
    Mock,
    Node,
    Sequence_,
    Value,
    is_known_double,
)
from understudy.facts import model
from understudy.infer.entities import Absent, ClassEntity, External

if TYPE_CHECKING:
    from understudy.doubles.objects import Objects as Machine

_LIKE_A_CLASS = frozenset({".__bases__", ".__instancecheck__", ".__subclasscheck__"})
_REGISTERING = re.compile(rb"\w\.register\b")
_PROTOCOLS = frozenset({"typing.Protocol", "typing_extensions.Protocol"})
_ASKING_NO_MORE = frozenset(
    {
        "abc.ABCMeta",
        "builtins.type",
        "enum.EnumMeta",
        "enum.EnumType",
        "pydantic._internal._model_construction.ModelMetaclass",
    }
)
"""Metaclasses for which nothing is an instance that derives from no class of theirs. Nobody registers mocks with an
``ABC``."""


def is_no_class(value: Value) -> TypeGuard[Mock]:
    """Is it a double that nobody has made look like a class? With or without a spec, none does by itself."""
    return is_known_double(value) and not _LIKE_A_CLASS & value.slots.keys()


NO_INSTANCE = "a coroutine is no instance of the class of what it gives"


def asserted(machine: Machine, value: Value, answer: Value, node: Node, env: Environment) -> None:
    """What a test asserts with ``isinstance``, it asserts of a value, and not of the coroutine that gives it."""
    if node is machine.asserted and isinstance(value, Coroutine):
        if isinstance(answer, Literal) and not answer.value:
            machine.note(env, Misuse.COROUTINE_COMPARISON, value, node, NO_INSTANCE)


def is_instance(machine: Machine, value: Value, kind: Value, node: Node, env: Environment) -> Value:
    """``isinstance(value, kind)`` where it is certain; a spec gives a mock its ``__class__``."""
    if isinstance(kind, Sequence_):
        known = True
        for item in kind.items or ():
            if not known and is_no_class(item):
                # Perhaps one before it ends the search.
                continue
            answer = is_instance(machine, value, item, node, env)
            if isinstance(answer, Literal) and answer.value:
                return answer
            known = known and isinstance(answer, Literal)
        return Literal(False) if known and kind.items else UNKNOWN
    if is_no_class(kind):
        error = "isinstance() arg 2 must be a type, a tuple of types, or a union"
        return machine.fail(env, Misuse.NO_CLASS, kind, node, error)
    if isinstance(kind, ClassValue):
        return _of_class(machine, value, kind.entity)
    if not isinstance(kind, LibraryName):
        return UNKNOWN
    if kind.entity.root != "builtins":
        opened = machine.resolver.open(kind.entity) if isinstance(value, Coroutine) else None
        return _of_class(machine, value, opened) if isinstance(opened, ClassEntity) else UNKNOWN
    if is_known_double(value) and value.spec is None and ".__class__" not in value.slots:
        return UNKNOWN if kind.entity.name == "object" else Literal(False)
    cls = getattr(builtins, kind.entity.name, None)
    if isinstance(value, (Coroutine, Literal)) and isinstance(cls, type):
        return Literal(isinstance(value.value, cls) if isinstance(value, Literal) else cls is object)
    return UNKNOWN


def _of_class(machine: Machine, value: Value, cls: ClassEntity) -> Value:
    entity: ClassEntity | None = None
    if is_known_double(value):
        if ".__class__" in value.slots:
            return UNKNOWN
        if value.spec is not None:
            if not isinstance(value.spec.entity, ClassEntity) or not value.spec.instance:
                return UNKNOWN
            entity = value.spec.entity
    elif isinstance(value, Instance):
        entity = value.entity
    elif not isinstance(value, Coroutine):
        return UNKNOWN
    if entity is not None:
        ancestry = machine.resolver.ancestry(entity)
        if cls in ancestry.classes:
            return Literal(True)
        if not ancestry.complete:
            return UNKNOWN
    if entity is not None and _is_registered(machine, cls):
        return UNKNOWN
    return UNKNOWN if _looks_closer(machine, cls) else Literal(False)


def _is_registered(machine: Machine, cls: ClassEntity) -> bool:
    """Does code register other classes with an abstract class?"""
    workspace = machine.workspace
    registering = workspace.files_with(_REGISTERING)
    return any(f"{cls.name}.register" in workspace.text(path).content for path in registering)


def _looks_closer(machine: Machine, cls: ClassEntity) -> bool:
    """May an object be an instance that derives from no such class? A protocol asks for its attributes, others for what
    ``__instancecheck__`` or ``__subclasshook__`` say."""
    resolver = machine.resolver
    for base in cls.declaration.bases:
        found = resolver.base(cls, base)
        if isinstance(found, External) and found.dotted in _PROTOCOLS:
            return True
    for each in resolver.ancestry(cls).classes:
        if resolver.own_attribute(each, "__subclasshook__") is not Absent.MISSING:
            return True
        for keyword in each.declaration.keywords:
            if keyword.name == "metaclass" and _may_ask_more(machine, each, keyword.value):
                return True
    return False


def _may_ask_more(machine: Machine, cls: ClassEntity, metaclass: model.Term) -> bool:
    found = machine.resolver.base(cls, metaclass)
    if isinstance(found, External):
        if found.dotted in _ASKING_NO_MORE:
            return False
        found = machine.resolver.open(found)
    if not isinstance(found, ClassEntity):
        return True
    for each in machine.resolver.ancestry(found).classes:
        if each.dotted in _ASKING_NO_MORE:
            return False
        if machine.resolver.own_attribute(each, "__instancecheck__") is not Absent.MISSING:
            return True
    return False
