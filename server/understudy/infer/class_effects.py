"""What code does to a class that it is given: an ``__init_subclass__``, a class decorator, a metaclass."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from understudy.facts import model
from understudy.facts.extract import set_by_call
from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.infer.nodes import FunctionNode, class_node, function_node
from understudy.source.dotted import dotted_parts

if TYPE_CHECKING:
    from understudy.index.module import Module
    from understudy.infer.resolve import Resolver

HOOK = "__init_subclass__"
_MAKING = ("__new__", "__init__", "__prepare__", "__getattribute__", "__setattr__", "mro")
"""Methods of a metaclass that have a say in what its classes have."""
_LOOKING = frozenset(
    {
        "callable",
        "dir",
        "getattr",
        "hasattr",
        "id",
        "isabstract",
        "isinstance",
        "issubclass",
        "len",
        "print",
        "repr",
        "str",
        "vars",
        "warn",
    }
)
"""Functions that only look at what they are given."""
_KEEPING = frozenset(
    {"add", "append", "count", "discard", "get", "index", "insert", "pop", "remove", "setdefault"}
)
"""Methods of containers."""
_LOGGING = frozenset({"critical", "debug", "error", "exception", "info", "log", "warning"})


def of_hook(resolver: Resolver, cls: ClassEntity) -> frozenset[str]:
    """The attributes that an ``__init_subclass__`` in the body of a class sets on the classes below;
    :data:`model.COMPUTED` for any. A registry of subclasses sets none."""
    if not resolver.declared(cls, HOOK):
        return frozenset()
    node = class_node(resolver, cls) if cls.module.workspace else None
    found = [inner for inner in node.body if getattr(inner, "name", None) == HOOK] if node is not None else []
    if len(found) != 1 or not isinstance(found[0], ast.FunctionDef) or not found[0].args.args:
        return frozenset({model.COMPUTED})
    return frozenset(_set_in(resolver, cls.module, found[0], found[0].args.args[0].arg))


def of_decorators(resolver: Resolver, cls: ClassEntity) -> frozenset[str]:
    """The same of the decorators of a class that are functions of the workspace."""
    found: set[str] = set()
    for decorator in cls.declaration.decorators:
        term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
        function = resolver.ref(cls.module, term.parts) if isinstance(term, model.Ref) else None
        if isinstance(function, FunctionEntity) and function.module.workspace:
            node = function_node(resolver, function)
            inside = [node] if node is not None else []
            if isinstance(decorator, model.CallTerm):
                # What it makes is given the class.
                inside = [each for each in ast.walk(node) if isinstance(each, FunctionNode)] if node else []
                inside = [each for each in inside if each is not node]
            if not inside:
                found.add(model.COMPUTED)
            for each in inside:
                if each.args.args:
                    found.update(_set_in(resolver, function.module, each, each.args.args[0].arg))
    return frozenset(found)


def of_metaclass(resolver: Resolver, cls: ClassEntity) -> frozenset[str]:
    """The same of a metaclass of the workspace: any, where it has methods that make a class."""
    for keyword in cls.declaration.keywords:
        made_by = resolver.open(resolver.base(cls, keyword.value)) if keyword.name == "metaclass" else None
        if isinstance(made_by, ClassEntity):
            own = [above for above in resolver.ancestry(made_by).classes if above.module.workspace]
            if any(resolver.declared(above, name) for above in own for name in _MAKING):
                return frozenset({model.COMPUTED})
    return frozenset()


def _set_in(resolver: Resolver, module: Module, node: FunctionNode, own: str) -> Iterator[str]:
    """The attributes that a function sets on one of its parameters; :data:`model.COMPUTED` where it does more with it
    than to look at it, and to keep it."""
    parents = {id(child): parent for parent in ast.walk(node) for child in ast.iter_child_nodes(parent)}
    for name in ast.walk(node):
        if not isinstance(name, ast.Name) or name.id != own:
            continue
        parent = parents[id(name)]
        if isinstance(parent, ast.Attribute):
            if not isinstance(parent.ctx, ast.Load):
                yield parent.attr
        elif isinstance(parent, ast.Call) and parent.args and parent.args[0] is name and set_by_call(parent):
            _, attribute = set_by_call(parent) or (name, model.COMPUTED)
            yield attribute
        elif not isinstance(name.ctx, ast.Load) or not _is_harmless(resolver, module, name, parents):
            yield model.COMPUTED


def _is_harmless(resolver: Resolver, module: Module, name: ast.Name, parents: dict[int, ast.AST]) -> bool:
    """Is the class only looked at, kept, or given back?"""
    parent = parents[id(name)]
    if isinstance(parent, ast.keyword):
        return _only_looks(resolver, module, parents[id(parent)])
    if isinstance(parent, ast.Call):
        return _only_looks(resolver, module, parent)
    if isinstance(parent, ast.Assign):
        # ``registry[key] = cls``
        return parent.value is name and all(isinstance(target, ast.Subscript) for target in parent.targets)
    if isinstance(parent, ast.Tuple):
        return isinstance(parents[id(parent)], ast.Subscript)
    return isinstance(
        parent,
        (ast.Compare, ast.FormattedValue, ast.Subscript, ast.If, ast.BoolOp, ast.UnaryOp, ast.Return),
    )


def _only_looks(resolver: Resolver, module: Module, call: ast.AST) -> bool:
    """Does a call that is given the class leave it as it is?"""
    if not isinstance(call, ast.Call):
        return False
    parts = dotted_parts(call.func)
    last = call.func.attr if isinstance(call.func, ast.Attribute) else parts[-1] if parts else ""
    if isinstance(call.func, ast.Attribute) and last in _KEEPING | _LOGGING:
        return True
    if parts == ("super",):
        return True
    found = resolver.ref(module, parts) if parts else None
    return last in _LOOKING and not (isinstance(found, FunctionEntity) and found.module.workspace)
