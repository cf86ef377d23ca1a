"""A module or a package that gets another name or folder: the strings of tests that name it, or something in it. They
stand in patches, as keys of ``sys.modules`` and in ``import_module``.

Imports are left to the language servers that know them; nobody else knows these strings.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from understudy.finding import Edit
from understudy.index.workspace import Workspace
from understudy.infer.entities import ModuleEntity
from understudy.project.modules import ModuleFile
from understudy.rules.base import Context
from understudy.rules.module_stubs import is_sys_modules, stands_for_sys_modules
from understudy.rules.patch_calls import PatchCall, all_patches, found_by_path
from understudy.source.dotted import last_name
from understudy.source.parse import Unit
from understudy.source.span import Span

_LOOKED_UP = frozenset({"get", "pop", "setdefault", "__getitem__", "__setitem__", "__delitem__"})
_IMPORTING = frozenset({"import_module", "__import__"})


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
        if context is not None and (edits := sorted(set(_in_file(context, old, new)))):
            found[path] = edits
    return found


def _in_file(context: Context, old: Path, new: Path) -> Iterator[Edit]:
    for call in all_patches(context):
        if call.target is not None:
            yield from _in_patch(context, call, old, new)
    for unit, constant, text in _names_of_modules(context):
        names = tuple(text.split("."))

        def find(count: int, names: tuple[str, ...] = names) -> ModuleFile | None:
            return context.workspace.find(".".join(names[:count]), context.path)

        renamed = _renamed(names, find, old, new)
        if renamed is not None:
            known = names[: renamed[0]]
            yield from _edit(context, unit.string_span(constant, 0, len(".".join(known))), known, renamed[1])


def _in_patch(context: Context, call: PatchCall, old: Path, new: Path) -> Iterator[Edit]:
    names = call.names[:-1] if call.keyword is not None else call.names

    def find(count: int) -> ModuleFile | None:
        found = found_by_path(context, call, count)
        return found.file if isinstance(found, ModuleEntity) else None

    renamed = _renamed(names, find, old, new)
    if renamed is not None:
        count, name = renamed
        first, last = call.part_span(0), call.part_span(count - 1)
        yield from _edit(
            context, Span(first.row, first.column, last.end_row, last.end_column), names[:count], name
        )


def _names_of_modules(context: Context) -> Iterator[tuple[Unit, ast.Constant, str]]:
    """The strings of the file that name a module, and nothing in it."""
    if "modules" not in context.source and not any(word in context.source for word in _IMPORTING):
        return
    for unit, node in context.parsed.walk():
        if isinstance(node, ast.Subscript) and is_sys_modules(node.value):
            found = [node.slice]
        elif isinstance(node, ast.Call):
            found = _given(node)
        else:
            continue
        for each in found:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield unit, each, each.value


def _given(call: ast.Call) -> list[ast.expr]:
    if last_name(call) in _IMPORTING:
        return call.args[:1]
    if isinstance(call.func, ast.Attribute) and is_sys_modules(call.func.value):
        return call.args[:1] if call.func.attr in _LOOKED_UP else _keys(call.args)
    # ``patch.dict(sys.modules, {"m": …})``, ``monkeypatch.setitem(sys.modules, "m", …)``
    if call.args and stands_for_sys_modules(call.args[0]):
        return [*call.args[1:2], *_keys(call.args[1:])]
    return []


def _keys(given: list[ast.expr]) -> list[ast.expr]:
    return [key for each in given if isinstance(each, ast.Dict) for key in each.keys if key is not None]


def _renamed(
    names: tuple[str, ...], find: Callable[[int], ModuleFile | None], old: Path, new: Path
) -> tuple[int, str] | None:
    """How many of the names lead to what moves, and what they become.

    :param find: the module that so many of them name.
    """
    for count in range(1, len(names) + 1):
        file = find(count)
        if file is None or not file.workspace:
            return None
        # Of a package its folder, and each of them where it has several.
        places = [*file.folders] if file.is_package else [_without_suffix(file.path or Path())]
        for place in places:
            if place == old or old in place.parents:
                return _name(names[:count], place, new / place.relative_to(old), count)
    return None


def _name(names: tuple[str, ...], place: Path, new: Path, count: int) -> tuple[int, str] | None:
    root = place.parents[count - 1]
    if place.relative_to(root).parts != names or not new.is_relative_to(root):
        return None
    renamed = new.relative_to(root).parts
    if renamed == names or not all(part.isidentifier() for part in renamed):
        return None
    return count, ".".join(renamed)


def _edit(context: Context, span: Span, names: tuple[str, ...], new: str) -> Iterator[Edit]:
    """Where the string is written plainly."""
    if context.parsed.text.slice(span) == ".".join(names):
        yield Edit(context.path, span, new)


def _without_suffix(path: Path) -> Path:
    if path.name == "__init__.py":
        return path.parent
    return path.with_suffix("") if path.suffix == ".py" else path
