"""Declarative models as their source declares them: registries, columns, relationships, indexes.

A model is a class below a declarative base of SQLAlchemy. What the default constructor accepts is what
``hasattr(cls, key)`` says (``sqlalchemy.orm.decl_base._declarative_constructor``); where a base, a decorator or
a constructor is not understood, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from understudy.facts import model
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.assigned import set_on_class
from understudy.infer.entities import Absent, ClassEntity, External, ValueEntity
from understudy.infer.resolve import Resolver
from understudy.source.span import Span

_INSTRUMENTED = frozenset(
    {
        "metadata",
        "registry",
        "__table__",
        "__mapper__",
        "__tablename__",
        "__table_args__",
        "__mapper_args__",
        "_sa_class_manager",
    }
)
_OTHER_BASES = frozenset(
    {"AutomapBase", "DeferredReflection", "MappedAsDataclass", "SQLModel", "AbstractConcreteBase"}
)
_SQLALCHEMY_BASES = frozenset({"DeclarativeBase", "DeclarativeBaseNoMeta", "AsyncAttrs"})
_HARMLESS_EXTERNALS = frozenset({"Generic", "Protocol", "object"})
_CONSTRUCTION = frozenset({"__init__", "__new__", "__getattr__", "__init_subclass__"})

RegistryKey = tuple[Path, str]


@dataclass(frozen=True)
class Member:
    """A mapped attribute: its name, the call that declares it, and where."""

    name: str
    call: model.CallTerm | None
    annotation: model.Term | None
    owner: ClassEntity
    span: Span
    """The attribute's name, in ``owner.path``."""
    statement: Span


@dataclass(frozen=True)
class Relationship(Member):
    """``relationship(…)``."""

    target: str | None = None
    """The string that names the target; None when it is given otherwise."""
    target_span: Span | None = None
    """The string (with its quotes)."""


@dataclass(frozen=True)
class Model:
    """A mapped class."""

    entity: ClassEntity
    registry: RegistryKey
    columns: tuple[Member, ...]
    relationships: tuple[Relationship, ...]
    table: str | None
    """``__tablename__``; None when it is inherited, computed or absent."""

    @property
    def name(self) -> str:
        return self.entity.name


@dataclass
class Registry:
    """A declarative base and every model of the workspace below it."""

    key: RegistryKey
    base: ClassEntity | None
    models: list[Model] = field(default_factory=list)
    complete: bool = True
    """False when the class registry may hold classes that were not seen."""

    def named(self, name: str) -> list[Model]:
        return [found for found in self.models if found.name == name]


class Models:
    """The models of a workspace. One is shared by all analyses until a file changes."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.resolver = Resolver(workspace)
        self._models: dict[ClassEntity, tuple[Model | None, set[Path]]] = {}

    @classmethod
    def of(cls, workspace: Workspace) -> Models:
        return workspace.derived("orm.models", lambda: cls(workspace))

    # --- one class

    def mapped(self, entity: ClassEntity) -> Model | None:
        """The model that a class is; None when it is no mapped class, or abstract."""
        known = self._models.get(entity)
        if known is None:
            with self.workspace.recording() as seen:
                known = (self._model(entity), seen)
            self._models[entity] = known
        self.workspace.depend_on(known[1])
        return known[0]

    def _model(self, entity: ClassEntity) -> Model | None:
        registry = self.registry_of(entity)
        if registry is None or registry == (entity.path, entity.qualname):
            return None
        if self._own_constant(entity, "__abstract__") is True:
            return None
        columns: list[Member] = []
        relationships: list[Relationship] = []
        seen: set[str] = set()
        for cls in self.resolver.ancestry(entity).classes:
            for member in members(cls):
                if member.name in seen:
                    continue
                seen.add(member.name)
                if isinstance(member, Relationship):
                    relationships.append(member)
                elif _is_column(member):
                    columns.append(member)
        table = self._own_constant(entity, "__tablename__")
        return Model(
            entity, registry, tuple(columns), tuple(relationships), table if isinstance(table, str) else None
        )

    def registry_of(self, entity: ClassEntity) -> RegistryKey | None:
        """The declarative base that a class stands below."""
        for cls in self.resolver.ancestry(entity).classes:
            for base in cls.declaration.bases:
                if isinstance(base, model.Ref) and base.parts[-1] == "Model" and len(base.parts) == 2:
                    owner = self.resolver.name(cls.module, base.parts[0])
                    if isinstance(owner, ValueEntity) and _made_by(owner, "SQLAlchemy"):
                        return (owner.path, f"{owner.declaration.target}.Model")
                found = self.resolver.base(cls, base)
                if (
                    isinstance(found, External)
                    and found.root == "sqlalchemy"
                    and found.name
                    in (
                        "DeclarativeBase",
                        "DeclarativeBaseNoMeta",
                    )
                ):
                    return (cls.path, cls.qualname)
                if isinstance(found, ValueEntity) and _made_by(found, "declarative_base", "generate_base"):
                    return (found.path, found.declaration.target)
        return None

    def _own_constant(self, entity: ClassEntity, name: str) -> object:
        for declaration in entity.declaration.body:
            if isinstance(declaration, model.Assign) and declaration.target == name:
                if isinstance(declaration.value, model.Const):
                    return declaration.value.value
        return None

    # --- what the constructor accepts

    def understood(self, entity: ClassEntity) -> bool:
        """True when every base and decorator of the class is known, and its constructor is the default one."""
        return self._understood(entity, set())

    def _understood(self, cls: ClassEntity, seen: set[ClassEntity]) -> bool:
        if cls in seen:
            return True
        seen.add(cls)
        header = cls.declaration
        if header.decorators or header.keywords or cls.module.dynamic:
            return False
        if any(isinstance(d, model.Function) and d.name in _CONSTRUCTION for d in header.body):
            return False
        return all(self._base_understood(cls, base, seen) for base in header.bases)

    def _base_understood(self, cls: ClassEntity, base: model.Term, seen: set[ClassEntity]) -> bool:
        found = self.resolver.base(cls, base)
        if isinstance(found, Absent):
            return self._is_flask_model(cls, base)
        if isinstance(found, ValueEntity):
            return self._plain_base(found)
        if isinstance(found, External):
            if found.root == "sqlalchemy" or found.name in _OTHER_BASES:
                return found.name in _SQLALCHEMY_BASES
            if found.name in _HARMLESS_EXTERNALS:
                return True
            found = self.resolver.open(found)
        return isinstance(found, ClassEntity) and self._understood(found, seen)

    def _plain_base(self, found: ValueEntity) -> bool:
        """``declarative_base()`` without a class or constructor of its own."""
        value = found.declaration.value
        if not isinstance(value, model.CallTerm):
            return False
        allowed = {"metadata", "name", "type_annotation_map", "bind"}
        return not value.args and all(keyword.name in allowed for keyword in value.keywords)

    def _is_flask_model(self, cls: ClassEntity, base: model.Term) -> bool:
        if not isinstance(base, model.Ref) or base.parts[-1] != "Model" or len(base.parts) != 2:
            return False
        owner = self.resolver.name(cls.module, base.parts[0])
        if not isinstance(owner, ValueEntity) or not _made_by(owner, "SQLAlchemy"):
            return False
        value = owner.declaration.value
        return isinstance(value, model.CallTerm) and value.keyword("model_class") is None

    def accepts(self, found: Model, keyword: str) -> bool | None:
        """Will the default constructor take this keyword? None when not known."""
        if not self.understood(found.entity):
            return None
        if self.has_attribute(found.entity, keyword):
            return True
        if keyword in _INSTRUMENTED or keyword.startswith("__"):
            return None
        added = self.added_later(found, keyword)
        return None if added is None else added

    def has_attribute(self, entity: ClassEntity, name: str) -> bool:
        for cls in self.resolver.ancestry(entity).classes:
            for declaration in cls.declaration.body:
                if isinstance(declaration, (model.Function, model.Class)) and declaration.name == name:
                    return True
                if isinstance(declaration, model.Assign) and declaration.target == name:
                    return True
                if isinstance(declaration, model.Import):
                    if any(imported.bound == name for imported in declaration.names):
                        return True
        return False

    def added_later(self, found: Model, name: str) -> bool | None:
        """Is the attribute put on the class from elsewhere: a ``backref`` of another model, an assignment to
        the class? None when that cannot be told."""
        lineage = {cls.name for cls in self.resolver.ancestry(found.entity).classes}
        if set_on_class(self.workspace, lineage, name):
            return True
        for path in self.workspace.files_with(_ADDED):
            module = self.workspace.module(path)
            if module is None:
                continue
            for declaration in _all_classes(module):
                for inner in declaration.body:
                    value = getattr(inner, "value", None)
                    if isinstance(value, model.CallTerm):
                        backref = _backref_name(value)
                        if backref == name:
                            return True
                        if backref is _COMPUTED:
                            return None
            for _, top in module.declarations():
                if isinstance(top, (model.Assign, model.AttributeAssign, model.Expression)):
                    if isinstance(top.value, model.CallTerm) and _backref_name(top.value) == name:
                        return True
        return False

    def names(self, found: Model) -> dict[str, Span]:
        """Every attribute that the constructor would take, with where it is declared."""
        known: dict[str, Span] = {}
        for cls in self.resolver.ancestry(found.entity).classes:
            for declaration in cls.declaration.body:
                if isinstance(declaration, model.Assign) and not declaration.target.startswith("_"):
                    known.setdefault(declaration.target, declaration.span.shifted(cls.row))
                elif isinstance(declaration, model.Function) and any(
                    _term_tail(d) in ("hybrid_property", "synonym_for") for d in declaration.decorators
                ):
                    known.setdefault(declaration.name, declaration.span.shifted(cls.row))
        return known

    # --- registries

    @property
    def registries(self) -> dict[RegistryKey, Registry]:
        """Every registry of the workspace with all of its models."""
        return self.workspace.derived("orm.registries", self._registries)

    @property
    def class_names(self) -> frozenset[str]:
        """The names of all models: a file in which none of them is called makes no instance."""
        return self.workspace.derived(
            "orm.class_names",
            lambda: frozenset(m.name for registry in self.registries.values() for m in registry.models),
        )

    def _registries(self) -> dict[RegistryKey, Registry]:
        found: dict[RegistryKey, Registry] = {}
        for path in self.workspace.files_with(_MODEL_FILE):
            module = self.workspace.module(path)
            if module is None:
                continue
            for entity in classes_of(module):
                mapped = self.mapped(entity)
                if mapped is not None:
                    registry = found.setdefault(mapped.registry, Registry(mapped.registry, None))
                    registry.models.append(mapped)
        return found

    def in_file(self, module: Module) -> list[Model]:
        """The models that a file declares."""
        made = (self.mapped(entity) for entity in classes_of(module))
        return [found for found in made if found is not None]


_ADDED = re.compile(rb"\bbackref\b")
_MODEL_FILE = re.compile(
    rb"\b(?:mapped_column|Column|relationship|__tablename__|DeclarativeBase|declarative_base|Mapped)\b"
    rb"|^class \w+\([^)]*(?:Base|Model|Mixin)\b",
    re.MULTILINE,
)
_COMPUTED = object()


def classes_of(module: Module) -> Iterator[ClassEntity]:
    """The classes that stand at the top level of a file."""
    for row, declaration in module.declarations():
        if isinstance(declaration, model.Class):
            yield ClassEntity(module, declaration, row, declaration.name)


def _all_classes(module: Module) -> Iterator[model.Class]:
    for _, declaration in module.declarations():
        if isinstance(declaration, model.Class):
            yield declaration


def members(cls: ClassEntity) -> Iterator[Member]:
    """The attributes that a class body declares, ``declared_attr`` left out."""
    for declaration in cls.declaration.body:
        if not isinstance(declaration, model.Assign):
            continue
        value = declaration.value
        call = value if isinstance(value, model.CallTerm) else None
        span = declaration.span.shifted(cls.row)
        statement = declaration.statement.shifted(cls.row)
        if call is not None and call_name(call) in ("relationship", "dynamic_loader", "relation"):
            target, where = _target(call, declaration.annotation)
            yield Relationship(
                declaration.target,
                call,
                declaration.annotation,
                cls,
                span,
                statement,
                target,
                where.shifted(cls.row) if where is not None else None,
            )
        else:
            yield Member(declaration.target, call, declaration.annotation, cls, span, statement)


def _target(call: model.CallTerm, annotation: model.Term | None) -> tuple[str | None, Span | None]:
    """The name of a relationship's target class when it is written as a string."""
    argument = call.args[0] if call.args else call.keyword("argument")
    if argument is not None:
        if isinstance(argument, model.Const) and isinstance(argument.value, str):
            return argument.value, argument.span
        return None, None
    if annotation is None or not is_mapped(annotation):
        return None, None
    assert isinstance(annotation, model.SubscriptTerm)
    inner = annotation.index
    while isinstance(inner, model.SubscriptTerm):
        inner = inner.index
    if isinstance(inner, model.UnionTerm):
        sides = [s for s in (inner.left, inner.right) if not (isinstance(s, model.Const) and s.value is None)]
        inner = sides[0] if len(sides) == 1 else inner
    if isinstance(inner, model.Const) and isinstance(inner.value, str):
        return inner.value, inner.span
    return None, None


def call_name(call: model.CallTerm) -> str:
    """The last part of what is called: ``Column`` for ``sa.Column(…)``."""
    return call.func.parts[-1] if isinstance(call.func, model.Ref) else ""


def is_mapped(annotation: model.Term) -> bool:
    return isinstance(annotation, model.SubscriptTerm) and _term_tail(annotation.value) in (
        "Mapped",
        "DynamicMapped",
        "WriteOnlyMapped",
    )


def _is_column(member: Member) -> bool:
    if member.call is not None and call_name(member.call) in ("Column", "mapped_column"):
        return True
    return member.annotation is not None and is_mapped(member.annotation)


def _term_tail(term: model.Term) -> str:
    if isinstance(term, model.CallTerm):
        term = term.func
    return term.parts[-1] if isinstance(term, model.Ref) else ""


def _made_by(entity: ValueEntity, *names: str) -> bool:
    value = entity.declaration.value
    return isinstance(value, model.CallTerm) and call_name(value) in names


def _backref_name(call: model.CallTerm) -> object:
    """The name of a relationship's ``backref``; ``_COMPUTED`` when it is not a plain string."""
    value = call.keyword("backref")
    if value is None:
        return None
    if isinstance(value, model.CallTerm) and value.args:
        value = value.args[0]
    if isinstance(value, model.Const):
        return value.value
    return _COMPUTED
