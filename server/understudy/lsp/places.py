"""A document, and a position in it, as what :mod:`understudy.rules` is asked about."""

from __future__ import annotations

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
    from understudy.rules.base import Context

    if document.path is None:
        return None
    project = opened.project
    module = project.workspace.module(document.path)
    if module is None:
        return None
    parsed = project.workspace.parsed(document.path)
    return Context(parsed, module, project.workspace, project.is_test)


def at_position(document: Document, position: types.Position, encoding: str) -> Span:
    """The position of a request, empty, in rows and code points."""
    return convert.to_span(document.text, types.Range(position, position), encoding)
