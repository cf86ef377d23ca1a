"""Which features a client is offered, and how several answer one request."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types
from understudy.lsp import capabilities, feature
from understudy.lsp.feature import Feature


async def nothing(session: Any, params: Any) -> None:
    return None


def completion(*characters: str) -> Feature:
    return Feature(
        types.TEXT_DOCUMENT_COMPLETION,
        nothing,
        lambda client: types.CompletionOptions(trigger_characters=list(characters)),
    )


def client(**sections: Any) -> capabilities.Client:
    made = types.TextDocumentClientCapabilities(**sections)
    return capabilities.resolve(types.ClientCapabilities(text_document=made))


def test_features_of_one_method_are_announced_together(monkeypatch: pytest.MonkeyPatch) -> None:
    features = completion('"', "."), completion("(", '"')
    monkeypatch.setattr(feature, "all_features", lambda: features)
    asked = client(completion=types.CompletionClientCapabilities())
    ((method, answering, options),) = feature.offered(asked)
    assert (method, answering) == (types.TEXT_DOCUMENT_COMPLETION, features)
    assert options.trigger_characters == ['"', ".", "("]


def test_what_the_client_does_not_name_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    command = Feature("understudy.something", nothing)
    monkeypatch.setattr(feature, "all_features", lambda: (completion(), command))
    assert [method for method, _, _ in feature.offered(client())] == ["understudy.something"]


def test_the_method_names_the_section_of_the_capabilities() -> None:
    asked = client(code_action=types.CodeActionClientCapabilities())
    assert asked.names("textDocument/codeAction")
    assert not asked.names("textDocument/inlayHint")


def test_lists_are_put_together() -> None:
    one, two = types.CompletionItem("one"), types.CompletionItem("two")
    assert feature.joined([[one], None, [two]]) == [one, two]
    answer = feature.joined([[one], types.CompletionList(True, [two])])
    assert (answer.is_incomplete, list(answer.items)) == (True, [one, two])


def test_of_other_answers_the_first_counts() -> None:
    first, second = types.Hover("first"), types.Hover("second")
    assert feature.joined([None, first, second]) is first
    assert feature.joined([None, None]) is None


def test_hovers_are_joined_and_none_hides_another() -> None:
    kind = types.MarkupKind.Markdown
    place = types.Range(types.Position(0, 0), types.Position(0, 3))
    shape = types.Hover(types.MarkupContent(kind, "its shape"), place)
    rule = types.Hover(types.MarkupContent(kind, "its rule"))
    answer = feature.joined([None, shape, rule])
    assert answer.contents.value == "its shape\n\n---\n\nits rule"
    assert answer.range == place
