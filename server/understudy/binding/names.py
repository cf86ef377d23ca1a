"""Under which names the modules of a workspace are loaded: two names for one file make two modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from understudy.facts import model
from understudy.facts.model import Guard
from understudy.index.module import Importer, Module
from understudy.infer.resolve import Resolver


def spoken(resolver: Resolver, start: Module, module: Module) -> str:
    """The dotted name under which a module is loaded when ``start`` is. Where a folder and its parent may both be on
    the path, only the imports say which one that is."""
    possible = resolver.workspace.finder.names_of(module.path, start.path)
    if len(possible) < 2:
        return module.name
    loaded = LoadedNames(resolver).closure(start)
    found = [name for name in possible if name in loaded]
    return found[0] if len(found) == 1 else module.name


def loaded_twice(resolver: Resolver, start: Iterable[Module], paths: Iterable[Path]) -> set[Path]:
    """The files that may be loaded under more than one name, when ``start`` is and when its tests run. The second
    time they take names again."""
    finder = resolver.workspace.finder
    modules = list(start)
    several = [(path, names) for path in paths if len(names := finder.names_of(path, modules[0].path)) > 1]
    if not several:
        return set()
    loaded: set[str] = set()
    for module in modules:
        loaded.update(LoadedNames(resolver).closure(module))
    return {path for path, names in several if len(names & loaded) > 1}


class LoadedNames:
    """What importing some modules loads, by the names that the imports give it."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.workspace = resolver.workspace

    def closure(self, start: Importer) -> dict[str, tuple[Importer, model.Import, int]]:
        """Every name under which a workspace module is loaded when ``start`` runs, with the import that loads it
        first: the importing module, the statement, its first row. Imports inside functions count."""
        found: dict[str, tuple[Importer, model.Import, int]] = {}
        queue: list[tuple[str, Importer]] = [(start.name, start)]
        seen: set[tuple[str, Path | None]] = {(start.name, start.path)}
        for name, module in queue:
            for loaded, path, statement, row in self._loaded_by(name, module):
                found.setdefault(loaded, (module, statement, row))
                if (loaded, path) in seen:
                    continue
                seen.add((loaded, path))
                target = self.workspace.importer(path)
                if target is not None:
                    queue.append((loaded, target))
        return found

    def _loaded_by(self, name: str, module: Importer) -> tuple[tuple[str, Path, model.Import, int], ...]:
        """What the imports of a module that was itself loaded as ``name`` load of the workspace, in their order."""

        def make() -> Iterator[tuple[str, Path, model.Import, int]]:
            for row, statement in module.imports:
                if Guard.TYPE_CHECKING in statement.guards:
                    continue
                for loaded in self._loads(name, module, statement):
                    file = self.workspace.find(loaded, module.path)
                    if file is not None and file.workspace and file.path is not None:
                        yield loaded, file.path, statement, row

        return self.workspace.of_module(module, f"loads as {name}", lambda: tuple(make()))

    def _loads(self, name: str, module: Importer, statement: model.Import) -> Iterator[str]:
        """The dotted names that an import statement loads, in a module that was itself loaded as ``name``."""
        if not statement.is_from:
            for imported in statement.names:
                yield from _chain(imported.name)
            return
        source = self._absolute(name, module, statement)
        if source is None:
            return
        yield from _chain(source)
        for imported in statement.names:
            yield f"{source}.{imported.name}"

    def _absolute(self, name: str, module: Importer, statement: model.Import) -> str | None:
        if statement.level == 0:
            return statement.module
        package = name.split(".") if module.is_package else name.split(".")[:-1]
        drop = statement.level - 1
        if drop > len(package):
            return None
        parts = [*package[: len(package) - drop], *([statement.module] if statement.module else [])]
        return ".".join(parts) or None


def _chain(name: str) -> Iterator[str]:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
