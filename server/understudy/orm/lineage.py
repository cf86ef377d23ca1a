"""What a mapped class inherits: its classes in order, the registry it belongs to, and who constructs it.

A base, decorator or metaclass that is not understood makes the answer incomplete: then a name that is not seen
proves nothing. Bases of libraries are read from the project's environment, those of SQLAlchemy, Flask-SQLAlchemy
and SQLModel are known by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import Absent, ClassEntity, External, Lookup, ValueEntity
from understudy.infer.resolve import Resolver

RegistryKey = tuple[Path, str]

SQLMODEL: RegistryKey = (Path("sqlmodel"), "SQLModel")
"""The one registry that all classes below ``SQLModel`` share."""

_HARMLESS = frozenset({"Generic", "Protocol", "object", "ABC"})
_PLAIN_DECORATORS = frozenset({"final", "total_ordering", "runtime_checkable"})
_CONSTRUCTED = frozenset({"metadata", "name", "type_annotation_map", "bind", "cls", "class_registry"})
_FLASK = frozenset({"query", "query_class"})
RESERVED = frozenset({"metadata", "registry", "awaitable_attrs", "type_annotation_map"})
"""Names that SQLAlchemy's own declarative classes take: no columns."""
_PYDANTIC = frozenset(
    (
        "construct",
        "copy",
        "dict",
        "from_orm",
        "json",
        "parse_file",
        "parse_obj",
        "parse_raw",
        "schema",
        "schema_json",
        "update_forward_refs",
        "validate",
        "model_computed_fields",
        "model_config",
        "model_construct",
        "model_copy",
        "model_dump",
        "model_dump_json",
        "model_extra",
        "model_fields",
        "model_fields_set",
        "model_json_schema",
        "model_parametrized_name",
        "model_post_init",
        "model_rebuild",
        "model_validate",
        "model_validate_json",
        "model_validate_strings",
        "sqlmodel_update",
    )
)
_AS_DECLARATIVE = frozenset({"as_declarative", "as_declarative_base"})
_KEYS = frozenset({"ForeignKey", "ForeignKeyConstraint"})
_DEPTH = 24


class Constructor(Enum):
    """Who makes instances."""

    DEFAULT = "default"
    """SQLAlchemy's own: takes what the class has."""
    CUSTOM = "custom"
    """An ``__init__`` of the workspace or a library."""
    DATACLASS = "dataclass"
    LENIENT = "lenient"
    """SQLModel's: ignores what it does not know."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Lineage:
    """A class and what is above it."""

    classes: tuple[ClassEntity, ...]
    """In method resolution order, the class itself first; library roots are not among them."""
    registry: RegistryKey | None
    root: ClassEntity | None
    """The declarative base where it is a class."""
    known: bool
    """Every base and decorator is understood."""
    constructor: Constructor
    initializer: model.Function | None
    """The ``__init__`` of a custom constructor."""
    extra: frozenset[str]
    """Attributes that library bases bring."""
    mapped: bool
    """False for what only looks like a model: a declarative base itself, a SQLModel without ``table=True``."""


class Lineages:
    """Lineages of one workspace; kept as long as the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self._known: dict[ClassEntity, Lineage] = {}

    def of(self, entity: ClassEntity) -> Lineage:
        known = self._known.get(entity)
        if known is None:
            known = _Walk(self.resolver).lineage(entity)
            self._known[entity] = known
        return known


class _Root(Enum):
    """Where in the order a library's default constructor comes."""

    DEFAULT = "default"
    UNKNOWN = "unknown"


class _Walk:
    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.registry: RegistryKey | None = None
        self.root: ClassEntity | None = None
        self.known = True
        self.dataclass = False
        self.each_dataclass = False
        """Every class below is made a dataclass, not the decorated one alone."""
        self.own_constructor = False
        """The registry is given one, or may be."""
        self.lenient = False
        self.extra: set[str] = set()

    def lineage(self, entity: ClassEntity) -> Lineage:
        order = self._walk(entity, frozenset())
        constructor, initializer = self._constructor(order)
        classes = tuple(part for part in order if isinstance(part, ClassEntity))
        mapped = self.registry is not None and self.root != entity
        if self.lenient:
            table = [k.value for k in entity.declaration.keywords if k.name == "table"]
            mapped = any(isinstance(value, model.Const) and value.value is True for value in table)
        return Lineage(
            classes,
            self.registry,
            self.root,
            self.known,
            constructor,
            initializer,
            frozenset(self.extra),
            mapped,
        )

    def _walk(self, cls: ClassEntity, busy: frozenset[ClassEntity]) -> dict[ClassEntity | _Root, None]:
        order: dict[ClassEntity | _Root, None] = {cls: None}
        if any(tail(d) in _AS_DECLARATIVE for d in cls.declaration.decorators):
            # A new class is made below this one, and its constructor is the library's.
            order = {_Root.DEFAULT: None, cls: None}
        if cls in busy or len(busy) > _DEPTH:
            self.known = False
            return order
        header = cls.declaration
        if cls.module.dynamic:
            self.known = False
        if any(isinstance(d, model.Function) and d.name == "__init_subclass__" for d in header.body):
            self.known = False
        library: list[_Root] = []
        for decorator in header.decorators:
            library.extend(self._decorator(cls, decorator))
        for keyword in header.keywords:
            library.extend(self._keyword(cls, keyword))
        above: list[dict[ClassEntity | _Root, None]] = []
        for base in header.bases:
            above.append(self._base(cls, cls.module, base, busy | {cls}, 0))
        above.append(dict.fromkeys(library))
        for parts in above:
            for part in parts:
                # A shared base comes after all classes that derive from it, as in C3.
                order.pop(part, None)
                order[part] = None
        return order

    def _decorator(self, cls: ClassEntity, decorator: model.Term) -> Iterator[_Root]:
        name = tail(decorator)
        if name in _AS_DECLARATIVE:
            self._found(cls.key, cls)
            if isinstance(decorator, model.CallTerm) and decorator.keyword("constructor") is not None:
                self.known = False
        elif name in ("mapped", "mapped_as_dataclass"):
            func = decorator.func if isinstance(decorator, model.CallTerm) else decorator
            if not isinstance(func, model.Ref) or len(func.parts) < 2:
                self.known = False
                return
            key = registry_key(self.resolver, cls.module, func.parts[:-1])
            if key is None:
                self.known = False
                return
            self._found(key, None)
            if name == "mapped_as_dataclass":
                self.dataclass = True
            yield _Root.DEFAULT
        elif name in ("dataclass", "define", "attrs"):
            yield _Root.UNKNOWN
        elif name not in _PLAIN_DECORATORS:
            self.known = False

    def _keyword(self, cls: ClassEntity, keyword: model.KeywordTerm) -> Iterator[_Root]:
        if keyword.name == "metaclass":
            name = tail(keyword.value)
            if name == "DeclarativeMeta":
                self._found(cls.key, cls)
                yield _Root.UNKNOWN
            elif name != "ABCMeta":
                self.known = False
        elif keyword.name == "init":
            yield _Root.UNKNOWN
        elif keyword.name is None:
            self.known = False

    def _base(
        self, cls: ClassEntity, module: Module, term: model.Term, busy: frozenset[ClassEntity], depth: int
    ) -> dict[ClassEntity | _Root, None]:
        if isinstance(term, model.SubscriptTerm):
            term = term.value
        found: Lookup = Absent.UNKNOWN
        if isinstance(term, model.Ref):
            if term.parts[-1] == "Model" and len(term.parts) > 1:
                owner = self.resolver.ref(module, term.parts[:-1])
                if isinstance(owner, ValueEntity) and made_by(owner, "SQLAlchemy"):
                    return self._flask(owner, busy)
            found = self.resolver.ref(module, term.parts)
        elif isinstance(term, model.CallTerm) and tail(term) == "declarative_base":
            self._found(cls.key, cls)
            return self._made(cls.module, term, busy)
        if isinstance(found, ValueEntity):
            if made_by(found, "declarative_base", "generate_base"):
                assert isinstance(found.declaration.value, model.CallTerm)
                self._found(_key_of(self.resolver, found), None)
                return self._made(found.module, found.declaration.value, busy)
            value = found.declaration.value
            if isinstance(value, model.Ref) and depth < _DEPTH and not found.declaration.augmented:
                return self._base(cls, found.module, value, busy, depth + 1)
            self.known = False
            return {}
        if isinstance(found, External):
            if found.root == "sqlalchemy":
                return self._sqlalchemy(cls, found.name)
            if found.root == "sqlmodel" and found.name == "SQLModel":
                self.lenient = True
                self._found(SQLMODEL, None)
                self.extra |= _PYDANTIC
                return {}
            if found.name in _HARMLESS:
                return {}
            found = self.resolver.open(found)
        if isinstance(found, ClassEntity):
            return self._walk(found, busy)
        self.known = False
        return {}

    def _sqlalchemy(self, cls: ClassEntity, name: str) -> dict[ClassEntity | _Root, None]:
        if name in ("DeclarativeBase", "DeclarativeBaseNoMeta"):
            self._found(cls.key, cls)
            return {_Root.DEFAULT: None}
        if name == "MappedAsDataclass":
            self.dataclass = self.each_dataclass = True
        elif name not in ("AsyncAttrs", "ConcreteBase"):
            self.known = False
        return {}

    def _flask(self, owner: ValueEntity, busy: frozenset[ClassEntity]) -> dict[ClassEntity | _Root, None]:
        self._found((owner.path, f"{owner.declaration.target}.Model"), None)
        self.extra |= _FLASK
        value = owner.declaration.value
        assert isinstance(value, model.CallTerm)
        registry = self.registry
        order: dict[ClassEntity | _Root, None] = {}
        given = value.keyword("model_class")
        if given is not None:
            found = self.resolver.ref(owner.module, given.parts) if isinstance(given, model.Ref) else None
            if isinstance(found, ClassEntity):
                order = self._walk(found, busy)
                if not any(isinstance(part, _Root) for part in order):
                    # Flask-SQLAlchemy derives a declarative base from it, with a constructor of its own.
                    order = {_Root.DEFAULT: None, **order}
            else:
                self.known = False
        # What stands above ``db.Model`` is no registry of its own.
        self.registry = registry
        order.setdefault(_Root.DEFAULT, None)
        return order

    def _made(
        self, module: Module, call: model.CallTerm, busy: frozenset[ClassEntity]
    ) -> dict[ClassEntity | _Root, None]:
        """The class that ``declarative_base(…)`` makes."""
        plain = not call.args and all(keyword.name in _CONSTRUCTED for keyword in call.keywords)
        order: dict[ClassEntity | _Root, None] = {_Root.DEFAULT if plain else _Root.UNKNOWN: None}
        given = call.keyword("cls")
        if given is not None:
            found = self.resolver.ref(module, given.parts) if isinstance(given, model.Ref) else None
            if isinstance(found, ClassEntity):
                order.update(self._walk(found, busy))
            else:
                self.known = False
        if call.keyword("metaclass") is not None or any(keyword.name is None for keyword in call.keywords):
            self.known = False
        return order

    def _found(self, key: RegistryKey, root: ClassEntity | None) -> None:
        if self.registry is None:
            self.registry, self.root = key, root
            given = own(root, "registry") if root is not None else None
            if root is not None and isinstance(given, model.Assign) and isinstance(given.value, model.Ref):
                self.registry = registry_key(self.resolver, root.module, given.value.parts) or key
                self.own_constructor = self.registry is key
            elif root is not None and given is not None:
                call = given.value if isinstance(given, model.Assign) else None
                self.own_constructor = (
                    not isinstance(call, model.CallTerm)
                    or tail(call) != "registry"
                    or any(keyword.name in (None, "constructor") for keyword in call.keywords)
                )
        self.extra |= RESERVED

    def _constructor(
        self, order: dict[ClassEntity | _Root, None]
    ) -> tuple[Constructor, model.Function | None]:
        if self.lenient:
            return Constructor.LENIENT, None
        if any(isinstance(part, ClassEntity) and own(part, "__new__") is not None for part in order):
            return Constructor.UNKNOWN, None
        first = next(part for part in order if isinstance(part, ClassEntity))
        if self.each_dataclass and own(first, "__init__") is None and _Root.UNKNOWN not in order:
            return Constructor.DATACLASS, None
        for part in order:
            if isinstance(part, _Root):
                default = Constructor.DATACLASS if self.dataclass else Constructor.DEFAULT
                if self.own_constructor:
                    default = Constructor.UNKNOWN
                return (default if part is _Root.DEFAULT else Constructor.UNKNOWN), None
            declared = own(part, "__init__")
            if isinstance(declared, model.Function):
                if declared.decorators:
                    return Constructor.UNKNOWN, None
                return Constructor.CUSTOM, declared
            if isinstance(declared, model.Assign):
                if tail(declared.value) == "constructor":
                    return Constructor.DEFAULT, None
                return Constructor.UNKNOWN, None
            if part == self.root and not self.dataclass and not part.declaration.keywords:
                return (Constructor.UNKNOWN if self.own_constructor else Constructor.DEFAULT), None
        return Constructor.UNKNOWN, None


def only_for_type_checkers(declaration: model.Declaration) -> bool:
    """Is it below ``if TYPE_CHECKING``?"""
    return model.Guard.TYPE_CHECKING in getattr(declaration, "guards", ())


def own(cls: ClassEntity, name: str) -> model.Declaration | None:
    """The last statement of a class body that binds a name when it runs."""
    found: model.Declaration | None = None
    for declaration in cls.declaration.body:
        if only_for_type_checkers(declaration):
            continue
        if getattr(declaration, "target", getattr(declaration, "name", None)) == name:
            if not isinstance(declaration, (model.AttributeAssign, model.Import)):
                found = declaration
    return found


def tail(term: model.Term | None) -> str:
    """The last part of a name, or of what is called."""
    if isinstance(term, model.CallTerm):
        term = term.func
    if isinstance(term, model.AttrTerm):
        return term.name
    return term.parts[-1] if isinstance(term, model.Ref) else ""


def called(resolver: Resolver, module: Module, term: model.Term) -> str | None:
    """As :func:`tail`, by the own name of what is called or named: an alias is followed. None where that is no class,
    so that nobody knows what it gives."""
    func = term.func if isinstance(term, model.CallTerm) else term
    if not isinstance(func, model.Ref):
        return None
    found = resolver.ref(module, func.parts)
    if isinstance(found, Absent) and len(func.parts) > 1:
        owner = resolver.ref(module, func.parts[:-1])
        if isinstance(owner, ValueEntity) and made_by(owner, "SQLAlchemy"):
            # ``db.Column`` of Flask-SQLAlchemy.
            return func.parts[-1]
    if isinstance(found, External):
        if found.root in ("sqlalchemy", "sqlmodel"):
            return found.name
        found = resolver.open(found)
    if not isinstance(found, ClassEntity):
        return None
    # What derives from a foreign key is one.
    above = [each.name for each in resolver.ancestry(found).externals]
    return next((name for name in above if name in _KEYS), found.name)


def made_by(entity: ValueEntity, *names: str) -> bool:
    """Is the value a call of something with one of these names?"""
    return isinstance(entity.declaration.value, model.CallTerm) and tail(entity.declaration.value) in names


def registry_key(resolver: Resolver, module: Module, parts: tuple[str, ...]) -> RegistryKey | None:
    """The registry that an expression stands for: ``mapper_registry``, ``Base.registry``. None when it is not
    known, or makes classes with a constructor of its own."""
    if len(parts) > 1 and parts[-1] == "registry":
        return registry_of(resolver, resolver.ref(module, parts[:-1]))
    found = resolver.ref(module, parts)
    if isinstance(found, ValueEntity) and made_by(found, "registry"):
        call = found.declaration.value
        if isinstance(call, model.CallTerm) and call.keyword("constructor") is None:
            return (found.path, found.declaration.target)
    return None


def registry_of(resolver: Resolver, base: Lookup) -> RegistryKey | None:
    """The registry of a declarative base, or of a class below it."""
    if isinstance(base, ClassEntity):
        return _Walk(resolver).lineage(base).registry
    if isinstance(base, ValueEntity) and made_by(base, "declarative_base", "generate_base"):
        return _key_of(resolver, base)
    return None


def _key_of(resolver: Resolver, found: ValueEntity) -> RegistryKey:
    """The registry of a made base: that of ``mapper_registry.generate_base()``, else its own."""
    call = found.declaration.value
    if (
        isinstance(call, model.CallTerm)
        and tail(call) == "generate_base"
        and isinstance(call.func, model.Ref)
    ):
        key = registry_key(resolver, found.module, call.func.parts[:-1])
        if key is not None:
            return key
    return (found.path, found.declaration.target)
