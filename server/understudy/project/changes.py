"""What a branch touches, as git says it.

git is the only program that is ever started; it is told to run none of those that a repository can name (file system
monitors, external diffs, text converters), and to write nothing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_NO_PROGRAMS = ("-c", "core.fsmonitor=false", "--no-pager", "--no-optional-locks")
_DIFF = (
    "diff",
    "--name-status",
    "-z",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=all",
)


class ChangesError(Exception):
    """git cannot say it; ``str()`` says why, and what to do."""


@dataclass(frozen=True)
class Changes:
    """Files that are not now what they were, all paths absolute. A renamed file was deleted and made."""

    files: frozenset[Path]
    made: frozenset[Path]
    """Those that there were not."""
    deleted: frozenset[Path]
    """Those that there are no more."""
    before: Mapping[Path, bytes]
    """What was in the Python files among them that there were."""
    folders_before: frozenset[Path]
    """All folders that had files, the top one included."""


def changed_since(folder: Path, revision: str) -> Changes:
    """What is different in the working tree since the branch left ``revision``: committed, staged, or neither, and
    files that git does not know yet.

    :param folder: anywhere in the repository, absolute.
    :raises ChangesError: no repository, no such revision, no git.
    """
    # Not --show-toplevel, which follows symbolic links: our paths do not.
    depth = _asked(folder, "rev-parse", "--show-prefix").count(b"/")
    top = folder.parents[depth - 1] if depth else folder
    start = _start(top, revision)
    made: set[str] = set()
    deleted: set[str] = set()
    other: set[str] = set()
    listed = _names(_asked(top, *_DIFF, start, "--"))
    for status, name in zip(listed[::2], listed[1::2], strict=True):
        {"A": made, "D": deleted}.get(status[:1], other).add(name)
    # A file that was taken out of the index and left in the folder is known to both.
    for name in _names(_asked(top, "ls-files", "--others", "--exclude-standard", "-z")):
        if name in deleted:
            deleted.discard(name)
            other.add(name)
        else:
            made.add(name)
    folders = _names(_asked(top, "ls-tree", "-r", "-d", "-z", "--name-only", start))
    old = sorted(name for name in deleted | other if name.endswith(".py"))
    return Changes(
        frozenset(top / name for name in made | deleted | other),
        frozenset(top / name for name in made),
        frozenset(top / name for name in deleted),
        {top / name: content for name, content in _contents(top, start, old).items()},
        frozenset((top, *(top / name for name in folders))),
    )


def _start(top: Path, revision: str) -> str:
    """Where the branch left the revision."""
    shallow = _asked(top, "rev-parse", "--is-shallow-repository").strip() == b"true"
    hint = (
        "; this clone is shallow: fetch more of its history (fetch-depth: 0 in GitHub Actions)"
        if shallow
        else ""
    )
    named = _run(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if named.returncode != 0:
        raise ChangesError(f"git knows no revision {revision!r}{hint}")
    commit = named.stdout.decode("ascii").strip()
    base = _run(top, "merge-base", commit, "HEAD")
    if base.returncode == 0:
        return base.stdout.decode("ascii").split()[0]
    if shallow:
        raise ChangesError(f"git does not see where this branch left {revision!r}{hint}")
    # Two histories that have nothing in common.
    return commit


def _contents(top: Path, commit: str, names: Iterable[str]) -> dict[str, bytes]:
    """Files of a commit; what is none there (a submodule) is left out."""
    wanted = list(names)
    if not wanted:
        return {}
    objects = _names(_asked(top, "ls-tree", "-r", "-z", commit))
    ids = {}
    for line in objects:
        about, _, name = line.partition("\t")
        _, kind, object_id = about.split()
        if kind == "blob":
            ids[name] = object_id
    present = [name for name in wanted if name in ids]
    raw = _asked(
        top, "cat-file", "--batch", given="".join(f"{ids[name]}\n" for name in present).encode("ascii")
    )
    found: dict[str, bytes] = {}
    at = 0
    for name in present:
        end = raw.index(b"\n", at)
        size = int(raw[at:end].split()[2])
        found[name] = raw[end + 1 : end + 1 + size]
        at = end + size + 2
    return found


def _names(listed: bytes) -> list[str]:
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _asked(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    done = _run(folder, *arguments, given=given)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        words = said[0].removeprefix("fatal: ") if said else f"exit status {done.returncode}"
        if "not a git repository" in words:
            words = f"{folder} is in no git repository"
        raise ChangesError(words)
    return done.stdout


def _run(folder: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *_NO_PROGRAMS, *arguments],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            input=given,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise ChangesError("git is not installed, or not on the PATH") from None
    except OSError as error:
        raise ChangesError(f"git cannot be started: {(error.strerror or str(error)).lower()}") from None
