"""A name that a module of the workspace binds, wherever the workspace spells it: where it is defined, in imports, in
code that resolves to it, in ``__all__``, and in the strings of patches.

A name belongs to the module that binds it other than by ``from … import`` of the same name: ``orders.send`` and
``mail.send`` are one symbol when ``orders`` says ``from mail import send``, and two when it says ``send = mail.send``.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model
from understudy.index.module import Binding, Module
from understudy.infer.entities import ModuleEntity
from understudy.infer.scopes import Scope
from understudy.rules.base import Context
from understudy.rules.patch_calls import PatchCall, all_patches
from understudy.rules.patch_strings import Part, owner_of
from understudy.source.dotted import dotted_name
from understudy.source.parse import Unit
from understudy.source.span import Span

_WORD = re.compile(r"[^\W\d]\w*")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_DEPTH = 16


class Refused(Exception):
    """Why a name cannot be renamed, a sentence for the user."""


@dataclass(frozen=True)
class Symbol:
    """A module-level name of the workspace, and the file that binds it."""

    path: Path
    name: str


@dataclass(frozen=True)
class _Spelled:
    """A place that spells a name, and what it may stand for. More than one: it depends on how the code runs."""

    span: Span
    symbols: frozenset[Symbol]
    scope: Scope | None = None


def symbol_at(context: Context, row: int, column: int) -> tuple[Symbol, Span] | None:
    """The symbol under the cursor, both of its ends count; None for all that is no module-level name of the
    workspace."""
    line = context.parsed.text.line(row) if row < context.parsed.text.row_count else ""
    for word in _WORD.finditer(line):
        if word.start() <= column <= word.end():
            for spelled in _spelled(context, word.group()):
                if spelled.span.contains(row, column) and len(spelled.symbols) == 1:
                    (symbol,) = spelled.symbols
                    return symbol, spelled.span
    return None


def renamed(context: Context, symbol: Symbol, new: str) -> dict[Path, list[Span]]:
    """Everything that has to be replaced for a symbol to get a new name, by file.

    :raises Refused: the name is no good, is taken, or the code does not say clearly what it refers to.
    """
    if not new.isidentifier() or keyword.iskeyword(new):
        raise Refused(f"'{new}' is not a name")
    _refuse_fixture(context, symbol)
    found: dict[Path, list[Span]] = {}
    pattern = re.compile(rf"\b{re.escape(symbol.name)}\b".encode())
    for path in dict.fromkeys([symbol.path, *context.workspace.files_with(pattern)]):
        other = context.other(path)
        if other is None:
            continue
        shown = path.name
        for spelled in _spelled(other, symbol.name):
            if symbol not in spelled.symbols:
                continue
            if other.parsed.problems:
                raise Refused(f"{shown} uses '{symbol.name}' and does not parse; mend it first")
            if len(spelled.symbols) > 1:
                raise Refused(
                    f"'{symbol.name}' in {shown} is bound in more than one way; rename it there first"
                )
            if other.parsed.text.slice(spelled.span) != symbol.name:
                where = f"{shown}:{spelled.span.row + 1}"
                raise Refused(f"'{symbol.name}' is not spelled plainly in {where}; change that first")
            if new in other.module.bindings or _binds_locally(spelled.scope, new):
                raise Refused(f"'{new}' is used in {shown} already")
            found.setdefault(path, []).append(spelled.span)
    return {path: sorted(set(spans)) for path, spans in found.items()}


def _refuse_fixture(context: Context, symbol: Symbol) -> None:
    other = context.other(symbol.path)
    for binding in other.module.bindings.get(symbol.name, ()) if other is not None else ():
        for decorator in getattr(binding.declaration, "decorators", ()):
            term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
            if isinstance(term, model.Ref) and term.parts[-1].endswith("fixture"):
                raise Refused(f"'{symbol.name}' is a fixture: tests ask for it by the name of a parameter")


def _binds_locally(scope: Scope | None, name: str) -> bool:
    while scope is not None:
        if name in scope.names:
            return True
        scope = scope.parent
    return False


# --- what a name stands for


def _origins(context: Context, module: Module, name: str, depth: int = 0) -> frozenset[Symbol]:
    """What a module's name stands for; nothing when it is a library's, or not bound."""
    if not module.workspace or depth > _DEPTH:
        return frozenset()
    bindings = module.bindings.get(name)
    if bindings is None:
        through_stars = (_imported(context, module, star, name, depth) for star in module.stars)
        return next((found for found in through_stars if found), frozenset())
    found: set[Symbol] = set()
    for binding in bindings:
        found |= _bound(context, module, binding, name, depth)
    return frozenset(found)


def _bound(context: Context, module: Module, binding: Binding, name: str, depth: int) -> frozenset[Symbol]:
    statement, imported = binding.declaration, binding.imported
    own = frozenset({Symbol(module.path, name)})
    if not isinstance(statement, model.Import) or imported is None:
        return own
    if imported.aliased:
        # ``as`` makes a name of its own, unless it repeats the name.
        return own if imported.name != name else _imported(context, module, statement, name, depth)
    return _imported(context, module, statement, name, depth) if statement.is_from else frozenset()


def _imported(
    context: Context, module: Module, statement: model.Import, name: str, depth: int = 0
) -> frozenset[Symbol]:
    source = context.resolver.imported_module(module, statement)
    return _of(context, source, name, depth + 1) if isinstance(source, ModuleEntity) else frozenset()


def _of(context: Context, owner: ModuleEntity, name: str, depth: int = 0) -> frozenset[Symbol]:
    loaded = context.workspace.load(owner.file) if owner.file.workspace else None
    return _origins(context, loaded, name, depth) if loaded is not None else frozenset()


# --- where it is spelled


def _spelled(context: Context, name: str) -> Iterator[_Spelled]:
    """Every place of a file that spells a name and can be followed to a module of the workspace."""
    own = _origins(context, context.module, name)
    for unit in context.parsed.units:
        for node, scope in walk(unit.node, Scope(None, None)):
            yield from _in_node(context, unit, node, scope, name, own)
    for call in all_patches(context):
        for index, part in enumerate(call.names or (call.name,)):
            if part == name:
                yield from _in_patch(context, call, index)


def _in_patch(context: Context, call: PatchCall, index: int) -> Iterator[_Spelled]:
    part = Part(call, index, call.part_span(index) if call.names else call.name_span)
    owner = owner_of(context, part)
    if not isinstance(owner, ModuleEntity):
        return
    span = part.span
    if call.keyword is not None and index == max(len(call.names) - 1, 0) and _is_injected(call.keyword):
        # The double is handed to the test by that name.
        span = call.site.unit.span(call.keyword)
    yield _Spelled(span, _of(context, owner, part.name))


def _is_injected(given: ast.keyword) -> bool:
    return getattr(given.value, "id", getattr(given.value, "attr", "")) == "DEFAULT"


def _in_node(
    context: Context, unit: Unit, node: ast.AST, scope: Scope, name: str, own: frozenset[Symbol]
) -> Iterator[_Spelled]:
    if isinstance(node, ast.Name) and node.id == name:
        yield _Spelled(unit.span(node), _in_scope(context, name, scope, own), scope)
    elif isinstance(node, ast.Attribute) and node.attr == name:
        owner = context.names.resolve(node.value, scope)
        if isinstance(owner, ModuleEntity):
            whole = unit.span(node)
            span = Span(whole.end_row, whole.end_column - len(name), whole.end_row, whole.end_column)
            yield _Spelled(span, _of(context, owner, name))
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        if scope.node is None and node.name == name:
            yield _Spelled(unit.name_span(node), own)
        if not isinstance(node, ast.ClassDef) and node.returns is not None:
            yield from _in_annotation(context, unit, node.returns, scope, name, own)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield from _in_alias(context, unit, node, alias, scope, name, own)
    elif isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation is not None:
        yield from _in_annotation(context, unit, node.annotation, scope, name, own)
    elif isinstance(node, ast.Global) and name in node.names:
        whole = unit.span(node)
        match = re.search(rf"\b{re.escape(name)}\b", unit.text.slice(whole))
        if match is not None:
            origin = unit.text.offset(whole.row, whole.column)
            yield _Spelled(unit.text.span(origin + match.start(), origin + match.end()), own)
    elif isinstance(node, ast.Assign) and scope.node is None and _is_all(node):
        for item in getattr(node.value, "elts", ()):
            if isinstance(item, ast.Constant) and item.value == name:
                yield _Spelled(unit.string_span(item, 0, len(name)), own)


def _in_annotation(
    context: Context, unit: Unit, annotation: ast.expr, scope: Scope, name: str, own: frozenset[Symbol]
) -> Iterator[_Spelled]:
    """``"Order | None"``: code in a string."""
    stack: list[ast.AST] = [annotation]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Subscript) and (dotted_name(node.value) or "").endswith(
            ("Literal", "Annotated")
        ):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for word in re.finditer(rf"(?<![.\w])((?:\w+\.)*)({re.escape(name)})\b", node.value):
                symbols = _in_scope(context, name, scope, own)
                if word[1]:
                    owner = context.names.resolve(ast.parse(word[1][:-1], mode="eval").body, scope)
                    symbols = _of(context, owner, name) if isinstance(owner, ModuleEntity) else frozenset()
                yield _Spelled(unit.string_span(node, *word.span(2)), symbols, scope)
        stack.extend(ast.iter_child_nodes(node))


def _in_alias(
    context: Context,
    unit: Unit,
    node: ast.Import | ast.ImportFrom,
    alias: ast.alias,
    scope: Scope,
    name: str,
    own: frozenset[Symbol],
) -> Iterator[_Spelled]:
    whole = unit.span(alias)
    if alias.asname == name and scope.node is None:
        start = whole.end_column - len(name)
        yield _Spelled(Span(whole.end_row, start, whole.end_row, whole.end_column), own)
    if isinstance(node, ast.ImportFrom) and alias.name == name:
        start_of = Span(whole.row, whole.column, whole.row, whole.column + len(name))
        bound_in = scope if alias.asname is None else None
        yield _Spelled(start_of, _imported(context, context.module, _statement(node), name), bound_in)


def _statement(node: ast.ImportFrom) -> model.Import:
    nowhere = Span.at(0, 0)
    return model.Import(node.module or "", node.level, (), True, False, (), nowhere)


def _in_scope(context: Context, name: str, scope: Scope, own: frozenset[Symbol]) -> frozenset[Symbol]:
    current: Scope | None = scope
    while current is not None and current.node is not None:
        binders = current.names.get(name) if not current.is_class or current is scope else None
        if binders:
            return _bound_locally(context, name, binders)
        current = current.parent
    return own


def _bound_locally(context: Context, name: str, binders: list[ast.AST]) -> frozenset[Symbol]:
    """A local name is a symbol of the workspace only when imports alone bind it."""
    found: set[Symbol] = set()
    for node in binders:
        plain = isinstance(node, ast.ImportFrom) and any(
            alias.name == name and alias.asname in (None, name) for alias in node.names
        )
        if not isinstance(node, ast.ImportFrom) or not plain:
            return frozenset()
        found |= _imported(context, context.module, _statement(node), name)
    return frozenset(found)


def _is_all(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)


def walk(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    """Every node with the scope in which its names are looked up."""
    yield node, scope
    outside: list[ast.AST] = []
    inner = scope
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        outside = [*node.decorator_list, node.args, *([node.returns] if node.returns is not None else [])]
        inner = Scope(node, scope)
    elif isinstance(node, ast.ClassDef):
        outside = [*node.decorator_list, *node.bases, *node.keywords]
        inner = Scope(node, scope)
    elif isinstance(node, ast.Lambda):
        outside = [node.args]
        inner = Scope(node, scope)
    elif isinstance(node, _COMPREHENSIONS):
        outside = [node.generators[0].iter]
        inner = Scope(node, scope)
    for child in outside:
        yield from walk(child, scope)
    for child in _children(node):
        if child not in outside:
            yield from walk(child, inner)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension):
            yield from ast.iter_child_nodes(child)
        elif not isinstance(child, (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)):
            yield child
