"""The edits of a code action, asked for when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lsp_client import BAD, Client
from lsprotocol import types
from pygls.exceptions import JsonRpcException

Make = Callable[[Mapping[str, str]], Path]


async def _offered(client: Client, uri: str) -> types.CodeAction:
    nowhere = types.Range(types.Position(0, 0), types.Position(0, 0))
    context = types.CodeActionContext([], [types.CodeActionKind.SourceFixAll])
    found = await client.text_document_code_action_async(
        types.CodeActionParams(types.TextDocumentIdentifier(uri), nowhere, context)
    )
    assert found is not None
    (action,) = found
    assert isinstance(action, types.CodeAction)
    return action


@pytest.fixture
def resolving() -> types.ClientCapabilities:
    kinds = types.ClientCodeActionKindOptions([])
    actions = types.CodeActionClientCapabilities(
        code_action_literal_support=types.ClientCodeActionLiteralOptions(kinds),
        resolve_support=types.ClientCodeActionResolveOptions(["edit"]),
    )
    return types.ClientCapabilities(text_document=types.TextDocumentClientCapabilities(code_action=actions))


async def test_all_fixes_are_worked_out_when_they_are_wanted(
    client: Client, project: Make, resolving: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    announced = await client.begin(resolving, root)
    provider = announced.capabilities.code_action_provider
    assert isinstance(provider, types.CodeActionOptions)
    assert provider.resolve_provider
    uri = client.open(root / "test_a.py")
    offered = await _offered(client, uri)
    assert offered.edit is None
    chosen = await client.code_action_resolve_async(offered)
    (after,) = client.applied(chosen).values()
    assert after == BAD.replace("import", "import AsyncMock,").replace("= MagicMock", "= AsyncMock")


async def test_what_was_offered_for_an_earlier_version_is_refused(
    client: Client, project: Make, resolving: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(resolving, root)
    uri = client.open(root / "test_a.py")
    offered = await _offered(client, uri)
    client.edit(uri, "\n" + BAD)
    with pytest.raises(JsonRpcException, match="has changed"):
        await client.code_action_resolve_async(offered)
