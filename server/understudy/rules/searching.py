"""Where the tests themselves say what an import finds: they change ``sys.path``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from understudy.infer.paths import path_of
from understudy.project.modules import ModuleFile
from understudy.rules.base import Context
from understudy.source.dotted import dotted_name
from understudy.source.parse import Parsed


def may_be_another(context: Context, file: ModuleFile) -> bool:
    """May the name of a module stand for another file, because the tests change the path? That is so where the file's
    own folder is not on the path for certain, or where another folder that they put there has something of the name."""
    if file.path is None:
        return False
    workspace = context.workspace
    chain = [place.path for place in context.fixtures.chain(context.module)]
    changing = [path for path in chain if "sys.path" in workspace.text(path).content]
    if not changing:
        return False
    inside = file.path.parent if file.is_package else file.path
    root = inside.parents[file.name.count(".")]
    if root not in workspace.finder.roots_for(context.path).certain:
        return True
    first = file.name.partition(".")[0]
    added = {folder for path in changing for folder in _added(workspace.parsed(path))}
    return any(
        path.stem == first or first in path.parent.parts[len(workspace.root.parts) :]
        for path in workspace.files()
        if path != file.path and not path.is_relative_to(root / first)
        if None in added or any(_leads_to(folder, path, first) for folder in added if folder is not None)
    )


def _leads_to(folder: Path, path: Path, first: str) -> bool:
    return path.is_relative_to(folder / first) or path == folder / f"{first}.py"


def _added(parsed: Parsed) -> Iterator[Path | None]:
    """The folders that a file puts on the path; None for what it does otherwise."""
    known: set[int] = set()
    for _, node in parsed.walk():
        if isinstance(node, ast.Call) and dotted_name(node.func) in ("sys.path.insert", "sys.path.append"):
            assert isinstance(node.func, ast.Attribute)
            known.add(id(node.func.value))
            yield path_of(parsed, node.args[-1]) if node.args else None
        elif isinstance(node, ast.Compare):
            # ``if root not in sys.path``
            known.update(map(id, node.comparators))
        elif isinstance(node, ast.Attribute) and dotted_name(node) == "sys.path" and id(node) not in known:
            yield None
