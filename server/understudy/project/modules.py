"""Module names to files and back, as the import system of a pytest run would find them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

from understudy.project.environment import Environment

_COMPILED = (".so", ".pyd")


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


class Listing:
    """Cached folder listings: one ``scandir`` per folder instead of a ``stat`` per guess."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, bool]] = {}

    def entries(self, folder: Path | str) -> dict[str, bool]:
        """Names in a folder; the value says whether it is a folder itself."""
        key = str(folder)
        found = self._folders.get(key)
        if found is None:
            found = {}
            try:
                with os.scandir(key) as entries:
                    for entry in entries:
                        found[entry.name] = _is_folder(entry)
            except OSError:
                pass
            self._folders[key] = found
        return found

    def forget(self) -> None:
        self._folders.clear()


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
        self._found: dict[tuple[str, Path], ModuleFile | None] = {}
        self._roots: dict[Path, Roots] = {}

    @cached_property
    def _stdlib_names(self) -> frozenset[str]:
        return frozenset(sys.stdlib_module_names)

    def forget(self) -> None:
        """After files were created, renamed or deleted."""
        self.listing.forget()
        self._found.clear()
        self._roots.clear()

    def roots_for(self, importer: Path) -> Roots:
        """The search path that code in ``importer`` sees when pytest runs it or imports it."""
        folder = importer.parent
        known = self._roots.get(folder)
        if known is not None:
            return known
        package_root = self.package_root(folder)
        certain = [package_root] if self._inside(package_root) else []
        ancestors: list[Path] = []
        current = folder
        while self._inside(current):
            ancestors.append(current)
            if current == current.parent:
                break
            current = current.parent
        # pytest inserts the root of every conftest.py above a test file, too.
        certain.extend(
            self.package_root(ancestor) for ancestor in ancestors if "conftest.py" in self._names(ancestor)
        )
        certain.extend(self.path_of_tests(folder))
        certain.extend(self.source_roots)
        certain.append(self.root)
        likely = [a for a in ancestors if "__init__.py" not in self._names(a)]
        likely.extend(self._children_with_packages())
        roots = Roots(
            tuple(dict.fromkeys(path for path in certain if self._inside(path))),
            tuple(dict.fromkeys(path for path in likely if path not in certain)),
        )
        self._roots[folder] = roots
        return roots

    def package_root(self, folder: Path) -> Path:
        """The first folder upwards without an ``__init__.py`` (pytest's ``rootdir/conftest`` rule)."""
        while "__init__.py" in self._names(folder) and folder != folder.parent:
            folder = folder.parent
        return folder

    def find(self, name: str, importer: Path) -> ModuleFile | None:
        """The module that ``import name`` gives in ``importer``; None when it cannot be found."""
        # What an import finds depends on the importer's folder alone.
        key = (name, importer.parent)
        if key in self._found:
            return self._found[key]
        roots = self.roots_for(importer) if self._inside(importer) else Roots((), ())
        found = self._find(name, roots)
        self._found[key] = found
        return found

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
        roots = self.roots_for(importer)
        folders = (*roots.certain, *roots.likely)
        return {_dotted(path.relative_to(root)) for root in folders if path.is_relative_to(root)} - {""}

    # --- inside

    def _names(self, folder: Path) -> dict[str, bool]:
        return self.listing.entries(folder)

    def _inside(self, path: Path) -> bool:
        return path.is_relative_to(self.root) or any(path.is_relative_to(r) for r in self.source_roots)

    def _children_with_packages(self) -> list[Path]:
        """``backend/``, ``src/``, ``server/``: folders of the root that are no packages but hold some."""
        found = []
        for name, is_folder in sorted(self._names(self.root).items()):
            if not is_folder or name.startswith((".", "__")) or not name.isidentifier():
                continue
            child = self.root / name
            inside = self._names(child)
            if "__init__.py" not in inside and any(
                is_dir and "__init__.py" in self._names(child / entry) for entry, is_dir in inside.items()
            ):
                found.append(child)
        return found

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
            entries = self._names(folder)
            if entries.get(part):
                package = folder / part
                inside = self._names(package)
                if "__init__.py" in inside:
                    return ModuleFile(name, Kind.SOURCE, package / "__init__.py", (package,), workspace)
                if f"{part}.py" not in entries:
                    namespace.append(package)
                    continue
            if f"{part}.py" in entries:
                return ModuleFile(name, Kind.SOURCE, folder / f"{part}.py", (), workspace)
            if any(entry.startswith(f"{part}.") and entry.endswith(_COMPILED) for entry in entries):
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
