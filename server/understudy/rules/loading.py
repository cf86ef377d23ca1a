"""What the tests of a workspace load."""

from __future__ import annotations

from collections.abc import Mapping

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
        tests = [path for path in workspace.files() if context.is_test_path(path)]
        return ImportGraph(Resolver(workspace)).closure(tests, lazy=lazy)

    return workspace.derived(f"loaded by tests {lazy}", make)
