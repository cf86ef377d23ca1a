"""Finding the Python files of a project."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pathspec

from understudy.project.config import Config
from understudy.source.disk import looking

SKIPPED_FOLDERS: Final = frozenset(
    {
        ".bzr",
        ".direnv",
        ".eggs",
        ".git",
        ".hg",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pants.d",
        ".pyenv",
        ".pytest_cache",
        ".pytype",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".understudy_cache",
        ".venv",
        ".vscode",
        "__pycache__",
        "__pypackages__",
        "build",
        "dist",
        "node_modules",
        "site-packages",
    }
)
"""Never walked into; a folder with a ``pyvenv.cfg`` is not either, whatever its name."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """Absolute paths in the order of their names, each file once; what could not be read, a sentence each."""

    files: tuple[Path, ...]
    problems: tuple[str, ...] = ()


def discover(paths: Iterable[Path], config: Config, root: Path) -> Discovery:
    """The ``.py`` files below folders, and the files that are named themselves, which always count.

    ``exclude`` (relative to ``root``) and ``.gitignore`` files hold for what lies inside a named folder, not
    for the folder itself.
    """
    walk = _Walk(config, os.path.abspath(root))
    for path in paths:
        walk.start(os.path.abspath(path), str(path))
    return Discovery(tuple(map(Path, walk.finish())), tuple(walk.problems))


class _Patterns:
    """The lines of one ``.gitignore``, or of ``exclude``, compiled into as few expressions as possible.

    pathspec reads the patterns; asking it per file would try them one by one, which for a usual file costs
    more than the whole walk. Folders are pruned on the way down, so only the entry itself is asked for.
    """

    __slots__ = ("_groups", "_skip")

    def __init__(self, folder: str, lines: Iterable[str]) -> None:
        self._skip = len(folder.rstrip(os.sep)) + 1
        groups: list[tuple[bool, list[str]]] = []
        for line in lines:
            try:
                (pattern,) = pathspec.GitIgnoreSpec.from_lines([line]).patterns
                if pattern.include is None or pattern.regex is None:
                    continue
                expression = pattern.regex.pattern.replace("(?P<ps_d>", "(?:")
                re.compile(expression)
            except (ValueError, re.error):
                continue  # git, too, passes over a line it cannot read
            if not groups or groups[-1][0] != pattern.include:
                groups.append((pattern.include, []))
            groups[-1][1].append(expression)
        # The last pattern that matches decides.
        self._groups = [(include, re.compile("|".join(parts))) for include, parts in reversed(groups)]

    def ignores(self, path: str, is_folder: bool) -> bool | None:
        """None: no pattern matches."""
        relative = path[self._skip :]
        if os.sep != "/":
            relative = relative.replace(os.sep, "/")
        if is_folder:
            relative += "/"
        for include, expression in self._groups:
            if expression.match(relative):
                return include
        return None


class _Walk:
    def __init__(self, config: Config, root: str) -> None:
        self._root = root
        self._exclude = _Patterns(root, config.exclude) if config.exclude else None
        self._files: dict[str, None] = {}
        self._linked_files: list[str] = []
        self._visited: set[tuple[int, int]] = set()
        self.problems: list[str] = []

    def start(self, path: str, named: str) -> None:
        if os.path.isdir(path):
            self._walk(path)
        elif os.path.isfile(path):
            self._files[path] = None
        elif os.path.exists(path):
            self.problems.append(f"{named}: not a regular file")
        elif os.path.islink(path):
            self.problems.append(f"{named}: a broken link to {os.readlink(path)}")
        else:
            self.problems.append(f"{named}: no such file or folder")

    def finish(self) -> list[str]:
        """Sorted; a link to a file counts only when the file itself was not found."""
        real = {os.path.realpath(path) for path in self._files} if self._linked_files else set()
        for path in sorted(self._linked_files):
            target = os.path.realpath(path)
            if target not in real:
                real.add(target)
                self._files[path] = None
        return sorted(self._files)

    def _walk(self, top: str) -> None:
        exclude = self._exclude
        within = top == self._root or _inside(top, self._root)
        if exclude is not None and (not within or _ignored_at([exclude], top, self._root)):
            exclude = None
        outer, repository = _outer_gitignores(top, self._root)
        if _ignored_at(outer, top, repository):
            outer = []
        # Links to folders come last, so that a file is known by its real place where it has one.
        linked: list[tuple[str, list[_Patterns]]] = []
        pending = [(top, outer)]
        while pending or linked:
            folder, patterns = pending.pop() if pending else linked.pop(0)
            self._scan(folder, patterns, exclude, pending, linked)

    def _scan(
        self,
        folder: str,
        patterns: list[_Patterns],
        exclude: _Patterns | None,
        pending: list[tuple[str, list[_Patterns]]],
        linked: list[tuple[str, list[_Patterns]]],
    ) -> None:
        try:
            with looking(folder):
                status = os.stat(folder)
            identity = (status.st_dev, status.st_ino)
            if identity in self._visited:
                return
            self._visited.add(identity)
            with looking(folder), os.scandir(folder) as iterator:
                entries = sorted(iterator, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            self.problems.append(f"{folder}: cannot be read: {(error.strerror or str(error)).lower()}")
            return
        names = {entry.name for entry in entries}
        if ".gitignore" in names:
            patterns = [*patterns, _gitignore(folder, os.path.join(folder, ".gitignore"))]
        for entry in entries:
            name = entry.name
            try:
                # A link may lead to another disk.
                with looking(entry.path):
                    is_folder = entry.is_dir()
                    is_file = not is_folder and name.endswith(".py") and entry.is_file()
                if not is_folder and not is_file:
                    continue
            except OSError:
                continue  # a link that leads in a circle
            if is_folder and (name in SKIPPED_FOLDERS or _is_environment(entry.path)):
                continue
            if exclude is not None and exclude.ignores(entry.path, is_folder):
                continue
            if patterns and _ignored(patterns, entry.path, is_folder):
                continue
            if is_folder:
                (linked if entry.is_symlink() else pending).append((entry.path, patterns))
            elif entry.is_symlink():
                self._linked_files.append(entry.path)
            else:
                self._files[entry.path] = None


def _is_environment(folder: str) -> bool:
    try:
        with looking(folder):
            return os.path.exists(os.path.join(folder, "pyvenv.cfg"))
    except OSError:
        return False


def _ignored(patterns: list[_Patterns], path: str, is_folder: bool) -> bool:
    """The innermost file that says something about the path decides."""
    for item in reversed(patterns):
        verdict = item.ignores(path, is_folder)
        if verdict is not None:
            return verdict
    return False


def _ignored_at(patterns: list[_Patterns], top: str, root: str) -> bool:
    """True when the folder, or one above it up to the root, is ignored."""
    folder = top
    while patterns and folder != root and _inside(folder, root):
        if _ignored(patterns, folder, True):
            return True
        folder = os.path.dirname(folder)
    return False


def _outer_gitignores(top: str, root: str) -> tuple[list[_Patterns], str]:
    """Those of the folders above ``top``, up to the repository's top or, without one, the root; and which of the two
    that is."""
    above: list[str] = []
    folder = top
    repository: str | None = None
    while True:
        if os.path.exists(os.path.join(folder, ".git")):
            repository = folder
            break
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        above.append(parent)
        folder = parent
    if repository is None:
        above = [folder for folder in above if _inside(folder, root) or folder == root]
    found: list[_Patterns] = []
    if repository is not None:
        local = os.path.join(repository, ".git", "info", "exclude")
        if os.path.isfile(local):
            found.append(_gitignore(repository, local))
    for folder in reversed(above):
        file = os.path.join(folder, ".gitignore")
        if os.path.isfile(file):
            found.append(_gitignore(folder, file))
    return found, root if repository is None else repository


def _gitignore(folder: str, file: str) -> _Patterns:
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            return _Patterns(folder, [line.rstrip("\r\n") for line in lines])
    except OSError:
        return _Patterns(folder, ())


def _inside(path: str, folder: str) -> bool:
    """True for what is below a folder, not for the folder itself."""
    return path.startswith(folder.rstrip(os.sep) + os.sep) and path != folder
