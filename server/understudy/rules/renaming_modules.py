"""A module or a package that gets another name or folder: the strings of patches that name it, or something in it.

Imports are left to the language servers that know them; nobody else knows these strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from understudy.finding import Edit
from understudy.index.workspace import Workspace
from understudy.infer.entities import ModuleEntity
from understudy.rules.base import Context
from understudy.rules.patch_calls import PatchCall, all_patches, found_by_path
from understudy.source.span import Span


def moved(
    workspace: Workspace, context_of: Callable[[Path], Context | None], old: Path, new: Path
) -> dict[Path, list[Edit]]:
    """What has to be replaced before ``old``, a file or a folder, becomes ``new``, by file.

    A string that could not name the new place (another root, a folder that is no name) stays as it is.
    """
    old, new = _without_suffix(old), _without_suffix(new)
    found: dict[Path, list[Edit]] = {}
    for path in workspace.files_with(re.compile(rb"\b%s\b" % re.escape(old.name.encode()))):
        context = context_of(path)
        for call in all_patches(context) if context is not None else ():
            edit = _renamed(context, call, old, new) if context is not None else None
            if edit is not None:
                found.setdefault(path, []).append(edit)
    return {path: sorted(set(edits)) for path, edits in found.items()}


def _renamed(context: Context, call: PatchCall, old: Path, new: Path) -> Edit | None:
    """The names up to that of the module, or of the package, written anew."""
    if call.target is None:
        return None
    names = call.names[:-1] if call.keyword is not None else call.names
    for count in range(1, len(names) + 1):
        module = found_by_path(context, call, count)
        if not isinstance(module, ModuleEntity) or not module.file.workspace:
            return None
        for place in _places(module):
            if place == old or old in place.parents:
                return _edit(context, call, count, place, new / place.relative_to(old))
    return None


def _places(module: ModuleEntity) -> list[Path]:
    """Where the module is, without suffix: of a package its folder, and each of them where it has several."""
    return [*module.file.folders] if module.file.is_package else [_without_suffix(module.file.path or Path())]


def _edit(context: Context, call: PatchCall, count: int, place: Path, new: Path) -> Edit | None:
    names = call.names[:count]
    root = place.parents[count - 1]
    if place.relative_to(root).parts != names or not new.is_relative_to(root):
        return None
    first, last = call.part_span(0), call.part_span(count - 1)
    whole = Span(first.row, first.column, last.end_row, last.end_column)
    written = context.parsed.text.slice(whole) == ".".join(names)
    renamed = new.relative_to(root).parts
    if not written or renamed == names or not all(part.isidentifier() for part in renamed):
        return None
    return Edit(context.path, whole, ".".join(renamed))


def _without_suffix(path: Path) -> Path:
    if path.name == "__init__.py":
        return path.parent
    return path.with_suffix("") if path.suffix == ".py" else path
