"""Finding files: patterns, links, order and what cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pathspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from understudy.project import discover as module
from understudy.project.config import Config
from understudy.project.discover import _Patterns, discover


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(root: Path, *paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    result = discover([root / path for path in paths or ("",)], Config(exclude=exclude), root)
    assert result.problems == ()
    return [path.relative_to(root).as_posix() for path in result.files]


def test_python_files_in_order(tmp_path: Path) -> None:
    tree(tmp_path, "b.py", "a/z.py", "a/b.py", "a.py", "a/n.pyi", "a/readme.md", "a/x.py.orig", "d.py/e.py")
    assert found(tmp_path) == ["a.py", "a/b.py", "a/z.py", "b.py", "d.py/e.py"]


def test_default_folders_are_skipped(tmp_path: Path) -> None:
    tree(
        tmp_path, "a.py", ".venv/b.py", "src/__pycache__/b.py", "src/build/b.py", "env/pyvenv.cfg", "env/c.py"
    )
    tree(tmp_path, "venv/kept.py", ".hidden/kept.py")
    assert found(tmp_path) == [".hidden/kept.py", "a.py", "venv/kept.py"]


def test_what_is_named_counts(tmp_path: Path) -> None:
    tree(tmp_path, "build/x/a.py", "script", "gen/b.py", "gen/sub/c.py", "c.py")
    (tmp_path / ".gitignore").write_text("build/\ngen\n")
    assert found(tmp_path, "build", "script", "gen/b.py", exclude=("build/", "b.py")) == [
        "build/x/a.py",
        "gen/b.py",
        "script",
    ]
    assert found(tmp_path, "gen", exclude=("*.py",)) == []
    assert found(tmp_path, "gen/sub") == ["gen/sub/c.py"]
    assert found(tmp_path, exclude=("/c.py",)) == []


def test_a_project_in_an_ignored_folder_of_a_repository(tmp_path: Path) -> None:
    """Its root counts although the repository around it ignores the folder."""
    tree(tmp_path, "vendor/lib/a.py", "vendor/lib/sub/b.py")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("/vendor/\n")
    root = tmp_path / "vendor" / "lib"
    files = discover([root], Config(), root).files
    assert [path.relative_to(root).as_posix() for path in files] == ["a.py", "sub/b.py"]


def test_duplicates_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a/b.py")
    monkeypatch.chdir(tmp_path / "a")
    result = discover([Path("."), Path("../a/b.py"), Path("b.py"), tmp_path], Config(), tmp_path)
    assert result.files == (tmp_path / "a/b.py",)


def test_missing_paths_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.py")
    monkeypatch.chdir(tmp_path)
    result = discover([Path("gone"), Path("a.py")], Config(), tmp_path)
    assert result.problems == ("gone: no such file or folder",)
    assert result.files == (tmp_path / "a.py",)


def test_exclude_is_relative_to_the_root(tmp_path: Path) -> None:
    tree(tmp_path, "gen/a.py", "pkg/gen/a.py", "pkg/x_pb2.py", "pkg/y_pb2.py", "pkg/a.py")
    assert found(tmp_path, exclude=("/gen/", "*_pb2.py", "!y_pb2.py")) == [
        "pkg/a.py",
        "pkg/gen/a.py",
        "pkg/y_pb2.py",
    ]
    assert found(tmp_path, "pkg", exclude=("pkg/gen",)) == ["pkg/a.py", "pkg/x_pb2.py", "pkg/y_pb2.py"]


def test_nested_gitignore_files(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "out/a.py", "pkg/out/a.py", "pkg/local.py", "pkg/sub/local.py", "other/local.py")
    (tmp_path / ".gitignore").write_text("# comment\nout/\n[broken\n")
    (tmp_path / "pkg" / ".gitignore").write_text("!out/\n/local.py\n")
    assert found(tmp_path) == ["a.py", "other/local.py", "pkg/out/a.py", "pkg/sub/local.py"]


def test_gitignore_files_above_up_to_the_repository(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "repo/.git/info/exclude",
        "repo/pkg/gen.py",
        "repo/pkg/a.py",
        "repo/pkg/private.py",
        "repo/pkg/b.py",
    )
    (tmp_path / ".gitignore").write_text("b.py\n")
    (tmp_path / "repo" / ".gitignore").write_text("/pkg/gen.py\n")
    (tmp_path / "repo" / ".git" / "info" / "exclude").write_text("private.py\n")
    result = discover([tmp_path / "repo" / "pkg"], Config(), tmp_path / "repo" / "pkg")
    assert [path.name for path in result.files] == ["a.py", "b.py"]


def test_without_a_repository_nothing_above_the_root_counts(tmp_path: Path) -> None:
    tree(tmp_path, "root/pkg/a.py", "root/pkg/b.py")
    (tmp_path / ".gitignore").write_text("a.py\n")
    (tmp_path / "root" / ".gitignore").write_text("b.py\n")
    assert found(tmp_path / "root", "pkg") == ["pkg/a.py"]


def test_links_in_a_circle_and_twice(tmp_path: Path) -> None:
    tree(tmp_path, "z/real.py", "z/inner/x.py")
    (tmp_path / "z" / "inner" / "up").symlink_to(tmp_path)
    (tmp_path / "a").symlink_to(tmp_path / "z")
    (tmp_path / "a.py").symlink_to(tmp_path / "z" / "real.py")
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    (tmp_path / "dead.py").symlink_to(tmp_path / "nowhere.py")
    assert found(tmp_path) == ["z/inner/x.py", "z/real.py"]


def test_links_out_of_the_folder_are_followed(tmp_path: Path) -> None:
    tree(tmp_path, "elsewhere/a.py", "elsewhere/b.py", "other/d.py", "top/c.py")
    (tmp_path / "top" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "top" / "one.py").symlink_to(tmp_path / "elsewhere" / "a.py")
    (tmp_path / "top" / "two.py").symlink_to(tmp_path / "other" / "d.py")
    (tmp_path / "top" / "three.py").symlink_to(tmp_path / "other" / "d.py")
    result = discover([tmp_path / "top"], Config(), tmp_path / "top")
    names = [path.relative_to(tmp_path / "top").as_posix() for path in result.files]
    assert names == ["c.py", "linked/a.py", "linked/b.py", "three.py"]


def test_an_unreadable_folder_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.py", "shut/b.py")
    real = os.scandir

    def scandir(path: str):  # the suite may run as root, for whom no folder is shut
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(module.os, "scandir", scandir)
    result = discover([tmp_path], Config(), tmp_path)
    assert result.files == (tmp_path / "a.py",)
    assert result.problems == (f"{tmp_path}/shut: cannot be read: permission denied",)


_PATTERNS = st.lists(
    st.sampled_from(
        [
            "a",
            "/a",
            "a/",
            "b/*.py",
            "**/b",
            "a/**",
            "!a/b.py",
            "!b",
            "*.py",
            "!c.py",
            "c*",
            "[ab].py",
            "",
            "#a",
        ]
    ),
    max_size=6,
)
_PATHS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).flatmap(
    lambda folders: st.sampled_from(["a.py", "b.py", "c.py", "a"]).map(
        lambda name: "/".join([*folders, name])
    )
)


@given(_PATTERNS, _PATHS, st.booleans())
def test_compiled_patterns_agree_with_pathspec(lines: list[str], path: str, is_folder: bool) -> None:
    """For one file of patterns, asked for one path: the last pattern that matches decides."""
    spec = pathspec.PathSpec(
        [p for p in pathspec.GitIgnoreSpec.from_lines(lines).patterns if p.include is not None]
    )
    expected = spec.check_file(path + "/" if is_folder else path).include
    assert _Patterns("/top", lines).ignores("/top/" + path, is_folder) == expected
