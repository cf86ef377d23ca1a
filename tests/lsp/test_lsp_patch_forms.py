"""Completion, definition and references of methods and class attributes, in each form of patch, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lsp_client import Client
from lsp_edits import ASKING, place
from lsprotocol import types

Make = Callable[[Mapping[str, str]], Path]

MAIL = """\
class Mailer:
    retries = 3
    host: str

    def __init__(self):
        pass

    def connect(self):
        return 1

    class Options:
        size = 1


class Loud(Mailer):
    def shout(self):
        return 2


def send(text):
    return text


mailer = Loud()
"""
FORMS = {
    "patch": 'patch("shop.mail.‹Mailer›.‹{}›")',
    "patch of a subclass": 'patch("shop.mail.Loud.‹{}›")',
    "patch of an import": 'patch("shop.orders.‹Mailer›.‹{}›")',
    "patch.object": 'patch.object(mail.Mailer, "‹{}›")',
    "patch.object of a name": "patch.object(Mailer, '‹{}›')",
    "patch.object of an object": 'patch.object(mail.mailer, "‹{}›")',
    "monkeypatch": 'monkeypatch.setattr("shop.mail.‹Mailer›.‹{}›", None)',
    "monkeypatch of an object": 'monkeypatch.setattr(Mailer, "‹{}›", None)',
    "monkeypatch.delattr": 'monkeypatch.delattr("shop.mail.‹Mailer›.‹{}›")',
    "mocker": 'mocker.patch("shop.mail.‹Mailer›.‹{}›")',
    "mocker.patch.object": 'mocker.patch.object(mail.Mailer, "‹{}›")',
    "mocker.spy": 'mocker.spy(mail.Mailer, "‹{}›")',
}
HEAD = """\
from unittest.mock import patch

from shop import mail
from shop.mail import Mailer


def test_forms(monkeypatch, mocker):
"""
DEFINED = {"connect": (7, 8), "retries": (1, 4), "Mailer": (0, 6)}
MEMBERS = {"retries", "host", "connect", "Options", "__init__"}


def _written(member: str) -> tuple[str, dict[str, list[types.Position]]]:
    """A test file with all forms, and where its strings name the class and the member."""
    text = HEAD
    places: dict[str, list[types.Position]] = {member: [], "Mailer": []}
    for form in FORMS.values():
        line = f'    "😀"; {form.format(member)}\n'
        while "‹" in line:
            before, _, rest = line.partition("‹")
            name, _, after = rest.partition("›")
            column = len(before.encode("utf-16-le")) // 2
            places[name].append(types.Position(text.count("\n"), column))
            line = f"{before}{name}{after}"
        text += line
    return text, places


def _files(member: str) -> dict[str, str]:
    orders = "from shop.mail import Mailer\n"
    return {
        "shop/__init__.py": "",
        "shop/mail.py": MAIL,
        "shop/orders.py": orders,
        "test_shop.py": _written(member)[0],
    }


@pytest.mark.parametrize("member", ["connect", "retries"])
async def test_every_form_is_a_reference_to_the_member_and_its_class(
    client: Client, project: Make, member: str
) -> None:
    root = project(_files(member))
    await client.begin(ASKING, root)
    tests, mail = client.open(root / "test_shop.py"), client.open(root / "shop/mail.py")
    places = _written(member)[1]
    assert len(places[member]) == len(FORMS)
    for name, expected in places.items():
        for at in expected:
            found = await client.text_document_definition_async(
                types.DefinitionParams(types.TextDocumentIdentifier(tests), at)
            )
            assert isinstance(found, list) and len(found) == 1, (name, at)
            assert isinstance(found[0], types.Location)
            start = found[0].range.start
            assert (found[0].uri, (start.line, start.character)) == (mail, DEFINED[name]), at
        declared = types.Position(*DEFINED[name])
        uses = await client.text_document_references_async(
            types.ReferenceParams(
                types.ReferenceContext(include_declaration=False),
                types.TextDocumentIdentifier(mail),
                declared,
            )
        )
        assert [use.range.start for use in uses or ()] == expected, name


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_completes_members(client: Client, project: Make, form: str) -> None:
    root = project(_files("connect"))
    await client.begin(ASKING, root)
    uri = client.open(root / "test_shop.py")
    at = _written("connect")[1]["connect"][list(FORMS).index(form)]
    found = await client.text_document_completion_async(
        types.CompletionParams(types.TextDocumentIdentifier(uri), at)
    )
    assert isinstance(found, list)
    own = {"shout"} if "Loud" in FORMS[form] or "mailer" in FORMS[form] else set()
    assert {item.label for item in found} == MEMBERS | own


@pytest.mark.parametrize(
    ("statement", "offered"),
    [
        pytest.param('patch.object(mail, "|', {"Mailer", "Loud", "send", "mailer"}, id="object"),
        pytest.param('patch.object(mail, "|")', {"Mailer", "Loud", "send", "mailer"}, id="object-empty"),
        pytest.param('patch.object(Mailer, "|', MEMBERS, id="class"),
        pytest.param('with patch.object(mail.mailer, "re|', MEMBERS | {"shout"}, id="with"),
        pytest.param('monkeypatch.setattr("shop.mail.|', {"Mailer", "Loud", "send", "mailer"}, id="setattr"),
        pytest.param('monkeypatch.setattr("shop.|', {"mail", "orders"}, id="modules"),
        pytest.param('monkeypatch.setattr("shop.orders.|', {"Mailer"}, id="consumer"),
        pytest.param('monkeypatch.setattr(Mailer, "|', MEMBERS, id="setattr-class"),
        pytest.param('mocker.patch("shop.mail.Mailer.|', MEMBERS, id="mocker"),
        pytest.param(
            'mocker.patch.object(mail, "|', {"Mailer", "Loud", "send", "mailer"}, id="mocker-object"
        ),
        pytest.param('print(mail, "|', set(), id="no-patch"),
        pytest.param('patch.object(unknown, "|', set(), id="unknown"),
    ],
)
async def test_members_are_completed_while_they_are_typed(
    client: Client, project: Make, statement: str, offered: set[str]
) -> None:
    files = _files("connect")
    line = f"    é = {statement}" if not statement.startswith("with") else f"    {statement}"
    files["test_typing.py"] = HEAD + line.replace("|", "") + "\n\n\ndef test_other():\n    pass\n"
    root = project(files)
    await client.begin(ASKING, root)
    uri = client.open(root / "test_typing.py")
    found = await client.text_document_completion_async(
        types.CompletionParams(types.TextDocumentIdentifier(uri), place(HEAD + line, "|", 0))
    )
    assert {item.label for item in found or ()} == offered  # type: ignore[union-attr]
