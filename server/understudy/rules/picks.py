"""Which places of a file a rule has to look at closely, kept from one version of the file to the next.

An edit inside one test concerns that test alone, for most questions that rules ask about a place: what a name stands
for, what a fixture gives. So the places that a rule picked out of the other statements are kept, while all that tests
rest on stays the same (:mod:`understudy.infer.frame`), and every other file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from understudy.index.workspace import Dependency, ValueOf, Workspace
from understudy.infer.frame import Frame
from understudy.infer.scopes import FileScopes, Kind, Site
from understudy.source.parse import Part

_Picked = tuple[Site, ...]


@dataclass
class _Version:
    """What was picked out of each statement while the file stayed what it is."""

    frame: Frame = ()
    found: dict[str, dict[Part, _Picked]] = field(default_factory=dict)
    """By question, then by part of the file."""
    files: set[Dependency] = field(default_factory=set)
    """What the answers rest on."""
    matches: dict[re.Pattern[bytes], bool] = field(default_factory=dict)
    """Does the file itself match a pattern that answers rest on?"""
    own_text: dict[str, bool] = field(default_factory=dict)
    """Is the text of the file behind a value that answers rest on?"""

    def holds(self, frame: Frame, path: Path, workspace: Workspace) -> bool:
        return frame == self.frame and all(
            workspace.matches(pattern, path) is known for pattern, known in self.matches.items()
        )


@dataclass
class Picks:
    """The places that were picked out of a file, kept for when it parses and for when it does not: while somebody
    types, one follows the other all the time."""

    versions: dict[bool, _Version] = field(default_factory=dict)

    def renewed(self, frame: Frame, scopes: FileScopes, workspace: Workspace) -> Picks:
        """What still holds for this version of the file."""
        is_broken, path = bool(scopes.parsed.problems), scopes.parsed.path
        version = self.versions.get(is_broken)
        if version is None or not version.holds(frame, path, workspace):
            return Picks({**self.versions, is_broken: _Version(frame)})
        parts = set(scopes.parts)
        for of_part in version.found.values():
            for part in of_part.keys() - parts:
                del of_part[part]
        return self

    def picked(
        self,
        question: str,
        kind: Kind,
        wanted: Callable[[Site], bool],
        scopes: FileScopes,
        workspace: Workspace,
    ) -> list[Site]:
        """All places for which ``wanted`` holds, or held when it was asked."""
        version = self.versions[bool(scopes.parsed.problems)]
        known = version.found.setdefault(question, {})
        workspace.depend_on(version.files)
        found: list[Site] = []
        for part in scopes.parts:
            picked = known.get(part)
            if picked is None:
                with workspace.recording() as seen:
                    picked = tuple(site for site in scopes.of(part, kind) if wanted(site))
                version.files |= seen
                if not _rests_on_text(seen, scopes.parsed.path, version, workspace):
                    known[part] = picked
            found.extend(picked)
        return found


def _rests_on_text(seen: Iterable[Dependency], path: Path, version: _Version, workspace: Workspace) -> bool:
    """Did an answer look at the whole text of the file? It may be another after any edit of it."""
    whole = False
    for item in seen:
        if isinstance(item, re.Pattern):
            if item not in version.matches:
                version.matches[item] = workspace.matches(item, path)
        elif isinstance(item, ValueOf):
            if item.key not in version.own_text:
                version.own_text[item.key] = path in workspace.behind(item.key)
            whole = whole or version.own_text[item.key]
        elif item == path:
            whole = True
    return whole
