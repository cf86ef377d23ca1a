"""Whether an object is in nobody's hands but those of its class and of the code that made it: then no other code can
have given it attributes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.facts import model
from understudy.infer.assigned import set_in
from understudy.infer.entities import ClassEntity
from understudy.infer.nodes import class_node
from understudy.infer.scopes import FunctionNode, Site
from understudy.rules.base import Context
from understudy.rules.made import made_by_call
from understudy.source.dotted import dotted_name

_LOOKING = frozenset(
    {"bool", "callable", "getattr", "hasattr", "id", "isinstance", "len", "repr", "str", "super", "type"}
)
_PATCHING = frozenset({"object", "setattr", "delattr", "spy"})
_LOGGING = frozenset({"critical", "debug", "error", "exception", "info", "log", "warning"})
_ITSELF = (
    ast.Attribute,
    ast.Compare,
    ast.FormattedValue,
    ast.Return,
    ast.BoolOp,
    ast.UnaryOp,
    ast.If,
    ast.Assert,
)
"""What an object may stand in without being handed to anybody."""


def is_alone(context: Context, site: Site, node: ast.expr) -> bool:
    """Has nobody else got what a name stands for, from where it was made to here? It is made by a call in the same
    function, or in the fixture of that name.

    :param site: of the patch of one of its attributes.
    """
    if not isinstance(node, ast.Name):
        return False
    function = site.scope.function
    if function is None or not _is_kept(function, node.id, node):
        return False
    if any(arg.arg == node.id for arg in (*function.args.args, *function.args.kwonlyargs)):
        if any(each is not function for each in _asking(context, node.id)):
            return False
    return made_by_call(context, site, node, _alone_where_made) is not None


def _alone_where_made(context: Context, site: Site, call: ast.Call) -> ClassEntity | None:
    """The class of the workspace that a call makes an object of, where neither that nor the function hands it on."""
    made = context.names.resolve(call.func, site.scope)
    if not isinstance(made, ClassEntity) or not _keeps_to_itself(context, made):
        return None
    function = site.scope.function
    if function is None:
        return None
    names = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and node.value is call
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if not names and not any(
        isinstance(node, (ast.Return, ast.Yield)) and node.value is call for node in ast.walk(function)
    ):
        return None
    return made if all(_is_kept(function, name, None) for name in names) else None


def _is_kept(function: FunctionNode, name: str, until: ast.expr | None) -> bool:
    """Does a function do no more with a variable than to use its attributes, to look at it, and to give it back?

    :param until: what comes after this is of no interest, if that is not in a loop.
    """
    parents = {id(child): parent for parent in ast.walk(function) for child in ast.iter_child_nodes(parent)}
    if until is not None and _in_loop(until, parents):
        until = None
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            if until is not None and (node.lineno, node.col_offset) > (until.lineno, until.col_offset):
                continue
            if not _is_used_alone(node, parents):
                return False
    return True


def _in_loop(node: ast.AST, parents: dict[int, ast.AST]) -> bool:
    while id(node) in parents:
        node = parents[id(node)]
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            return True
    return False


def _is_used_alone(node: ast.expr, parents: dict[int, ast.AST]) -> bool:
    parent = parents[id(node)]
    if isinstance(parent, (*_ITSELF, ast.Yield)):
        return True
    if isinstance(parent, ast.withitem):
        return parent.context_expr is node
    if isinstance(parent, ast.Subscript):
        return parent.value is node
    if not isinstance(parent, ast.Call):
        return False
    func = parent.func
    if isinstance(func, ast.Attribute):
        patched = func.attr in _PATCHING and bool(parent.args) and parent.args[0] is node
        return patched or func.attr in _LOGGING
    return isinstance(func, ast.Name) and func.id in _LOOKING


def _asking(context: Context, name: str) -> Iterator[FunctionNode]:
    """The fixtures that ask for a fixture of this name: one of them may have handed it on."""
    for place in context.fixtures.chain(context.module):
        other = context.other(place.path)
        for found in other.scopes.functions if other is not None else ():
            node = found.node
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.decorator_list:
                if any(arg.arg == name for arg in (*node.args.args, *node.args.kwonlyargs)):
                    if any("fixture" in found.unit.spelled(decorator) for decorator in node.decorator_list):
                        yield node


def _keeps_to_itself(context: Context, cls: ClassEntity) -> bool:
    """Do the methods of a class, and of those above it, hand ``self`` to nobody, and set no attributes of computed
    names on it?"""
    return context.once(("keeps to itself", cls.key), lambda: all(_methods_keep(context, cls)))


def _methods_keep(context: Context, cls: ClassEntity) -> Iterator[bool]:
    for above in context.resolver.ancestry(cls).classes:
        node = class_node(context.resolver, above) if above.module.workspace else None
        if node is None:
            yield False
            return
        for method in node.body:
            if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and method.args.args:
                if any(
                    dotted_name(each) in ("staticmethod", "classmethod") for each in method.decorator_list
                ):
                    continue
                own = method.args.args[0].arg
                yield _is_kept(method, own, None) and not any(
                    name == model.COMPUTED and _is_own(owner, own)
                    for inner in ast.walk(method)
                    for owner, name in set_in(inner)
                )


def _is_own(owner: ast.expr, own: str) -> bool:
    """``self``, ``super()``, ``type(self)``."""
    if isinstance(owner, ast.Call):
        return True
    return isinstance(owner, ast.Name) and owner.id == own
