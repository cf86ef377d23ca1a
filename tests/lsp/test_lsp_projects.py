"""Files belong together: a change of one reaches the findings of another, and of the right project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lsp_client import BAD, SERVICE, TEST, Client, codes
from lsprotocol import types

Make = Callable[[dict[str, str]], Path]

CREATED, CHANGED, DELETED = types.FileChangeType


async def test_an_edit_of_the_service_reaches_the_open_test(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"service.py": SERVICE, "test_a.py": TEST})
    await client.begin(vscode, root)
    service, test = client.open(root / "service.py"), client.open(root / "test_a.py")
    await client.codes(test, ["US108"])
    client.replace(service, "await session.commit()", "session.commit()")
    await client.codes(test, [])
    client.replace(service, "    session.add(1)", "    session.add(1)\n\n\nasync def more(session): ...")
    client.replace(service, "    session.commit()", "    await session.commit()")
    await client.codes(test, ["US108"])
    client.close(service)
    client.replace(test, "session = MagicMock()", "session = MagicMock()  # unsaved")
    assert codes(await client.found(test)) == ["US108"]


async def test_closing_the_service_without_saving_brings_back_what_is_on_disk(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"service.py": SERVICE, "test_a.py": TEST})
    await client.begin(vscode, root)
    service, test = client.open(root / "service.py"), client.open(root / "test_a.py")
    client.replace(service, "await session.commit()", "session.commit()")
    await client.codes(test, [])
    client.close(service)
    await client.codes(test, ["US108"])


async def test_a_change_on_disk_reaches_the_open_test(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"service.py": SERVICE, "test_a.py": TEST})
    await client.begin(vscode, root)
    test = client.open(root / "test_a.py")
    await client.codes(test, ["US108"])
    (root / "service.py").write_text(SERVICE.replace("await ", ""))
    client.touched(root / "service.py", CHANGED)
    await client.codes(test, [])


async def test_files_that_come_and_go(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": TEST})
    await client.begin(vscode, root)
    test = client.open(root / "test_a.py")
    await client.found(test)
    (root / "service.py").write_text(SERVICE)
    client.touched(root / "service.py", CREATED)
    await client.codes(test, ["US108"])
    (root / "service.py").unlink()
    client.touched(root / "service.py", DELETED)
    await client.codes(test, [])


async def test_a_client_that_watches_nothing_tells_by_saving(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": TEST})
    await client.begin(minimal, root)
    test = client.open(root / "test_a.py")
    await client.codes(test, [])
    (root / "service.py").write_text(SERVICE)
    service = client.open(root / "service.py")
    client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(service)))
    await client.codes(test, ["US108"])
    assert client.registrations == []


CONFTEST = """\
import pytest


@pytest.fixture
async def stored(session):
    await session.commit()
    return session
"""
USING = """\
from unittest.mock import MagicMock

import pytest


@pytest.fixture
def session():
    return MagicMock()


async def test_stored(stored):
    assert stored
"""


async def test_what_one_file_finds_in_another_is_shown_there(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"conftest.py": CONFTEST, "test_a.py": USING})
    await client.begin(vscode, root)
    conftest = client.open(root / "conftest.py")
    assert codes(await client.found(conftest)) == []
    test = client.open(root / "test_a.py")
    await client.codes(conftest, ["US101"])
    # It stays, and moves along, while the conftest is edited.
    for number in range(1, 4):
        client.edit(conftest, "\n" * number + CONFTEST)
        (diagnostic,) = await client.found(conftest)
        assert diagnostic.range.start.line == 5 + number
    client.close(test)
    await client.codes(conftest, [])


async def test_configuration_is_read_again_when_it_changes(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    await client.codes(uri, ["US101"])
    pyproject = root / "pyproject.toml"
    pyproject.write_text('[tool.understudy]\nignore = ["US101"]\n')
    client.touched(pyproject, CHANGED)
    await client.codes(uri, [])
    pyproject.write_text('[tool.understudy]\nseverity = { US101 = "hint" }\n')
    client.text_document_did_save(
        types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(pyproject.as_uri()))
    )
    (diagnostic,) = await client.codes(uri, ["US101"])
    assert diagnostic.severity is types.DiagnosticSeverity.Hint


async def test_what_is_wrong_with_the_configuration_is_said_once(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    bad = '[tool.understudy]\nselct = ["US101"]\n'
    root = project({"pyproject.toml": bad, "test_a.py": BAD, "test_b.py": BAD})
    await client.begin(vscode, root)
    first = client.open(root / "test_a.py")
    await client.found(first)
    await client.found(client.open(root / "test_b.py"))
    client.touched(root / "pyproject.toml", CHANGED)
    client.edit(first, BAD + "\n")
    await client.found(first)
    (message,) = client.messages
    assert message.type is types.MessageType.Warning
    assert str(root / "pyproject.toml") in message.message
    assert "did you mean 'select'?" in message.message
    # Mended and broken again, it is news again.
    (root / "pyproject.toml").write_text("[tool.understudy]\n")
    client.touched(root / "pyproject.toml", CHANGED)
    client.edit(first, BAD)
    await client.found(first)
    (root / "pyproject.toml").write_text(bad)
    client.touched(root / "pyproject.toml", CHANGED)
    await client.until(lambda: len(client.messages) == 2)


async def test_settings_come_with_initialize(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(minimal, root, options={"ignore": ["US101"], "trace": {"server": "off"}})
    uri = client.open(root / "test_a.py")
    assert await client.found(uri) == []
    client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams({"understudy": {"ignore": ["US102"]}})
    )
    await client.codes(uri, ["US101"])
    assert client.messages == []


async def test_settings_are_asked_for_and_win_over_the_file(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"pyproject.toml": '[tool.understudy]\nselect = ["US2"]\n', "test_a.py": BAD})
    client.set_configuration({"select": ["US101"], "ignore": None}, section="understudy")
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    await client.codes(uri, ["US101"])
    # They were there before the first analysis: nothing else was shown in between.
    assert [codes(publication.diagnostics) for publication in client.publications] == [["US101"]]
    client.set_configuration({"select": ["US102"]}, section="understudy")
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await client.codes(uri, [])


async def test_a_bad_setting_is_named(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    client.set_configuration({"severity": {"US101": "loud"}}, section="understudy")
    await client.begin(vscode, root)
    await client.found(client.open(root / "test_a.py"))
    await client.until(lambda: client.messages)
    assert "the editor's settings: severity.US101" in client.messages[0].message


async def test_each_folder_has_its_project_and_settings(
    client: Client, tmp_path: Path, vscode: types.ClientCapabilities
) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        (folder / "test_a.py").write_text(TEST)
        (folder / "service.py").write_text(SERVICE)
    (tmp_path / "two" / "service.py").write_text(SERVICE.replace("await ", ""))
    client.set_configuration({"understudy": {"ignore": ["US108"]}}, scope_uri=folders[0].as_uri())
    await client.begin(vscode, *folders)
    one, two = (client.open(folder / "test_a.py") for folder in folders)
    await client.codes(one, [])
    await client.codes(two, [])
    client.open(tmp_path / "two" / "service.py", SERVICE)
    await client.codes(two, ["US108"])
    client.set_configuration({"understudy": {}}, scope_uri=folders[0].as_uri())
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await client.codes(one, ["US108"])


async def test_folders_may_come_later(
    client: Client, tmp_path: Path, minimal: types.ClientCapabilities
) -> None:
    """Without any configuration file, the workspace folder is what names start at."""
    (tmp_path / "tests").mkdir()
    test = tmp_path / "tests" / "test_a.py"
    test.write_text(TEST)
    (tmp_path / "service.py").write_text(SERVICE)
    await client.begin(minimal)
    uri = client.open(test)
    await client.codes(uri, [])
    folder = types.WorkspaceFolder(tmp_path.as_uri(), "all")
    client.workspace_did_change_workspace_folders(
        types.DidChangeWorkspaceFoldersParams(types.WorkspaceFoldersChangeEvent([folder], []))
    )
    await client.codes(uri, ["US108"])
    client.workspace_did_change_workspace_folders(
        types.DidChangeWorkspaceFoldersParams(types.WorkspaceFoldersChangeEvent([], [folder]))
    )
    await client.codes(uri, [])


async def test_a_file_outside_every_folder(
    client: Client, project: Make, tmp_path: Path, vscode: types.ClientCapabilities
) -> None:
    root = project({"service.py": SERVICE, "test_a.py": TEST})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    await client.begin(vscode, elsewhere)
    await client.codes(client.open(root / "test_a.py"), ["US108"])


async def test_watching_is_asked_for_where_the_client_can(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    await client.begin(vscode, project({}))
    await client.until(lambda: len(client.registrations) == 2)
    files, configuration = client.registrations
    assert files.method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    patterns = {watcher["globPattern"] for watcher in files.register_options["watchers"]}
    assert {"**/*.py", "**/pyproject.toml", "**/understudy.toml", "**/pytest.ini"} <= patterns
    assert configuration.method == types.WORKSPACE_DID_CHANGE_CONFIGURATION
    assert configuration.register_options == {"section": "understudy"}


async def test_neovim_is_not_asked_to_watch(
    client: Client, project: Make, neovim: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(neovim, root)
    await client.found(client.open(root / "test_a.py"))
    assert client.registrations == []
