"""A file that says which findings there were on some day, so that only later ones count.

Findings are matched by their fingerprints (:mod:`understudy.report.fingerprint`), never by rows. The file is JSON, a
finding a line, so that version control merges it; names in it are relative to its own folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.finding import Finding
from understudy.report.fingerprint import ParsedOf, fingerprints

_VERSION = 1
_KEYS = ("filename", "code", "fingerprint", "message")


class BaselineError(Exception):
    """The file cannot be read or written, or is none; ``str()`` says why."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A finding of that day. ``message`` is there for people."""

    filename: str
    code: str
    fingerprint: str
    message: str


@dataclass(frozen=True)
class Comparison:
    """Findings beside a baseline."""

    new: list[Finding]
    """Those that it has not, in order."""
    known: int
    """How many it has."""
    missing: list[Entry]
    """Its entries that are no finding now, in order."""


class Baseline:
    """The entries, and the folder that their names are relative to."""

    def __init__(self, file: Path, entries: Iterable[Entry] = ()) -> None:
        self.file = file
        self.folder = Path(os.path.abspath(file)).parent
        self.entries = sorted(entries)

    @classmethod
    def load(cls, file: Path) -> Baseline:
        """
        :raises BaselineError: it cannot be read, or is none. It is never overwritten then.
        """
        try:
            content = json.loads(file.read_bytes())
            if content["understudy-baseline"] != _VERSION:
                raise BaselineError(
                    f"{file}: is a baseline of another version of Understudy; delete it and write it anew with "
                    "--write-baseline"
                )
            return cls(file, [_entry(item) for item in content["findings"]])
        except FileNotFoundError:
            raise BaselineError(f"{file}: there is no such file; write it with --write-baseline") from None
        except OSError as error:
            raise BaselineError(f"{file}: {(error.strerror or str(error)).lower()}") from None
        except (ValueError, KeyError, TypeError):
            raise BaselineError(f"{file}: is no baseline; choose another name, or delete it first") from None

    def save(self) -> None:
        """
        :raises BaselineError: it cannot be written.
        """
        listed = ",\n".join(f"    {json.dumps(_object(entry))}" for entry in self.entries)
        findings = f"[\n{listed}\n  ]" if listed else "[]"
        try:
            self.file.write_text(
                f'{{\n  "understudy-baseline": {_VERSION},\n  "findings": {findings}\n}}\n',
                "ascii",
                newline="\n",
            )
        except OSError as error:
            raise BaselineError(f"{self.file}: {(error.strerror or str(error)).lower()}") from None

    def path(self, entry: Entry) -> Path:
        """The file of an entry, absolute."""
        return Path(os.path.normpath(self.folder / entry.filename))

    def anew(self, findings: Sequence[Finding], parsed_of: ParsedOf, kept: Iterable[Entry]) -> Baseline:
        """One with these findings, and some entries of this one."""
        return Baseline(self.file, [*self.entries_of(findings, parsed_of), *kept])

    def entries_of(self, findings: Sequence[Finding], parsed_of: ParsedOf) -> list[Entry]:
        """What it would say of findings, in their order."""
        return [
            Entry(self._filename(finding.path), finding.code, fingerprint, finding.message)
            for finding, fingerprint in zip(findings, fingerprints(findings, parsed_of), strict=True)
        ]

    def compare(
        self, findings: Sequence[Finding], parsed_of: ParsedOf, exists: Callable[[Path], bool] = Path.exists
    ) -> Comparison:
        """A finding is known when its file has an entry with its fingerprint, or else when another file had one that
        is not there any more: it got another name.

        :param findings: all of the files that were checked, in order.
        """
        left = {(entry.filename, entry.fingerprint): entry for entry in self.entries}
        unknown: list[tuple[Finding, Entry]] = []
        for finding, entry in zip(findings, self.entries_of(findings, parsed_of), strict=True):
            if left.pop((entry.filename, entry.fingerprint), None) is None:
                unknown.append((finding, entry))
        moved: dict[str, list[Entry]] = {}
        for entry in left.values():
            if not exists(self.path(entry)):
                moved.setdefault(entry.fingerprint, []).append(entry)
        new: list[Finding] = []
        for finding, entry in unknown:
            earlier = moved.get(entry.fingerprint)
            if earlier:
                gone = earlier.pop(0)
                del left[gone.filename, gone.fingerprint]
            else:
                new.append(finding)
        return Comparison(new, len(findings) - len(new), sorted(left.values()))

    def _filename(self, path: Path) -> str:
        try:
            return Path(os.path.relpath(path, self.folder)).as_posix()
        except ValueError:  # another drive of Windows
            return path.as_posix()


def _entry(item: Any) -> Entry:
    values = [item[key] for key in _KEYS]
    if not all(isinstance(value, str) for value in values):
        raise TypeError
    return Entry(*values)


def _object(entry: Entry) -> dict[str, str]:
    return {key: getattr(entry, key) for key in _KEYS}
