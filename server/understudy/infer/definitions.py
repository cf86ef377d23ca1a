"""Where in the workspace a name is defined now: for names that code looks for in the wrong module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model
from understudy.index.module import Binding, Module
from understudy.index.workspace import Workspace


@dataclass(frozen=True)
class Definition:
    """A function, class or variable at the top level of a module, bound by one statement."""

    module: Module
    binding: Binding

    @property
    def dotted(self) -> str:
        declaration = self.binding.declaration
        name = (
            declaration.target if isinstance(declaration, model.Assign) else getattr(declaration, "name", "")
        )
        return f"{self.module.name}.{name}"


def definitions(
    workspace: Workspace, name: str, importer: Path, is_test: Callable[[Path], bool]
) -> Iterator[Definition]:
    """The modules, other than test files, whose own statements define ``name``, and that ``importer`` can import
    by their name. A name that is only imported somewhere is not defined there."""
    word = re.escape(name.encode())
    pattern = re.compile(
        rb"^(?:(?:async[ \t]+)?def|class)[ \t]+" + word + rb"\b|^" + word + rb"[ \t]*[:=]", re.M
    )
    for path in workspace.files_with(pattern):
        if path == importer or is_test(path) or path.name == "conftest.py":
            continue
        module = workspace.module(path)
        if module is None:
            continue
        bindings = module.bindings.get(name, ())
        if len(bindings) != 1 or bindings[0].guards:
            continue
        if isinstance(bindings[0].declaration, (model.Function, model.Class, model.Assign)):
            file = workspace.find(module.name, importer)
            if file is not None and file.path == path:
                yield Definition(module, bindings[0])
