"""Spans and the protocol's ranges; fixes as the client's edits; places that move with an edit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lsprotocol import types
from test_lsp_documents import TEXTS, naive_offset
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.apply import apply_edits
from understudy.lsp import convert
from understudy.lsp.moving import moved_finding, moved_span
from understudy.source.span import Span
from understudy.source.text import Text

ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-32"])
PATH = Path("/t.py")


@given(TEXTS, st.data(), ENCODINGS)
def test_a_span_comes_back_from_its_range(content: str, data: st.DataObject, encoding: str) -> None:
    text = Text(content)
    places = [(at, *text.position(at)) for at in range(len(content) + 1)]
    inside = [at for at, row, column in places if column <= len(text.line(row))]
    start, end = sorted((data.draw(st.sampled_from(inside)), data.draw(st.sampled_from(inside))))
    span = text.span(start, end)
    assert convert.to_span(text, convert.to_range(text, span, encoding), encoding) == span


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 8), ("utf-16", 5), ("utf-32", 4)])
def test_columns_are_in_the_units_of_the_client(encoding: str, character: int) -> None:
    text = Text("é=\U0001f600 x")
    assert convert.to_range(text, Span(0, 4, 0, 5), encoding).start == types.Position(0, character)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), TEXTS), max_size=4), ENCODINGS)
def test_text_edits_do_what_the_fix_does(
    content: str, raw: list[tuple[int, int, str]], encoding: str
) -> None:
    text = Text(content)
    edits = [Edit(PATH, text.span(*sorted((one, two))), new) for one, two, new in raw]
    try:
        expected = apply_edits(text, edits).content
    except ValueError:
        assume(False)
    converted = convert.to_text_edits(text, edits, encoding)
    places = [
        (naive_offset(content, edit.range.start, encoding), naive_offset(content, edit.range.end, encoding))
        for edit in converted
    ]
    after = content
    for (start, end), edit in reversed(list(zip(places, converted, strict=True))):
        after = after[:start] + edit.new_text + after[end:]
    # Inside `\r\n` there is no position: the protocol cannot say what such an edit means.
    assume(not any(content[at - 1 : at + 1] == "\r\n" for one, two, _ in raw for at in (one, two) if at))
    assert after == expected


def test_a_line_behind_the_last_one_gets_its_line_ending() -> None:
    (edit,) = convert.to_text_edits(Text("a"), [Edit(PATH, Span.at(1, 0), "b\n")], "utf-16")
    assert (edit.range.start, edit.new_text) == (types.Position(0, 1), "\nb\n")


def test_every_severity_has_its_counterpart() -> None:
    assert [convert.severity(severity).name for severity in Severity] == [
        "Error",
        "Warning",
        "Information",
        "Hint",
    ]


# A place never lies inside `\r\n`, which pieces put together could make.
WITHOUT_RETURNS = TEXTS.map(lambda content: content.replace("\r", ""))


@given(WITHOUT_RETURNS, WITHOUT_RETURNS, WITHOUT_RETURNS, WITHOUT_RETURNS)
def test_a_place_moves_with_the_text_around_it(head: str, old: str, new: str, tail: str) -> None:
    before, after = Text(head + old + tail), Text(head + new + tail)
    for start, end in pairwise(range(len(before.content) + 1)):
        if end <= len(head) or start >= len(head) + len(old):
            moved = moved_span(before.span(start, end), before, after)
            assert moved is not None
            assert after.slice(moved) == before.content[start:end]


def test_a_place_that_was_edited_is_gone() -> None:
    assert moved_span(Span(0, 0, 0, 3), Text("abc"), Text("axc")) is None


def test_a_moved_finding_offers_no_fix() -> None:
    before, after = Text("a = 1\nb = 2\n"), Text("# new\na = 1\nb = 2\n")
    elsewhere = Related(Path("/other.py"), Span(0, 0, 0, 1), "there")
    here = Related(PATH, Span(0, 0, 0, 1), "here")
    span = Span(1, 0, 1, 1)
    fix = Fix("f", Applicability.SAFE, (Edit(PATH, span, "c"),))
    finding = Finding("US101", "n", Severity.ERROR, "m", PATH, span, (here, elsewhere), (fix,))
    moved = moved_finding(finding, PATH, before, after)
    assert moved is not None
    assert moved.span == Span(2, 0, 2, 1)
    assert [place.span.row for place in moved.related] == [1, 0]
    assert moved.fixes == ()
