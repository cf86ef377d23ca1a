"""The corpus's own code: archives are verified before they are unpacked, and no error goes unread."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from corpus import run, sources, triage
from corpus.run import Checked
from corpus.sources import Distribution, FetchError
from corpus.triage import Entry, Found

RULES = Path(__file__).parents[2] / "server" / "understudy" / "rules"

ERROR = Found("pkg", "tests/test_a.py:6:5", "US101", "error", "`await`")
WARNING = Found("pkg", "tests/test_a.py:9:1", "US205", "warning", "not restored")
TRIAGED = Entry("pkg", ERROR.place, "US101", "it is caught by the suite's own decorator")


def index(folder: Path, members: dict[str, str]) -> tuple[str, Distribution]:
    """A package index with one source distribution, as a folder; its URL, and how to pin it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    page = folder / "simple" / "pkg"
    page.mkdir(parents=True)
    (page / "pkg-1.0.tar.gz").write_bytes(raw.getvalue())
    (page / "index.html").write_text('<a href="pkg-1.0.tar.gz">pkg-1.0.tar.gz</a>')
    digest = hashlib.sha256(raw.getvalue()).hexdigest()
    return (folder / "simple").as_uri(), Distribution("pkg", "1.0", digest, "a small one")


def test_a_distribution_is_fetched_once_and_not_built(tmp_path: Path) -> None:
    url, pinned = index(
        tmp_path, {"pkg-1.0/setup.py": "raise SystemExit('built')", "pkg-1.0/tests/test_a.py": "x = 1\n"}
    )
    folder = sources.unpacked(pinned, tmp_path / "cache", url)
    assert (folder / "tests" / "test_a.py").read_text() == "x = 1\n"
    assert sources.unpacked(pinned, tmp_path / "cache", "file:///nowhere") == folder


def test_another_archive_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    url, _ = index(tmp_path, {"pkg-1.0/a.py": ""})
    other = Distribution("pkg", "1.0", "0" * 64, "")
    with pytest.raises(FetchError, match=r"pkg 1\.0: Hash mismatch"):
        sources.unpacked(other, tmp_path / "cache", url)
    assert not list((tmp_path / "cache" / "src").glob("*"))
    with pytest.raises(FetchError, match=r"pkg 2\.0: .* has no source distribution of it"):
        sources.unpacked(Distribution("pkg", "2.0", "0" * 64, ""), tmp_path / "cache", url)


def test_nothing_is_written_outside_of_its_folder(tmp_path: Path) -> None:
    url, pinned = index(tmp_path, {"pkg-1.0/a.py": "", "pkg-1.0/../../../evil.py": ""})
    with pytest.raises(FetchError, match="outside target directory"):
        sources.unpacked(pinned, tmp_path / "cache", url)
    assert not list(tmp_path.rglob("evil.py"))


def test_the_configuration_above_it_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.understudy]\nselect = ["US9"]\n')
    source = "from unittest.mock import Mock\nasync def test_a():\n    await Mock()()\n"
    url, pinned = index(tmp_path, {"pkg-1.0/tests/test_a.py": source})
    checked = run.check("pkg", sources.unpacked(pinned, tmp_path / "cache", url))
    assert [(item.place, item.code, item.severity) for item in checked.findings] == [
        ("tests/test_a.py:3:5", "US101", "error")
    ]
    assert checked.messages == ()


def test_a_check_that_does_not_come_to_its_end_is_told(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    with pytest.raises(run.CheckError, match="pkg: no file to check"):
        run.check("pkg", tmp_path)
    (tmp_path / "test_a.py").write_bytes(b"\xe9")
    with pytest.raises(run.CheckError, match=r"pkg: exit status 2: test_a.py: "):
        run.check("pkg", tmp_path)


def test_each_error_has_to_be_explained() -> None:
    assert triage.complaints([ERROR, WARNING], [TRIAGED], ["pkg"]) == []
    (said,) = triage.complaints([ERROR, WARNING], [], ["pkg"])
    assert said == "not in triage.toml: pkg: tests/test_a.py:6:5: error[US101] `await`"
    moved = Found("pkg", "tests/test_a.py:7:5", "US101", "error", "`await`")
    assert len(triage.complaints([moved], [TRIAGED], ["pkg"])) == 2


def test_an_entry_of_what_is_found_no_more_has_to_go() -> None:
    assert triage.complaints([WARNING], [TRIAGED], ["pkg"]) == [
        "in triage.toml, but not found: pkg: tests/test_a.py:6:5: US101"
    ]
    assert triage.complaints([], [TRIAGED], ["other"]) == []


def test_an_entry_has_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "triage.toml"
    entry = '[[true]]\npackage = "pkg"\nplace = "a.py:1:1"\ncode = "US101"\nwhy = "{}"\n'
    file.write_text(entry.format("it is skipped"))
    assert triage.load(file) == [Entry("pkg", "a.py:1:1", "US101", "it is skipped")]
    file.write_text(entry.format(" "))
    with pytest.raises(ValueError, match=r"triage\.toml: pkg: a\.py:1:1: say why the suite passes"):
        triage.load(file)
    file.write_text(entry.format("x") * 2)
    with pytest.raises(ValueError, match="US101 is there twice"):
        triage.load(file)


def test_an_entry_may_have_many_places(tmp_path: Path) -> None:
    file = tmp_path / "triage.toml"
    file.write_text(
        '[[true]]\npackage = "pkg"\nplaces = ["a.py:1:1", "b.py:2:2"]\ncode = "US101"\nwhy = "x"\n'
    )
    assert triage.load(file) == [
        Entry("pkg", "a.py:1:1", "US101", "x"),
        Entry("pkg", "b.py:2:2", "US101", "x"),
    ]


def test_the_files_in_the_repository_can_be_read() -> None:
    distributions = sources.load(run.CORPUS)
    assert len(distributions) >= 15
    assert len({item.name for item in distributions}) == len(distributions)
    assert {entry.package for entry in triage.load(run.TRIAGE)} <= {item.name for item in distributions}


def test_of_the_warnings_that_were_read_few_are_false() -> None:
    read = triage.warnings(run.WARNINGS)
    assert len(read) >= 30
    false = [one for one in read if not one.is_true]
    assert len(false) * 10 < len(read)
    pages = {page.name[:5].upper(): page.read_text("utf-8") for page in RULES.glob("us2*.md")}
    assert [one for one in false if f"### {one.near_miss}\n" not in pages[one.code]] == []


def test_a_judged_warning_says_why(tmp_path: Path) -> None:
    file = tmp_path / "warnings.toml"
    place = 'repository = "a/b"\ncommit = "c"\nplaces = ["t.py:1:1"]\ncode = "US202"\n'
    entry = f'[[read]]\n{place}verdict = "{{}}"\nwhy = "{{}}"\n'
    file.write_text(entry.format("true", "it has a copy"))
    assert [(one.place, one.is_true) for one in triage.warnings(file)] == [("t.py:1:1", True)]
    for verdict, why in (("true", " "), ("maybe", "x"), ("false", "x")):
        file.write_text(entry.format(verdict, why))
        with pytest.raises(ValueError, match="say what it is, and why"):
            triage.warnings(file)
    file.write_text(entry.format("true", "x") * 2)
    with pytest.raises(ValueError, match="twice"):
        triage.warnings(file)


def test_the_table() -> None:
    checked = {
        "pkg 1.0": Checked(3, (ERROR, ERROR, WARNING), ("a.py:1:1: syntax error",)),
        "b 2": Checked(1, (), ()),
    }
    assert run.results(checked).splitlines()[-4:] == [
        "| package | files | errors | US101 | US205 | messages |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| pkg 1.0 | 3 | 2 | 2 | 1 | 1 |",
        "| b 2 | 1 |  |  |  |  |",
    ]


def test_what_changed_since_the_last_run() -> None:
    assert run.changes([ERROR], [WARNING]) == [
        "- pkg: tests/test_a.py:6:5: error[US101] `await`",
        "+ pkg: tests/test_a.py:9:1: warning[US205] not restored",
    ]
