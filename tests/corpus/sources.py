"""The distributions of ``corpus.toml``: fetched from the package index, verified, unpacked. Nothing is built or run."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pip._internal.models.index import PyPI
from unearth import PackageFinder
from unearth.errors import UnpackError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

INDEX = os.environ.get("PIP_INDEX_URL") or PyPI.simple_url
_STAMP = Path(".git") / "unpacked-from"
"""An unpacked archive is the whole of a repository: the search for configuration must not go on above it."""


class FetchError(Exception):
    """``str()`` says which distribution could not be had, and why."""


@dataclass(frozen=True)
class Distribution:
    """A source distribution, pinned by the hash of its archive."""

    name: str
    version: str
    sha256: str
    note: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def load(file: Path) -> list[Distribution]:
    """All that a ``corpus.toml`` lists, by name."""
    content: dict[str, list[dict[str, Any]]] = tomllib.loads(file.read_text("utf-8"))
    return sorted((Distribution(**item) for item in content["distribution"]), key=lambda item: item.name)


def unpacked(distribution: Distribution, cache: Path, index: str = INDEX) -> Path:
    """The folder with a distribution's files, fetched when it is not there yet.

    :raises FetchError: the index cannot be reached, has no such archive, or has another one.
    """
    folder = cache / "src" / f"{distribution.name}-{distribution.version}"
    stamp = folder / _STAMP
    if stamp.is_file() and stamp.read_text("utf-8") == distribution.sha256:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    finder = PackageFinder(index_urls=[index], no_binary=[":all:"])
    try:
        best = finder.find_best_match(f"{distribution.name}=={distribution.version}").best
        if best is None:
            raise FetchError(f"{distribution}: {index} has no source distribution of it")
        hashes = {"sha256": [distribution.sha256]}
        finder.download_and_unpack(best.link, partial, cache / "archives", hashes=hashes)
    except (UnpackError, OSError) as error:
        raise FetchError(f"{distribution}: {error}") from error
    (partial / _STAMP).parent.mkdir()
    (partial / _STAMP).write_text(distribution.sha256, "utf-8")
    partial.rename(folder)
    return folder
