"""Where the tests themselves say what an import finds: they change ``sys.path``."""

from __future__ import annotations

from understudy.project.modules import ModuleFile
from understudy.rules.base import Context


def may_be_another(context: Context, file: ModuleFile) -> bool:
    """May the name of a module stand for another file, because the tests change the path? That is so where the file's
    own folder is not on the path for certain, or where another folder has something of the name."""
    if file.path is None:
        return False
    chain = context.fixtures.chain(context.module)
    if not any("sys.path" in context.workspace.text(place.path).content for place in chain):
        return False
    inside = file.path.parent if file.is_package else file.path
    root = inside.parents[file.name.count(".")]
    if root not in context.workspace.finder.roots_for(context.path).certain:
        return True
    first = file.name.partition(".")[0]
    return any(
        path.stem == first or first in path.parent.parts[len(context.workspace.root.parts) :]
        for path in context.workspace.files()
        if path != file.path and not path.is_relative_to(root / first)
    )
