"""``workspace/willRenameFiles``: before a module moves, the strings of the patches that name it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from understudy.finding import Edit
from understudy.lsp.documents import path_of
from understudy.lsp.edits import workspace_edit
from understudy.lsp.feature import Feature
from understudy.lsp.places import context_at
from understudy.lsp.session import Overtaken, Session
from understudy.source.text import Text

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject
    from understudy.rules.base import Context

MODULES = types.FileOperationRegistrationOptions(
    [types.FileOperationFilter(types.FileOperationPattern(glob)) for glob in ("**/*.py", "**/")]
)


async def will_rename(session: Session, params: types.RenameFilesParams) -> types.WorkspaceEdit | None:
    edits: dict[Path, list[Edit]] = {}
    texts: dict[Path, Text] = {}
    for file in params.files:
        old, new = path_of(file.old_uri), path_of(file.new_uri)
        if old is None or new is None:
            continue
        for path, (text, more) in (await _moved(session, old, new)).items():
            edits.setdefault(path, []).extend(more)
            texts[path] = text
    if not edits:
        return None
    made = workspace_edit(edits, texts, session.documents, session.client)
    if made is None:
        raise Overtaken
    return made


async def _moved(session: Session, old: Path, new: Path) -> dict[Path, tuple[Text, list[Edit]]]:
    def look(opened: OpenProject) -> dict[Path, tuple[Text, list[Edit]]]:
        from understudy.rules import renaming_modules

        workspace = opened.project.workspace

        def context_of(path: Path) -> Context | None:
            return context_at(opened, path)

        found = renaming_modules.moved(workspace, context_of, old, new)
        return {path: (workspace.text(path), edits) for path, edits in found.items()}

    return await session.ask_project(old, look) or {}


FEATURES = (
    Feature(
        types.WORKSPACE_WILL_RENAME_FILES,
        will_rename,
        lambda client: MODULES,
        when=lambda client: client.renames_files,
    ),
)
