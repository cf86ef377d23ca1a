"""Which analyses rest on what changed: the files that a branch touches, *and their dependents*.

Every analysis says what it rests on (:data:`~understudy.index.workspace.Dependency`): files, what a folder has under a
name, which files match a pattern. The same question is put to the state before the change and to that of today.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from understudy.engine import Project
from understudy.facts.extract import extract
from understudy.index.dependencies import Places, asked_of, fingerprint, pattern_of, spelled
from understudy.index.kept_facts import as_bytes
from understudy.index.module import imports_in
from understudy.index.workspace import ValueOf, Workspace
from understudy.infer.plugins import settings_files
from understudy.jobs import Checked
from understudy.project.changes import Changes
from understudy.project.modules import PACKAGES, Asked
from understudy.project.names import MARKERS, SETTINGS_FILES
from understudy.results import Results, maker_of
from understudy.source.parse import parse
from understudy.source.text import SourceError, decode

_SETTINGS = frozenset((".gitignore", *SETTINGS_FILES, *MARKERS))


class Touched:
    """Of one project."""

    def __init__(self, project: Project, changes: Changes) -> None:
        self._project = project
        self._changes = changes
        self._places = Places(project.workspace)
        self._known: dict[str, bool] = {}
        self._asked = frozenset(_asked(changes))
        self._packages = frozenset(_packages(changes))
        python = [path for path in changes.files if path.suffix == ".py"]
        self._contents = [(changes.before.get(path), _content(path)) for path in python]
        self._all = any(self._is_setting(path) for path in changes.files)

    def of(self, checked: Sequence[Checked], results: Results) -> frozenset[Path]:
        """The files among those that were checked whose findings may be others than before.

        :param results: knows what those rest on that were not analysed this time.
        """
        if self._all:
            return frozenset(item.analysis.path for item in checked)
        if not self._changes.files:
            return frozenset()
        known = results.resting_on(self._has_changed)
        return frozenset(
            item.analysis.path for item in checked if item.analysis.path in known or self._is_touched(item)
        )

    def _is_touched(self, checked: Checked) -> bool:
        if checked.analysis.questions:
            # jedi looked at more than is known.
            return True
        if checked.rests is not None:
            return any(map(self._has_changed, checked.rests.items()))
        return any(self._has_changed(spelled(each, self._places)) for each in checked.analysis.rests_on)

    def _has_changed(self, item: str) -> bool:
        known = self._known.get(item)
        if known is None:
            known = self._known[item] = self._look(item)
        return known

    def _look(self, item: str) -> bool:
        if item[0] == "f":
            return Path(self._places.path(item[1:])) in self._changes.files
        if item[0] in "mi":
            return self._answers_otherwise(item, Path(self._places.path(item[1:])))
        if item[0] == "v":
            return self._has_other_value(item[1:])
        if item[0] == "a":
            asked = asked_of(item, self._places)
            return asked.folder in self._packages if asked.name == PACKAGES else asked in self._asked
        pattern = pattern_of(item)
        return any(_matches(pattern, before) != _matches(pattern, now) for before, now in self._contents)

    def _answers_otherwise(self, item: str, path: Path) -> bool:
        """Has a file other facts, or other imports, than before?"""
        if path not in self._changes.files:
            return False
        before = self._changes.before.get(path)
        module = self._project.workspace.module(path) if path not in self._changes.deleted else None
        if before is None or module is None:
            return True
        try:
            facts = extract(parse(path, decode(before)))
        except (SourceError, RecursionError):
            return True
        if item[0] == "i":
            return imports_in(facts) != module.imports
        earlier = as_bytes(facts)
        return earlier is None or earlier != as_bytes(module.facts)

    def _has_other_value(self, key: str) -> bool:
        make = maker_of(key)
        if make is None:
            return True
        workspace = self._project.workspace
        value = make(workspace)
        behind = (each for each in workspace.behind(key) if not isinstance(each, ValueOf))
        if not any(self._has_changed(spelled(each, self._places)) for each in behind):
            return False
        if self._changes.made or self._changes.deleted:
            return True
        return self._earlier is None or fingerprint(make(self._earlier)) != fingerprint(value)

    @cached_property
    def _earlier(self) -> Workspace | None:
        """The workspace before the changes, of which none made or deleted a file."""
        project = self._project
        workspace = Project(project.root, project.config, environment=project.environment).workspace
        try:
            for path, content in self._changes.before.items():
                workspace.open(path, decode(content))
        except SourceError:
            return None
        return workspace

    def _is_setting(self, path: Path) -> bool:
        """Does everything rest on it?"""
        root = self._project.root
        if path.parent in root.parents:
            return path.name == "conftest.py" or path.name in _SETTINGS
        if not path.is_relative_to(root):
            return False
        requirements = path.suffix == ".txt" and "requirements" in (path.parent.name + path.name)
        return path.name in _SETTINGS or requirements or path in settings_files(root)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _matches(pattern: re.Pattern[bytes], content: bytes | None) -> bool:
    return content is not None and pattern.search(content) is not None


def _asked(changes: Changes) -> Iterable[Asked]:
    """The questions about folders that have another answer now."""
    for path in (*changes.made, *changes.deleted):
        yield from _about(path)
        for folder in path.parents:
            there = folder.is_dir() if path in changes.deleted else folder in changes.folders_before
            if there:
                break
            yield from _about(folder)


def _packages(changes: Changes) -> Iterable[str]:
    """The folders with other packages in their folders (:data:`~understudy.project.modules.PACKAGES`)."""
    for path in (*changes.made, *changes.deleted):
        if path.name == "__init__.py":
            yield from map(str, path.parents[2:3])
            # A folder that is a package itself does not count.
            if any(path.parent.glob("*/__init__.py")) or any(
                other.name == path.name and other.parent.parent == path.parent for other in changes.deleted
            ):
                yield from map(str, path.parents[1:2])


def _about(path: Path) -> Iterable[Asked]:
    yield Asked(str(path.parent), path.name.partition(".")[0])
    yield Asked(str(path.parent), "")
