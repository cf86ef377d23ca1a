"""From findings to changed files: choose fixes that go together, apply them, write them, or show a diff.

A fix is applied as a whole or not at all, also when it spans files.
"""

from __future__ import annotations

import ast
import difflib
import os
import re
import shutil
import stat
import tempfile
import warnings
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from understudy.finding import Applicability, Edit, Finding, Fix
from understudy.source.span import Span
from understudy.source.text import SourceError, Text, decode

_NEWLINE = re.compile(r"\r\n|\r|\n")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def apply_edits(text: Text, edits: Iterable[Edit]) -> Text:
    """The text with all edits applied. Identical edits count once; insertions at one position stand in the
    order given, before a replacement that starts there. New lines get the line ending of the file.

    :raises ValueError: two edits overlap.
    """
    ranges = sorted(
        (
            (text.offset(*edit.span[:2]), text.offset(*edit.span[2:]), edit)
            for edit in dict.fromkeys(edits)  # keeps the order
        ),
        key=lambda item: item[:2],
    )
    parts: list[str] = []
    position = 0
    for start, end, edit in ranges:
        if start < position or end < start:
            raise ValueError(f"overlapping edits at {edit.path}:{edit.span.row + 1}:{edit.span.column + 1}")
        parts += (text.content[position:start], _inserted(text, edit))
        position = end
    parts.append(text.content[position:])
    return text.replaced("".join(parts))


def _inserted(text: Text, edit: Edit) -> str:
    content = _NEWLINE.sub(text.newline, edit.content)
    if edit.span.row >= text.row_count and content and not content.startswith(text.newline):
        # A line behind the last one, which has no line ending of its own.
        return text.newline + content
    return content


@dataclass(frozen=True, slots=True)
class Plan:
    """Fixes that can be applied together."""

    chosen: tuple[tuple[Finding, Fix], ...] = ()
    deferred: tuple[Finding, ...] = ()
    """Their fix overlaps one that was chosen: check again after writing."""

    @property
    def applied(self) -> tuple[Finding, ...]:
        return tuple(finding for finding, _ in self.chosen)

    @property
    def edits(self) -> dict[Path, tuple[Edit, ...]]:
        """By file, each edit once, in the order they were chosen."""
        by_file: dict[Path, dict[Edit, None]] = {}
        for _, fix in self.chosen:
            for edit in fix.edits:
                by_file.setdefault(edit.path, {})[edit] = None
        return {path: tuple(edits) for path, edits in sorted(by_file.items())}

    def without(self, paths: Iterable[Path]) -> Plan:
        """The plan without the fixes that touch one of these files."""
        refused = frozenset(paths)
        return Plan(
            tuple((f, fix) for f, fix in self.chosen if refused.isdisjoint(edit.path for edit in fix.edits)),
            self.deferred,
        )


def applicable(finding: Finding, *, unsafe: bool) -> Fix | None:
    """The first fix that may be applied: safe ones, and unsafe ones when allowed."""
    for fix in finding.fixes:
        if fix.edits and (unsafe or fix.applicability is Applicability.SAFE):
            return fix
    return None


def plan(findings: Iterable[Finding], *, unsafe: bool) -> Plan:
    """Choose one fix per finding; findings that come first win over later ones that overlap them."""
    files: dict[Path, _Accepted] = {}
    chosen: list[tuple[Finding, Fix]] = []
    deferred: list[Finding] = []
    for finding in findings:
        fix = applicable(finding, unsafe=unsafe)
        if fix is None:
            continue
        if _agrees_with_itself(fix) and all(
            edit.path not in files or files[edit.path].admits(edit) for edit in fix.edits
        ):
            chosen.append((finding, fix))
            for edit in fix.edits:
                files.setdefault(edit.path, _Accepted()).add(edit)
        else:
            deferred.append(finding)
    return Plan(tuple(chosen), tuple(deferred))


class _Accepted:
    """The accepted edits of one file, none of which overlap."""

    def __init__(self) -> None:
        self._edits: set[Edit] = set()
        self._replaced: list[Span] = []
        self._inserted: dict[tuple[int, int], list[Edit]] = {}
        self._insertions: list[tuple[int, int]] = []

    def admits(self, edit: Edit) -> bool:
        span = edit.span
        if edit in self._edits:
            # One import for two fixes is shared. Half of a pair is not: `(await ` belongs to its own `)`.
            return _balanced(edit.content)
        after = bisect_left(self._replaced, span)
        if any(span.overlaps(other) for other in self._replaced[max(after - 1, 0) : after + 1]):
            return False
        if span[:2] == span[2:]:
            others = self._inserted.get(span[:2], ())
            # Which of two halves goes inside cannot be known from here.
            return not others or (_balanced(edit.content) and all(_balanced(o.content) for o in others))
        first = bisect_right(self._insertions, span[:2])
        return first == len(self._insertions) or self._insertions[first] >= span[2:]

    def add(self, edit: Edit) -> None:
        if edit in self._edits:
            return
        self._edits.add(edit)
        if edit.span[:2] == edit.span[2:]:
            self._inserted.setdefault(edit.span[:2], []).append(edit)
            insort(self._insertions, edit.span[:2])
        else:
            insort(self._replaced, edit.span)


def _agrees_with_itself(fix: Fix) -> bool:
    edits = sorted(set(fix.edits))
    return not any(
        first.path == second.path and first.span.overlaps(second.span) for first, second in pairwise(edits)
    )


def _balanced(content: str) -> bool:
    """False when the content is one half of something around other code: ``f(`` or ``)``."""
    open_brackets: list[str] = []
    for character in content:
        if character in "([{":
            open_brackets.append(character)
        elif character in _PAIRS and (not open_brackets or open_brackets.pop() != _PAIRS[character]):
            return False
    return not open_brackets and content.count('"') % 2 == 0 and content.count("'") % 2 == 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is left as it was, and why: ``reason`` reads on from the file's name."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A file before and after its fixes."""

    path: Path
    before: Text
    after: Text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan. ``plan`` holds only the fixes that took part."""

    plan: Plan
    changed: tuple[Changed, ...] = ()
    refused: tuple[Refusal, ...] = ()


def preview(plan: Plan, text_of: Callable[[Path], Text]) -> Outcome:
    """Apply a plan in memory. A file whose result would be broken is refused, and with it every fix that
    touches it; the rest is kept."""
    refused: dict[Path, str] = {}
    while True:
        changed: list[Changed] = []
        failed: dict[Path, str] = {}
        for path, edits in plan.edits.items():
            try:
                before = text_of(path)
                after = apply_edits(before, edits)
            except (SourceError, ValueError) as error:
                failed[path] = str(error)
                continue
            reason = _objection(before, after)
            if reason is not None:
                failed[path] = reason
            elif after.content != before.content:
                changed.append(Changed(path, before, after))
        if not failed:
            return Outcome(plan, tuple(changed), tuple(Refusal(*item) for item in refused.items()))
        refused |= failed
        plan = plan.without(failed)


def write_fixed(plan: Plan, text_of: Callable[[Path], Text]) -> Outcome:
    """Apply a plan and write the files. Each is replaced in one step, and only when its bytes on disk are
    those that were checked. Permissions, links, line endings, encoding and byte order mark stay."""
    refused: dict[Path, str] = {}
    while True:
        outcome = preview(plan, text_of)
        refused |= {refusal.path: refusal.reason for refusal in outcome.refused}
        prepared: list[_Prepared] = []
        failed: dict[Path, str] = {}
        try:
            for change in outcome.changed:
                item = _prepare(change)
                if isinstance(item, str):
                    failed[change.path] = item
                else:
                    prepared.append(item)
            if not failed:
                failed = _replace_all(prepared)
        finally:
            for item in prepared:
                item.temporary.unlink(missing_ok=True)
        if not failed:
            return Outcome(outcome.plan, outcome.changed, tuple(Refusal(*item) for item in refused.items()))
        refused |= failed
        plan = outcome.plan.without(failed)


def diff(changed: Iterable[Changed], base: Path) -> str:
    """A unified diff that ``patch -p0`` accepts in ``base``. As there, lines end at ``\\n`` only."""
    parts: list[str] = []
    for change in changed:
        name = _relative(change.path, base)
        for line in difflib.unified_diff(_lines(change.before), _lines(change.after), name, name):
            parts.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(parts)


def _lines(text: Text) -> list[str]:
    lines = text.content.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _relative(path: Path, base: Path) -> str:
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return path.as_posix()


def _objection(before: Text, after: Text) -> str | None:
    try:
        raw = after.encode()
    except UnicodeEncodeError as error:
        character = after.content[error.start : error.end]
        return f"cannot hold {character!a} in its encoding, {after.encoding}"
    try:
        read_back = decode(raw)
    except SourceError as error:
        return str(error)
    if read_back.content != after.content:
        return "would be read in another encoding after the fixes"
    for reads in (ast.parse, _compile):
        error_after = _refusal(reads, after.content)
        if error_after is not None and _refusal(reads, before.content) is None:
            return f"would not parse after the fixes: {error_after}"
    return None


def _compile(content: str) -> object:
    """Refuses more than the parser does: `await` in a plain function, a `__future__` import that is not first."""
    return compile(content, "<fixed>", "exec", dont_inherit=True)


def _refusal(reads: Callable[[str], object], content: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reads(content)
    except SyntaxError as error:
        return f"{error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return None


@dataclass(frozen=True, slots=True)
class _Prepared:
    change: Changed
    target: Path
    temporary: Path


def _prepare(change: Changed) -> _Prepared | str:
    """Write the new content beside the file, or say why that cannot be."""
    # The link's target is what gets replaced, so that a link stays a link.
    target = Path(os.path.realpath(change.path))
    reason = _differs(target, change.before)
    if reason is not None:
        return reason
    if not os.access(target, os.W_OK):
        return "is read-only"
    try:
        handle, name = tempfile.mkstemp(prefix=".understudy-", suffix=".tmp", dir=target.parent)
    except OSError as error:
        return f"cannot be written: no new file can be made in its folder ({_reason(error)})"
    try:
        with open(handle, "wb") as file:
            file.write(change.after.encode())
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(target, name)
        _copy_owner(target, name)
    except OSError as error:
        os.unlink(name)
        return f"cannot be written: {_reason(error)}"
    return _Prepared(change, target, Path(name))


def _copy_owner(target: Path, name: str) -> None:
    if os.name == "posix":
        wanted, got = target.stat(), os.stat(name)
        if (wanted.st_uid, wanted.st_gid) != (got.st_uid, got.st_gid):
            # Only root may: for others the file becomes theirs, as with any editor that replaces files.
            with suppress(OSError):
                os.chown(name, wanted.st_uid, wanted.st_gid)
                os.chmod(name, stat.S_IMODE(wanted.st_mode))


def _differs(target: Path, before: Text) -> str | None:
    try:
        same = target.read_bytes() == before.encode()
    except OSError as error:
        return f"cannot be read: {_reason(error)}"
    return None if same else "has changed since it was checked"


def _replace_all(prepared: Sequence[_Prepared]) -> dict[Path, str]:
    """Put all temporaries in place; after a failure, put back what was replaced and name the file."""
    done: list[_Prepared] = []
    for item in prepared:
        reason = _differs(item.target, item.change.before) or _replace(item)
        if reason is not None:
            lost = "".join(
                f"; {other.change.path} could not be put back" for other in done if not _put_back(other)
            )
            return {item.change.path: reason + lost}
        done.append(item)
    for folder in {item.target.parent for item in done}:
        _sync_folder(folder)
    return {}


def _replace(item: _Prepared) -> str | None:
    try:
        os.replace(item.temporary, item.target)
    except OSError as error:
        return f"cannot be written: {_reason(error)}"
    return None


def _put_back(item: _Prepared) -> bool:
    try:
        item.target.write_bytes(item.change.before.encode())
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
