"""pytest's fixtures as a test module sees them: its own, those of the conftest files above it, plugins' by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from understudy.facts import model
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer import marks
from understudy.infer.entities import Absent, ClassEntity, FunctionEntity, Lookup, ModuleEntity, ValueEntity
from understudy.infer.resolve import Resolver
from understudy.project.config import pytest_of
from understudy.source.parse import Parsed

FIXTURES: Final = "fixtures of "
"""Before the file, the key of what :func:`outlined` gives."""
_HOOK: Final = "pytest_generate_tests"


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
        pairs = ((name, entity) for name, entities in found.items() for entity in entities)
        return tuple(
            Outline(
                name,
                workspace.relative(entity.path),
                entity.name,
                entity.row,
                fixture_option(entity.declaration, "autouse") is True,
            )
            for name, entity in pairs
        )

    return workspace.value(f"{FIXTURES}{file}", make)


@dataclass(slots=True)
class _View:
    """What is known of the tests of a class, or of a module: of fixtures by the names that were asked for."""

    module: Module
    owner: ClassEntity | None
    found: dict[str, tuple[FunctionEntity, ...]] = field(default_factory=dict)
    hidden: dict[str, bool] = field(default_factory=dict)
    autouse: list[FunctionEntity] | None = None
    around: marks.Marks | None = None
    generated: tuple[frozenset[str] | None] | None = None


class Fixtures:
    """Finds fixtures the way pytest does: the nearest definition wins."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._of_module: dict[Path, dict[str, tuple[FunctionEntity, ...]]] = {}
        self._outlined: dict[Path, dict[str, tuple[Outline, ...]]] = {}
        self._bodies: dict[ClassEntity, dict[str, FunctionEntity]] = {}
        self._chains: dict[Path, list[Module]] = {}
        self._hooks: dict[FunctionEntity, frozenset[str] | None] = {}
        self._views: dict[tuple[Path, ClassEntity | None], _View] = {}
        self._last: _View | None = None

    def find(self, name: str, module: Module, owner: ClassEntity | None) -> tuple[FunctionEntity, ...]:
        """Every definition of a fixture that a test in ``module`` can see, nearest first."""
        seen = self._view(module, owner).found
        known = seen.get(name)
        if known is None:
            known = seen[name] = tuple(self._find(name, module, owner))
        return known

    def nearest(self, name: str, module: Module, owner: ClassEntity | None) -> FunctionEntity | None:
        """The fixture that a test in ``module`` gets by a name."""
        found = self.find(name, module, owner)
        return found[0] if found else None

    def _view(self, module: Module, owner: ClassEntity | None) -> _View:
        # Tests of one class are asked for one after the other.
        view = self._last
        if view is None or view.module is not module or view.owner is not owner:
            view = self._views.setdefault((module.path, owner), _View(module, owner))
            self._last = view
        return view

    def _find(self, name: str, module: Module, owner: ClassEntity | None) -> Iterator[FunctionEntity]:
        if owner is not None:
            for cls in self.resolver.ancestry(owner).classes:
                found = self._in_body(cls).get(name)
                if found is not None and self._is_there(owner, found):
                    yield found
        for place in self.chain(module):
            for each in self._in(place, module).get(name, ()):
                defined = self._entity(each) if isinstance(each, Outline) else each
                if defined is not None:
                    yield defined

    def is_hidden(self, name: str, module: Module, owner: ClassEntity | None) -> bool:
        """Does something bind the name nearer than the nearest definition that can be read, and is perhaps a fixture:
        ``client = pytest.fixture(make)``?"""
        seen = self._view(module, owner).hidden
        known = seen.get(name)
        if known is None:
            known = seen[name] = self._is_hidden(name, module, owner)
        return known

    def _is_hidden(self, name: str, module: Module, owner: ClassEntity | None) -> bool:
        for cls in self.resolver.ancestry(owner).classes if owner is not None else ():
            if name in self._in_body(cls):
                return False
            if self._may_make(self.resolver.own_attribute(cls, name)):
                return True
        for place in self.chain(module):
            if name in self._in(place, module):
                return False
            if name in place.bindings and self._may_make(self.resolver.module_attribute(place, name)):
                return True
        return False

    def _may_make(self, found: Lookup) -> bool:
        """May it be a fixture that a call makes, or a decorator which is not known as one?"""
        if isinstance(found, FunctionEntity):
            return any("fixture" in str(decorator) for decorator in found.declaration.decorators)
        value = found.declaration.value if isinstance(found, ValueEntity) else None
        if not isinstance(found, ValueEntity) or not isinstance(value, model.CallTerm):
            return False
        if not isinstance(value.func, model.Ref) or "fixture" in value.func.parts[-1]:
            return True
        made_by = self.resolver.ref(found.module, value.func.parts)
        return (
            isinstance(made_by, FunctionEntity)
            and "fixture" in self.resolver.workspace.text(made_by.path).content
        )

    def is_certain(self, entity: FunctionEntity) -> bool:
        """Is it defined whatever happens, and is it the function itself that is the fixture?"""
        terms = [d.func if isinstance(d, model.CallTerm) else d for d in entity.declaration.decorators]
        if not all(isinstance(term, model.Ref) and _is_plain(term.parts) for term in terms):
            return False
        if entity.owner is not None:
            return True
        bindings = entity.module.bindings.get(entity.declaration.name, ())
        return not any(binding.guards for binding in bindings)

    def names(self, module: Module) -> set[str]:
        """The fixtures that any test in a module sees."""
        return {name for place in self.chain(module) for name in self._in(place, module)}

    def _in(
        self, place: Module, module: Module
    ) -> Mapping[str, tuple[FunctionEntity, ...] | tuple[Outline, ...]]:
        """The fixtures of a place in the chain of a module, as :meth:`of_module`: of others than itself, the
        outlines."""
        if place.path == module.path:
            return self.of_module(place)
        known = self._outlined.get(place.path)
        if known is None:
            workspace = self.resolver.workspace
            by_name: dict[str, list[Outline]] = {}
            for each in outlined(workspace, workspace.relative(place.path)):
                by_name.setdefault(each.name, []).append(each)
            known = self._outlined[place.path] = {name: tuple(found) for name, found in by_name.items()}
        return known

    def _entity(self, outline: Outline) -> FunctionEntity | None:
        module = self.resolver.workspace.module(self.resolver.workspace.root / outline.file)
        for binding in reversed(module.bindings.get(outline.function, ()) if module is not None else ()):
            declaration = binding.declaration
            if module is not None and isinstance(declaration, model.Function) and binding.row == outline.row:
                return FunctionEntity(module, declaration, binding.row, declaration.name)
        return None

    def autouse(self, module: Module, owner: ClassEntity | None) -> list[FunctionEntity]:
        """The fixtures that every test of the module (and class) gets, outermost first."""
        view = self._view(module, owner)
        if view.autouse is None:
            view.autouse = self._find_autouse(module, owner)
        return view.autouse

    def _find_autouse(self, module: Module, owner: ClassEntity | None) -> list[FunctionEntity]:
        found: dict[str, FunctionEntity] = {}
        # What is used automatically is the name: whatever is nearest under it is set up.
        for place in reversed(self.chain(module)):
            for name, several in self._in(place, module).items():
                for each in several:
                    entity = self._entity(each) if isinstance(each, Outline) and each.autouse else each
                    if isinstance(entity, FunctionEntity):
                        if fixture_option(entity.declaration, "autouse") is True:
                            found[name] = entity
        if owner is not None:
            for cls in reversed(self.resolver.ancestry(owner).classes):
                for name, entity in self._in_body(cls).items():
                    if fixture_option(entity.declaration, "autouse") is True and self._is_there(
                        owner, entity
                    ):
                        found[name] = entity
        return [self.nearest(name, module, owner) or entity for name, entity in found.items()]

    def _is_there(self, owner: ClassEntity, entity: FunctionEntity) -> bool:
        """Does the class still have the function: ``_client = None`` in one below takes it away?"""
        found = self.resolver.class_attribute(owner, entity.declaration.name)
        return isinstance(found, (FunctionEntity, Absent))

    def marks_of(
        self,
        parsed: Parsed,
        module: Module,
        owner: ClassEntity | None,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
    ) -> marks.Marks:
        """All that a test of the module has, its own decorators first."""
        view = self._view(module, owner)
        if view.around is None:
            view.around = marks.around(self.resolver, parsed, module, owner)
        own = tuple(marks.meant(self.resolver, module, decorator) for decorator in node.decorator_list)
        return marks.Marks((*own, *view.around.found), view.around.known)

    def generated(self, module: Module, owner: ClassEntity | None) -> frozenset[str] | None:
        """The parameters that ``pytest_generate_tests`` fills, whoever defines it; None where it computes names."""
        view = self._view(module, owner)
        if view.generated is None:
            view.generated = (self._generated(module, owner),)
        return view.generated[0]

    def _generated(self, module: Module, owner: ClassEntity | None) -> frozenset[str] | None:
        hooks: list[Lookup] = [
            self.resolver.module_attribute(place, _HOOK)
            for place in self.chain(module)
            if _HOOK in place.bindings
        ]
        above = self.resolver.ancestry(owner).classes if owner is not None else ()
        hooks.extend(
            self.resolver.class_attribute(cls, _HOOK) for cls in above if self.resolver.declared(cls, _HOOK)
        )
        found: frozenset[str] = frozenset()
        for hook in hooks:
            filled = self._filled_by_hook(hook) if isinstance(hook, FunctionEntity) else None
            if filled is None:
                return None
            found |= filled
        return found

    def _filled_by_hook(self, hook: FunctionEntity) -> frozenset[str] | None:
        if hook not in self._hooks:
            self._hooks[hook] = self._read_hook(hook)
        return self._hooks[hook]

    def _read_hook(self, hook: FunctionEntity) -> frozenset[str] | None:
        for unit in self.resolver.workspace.parsed(hook.path).units:
            if unit.row == hook.row:
                for node in ast.walk(unit.node):
                    if isinstance(node, ast.FunctionDef) and unit.name_span(node) == hook.span:
                        return marks.filled_by_hook(node)
        return None

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

    def of_module(self, module: Module) -> dict[str, tuple[FunctionEntity, ...]]:
        """The fixtures that a module defines or imports, by name. Of several with one name, pytest registers the one
        with the last name in the module last: it comes first here, and gets the others by its own name."""
        known = self._of_module.get(module.path)
        if known is not None:
            return known
        found: dict[str, tuple[FunctionEntity, ...]] = {}
        self._of_module[module.path] = found
        bound: dict[str, tuple[str, FunctionEntity]] = {}
        for star in module.stars:
            source = self.resolver.imported_module(module, star)
            if isinstance(source, ModuleEntity) and source.file.workspace:
                loaded = self.resolver.workspace.load(source.file)
                if loaded is not None and loaded.path != module.path:
                    for name, several in self.of_module(loaded).items():
                        bound.update((each.declaration.name, (name, each)) for each in several)
        for attribute, binding in module.bindings.last_of_each("fixture"):
            declaration = binding.declaration
            if isinstance(declaration, model.Function):
                if is_fixture(declaration):
                    entity = FunctionEntity(module, declaration, binding.row, declaration.name)
                    bound[attribute] = (fixture_name(declaration), entity)
            elif isinstance(declaration, model.Import) and declaration.is_from:
                resolved = self.resolver.module_attribute(module, attribute)
                if (
                    not isinstance(resolved, Absent)
                    and isinstance(resolved, FunctionEntity)
                    and is_fixture(resolved.declaration)
                ):
                    named = fixture_option(resolved.declaration, "name")
                    bound[attribute] = (named if isinstance(named, str) else attribute, resolved)
        for attribute in sorted(bound, reverse=True):
            name, entity = bound[attribute]
            found[name] = (*found.get(name, ()), entity)
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


def _is_plain(parts: tuple[str, ...]) -> bool:
    """A decorator that leaves a fixture what it is."""
    return parts[-1] in ("fixture", "staticmethod", "classmethod") or "mark" in parts[:2]


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


def has_no_cases(function: model.Function) -> bool:
    """Are all ``params`` of a fixture marked as skipped, or are there none: is whoever asks for it skipped?"""
    decorator = _fixture_decorator(function)
    params = decorator.keyword("params") if isinstance(decorator, model.CallTerm) else None
    return isinstance(params, model.SequenceTerm) and all(map(_may_not_run, params.items))


def _may_not_run(param: model.Term) -> bool:
    """``pytest.param(value, marks=pytest.mark.skip)``; a name for marks may stand for such."""
    given = param.keyword("marks") if isinstance(param, model.CallTerm) else None
    for mark in given.items if isinstance(given, model.SequenceTerm) else [given]:
        name = mark.func if isinstance(mark, model.CallTerm) else mark
        if mark is not None and not (isinstance(name, model.Ref) and marks.runs(name.parts)):
            return True
    return False


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
