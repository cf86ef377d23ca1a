"""Python that is in no file: what was never saved, and the cells of notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lsp_client import BAD, SERVICE, TEST, Client, codes
from lsprotocol import types

Make = Callable[[Mapping[str, str]], Path]
GOOD = BAD.replace("MagicMock", "AsyncMock")


def _cell(root: Path, number: int) -> str:
    return f"vscode-notebook-cell:{root.as_posix()}/book.ipynb#W{number}sZmlsZQ%3D%3D"


def _cleared(client: Client, uri: str) -> bool:
    latest = client.latest(uri)
    return latest is not None and latest.version is None and not latest.diagnostics


async def test_what_was_never_saved_is_checked_as_a_file_of_the_workspace(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"service.py": SERVICE})
    await client.begin(vscode, root)
    uri = client.open("untitled:Untitled-1", TEST)
    (finding,) = await client.found(uri)
    assert finding.code == "US108"
    everything = types.Range(types.Position(0, 0), types.Position(99, 0))
    fix = next(action for action in await client.actions(uri, everything) if action.is_preferred)
    assert "AsyncMock" in client.applied(fix)[uri]
    client.edit(uri, GOOD)
    assert await client.found(uri) == []
    other = client.open("untitled:notes", BAD, "markdown")
    client.close(uri)
    await client.until(lambda: _cleared(client, uri))
    assert client.latest(other) is None


async def test_without_a_folder_it_is_left_alone(client: Client, vscode: types.ClientCapabilities) -> None:
    await client.begin(vscode)
    uri = client.open("untitled:Untitled-1", BAD)
    params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(5, 8))
    assert await client.text_document_hover_async(params) is None


@pytest.fixture
def with_notebooks(minimal: types.ClientCapabilities) -> types.ClientCapabilities:
    sync = types.NotebookDocumentSyncClientCapabilities()
    minimal.notebook_document = types.NotebookDocumentClientCapabilities(sync)
    return minimal


async def test_the_cells_of_a_notebook(
    client: Client, project: Make, with_notebooks: types.ClientCapabilities
) -> None:
    root = project({"book.ipynb": "{}"})
    announced = await client.begin(with_notebooks, root)
    assert announced.capabilities.notebook_document_sync is not None
    book = f"file://{root.as_posix()}/book.ipynb"
    cells = [types.NotebookCell(types.NotebookCellKind.Code, _cell(root, number)) for number in range(3)]
    first, second, third = (cell.document for cell in cells)
    client.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            types.NotebookDocument(book, "jupyter-notebook", 1, cells[:2]),
            [
                types.TextDocumentItem(first, "python", 1, BAD),
                types.TextDocumentItem(second, "python", 1, "%matplotlib inline\n" + GOOD),
            ],
        )
    )
    assert codes(await client.found(first, 1)) == ["US101"]
    assert await client.found(second, 1) == []
    change = types.NotebookDocumentCellChanges(
        structure=types.NotebookDocumentCellChangeStructure(
            types.NotebookCellArrayChange(2, 0, cells[2:]), [types.TextDocumentItem(third, "python", 1, BAD)]
        ),
        text_content=[
            types.NotebookDocumentCellContentChanges(
                types.VersionedTextDocumentIdentifier(2, first),
                [types.TextDocumentContentChangeWholeDocument(GOOD)],
            )
        ],
    )
    client.notebook_document_did_change(
        types.DidChangeNotebookDocumentParams(
            types.VersionedNotebookDocumentIdentifier(2, book),
            types.NotebookDocumentChangeEvent(cells=change),
        )
    )
    assert codes(await client.found(third, 1)) == ["US101"]
    assert await client.found(first, 2) == []
    client.notebook_document_did_close(
        types.DidCloseNotebookDocumentParams(
            types.NotebookDocumentIdentifier(book),
            [types.TextDocumentIdentifier(cell.document) for cell in cells],
        )
    )
    await client.until(lambda: _cleared(client, third))
