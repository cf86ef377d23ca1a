"""What loading files of a workspace loads with them, and which tests load one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from understudy.infer.imports import ImportGraph, Node
from understudy.infer.resolve import Resolver
from understudy.rules.base import Context


def by_tests(context: Context, *, lazy: bool = False) -> Mapping[Node, Node | None]:
    """Everything that is loaded when all test files are, each with the module that loads it first; found once for each
    state of the workspace's imports.

    :param lazy: with what functions import when they run.
    """
    workspace = context.workspace

    def make() -> Mapping[Node, Node | None]:
        return ImportGraph(Resolver(workspace)).closure(_tests(context), lazy=lazy)

    return workspace.derived(f"loaded by tests {lazy}", make)


def by(context: Context, path: Path) -> frozenset[Node]:
    """What importing a file loads, itself included."""
    workspace = context.workspace
    return workspace.derived(
        f"loaded by {path}", lambda: frozenset(ImportGraph(Resolver(workspace)).closure([path]))
    )


def together(context: Context, one: Path, two: Path) -> bool:
    """Does some test load both modules, or one of them the other?"""
    if two in by(context, one) or one in by(context, two):
        return True
    return not _tests_that_load(context, one).isdisjoint(_tests_that_load(context, two))


def _tests_that_load(context: Context, path: Path) -> frozenset[Path]:
    workspace = context.workspace

    def make() -> frozenset[Path]:
        importers = _importers(context)
        reached = {path: None}
        queue = [path]
        for loaded in queue:
            for importer in importers.get(loaded, ()):
                if importer not in reached:
                    reached[importer] = None
                    queue.append(importer)
        return frozenset(filter(context.is_test_path, reached))

    return workspace.derived(f"tests that load {path}", make)


def _importers(context: Context) -> Mapping[Path, list[Path]]:
    """The files whose import loads each file, directly."""
    workspace = context.workspace

    def make() -> Mapping[Path, list[Path]]:
        graph = ImportGraph(Resolver(workspace))
        found: dict[Path, list[Path]] = {}
        for path in workspace.files():
            module = workspace.importer(path)
            for edge in graph.edges(module) if module is not None else ():
                if not edge.lazy:
                    for target in edge.targets:
                        if isinstance(target, Path):
                            found.setdefault(target, []).append(path)
        return found

    return workspace.derived("importers of each file", make)


def _tests(context: Context) -> list[Path]:
    return [path for path in context.workspace.files() if context.is_test_path(path)]
