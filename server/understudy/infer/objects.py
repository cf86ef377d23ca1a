"""What an object of a workspace's class has: the attributes of its class, and those that code sets on objects."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

from understudy.facts import model
from understudy.facts.extract import set_by_call
from understudy.index.workspace import Workspace
from understudy.infer.entities import Absent, ClassEntity, Lookup, ValueEntity
from understudy.infer.resolve import Resolver
from understudy.source.parse import Parsed

_HOOKS = ("__getattr__", "__getattribute__", "__new__")
_COMPUTING = re.compile(rb"\bsetattr\(|\b__setattr__\(|\b__dict__\b|\bvars\(|\bnamespace\s*=")


def class_of(resolver: Resolver, value: ValueEntity) -> ClassEntity | None:
    """The class that a module or class variable is an object of, when its module is imported:
    ``service = Service(…)``."""
    declaration = value.declaration
    term = declaration.value
    if not isinstance(term, model.CallTerm) or not isinstance(term.func, model.Ref) or declaration.augmented:
        return None
    made = resolver.ref(value.module, term.func.parts)
    if not isinstance(made, ClassEntity) or not made.module.workspace:
        return None
    if value.owner is None and declaration.target in value.module.set_by_functions:
        return None
    return made


def is_replaced(workspace: Workspace, value: ValueEntity) -> bool:
    """May other code put something else in the place of a variable?"""
    return _stored(workspace, value.declaration.target, None)


def attribute(
    resolver: Resolver,
    cls: ClassEntity,
    name: str,
    is_test: Callable[[Path], bool],
    *,
    is_alone: bool = False,
) -> Lookup:
    """An attribute of an object of a class. ``MISSING``: neither the class has it, nor does any code put it on
    an object.

    :param is_alone: only its class has had it, and that sets no attributes of computed names on it.
    """
    lineage = resolver.ancestry(cls).classes
    if any(_binds(above, hook) for above in lineage for hook in _HOOKS):
        return Absent.UNKNOWN
    found = resolver.class_attribute(cls, name)
    if found is not Absent.MISSING:
        return found
    workspace = resolver.workspace
    if _stored(workspace, name, is_test):
        return Absent.UNKNOWN
    if is_alone:
        return Absent.MISSING
    if any(
        _COMPUTING.search(workspace.text(above.path).content.encode("utf-8", "replace")) for above in lineage
    ):
        return Absent.UNKNOWN
    return Absent.UNKNOWN if _computed(workspace, is_test) else Absent.MISSING


def _binds(cls: ClassEntity, name: str) -> bool:
    return any(getattr(declaration, "name", None) == name for declaration in cls.declaration.body)


def _stored(workspace: Workspace, name: str, is_test: Callable[[Path], bool] | None) -> bool:
    """Does a file set an attribute of this name on anything? Given ``is_test``, a file that is no test may also
    have the name as a string."""
    pattern = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
    for path in workspace.files_with(pattern):
        strings = is_test is not None and not is_test(path)
        parsed = workspace.readable(path)
        if parsed is None:
            return True
        for _, node in parsed.walk():
            if isinstance(node, ast.Attribute) and node.attr == name and not isinstance(node.ctx, ast.Load):
                return True
            if strings and isinstance(node, ast.Constant) and node.value == name:
                return True
    return False


def _computed(workspace: Workspace, is_test: Callable[[Path], bool]) -> bool:
    """Does any code set attributes with computed names on objects that are not its own?"""
    return any(
        not is_test(path) and _sets_on_others(workspace.parsed(path))
        for path in workspace.files_with(_COMPUTING)
    )


def _sets_on_others(parsed: Parsed | None) -> bool:
    if parsed is None:
        return True
    for _, node in parsed.walk():
        if isinstance(node, ast.Call):
            found = set_by_call(node)
            if found is not None and found[1] == model.COMPUTED and not _is_own(found[0]):
                return True
            named = node.func.id if isinstance(node.func, ast.Name) else ""
            if named == "vars" and node.args and not _is_own(node.args[0]):
                return True
            # ``parser.parse_args(argv, namespace=options)``
            if any(keyword.arg == "namespace" and not _is_own(keyword.value) for keyword in node.keywords):
                return True
        elif isinstance(node, ast.Attribute) and node.attr == "__dict__" and not _is_own(node.value):
            return True
    return False


def _is_own(node: ast.expr) -> bool:
    """``self``, ``cls``, ``super()``: what classes do in their own code is looked at there."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
