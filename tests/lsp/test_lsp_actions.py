"""Code actions and hover: what a user does about a finding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lsp_client import BAD, Client, codes
from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcMethodNotFound
from understudy.lsp.features.rule_hover import describe
from understudy.rules import registry

Make = Callable[[dict[str, str]], Path]

FIXED = BAD.replace("MagicMock()", "AsyncMock()").replace("import MagicMock", "import AsyncMock, MagicMock")
TWICE = (
    BAD
    + """

async def test_close():
    other = MagicMock()
    await other.close()
"""
)
SHARED = """\
from unittest.mock import MagicMock

SESSION = MagicMock()


async def test_commit():
    await SESSION.commit()
"""
FAR_FIXTURE = """\
from unittest.mock import MagicMock

import pytest


@pytest.fixture
def session():
    return MagicMock()
"""
FAR_TEST = """\
async def test_commit(session):
    await session.commit()
"""
NOWHERE = types.Range(types.Position(1, 0), types.Position(1, 0))
ON_AWAIT = types.Position(5, 5)
"""In ``BAD``, where there is a finding but no mock."""


@pytest.fixture(params=["vscode", "neovim"])
def capabilities(request: pytest.FixtureRequest) -> types.ClientCapabilities:
    found: types.ClientCapabilities = request.getfixturevalue(request.param)
    return found


async def test_the_fix_leaves_no_finding(
    client: Client, project: Make, capabilities: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(capabilities, root)
    uri = client.open(root / "test_a.py")
    (diagnostic,) = await client.found(uri)
    # What the client made of it comes back to it as it was.
    diagnostic.data = {"of the client": 1}
    fix, suppress = await client.actions(uri, diagnostic.range, diagnostics=[diagnostic], only=["quickfix"])
    assert fix.title == "Make it an AsyncMock"
    assert fix.kind == types.CodeActionKind.QuickFix
    assert fix.is_preferred
    assert not suppress.is_preferred
    assert list(fix.diagnostics or ()) == [diagnostic]
    assert fix.edit is not None
    versioned = bool(get_capability(capabilities, "workspace.workspace_edit.document_changes", False))
    assert (fix.edit.document_changes is not None, fix.edit.changes is not None) == (versioned, not versioned)
    assert client.applied(fix) == {uri: FIXED}
    client.edit(uri, client.applied(fix)[uri])
    assert await client.found(uri) == []


async def test_the_suppression_leaves_no_finding(
    client: Client, project: Make, capabilities: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(capabilities, root)
    uri = client.open(root / "test_a.py")
    (diagnostic,) = await client.found(uri)
    at = types.Range(diagnostic.range.start, diagnostic.range.start)
    _, suppress = await client.actions(uri, at, only=["quickfix"])
    assert suppress.title == "Suppress US101 here"
    assert codes(suppress.diagnostics) == ["US101"]
    after = client.applied(suppress)[uri]
    assert after.splitlines()[5] == "    await session.commit()  # understudy: ignore[US101]"
    client.edit(uri, after)
    assert await client.found(uri) == []


async def test_one_fix_for_several_findings_is_offered_once(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD + "    await session.close(); await session.flush()\n"})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    found = await client.found(uri)
    assert codes(found) == ["US101"] * 3
    everything = types.Range(found[0].range.start, found[2].range.end)
    fix, first, second = await client.actions(uri, everything, only=["quickfix"], diagnostics=found)
    assert list(fix.diagnostics or ()) == found
    assert [list(action.diagnostics or ()) for action in (first, second)] == [found[:1], found[1:]]


async def test_all_safe_fixes_at_once(
    client: Client, project: Make, capabilities: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": TWICE})
    await client.begin(capabilities, root)
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101", "US101"]
    for only in (["source.fixAll.understudy"], ["source.fixAll"], ["source"]):
        (action,) = await client.actions(uri, NOWHERE, only=only)
        assert action.kind == "source.fixAll.understudy"
        after = client.applied(action)[uri]
        assert after.count("= AsyncMock()") == 2
        assert after.count("import AsyncMock, MagicMock") == 1
    client.edit(uri, after)
    assert await client.found(uri) == []
    assert await client.actions(uri, NOWHERE, only=["source.fixAll"]) == []


async def test_the_kinds_that_are_asked_for(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    (diagnostic,) = await client.found(uri)

    async def kinds(only: list[str] | None) -> set[str]:
        return {
            str(getattr(a.kind, "value", a.kind))
            for a in await client.actions(uri, diagnostic.range, only=only)
        }

    assert await kinds(["quickfix"]) == {"quickfix"}
    assert await kinds(["refactor"]) == set()
    assert await kinds(["source.fixAll.other"]) == set()
    assert await kinds(["source.fix"]) == set()
    assert await kinds(["quickfix.deeper"]) == set()
    assert await kinds(None) == await kinds([""]) == {"quickfix", "source.fixAll.understudy"}


async def test_an_unsafe_fix_says_so_and_is_not_for_all(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": SHARED})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    (diagnostic,) = await client.found(uri)
    fix, _ = await client.actions(uri, diagnostic.range, only=["quickfix"])
    assert fix.title == "Make it an AsyncMock (unsafe)"
    assert not fix.is_preferred
    assert await client.actions(uri, diagnostic.range, only=["source.fixAll"]) == []


async def test_a_fix_in_another_file(
    client: Client, project: Make, capabilities: types.ClientCapabilities
) -> None:
    root = project({"conftest.py": FAR_FIXTURE, "test_a.py": FAR_TEST})
    await client.begin(capabilities, root)
    uri = client.open(root / "test_a.py")
    conftest = (root / "conftest.py").as_uri()
    (diagnostic,) = await client.found(uri)
    fix, _ = await client.actions(uri, diagnostic.range, only=["quickfix"])
    after = client.applied(fix)
    assert list(after) == [conftest]
    assert "return AsyncMock()" in after[conftest]
    # The same when it is open, with an edit that is not saved, and with its version.
    client.open(root / "conftest.py", "# unsaved\n" + FAR_FIXTURE)
    client.edit(conftest, "# edited\n" + FAR_FIXTURE)

    async def fixed() -> str:
        actions = await client.actions(uri, diagnostic.range, only=["quickfix"])
        return client.applied(actions[0]).get(conftest, "")

    while not (text := await fixed()):
        client.publications.clear()
        await client.until(lambda: client.latest(uri))
    assert text.startswith("# edited\n")
    assert "return AsyncMock()" in text
    client.edit(conftest, text)
    await client.codes(uri, [])


async def test_a_finding_that_the_client_names_needs_no_range(
    client: Client, project: Make, neovim: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(neovim, root)
    uri = client.open(root / "test_a.py")
    found = await client.found(uri)
    assert await client.actions(uri, NOWHERE, only=["quickfix"]) == []
    assert len(await client.actions(uri, NOWHERE, only=["quickfix"], diagnostics=found)) == 2


async def test_actions_wait_for_the_analysis_of_the_latest_edit(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py", "")
    client.edit(uri, "\n" + BAD)
    at = types.Position(6, 8)
    fix, _ = await client.actions(uri, types.Range(at, at), only=["quickfix"])
    assert client.applied(fix)[uri] == "\n" + FIXED


async def test_no_actions_for_a_client_without_literals(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    announced = await client.begin(minimal, root)
    assert announced.capabilities.code_action_provider is None
    uri = client.open(root / "test_a.py")
    (diagnostic,) = await client.found(uri)
    with pytest.raises(JsonRpcMethodNotFound):
        await client.actions(uri, diagnostic.range)


async def test_requests_about_documents_that_are_not_open(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    await client.begin(vscode, project({}))
    assert await client.actions("file:///nowhere.py", NOWHERE) == []
    params = types.HoverParams(types.TextDocumentIdentifier("untitled:x"), NOWHERE.start)
    assert await client.text_document_hover_async(params) is None


async def test_hover_shows_the_rule(client: Client, project: Make, vscode: types.ClientCapabilities) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    (diagnostic,) = await client.found(uri)
    identifier = types.TextDocumentIdentifier(uri)
    shown = await client.text_document_hover_async(types.HoverParams(identifier, ON_AWAIT))
    assert shown is not None
    assert shown.range == diagnostic.range
    assert isinstance(shown.contents, types.MarkupContent)
    assert shown.contents.kind is types.MarkupKind.Markdown
    assert shown.contents.value == describe("US101")
    assert registry.all_rules()["US101"].summary[1:] in shown.contents.value
    assert f"]({registry.url('US101')})" in shown.contents.value
    assert await client.text_document_hover_async(types.HoverParams(identifier, NOWHERE.start)) is None


async def test_hover_in_plain_text(client: Client, project: Make, minimal: types.ClientCapabilities) -> None:
    minimal.text_document = types.TextDocumentClientCapabilities(hover=types.HoverClientCapabilities())
    root = project({"test_a.py": BAD})
    await client.begin(minimal, root)
    uri = client.open(root / "test_a.py")
    shown = await client.text_document_hover_async(
        types.HoverParams(types.TextDocumentIdentifier(uri), ON_AWAIT)
    )
    assert shown is not None
    assert isinstance(shown.contents, types.MarkupContent)
    assert shown.contents.kind is types.MarkupKind.PlainText
    assert shown.contents.value.startswith("US101 awaited-sync-mock\n")
    assert "`" not in shown.contents.value
    assert "**" not in shown.contents.value
    assert f"Documentation of US101: {registry.url('US101')}" in shown.contents.value


def test_the_short_page_is_title_summary_and_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = registry.all_rules()["US101"]
    section = "This.\n\n```python\n# no heading\n```\n\n### More\n\nThat."
    page = f"# US101\n\nIntro.\n\n## What it finds\n\n{section}\n\n## Why\n\nNo."
    monkeypatch.setitem(rule.__dict__, "page", page)
    text = describe("US101")
    assert text is not None
    assert f"{section}\n\n[Documentation" in text
    assert "Intro" not in text
    assert "Why" not in text


def test_there_is_no_page_for_an_unknown_rule() -> None:
    assert describe("US000") is None
