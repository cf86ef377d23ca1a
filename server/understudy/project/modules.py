"""Module names to files and back, as the import system of a pytest run would find them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from understudy.project.config import pytest_of
from understudy.project.environment import Environment
from understudy.source.disk import looking

_COMPILED = (".so", ".pyd", ".pyx")
"""Cython's sources, too: what is made of them is not always there."""


class Kind(Enum):
    SOURCE = "source"
    NAMESPACE = "namespace"
    OPAQUE = "opaque"
    """Compiled or built in: it exists, its names are unknown."""


@dataclass(frozen=True)
class ModuleFile:
    """A module found on the search path. ``name`` is the one it was asked for by; the file identifies it."""

    name: str
    kind: Kind
    path: Path | None
    """The ``.py`` file (``__init__.py`` of a package); None for namespace packages and built-in modules."""
    folders: tuple[Path, ...]
    """Where its submodules are; empty for plain modules."""
    workspace: bool

    @property
    def is_package(self) -> bool:
        return bool(self.folders)


@dataclass(frozen=True)
class Roots:
    """Folders that stand on ``sys.path`` in a test run, most certain first."""

    certain: tuple[Path, ...]
    """The file's own root (pytest's *prepend* import mode), ``pythonpath``, ``source-roots``, project."""
    likely: tuple[Path, ...]
    """Folders from which the tests may be started: asked only when the environment has no such module."""

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """What the paths of files below all these folders begin with."""
        return tuple(os.path.join(root, "") for root in (*self.certain, *self.likely))


class Asked(NamedTuple):
    """A question about a folder: what it has under a name without suffix (``conftest``: a folder, ``conftest.py``,
    ``conftest.so``…); with an empty name, all that it has; with :data:`PACKAGES`, which packages are in its folders."""

    folder: str
    name: str


PACKAGES: Final = "*/*/__init__.py"


class Listing:
    """Cached folder listings: one ``scandir`` per folder instead of a ``stat`` per guess."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, bool]] = {}
        self._stems: dict[str, dict[str, list[str]]] = {}
        self._recorders: list[set[Asked]] = []

    def entries(self, folder: Path | str) -> dict[str, bool]:
        """Names in a folder, but hidden ones; the value says whether it is a folder itself."""
        self.note(str(folder), "")
        return self.peek(folder)

    def has(self, folder: Path, file: str) -> bool:
        """Is there a file ``name.py``?"""
        self.note(str(folder), file.partition(".")[0])
        return file in self.peek(folder)

    def peek(self, folder: Path | str) -> dict[str, bool]:
        """As :meth:`entries`, for those who note themselves what they ask."""
        key = str(folder)
        found = self._folders.get(key)
        if found is None:
            found = {}
            try:
                with looking(key), os.scandir(key) as entries:
                    for entry in entries:
                        # What Python and tools leave behind comes and goes.
                        if entry.name != "__pycache__" and not entry.name.startswith("."):
                            found[entry.name] = _is_folder(entry)
            except OSError:
                pass
            self._folders[key] = found
        return found

    def answer(self, asked: Asked) -> list[str]:
        """What there is to say to a question, in a form that can be compared; folders end with ``/``."""
        if asked.name == "":
            return sorted(self._spelled(asked.folder))
        if asked.name == PACKAGES:
            return [path.name for path in self.with_packages(Path(asked.folder))]
        return self.named(asked.folder, asked.name)

    def named(self, folder: str, stem: str) -> list[str]:
        """What there is under a name without suffix, for those who note themselves what they ask; folders end with
        ``/``."""
        stems = self._stems.get(folder)
        if stems is None:
            stems = self._stems[folder] = {}
            for name in sorted(self._spelled(folder)):
                stems.setdefault(name.rstrip("/").partition(".")[0], []).append(name)
        return stems.get(stem, [])

    def _spelled(self, folder: str) -> list[str]:
        return [f"{name}/" if is_folder else name for name, is_folder in self.peek(folder).items()]

    def with_packages(self, root: Path) -> list[Path]:
        """``backend/``, ``src/``, ``server/``: folders that are no packages but hold some."""
        self.note(str(root), PACKAGES)
        found = []
        for name, is_folder in sorted(self.peek(root).items()):
            if not is_folder or name.startswith("__") or not name.isidentifier():
                continue
            child = root / name
            inside = self.peek(child)
            if "__init__.py" not in inside and any(
                is_dir and "__init__.py" in self.peek(child / entry) for entry, is_dir in inside.items()
            ):
                found.append(child)
        return found

    def note(self, folder: str, name: str) -> None:
        """Somebody asked what a folder has under a name."""
        for recorder in self._recorders:
            recorder.add(Asked(folder, name))

    def depend_on(self, asked: Collection[Asked]) -> None:
        """Count questions as asked: for answers that were found in a cache."""
        for recorder in self._recorders:
            recorder.update(asked)

    @contextmanager
    def recording(self) -> Iterator[set[Asked]]:
        """Collects what is asked in the block."""
        seen: set[Asked] = set()
        self._recorders.append(seen)
        try:
            yield seen
        finally:
            # By identity: two recorders may have seen the same.
            self._recorders = [recorder for recorder in self._recorders if recorder is not seen]

    @contextmanager
    def unnoticed(self) -> Iterator[None]:
        """What is asked in the block is nobody's but its own."""
        recorders, self._recorders = self._recorders, []
        try:
            yield
        finally:
            self._recorders = recorders

    def forget(self) -> None:
        self._folders.clear()
        self._stems.clear()


class ModuleFinder:
    """Finds modules for one workspace and one environment."""

    def __init__(
        self,
        root: Path,
        environment: Environment,
        source_roots: tuple[Path, ...],
        path_of_tests: Callable[[Path], tuple[Path, ...]] = lambda folder: (),
    ) -> None:
        self.root = root
        self.path_of_tests = path_of_tests
        """What the nearest pytest configuration of a folder puts on the path."""
        self.environment = environment
        self.source_roots = source_roots
        self.listing = Listing()
        self._found: dict[tuple[str, Path], tuple[ModuleFile | None, tuple[Asked, ...]]] = {}
        self._roots: dict[Path, tuple[Roots, tuple[Asked, ...]]] = {}
        self._folders: dict[Path, Path] = {}
        """Of files; a path is slow to take apart."""

    @cached_property
    def _stdlib_names(self) -> frozenset[str]:
        return frozenset(sys.stdlib_module_names)

    def forget(self) -> None:
        """After files were created, renamed or deleted."""
        self.listing.forget()
        self._found.clear()
        self._roots.clear()
        self._folders.clear()

    def roots_for(self, importer: Path) -> Roots:
        """The search path that code in ``importer`` sees when pytest runs it or imports it."""
        folder = importer.parent
        known = self._roots.get(folder)
        if known is None:
            with self.listing.recording() as asked:
                roots = self._roots_for(folder)
            known = self._roots[folder] = (roots, tuple(asked))
        self.listing.depend_on(known[1])
        return known[0]

    def _roots_for(self, folder: Path) -> Roots:
        package_root = self.package_root(folder)
        inserts = pytest_of(folder).import_mode != "importlib"
        certain = [package_root] if inserts and self._inside(package_root) else []
        ancestors: list[Path] = []
        current = folder
        while self._inside(current):
            ancestors.append(current)
            if current == current.parent:
                break
            current = current.parent
        # pytest inserts the root of every conftest.py above a test file, too.
        certain.extend(
            self.package_root(ancestor)
            for ancestor in ancestors
            if inserts and self.listing.has(ancestor, "conftest.py")
        )
        certain.extend(self.path_of_tests(folder))
        certain.extend(self.source_roots)
        certain.append(self.root)
        likely = [a for a in ancestors if not self.listing.has(a, "__init__.py")]
        likely.extend(self.listing.with_packages(self.root))
        return Roots(
            tuple(dict.fromkeys(path for path in certain if self._inside(path))),
            tuple(dict.fromkeys(path for path in likely if path not in certain)),
        )

    def package_root(self, folder: Path) -> Path:
        """The first folder upwards without an ``__init__.py`` (pytest's ``rootdir/conftest`` rule)."""
        while self.listing.has(folder, "__init__.py") and folder != folder.parent:
            folder = folder.parent
        return folder

    def find(self, name: str, importer: Path) -> ModuleFile | None:
        """The module that ``import name`` gives in ``importer``; None when it cannot be found."""
        # What an import finds depends on the importer's folder alone.
        folder = self._folders.get(importer)
        if folder is None:
            folder = self._folders[importer] = importer.parent
        key = (name, folder)
        known = self._found.get(key)
        if known is None:
            with self.listing.recording() as asked:
                roots = self.roots_for(importer) if self._inside(importer) else Roots((), ())
                found = self._find(name, roots)
            known = self._found[key] = (found, tuple(asked))
        self.listing.depend_on(known[1])
        return known[0]

    def name_of(self, path: Path) -> str:
        """The dotted name under which ``path`` is imported from its most certain root."""
        roots = self.roots_for(path)
        for root in sorted((*roots.certain, *roots.likely), key=lambda r: -len(r.parts)):
            if path.is_relative_to(root) and root == self.package_root(path.parent):
                return _dotted(path.relative_to(root))
        for root in sorted((*self.source_roots, self.root), key=lambda r: -len(r.parts)):
            if path.is_relative_to(root):
                return _dotted(path.relative_to(root))
        return path.stem

    def names_of(self, path: Path, importer: Path) -> set[str]:
        """Every dotted name under which code in ``importer`` may import the file."""
        text = str(path)
        stem = os.path.splitext(text)[0].removesuffix(f"{os.sep}__init__")
        roots = self.roots_for(importer).prefixes
        return {stem[len(root) :].replace(os.sep, ".") for root in roots if text.startswith(root)} - {""}

    # --- inside

    def _inside(self, path: Path) -> bool:
        return path.is_relative_to(self.root) or any(path.is_relative_to(r) for r in self.source_roots)

    def _find(self, name: str, roots: Roots) -> ModuleFile | None:
        first, *rest = name.split(".")
        if not all(part.isidentifier() for part in (first, *rest)):
            return None
        fallback: ModuleFile | None = None
        for folders, workspace in (
            (roots.certain, True),
            ((*self.environment.stdlib, *self.environment.site), False),
            (roots.likely, True),
        ):
            module = self._in_folders(first, first, folders, workspace)
            if module is None and not workspace and first in self._stdlib_names:
                module = ModuleFile(first, Kind.OPAQUE, None, (), False)
            for part in rest:
                if module is None:
                    break
                module = self._in_folders(f"{module.name}.{part}", part, module.folders, workspace)
            if module is not None and module.kind is not Kind.NAMESPACE:
                return module
            # A real module anywhere on the path wins over a folder without __init__.py (PEP 420).
            fallback = fallback or module
        return fallback

    def _in_folders(
        self, name: str, part: str, folders: tuple[Path, ...], workspace: bool
    ) -> ModuleFile | None:
        namespace: list[Path] = []
        for folder in folders:
            self.listing.note(str(folder), part)
            entries = self.listing.peek(folder)
            if entries.get(part):
                package = folder / part
                if self.listing.has(package, "__init__.py"):
                    return ModuleFile(name, Kind.SOURCE, package / "__init__.py", (package,), workspace)
                if f"{part}.py" not in entries:
                    namespace.append(package)
                    continue
            if f"{part}.py" in entries:
                return ModuleFile(name, Kind.SOURCE, folder / f"{part}.py", (), workspace)
            if any(entry.endswith(_COMPILED) for entry in self.listing.named(str(folder), part)):
                return ModuleFile(name, Kind.OPAQUE, None, (), workspace)
        if namespace:
            return ModuleFile(name, Kind.NAMESPACE, None, tuple(namespace), workspace)
        return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _dotted(path: Path) -> str:
    parts = list(path.with_suffix("").parts)
    if parts and parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)
