"""Diagnostics are pushed on open and on every edit, as the client can take them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lsp_client import BAD, SERVICE, TEST, Client, codes
from lsprotocol import types
from understudy.rules import registry

Make = Callable[[dict[str, str]], Path]

GOOD = BAD.replace("MagicMock", "AsyncMock")


async def test_on_open_and_on_every_edit(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101"]
    client.replace(uri, "session = MagicMock()", "session = AsyncMock()")
    client.replace(uri, "import MagicMock", "import AsyncMock")
    assert codes(await client.found(uri)) == []
    client.edit(uri, "\n" + BAD)
    (diagnostic,) = await client.found(uri)
    assert diagnostic.range == types.Range(types.Position(6, 4), types.Position(6, 26))


async def test_what_vscode_is_shown(client: Client, project: Make, vscode: types.ClientCapabilities) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    (diagnostic,) = await client.found(uri)
    assert diagnostic.source == "understudy"
    assert diagnostic.code == "US101"
    assert diagnostic.severity is types.DiagnosticSeverity.Error
    assert diagnostic.code_description == types.CodeDescription(registry.url("US101") or "")
    assert diagnostic.data == {"name": "awaited-sync-mock", "fix": "safe"}
    assert diagnostic.related_information is not None
    (place,) = diagnostic.related_information
    assert place.location.uri == uri
    assert place.location.range == types.Range(types.Position(4, 14), types.Position(4, 25))
    assert "MagicMock" in place.message


async def test_what_a_minimal_client_is_shown(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD + "    # understudy: ignore[US102]\n"})
    await client.begin(minimal, root)
    uri = client.open(root / "test_a.py")
    found = await client.found(uri)
    assert codes(found) == ["US101", "US901"]
    for diagnostic in found:
        assert diagnostic.range.start.line > 0
        assert diagnostic.related_information is None
        assert diagnostic.code_description is None
        assert diagnostic.tags is None
        assert diagnostic.data is None


async def test_code_without_effect_is_faded(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": "x = 1  # understudy: ignore[US101]\n"})
    await client.begin(vscode, root)
    (diagnostic,) = await client.found(client.open(root / "test_a.py"))
    assert diagnostic.code == "US901"
    assert list(diagnostic.tags or ()) == [types.DiagnosticTag.Unnecessary]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "utf-16"),
        (["utf-16"], "utf-16"),
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32", "utf-8"], "utf-32"),
        (["utf-7", "utf-32"], "utf-32"),
    ],
)
async def test_positions_in_the_units_of_the_client(
    client: Client, project: Make, offered: list[str] | None, chosen: str
) -> None:
    awaited, made = '    "\U0001f600é"; await session.commit()', '    session = MagicMock(name="\U0001f600")'
    content = BAD.replace("    await session.commit()", awaited).replace("    session = MagicMock()", made)
    root = project({"test_a.py": content})
    capabilities = types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=offered),  # type: ignore[arg-type]
        text_document=types.TextDocumentClientCapabilities(
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(related_information=True)
        ),
    )
    announced = await client.begin(capabilities, root)
    assert announced.capabilities.position_encoding == chosen
    uri = client.open(root / "test_a.py")
    (diagnostic,) = await client.found(uri)
    start = units(awaited.partition("await")[0], chosen)
    assert diagnostic.range.start == types.Position(5, start)
    assert diagnostic.range.end == types.Position(5, units(awaited, chosen))
    assert diagnostic.related_information is not None
    place = diagnostic.related_information[0].location.range
    assert place.start == types.Position(4, len("    session = "))
    assert place.end == types.Position(4, units(made, chosen))
    # An edit behind the astral character lands where the client means it, too.
    at = start + len("await session.")
    change = types.TextDocumentContentChangePartial(
        types.Range(types.Position(5, at), types.Position(5, at + len("commit"))), "flush"
    )
    client.send(uri, change, content.replace("commit", "flush"))
    (diagnostic,) = await client.found(uri)
    assert "await session.flush()" in diagnostic.message


async def test_related_places_in_another_file_are_measured_there(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    service = SERVICE.replace("    await session", '    "\U0001f600"; await session')
    root = project({"service.py": service, "test_a.py": TEST})
    await client.begin(vscode, root)
    (diagnostic,) = await client.found(client.open(root / "test_a.py"))
    assert diagnostic.code == "US108"
    places = {
        place.location.uri.rpartition("/")[2]: place.location.range.start
        for place in diagnostic.related_information or ()
    }
    assert places["service.py"] == types.Position(1, 4 + 4 + 2)


async def test_a_syntax_error_leaves_the_other_findings(
    client: Client, project: Make, neovim: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(neovim, root)
    uri = client.open(root / "test_a.py")
    assert codes(await client.found(uri)) == ["US101"]
    client.edit(uri, BAD + "\n\ndef test_more(\n")
    assert codes(await client.found(uri)) == ["US101"]


async def test_only_the_last_of_many_edits_counts(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    for number in range(100):
        client.edit(uri, "\n" * number + (BAD if number % 2 else GOOD))
    (diagnostic,) = await client.found(uri)
    assert diagnostic.range.start.line == 99 + 5
    versions = [publication.version or 0 for publication in client.publications if publication.uri == uri]
    assert versions == sorted(versions)


async def test_close_clears(client: Client, project: Make, vscode: types.ClientCapabilities) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    assert await client.found(uri)
    client.close(uri)
    await client.codes(uri, [])
    client.open(root / "test_a.py")
    await client.codes(uri, ["US101"])


async def test_closed_and_opened_at_once(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    uri = client.open(root / "test_a.py")
    assert await client.found(uri)
    client.close(uri)
    client.open(root / "test_a.py")
    await client.until(lambda: len(client.publications) == 3)
    shown = [codes(publication.diagnostics) for publication in client.publications]
    assert shown == [["US101"], [], ["US101"]]


async def test_what_is_no_file_or_no_python_is_left_alone(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD, "notes.toml": ""})
    await client.begin(vscode, root)
    client.open(root / "notes.toml", "[x]\n", "toml")
    uri = client.open(root / "test_a.py")
    assert await client.found(uri)
    assert {publication.uri for publication in client.publications} == {uri}


async def test_a_file_that_is_gone_or_was_never_saved(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(vscode, root)
    new = client.open(root / "nowhere" / "test_new.py", BAD)
    assert codes(await client.found(new)) == ["US101"]
    uri = client.open(root / "test_a.py")
    assert await client.found(uri)
    (root / "test_a.py").unlink()
    client.touched(root / "test_a.py", types.FileChangeType.Deleted)
    client.edit(uri, BAD + "\n")
    assert codes(await client.found(uri)) == ["US101"]
    client.close(uri)
    await client.codes(uri, [])


async def test_excluded_files_are_left_alone(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    root = project(
        {
            "pyproject.toml": '[tool.understudy]\nexclude = ["generated/"]\n',
            "generated/deep/test_a.py": BAD,
            ".venv/lib/test_b.py": BAD,
            "test_c.py": BAD,
        }
    )
    await client.begin(vscode, root)
    for name, expected in (("generated/deep/test_a.py", 0), (".venv/lib/test_b.py", 0), ("test_c.py", 1)):
        assert len(await client.found(client.open(root / name))) == expected, name


async def test_installed_libraries_are_left_alone(
    client: Client, project: Make, tmp_path: Path, vscode: types.ClientCapabilities
) -> None:
    library = tmp_path / "lib" / "site-packages" / "library"
    library.mkdir(parents=True)
    (library / "test_a.py").write_text(BAD)
    await client.begin(vscode, project({}))
    assert await client.found(client.open(library / "test_a.py")) == []


async def test_a_byte_order_mark_of_the_editor(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(minimal, root)
    assert codes(await client.found(client.open(root / "test_a.py", "\ufeff" + BAD))) == ["US101"]


async def test_the_findings_of_the_example_project(
    client: Client, governance: Path, neovim: types.ClientCapabilities
) -> None:
    """What is pushed is what ``understudy check`` prints."""
    from understudy.engine import Project
    from understudy.project import config

    project = Project(governance, config.load(governance, registry.names()).config)
    await client.begin(neovim, governance)
    for path in sorted((governance / "tests" / "unit").glob("test_*.py")):
        expected = [
            (finding.code, finding.message, finding.span.row)
            for finding in project.finish([project.analyse(path)])
            if finding.path == path
        ]
        found = await client.found(client.open(path))
        assert [(d.code, d.message, d.range.start.line) for d in found] == expected


def whole() -> types.Range:
    return types.Range(types.Position(0, 0), types.Position(99, 0))


def units(text: str, encoding: str) -> int:
    sizes = {"utf-8": 1, "utf-16-le": 2, "utf-32-le": 4}
    name = encoding if encoding == "utf-8" else f"{encoding}-le"
    return len(text.encode(name)) // sizes[name]
