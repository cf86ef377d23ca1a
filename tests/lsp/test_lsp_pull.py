"""Diagnostics that the client asks for, and those of files that are not open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsp_client import BAD, PATIENCE, SERVICE, TEST, Client, codes
from lsprotocol import types
from pygls.exceptions import JsonRpcException

Make = Callable[[dict[str, str]], Path]

FIXED = SERVICE.replace("    await session.commit()", "    session.commit()")


@pytest.fixture
def pulling() -> types.ClientCapabilities:
    return types.ClientCapabilities(
        text_document=types.TextDocumentClientCapabilities(
            diagnostic=types.DiagnosticClientCapabilities(related_document_support=True)
        ),
        workspace=types.WorkspaceClientCapabilities(
            diagnostics=types.DiagnosticWorkspaceClientCapabilities(refresh_support=True)
        ),
    )


async def eventually(condition: Callable[[], Any]) -> Any:
    async def wait() -> Any:
        while not (value := condition()):
            await asyncio.sleep(0.02)
        return value

    return await asyncio.wait_for(wait(), PATIENCE)


async def pull(client: Client, uri: str, previous: str | None = None) -> Any:
    return await client.text_document_diagnostic_async(
        types.DocumentDiagnosticParams(types.TextDocumentIdentifier(uri), previous_result_id=previous)
    )


def whole(previous: list[types.PreviousResultId] | None = None) -> types.WorkspaceDiagnosticParams:
    return types.WorkspaceDiagnosticParams(previous or [])


async def test_what_is_pulled_is_not_pushed(
    client: Client, project: Make, pulling: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    announced = (await client.begin(pulling, root)).capabilities.diagnostic_provider
    assert announced is not None
    assert (announced.inter_file_dependencies, announced.workspace_diagnostics) == (True, True)
    uri = client.open(root / "test_a.py")
    report = await pull(client, uri)
    assert codes(report.items) == ["US101"]
    client.edit(uri, BAD + "\n")
    assert codes((await pull(client, uri)).items) == ["US101"]
    client.close(uri)
    # An answer that comes after whatever was sent before it.
    await pull(client, client.open(root / "test_a.py"))
    assert client.publications == []


async def test_the_id_of_a_result_is_that_of_its_content(
    client: Client, project: Make, pulling: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(pulling, root)
    uri = client.open(root / "test_a.py")
    first = await pull(client, uri)
    client.edit(uri, BAD + "\n")
    second = await pull(client, uri, first.result_id)
    assert isinstance(second, types.RelatedUnchangedDocumentDiagnosticReport)
    assert second.result_id == first.result_id
    client.edit(uri, "\n" + BAD)
    third = await pull(client, uri, first.result_id)
    assert third.items[0].range.start.line == first.items[0].range.start.line + 1
    client.edit(uri, BAD)
    assert (await pull(client, uri, third.result_id)).result_id == first.result_id


async def test_a_superseded_request_is_to_be_repeated(
    client: Client, project: Make, pulling: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(pulling, root)
    uri = client.open(root / "test_a.py")
    asked = asyncio.ensure_future(pull(client, uri))
    await asyncio.sleep(0)
    client.edit(uri, BAD + "\n")
    with pytest.raises(JsonRpcException) as refused:
        await asked
    assert refused.value.code == -32802
    assert refused.value.data == {"retriggerRequest": True} or refused.value.data.retriggerRequest is True
    assert codes((await pull(client, uri)).items) == ["US101"]


async def test_a_cancelled_request_is_answered_as_such(
    client: Client, project: Make, pulling: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD})
    await client.begin(pulling, root)
    uri = client.open(root / "test_a.py")
    await pull(client, uri)
    waiting = client.protocol.send_request_async(types.WORKSPACE_DIAGNOSTIC, whole(), msg_id="whole")
    first = await waiting
    known = [types.PreviousResultId(item.uri, item.result_id) for item in first.items]
    asked = asyncio.ensure_future(
        client.protocol.send_request_async(types.WORKSPACE_DIAGNOSTIC, whole(known), msg_id="again")
    )
    await asyncio.sleep(0)
    client.cancel_request(types.CancelParams("again"))
    with pytest.raises(JsonRpcException) as refused:
        await asked
    assert refused.value.code == -32800


async def test_an_edit_in_another_document_is_told(
    client: Client, project: Make, pulling: types.ClientCapabilities
) -> None:
    """Either along with the answer about the document that was edited, or by asking the client to ask again."""
    root = project({"service.py": SERVICE, "test_a.py": TEST})
    await client.begin(pulling, root)
    test, service = client.open(root / "test_a.py"), client.open(root / "service.py")
    assert codes((await pull(client, test)).items) == ["US108"]
    await pull(client, service)
    client.edit(service, FIXED)
    related = (await pull(client, service)).related_documents or {}
    if test in related:
        assert list(related[test].items) == []
    else:
        await eventually(lambda: client.diagnostic_refresh_count)
        assert list((await pull(client, test)).items) == []


async def test_the_whole_workspace_is_pulled(
    client: Client, project: Make, pulling: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD, "deep/test_b.py": BAD, "test_c.py": ""})
    await client.begin(pulling, root, options={"diagnosticMode": "workspace"})
    found: dict[str, str] = {}
    while len(found) < 2:
        previous = [types.PreviousResultId(uri, identity) for uri, identity in found.items()]
        answer = await client.workspace_diagnostic_async(whole(previous))
        assert answer.items
        for item in answer.items:
            assert codes(item.items) == ["US101"]
            found[item.uri] = item.result_id
    assert found.keys() == {(root / "test_a.py").as_uri(), (root / "deep/test_b.py").as_uri()}


@pytest.mark.parametrize("mode", ["openFiles", "workspace"])
async def test_what_was_shown_while_it_was_open_is_taken_back(
    client: Client, project: Make, pulling: types.ClientCapabilities, mode: str
) -> None:
    """As the client asks about it no longer, in an answer about the workspace."""
    root = project({"test_a.py": "\n"})
    await client.begin(pulling, root, options={"diagnosticMode": mode})
    uri = client.open(root / "test_a.py", BAD)
    assert codes((await pull(client, uri)).items) == ["US101"]
    client.close(uri)
    told: dict[str, Any] = {}
    while uri not in told or told[uri].items:
        answer = await asyncio.wait_for(client.workspace_diagnostic_async(whole()), PATIENCE)
        told.update((item.uri, item) for item in answer.items)


async def test_closed_files_are_pushed_too_when_the_editor_wants_it(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"service.py": SERVICE, "test_a.py": TEST, "test_b.py": BAD})
    await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
    test, other = (root / "test_a.py").as_uri(), (root / "test_b.py").as_uri()
    await client.codes(other, ["US101"])
    await client.codes(test, ["US108"])
    # What rests on an edited file follows it.
    service = client.open(root / "service.py")
    client.edit(service, FIXED)
    await client.codes(test, [])
    client.edit(service, SERVICE)
    await client.codes(test, ["US108"])
    # An open file is taken over, and given back.
    client.open(root / "test_b.py")
    await client.until(lambda: client.latest(other).version == 1)
    client.close(other)
    await client.until(lambda: client.latest(other).version is None and client.latest(other).diagnostics)
    (root / "test_b.py").unlink()
    client.touched(root / "test_b.py", types.FileChangeType.Deleted)
    await client.codes(other, [])


async def test_closed_files_follow_modules_that_come_and_go(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    """What an import does not find is no file that the importing one could rest on."""
    root = project({"tools.py": "\n", "service.py": "from tools import draw\n"})
    await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
    service = (root / "service.py").as_uri()
    tools = root / "tools.py"
    await client.codes(service, ["US211"])
    for _ in range(2):
        tools.rename(root / "moved.py")
        client.touched(tools, types.FileChangeType.Deleted)
        await client.codes(service, [])
        (root / "moved.py").rename(tools)
        client.touched(tools, types.FileChangeType.Created)
        await client.codes(service, ["US211"])


async def test_closed_files_follow_what_is_typed_into_others(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    """Although they rest on no file that has it: they rest on there being none."""
    head = "from sqlalchemy import Index\nfrom sqlalchemy.orm import Mapped, mapped_column\n\nfrom base import Base\n"
    model = (
        '{head}\n\nclass {name}(Base):\n    __tablename__ = "{table}"\n'
        '    __table_args__ = (Index("ix_state", "state"),)\n\n'
        "    id: Mapped[int] = mapped_column(primary_key=True)\n    state: Mapped[str]\n"
    )
    base = "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n"
    files = {
        "base.py": base,
        "orders.py": model.format(head=head, name="Order", table="orders"),
        "jobs.py": "\n",
    }
    root = project({**files, "app.py": "import jobs\nimport orders\n"})
    await client.begin(minimal, root, options={"diagnosticMode": "workspace"})
    jobs = client.open(root / "jobs.py")
    await client.codes(jobs, [])
    client.edit(jobs, model.format(head=head, name="Job", table="jobs"))
    # The one that comes second is named, wherever it is.
    await client.codes((root / "orders.py").as_uri(), ["US308"])


async def test_files_that_are_not_open_are_left_alone_by_default(
    client: Client, project: Make, minimal: types.ClientCapabilities
) -> None:
    root = project({"test_a.py": BAD, "test_b.py": BAD})
    await client.begin(minimal, root)
    uri = client.open(root / "test_a.py")
    await client.found(uri)
    await asyncio.sleep(0.5)
    assert {publication.uri for publication in client.publications} == {uri}


async def test_the_progress_of_the_background_can_be_stopped_and_goes_on(
    client: Client, project: Make, vscode: types.ClientCapabilities
) -> None:
    names = [f"test_{number:03}.py" for number in range(60)]
    root = project(dict.fromkeys(names, BAD))
    assert vscode.workspace is not None
    assert vscode.text_document is not None
    vscode.workspace.configuration = False
    vscode.text_document.diagnostic = None
    await client.begin(vscode, root, options={"diagnosticMode": "workspace"})
    began = await eventually(lambda: next(iter(client.progress_reports.values()), None))
    assert began[0].title == "Understudy: checking project"
    (token,) = client.progress_reports
    client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    await eventually(lambda: isinstance(began[-1], types.WorkDoneProgressEnd))
    # What was on its way is there after the next answer.
    await asyncio.sleep(0.3)
    stopped_at = len(client.publications)
    await asyncio.sleep(0.5)
    assert len(client.publications) == stopped_at < 60
    client.open(root / names[0])
    await client.until(lambda: len({publication.uri for publication in client.publications}) == 60)
    published = [publication.uri for publication in client.publications]
    assert len(published) <= 61
