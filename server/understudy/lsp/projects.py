"""Which project an open file belongs to, and that project's configuration.

Used by the analysis thread only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from understudy.engine import Analysis, Project, forget_settings
from understudy.finding import Finding
from understudy.index.kept_facts import Caches
from understudy.index.workspace import ValueOf, Workspace
from understudy.lsp.earlier import Earlier
from understudy.lsp.exchange import Settings
from understudy.project import config as configuration
from understudy.project.discover import SKIPPED_FOLDERS
from understudy.project.modules import Asked
from understudy.rules import registry
from understudy.source.text import Text

_LIBRARIES = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Done:
    """An analysis, and the texts (as the editor has them) that its places refer to."""

    analysis: Analysis
    texts: Mapping[Path, Text]
    named: tuple[Finding, ...] = ()
    """What was found beside it with the second tier's help."""
    others: frozenset[re.Pattern[bytes] | Asked] = frozenset()
    """What the analysis rests on besides files."""


class OpenProject:
    """A project with the analyses of its open files."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.done: dict[Path, Done] = {}
        self.waiting: dict[Path, None] = {}
        """Open files whose analysis is missing or rests on something that has changed."""
        self.matching_others: frozenset[re.Pattern[bytes]] = frozenset()
        """The patterns that match other files since the last change."""
        self.earlier = Earlier(project)

    def excludes(self, path: Path) -> bool:
        """True for what ``check`` would not walk into, and for installed libraries."""
        if not _LIBRARIES.isdisjoint(path.parts) or not path.is_relative_to(self.project.root):
            return True
        relative = path.relative_to(self.project.root)
        if not SKIPPED_FOLDERS.isdisjoint(relative.parts[:-1]):
            return True
        return self.project.config.excludes(relative.as_posix())


def others_behind(workspace: Workspace, analysis: Analysis) -> frozenset[re.Pattern[bytes] | Asked]:
    """The patterns and the questions about folders that an analysis rests on. To be asked while all is as it was."""
    found: set[re.Pattern[bytes] | Asked] = set()
    for dependency in analysis.rests_on:
        behind = workspace.behind(dependency.key) if isinstance(dependency, ValueOf) else (dependency,)
        found.update(each for each in behind if isinstance(each, (re.Pattern, Asked)))
    return frozenset(found)


class Projects:
    """All projects that open files belong to, one per configuration root."""

    def __init__(self, settings: Settings, caches: Caches) -> None:
        forget_settings()
        self._settings = settings
        self._caches = caches
        self._roots: dict[Path, Path] = {}
        self._by_root: dict[Path, OpenProject] = {}
        self.problems: dict[str, None] = {}
        """What is wrong with configurations, a sentence each."""

    def __iter__(self) -> Iterator[OpenProject]:
        return iter(self._by_root.values())

    def of(self, path: Path) -> tuple[OpenProject, bool]:
        """The project of a file, and whether it was made just now."""
        root = self._roots.get(path.parent)
        if root is not None:
            return self._by_root[root], False
        loaded = configuration.load(path.parent, registry.names())
        folder = self._settings.folder_of(path)
        if loaded.file is None and folder is not None:
            # As `understudy check` in that folder.
            loaded = configuration.load(folder, registry.names())
        self._roots[path.parent] = loaded.root
        known = self._by_root.get(loaded.root)
        if known is not None:
            return known, False
        config, problems = configuration.merge(
            loaded.config,
            self._settings.values_for(path),
            registry.names(),
            folder or loaded.root,
            "the editor's settings",
        )
        self.problems.update(dict.fromkeys(str(problem) for problem in (*loaded.problems, *problems)))
        made = OpenProject(Project(loaded.root, config, kept_facts=self._caches.facts(config)))
        self._by_root[loaded.root] = made
        return made, True
