"""What the check of each file gave the last time, for as long as nothing changes that it rested on.

A *snapshot* is kept for each project: the content of its files by hash, every other thing that an analysis asked
(:data:`~understudy.index.workspace.Dependency`, what was not there included), and the findings of each file with the
numbers of the things that they rest on. The next check looks which of these things are different now, and analyses the
files that rest on one of them. Paths are kept relative to the project and its environment, so that another machine with
the same files can use the snapshot.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from understudy.engine import Analysis, Project
from understudy.facts import serial
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.index.dependencies import Described, Places, asked_of, describe, pattern_of, spelled
from understudy.index.hashes import MISSING, Hashes, content_of, hash_of, stamp_of
from understudy.index.kept_facts import as_bytes, digest, ours
from understudy.index.module import imports_in
from understudy.index.store import Entry
from understudy.index.workspace import Dependency, ValueOf, Workspace
from understudy.infer.fixtures import FIXTURES, outlined
from understudy.infer.plugins import settings_files
from understudy.infer.tier2 import Tier2
from understudy.jobs import Checked
from understudy.orm.attributes import BACKREFS, backrefs
from understudy.orm.indexes import DUPLICATES, with_duplicates
from understudy.orm.models import DECLARED, EXIST, OUTLINES, Models
from understudy.project.names import MARKERS, SETTINGS_FILES
from understudy.source.span import Span

_COMMON: Final = 4096
"""Things that many files rest on are bits of a number, the others are listed."""
_BITS: Final = [1 << number for number in range(_COMMON)]
_MOST_TRIES: Final = 200_000
"""Patterns times changed files: above it, no pattern is tried, and all are taken for changed."""
_FEW_TRIES: Final = 5_000
"""The same where somebody waits."""
VALUES: Final[Mapping[str, Callable[[Workspace], object]]] = {
    DECLARED: lambda workspace: Models(workspace).declared,
    EXIST: lambda workspace: Models(workspace).exist,
    OUTLINES: lambda workspace: Models(workspace).outlines,
    DUPLICATES: lambda workspace: with_duplicates(Models(workspace)),
    BACKREFS: lambda workspace: backrefs(Models(workspace)),
}
"""Makes the values again that analyses rest on; :func:`maker_of` knows more."""
_UNKNOWN: Final = "?"
"""The state of what changed while it was looked at: no state equals it."""


@dataclass(slots=True)
class _Kept:
    """What is known of one file. ``common`` and ``others`` number the things that it rests on."""

    common: int
    others: tuple[int, ...]
    everything: bool
    """It rests on more than is known: jedi was asked."""
    plain: bool
    problems: tuple[str, ...]
    """Without the path in front."""
    findings: list[Any]


@dataclass(slots=True)
class _Snapshot:
    """``states`` go with ``items``; the state of a pattern says which of ``files`` it matches, a bit each."""

    files: dict[str, str] = field(default_factory=dict)
    items: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    kept: dict[str, _Kept] = field(default_factory=dict)
    values: dict[str, list[int]] = field(default_factory=dict)
    """For each item that is a value, the numbers of what it was made from."""


class Results:
    """Of one project. Ask first (:meth:`known`), then tell what was found (:meth:`keep`)."""

    def __init__(self, project: Project, hashes: Hashes | None = None) -> None:
        """
        :param project: without kept facts it has no cache: nothing is known, and nothing kept.
        :param hashes: for a session of an editor: nothing is read whose stamp is known, nothing is worked out that
            takes long, and what is kept is kept apart from what checks found.
        """
        self._hashes = hashes
        facts = project.workspace.kept_facts
        self._project = project
        self._store = facts.store if facts is not None else None
        self._places = Places(project.workspace)
        self._snapshot = _Snapshot()
        self._contents: dict[str, bytes] = {}
        # No cached_property: before Python 3.12 a thread that waits for a disk would keep all others from theirs.
        self._all_stamps: dict[str, tuple[int, ...]] | None = None
        self._all_now: dict[str, str] | None = None
        self._own_scope: str | None = None

    # --- the workspace now

    @property
    def _now(self) -> dict[str, str]:
        """Every file of the workspace with the hash of its content."""
        if self._all_now is None:
            hashes, text = self._hashes, self._places.text
            if hashes is None:
                self._all_now = {text(name): hash_of(name) for name in self._stamps}
            else:
                self._all_now = {text(name): hashes.of(name, stamp) for name, stamp in self._stamps.items()}
        return self._all_now

    @property
    def _stamps(self) -> dict[str, tuple[int, ...]]:
        if self._all_stamps is None:
            files = map(str, self._project.workspace.files())
            self._all_stamps = {name: stamp_of(name) for name in files}
        return self._all_stamps

    def look(self) -> None:
        """Note how the files are. Before anything is analysed that is to be kept: what changes from now on is not
        vouched for."""
        _ = self._stamps

    @property
    def _scope(self) -> str:
        """What all the findings rest on: our own code, the configuration, the environment."""
        if self._own_scope is None:
            self._own_scope = self._make_scope()
        return self._own_scope

    def _make_scope(self) -> str:
        project, places = self._project, self._places
        environment, config = project.environment, project.config
        listing = project.workspace.finder.listing
        files = [str(path) for path in project.workspace.files()]
        folders = {os.path.dirname(path) for path in files} | {str(project.root)}
        for folder in list(folders):
            while (parent := os.path.dirname(folder)) not in folders:
                folders.add(parent)
                folder = parent
        settings = [str(path) for path in settings_files(project.root)]
        settings += [os.path.join(folder, name) for folder in sorted(folders) for name in SETTINGS_FILES]
        settings += [str(folder / "conftest.py") for folder in project.root.parents]
        told = (
            ours(),
            (config.select, config.ignore, config.per_file_ignores, config.exclude, config.test_patterns),
            [(selector, severity and severity.value) for selector, severity in config.severity],
            [places.text(str(path)) for path in config.source_roots],
            (project.workspace.target_version, environment.version, environment.running),
            [
                (places.text(str(f)), sorted(listing.peek(f)))
                for f in (*environment.site, *environment.stdlib)
            ],
            {places.text(path): state for path in settings if (state := hash_of(path)) != MISSING},
            [
                places.text(os.path.join(folder, marker))
                for folder in sorted(folders)
                for marker in MARKERS
                if stamp_of(os.path.join(folder, marker))
            ],
            "site-packages" in project.root.parts,
        )
        kind = "results" if self._hashes is None else "session"
        return f"{kind}:{digest(json.dumps(told, default=str).encode())}"

    # --- what is known

    def known(self, files: Iterable[Path]) -> dict[Path, Analysis]:
        """The analyses of an earlier check that one of today would give again."""
        if self._store is None or self._store.off:
            return {}
        data = self._store.latest(self._scope) if self._hashes is not None else self._same_or_latest()
        if data is None:
            return {}
        try:
            self._snapshot = _read(data)
            self._bring_up_to_date(self._snapshot)
            found = {}
            for path in files:
                kept = self._snapshot.kept.get(self._places.text(str(path)))
                if kept is not None:
                    found[path] = self._analysis(path, kept)
        except (ValueError, TypeError, KeyError, IndexError):
            # Damaged, or not by us.
            self._snapshot = _Snapshot()
            return {}
        return found

    def _same_or_latest(self) -> bytes | None:
        assert self._store is not None
        return self._store.get([self._key]).get(self._key) or self._store.latest(self._scope)

    @property
    def _key(self) -> str:
        """That of the snapshot of exactly these files."""
        return f"{self._scope}:{digest(json.dumps(sorted(self._now.items())).encode())}"

    def _bring_up_to_date(self, snapshot: _Snapshot) -> None:
        """Drop what no longer holds."""
        now, before = self._now, snapshot.files
        changed = {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}
        numbers = self._changed_items(snapshot, changed)
        if not numbers and not changed:
            return
        common = sum(_BITS[number] for number in numbers if number < _COMMON)
        others = {number for number in numbers if number >= _COMMON}
        snapshot.kept = {
            name: kept
            for name, kept in snapshot.kept.items()
            if not kept.everything and not kept.common & common and others.isdisjoint(kept.others)
        }
        snapshot.files = now

    def _changed_items(self, snapshot: _Snapshot, changed: set[str]) -> list[int]:
        """Numbers of the items whose state is another now; the states become today's."""
        numbers: list[int] = []
        before, now = _Bits(snapshot.files), _Bits(self._now)
        there = [name for name in changed if name in self._now]
        patterns = sum(item[0] == "p" for item in snapshot.items)
        too_many = patterns * len(there) > (_MOST_TRIES if self._hashes is None else _FEW_TRIES)
        hurried = too_many and self._hashes is not None
        for number, item in enumerate(snapshot.items):
            state = snapshot.states[number]
            if item[0] == "v":
                continue
            if item[0] != "p":
                today = self._state(item)
                same = today == state or (
                    item[0] in "mi" and not hurried and self._answers_the_same(item, state)
                )
            elif not changed and state != _UNKNOWN:
                continue
            elif too_many or state == _UNKNOWN:
                today, same = _UNKNOWN, False
            else:
                matched = before.names(state)
                pattern = pattern_of(item)
                matching_now = {name for name in there if self._matches(pattern, name)}
                today, same = now.bits((matched - changed) | matching_now), matched & changed == matching_now
            if not same:
                numbers.append(number)
            snapshot.states[number] = today
        return [*numbers, *self._changed_values(snapshot, set(numbers))]

    def _changed_values(self, snapshot: _Snapshot, changed: set[int]) -> list[int]:
        """Numbers of the values that are others now. Only those that were made from something that changed are made
        again."""
        numbers: list[int] = []
        made_anew = [
            (number, item)
            for number, item in enumerate(snapshot.items)
            if item[0] == "v"
            and (snapshot.states[number] == _UNKNOWN or not changed.isdisjoint(snapshot.values[item]))
        ]
        if made_anew:
            self.share_matches()
        for number, item in made_anew:
            make = maker_of(item[1:]) if self._hashes is None else None
            if make is None:
                today = _UNKNOWN
            else:
                make(self._project.workspace)
                described = describe(self._project.workspace, [ValueOf(item[1:])], self._places)
                today, behind = described.values[item]
                self._number([behind], described)
                known = {each: position for position, each in enumerate(snapshot.items)}
                snapshot.values[item] = [known[each] for each in behind]
            if today != snapshot.states[number] or today == _UNKNOWN:
                numbers.append(number)
            snapshot.states[number] = today
        return numbers

    def _state(self, item: str) -> str:
        """What a file contains, or a folder answers, in a form that can be compared."""
        if item[0] in "fmi":
            known = self._now.get(item[1:])
            return known if known is not None else hash_of(self._places.path(item[1:]))
        answer = self._project.workspace.finder.listing.answer(asked_of(item, self._places))
        return digest("\0".join(answer).encode("utf-8", "surrogateescape"))

    def _answers_the_same(self, item: str, earlier: str) -> bool:
        """Has a file, whose content was another earlier, the facts or the imports that it had?

        :param earlier: the hash of that content.
        """
        workspace = self._project.workspace
        if workspace.kept_facts is None:
            return False
        then = workspace.kept_facts.bytes_of(earlier)
        module = workspace.module(Path(self._places.path(item[1:]))) if then is not None else None
        if module is None or then is None:
            return False
        if item[0] == "m":
            return as_bytes(module.facts) == then
        try:
            return imports_in(serial.loads(then)) == module.imports
        except ValueError:
            return False

    def _matches(self, pattern: re.Pattern[bytes], name: str) -> bool:
        content = self._contents.get(name)
        if content is None:
            content = self._contents[name] = content_of(self._places.path(name)) or b""
        return pattern.search(content) is not None

    def share_matches(self) -> None:
        """Tell the workspace which files the patterns match that analyses rest on, after :meth:`known`. They need not
        be read for that."""
        if not self._snapshot.items:
            return
        names = dict(zip(self._now, self._project.workspace.files(), strict=True))
        bits = _Bits(self._now)
        for item, state in zip(self._snapshot.items, self._snapshot.states, strict=True):
            if item[0] == "p" and state != _UNKNOWN:
                matching = bits.names(state)
                self._project.workspace.know_matches(
                    pattern_of(item), {path: name in matching for name, path in names.items()}
                )

    def resting_on(self, is_chosen: Callable[[str], bool]) -> set[Path]:
        """The files whose findings are kept and rest on one of the chosen items, or on more than is known."""
        numbers = [number for number, item in enumerate(self._snapshot.items) if is_chosen(item)]
        common = sum(_BITS[number] for number in numbers if number < _COMMON)
        others = {number for number in numbers if number >= _COMMON}
        return {
            Path(self._places.path(name))
            for name, kept in self._snapshot.kept.items()
            if kept.everything or kept.common & common or not others.isdisjoint(kept.others)
        }

    # --- what is new

    def keep(self, checked: Sequence[Checked]) -> None:
        """Add what was found, and write it all down."""
        if self._store is None or self._store.off or not checked:
            return
        snapshot = self._snapshot
        snapshot.files = dict(self._now)
        described: list[Described] = []
        rests: list[tuple[Checked, list[str]]] = []
        asked: set[Dependency] = set()
        for item in checked:
            if not self._is_lasting(item):
                continue
            if item.rests is not None:
                described.append(item.rests.table.described)
                rests.append((item, item.rests.items()))
            else:
                asked |= item.analysis.rests_on
                rests.append((item, [spelled(each, self._places) for each in item.analysis.rests_on]))
        described.append(describe(self._project.workspace, asked, self._places))
        together = Described(
            {name: files for each in described for name, files in each.matching.items()},
            {name: value for each in described for name, value in each.values.items()},
        )
        self._number([items for _, items in rests], together)
        numbers = {item: number for number, item in enumerate(snapshot.items)}
        for done, items in rests:
            found = [numbers[item] for item in items]
            analysis = done.analysis
            snapshot.kept[self._places.text(str(analysis.path))] = _Kept(
                sum(_BITS[number] for number in found if number < _COMMON),
                tuple(sorted(number for number in found if number >= _COMMON)),
                bool(analysis.questions),
                analysis.plain,
                tuple(self._without_path(problem, analysis.path) for problem in analysis.problems),
                [_plain(finding, self._places) for finding in analysis.findings],
            )
        self._leave_out_what_moved()
        same = f"{self._scope}:{digest(json.dumps(sorted(snapshot.files.items())).encode())}"
        self._store.put([Entry(same, _written(snapshot), self._scope)])
        if self._hashes is not None:
            self._hashes.flush()

    def _is_lasting(self, checked: Checked) -> bool:
        """Not when something went wrong that may go right the next time."""
        analysis = checked.analysis
        if checked.crashes or analysis.unreadable:
            return False
        tier2 = self._project.tier2
        return not analysis.questions or (isinstance(tier2, Tier2) and not tier2.has_failed)

    def _number(self, rests: Sequence[Sequence[str]], described: Described) -> None:
        """Give every item a number and its state; those that most files rest on come first."""
        snapshot = self._snapshot
        if not snapshot.kept:
            # Nothing is numbered yet that would have to stay.
            snapshot.items, snapshot.states, snapshot.values = [], [], {}
        known = set(snapshot.items)
        now = _Bits(self._now)
        behind = [made_from for _, made_from in described.values.values()]
        uses = Counter(item for items in (*rests, *behind) for item in items if item not in known)
        for item, _ in uses.most_common():
            snapshot.items.append(item)
            snapshot.states.append(_UNKNOWN)
        numbers = {item: number for number, item in enumerate(snapshot.items)}
        for item, number in numbers.items():
            if snapshot.states[number] != _UNKNOWN:
                continue
            if item in described.matching:
                snapshot.states[number] = now.bits(described.matching[item])
            elif item in described.values:
                snapshot.states[number] = described.values[item][0]
            elif item[0] not in "pv":
                snapshot.states[number] = self._state(item)
        for item, (_, made_from) in described.values.items():
            snapshot.values[item] = [numbers[each] for each in made_from]

    def _leave_out_what_moved(self) -> None:
        """What was written to while we looked: nobody knows which content was analysed."""
        moved = {self._places.text(name) for name, stamp in self._stamps.items() if stamp_of(name) != stamp}
        if moved:
            for name in moved:
                self._snapshot.files[name] = _UNKNOWN
            self._snapshot.states = [
                _UNKNOWN if item[0] in "pv" or item[1:] in moved else state
                for item, state in zip(self._snapshot.items, self._snapshot.states, strict=True)
            ]

    # --- paths in problems

    def _without_path(self, problem: str, path: Path) -> str:
        shown = self._project.display(path)
        return problem.removeprefix(shown)

    def _analysis(self, path: Path, kept: _Kept) -> Analysis:
        shown = self._project.display(path)
        findings = tuple(_finding(each, self._places) for each in kept.findings)
        problems = tuple(f"{shown}{problem}" for problem in kept.problems)
        return Analysis(path, findings, frozenset(), problems, plain=kept.plain)


def maker_of(key: str) -> Callable[[Workspace], object] | None:
    """What makes a value again; None where nothing does."""
    if key.startswith(FIXTURES):
        return lambda workspace: outlined(workspace, key.removeprefix(FIXTURES))
    return VALUES.get(key)


class _Bits:
    """Sets of files as numbers, a bit each in the order of their names."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._names = sorted(files)

    @cached_property
    def _bit(self) -> dict[str, int]:
        return {name: 1 << number for number, name in enumerate(self._names)}

    def bits(self, names: Iterable[str]) -> str:
        bit = self._bit
        return format(sum(bit[name] for name in names if name in bit), "x")

    def names(self, bits: str) -> set[str]:
        digits = bin(int(bits, 16))[:1:-1]
        return {name for name, digit in zip(self._names, digits, strict=False) if digit == "1"}


# --- as bytes


def _written(snapshot: _Snapshot) -> bytes:
    common: dict[int, int] = {}
    kept = [
        (
            name,
            common.setdefault(each.common, len(common)),
            each.others,
            each.everything,
            each.plain,
            each.problems,
            each.findings,
        )
        for name, each in sorted(snapshot.kept.items())
    ]
    data = {
        "files": snapshot.files,
        "items": snapshot.items,
        "states": snapshot.states,
        "common": [format(each, "x") for each in common],
        "kept": kept,
        "values": snapshot.values,
    }
    return json.dumps(data, separators=(",", ":")).encode("ascii")


def _read(data: bytes) -> _Snapshot:
    """
    :raises ValueError, TypeError, KeyError: no snapshot.
    """
    found = json.loads(data)
    common = [int(each, 16) for each in found["common"]]
    kept = {
        name: _Kept(common[number], tuple(others), bool(everything), bool(plain), tuple(problems), findings)
        for name, number, others, everything, plain, problems, findings in found["kept"]
    }
    snapshot = _Snapshot(
        dict(found["files"]), list(found["items"]), list(found["states"]), kept, found["values"]
    )
    if len(snapshot.items) != len(snapshot.states):
        raise ValueError("no snapshot")
    return snapshot


def _plain(finding: Finding, places: Places) -> list[Any]:
    return [
        finding.code,
        finding.name,
        finding.severity.value,
        finding.message,
        places.text(str(finding.path)),
        finding.span,
        [(places.text(str(each.path)), each.span, each.message) for each in finding.related],
        [
            (
                fix.title,
                fix.applicability.value,
                [(places.text(str(edit.path)), edit.span, edit.content) for edit in fix.edits],
            )
            for fix in finding.fixes
        ],
        finding.unnecessary,
    ]


def _finding(plain: Any, places: Places) -> Finding:
    code, name, severity, message, path, span, related, fixes, unnecessary = plain
    return Finding(
        code,
        name,
        Severity(severity),
        message,
        Path(places.path(path)),
        Span(*span),
        tuple(Related(Path(places.path(path)), Span(*span), text) for path, span, text in related),
        tuple(
            Fix(
                title,
                Applicability(applicability),
                tuple(Edit(Path(places.path(path)), Span(*span), content) for path, span, content in edits),
            )
            for title, applicability, edits in fixes
        ),
        unnecessary,
    )
