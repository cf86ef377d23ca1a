"""Files, paths and configurations that are not as they should be: one clear line each, the rest is checked."""

from __future__ import annotations

import encodings.aliases
import itertools
import os
import re
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import AWAITED, FIXED, check, contents, fixed, project, run
from hypothesis import example, given
from hypothesis import strategies as st
from understudy.engine import Project
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.fixes.apply import plan, write_fixed
from understudy.project.config import Config
from understudy.source.parse import parse
from understudy.source.span import Span
from understudy.source.text import SourceError, Text, decode, read

GOOD = "test_good.py:6:5 US101"


# What a file holds


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (
            AWAITED.encode() + b"\n\ndef f(:\n    pass\n",
            "test_bad.py:9:7: syntax error: invalid syntax; only the statements that parse are checked",
        ),
        (
            f"{AWAITED}\nx = {'(' * 2000}{')' * 2000}\n".encode(),
            "test_bad.py:8:205: syntax error: too many nested parentheses; only the statements that parse "
            "are checked",
        ),
        (
            f"{AWAITED}\nx = {'(' * 2000}\n".encode(),
            "test_bad.py:8:205: syntax error: too many nested parentheses; only the statements that parse "
            "are checked",
        ),
        (
            f"{AWAITED}\nx = a{'.b' * 20_000}\n\n\ny = {'-' * 5000}1\n".encode(),
            "test_bad.py:8:1: syntax error: nested too deeply; only the statements that parse are checked\n"
            "test_bad.py:11:1: syntax error: nested too deeply; only the statements that parse are checked",
        ),
    ],
    ids=["broken", "parentheses", "open parentheses", "deep chain"],
)
def test_what_does_not_parse_is_named_and_the_rest_of_the_file_checked(
    tmp_path: Path, raw: bytes, problem: str
) -> None:
    ran = check(project(tmp_path, test_bad=raw, test_good=AWAITED), ".")
    assert ran.err == f"{problem}\n"
    assert ran.places == ["test_bad.py:6:5 US101", GOOD]
    assert ran.status == 1


def test_a_syntax_error_alone_is_no_finding_and_no_failure(tmp_path: Path) -> None:
    ran = check(project(tmp_path, test_bad="def f(:\n"), ".")
    assert (ran.status, ran.out) == (0, "")
    assert ran.messages == [
        "test_bad.py:1:7: syntax error: invalid syntax; only the statements that parse are checked"
    ]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (
            f"# one\n# caf\u00e9\n{AWAITED}".encode("latin-1"),
            "is not valid UTF-8 (byte 0xe9 on line 2); save it as UTF-8 or declare its encoding on the first line",
        ),
        (
            b"# one\r# two\r# coding: latin-1\r# caf\xe9\r",
            "is not valid UTF-8 (byte 0xe9 on line 4); save it as UTF-8 or declare its encoding on the first line",
        ),
        (
            b"# coding: ascii\n\nx = '\xe9'\n",
            "is not valid ASCII (byte 0xe9 on line 3); save it as UTF-8 or declare its encoding on the first line",
        ),
        (b"# coding: nonsense\n", "declares an encoding that Python does not know (nonsense)"),
        (b"# coding: punycode\n", "declares an encoding that Python cannot read: punycode"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "has a UTF-8 byte order mark but declares another encoding"),
        (b"x = 1\n\0\n", "contains a NUL byte on line 2; Python refuses such a file"),
        (b"x = 1\r\ry = 1\r\0\r", "contains a NUL byte on line 4; Python refuses such a file"),
    ],
)
def test_what_python_cannot_read_fails_the_run(tmp_path: Path, raw: bytes, problem: str) -> None:
    ran = check(project(tmp_path, test_bad=raw, test_good=AWAITED), ".")
    assert ran.err == f"test_bad.py: {problem}\n"
    assert (ran.status, ran.places) == (2, [GOOD])


def test_what_python_cannot_read_may_do_anything_to_what_is_patched(tmp_path: Path) -> None:
    """Rules that ask what other code does with a name take it for a reason to be silent."""
    test = """\
import sys
from unittest.mock import patch
import orders

def test_stub():
    with patch.dict(sys.modules, {"mail": object()}):
        orders.confirm()

def test_object():
    with patch("clock.watch.nothing"):
        pass
"""
    folder = project(
        tmp_path,
        mail="def send(): return 1\n",
        orders="import mail\nimport bad\ndef confirm(): return mail.send()\n",
        clock="class Watch:\n    pass\n\nwatch = Watch()\n",
        test_patched=test,
        bad="x = 1\n",
    )
    assert check(folder, ".").places == ["test_patched.py:6:35 US204", "test_patched.py:10:29 US201"]
    (folder / "bad.py").write_bytes(b"setattr(1, nothing, '\xff')\n")
    ran = check(folder, ".")
    assert (ran.status, ran.places, len(ran.err.splitlines())) == (2, [], 1)


def test_every_encoding_is_read_or_refused_as_by_python() -> None:
    names = {*encodings.aliases.aliases.values(), "idna", "undefined", "unicode_escape", "utf-8-sig", "x"}
    for name in sorted(names):
        for newline in ("\n", "\r\n", "\r"):
            raw = f"# one{newline}# coding: {name}{newline}x = 1{newline}".encode()
            assert _we_read(raw) == _python_reads(raw), (name, newline)


_LINES = [b"# coding: latin-1", b"#coding=utf8", b"# one", b"x = 1", b"'\xe9'", b"'\xc3\xa9'", b"", b"\f"]


@pytest.mark.parametrize("newline", [b"\r", b"\n", b"\r\n"])
def test_declarations_are_found_where_python_finds_them(newline: bytes) -> None:
    for lines in itertools.product(_LINES, repeat=3):
        for last in (b"'\xe9'", b""):
            raw = newline.join((*lines, last, b""))
            try:
                assert decode(raw).encode() == raw
            except SourceError:
                assert not _python_reads(raw), raw
            else:
                assert _python_reads(raw), raw


def _we_read(raw: bytes) -> bool:
    try:
        return not parse(Path("x.py"), decode(raw)).problems
    except SourceError:
        return False


def _python_reads(raw: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(raw, "x.py", "exec")
        except (SyntaxError, ValueError):
            return False
        return True


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", None),
        (b"\n", None),
        (b"\xef\xbb\xbf", None),
        (AWAITED.rstrip("\n").encode(), "6:5"),
        (AWAITED.replace("\n", "\r\n").encode(), "6:5"),
        (AWAITED.replace("\n", "\r").encode(), "6:5"),
        (AWAITED.replace("\n", "\r\n", 3).encode(), "6:5"),
        (b"# coding: latin-1\r# caf\xe9\r" + AWAITED.replace("\n", "\r").encode(), "8:5"),
        (b"# Gr\xf6\xdfe\n# coding: latin-1\n" + AWAITED.encode(), "8:5"),
        (b"\xef\xbb\xbf" + AWAITED.encode(), "6:5"),
        (AWAITED.replace("\n\n\n", "\n\f\n\f").encode(), "5:5"),
        (AWAITED.replace("    await", "    'caf\u00e9 \U0001f600'; await").encode(), "6:15"),
        (
            b"# coding: latin-1\n"
            + AWAITED.replace("    await", "    '\u00e9\u00e9'; await").encode("latin-1"),
            "7:11",
        ),
        (AWAITED.replace("    await", "    '\u2028\x0c\x1c\x85'; await").encode(), "6:13"),
    ],
    ids=[
        "empty",
        "blank",
        "only a BOM",
        "no last newline",
        "CRLF",
        "CR",
        "mixed",
        "CR latin-1",
        "latin-1 above its declaration",
        "BOM",
        "form feeds",
        "emoji",
        "latin-1",
        "other separators",
    ],
)
def test_rows_columns_and_fixes_in_unusual_files(tmp_path: Path, raw: bytes, place: str | None) -> None:
    folder = project(tmp_path, test_it=raw)
    ran = check(folder, ".")
    assert ran.err == ""
    assert ran.places == ([] if place is None else [f"test_it.py:{place} US101"])
    assert ran.status == (0 if place is None else 1)
    path = folder / "test_it.py"
    path.chmod(0o751)
    mended = check(folder, "--fix", ".")
    assert (mended.status, mended.out, mended.err) == (0, "", "")
    assert path.read_bytes() == fixed(raw)
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert sorted(contents(folder)) == ["pyproject.toml", "test_it.py"]


def test_of_many_files_with_the_same_mistake_five_are_named(tmp_path: Path) -> None:
    folder = project(tmp_path, **{f"test_{n}": "def f(:\n" for n in range(8)}, test_x="x = (\n")
    messages = check(folder).messages
    assert [message.partition(":")[0] for message in messages] == [
        *(f"test_{n}.py" for n in range(5)),
        "test_x.py",
        "3 more places",
    ]
    assert messages[-1].removeprefix("3 more places") == messages[0].removeprefix("test_0.py:1:7")


@pytest.mark.skipif(sys.version_info[:2] >= (3, 14), reason="no newer Python is known")
def test_syntax_that_is_newer_than_the_running_python(tmp_path: Path) -> None:
    settings = '[tool.understudy]\ntarget-version = "3.14"\n'
    folder = project(tmp_path / "shop", settings, test_a="def f(:\n")
    here = ".".join(map(str, sys.version_info[:2]))
    assert check(folder).messages[1:] == [
        f"understudy: shop is for Python 3.14; run Understudy with that, Python {here} cannot read all of it"
    ]
    assert check(project(folder, settings, test_a="x = 1\n")).err == ""


def test_a_file_of_20_000_lines(tmp_path: Path) -> None:
    quiet = "".join(f"def test_{n}():\n    x = MagicMock()\n    assert x.y()\n\n\n" for n in range(4000))
    raw = f"{AWAITED}\n\n{quiet}{AWAITED.replace('test_commit', 'test_last')}"
    ran = check(project(tmp_path, test_long=raw), ".")
    assert ran.places == ["test_long.py:6:5 US101", "test_long.py:20014:5 US101"]
    assert ran.err == ""


# Paths


def test_paths_that_cannot_be_read_are_named_one_line_each(tmp_path: Path) -> None:
    folder = project(tmp_path, test_good=AWAITED)
    (folder / "link.py").symlink_to("nowhere.py")
    os.mkfifo(folder / "pipe.py")
    ran = check(folder, "gone", "gone.py", "link.py", "pipe.py", os.devnull, "test_good.py")
    assert ran.messages == [
        "understudy: gone: no such file or folder",
        "understudy: gone.py: no such file or folder",
        "understudy: link.py: a broken link to nowhere.py",
        "understudy: pipe.py: not a regular file",
        f"understudy: {os.devnull}: not a regular file",
    ]
    assert (ran.status, ran.places) == (2, [GOOD])


def test_a_folder_that_holds_such_paths_is_checked(tmp_path: Path) -> None:
    folder = project(tmp_path, test_good=AWAITED)
    (folder / "link.py").symlink_to("nowhere.py")
    os.mkfifo(folder / "pipe.py")
    project(folder / "x.py", "", test_inside=AWAITED)
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c").symlink_to(folder, target_is_directory=True)
    (folder / "a" / "self").symlink_to("self")
    ran = check(folder, ".")
    assert (ran.status, ran.err, ran.places) == (1, "", [GOOD, "x.py/test_inside.py:6:5 US101"])


def test_an_import_of_a_pipe_or_of_a_broken_link_does_not_hang(tmp_path: Path) -> None:
    asks = "from unittest.mock import patch\n\nimport pipe\n\n\n@patch('pipe.x')\ndef test_a(x): ...\n"
    folder = project(tmp_path, test_it=f"{asks}\n\n@patch('link.x')\ndef test_b(x): ...\n")
    (folder / "link.py").symlink_to("nowhere.py")
    os.mkfifo(folder / "pipe.py")
    ran = check(folder, ".")
    assert (ran.err, [place for place in ran.places if "test_a" in place]) == ("", [])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    folder = project(tmp_path, test_bad=AWAITED, test_good=AWAITED)
    (folder / "test_bad.py").chmod(0)
    ran = check(folder, ".")
    assert (ran.status, ran.err) == (2, "test_bad.py: cannot be read: permission denied\n")
    assert ran.places == [GOOD]


def test_a_file_that_is_gone_when_it_is_read(tmp_path: Path) -> None:
    analysis = Project(tmp_path, Config()).analyse(tmp_path / "test_gone.py")
    assert analysis.unreadable
    assert analysis.problems == (f"{tmp_path}/test_gone.py: cannot be read: no such file or directory",)


def test_a_name_that_a_terminal_would_obey_is_shown_harmless(tmp_path: Path) -> None:
    ran = check(project(tmp_path), "a\x1b[31m\nb")
    assert ran.messages == ["understudy: a\u241b[31m b: no such file or folder"]


# Configuration


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("x = [\n", ":2:1: is not valid TOML: Invalid value"),
        ("[tool.understudy\n", ":1:17: is not valid TOML: Expected ']' at the end of a table declaration"),
        ("\0", ":1:1: is not valid TOML: Invalid statement"),
        (f"x = {'[' * 3000}{']' * 3000}\n", ": is not valid TOML: nested too deeply"),
        (f"x = {'1' * 5000}\n", ": is not valid TOML: Exceeds the limit"),
    ],
)
def test_broken_toml_fails_the_run_for_its_project_only(tmp_path: Path, content: str, problem: str) -> None:
    broken = project(tmp_path / "broken", content, test_it=AWAITED)
    project(tmp_path / "good", test_good=AWAITED)
    ran = check(tmp_path, "broken", "good")
    assert len(ran.messages) == 1
    assert ran.err.startswith(f"understudy: {broken}/pyproject.toml{problem}")
    assert (ran.status, ran.places) == (2, [f"good/{GOOD}"])


def test_a_configuration_that_is_not_utf_8_fails_the_run(tmp_path: Path) -> None:
    folder = project(tmp_path, test_good=AWAITED)
    (folder / "understudy.toml").write_bytes(b"\xff\xfe")
    ran = check(folder, ".")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"understudy: {folder}/understudy.toml: is not valid UTF-8\n"


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('select = "US101"', "select: expected a list of strings, got a string"),
        ("select = [3]", "select: expected a list of strings, got a number in it"),
        (
            'select = ["US1O1"]',
            "select: no rule has the code, prefix or name 'US1O1'; did you mean 'US101'?",
        ),
        ("selct = []", "selct: unknown key; did you mean 'select'?"),
        ('"a\\nb" = 1', "a b: unknown key"),
        (
            'severity = {US101 = "fatal"}',
            "severity.US101: expected error, warning, info, hint or off, got 'fatal'",
        ),
        (
            "severity = {US101 = [1]}",
            "severity.US101: expected error, warning, info, hint or off, got a list",
        ),
        (
            'per-file-ignores = {"*.py" = 1}',
            'per-file-ignores."*.py": expected a list of strings, got a number',
        ),
        ('exclude = ["["]', "exclude: expected gitignore-style patterns, which '[' is not"),
        ("test-patterns = 1", "test-patterns: expected a list of strings, got a number"),
        ('source-roots = ["\\u0000"]', "source-roots: expected a path, got '\\x00'"),
        (
            "python = 3.12",
            "python: expected the path of an interpreter or of a virtual environment, got a number",
        ),
        (
            'python = "nowhere"',
            "python: expected the path of an interpreter or of a virtual environment, which '{folder}/nowhere' "
            "is not",
        ),
        (
            "target-version = 2020-01-01",
            'target-version: expected a Python version from 3.10 to 3.14 such as "3.12", got a date',
        ),
        (
            'cache-url = "x"',
            "cache-url: expected an SQLAlchemy URL such as \"sqlite:///cache.db\", got 'x'",
        ),
    ],
)
def test_a_bad_value_is_said_once_and_the_default_counts(tmp_path: Path, table: str, problem: str) -> None:
    folder = project(tmp_path, f"[tool.understudy]\n{table}\n", test_good=AWAITED)
    ran = check(folder, ".", "test_good.py")
    expected = problem.replace("{folder}", str(folder))
    assert ran.err == f"understudy: {folder}/pyproject.toml: tool.understudy.{expected}\n"
    assert (ran.status, ran.places) == (1, [GOOD])


def test_a_section_that_is_no_table(tmp_path: Path) -> None:
    folder = project(tmp_path, "[tool]\nunderstudy = 3\n", test_good=AWAITED)
    ran = check(folder, ".")
    assert (
        ran.err == f"understudy: {folder}/pyproject.toml: tool.understudy: expected a table, got a number\n"
    )
    assert (ran.status, ran.places) == (1, [GOOD])


# Fixes


def test_fix_keeps_files_that_parse_parsing_and_refuses_the_rest(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        test_broken=f"{AWAITED}\n\ndef f(:\n",
        test_good=AWAITED,
        test_latin=b"# caf\xe9\n" + AWAITED.encode(),
        test_nul=AWAITED.encode() + b"\0",
    )
    before = contents(folder)
    ran = check(folder, "--fix", ".")
    after = contents(folder)
    assert (ran.status, ran.places) == (2, [])
    assert after == {
        **before,
        "test_broken.py": f"{FIXED}\n\ndef f(:\n".encode(),
        "test_good.py": FIXED.encode(),
    }


_SOURCE = "import os\n\n\ndef f(a, b):\n    return [a, (b, 'x')]\n\n\nx = f(1, 2)\n"


@example(edits=[(52, 0, "await ")], newline="\n", encoding="utf-8")
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(_SOURCE)),
            st.integers(0, 12),
            st.sampled_from(
                ["", " ", "(", ")", "'", "await ", "x", "\n", "\n    ", "# ", "\0", "\u00e9", "\udc80"]
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "latin-1"]),
)
def test_no_fix_however_bad_makes_a_file_that_does_not_parse(
    tmp_path_factory: pytest.TempPathFactory,
    edits: list[tuple[int, int, str]],
    newline: str,
    encoding: str,
) -> None:
    path = tmp_path_factory.mktemp("fix") / "m.py"
    raw = f"# coding: {encoding}\n{_SOURCE}".replace("\n", newline).encode(encoding)
    path.write_bytes(raw)
    text = read(path)
    findings = [_bad_fix(path, text, *edit) for edit in edits]
    outcome = write_fixed(plan(findings, unsafe=True), read)
    written = path.read_bytes()
    assert _python_reads(written)
    assert os.listdir(path.parent) == ["m.py"]
    if not outcome.changed:
        assert written == raw
    else:
        assert written == outcome.changed[0].after.encode()
        assert set(re.findall(rb"\r\n|\r|\n", written)) <= {newline.encode()}


def _bad_fix(path: Path, text: Text, start: int, length: int, content: str) -> Finding:
    span = text.span(start, start + length)
    fix = Fix("bad", Applicability.SAFE, (Edit(path, span, content),))
    return Finding("US101", "x", Severity.ERROR, "m", path, Span(0, 0, 0, 0), (), (fix,))


def test_a_rule_that_fails_costs_its_own_findings_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from understudy import cli
    from understudy.rules import registry

    def fails(*_: object) -> Iterator[Finding]:
        raise ValueError("no\nway")

    rules = registry.all_rules()
    broken = {code: replace(rule, check=fails) if code == "US201" else rule for code, rule in rules.items()}
    monkeypatch.setattr(registry, "all_rules", lambda: broken)
    monkeypatch.chdir(project(tmp_path, test_a=AWAITED, test_b=AWAITED))
    assert cli.main(["check", "--output-format", "concise", "."]) == 2
    captured = capsys.readouterr()
    assert re.fullmatch(
        r"test_a\.py: internal error in US201 \(ValueError: no way, at test_bad_input\.py:\d+\); please report it "
        r"\(the same in 1 other file\)\n",
        captured.err,
    )
    assert captured.out.count("US101") == 2


def test_a_mistake_of_ours_elsewhere_is_exit_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from understudy import check as module
    from understudy import cli

    def fails(*_: object) -> int:
        raise ZeroDivisionError("x")

    monkeypatch.setattr(module, "run", fails)
    assert cli.main(["check", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("understudy: internal error (ZeroDivisionError: x, at test_bad")


def test_nothing_is_checked_when_the_command_line_is_wrong(tmp_path: Path) -> None:
    folder = project(tmp_path, test_good=AWAITED)
    for arguments in (
        ["check", "--nope"],
        ["check", "--jobs", "0"],
        ["check", "--jobs", "x"],
        ["check", "--select", ","],
        ["check", "--output-format", "xml"],
        ["check", ""],
        ["nope"],
        [],
    ):
        ran = run(folder, *arguments)
        assert (ran.status, ran.out) == (2, ""), arguments
        assert ran.messages[-1].startswith(("understudy: error: ", "understudy check: error: ")), arguments
