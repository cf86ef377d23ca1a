"""Names to entities, across files."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from understudy.facts import model
from understudy.facts.model import Guard
from understudy.index.module import ANY_CLASS, Binding, Importer, Module
from understudy.index.workspace import Workspace
from understudy.infer import class_effects, module_hooks
from understudy.infer.entities import (
    Absent,
    ClassEntity,
    Entity,
    External,
    FunctionEntity,
    Lookup,
    ModuleEntity,
    ValueEntity,
)
from understudy.project.modules import Kind, ModuleFile

_DEPTH = 24
_NOTHING: frozenset[str] = frozenset()
_MODULE_ATTRIBUTES = frozenset(
    {
        "__name__",
        "__doc__",
        "__file__",
        "__path__",
        "__package__",
        "__spec__",
        "__loader__",
        "__dict__",
        "__builtins__",
        "__cached__",
        "__annotations__",
        "__class__",
    }
)
_BUILTINS = frozenset(dir(builtins))
ACCESSORS = ("getter", "setter", "deleter")
"""Of a property: decorators that make one of it that has another such function."""
_GIVEN_CLASS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
"""Methods whose first argument is the class, without a decorator."""
_TRANSPARENT_DECORATORS = frozenset(
    {
        "dataclass",
        "dataclasses.dataclass",
        "total_ordering",
        "functools.total_ordering",
        "final",
        "typing.final",
        "runtime_checkable",
        "typing.runtime_checkable",
    }
)


@dataclass(frozen=True)
class Ancestry:
    """A class and its bases in method resolution order, as far as they are known."""

    classes: tuple[ClassEntity, ...]
    externals: tuple[External, ...]
    """Bases of libraries that could not be opened."""
    complete: bool
    """False when a base, a decorator or a metaclass is not understood: a missing attribute proves nothing."""
    of_python: frozenset[str] = frozenset()
    """Names that Python's own bases and metaclasses may give. The others have none but those in class bodies."""
    is_abstract: bool = False
    """Made by ``ABCMeta``: there are no objects of it as long as one of its methods is abstract."""


@dataclass(frozen=True, slots=True)
class _Body:
    """What a class body says of names, as they are written there."""

    cls: model.Class
    bound: dict[str, list[model.Declaration]] = field(default_factory=dict)
    """In order."""
    set_by_methods: set[str] = field(default_factory=set)
    """On the class; :data:`model.COMPUTED` for any."""
    slots: set[str] = field(default_factory=set)
    """The same."""


class Resolver:
    """Follows names through one workspace.

    Answers are kept, so a resolver must not outlive the analysis that made it: the files an answer rests on
    are recorded only when it is found for the first time.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._generation = -1
        self._attributes: dict[tuple[object, str], Lookup] = {}
        self._ancestries: dict[ClassEntity, Ancestry] = {}
        self._bodies: dict[int, _Body] = {}
        self._members: dict[tuple[ClassEntity, str], Lookup] = {}
        self._others: dict[ClassEntity, set[str]] = {}
        self._changing: dict[ClassEntity, frozenset[str]] = {}
        self._given: dict[Path, frozenset[str] | None] = {}
        self._busy: set[tuple[object, str]] = set()

    def _refresh(self) -> None:
        if self._generation != self.workspace.generation:
            self._generation = self.workspace.generation
            self._attributes.clear()
            self._ancestries.clear()
            self._others.clear()
            self._changing.clear()
            self._given.clear()
            self._bodies.clear()
            self._members.clear()

    # --- dotted names

    def dotted(self, name: str, importer: Module) -> Lookup:
        """What attribute access gives for a dotted name, and ``import`` where there is no attribute: pytest's
        ``monkeypatch.setattr("a.b.c", …)``, and mock before Python 3.11."""
        parts = name.split(".")
        file = self.workspace.find(parts[0], importer.path)
        if file is None:
            return External(name)
        return self.walk(ModuleEntity(file), parts[1:], importer)

    def imported_first(self, name: str, importer: Module) -> Lookup:
        """What ``pkgutil.resolve_name`` gives for a dotted name: it imports as much as can be, and only then looks for
        attributes."""
        parts = name.split(".")
        file = self.workspace.find(parts[0], importer.path)
        if file is None:
            return External(name)
        count = 1
        while file.workspace and count < len(parts):
            submodule = self.workspace.find(".".join(parts[: count + 1]), importer.path)
            if submodule is None:
                break
            file, count = submodule, count + 1
        return self.walk(ModuleEntity(file), parts[count:], importer)

    def patched(self, name: str, importer: Module) -> Lookup:
        """What mock's ``patch`` gets by a dotted name: with ``pkgutil.resolve_name`` since Python 3.11. Which version
        of mock the tests run with may not be known before; then both ways must come to the same."""
        found = self.imported_first(name, importer)
        if self.workspace.target_version < (3, 11) and self.dotted(name, importer) != found:
            return Absent.UNKNOWN
        return found

    def walk(self, entity: Lookup, parts: list[str] | tuple[str, ...], importer: Module) -> Lookup:
        for part in parts:
            if isinstance(entity, Absent):
                return entity
            entity = self.attribute(entity, part, importer)
        return entity

    def name(self, module: Module, name: str) -> Lookup:
        """A name looked up in a module's globals and then in builtins."""
        found = self._global(module, name)
        if found is Absent.MISSING and name in _BUILTINS:
            return External(f"builtins.{name}")
        return found

    def ref(self, module: Module, parts: tuple[str, ...]) -> Lookup:
        return self.walk(self.name(module, parts[0]), parts[1:], module)

    # --- attributes

    def attribute(self, entity: Entity, name: str, importer: Module) -> Lookup:
        """``entity.name``."""
        self._refresh()
        if isinstance(entity, External):
            return External(f"{entity.dotted}.{name}")
        if isinstance(entity, ModuleEntity):
            return self.file_attribute(entity.file, name, importer)
        if isinstance(entity, ClassEntity):
            return self.class_attribute(entity, name)
        return Absent.UNKNOWN

    def file_attribute(self, file: ModuleFile, name: str, importer: Module) -> Lookup:
        """An attribute or submodule of a module."""
        if not file.workspace:
            return External(f"{file.name}.{name}")
        if file.kind is Kind.SOURCE:
            module = self.workspace.load(file)
            found = Absent.UNKNOWN if module is None else self.module_attribute(module, name)
            if not isinstance(found, Absent):
                return found
            submodule = self.workspace.find(f"{file.name}.{name}", importer.path) if file.is_package else None
            if submodule is not None:
                return ModuleEntity(submodule)
            return found
        if file.kind is Kind.NAMESPACE:
            submodule = self.workspace.find(f"{file.name}.{name}", importer.path)
            return ModuleEntity(submodule) if submodule is not None else Absent.MISSING
        return Absent.UNKNOWN

    def only_for_type_checkers(self, entity: Entity, name: str, importer: Module) -> bool:
        """Is a module's name bound under ``TYPE_CHECKING`` and nowhere else? Then it is absent when code runs."""
        if not isinstance(entity, ModuleEntity):
            return False
        file = entity.file
        if not file.workspace or file.kind is not Kind.SOURCE:
            return False
        module = self.workspace.load(file)
        if module is None or module.dynamic or module.stars or self._may_give(module, name):
            return False
        bindings = module.bindings.get(name, ())
        if not bindings or name in module.set_by_functions or name in _BUILTINS:
            return False
        if file.is_package and self.workspace.find(f"{file.name}.{name}", importer.path) is not None:
            return False
        return all(Guard.TYPE_CHECKING in binding.guards for binding in bindings)

    def module_attribute(self, module: Module, name: str) -> Lookup:
        """A name that the module's own statements bind."""
        found = self._global(module, name)
        if found is Absent.MISSING and self._may_give(module, name):
            return Absent.UNKNOWN
        return found

    def _may_give(self, module: Module, name: str) -> bool:
        """May the module's ``__getattr__`` give a name? Its own code does not ask that for its names (PEP 562)."""
        if module_hooks.HOOK not in module.bindings:
            return False
        if not module.workspace:
            return True
        if module.path not in self._given:
            self._given[module.path] = module_hooks.given_by(self.workspace.parsed(module.path))
        known = self._given[module.path]
        return known is None or name in known

    def _global(self, module: Module, name: str) -> Lookup:
        """A name as the module's own code looks it up."""
        self._refresh()
        key = (module.path, name)
        known = self._attributes.get(key)
        if known is not None:
            return known
        if key in self._busy or len(self._busy) > _DEPTH:
            return Absent.UNKNOWN
        self._busy.add(key)
        try:
            found = self._found_global(module, name)
        finally:
            self._busy.discard(key)
        self._attributes[key] = found
        return found

    def _found_global(self, module: Module, name: str) -> Lookup:
        bindings = [b for b in module.bindings.get(name, ()) if Guard.TYPE_CHECKING not in b.guards]
        if bindings:
            return self._bound(module, bindings)
        if name in module.bindings:
            # Only for type checkers: right in annotations, absent when the code runs.
            return self._bound(module, module.bindings[name])
        if name in _MODULE_ATTRIBUTES:
            return Absent.UNKNOWN
        uncertain = module.dynamic or name in module.set_by_functions
        for star in module.stars:
            found = self._from_star(module, star, name)
            if found is Absent.UNKNOWN:
                uncertain = True
            elif found is not Absent.MISSING:
                return found
        return Absent.UNKNOWN if uncertain else Absent.MISSING

    def _from_star(self, module: Module, star: model.Import, name: str) -> Lookup:
        source = self.imported_module(module, star)
        if not isinstance(source, ModuleEntity) or source.file.kind is not Kind.SOURCE:
            return Absent.UNKNOWN
        loaded = self.workspace.load(source.file)
        if loaded is None:
            return Absent.UNKNOWN
        if loaded.exported is not None:
            if name not in loaded.exported:
                return Absent.MISSING
        elif "__all__" in loaded.bindings:
            return Absent.UNKNOWN
        elif name.startswith("_"):
            return Absent.MISSING
        found = self.module_attribute(loaded, name)
        if found is Absent.MISSING and source.file.is_package:
            submodule = self.workspace.find(f"{source.file.name}.{name}", module.path)
            if submodule is not None:
                # What ``__all__`` names is imported; else it is there once anything has imported it.
                return ModuleEntity(submodule) if loaded.exported is not None else Absent.UNKNOWN
        if isinstance(found, Absent) or source.file.workspace:
            return found
        return External(f"{source.file.name}.{name}")

    def _bound(self, module: Module, bindings: Sequence[Binding]) -> Lookup:
        if any(isinstance(b.declaration, model.Deletion) for b in bindings):
            return Absent.UNKNOWN
        if len(bindings) > 1:
            optional = [b for b in bindings if Guard.IMPORT_ERROR in b.guards]
            plain = [b for b in bindings if not b.guards]
            if optional and optional[0] is bindings[0]:
                found = self._binding(module, bindings[0])
                return found if not isinstance(found, Absent) else Absent.UNKNOWN
            if len(plain) == len(bindings):
                if isinstance(bindings[-1].declaration, model.Assign):
                    return Absent.UNKNOWN
                return self._binding(module, bindings[-1])
            overloads = {type(b.declaration) for b in bindings}
            if overloads != {model.Import}:
                return Absent.UNKNOWN
            first = self._binding(module, bindings[0])
            return first if all(self._binding(module, b) == first for b in bindings[1:]) else Absent.UNKNOWN
        return self._binding(module, bindings[0])

    def _binding(self, module: Module, binding: Binding) -> Lookup:
        declaration = binding.declaration
        if isinstance(declaration, model.Class):
            return ClassEntity(module, declaration, binding.row, declaration.name)
        if isinstance(declaration, model.Function):
            return FunctionEntity(module, declaration, binding.row, declaration.name)
        if isinstance(declaration, model.Import) and binding.imported is not None:
            found = self.imported(module, declaration, binding.imported)
            return Absent.UNKNOWN if found is Absent.MISSING else found
        if isinstance(declaration, model.Assign):
            if isinstance(declaration.value, model.Ref) and not declaration.augmented:
                alias = self.ref(module, declaration.value.parts)
                if not isinstance(alias, Absent):
                    return alias
            return ValueEntity(module, declaration, binding.row)
        return Absent.UNKNOWN

    # --- imports

    def imported_module(self, module: Module, statement: model.Import) -> Lookup:
        """The module after ``from``."""
        name = self.absolute(module, statement)
        if name is None:
            return Absent.UNKNOWN
        file = self.workspace.find(name, module.path)
        if file is not None:
            return ModuleEntity(file)
        first = self.workspace.find(name.partition(".")[0], module.path)
        if first is None or not first.workspace:
            return External(name)
        return Absent.MISSING

    def absolute(self, module: Importer, statement: model.Import) -> str | None:
        """The absolute name of the module after ``from``; None above the top of the package."""
        if statement.level == 0:
            return statement.module
        package = module.package.split(".") if module.package else []
        drop = statement.level - 1
        if drop >= len(package) + (1 if drop == 0 else 0) and drop > 0:
            return None
        base = package[: len(package) - drop] if drop else package
        parts = [*base, *([statement.module] if statement.module else [])]
        return ".".join(parts) or None

    def imported(self, module: Module, statement: model.Import, name: model.ImportedName) -> Lookup:
        """What an import binds."""
        if not statement.is_from:
            target = name.name if name.aliased else name.bound
            file = self.workspace.find(target, module.path)
            if file is not None:
                return ModuleEntity(file)
            first = self.workspace.find(target.partition(".")[0], module.path)
            return External(target) if first is None or not first.workspace else Absent.MISSING
        source = self.imported_module(module, statement)
        if isinstance(source, Absent):
            return source
        if isinstance(source, ModuleEntity) and source.file.path == module.path:
            submodule = self.workspace.find(f"{source.file.name}.{name.name}", module.path)
            return ModuleEntity(submodule) if submodule is not None else Absent.UNKNOWN
        return self.attribute(source, name.name, module)

    # --- classes

    def class_attribute(self, entity: ClassEntity, name: str) -> Lookup:
        """A name in the class's namespace or in those of its bases."""
        self._refresh()
        known = self._members.get((entity, name))
        if known is None:
            # What is asked for while this is found out may be unknown for that alone.
            is_first = not self._busy
            known = self._class_attribute(entity, name)
            if is_first:
                self._members[entity, name] = known
        return known

    def _class_attribute(self, entity: ClassEntity, name: str) -> Lookup:
        ancestry = self.ancestry(entity)
        for cls in ancestry.classes:
            found = self.own_attribute(cls, name)
            if found is Absent.MISSING and self.is_set_on_class(cls, name):
                return Absent.UNKNOWN
            if found is not Absent.MISSING:
                return found
        if not ancestry.complete or name in _OBJECT_ATTRIBUTES or name in ancestry.of_python:
            return Absent.UNKNOWN
        return Absent.MISSING

    def is_only_annotated(self, entity: ClassEntity, name: str) -> bool:
        """Is a name declared by an annotation without a value, and bound by nothing, so that the class itself has
        no such attribute? Slots are attributes."""
        ancestry = self.ancestry(entity)
        annotated = False
        for cls in ancestry.classes:
            for decorator in cls.declaration.decorators:
                if isinstance(decorator, model.CallTerm) and decorator.keyword("slots") is not None:
                    return False
            if self.is_set_on_class(cls, name):
                return False
            if self.own_attribute(cls, name) is Absent.MISSING:
                continue
            if all(
                isinstance(declaration, model.Assign) and declaration.value is None
                for declaration in cls.declaration.body
                if _binds(declaration, name)
            ):
                annotated = True
            else:
                return False
        return annotated and ancestry.complete

    def own_attribute(self, cls: ClassEntity, name: str) -> Lookup:
        """A name that the class body itself binds."""
        found: Lookup = Absent.MISSING
        for declaration in self.declared(cls, name):
            if isinstance(declaration, model.Function):
                if isinstance(found, FunctionEntity) and is_accessor(declaration):
                    # ``@x.setter``: the property stays what it is to those who look at it.
                    continue
                found = FunctionEntity(cls.module, declaration, cls.row, f"{cls.qualname}.{name}", cls)
            elif isinstance(declaration, model.Class):
                found = ClassEntity(cls.module, declaration, cls.row, f"{cls.qualname}.{name}")
            elif isinstance(declaration, model.Assign) and declaration.value is not None:
                found = ValueEntity(cls.module, declaration, cls.row, cls)
            elif isinstance(declaration, model.Import) or found is Absent.MISSING:
                found = Absent.UNKNOWN
        declarations = self.declared(cls, name)
        last = declarations[-1] if len(declarations) > 1 else None
        if isinstance(last, (model.Function, model.Class, model.Assign)) and last.guards:
            # Which of several branches is taken is not known.
            return Absent.UNKNOWN
        return found

    def declared(self, cls: ClassEntity, name: str) -> Sequence[model.Declaration]:
        """The statements of a class's body that bind a name, in order."""
        return self._body(cls.declaration).bound.get(unmangled(cls, name), ())

    def _body(self, cls: model.Class) -> _Body:
        known = self._bodies.get(id(cls))
        if known is None:
            # With the class itself, so that no other gets its number.
            known = self._bodies[id(cls)] = _read_body(cls)
        return known

    def is_set_on_class(self, cls: ClassEntity, name: str) -> bool:
        """Is the attribute put on the class in another way: ``__slots__``, ``cls.name = …`` in a class method, an
        assignment below the class?"""
        body = self._body(cls.declaration)
        if not body.set_by_methods.isdisjoint((unmangled(cls, name), model.COMPUTED)):
            return True
        below = cls.module.set_on_classes
        return any(
            not found.isdisjoint((name, model.COMPUTED))
            for found in (
                body.slots,
                below.get(cls.name, _NOTHING),
                below.get(ANY_CLASS, _NOTHING),
                self._set_by_others(cls),
            )
        )

    def is_remade(self, entity: ClassEntity, owner: ClassEntity, name: str) -> bool:
        """May a decorator, a metaclass or an ``__init_subclass__`` have put something else in the place of what the
        body of a class, or of one above it, binds?"""
        return any(not self._set_by_others(cls).isdisjoint((name, model.COMPUTED)) for cls in {entity, owner})

    def _set_by_others(self, cls: ClassEntity) -> Set[str]:
        """The attributes that are set on the class by what its body makes (``__set_name__``), by functions that it is
        given to below, by its decorators and metaclasses, and by the classes above (``__init_subclass__``);
        :data:`model.COMPUTED` for any."""
        self._refresh()
        known = self._others.get(cls)
        if known is None:
            # Whoever asks again while this is found out, asks about such a call itself.
            self._others[cls] = known = set()
            key = (cls, "others")
            self._busy.add(key)
            try:
                known.update(self._found_set_by_others(cls) if cls.module.workspace else ())
            finally:
                self._busy.discard(key)
        return known

    def _found_set_by_others(self, cls: ClassEntity) -> Iterator[str]:
        yield from class_effects.of_decorators(self, cls)
        for above in self.ancestry(cls).classes:
            if above.module.workspace:
                yield from class_effects.of_metaclass(self, above)
                yield from self._set_on_subclasses(above) if above != cls else ()
        for func, place in cls.module.handed_over.get(cls.name, ()):
            function = self.ref(cls.module, func.parts)
            if isinstance(function, FunctionEntity):
                yield from set_on(function, place)
        for declaration in cls.declaration.body:
            made = declaration.value if isinstance(declaration, model.Assign) else None
            if not isinstance(made, model.CallTerm) or not isinstance(made.func, model.Ref):
                continue
            descriptor = self.ref(cls.module, made.func.parts)
            if isinstance(descriptor, ClassEntity) and descriptor.module.workspace:
                function = self.class_attribute(descriptor, "__set_name__")
                if isinstance(function, FunctionEntity):
                    yield from set_on(function, 0)

    def is_test_case(self, entity: ClassEntity) -> bool:
        """Does the class derive from :class:`unittest.TestCase`, or a library's class named like it?"""
        ancestry = self.ancestry(entity)
        above = [external.name for external in ancestry.externals]
        above.extend(cls.name for cls in ancestry.classes if not cls.module.workspace)
        return any(name.endswith("TestCase") for name in above)

    def ancestry(self, entity: ClassEntity) -> Ancestry:
        self._refresh()
        known = self._ancestries.get(entity)
        if known is None:
            known = self._ancestry(entity, set())
            self._ancestries[entity] = known
        return known

    def _ancestry(self, entity: ClassEntity, busy: set[ClassEntity]) -> Ancestry:
        if entity in busy or len(busy) > _DEPTH:
            return Ancestry((entity,), (), False)
        busy.add(entity)
        classes: dict[ClassEntity, None] = {entity: None}
        externals: list[External] = []
        of_python: set[str] = set()
        is_abstract = self._is_made_by_abc(entity)
        of_python.update(_OF_PLAIN_BASES if is_abstract else ())
        complete = is_abstract or not any(k.name == "metaclass" for k in entity.declaration.keywords)
        complete = complete and all(
            _term_name(decorator) in _TRANSPARENT_DECORATORS for decorator in entity.declaration.decorators
        )
        for base in entity.declaration.bases:
            named = self.base(entity, base)
            if isinstance(named, External) and named.dotted in _PLAIN_BASES:
                is_abstract = is_abstract or named.name in ("ABC", "Protocol")
                of_python.update(_OF_PLAIN_BASES)
                continue
            found = self.open(named)
            if isinstance(found, ClassEntity):
                above = self._ancestry(found, busy)
                for cls in above.classes:
                    # A shared base comes after all classes that derive from it, as in C3.
                    classes.pop(cls, None)
                    classes[cls] = None
                externals.extend(above.externals)
                of_python.update(above.of_python)
                is_abstract = is_abstract or above.is_abstract
                complete = complete and above.complete
                complete = complete and not self.changes_subclasses(found)
            elif isinstance(found, External):
                externals.append(found)
                names = _names_of_exception(found)
                of_python.update(names)
                complete = complete and bool(names)
            else:
                complete = False
        busy.discard(entity)
        return Ancestry(tuple(classes), tuple(externals), complete, frozenset(of_python), is_abstract)

    def changes_subclasses(self, cls: ClassEntity) -> bool:
        """Has a class an ``__init_subclass__`` of its own that may set any attribute on the classes below?"""
        return model.COMPUTED in self._set_on_subclasses(cls)

    def _set_on_subclasses(self, cls: ClassEntity) -> Set[str]:
        self._refresh()
        known = self._changing.get(cls)
        if known is None:
            known = self._changing[cls] = class_effects.of_hook(self, cls)
        return known

    def _is_made_by_abc(self, entity: ClassEntity) -> bool:
        metaclasses = [k.value for k in entity.declaration.keywords if k.name == "metaclass"]
        return bool(metaclasses) and self.base(entity, metaclasses[0]) == External("abc.ABCMeta")

    def base(self, entity: ClassEntity, term: model.Term) -> Lookup:
        """What a base in a class header refers to; ``Generic[T]`` is ``Generic``."""
        if isinstance(term, model.SubscriptTerm):
            term = term.value
        if isinstance(term, model.Ref):
            return self.ref(entity.module, term.parts)
        return Absent.UNKNOWN

    # --- libraries

    def open(self, entity: Lookup) -> Lookup:
        """The class, function or value behind an external name where the library's source can be read; the
        external name itself otherwise."""
        if not isinstance(entity, External):
            return entity
        self._refresh()
        key = ("external", entity.dotted)
        known = self._attributes.get(key)
        if known is None:
            if key in self._busy or len(self._busy) > _DEPTH:
                return entity
            self._busy.add(key)
            try:
                known = self._open(entity)
            finally:
                self._busy.discard(key)
            self._attributes[key] = known
        return known

    def _open(self, entity: External) -> Lookup:
        parts = entity.dotted.split(".")
        anchor = self.workspace.root / "conftest.py"
        for count in range(len(parts) - 1, 0, -1):
            file = self.workspace.find(".".join(parts[:count]), anchor)
            if file is None or file.workspace:
                continue
            module = self.workspace.load(file)
            if module is None:
                return entity
            found = self.module_attribute(module, parts[count])
            for part in parts[count + 1 :]:
                if isinstance(found, Absent):
                    break
                found = self.attribute(self.open(found), part, module)  # type: ignore[arg-type]
            if isinstance(found, Absent):
                return entity
            return self.open(found) if found != entity else entity
        return entity


_OBJECT_ATTRIBUTES = frozenset(dir(object)) | {
    "__dict__",
    "__module__",
    "__weakref__",
    "__annotations__",
    "__name__",
    "__qualname__",
    "__mro__",
    "__bases__",
    "__subclasses__",
    "mro",
}


_PLAIN_BASES = frozenset(
    {
        "builtins.object",
        "abc.ABC",
        "typing.Generic",
        "typing.Protocol",
        "_typing.Generic",
        "typing_extensions.Generic",
        "typing_extensions.Protocol",
    }
)
"""Bases with nothing that a double could be asked for by another than a special name."""
_OF_PLAIN_BASES = frozenset(
    {
        "register",
        "__abstractmethods__",
        "__class_getitem__",
        "__orig_bases__",
        "__orig_class__",
        "__parameters__",
        "__protocol_attrs__",
        "__non_callable_proto_members__",
        "_abc_caches_clear",
        "_abc_impl",
        "_abc_registry_clear",
        "_dump_registry",
        "_is_protocol",
        "_is_runtime_protocol",
    }
)
"""What these and their metaclasses give all the same (CPython 3.10 to 3.14)."""
_OF_LATER_EXCEPTIONS = frozenset({"add_note", "name_from", "winerror", "__notes__"})
"""On other versions of Python, or on Windows."""


def _names_of_exception(base: External) -> frozenset[str]:
    """The attributes of one of Python's exceptions; none for other classes."""
    module, _, name = base.dotted.rpartition(".")
    found = getattr(builtins, name, None) if module == "builtins" else None
    if not isinstance(found, type) or not issubclass(found, BaseException):
        return frozenset()
    return frozenset(dir(found)) | _OF_LATER_EXCEPTIONS


def _term_name(term: model.Term) -> str:
    if isinstance(term, model.CallTerm):
        term = term.func
    return ".".join(term.parts) if isinstance(term, model.Ref) else ""


def set_on(function: FunctionEntity, place: int | str) -> set[str]:
    """The attributes that a function sets on an argument that it is given at a place, or by a keyword;
    :data:`model.COMPUTED` for any."""
    declaration = function.declaration
    parameters = [parameter.name for parameter in declaration.parameters]
    if isinstance(place, int):
        place += function.owner is not None
        if place >= len(parameters):
            return set()
        place = parameters[place]
    found = {attribute for parameter, attribute in declaration.sets_on if parameter == place}
    return found.union(declaration.self_attributes) if parameters[:1] == [place] else found


def _read_body(cls: model.Class) -> _Body:
    made = _Body(cls)
    for declaration in cls.body:
        if isinstance(declaration, (model.Function, model.Class)):
            made.bound.setdefault(declaration.name, []).append(declaration)
        elif isinstance(declaration, model.Assign):
            made.bound.setdefault(declaration.target, []).append(declaration)
        elif isinstance(declaration, model.Import):
            for name in {imported.bound for imported in declaration.names}:
                made.bound.setdefault(name, []).append(declaration)
        if isinstance(declaration, model.Function):
            made.set_by_methods.update(_set_on_own_class(declaration))
        elif isinstance(declaration, model.Expression) and _is_namespace_of_body(declaration.value):
            made.set_by_methods.add(model.COMPUTED)
        elif isinstance(declaration, model.Assign) and declaration.target == "__slots__":
            value = declaration.value
            for item in value.items if isinstance(value, model.SequenceTerm) else (value,):
                made.slots.add(str(item.value) if isinstance(item, model.Const) else model.COMPUTED)
    return made


def _set_on_own_class(method: model.Function) -> set[str]:
    """The attributes that a method sets on its class; :data:`model.COMPUTED` for any."""
    first = method.parameters[0].name if method.parameters else ""
    found = {attribute for parameter, attribute in method.sets_on if parameter == f"{model.CLASS_OF}{first}"}
    given_class = method.name in _GIVEN_CLASS or any(
        _term_name(decorator) == "classmethod" for decorator in method.decorators
    )
    if given_class:
        found.update(method.self_attributes)
        found.update(attribute for parameter, attribute in method.sets_on if parameter == first)
    return found


def _is_namespace_of_body(term: model.Term) -> bool:
    """``locals()`` or ``vars()`` of a class body, or a method of it; ``exec(…)``."""
    while isinstance(term, (model.CallTerm, model.AttrTerm)):
        if isinstance(term, model.AttrTerm):
            term = term.value
        elif isinstance(term.func, model.Ref):
            return (term.func.parts[-1] in ("locals", "vars") and not term.args) or term.func.parts == (
                "exec",
            )
        else:
            term = term.func
    return False


def _binds(declaration: model.Declaration, name: str) -> bool:
    """Does a statement of a class body bind, or only annotate, this name?"""
    if isinstance(declaration, (model.Function, model.Class)):
        return declaration.name == name
    if isinstance(declaration, model.Assign):
        return declaration.target == name
    return isinstance(declaration, model.Import) and any(each.bound == name for each in declaration.names)


def is_accessor(function: model.Function) -> bool:
    """Is it a part that is added to a property, as ``@x.setter`` adds it?"""
    return any(
        isinstance(decorator, model.Ref) and len(decorator.parts) > 1 and decorator.parts[-1] in ACCESSORS
        for decorator in function.decorators
    )


def unmangled(cls: ClassEntity, name: str) -> str:
    """``__name`` for ``_Class__name``: how the class's own code writes it (private name mangling)."""
    if name.startswith("_") and "__" in name and not name.endswith("__"):
        prefix = f"_{cls.name.lstrip('_')}"
        if name.startswith(f"{prefix}__"):
            return name.removeprefix(prefix)
    return name
