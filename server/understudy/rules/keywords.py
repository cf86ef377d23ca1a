"""The keywords that a call is given, those of ``**{…}`` and ``**FIELDS`` included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.infer.scopes import Scope, Site
from understudy.rules.base import Context
from understudy.source.parse import Unit
from understudy.source.span import Span


@dataclass(frozen=True)
class Given:
    """One keyword, or one key of a dict that is spread into keywords."""

    name: str
    span: Span
    """The name, or the string."""
    value: ast.expr
    quoted: bool

    def spelled(self, name: str) -> str:
        """What to write in its place."""
        return f'"{name}"' if self.quoted else name


@dataclass(frozen=True)
class Keywords:
    given: tuple[Given, ...]
    complete: bool
    """False when there may be others."""

    @property
    def names(self) -> set[str]:
        return {keyword.name for keyword in self.given}


def keywords(context: Context, site: Site, call: ast.Call) -> Keywords:
    """The keywords of a call."""
    given: list[Given] = []
    complete = True
    for keyword in call.keywords:
        if keyword.arg is not None:
            given.append(Given(keyword.arg, site.unit.keyword_span(keyword), keyword.value, False))
            continue
        found = literal_dict(context, site, keyword.value)
        if found is None:
            complete = False
            continue
        items, certain = dict_keys(*found)
        given.extend(items)
        complete = complete and certain
    return Keywords(tuple(given), complete)


def dict_keys(unit: Unit, display: ast.Dict) -> tuple[list[Given], bool]:
    """The keys of a dict display that are plain strings, and whether all are."""
    given: list[Given] = []
    complete = True
    for key, value in zip(display.keys, display.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            given.append(Given(key.value, unit.span(key), value, True))
        else:
            complete = False
    return given, complete


def literal_dict(context: Context, site: Site, node: ast.expr) -> tuple[Unit, ast.Dict] | None:
    """The dict display that an expression is, or the only one that its name stands for and that nothing but
    calls with ``**`` ever sees."""
    if isinstance(node, ast.Dict):
        return site.unit, node
    if not isinstance(node, ast.Name):
        return None
    scope: Scope | None = site.scope
    while scope is not None and scope.node is not None:
        if (not scope.is_class or scope is site.scope) and node.id in scope.names:
            binders = scope.names[node.id]
            if len(binders) != 2 or not isinstance(binders[0], ast.Assign):
                return None
            value = binders[0].value
            if isinstance(value, ast.Dict) and _only_spread(scope.node, node.id):
                return site.unit, value
            return None
        scope = scope.parent
    bindings = context.module.bindings.get(node.id, ())
    if len(bindings) != 1 or node.id in context.module.set_by_functions:
        return None
    for unit in context.parsed.units:
        top = unit.node
        if unit.row != bindings[0].row or not isinstance(top, (ast.Assign, ast.AnnAssign)):
            continue
        if isinstance(top.value, ast.Dict):
            if all(_only_spread(other.node, node.id) for other in context.parsed.units):
                return unit, top.value
    return None


def _only_spread(root: ast.AST, name: str) -> bool:
    """Is a name only bound, and spread into calls: nothing that could change the dict?"""
    spread = {
        id(keyword.value)
        for call in ast.walk(root)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg is None
    }
    return all(id(use) in spread for use in _uses(root, name))


def _uses(root: ast.AST, name: str) -> Iterator[ast.Name]:
    for node in ast.walk(root):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            yield node
