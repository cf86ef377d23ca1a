"""The drawing for people: frames, marks, widths, colours and the summary."""

from __future__ import annotations

import io
import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.report.text import Look, look, render, summary
from understudy.source.span import Span
from understudy.source.text import SourceError, Text

BASE = Path("/p")
T, S = BASE / "tests" / "t.py", BASE / "s.py"


def finding(
    span: tuple[int, int, int, int],
    *related: tuple[Path, tuple[int, int, int, int], str],
    severity: Severity = Severity.ERROR,
    fixes: tuple[Fix, ...] = (),
    message: str = "it will raise",
    path: Path = T,
) -> Finding:
    places = tuple(Related(where, Span(*place), label) for where, place, label in related)
    return Finding("US101", "awaited-sync-mock", severity, message, path, Span(*span), places, fixes)


def draw(found: Finding, files: dict[Path, str], width: int | None = None) -> str:
    """The lines below the header."""

    def text_of(path: Path) -> Text:
        if path not in files:
            raise SourceError("cannot be read: permission denied")
        return Text(files[path])

    header, _, rest = render([found], text_of, BASE, Look(width)).partition("\n")
    assert header.startswith("error[US101] awaited-sync-mock: ")
    return rest


def block(expected: str) -> str:
    return dedent(expected).lstrip("\n") + "\n"


def fix(applicability: Applicability) -> Fix:
    return Fix("Use `AsyncMock`", applicability, (Edit(T, Span(0, 0, 0, 1), "x"),))


def test_one_place_with_two_rows_around_it() -> None:
    source = "zero\none\ntwo\nawait m.x()\nfour\nfive\nsix\n"
    assert draw(finding((3, 0, 3, 11)), {T: source}) == block("""
         --> tests/t.py:4:1
          |
        2 | one
        3 | two
        4 | await m.x()
          | ^^^^^^^^^^^
        5 | four
        6 | five
          |
        """)


def test_evidence_near_by_is_in_the_same_frame_and_far_away_behind_a_gap() -> None:
    source = "m = Mock()\n" + "x\n" * 8 + "s = m\nawait m()\n"
    found = finding((10, 6, 10, 7), (T, (0, 4, 0, 10), "made here"), (T, (9, 4, 9, 5), "handed on"))
    assert draw(found, {T: source}) == block("""
           --> tests/t.py:11:7
            |
          1 | m = Mock()
            |     ------ made here
          2 | x
        ...
          9 | x
         10 | s = m
            |     - handed on
         11 | await m()
            |       ^
            |
        """)


def test_a_gap_of_one_row_is_shown() -> None:
    found = finding((6, 0, 6, 1), (T, (1, 0, 1, 1), "made"))
    assert draw(found, {T: "a\nb\nc\nd\ne\nf\ng\n"}) == block("""
         --> tests/t.py:7:1
          |
        1 | a
        2 | b
          | - made
        3 | c
        4 | d
        5 | e
        6 | f
        7 | g
          | ^
          |
        """)


def test_another_file_has_a_frame_of_its_own() -> None:
    found = finding((0, 0, 0, 1), (S, (9, 2, 9, 7), "awaited here"))
    assert draw(found, {T: "f(m)\n", S: "\n" * 9 + "  await x\n"}) == block("""
          --> tests/t.py:1:1
           |
         1 | f(m)
           | ^
           |
          ::: s.py:10:3
           |
        10 |   await x
           |   ----- awaited here
           |
        """)


def test_labels_that_would_meet_get_a_line_each() -> None:
    found = finding((0, 0, 0, 3), (T, (0, 4, 0, 7), "first"), (T, (0, 8, 0, 11), "second"))
    assert draw(found, {T: "aaa bbb ccc"}) == block("""
         --> tests/t.py:1:1
          |
        1 | aaa bbb ccc
          | ^^^     --- second
          |     --- first
          |
        """)


def test_a_label_of_the_primary_place_stands_beside_it() -> None:
    found = finding((0, 0, 0, 3), (T, (0, 0, 0, 3), "a Mock"))
    assert "1 | aaa\n  | ^^^ a Mock\n" in draw(found, {T: "aaa"})


def test_several_rows_from_the_first_word_on() -> None:
    source = "if x:\n    f(\n        1,\n    )\nend\n"
    found = finding((1, 4, 3, 5), (T, (2, 8, 2, 9), "this"))
    assert draw(found, {T: source}) == block("""
         --> tests/t.py:2:5
          |
        1 |   if x:
        2 | /     f(
        3 | |         1,
          | |         - this
        4 | |     )
          | |_____^
        5 |   end
          |
        """)


def test_a_long_span_that_starts_inside_a_row_is_shortened() -> None:
    source = "x = {\n" + "".join(f"    {n}: {n},\n" for n in range(1, 9)) + "}\n"
    assert draw(finding((0, 4, 9, 1)), {T: source}) == block("""
           --> tests/t.py:1:5
            |
          1 |   x = {
            |  _____^
          2 | |     1: 1,
          3 | |     2: 2,
        ...   |
          9 | |     8: 8,
         10 | | }
            | |_^
            |
        """)


def test_spans_of_several_rows_in_one_another() -> None:
    source = "f(\n  g(\n    1\n  )\n)\n"
    found = finding((0, 0, 4, 1), (T, (1, 2, 3, 3), "inner"))
    assert draw(found, {T: source}) == block("""
         --> tests/t.py:1:1
          |
        1 | /   f(
        2 | | /   g(
        3 | | |     1
        4 | | |   )
          | | |___- inner
        5 | |   )
          | |___^
          |
        """)


def test_tabs_wide_characters_and_emoji_do_not_move_the_carets() -> None:
    # a tab to cell 4, two wide characters, an emoji of three code points and two cells, a combining accent
    source = '\t"\u65e5\u672c" "\U0001f469\u200d\U0001f4bb" "e\u0301" m'
    column = source.index("m")
    drawn = draw(finding((0, column, 0, column + 1)), {T: source})
    assert drawn.splitlines()[-3] == "  | " + " " * (4 + 6 + 1 + 4 + 1 + 3 + 1) + "^"
    drawn = draw(finding((0, 1, 0, 5)), {T: source})
    assert drawn.splitlines()[-3] == "  |     ^^^^^^"


def test_control_characters_are_made_visible() -> None:
    drawn = draw(finding((0, 8, 0, 9)), {T: '"\x1b[2J\u202e" x'})
    assert '1 | "\u241b[2J<U+202E>" x\n  |                ^\n' in drawn
    assert "\x1b" not in drawn


def test_a_message_stays_on_one_line() -> None:
    header = render([finding((0, 0, 0, 1), message="a\nb\x1b[0m")], lambda _: Text("x"), BASE).splitlines()[0]
    assert header == "error[US101] awaited-sync-mock: a b\u241b[0m"


@pytest.mark.parametrize(("start", "end"), [(0, 5), (200, 210), (390, 400)])
def test_long_lines_are_cropped_around_the_place(start: int, end: int) -> None:
    source = "".join(chr(ord("a") + n % 26) for n in range(400))
    lines = draw(finding((0, start, 0, end)), {T: source}, width=60).splitlines()
    code, marks = lines[2], lines[3]
    assert len(code) <= 60
    first, last = marks.index("^"), marks.rindex("^") + 1
    assert code[first:last] == source[start:end]
    assert code[4:].startswith("\u2026") is (start > 0)
    assert code.endswith("\u2026") is (end < 400)


def test_when_not_everything_fits_the_primary_place_is_shown() -> None:
    source = "m = " + "x" * 200 + " bad"
    lines = draw(finding((0, 205, 0, 208), (T, (0, 0, 0, 1), "made")), {T: source}, width=60).splitlines()
    assert lines[2].endswith("x bad")
    assert lines[3].rindex("^") == lines[2].index("bad") + 2


def test_long_labels_wrap_on_a_terminal_only() -> None:
    label = "one two three four five six seven eight nine ten"
    found = finding((0, 0, 0, 1), (T, (0, 2, 0, 3), label))
    long = "word " * 50 + "end"
    assert f"- {long}\n" in draw(finding((0, 0, 0, 1), (T, (0, 2, 0, 3), long)), {T: "a b"})
    assert "  | ^ - one two three four five six\n  |     seven eight nine ten\n" in draw(
        found, {T: "a b"}, width=40
    )


def test_a_span_up_to_the_next_row_ends_with_its_own() -> None:
    assert "2 | bb\n  | ^^\n3 | c" in draw(finding((1, 0, 2, 0)), {T: "a\nbb\nc"})


def test_empty_and_stale_spans_still_point_somewhere() -> None:
    assert "1 | ab\n  |   ^\n" in draw(finding((0, 2, 0, 2)), {T: "ab"})
    assert "2 | b\n  |  ^\n" in draw(finding((7, 3, 9, 4)), {T: "a\nb"})


def test_a_file_that_cannot_be_read_is_named_with_its_labels() -> None:
    found = finding((0, 0, 0, 1), (S, (4, 0, 4, 1), "declared here"))
    assert draw(found, {T: "x"}) == block("""
         --> tests/t.py:1:1
          |
        1 | x
          | ^
          |
         ::: s.py:5:1
          = the source is not shown: it cannot be read: permission denied
          = row 5: declared here
        """)


def test_fixes_name_the_option_that_applies_them() -> None:
    found = finding((0, 0, 0, 1), fixes=(fix(Applicability.UNSAFE), fix(Applicability.SAFE)))
    assert draw(found, {T: "x"}).endswith(
        "help: Use `AsyncMock` (apply with --unsafe-fixes)\nhelp: Use `AsyncMock` (apply with --fix)\n\n"
    )


def test_colours_only_add_escape_sequences() -> None:
    found = finding((0, 0, 0, 1), (T, (0, 2, 0, 3), "made"), severity=Severity.WARNING)
    plain = render([found], lambda _: Text("a b"), BASE)
    coloured = render([found], lambda _: Text("a b"), BASE, Look(color=True))
    assert coloured.startswith("\x1b[1;33mwarning[US101]\x1b[0m")
    assert "\x1b[1;33m^\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (io.StringIO(), {}, Look(None, False)),
        (io.StringIO(), {"FORCE_COLOR": "1"}, Look(None, True)),
        (io.StringIO(), {"FORCE_COLOR": "1", "TERM": "dumb"}, Look(None, True)),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, Look(None, False)),
        (Terminal(), {}, Look(99, True)),
        (Terminal(), {"NO_COLOR": "1"}, Look(99, False)),
        (Terminal(), {"TERM": "dumb"}, Look(99, False)),
    ],
)
def test_look(
    stream: io.StringIO, environment: dict[str, str], expected: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm", "COLUMNS": "99", "LINES": "20"} | environment).items():
        monkeypatch.setenv(name, value)
    assert look(stream) == expected


_SPANS = st.tuples(st.integers(0, 5), st.integers(0, 30), st.integers(0, 5), st.integers(0, 30)).map(
    lambda s: s if s[:2] <= s[2:] else (*s[2:], *s[:2])
)


@given(
    st.lists(st.text(alphabet="ab \t\u65e5\u0301\x07", max_size=25), min_size=1, max_size=6),
    _SPANS,
    st.lists(_SPANS, max_size=3),
    st.sampled_from([None, 20, 50, 80]),
)
def test_anything_can_be_drawn(lines, span, related, width) -> None:
    found = finding(span, *((T, place, "a label of a few words") for place in related))
    drawn = draw(found, {T: "\n".join(lines)}, width)
    assert "^" in drawn
    assert all(character == "\n" or character.isprintable() or character == "\u0301" for character in drawn)
    assert not any(line.endswith(" ") for line in drawn.split("\n"))


def test_summary() -> None:
    error = finding((0, 0, 0, 1))
    safe = finding((0, 0, 0, 1), fixes=(fix(Applicability.SAFE),))
    unsafe = finding((0, 0, 0, 1), fixes=(fix(Applicability.UNSAFE),), severity=Severity.WARNING, path=S)
    hint = finding((0, 0, 0, 1), severity=Severity.HINT)
    assert summary([]) == "No findings.\n"
    assert summary([error]) == "Found 1 error in 1 file.\n"
    assert summary([error, safe, safe, unsafe]) == (
        "Found 3 errors and 1 warning in 2 files; 2 can be fixed with --fix (1 more with --unsafe-fixes).\n"
    )
    assert summary([unsafe, hint, hint, error]) == (
        "Found 1 error, 1 warning and 2 hints in 2 files; 1 can be fixed with --unsafe-fixes.\n"
    )
