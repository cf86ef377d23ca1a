"""Dependencies as text: for other processes, and for what is kept between runs, on this machine or another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.index.kept_facts import digest
from understudy.index.workspace import Dependency, FactsOf, ImportsOf, ValueOf, Workspace
from understudy.project.modules import Asked


class Places:
    """Paths as text that means the same wherever the workspace and its environment are."""

    def __init__(self, workspace: Workspace) -> None:
        environment = workspace.environment
        marked = {f"s{number}": folder for number, folder in enumerate(environment.site)}
        marked.update((f"l{number}", folder) for number, folder in enumerate(environment.stdlib))
        marked["w"] = workspace.root
        self._folders = {mark: str(folder).rstrip(os.sep) for mark, folder in marked.items()}
        self._inner_first = sorted(self._folders.items(), key=lambda item: -len(item[1]))
        self._known: dict[str, str] = {}

    def text(self, path: str) -> str:
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self._text(path)
        return known

    def _text(self, path: str) -> str:
        for mark, folder in self._inner_first:
            if path == folder:
                return mark
            if path.startswith(folder) and path[len(folder)] == os.sep:
                return f"{mark}:{path[len(folder) + 1 :]}"
        return f":{path}"

    def path(self, text: str) -> str:
        """
        :raises ValueError: no such text.
        """
        mark, colon, rest = text.partition(":")
        if not mark:
            return rest
        if mark not in self._folders:
            raise ValueError(f"no place: {text!r}")
        return f"{self._folders[mark]}{os.sep}{rest}" if colon else self._folders[mark]


def spelled(dependency: Dependency, places: Places) -> str:
    """One line of text for a dependency."""
    if isinstance(dependency, Path):
        return f"f{places.text(str(dependency))}"
    if isinstance(dependency, FactsOf):
        return f"m{places.text(str(dependency.path))}"
    if isinstance(dependency, ImportsOf):
        return f"i{places.text(str(dependency.path))}"
    if isinstance(dependency, ValueOf):
        return f"v{dependency.key}"
    if isinstance(dependency, Asked):
        return f"a{places.text(dependency.folder)}\0{dependency.name}"
    return f"p{dependency.flags}:{dependency.pattern.decode('latin-1')}"


def pattern_of(text: str) -> re.Pattern[bytes]:
    """
    :raises ValueError: no pattern.
    """
    flags, _, pattern = text[1:].partition(":")
    try:
        return re.compile(pattern.encode("latin-1"), int(flags))
    except re.error as error:
        raise ValueError(str(error)) from None


def asked_of(text: str, places: Places) -> Asked:
    """
    :raises ValueError: no question about a folder.
    """
    folder, _, name = text[1:].partition("\0")
    return Asked(places.path(folder), name)


@dataclass(frozen=True)
class Described:
    """What there is to know about some dependencies besides what they are, all as text."""

    matching: Mapping[str, Sequence[str]]
    """For each pattern, the files that it matches."""
    values: Mapping[str, tuple[str, Sequence[str]]]
    """For each value, what stands for it, and what it was made from."""


def describe(workspace: Workspace, dependencies: Iterable[Dependency], places: Places) -> Described:
    """Patterns that values were made from are among the patterns, too."""
    found = set(dependencies)
    values: dict[str, tuple[str, Sequence[str]]] = {}
    for item in list(found):
        if isinstance(item, ValueOf):
            behind = [each for each in workspace.behind(item.key) if not isinstance(each, ValueOf)]
            found.update(behind)
            values[spelled(item, places)] = (
                fingerprint(workspace.known_value(item.key)),
                [spelled(each, places) for each in behind],
            )
    matching = {
        spelled(pattern, places): [places.text(str(path)) for path in workspace.matching(pattern)]
        for pattern in found
        if isinstance(pattern, re.Pattern)
    }
    return Described(matching, values)


def fingerprint(value: object) -> str:
    """Equal for equal values, in every process."""
    return digest(_in_order(value).encode("utf-8", "surrogatepass"))


def _in_order(value: object) -> str:
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(map(_in_order, value)))}}}"
    if isinstance(value, tuple):
        return f"({','.join(map(_in_order, value))})"
    return repr(value)
