"""``textDocument/hover`` on a mock: what it is at that place, from where, what is awaitable, what it returns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsprotocol import types

from understudy.lsp import convert
from understudy.lsp.documents import Document
from understudy.lsp.feature import Feature
from understudy.lsp.places import at_position
from understudy.lsp.session import Session

if TYPE_CHECKING:
    from understudy.doubles.observe import Shape
    from understudy.lsp.projects import OpenProject

_WORDS = {True: "yes", False: "no", None: ""}


async def hover(session: Session, params: types.HoverParams) -> types.Hover | None:
    from understudy.lsp.shapes import shape_at, simulation_of

    encoding, position = session.client.encoding, params.position

    def look(opened: OpenProject, document: Document) -> types.Hover | None:
        simulation = simulation_of(opened.project, document)
        if simulation is None:
            return None
        at = at_position(document, position, encoding)
        found = shape_at(simulation, at.row, at.column)
        if found is None:
            return None
        shape, span = found
        root = opened.project.root
        if session.client.markdown_hover:
            content = types.MarkupContent(types.MarkupKind.Markdown, markdown(shape, str(root)))
        else:
            content = types.MarkupContent(types.MarkupKind.PlainText, plain(shape, str(root)))
        return types.Hover(content, convert.to_range(document.text, span, encoding))

    return await session.ask(params.text_document.uri, look)


def headline(shape: Shape, root: str) -> str:
    path, span = shape.made
    spec = f" with the spec {shape.spec}" if shape.spec is not None else ""
    instead = f", in place of {shape.replaces}" if shape.replaces is not None else ""
    return f"{shape.kind}{spec}{instead}, made in {os.path.relpath(path, root)}:{span.row + 1}"


def markdown(shape: Shape, root: str) -> str:
    lines = [f"**{shape.label}**: {headline(shape, root)}"]
    if shape.children:
        lines += ["", "| | is | to be awaited | gives |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{child.name}` | {child.kind} | {_WORDS[child.awaitable]} | {_cell(child.returns)} |"
            for child in shape.children
        ]
    return "\n".join(lines)


def plain(shape: Shape, root: str) -> str:
    lines = [f"{shape.label}: {headline(shape, root)}"]
    for child in shape.children:
        awaited = ", to be awaited" if child.awaitable else ""
        gives = f", gives {child.returns}" if child.returns else ""
        lines.append(f"  {child.name}: {child.kind}{awaited}{gives}")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


FEATURES = (Feature(types.TEXT_DOCUMENT_HOVER, hover),)
