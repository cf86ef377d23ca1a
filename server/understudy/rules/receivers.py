"""Whose attribute ``value.name`` is: what is known of ``value`` without running anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.infer import objects
from understudy.infer.entities import Absent, ClassEntity, External, FunctionEntity, Lookup, ValueEntity
from understudy.infer.scopes import Chain, Scope, Site
from understudy.rules.base import Context
from understudy.rules.made import made_by_call
from understudy.source.parse import Unit

_DEPTH = 6
_DISPLAYS = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp)
_SPECS = frozenset({"spec", "spec_set", "autospec"})


def receiver(context: Context, unit: Unit, node: ast.expr, scope: Scope, depth: int = 0) -> Lookup:
    """The class that an expression is, or is an object of; a module, or a name of a library. A double is taken for
    what it is made after."""
    if depth > _DEPTH:
        return Absent.UNKNOWN
    if isinstance(node, _DISPLAYS):
        return External("builtins.object")
    if isinstance(node, ast.Await):
        return receiver(context, unit, node.value, scope, depth + 1)
    own = _own(context, node, scope)
    if own is not None:
        return own
    found = context.names.resolve(node, scope)
    if isinstance(found, ValueEntity):
        found = objects.class_of(context.resolver, found) or Absent.UNKNOWN
    if not isinstance(found, Absent):
        return found
    if isinstance(node, ast.Attribute):
        return _of_attribute(context, unit, node, scope, depth)
    annotation = _annotation(node, scope)
    if annotation is not None:
        return _annotated(context, annotation, scope)
    if isinstance(node, ast.Call):
        made = _made(context, Site(unit, node, scope, Chain(node, None)), node)
        return made if made is not None else Absent.UNKNOWN
    site = Site(unit, node, scope, _chain(unit.node, node))
    return made_by_call(context, site, node, _made) or Absent.UNKNOWN


def class_entity(context: Context, scope: Scope | None) -> ClassEntity | None:
    """The class whose body a scope is; None for those inside functions."""
    names: list[str] = []
    while scope is not None and isinstance(scope.node, ast.ClassDef):
        names.append(scope.node.name)
        scope = scope.parent
    if not names or (scope is not None and scope.node is not None):
        return None
    found = context.resolver.module_attribute(context.module, names.pop())
    while names and isinstance(found, ClassEntity):
        found = context.resolver.own_attribute(found, names.pop())
    return found if isinstance(found, ClassEntity) else None


def _own(context: Context, node: ast.expr, scope: Scope) -> ClassEntity | None:
    """``self``, ``cls`` or ``super()`` in a method."""
    is_super = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
    if not is_super and not isinstance(node, ast.Name):
        return None
    current: Scope | None = scope
    while current is not None:
        function = current.node
        inside = current.parent
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) and inside and inside.is_class:
            arguments = [*function.args.posonlyargs, *function.args.args]
            is_static = any(getattr(d, "id", "") == "staticmethod" for d in function.decorator_list)
            if is_super:
                return class_entity(context, inside)
            if not arguments or is_static or not isinstance(node, ast.Name) or arguments[0].arg != node.id:
                return None
            binders = current.names.get(node.id, [])
            return class_entity(context, inside) if len(binders) == 1 else None
        if isinstance(node, ast.Name) and node.id in current.names:
            return None
        current = inside
    return None


def _of_attribute(context: Context, unit: Unit, node: ast.Attribute, scope: Scope, depth: int) -> Lookup:
    """``self.mailer``: what the class's methods set, in one place, or its body declares."""
    owner = receiver(context, unit, node.value, scope, depth + 1)
    if isinstance(owner, External):
        return owner
    if not isinstance(owner, ClassEntity):
        return Absent.UNKNOWN
    found: list[Lookup] = []
    for cls in context.resolver.ancestry(owner).classes:
        other = context.other(cls.path) if cls.module.workspace else None
        for other_unit, value, inner in _set_in(other, cls, node.attr) if other is not None else ():
            assert other is not None
            found.append(receiver(other, other_unit, value, inner, depth + 1))
    kept = set(found)
    return kept.pop() if len(kept) == 1 else Absent.UNKNOWN


def _set_in(context: Context, cls: ClassEntity, name: str) -> Iterator[tuple[Unit, ast.expr, Scope]]:
    """The values that the methods of a class give to ``self.name``."""
    for site in context.scopes.statements:
        node = site.node
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute) and target.attr == name:
                if _own(context, target.value, site.scope) == cls:
                    yield site.unit, node.value, site.scope


def _annotation(node: ast.expr, scope: Scope) -> ast.expr | None:
    """The annotation of the parameter or variable that a name is, where nothing else binds it."""
    if not isinstance(node, ast.Name):
        return None
    current: Scope | None = scope
    while current is not None and current.node is not None:
        binders = [] if current.is_class and current is not scope else current.names.get(node.id, [])
        if binders:
            found = [
                b.annotation for b in binders if isinstance(b, (ast.arg, ast.AnnAssign)) and b.annotation
            ]
            others = [b for b in binders if not isinstance(b, (ast.arg, ast.AnnAssign, ast.Name))]
            return found[0] if len(found) == 1 and not others and len(binders) <= 2 else None
        current = current.parent
    return None


def _annotated(context: Context, annotation: ast.expr, scope: Scope) -> Lookup:
    """The class of an annotation; of ``X | None`` and ``Optional[X]``, ``X``."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return Absent.UNKNOWN
    if isinstance(annotation, ast.BinOp):
        sides = [s for s in (annotation.left, annotation.right) if not _is_none(s)]
        return _annotated(context, sides[0], scope) if len(sides) == 1 else Absent.UNKNOWN
    if isinstance(annotation, ast.Subscript):
        name = getattr(annotation.value, "id", getattr(annotation.value, "attr", ""))
        if name == "Optional":
            return _annotated(context, annotation.slice, scope)
        if name == "Annotated" and isinstance(annotation.slice, ast.Tuple):
            return _annotated(context, annotation.slice.elts[0], scope)
        return _annotated(context, annotation.value, scope)
    found = context.names.resolve(annotation, scope)
    if isinstance(found, External) and found.name.endswith(("Mock", "Any", "Protocol")):
        return Absent.UNKNOWN
    return found if isinstance(found, (ClassEntity, External)) else Absent.UNKNOWN


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _made(context: Context, site: Site, call: ast.Call) -> ClassEntity | External | None:
    """The class of what a call makes: of a double, the one that it is made after."""
    func = context.names.resolve(call.func, site.scope)
    if isinstance(func, ClassEntity):
        return func
    if isinstance(func, FunctionEntity):
        # Its annotation, where it stands in the same file.
        return None
    if not isinstance(func, External):
        return None
    if func.root != "unittest" and not func.name.endswith("Mock"):
        return func if func.name[:1].isupper() else None
    specs = [keyword.value for keyword in call.keywords if keyword.arg in _SPECS]
    if func.name == "create_autospec":
        specs += call.args[:1]
    elif func.name.endswith("Mock"):
        specs += call.args[:1]
    found = context.names.resolve(specs[0], site.scope) if len(specs) == 1 else Absent.UNKNOWN
    return found if isinstance(found, (ClassEntity, External)) else None


def _chain(root: ast.AST, node: ast.AST) -> Chain:
    """The nodes around one, for what looks at the class that a test is in."""
    for outer in ast.walk(root):
        if isinstance(outer, ast.ClassDef) and any(child is node for child in ast.walk(outer)):
            return Chain(node, Chain(outer, None))
    return Chain(node, None)
