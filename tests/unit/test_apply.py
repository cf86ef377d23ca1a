"""Fixes: choosing those that go together, applying, writing and showing them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.fixes import apply as module
from understudy.fixes.apply import Changed, Plan, applicable, apply_edits, diff, plan, preview, write_fixed
from understudy.source.span import Span
from understudy.source.text import SourceError, Text, decode, read

A, B = Path("/p/a.py"), Path("/p/b.py")


def edit(span: tuple[int, int, int, int], content: str, path: Path = A) -> Edit:
    return Edit(path, Span(*span), content)


def insert(row: int, column: int, content: str, path: Path = A) -> Edit:
    return edit((row, column, row, column), content, path)


def fix(*edits: Edit, safe: bool = True) -> Fix:
    return Fix("title", Applicability.SAFE if safe else Applicability.UNSAFE, edits)


def finding(*fixes: Fix, message: str = "m") -> Finding:
    return Finding("US101", "awaited-sync-mock", Severity.ERROR, message, A, Span(0, 0, 0, 1), (), fixes)


# apply_edits


def test_edits_are_applied_in_order_of_place() -> None:
    text = Text("one two\nthree\n")
    edits = [edit((1, 0, 1, 5), "3"), edit((0, 4, 0, 7), "2"), insert(0, 0, ">")]
    assert apply_edits(text, edits).content == ">one 2\n3\n"


def test_insertions_at_one_place_keep_their_order_and_identical_edits_count_once() -> None:
    replacement = edit((0, 1, 0, 2), "B")
    edits = [replacement, insert(0, 1, "x"), insert(0, 1, "y"), insert(0, 1, "x"), insert(0, 2, "z")]
    assert apply_edits(Text("abc"), edits).content == "axyBzc"


def test_overlapping_edits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"overlapping edits at .*a\.py:1:2"):
        apply_edits(Text("abcd"), [edit((0, 0, 0, 2), "x"), edit((0, 1, 0, 3), "y")])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_inserted_lines_get_the_newline_of_the_file(newline: str) -> None:
    text = Text(f"a{newline}b{newline}")
    assert apply_edits(text, [insert(1, 0, "x\r\ny\n")]).content == newline.join(["a", "x", "y", "b", ""])


def test_a_line_behind_an_unended_last_line_starts_on_a_line_of_its_own() -> None:
    assert apply_edits(Text("a = 1"), [insert(1, 0, "b = 2\n")]).content == "a = 1\nb = 2\n"
    assert apply_edits(Text("a = 1\n"), [insert(1, 0, "b = 2\n")]).content == "a = 1\nb = 2\n"


def test_encoding_and_bom_stay() -> None:
    after = apply_edits(Text("é = 1", "iso-8859-1", bom=True), [insert(0, 0, "x")])
    assert (after.encoding, after.bom) == ("iso-8859-1", True)


@st.composite
def texts_and_edits(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    content = draw(st.text(alphabet="ab\n\ré日😀\f", max_size=30))
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=8)))
    words = st.text(alphabet="xyz", min_size=1, max_size=3)
    return content, [(start, end, draw(words)) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]


@given(texts_and_edits(), st.randoms(use_true_random=False))
def test_edits_agree_with_replacing_from_the_end(
    case: tuple[str, list[tuple[int, int, str]]], random
) -> None:
    content, replacements = case
    text = Text(content)
    # A place between "\r" and "\n" is none: no span can name it.
    replacements = [r for r in replacements if all(text.offset(*text.position(o)) == o for o in r[:2])]
    starts = [start for start, _, _ in replacements]
    if len(set(starts)) != len(starts):
        return  # the order of several edits at one place has a test of its own
    expected = content
    for start, end, new in reversed(replacements):
        expected = expected[:start] + new + expected[end:]
    edits = [Edit(A, text.span(start, end), new) for start, end, new in replacements]
    random.shuffle(edits)
    assert apply_edits(text, edits).content == expected


# plan


def test_the_first_applicable_fix_is_chosen() -> None:
    unsafe, safe = fix(insert(0, 0, "u"), safe=False), fix(insert(0, 0, "s"))
    assert applicable(finding(unsafe, safe), unsafe=False) is safe
    assert applicable(finding(unsafe, safe), unsafe=True) is unsafe
    assert applicable(finding(unsafe), unsafe=False) is None
    assert applicable(finding(fix()), unsafe=True) is None
    assert plan([finding(unsafe)], unsafe=False) == Plan()


def test_one_import_for_two_fixes_is_one_edit() -> None:
    line = insert(1, 0, "from unittest.mock import AsyncMock\n")
    first = finding(fix(line, edit((4, 0, 4, 4), "AsyncMock")), message="1")
    second = finding(fix(line, edit((5, 0, 5, 4), "AsyncMock")), message="2")
    chosen = plan([first, second], unsafe=False)
    assert chosen.applied == (first, second)
    assert chosen.edits == {A: (line, edit((4, 0, 4, 4), "AsyncMock"), edit((5, 0, 5, 4), "AsyncMock"))}


def test_a_fix_that_overlaps_waits() -> None:
    first = finding(fix(edit((0, 0, 0, 5), "x")), message="1")
    second = finding(fix(edit((0, 4, 0, 6), "y"), insert(3, 0, "z")), message="2")
    third = finding(fix(insert(3, 0, "w")), message="3")
    chosen = plan([first, second, third], unsafe=False)
    assert chosen.applied == (first, third)
    assert chosen.deferred == (second,)
    assert chosen.edits == {A: (edit((0, 0, 0, 5), "x"), insert(3, 0, "w"))}


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (edit((0, 2, 0, 6), "x"), insert(0, 4, "y"), False),  # inside what goes away
        (insert(0, 4, "y"), edit((0, 2, 0, 6), "x"), False),
        (edit((0, 2, 0, 6), "x"), insert(0, 6, "y"), True),
        (insert(0, 2, "y"), edit((0, 2, 0, 6), "x"), True),
        (edit((0, 2, 0, 6), "x"), edit((0, 6, 0, 7), "y"), True),
        (edit((0, 2, 0, 6), "x"), edit((0, 2, 0, 6), "y"), False),
        (edit((0, 2, 0, 6), "x"), edit((0, 2, 0, 6), "x"), True),
        (edit((0, 4, 0, 5), "x"), edit((0, 0, 1, 0), "y"), False),
        (edit((0, 2, 0, 6), "x"), edit((0, 3, 0, 5), "y", B), True),
        (insert(0, 2, "x"), insert(0, 2, "y"), True),
        (insert(0, 2, "(await "), insert(0, 2, "(await "), False),  # each has a `)` somewhere else
        (insert(0, 2, "(await "), insert(0, 2, "not "), False),
        (insert(0, 2, "not "), insert(0, 2, ")"), False),
    ],
)
def test_which_edits_go_together(first: Edit, second: Edit, together: bool) -> None:
    one, other = finding(fix(first), message="1"), finding(fix(second), message="2")
    assert plan([one, other], unsafe=False).deferred == (() if together else (other,))


def test_a_fix_whose_own_edits_overlap_is_never_applied() -> None:
    broken = finding(fix(edit((0, 0, 0, 4), "x"), edit((0, 2, 0, 6), "y")))
    assert plan([broken], unsafe=False) == Plan(deferred=(broken,))


def test_an_early_long_replacement_hides_none_of_many() -> None:
    many = [finding(fix(edit((row, 0, row, 3), "x")), message=str(row)) for row in range(20)]
    wide = finding(fix(edit((3, 1, 12, 1), "y")))
    assert plan([*many, wide], unsafe=False).deferred == (wide,)


# preview and write_fixed


def project(folder: Path, **files: bytes) -> dict[str, Path]:
    paths = {name: folder / f"{name}.py" for name in files}
    for name, raw in files.items():
        paths[name].write_bytes(raw)
    return paths


def planned(*fixes: Fix) -> Plan:
    return plan([finding(item, message=str(n)) for n, item in enumerate(fixes)], unsafe=True)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"x = 1\r\ny = 2\r\n", b"new = 0\r\nx = 1\r\ny = 2\r\n"),
        (b"x = 1\ry = 2", b"new = 0\rx = 1\ry = 2"),
        (b"\xef\xbb\xbfx = 1\n", b"\xef\xbb\xbfnew = 0\nx = 1\n"),
        (b"x = '\xc3\xa9'\f\n", b"new = 0\nx = '\xc3\xa9'\f\n"),
    ],
)
def test_bytes_that_are_not_edited_stay(tmp_path: Path, raw: bytes, expected: bytes) -> None:
    path = project(tmp_path, m=raw)["m"]
    outcome = write_fixed(planned(fix(insert(0, 0, "new = 0\n", path))), read)
    assert path.read_bytes() == expected
    assert (len(outcome.plan.applied), outcome.refused) == (1, ())


def test_latin_1_stays_latin_1(tmp_path: Path) -> None:
    path = project(tmp_path, m=b"# -*- coding: latin-1 -*-\nx = '\xe9'\n")["m"]
    write_fixed(planned(fix(edit((1, 5, 1, 6), "\u00fc", path))), read)
    assert path.read_bytes() == b"# -*- coding: latin-1 -*-\nx = '\xfc'\n"


def test_what_the_encoding_cannot_hold_is_refused(tmp_path: Path) -> None:
    raw = b"# -*- coding: latin-1 -*-\nx = 1\n"
    path = project(tmp_path, m=raw)["m"]
    outcome = write_fixed(planned(fix(edit((1, 4, 1, 5), "'\u65e5'", path))), read)
    assert path.read_bytes() == raw
    assert outcome.refused[0].reason == "cannot hold '\\u65e5' in its encoding, iso-8859-1"


def test_moving_the_encoding_declaration_away_is_refused(tmp_path: Path) -> None:
    raw = b"# -*- coding: latin-1 -*-\nx = '\xc3\xa9'\n"
    path = project(tmp_path, m=raw)["m"]
    outcome = write_fixed(planned(fix(insert(0, 0, "a = 1\nb = 2\n", path))), read)
    assert path.read_bytes() == raw
    assert outcome.refused[0].reason == "would be read in another encoding after the fixes"


def test_a_result_that_does_not_parse_is_refused_and_takes_its_fixes_along(tmp_path: Path) -> None:
    paths = project(tmp_path, a=b"a = 1\n", b=b"b = 1\n", c=b"c = 1\n")
    broken = fix(insert(0, 0, ")", paths["a"]), insert(0, 0, "x = 0\n", paths["b"]))
    good = fix(insert(1, 0, "y = 0\n", paths["b"]))
    other = fix(insert(0, 0, "z = 0\n", paths["c"]))
    outcome = write_fixed(planned(broken, good, other), read)
    assert [path.read_bytes() for path in paths.values()] == [
        b"a = 1\n",
        b"b = 1\ny = 0\n",
        b"z = 0\nc = 1\n",
    ]
    assert [item.message for item in outcome.plan.applied] == ["1", "2"]
    assert [item.path for item in outcome.refused] == [paths["a"]]
    assert outcome.refused[0].reason == "would not parse after the fixes: unmatched ')' (line 1)"


def test_a_file_that_did_not_parse_before_may_still_be_fixed(tmp_path: Path) -> None:
    path = project(tmp_path, m=b"def f(:\nx = 1\n")["m"]
    write_fixed(planned(fix(edit((1, 4, 1, 5), "2", path))), read)
    assert path.read_bytes() == b"def f(:\nx = 2\n"


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    path = project(tmp_path, m=b"x = 1\n")["m"]
    checked = read(path)
    path.write_bytes(b"x = 1\n\n")
    outcome = write_fixed(planned(fix(edit((0, 4, 0, 5), "2", path))), lambda _: checked)
    assert path.read_bytes() == b"x = 1\n\n"
    assert [item.reason for item in outcome.refused] == ["has changed since it was checked"]
    assert outcome.plan.applied == ()


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    path = project(tmp_path, m=b"x = 1\n")["m"]
    path.chmod(0o754)
    folder = tmp_path / "links"
    folder.mkdir()
    link = folder / "link.py"
    link.symlink_to(path)
    write_fixed(planned(fix(edit((0, 4, 0, 5), "2", link))), read)
    assert link.is_symlink()
    assert path.read_bytes() == b"x = 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o754
    assert sorted(item.name for item in tmp_path.iterdir()) == ["links", "m.py"]
    assert [item.name for item in folder.iterdir()] == ["link.py"]


def test_a_read_only_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project(tmp_path, m=b"x = 1\n")["m"]
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    outcome = write_fixed(planned(fix(edit((0, 4, 0, 5), "2", path))), read)
    assert [item.reason for item in outcome.refused] == ["is read-only"]
    assert path.read_bytes() == b"x = 1\n"


def test_a_folder_without_room_for_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = project(tmp_path, a=b"x = 1\n", b=b"x = 1\n")

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.tempfile, "mkstemp", refuse)
    outcome = write_fixed(planned(*(fix(edit((0, 4, 0, 5), "2", path)) for path in paths.values())), read)
    reason = "cannot be written: no new file can be made in its folder (permission denied)"
    assert [(item.path, item.reason) for item in outcome.refused] == [
        (path, reason) for path in paths.values()
    ]


def test_a_failure_half_way_puts_back_what_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = project(tmp_path, a=b"x = 1\n", b=b"x = 1\n", c=b"x = 1\n")
    a, b, c = paths.values()
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if target == b.resolve():
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(module.os, "replace", replace)
    shared = fix(edit((0, 4, 0, 5), "2", a), edit((0, 4, 0, 5), "2", b))
    outcome = write_fixed(planned(shared, fix(edit((0, 4, 0, 5), "3", c))), read)
    assert [path.read_bytes() for path in (a, b, c)] == [b"x = 1\n", b"x = 1\n", b"x = 3\n"]
    assert [item.path for item in outcome.changed] == [c]
    assert outcome.refused[0].reason == "cannot be written: no space left on device"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.py", "b.py", "c.py"]


def test_an_unreadable_file_is_refused_in_the_preview() -> None:
    def text_of(path: Path) -> Text:
        if path == A:
            raise SourceError("cannot be read: gone")
        return Text("b = 1\n")

    outcome = preview(
        planned(fix(insert(0, 0, "x", A), insert(0, 0, "y", B)), fix(insert(0, 0, "z", B))), text_of
    )
    assert [(item.path, item.after.content) for item in outcome.changed] == [(B, "zb = 1\n")]
    assert [(item.path, item.reason) for item in outcome.refused] == [(A, "cannot be read: gone")]


def test_an_edit_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    path = project(tmp_path, m=b"x = 1\n")["m"]
    before = path.stat().st_ino
    assert write_fixed(planned(fix(edit((0, 4, 0, 5), "1", path))), read).changed == ()
    assert path.stat().st_ino == before


@given(
    st.lists(st.sampled_from(["x = 1", "s = '\u00e9'", "", "# c\f"]), max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(
        [("utf-8", b"", ""), ("utf-8", b"\xef\xbb\xbf", ""), ("latin-1", b"", "# coding: latin-1\n")]
    ),
)
def test_no_edit_no_change(lines: list[str], newline: str, encoding: tuple[str, bytes, str]) -> None:
    name, bom, declaration = encoding
    raw = bom + (declaration + newline.join(lines)).encode(name)
    assert apply_edits(decode(raw), []).encode() == raw


# diff


def changed(before: str, after: str) -> Changed:
    return Changed(A, Text(before), Text(after))


def test_diff_with_and_without_a_last_newline() -> None:
    assert diff([changed("a\nb", "a\nc\n")], Path("/p")) == (
        "--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    )
    assert diff([changed("a\nb", "x\nb")], Path("/q")) == (
        "--- /p/a.py\n+++ /p/a.py\n@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n"
    )


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\r\nb\r\n", "a\r\nx\r\nb\r\n"),
        ("a\rb", "a\rc"),
        ("a\f\n\u2028b\n", "a\f\n\u2028c"),
        ("", "a\n"),
        ("a", ""),
    ],
)
def test_patch_makes_the_same_of_it(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(before.encode())
    patch = diff([Changed(path, Text(before), Text(after))], tmp_path).encode()
    subprocess.run(["patch", "--binary", "-p0"], input=patch, cwd=tmp_path, check=True, capture_output=True)
    assert (path.read_bytes() if path.exists() else b"") == after.encode()
