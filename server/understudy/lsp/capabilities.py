"""What the client can do, read out of its capabilities once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder


@dataclass(frozen=True, slots=True)
class Client:
    """The client's capabilities, as far as they change what the server sends."""

    encoding: str = "utf-16"
    """The unit of columns in every position: ``utf-8``, ``utf-16`` or ``utf-32``."""
    related_information: bool = False
    code_description: bool = False
    unnecessary_tag: bool = False
    diagnostic_data: bool = False
    document_changes: bool = False
    code_action_literals: bool = False
    preferred_actions: bool = False
    markdown_hover: bool = False
    configuration: bool = False
    register_configuration: bool = False
    register_watched_files: bool = False
    pulls_diagnostics: bool = False
    """It asks for diagnostics: none are pushed to it."""
    related_documents: bool = False
    refresh_diagnostics: bool = False
    work_done_progress: bool = False
    renames_files: bool = False
    """It asks before it renames one."""
    prepares_rename: bool = False
    resolves_edits: bool = False
    """It asks for the edits of a code action when the user has chosen it."""
    methods: frozenset[str] = frozenset()
    """Sections of the capabilities that the client sent, such as ``text_document.code_action``."""

    def names(self, method: str) -> bool:
        """Do the capabilities speak of ``textDocument/codeAction``, or whatever the method is?"""
        return _snake(method.replace("/", ".")) in self.methods


def resolve(capabilities: types.ClientCapabilities) -> Client:
    def value(name: str) -> Any:
        found: Any = capabilities
        for part in name.split("."):
            found = getattr(found, part, None)
        return found

    def has(name: str) -> bool:
        return value(name) not in (None, False)

    tags = value("text_document.publish_diagnostics.tag_support.value_set") or ()
    hover_formats = value("text_document.hover.content_format") or ()
    encoding = ServerCapabilitiesBuilder.choose_position_encoding(capabilities)
    return Client(
        encoding=encoding.value if isinstance(encoding, types.PositionEncodingKind) else encoding,
        related_information=has("text_document.publish_diagnostics.related_information"),
        code_description=has("text_document.publish_diagnostics.code_description_support"),
        unnecessary_tag=types.DiagnosticTag.Unnecessary in tags,
        diagnostic_data=has("text_document.publish_diagnostics.data_support"),
        document_changes=has("workspace.workspace_edit.document_changes"),
        code_action_literals=has("text_document.code_action.code_action_literal_support"),
        preferred_actions=has("text_document.code_action.is_preferred_support"),
        markdown_hover=types.MarkupKind.Markdown in hover_formats,
        configuration=has("workspace.configuration"),
        register_configuration=has("workspace.did_change_configuration.dynamic_registration"),
        register_watched_files=has("workspace.did_change_watched_files.dynamic_registration"),
        # One that asks and cannot be told to ask again (Neovim 0.10) would keep what settings or an edit of
        # another file have made wrong: it is pushed to.
        pulls_diagnostics=has("text_document.diagnostic") and has("workspace.diagnostics.refresh_support"),
        related_documents=has("text_document.diagnostic.related_document_support"),
        refresh_diagnostics=has("workspace.diagnostics.refresh_support"),
        work_done_progress=has("window.work_done_progress"),
        resolves_edits="edit" in (value("text_document.code_action.resolve_support.properties") or ()),
        renames_files=has("workspace.file_operations.will_rename"),
        prepares_rename=has("text_document.rename.prepare_support"),
        methods=frozenset(_sections(capabilities)),
    )


def _sections(capabilities: types.ClientCapabilities) -> Iterator[str]:
    for area in ("text_document", "workspace"):
        found = getattr(capabilities, area)
        for attribute in getattr(found, "__attrs_attrs__", ()):
            # A section without content still says that the client knows the method.
            if getattr(found, attribute.name) not in (None, False):
                yield f"{area}.{attribute.name}"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
