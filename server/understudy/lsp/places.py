"""A document, and a position in it, as what :mod:`understudy.rules` is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from understudy.lsp import convert
from understudy.lsp.documents import Document
from understudy.source.span import Span

if TYPE_CHECKING:
    from understudy.lsp.projects import OpenProject
    from understudy.rules.base import Context


def context_of(opened: OpenProject, document: Document) -> Context | None:
    """What the rules are given about a document; None where there is nothing to be said."""
    return context_at(opened, document.path) if document.path is not None else None


def context_at(opened: OpenProject, path: Path) -> Context | None:
    """As :func:`context_of`, for any file of the project."""
    from understudy.rules.base import Context

    project = opened.project
    module = project.workspace.module(path)
    if module is None:
        return None
    return Context(project.workspace.parsed(path), module, project.workspace, project.is_test)


def at_position(document: Document, position: types.Position, encoding: str) -> Span:
    """The position of a request, empty, in rows and code points."""
    return convert.to_span(document.text, types.Range(position, position), encoding)
