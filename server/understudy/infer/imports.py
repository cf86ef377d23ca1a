"""Which modules an import loads, at import time and later, over the whole workspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model
from understudy.facts.model import Guard
from understudy.index.module import Importer
from understudy.infer.resolve import Resolver
from understudy.project.modules import ModuleFile
from understudy.source.span import Span

Node = Path | str
"""A module: its file, or its name where it has none (libraries, compiled and built-in modules)."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One import statement and what it loads, packages first."""

    statement: model.Import
    row: int
    targets: tuple[Node, ...]

    @property
    def lazy(self) -> bool:
        return self.statement.function is not None

    @property
    def span(self) -> Span:
        return self.statement.span.shifted(self.row)


class ImportGraph:
    """Import edges of the workspace's modules, read on demand."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.workspace = resolver.workspace

    def node(self, name: str, importer: Path) -> Node | None:
        """The module that a name stands for; None when there is no such module."""
        file = self.workspace.find(name, importer)
        return None if file is None else _node(file)

    def edges(self, module: Importer, *, possible: bool = False) -> tuple[Edge, ...]:
        """The imports of a module in order, those inside functions included. Imports that only type checkers see are
        not; those that a condition may leave out only count as ``possible``."""
        left_out = {Guard.TYPE_CHECKING} if possible else {Guard.TYPE_CHECKING, Guard.CONDITION}

        def make() -> tuple[Edge, ...]:
            return tuple(
                Edge(statement, row, tuple(self._targets(module, statement)))
                for row, statement in module.imports
                if left_out.isdisjoint(statement.guards)
            )

        return self.workspace.of_module(module, f"imports {possible}", make)

    def _targets(self, module: Importer, statement: model.Import) -> Iterator[Node]:
        if not statement.is_from:
            for imported in statement.names:
                yield from self._chain(imported.name, module.path)
            return
        name = self.resolver.absolute(module, statement)
        if name is None:
            return
        yield from self._chain(name, module.path)
        source = self.workspace.find(name, module.path)
        if source is not None and source.is_package:
            loaded = self.workspace.load(source)
            for imported in statement.names:
                # ``from . import x`` in the package itself binds the name by loading the submodule.
                if loaded is not None and loaded.path != module.path and imported.name in loaded.bindings:
                    continue
                submodule = self.workspace.find(f"{name}.{imported.name}", module.path)
                if submodule is not None:
                    yield _node(submodule)

    def _chain(self, name: str, importer: Path) -> Iterator[Node]:
        """A dotted module with the packages above it, which are imported first."""
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            file = self.workspace.find(".".join(parts[:count]), importer)
            if file is not None:
                yield _node(file)

    def closure(
        self, start: Iterable[Node], *, lazy: bool = False, possible: bool = False
    ) -> dict[Node, Node | None]:
        """Everything that is loaded when these modules are, each with the module that loads it first.

        ``lazy`` adds what functions of these modules import when they run, ``possible`` what a condition may leave
        out.
        """
        reached: dict[Node, Node | None] = dict.fromkeys(start)
        queue = list(reached)
        for node in queue:
            module = self._importer(node)
            if module is None:
                continue
            for edge in self.edges(module, possible=possible):
                if edge.lazy and not lazy:
                    continue
                for target in edge.targets:
                    if target not in reached:
                        reached[target] = node
                        queue.append(target)
        return reached

    def importers(
        self, nodes: Iterable[Node], target: Node, *, lazy: bool, possible: bool = False
    ) -> Iterator[tuple[Importer, Edge]]:
        """The imports of ``target`` in some modules: those at import time, or those inside functions."""
        for node in nodes:
            module = self._importer(node)
            if module is not None:
                for edge in self.edges(module, possible=possible):
                    if edge.lazy is lazy and target in edge.targets:
                        yield module, edge

    def _importer(self, node: Node) -> Importer | None:
        if isinstance(node, str) or not node.is_relative_to(self.workspace.root):
            return None
        return self.workspace.importer(node)


def _node(file: ModuleFile) -> Node:
    return file.path if file.workspace and file.path is not None else file.name
