"""Suppression comments: where they are found, what they cover, what is left unused."""

from __future__ import annotations

import io
import sysconfig
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from understudy.finding import Finding, Severity
from understudy.source.span import Span
from understudy.source.suppress import Suppressions, Unused, _scan
from understudy.source.text import SourceError, Text, decode


def finding(row: int, code: str = "US101", *, end_row: int | None = None, end_column: int = 5) -> Finding:
    span = Span(row, 0, row if end_row is None else end_row, end_column)
    return Finding(code, "awaited-sync-mock", Severity.ERROR, "message", Path("t.py"), span)


def parse(content: str) -> Suppressions:
    return Suppressions.parse(Text(content))


def without(content: str) -> str:
    """The content after deleting what its only suppression says."""
    text = Text(content)
    (item,) = Suppressions.parse(text).items
    start, end = text.offset(*item.span[:2]), text.offset(*item.span[2:])
    return content[:start] + content[end:]


def mend(content: str, unused: Unused) -> str:
    text = Text(content)
    start, end = text.offset(*unused.removal[:2]), text.offset(*unused.removal[2:])
    return content[:start] + unused.content + content[end:]


@pytest.mark.parametrize(
    ("comment", "codes", "whole_file"),
    [
        ("# understudy: ignore", None, False),
        ("#understudy:ignore", None, False),
        ("# understudy: ignore[US101]", {"US101"}, False),
        ("# understudy: ignore[ US101 ,US102, ]", {"US101", "US102"}, False),
        ("# understudy: ignore [US101]", {"US101"}, False),
        ("# understudy: ignore[awaited-sync-mock]", {"awaited-sync-mock"}, False),
        ("# understudy: ignore[]", set(), False),
        ("# understudy: ignore-file", None, True),
        ("# understudy: ignore-file[US308]", {"US308"}, True),
        ("# noqa: F401  # understudy: ignore[US101]  # type: ignore", {"US101"}, False),
        ("# understudy: ignore because of [1]", None, False),
    ],
)
def test_forms(comment: str, codes: set[str] | None, whole_file: bool) -> None:
    (item,) = parse(f"x = 1  {comment}\n").items
    assert item.codes == codes
    assert item.whole_file is whole_file


@pytest.mark.parametrize(
    "line",
    [
        "# understudy: ignored",
        "# understudy: ignore-files",
        "# understudy: ignore_file",
        "# understudy: ignore[US101",
        "# Understudy: ignore",
        "# see understudy: ignore",
        "# noqa",
        'x = "# understudy: ignore"',
        "x = '''\n# understudy: ignore\n'''",
        'x = r"\\"  # understudy: ignore"',
        'x = "\\\n# understudy: ignore"',
        'f"{x}# understudy: ignore"',
        'f"{d["# understudy: ignore"]}"',
        'f"{x:{y}# understudy: ignore}"',
        "f'''{x!r}\n# understudy: ignore\n'''",
        'rf"\\{x["# understudy: ignore"]}"',
        'f"\\N{NUMBER SIGN}{{# understudy: ignore"',
    ],
)
def test_not_a_suppression(line: str) -> None:
    assert parse(line + "\n").items == ()


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("x = '\n# understudy: ignore\n", 1),  # a string that is being typed ends with its row
        ("def f(:\n  x = ((  # understudy: ignore\n", 1),
        ('x = """open\ny = 1  # understudy: ignore\n', 1),
        ("f'''{\n x  # understudy: ignore\n}'''\n", 1),  # a comment since 3.12
        ("f'{x\ny = 1  # understudy: ignore\n", 1),
        ("g(f'{x)  # understudy: ignore\n", 0),
        ("g(f'{x)\ny: int = 1  # understudy: ignore\n", 1),
        ("f'''{x\nclass A:  # understudy: ignore\n", 1),
        ('f"{x!r:>{w}}" "}"  # understudy: ignore\n', 0),
        ('f"{(lambda: 1)()}" f"{a[1:2]}"  # understudy: ignore\n', 0),
        ("b'\\'' if'#'else 1  # understudy: ignore\n", 0),
        ("\f# understudy: ignore\n", 0),
        ("\u3042 = '\u2028'  # understudy: ignore", 0),
    ],
)
def test_found_in_spite_of(source: str, row: int) -> None:
    (item,) = parse(source).items
    assert item.mark.row == row


@pytest.mark.parametrize(
    "source",
    [
        'f"{d["#"]:#x}"  # c',
        'f"{x:{{"#"}}}"  # c',
        'f"{{#}}{x!r:#}"  # c',
        "f'''{x:\n#}'''  # c",
        'f"{d["#"]}\nx = "#"  # c',  # not closed: it ends with its row
        'f"a\\\n#{x}"  # c',
        "rf'\\{x[\"#\"]}\\'#'  # c",
        'f"\\N{NUMBER SIGN}#"  # c',
        """f"{f'{"#"}'}#"  # c""",
        't"{x:{y:{z}}}#" rb"\\"#"  # c',
        'f"{(lambda x: {"#": 1})}#"  # c',
    ],
)
def test_strings_in_strings(source: str) -> None:
    """By the grammar of 3.12, worked out by hand: only the last comment is one."""
    assert [source[start:end] for start, end in _scan(source)[0]] == ["# c"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_rows_and_columns(newline: str) -> None:
    (item,) = parse(newline.join(["a = 1", "\f", "é = '日本'  # understudy: ignore[US101]", ""])).items
    assert item.mark == Span(2, 10, 2, 37)
    assert item.entries == (("US101", Span(2, 31, 2, 36)),)
    assert item.span == Span(2, 8, 2, 37)
    assert item.rows == range(2, 3)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1 \t # understudy: ignore\ny\n", "x = 1\ny\n"),
        ("x = 1  # understudy: ignore[US101] since #123\n", "x = 1\n"),
        ("x = 1  # noqa  # understudy: ignore\n", "x = 1  # noqa\n"),
        ("x = 1  # understudy: ignore[US101] why  # noqa\n", "x = 1  # noqa\n"),
        ("a\r\n    # understudy: ignore\r\nb\r\n", "a\r\nb\r\n"),
        ("a\r# understudy: ignore\rb", "a\rb"),
        ("a\n  # understudy: ignore-file", "a\n"),
    ],
)
def test_removal(before: str, after: str) -> None:
    assert without(before) == after


@pytest.mark.parametrize(
    ("source", "found", "hidden"),
    [
        ("a\nb  # understudy: ignore\nc", finding(0), False),
        ("a\nb  # understudy: ignore\nc", finding(1), True),
        ("a\nb  # understudy: ignore\nc", finding(2), False),
        ("a(  # understudy: ignore\n1)", finding(0, end_row=1), True),
        ("a(\n1,\n)  # understudy: ignore", finding(0, end_row=2), True),
        ("a(\n1,  # understudy: ignore\n)", finding(0, end_row=2), False),
        ("a\nb  # understudy: ignore", finding(0, end_row=1, end_column=0), False),
        ("with a, \\\n  b:  # understudy: ignore", finding(0), True),
        ("x = '''\n\n'''  # understudy: ignore", finding(1), True),
        ("y\nx = '''\n\n'''  # understudy: ignore", finding(0), False),
        ("a  # understudy: ignore[US102]", finding(0), False),
        ("a  # understudy: ignore[US102, US101]", finding(0), True),
        ("a  # understudy: ignore[awaited-sync-mock]", finding(0), True),
        ("a\nb\n# understudy: ignore-file", finding(0), True),
        ("# understudy: ignore-file[US102]\nb", finding(1), False),
    ],
)
def test_coverage(source: str, found: Finding, hidden: bool) -> None:
    kept, unused = parse(source).apply([found])
    assert kept == ([] if hidden else [found])
    assert len(unused) == (0 if hidden and "US102, US101" not in source else 1)


def test_partly_unused_entries_are_named_and_removed() -> None:
    source = "a  # understudy: ignore[US999, US101,US102]\n"
    kept, (unused,) = parse(source).apply([finding(0)])
    assert kept == []
    assert unused.codes == ("US999", "US102")
    assert unused.span == Span(0, 24, 0, 42)
    assert mend(source, unused) == "a  # understudy: ignore[US101]\n"


def test_wholly_unused() -> None:
    source = "a  # understudy: ignore[US102]\nb  # understudy: ignore\nc  # understudy: ignore[]\n"
    _, unused = parse(source).apply([])
    assert [item.codes for item in unused] == [("US102",), (), ()]
    assert unused[0].span == Span(0, 3, 0, 30)
    assert mend(source, unused[0]) == "a\nb  # understudy: ignore\nc  # understudy: ignore[]\n"


def test_all_that_cover_a_finding_are_used() -> None:
    source = "# understudy: ignore-file[US101]\na  # understudy: ignore\n"
    assert parse(source).apply([finding(1)]) == ([], [])


@pytest.mark.parametrize(
    ("source", "unused"),
    [
        ("a  # understudy: ignore[US101, US901]", []),
        ("# understudy: ignore-file[US901]\na  # understudy: ignore[US101]", []),
        ("a  # understudy: ignore[US101]  # understudy: ignore[US901]", []),
        ("# understudy: ignore-file\na  # understudy: ignore[US101]", [(), ("US101",)]),
        ("a  # understudy: ignore[US901]", [("US901",)]),
    ],
)
def test_unused_reports_can_be_suppressed_by_name_only(source: str, unused: list[tuple[str, ...]]) -> None:
    assert [item.codes for item in parse(source).apply([])[1]] == unused


def test_order_of_findings_is_kept() -> None:
    findings = [finding(2), finding(0), finding(1)]
    assert parse("a\nb # understudy: ignore\nc").apply(findings)[0] == [findings[0], findings[1]]


def test_a_text_without_the_marker_is_not_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.source.suppress._scan", lambda content: pytest.fail("scanned"))
    assert parse("x = 1  # a comment\n" * 10).items == ()


def test_agrees_with_tokenize_on_the_standard_library() -> None:
    """Every comment of a sample of real files, with its row and column."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted([*folder.glob("*.py"), *(folder / "test").glob("test_[fgst]*.py")])[::9]
    compared = 0
    for file in files:
        try:
            text = decode(file.read_bytes())
            tokens = list(tokenize.generate_tokens(io.StringIO(text.content, newline="").readline))
        except (SourceError, SyntaxError, tokenize.TokenError):
            continue
        expected = [
            (t.start[0] - 1, t.start[1], t.string.rstrip("\r")) for t in tokens if t.type == tokenize.COMMENT
        ]
        found = [(*text.position(start), text.content[start:end]) for start, end in _scan(text.content)[0]]
        assert found == expected, file
        compared += len(expected)
    assert compared > 100


_PIECES = st.sampled_from(
    [
        "f'",
        'f"""',
        "'",
        '"',
        "'''",
        '"""',
        "{",
        "}",
        "{{",
        ":",
        "\\",
        "\n",
        "\r",
        "#",
        "(",
        ")",
        "x",
        " ",
        "\\N{",
        "# understudy: ignore[US101]",
        "rb'",
        "é",
    ]
)


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_text_is_scanned_to_its_end(content: str) -> None:
    comments, joins = _scan(content)
    assert all(content[start] == "#" and "\n" not in content[start:end] for start, end in comments)
    assert comments == sorted(set(comments))
    assert all(0 <= start < end <= len(content) for start, end in joins)
    Suppressions.parse(Text(content)).apply([finding(0)])


def test_many_open_strings_take_linear_time() -> None:
    content = "f'''{" * 20_000 + "# understudy: ignore"
    assert Suppressions.parse(Text(content)).items[0].mark.row == 0
