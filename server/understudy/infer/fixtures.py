"""pytest's fixtures as a test module sees them: its own, those of the conftest files above it, plugins' by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from understudy.facts import model
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.entities import Absent, ClassEntity, FunctionEntity, ModuleEntity
from understudy.infer.resolve import Resolver
from understudy.project.config import pytest_of

FIXTURES: Final = "fixtures of "
"""Before the file, the key of what :func:`outlined` gives."""


class Outline(NamedTuple):
    """A fixture of a conftest file or plugin, and where it stands. Most that is imported there is none: that does not
    concern the tests."""

    name: str
    file: str
    """Relative to the root."""
    function: str
    row: int
    """Of the statement."""
    autouse: bool


def outlined(workspace: Workspace, file: str) -> tuple[Outline, ...]:
    """The fixtures that a module of the workspace defines or imports.

    :param file: relative to the root.
    """

    def make() -> tuple[Outline, ...]:
        module = workspace.module(workspace.root / file)
        found = Fixtures(Resolver(workspace)).of_module(module) if module is not None else {}
        return tuple(
            Outline(
                name,
                workspace.relative(entity.path),
                entity.name,
                entity.row,
                fixture_option(entity.declaration, "autouse") is True,
            )
            for name, entity in found.items()
        )

    return workspace.value(f"{FIXTURES}{file}", make)


class Fixtures:
    """Finds fixtures the way pytest does: the nearest definition wins."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._of_module: dict[Path, dict[str, FunctionEntity]] = {}
        self._outlined: dict[Path, dict[str, Outline]] = {}
        self._bodies: dict[ClassEntity, dict[str, FunctionEntity]] = {}
        self._chains: dict[Path, list[Module]] = {}
        self._autouse: dict[tuple[Path, ClassEntity | None], list[FunctionEntity]] = {}

    def find(self, name: str, module: Module, owner: ClassEntity | None) -> Iterator[FunctionEntity]:
        """Every definition of a fixture that a test in ``module`` can see, nearest first."""
        if owner is not None:
            for cls in self.resolver.ancestry(owner).classes:
                found = self._in_body(cls).get(name)
                if found is not None:
                    yield found
        for place in self.chain(module):
            found = self._named(place, name, module)
            if found is not None:
                yield found

    def names(self, module: Module) -> set[str]:
        """The fixtures that any test in a module sees."""
        return {name for place in self.chain(module) for name in self._in(place, module)}

    def _in(self, place: Module, module: Module) -> Mapping[str, FunctionEntity | Outline]:
        """The fixtures of a place in the chain of a module: of others than itself, the outlines."""
        if place.path == module.path:
            return self.of_module(place)
        known = self._outlined.get(place.path)
        if known is None:
            workspace = self.resolver.workspace
            outlines = outlined(workspace, workspace.relative(place.path))
            known = self._outlined[place.path] = {each.name: each for each in outlines}
        return known

    def _named(self, place: Module, name: str, module: Module) -> FunctionEntity | None:
        found = self._in(place, module).get(name)
        return self._entity(found) if isinstance(found, Outline) else found

    def _entity(self, outline: Outline) -> FunctionEntity | None:
        module = self.resolver.workspace.module(self.resolver.workspace.root / outline.file)
        for binding in reversed(module.bindings.get(outline.function, ()) if module is not None else ()):
            declaration = binding.declaration
            if module is not None and isinstance(declaration, model.Function) and binding.row == outline.row:
                return FunctionEntity(module, declaration, binding.row, declaration.name)
        return None

    def autouse(self, module: Module, owner: ClassEntity | None) -> list[FunctionEntity]:
        """The fixtures that every test of the module (and class) gets, outermost first."""
        known = self._autouse.get((module.path, owner))
        if known is None:
            known = self._autouse[module.path, owner] = self._find_autouse(module, owner)
        return known

    def _find_autouse(self, module: Module, owner: ClassEntity | None) -> list[FunctionEntity]:
        found: dict[str, FunctionEntity] = {}
        for place in reversed(self.chain(module)):
            for name, each in self._in(place, module).items():
                entity = self._entity(each) if isinstance(each, Outline) and each.autouse else each
                if isinstance(entity, FunctionEntity):
                    if fixture_option(entity.declaration, "autouse") is True:
                        found[name] = entity
        if owner is not None:
            for cls in reversed(self.resolver.ancestry(owner).classes):
                for name, entity in self._in_body(cls).items():
                    if fixture_option(entity.declaration, "autouse") is True:
                        found[name] = entity
        return list(found.values())

    def chain(self, module: Module) -> list[Module]:
        """The module, then the conftest files above it, nearest first, each with its ``pytest_plugins``."""
        known = self._chains.get(module.path)
        if known is None:
            known = self._chains[module.path] = self._chain(module)
        return known

    def _chain(self, module: Module) -> list[Module]:
        workspace = self.resolver.workspace
        places = [module]
        folder = module.path.parent
        while folder.is_relative_to(workspace.root):
            if workspace.finder.listing.has(folder, "conftest.py"):
                conftest = workspace.module(folder / "conftest.py")
                if conftest is not None and conftest.path != module.path:
                    places.append(conftest)
            if folder == folder.parent:
                break
            folder = folder.parent
        for place in list(places):
            places.extend(self._plugins(place))
        for name in pytest_of(module.path.parent).plugins:
            places.extend(self._plugin(name, module))
        return places

    def _plugin(self, name: str, module: Module) -> Iterator[Module]:
        """A plugin where it is a module of the workspace."""
        file = self.resolver.workspace.find(name, module.path)
        loaded = self.resolver.workspace.load(file) if file is not None and file.workspace else None
        if loaded is not None:
            yield loaded

    def _plugins(self, module: Module) -> Iterator[Module]:
        for binding in module.bindings.get("pytest_plugins", ()):
            declaration = binding.declaration
            if not isinstance(declaration, model.Assign) or declaration.value is None:
                continue
            value = declaration.value
            items = value.items if isinstance(value, model.SequenceTerm) else (value,)
            for item in items:
                if isinstance(item, model.Const) and isinstance(item.value, str):
                    yield from self._plugin(item.value, module)

    def of_module(self, module: Module) -> dict[str, FunctionEntity]:
        """Fixture name to function: defined in the module, or imported into it."""
        known = self._of_module.get(module.path)
        if known is not None:
            return known
        found: dict[str, FunctionEntity] = {}
        self._of_module[module.path] = found
        for star in module.stars:
            source = self.resolver.imported_module(module, star)
            if isinstance(source, ModuleEntity) and source.file.workspace:
                loaded = self.resolver.workspace.load(source.file)
                if loaded is not None and loaded.path != module.path:
                    found.update(self.of_module(loaded))
        for bound, binding in module.bindings.last_of_each("fixture"):
            declaration = binding.declaration
            if isinstance(declaration, model.Function):
                if is_fixture(declaration):
                    entity = FunctionEntity(module, declaration, binding.row, declaration.name)
                    found[fixture_name(declaration)] = entity
            elif isinstance(declaration, model.Import) and declaration.is_from:
                resolved = self.resolver.module_attribute(module, bound)
                if (
                    not isinstance(resolved, Absent)
                    and isinstance(resolved, FunctionEntity)
                    and is_fixture(resolved.declaration)
                ):
                    named = fixture_option(resolved.declaration, "name")
                    found[named if isinstance(named, str) else bound] = resolved
        return found

    def _in_body(self, cls: ClassEntity) -> dict[str, FunctionEntity]:
        if cls not in self._bodies:
            self._bodies[cls] = self._read_body(cls)
        return self._bodies[cls]

    def _read_body(self, cls: ClassEntity) -> dict[str, FunctionEntity]:
        return {
            fixture_name(declaration): FunctionEntity(
                cls.module, declaration, cls.row, f"{cls.qualname}.{declaration.name}", cls
            )
            for declaration in cls.declaration.body
            if isinstance(declaration, model.Function) and is_fixture(declaration)
        }


def is_fixture(function: model.Function) -> bool:
    """Decorated with ``pytest.fixture``, ``pytest_asyncio.fixture`` or an alias that ends in ``fixture``."""
    return _fixture_decorator(function) is not None


def fixture_name(function: model.Function) -> str:
    named = fixture_option(function, "name")
    return named if isinstance(named, str) else function.name


def _fixture_decorator(function: model.Function) -> model.Term | None:
    for decorator in function.decorators:
        term = decorator.func if isinstance(decorator, model.CallTerm) else decorator
        if isinstance(term, model.Ref) and term.parts[-1] == "fixture":
            return decorator
    return None


def fixture_option(function: model.Function, name: str) -> object:
    """The constant that a fixture's decorator gives for a keyword; None without one."""
    decorator = _fixture_decorator(function)
    if isinstance(decorator, model.CallTerm):
        value = decorator.keyword(name)
        if isinstance(value, model.Const):
            return value.value
    return None


def fixture_scope(function: model.Function) -> str | None:
    """``function``, ``module``…; None when it is computed."""
    decorator = _fixture_decorator(function)
    if not isinstance(decorator, model.CallTerm):
        return "function"
    if decorator.args or any(keyword.name is None for keyword in decorator.keywords):
        return None
    given = decorator.keyword("scope")
    if given is None:
        return "function"
    return given.value if isinstance(given, model.Const) and isinstance(given.value, str) else None
