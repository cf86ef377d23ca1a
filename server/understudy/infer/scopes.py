"""Which scope an expression stands in, and what its names refer to there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import Absent, Lookup
from understudy.infer.resolve import Resolver
from understudy.source.parse import Parsed, Part, Unit, binds_inside, children, walruses
from understudy.source.span import Span

_NAMED = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.ExceptHandler,
    ast.MatchAs,
    ast.MatchStar,
)
_LEAVES = frozenset((ast.Name, ast.Constant, ast.alias))
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_DEPTH = 8
Kind = Literal["calls", "statements", "functions", "classes", "reads"]
_KINDS: tuple[Kind, ...] = ("calls", "statements", "functions", "classes", "reads")


class Chain:
    """A node with the nodes around it, innermost first."""

    # One for each node of a file: a plain class is made in a third of the time.
    __slots__ = ("node", "parent")

    def __init__(self, node: ast.AST, parent: Chain | None) -> None:
        self.node = node
        self.parent = parent

    def __iter__(self) -> Iterator[ast.AST]:
        link: Chain | None = self
        while link is not None:
            yield link.node
            link = link.parent


@dataclass(frozen=True, eq=False)
class Scope:
    """A function (or lambda, comprehension, class) body; ``node`` is None for the module."""

    node: ast.AST | None
    parent: Scope | None

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def function(self) -> FunctionNode | None:
        """The innermost enclosing function."""
        scope: Scope | None = self
        while scope is not None:
            if isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return scope.node
            scope = scope.parent
        return None

    @property
    def names(self) -> dict[str, list[ast.AST]]:
        """Names the scope binds, each with the nodes that bind it; those declared ``global`` or ``nonlocal`` are
        not among them."""
        node = self.node
        if node is None:
            return {}
        # Every test that calls a function asks for its names: they go with the node, and with its body, which a class
        # gets another of by an edit.
        body = getattr(node, "body", None)
        known: tuple[object, dict[str, list[ast.AST]]] | None = node.__dict__.get(_NAMES)
        if known is None or known[0] is not body:
            known = node.__dict__[_NAMES] = (body, _names(node))
        return known[1]


_NAMES = "understudy_names"


def _names(node: ast.AST) -> dict[str, list[ast.AST]]:
    found: dict[str, list[ast.AST]] = {}
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        arguments = node.args
        for arg in (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ):
            found.setdefault(arg.arg, []).append(arg)
    body: list[ast.AST] = []
    if isinstance(node, ast.Lambda):
        body = [node.body]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        body.extend(node.body)
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
        body = [generator.target for generator in node.generators]
    outer: set[str] = set()
    for child in _binders(body):
        if isinstance(child, ast.Name):
            found.setdefault(child.id, []).append(child)
        elif isinstance(child, (ast.Import, ast.ImportFrom)):
            for alias in child.names:
                bound = alias.asname or alias.name
                if isinstance(child, ast.Import) and not alias.asname:
                    bound = alias.name.partition(".")[0]
                found.setdefault(bound, []).append(child)
        elif isinstance(child, _NAMED):
            if child.name:
                found.setdefault(child.name, []).append(child)
        elif isinstance(child, ast.MatchMapping):
            if child.rest:
                found.setdefault(child.rest, []).append(child)
        elif isinstance(child, ast.Assign):
            if len(child.targets) == 1 and isinstance(child.targets[0], ast.Name):
                found.setdefault(child.targets[0].id, []).insert(0, child)
        elif isinstance(child, (ast.Global, ast.Nonlocal)):
            outer.update(child.names)
    for name in outer:
        found.pop(name, None)
    return found


class Site:
    """An expression or statement that a rule may look at, with where it stands."""

    __slots__ = ("chain", "node", "scope", "unit")

    def __init__(self, unit: Unit, node: ast.AST, scope: Scope, chain: Chain) -> None:
        self.unit = unit
        self.node = node
        self.scope = scope
        self.chain = chain


@dataclass(frozen=True)
class LocalNames:
    """What names stand for in the scopes of one file."""

    module: Module
    resolver: Resolver

    def resolve(self, node: ast.expr, scope: Scope, depth: int = 0) -> Lookup:
        """What a name or dotted expression refers to; unknown for every other expression."""
        if depth > _DEPTH:
            return Absent.UNKNOWN
        if isinstance(node, ast.Name):
            return self.resolve_name(node.id, scope, depth)
        if isinstance(node, ast.Attribute):
            value = self.resolve(node.value, scope, depth + 1)
            if isinstance(value, Absent):
                return Absent.UNKNOWN
            return self.resolver.attribute(value, node.attr, self.module)
        return Absent.UNKNOWN

    def resolve_name(self, name: str, scope: Scope, depth: int = 0) -> Lookup:
        current: Scope | None = scope
        while current is not None and current.node is not None:
            if (not current.is_class or current is scope) and name in current.names:
                return self._local(name, current, depth)
            current = current.parent
        return self.resolver.name(self.module, name)

    def _local(self, name: str, scope: Scope, depth: int) -> Lookup:
        binders = scope.names[name]
        imports = [node for node in binders if isinstance(node, (ast.Import, ast.ImportFrom))]
        if len(imports) == len(binders):
            found = {self._imported(name, node) for node in imports}
            return found.pop() if len(found) == 1 else Absent.UNKNOWN
        if len(binders) == 2 and isinstance(binders[0], ast.Assign):
            value = binders[0].value
            if isinstance(value, (ast.Name, ast.Attribute)) and scope.parent is not None:
                if isinstance(value, ast.Name) and value.id == name:
                    return Absent.UNKNOWN
                return self.resolve(value, scope, depth + 1)
        return Absent.UNKNOWN

    def _imported(self, name: str, node: ast.Import | ast.ImportFrom) -> Lookup:
        for alias in node.names:
            bound = alias.asname or alias.name
            if isinstance(node, ast.Import) and not alias.asname:
                bound = alias.name.partition(".")[0]
            if bound != name:
                continue
            statement, imported = import_facts(node, alias, bound)
            return self.resolver.imported(self.module, statement, imported)
        return Absent.UNKNOWN


@dataclass
class FileScopes:
    """The sites of one file."""

    parsed: Parsed
    calls: list[Site] = field(default_factory=list)
    statements: list[Site] = field(default_factory=list)
    functions: list[Site] = field(default_factory=list)
    classes: list[Site] = field(default_factory=list)
    reads: list[Site] = field(default_factory=list)
    """Attributes that are read: ``value.name``."""
    words: tuple[str, ...] = ()
    """Of functions and classes, only those that have one of them in their text; none: all."""
    units: list[Unit] = field(init=False)
    """The statements that it is about."""

    def all(self, kind: Kind) -> list[Site]:
        found: list[Site] = getattr(self, kind)
        return found

    def of(self, part: Part, kind: Kind) -> list[Site]:
        """Those of one part of the file."""
        found: list[Site] = part.memo["sites"][1][_KINDS.index(kind)]
        return found

    def calls_of(self, *names: str) -> list[Site]:
        """The calls of what is written with one of these names last, in their order: ``add(…)``, ``session.add(…)``."""
        found: list[Site] = []
        for part in self.parts:
            by_name: dict[str, list[tuple[int, Site]]] = part.memo["sites"][2]
            hits = [hit for name in names for hit in by_name.get(name, ())]
            if len(hits) > 1:
                hits.sort(key=lambda hit: hit[0])
            found.extend(site for _, site in hits)
        return found

    def called_names(self) -> set[str]:
        """The last names of all that is called in the file."""
        found: set[str] = set()
        for part in self.parts:
            found.update(part.memo["sites"][2])
        return found

    @property
    def parts(self) -> Iterator[Part]:
        for unit in self.units:
            yield from unit.parts

    def __post_init__(self) -> None:
        if not self.words:
            self.parsed.complete()
        self.units = [
            unit
            for unit in self.parsed.units
            if not self.words or unit.name is None or any(map(unit.mentions, self.words))
        ]
        top = Scope(None, None)
        lists = [self.all(kind) for kind in _KINDS]
        for unit in self.units:
            scope, around = top, None
            for part in unit.parts:
                # What an edit leaves alone keeps its sites, and they the names of their scopes.
                known = part.memo.get("sites")
                if known is None or (around is not None and known[0] is not scope):
                    before = [len(each) for each in lists]
                    own = self._visit_part(unit, part, scope, around)
                    found = [each[start:] for each, start in zip(lists, before, strict=True)]
                    known = part.memo["sites"] = (own, found, _by_name(found[0]))
                else:
                    for each, sites in zip(lists, known[1], strict=True):
                        each.extend(sites)
                if around is None:
                    scope, around = known[0], Chain(unit.node, None)

    def _visit_part(self, unit: Unit, part: Part, scope: Scope, around: Chain | None) -> Scope:
        """Visit a part; the scope of what it stands in, or of the body of the class that it begins."""
        node = part.node
        chain = Chain(node, around)
        if around is not None or not isinstance(node, ast.ClassDef):
            self._visit(unit, node, scope, chain)
            return scope
        self._visit_header(unit, node, scope, chain)
        return Scope(node, scope)

    def _visit_header(self, unit: Unit, node: ast.ClassDef, scope: Scope, chain: Chain) -> None:
        self.classes.append(Site(unit, node, scope, chain))
        self._visit_all(unit, [*node.decorator_list, *node.bases, *node.keywords], scope, chain)

    def _visit(self, unit: Unit, node: ast.AST, scope: Scope, chain: Chain) -> None:
        inner = scope
        if isinstance(node, ast.Call):
            self.calls.append(Site(unit, node, scope, chain))
        elif isinstance(node, ast.Attribute):
            if isinstance(node.ctx, ast.Load):
                self.reads.append(Site(unit, node, scope, chain))
        elif isinstance(node, ast.stmt):
            site = Site(unit, node, scope, chain)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions.append(site)
                self._visit_all(unit, [*node.decorator_list, node.args], scope, chain)
                self._visit_all(unit, node.body, Scope(node, scope), chain)
                return
            if isinstance(node, ast.ClassDef):
                self._visit_header(unit, node, scope, chain)
                self._visit_all(unit, node.body, Scope(node, scope), chain)
                return
            self.statements.append(site)
        elif type(node) in _COMPREHENSIONS:
            inner = Scope(node, scope)
        for child in children(node):
            # Half of all nodes are no places that anybody looks at, and have none inside.
            if type(child) not in _LEAVES:
                self._visit(unit, child, inner, Chain(child, chain))

    def _visit_all(self, unit: Unit, nodes: Sequence[ast.AST], scope: Scope, chain: Chain) -> None:
        for node in nodes:
            if type(node) not in _LEAVES:
                self._visit(unit, node, scope, Chain(node, chain))


def _by_name(calls: list[Site]) -> dict[str, list[tuple[int, Site]]]:
    """Calls by the last name of what is called, each with its number."""
    found: dict[str, list[tuple[int, Site]]] = {}
    for number, site in enumerate(calls):
        callee = getattr(site.node, "func", None)
        name = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", None)
        if name is not None:
            found.setdefault(name, []).append((number, site))
    return found


def import_facts(
    node: ast.Import | ast.ImportFrom, alias: ast.alias, bound: str
) -> tuple[model.Import, model.ImportedName]:
    """One name of an import statement in a function, as facts; without places."""
    nowhere = Span.at(0, 0)
    imported = model.ImportedName(alias.name, bound, alias.asname is not None, nowhere)
    is_from = isinstance(node, ast.ImportFrom)
    module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
    level = node.level if isinstance(node, ast.ImportFrom) else 0
    return model.Import(module, level, (imported,), is_from, False, (), nowhere), imported


_BINDING = frozenset(
    (ast.Import, ast.ImportFrom, ast.Assign, ast.Global, ast.Nonlocal, ast.MatchMapping, *_NAMED)
)
_BINDING_PARTS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.AnnAssign: ("target",),
    ast.Assert: (),
    ast.Assign: ("targets",),
    ast.AsyncFor: ("target", "body", "orelse"),
    ast.AsyncFunctionDef: (),
    ast.AsyncWith: ("items", "body"),
    ast.AugAssign: ("target",),
    ast.ClassDef: (),
    ast.Expr: (),
    ast.For: ("target", "body", "orelse"),
    ast.FunctionDef: (),
    ast.If: ("body", "orelse"),
    ast.Raise: (),
    ast.Return: (),
    ast.While: ("body", "orelse"),
    ast.With: ("items", "body"),
}
"""What may bind names in statements whose expressions bind none; of others, anything may."""
_COMPREHENSIONS = frozenset((ast.Lambda, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp))


def _binders(body: list[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a scope that may bind names, without those of the scopes inside it."""
    stack = body[::-1]
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is ast.Name:
            if type(node.ctx) is not ast.Load:  # type: ignore[attr-defined]
                yield node
            continue
        if kind in _BINDING:
            yield node
        inside = _BINDING_PARTS.get(kind)
        if inside is not None and not binds_inside(node):
            for name in inside:
                part = getattr(node, name)
                if name == "items":
                    stack.extend(item.optional_vars for item in part if item.optional_vars is not None)
                elif type(part) is list:
                    stack.extend(part)
                else:
                    stack.append(part)
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            stack.extend([*node.decorator_list, node.args])
            continue
        if isinstance(node, ast.ClassDef):
            stack.extend([*node.decorator_list, *node.bases, *node.keywords])
            continue
        if isinstance(node, ast.Lambda):
            # What its body binds is its own.
            stack.append(node.args)
            continue
        if kind in _COMPREHENSIONS:
            # A walrus inside a comprehension binds in the enclosing function; the rest is the comprehension's.
            stack.extend(walruses(node))
            continue
        if kind is ast.Constant:
            continue
        stack.extend(children(node))
