"""Mapped classes as their source declares them: registries, columns, relationships, tables.

A model is a class below a declarative base of SQLAlchemy, Flask-SQLAlchemy or SQLModel, or one that is mapped
imperatively. What is not understood is marked so; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from understudy.facts import model
from understudy.index.module import Module
from understudy.index.workspace import FactsOf, Workspace
from understudy.infer.entities import ClassEntity, External, FunctionEntity, ValueEntity
from understudy.infer.resolve import Resolver
from understudy.orm.lineage import (
    RESERVED,
    SQLMODEL,
    Lineage,
    Lineages,
    RegistryKey,
    only_for_type_checkers,
    own,
    registry_key,
    tail,
)
from understudy.source.span import Span

_T = TypeVar("_T")
_RELATIONSHIPS = frozenset({"relationship", "dynamic_loader", "relation", "Relationship"})
_KNOWN_CALLS = _RELATIONSHIPS | frozenset(
    (
        "Column", "mapped_column", "Field", "synonym", "column_property", "composite", "association_proxy",
        "hybrid_property", "property", "validates", "query_expression", "query_property", "Table", "Index",
        "UniqueConstraint", "CheckConstraint", "ForeignKeyConstraint", "PrimaryKeyConstraint", "PrivateAttr",
        "ConfigDict", "frozenset", "set", "dict", "tuple", "list", "namedtuple", "TypeVar", "compile",
        "classmethod", "staticmethod", "getLogger", "object", "events",
    )
)  # fmt: skip
"""What class bodies call that makes no column of another name."""
_NO_COLUMNS = frozenset({"composite", "synonym", "query_expression", "column_property", "association_proxy"})
"""What an annotated attribute may be instead."""
SCHEMA_ITEMS = frozenset(
    {
        "Column", "Index", "ForeignKeyConstraint", "UniqueConstraint", "CheckConstraint", "PrimaryKeyConstraint",
        "ExcludeConstraint", "Sequence", "Identity", "Computed",
    }
)  # fmt: skip
"""What a ``Table(…)`` consists of."""
_MAPPED = frozenset({"Mapped", "DynamicMapped", "WriteOnlyMapped"})
_PLAIN_MAPPER_ARGUMENTS = frozenset(
    (
        "polymorphic_on",
        "polymorphic_identity",
        "polymorphic_abstract",
        "polymorphic_load",
        "with_polymorphic",
        "concrete",
        "order_by",
        "eager_defaults",
        "version_id_col",
        "version_id_generator",
        "confirm_deleted_rows",
        "passive_updates",
        "passive_deletes",
        "batch",
        "inherit_condition",
        "always_refresh",
        "allow_partial_pks",
    )
)


@dataclass(frozen=True)
class Member:
    """An attribute that a class body declares: its name, the call that makes it, and where."""

    name: str
    call: model.CallTerm | None
    annotation: model.Term | None
    owner: ClassEntity
    span: Span
    """The attribute's name, in ``owner.path``."""
    statement: Span
    computed: bool = False
    """Made by a ``declared_attr`` whose body could not be read."""

    @property
    def row(self) -> int:
        """To add to the spans of ``call``."""
        return self.owner.row


@dataclass(frozen=True)
class Relationship(Member):
    """``relationship(…)``."""

    target: str | None = None
    """The string that names the target; None when it is given otherwise."""
    target_span: Span | None = None
    """The string (with its quotes)."""
    target_ref: model.Ref | None = None
    """The name that is the target, where it is not a string."""


@dataclass(frozen=True)
class Imperative:
    """``map_imperatively(Class, table, properties=…)``."""

    registry: RegistryKey
    module: Module
    call: model.CallTerm
    row: int


@dataclass(frozen=True, eq=False)
class Model:
    """A mapped class."""

    entity: ClassEntity
    registry: RegistryKey
    lineage: Lineage
    columns: tuple[Member, ...]
    relationships: tuple[Relationship, ...]
    table: str | None
    """The name of its own table; None when it is inherited, computed or absent."""
    table_span: Span | None
    """Where the name of the table is written, in the class's file."""
    known: bool
    """False when it may have attributes or columns that are not seen."""
    core: tuple[Module, model.CallTerm] | None = None
    """The ``Table(…)`` call that it is mapped to, with the module where it stands."""

    @property
    def name(self) -> str:
        return self.entity.name


class Outline(NamedTuple):
    """A model as far as other models mostly ask: no edit of a column or of a relationship changes that."""

    file: str
    name: str
    registry: tuple[str, str]
    table: str | None
    above: tuple[str, str] | None
    """The nearest mapped class that it inherits from."""
    lineage: tuple[tuple[str, str], ...]
    """The class itself first."""


class Registry:
    """A declarative base and the models of the workspace below it, as one analysis asks for them. Whoever asks for all
    of them rests on all their files; whoever asks for some, on theirs and on how all are outlined."""

    def __init__(self, models: Models, key: tuple[str, str], outlines: Sequence[Outline]) -> None:
        """
        :param key: as it is in the outlines.
        """
        self.key = key
        self._models = models
        self._outlines = outlines

    @property
    def models(self) -> list[Model]:
        return [found for found in self._models.all if self._models.registry_key(found) == self.key]

    @property
    def tables(self) -> frozenset[str]:
        """The names of the tables that are known."""
        return frozenset(outline.table for outline in self._outlines if outline.table is not None)

    @property
    def has_unknown_tables(self) -> bool:
        """Is there a model of which nothing says in which table it is?"""
        return any(outline.table is None and outline.above is None for outline in self._outlines)

    def named(self, name: str) -> list[Model]:
        return self._where(lambda outline: outline.name == name)

    def with_table(self, name: str) -> list[Model]:
        return self._where(lambda outline: outline.table == name)

    def in_table_of(self, found: Model) -> list[Model]:
        """The models below one that have no table of their own, nor one between (single-table inheritance)."""
        keys = {self._models.outlined(found.entity)}
        grown = True
        while grown:
            more = {o.lineage[0] for o in self._outlines if o.table is None and o.above in keys}
            grown = not more <= keys
            keys |= more
        return self._where(lambda outline: outline.table is None and outline.above in keys)

    def below(self, found: Model) -> list[Model]:
        """The models that derive from one, itself included."""
        key = self._models.outlined(found.entity)
        return self._where(lambda outline: key in outline.lineage)

    def made_of(self, path: Path) -> list[Model]:
        """The models that have a class of a file in their lineage."""
        file = self._models.workspace.relative(path)
        return self._where(lambda outline: any(each == file for each, _ in outline.lineage))

    def _where(self, is_wanted: Callable[[Outline], bool]) -> list[Model]:
        chosen = dict.fromkeys(outline for outline in self._outlines if is_wanted(outline))
        return [found for outline in chosen for found in self._models.outlined_by(outline)]


class Models:
    """The models of a workspace, as one analysis asks for them; what it finds out about a class is the workspace's, and
    stays until a file changes that it rests on."""

    def __init__(self, workspace: Workspace, resolver: Resolver | None = None) -> None:
        """
        :param resolver: the analysis's.
        """
        self.workspace = workspace
        self.resolver = resolver or Resolver(workspace)
        self.lineages = Lineages(self.resolver)

    def kept(self, key: str, make: Callable[[Models], _T]) -> _T:
        """A value of the workspace's models, made by models that have answered nothing yet: so it is known what the
        value rests on."""
        return self.workspace.derived(key, lambda: make(Models(self.workspace)))

    # --- one class

    def mapped(self, entity: ClassEntity) -> Model | None:
        """The model that a class is; None when it is no mapped class, or abstract."""
        return self.kept(f"orm.model {entity.path}:{entity.qualname}", lambda models: models._model(entity))

    def _model(self, entity: ClassEntity) -> Model | None:
        lineage = self.lineages.of(entity)
        # The entities were found before, maybe by somebody else.
        self.workspace.depend_on([FactsOf(cls.path) for cls in (entity, *lineage.classes)])
        if lineage.registry is None or not lineage.mapped:
            return self._imperative(entity, lineage)
        if _constant(own(entity, "__abstract__")) is True:
            return None
        columns: list[Member] = []
        relationships: list[Relationship] = []
        seen: set[str] = set()
        for cls in lineage.classes:
            for member in self._members(cls):
                if member.name in seen:
                    continue
                seen.add(member.name)
                if isinstance(member, Relationship):
                    relationships.append(member)
                elif _is_column(member, lineage):
                    columns.append(member)
        known = lineage.known
        core = self._core_table(lineage)
        if core is None and any(own(cls, "__table__") is not None for cls in lineage.classes):
            known = False
        if core is not None and not _plain_table(core[1]):
            known = False
        if any(self._is_reflected(cls) for cls in lineage.classes):
            known = False
        table, span, certain = self._table(entity, lineage, core)
        known = known and certain and all(_plain_mapper(cls) for cls in lineage.classes)
        return Model(
            entity,
            lineage.registry,
            lineage,
            tuple(columns),
            tuple(relationships),
            table,
            span,
            known,
            core,
        )

    def columns_known(self, found: Model) -> bool:
        """False when something in the body of a model, or of a class above it, may be a column that was not
        recognised."""
        return found.known and not any(self._may_be_column(cls) for cls in found.lineage.classes)

    def _may_be_column(self, cls: ClassEntity) -> bool:
        """Does a class body make something by a call, or take it from a name, that could be a column?"""
        for member in members(cls):
            if member.name in RESERVED:
                continue
            if member.computed or (member.call is not None and tail(member.call) not in _KNOWN_CALLS):
                if not member.name.startswith("__"):
                    return True
        for declaration in cls.declaration.body:
            if not isinstance(declaration, model.Assign) or declaration.target.startswith("__"):
                continue
            if declaration.target in RESERVED:
                continue
            value = declaration.value
            if isinstance(value, model.Ref):
                found = self.resolver.ref(cls.module, value.parts)
                if not isinstance(found, (ClassEntity, FunctionEntity, External)):
                    if own(cls, value.parts[0]) is None:
                        return True
            elif isinstance(value, (model.Opaque, model.SubscriptTerm, model.AttrTerm)):
                return True
        return False

    def _is_reflected(self, cls: ClassEntity) -> bool:
        """Does ``__table_args__`` say that columns come from the database, or from a table that is there?"""
        declared = own(cls, "__table_args__")
        term = getattr(declared, "value", None) or getattr(declared, "returned", None)
        options = term.items[-1] if isinstance(term, model.SequenceTerm) and term.items else term
        items = options.items if isinstance(options, model.DictTerm) else ()
        given = {key.value for key, _ in items if isinstance(key, model.Const)}
        if not given.isdisjoint(("autoload", "autoload_with")):
            return True
        return "extend_existing" in given and bool(self.workspace.files_with(_THERE))

    def _members(self, cls: ClassEntity) -> Iterator[Member]:
        yield from members(cls)
        for row, declaration in cls.module.declarations():
            # A column that is added below the class.
            if isinstance(declaration, model.AttributeAssign) and declaration.owner.parts == (cls.name,):
                if isinstance(declaration.value, model.CallTerm) and "." not in cls.qualname:
                    shift = row - cls.row
                    yield from _member(
                        cls,
                        declaration.name,
                        _moved(declaration.value, shift),
                        None,
                        declaration.span.shifted(row),
                        declaration.span.shifted(row),
                    )

    def _core_table(self, lineage: Lineage) -> tuple[Module, model.CallTerm] | None:
        for cls in lineage.classes:
            declared = own(cls, "__table__")
            if isinstance(declared, model.Assign) and declared.value is not None:
                return self.table_call(cls.module, declared.value)
        return None

    def table_call(self, module: Module, term: model.Term) -> tuple[Module, model.CallTerm] | None:
        """The ``Table(…)`` call that an expression is or names."""
        if isinstance(term, model.Ref):
            found = self.resolver.ref(module, term.parts)
            if not isinstance(found, ValueEntity) or found.declaration.value is None:
                return None
            module, term = found.module, found.declaration.value
        if isinstance(term, model.CallTerm) and tail(term) == "Table":
            return module, term
        return None

    def _table(
        self, entity: ClassEntity, lineage: Lineage, core: tuple[Module, model.CallTerm] | None
    ) -> tuple[str | None, Span | None, bool]:
        """The model's own table, where its name is written, and whether that is certain."""
        if core is not None:
            first = core[1].args[0] if core[1].args else None
            if isinstance(first, model.Const) and isinstance(first.value, str):
                return first.value, None, True
            return None, None, False
        for cls in lineage.classes:
            if cls != entity and self._is_mapped_class(cls):
                break
            declared = own(cls, "__tablename__")
            if isinstance(declared, model.Assign):
                value = declared.value
                if isinstance(value, model.Const):
                    if not isinstance(value.value, str):
                        return None, None, True
                    span = value.span.shifted(cls.row) if cls == entity else None
                    return value.value, span, True
                return None, None, False
            if isinstance(declared, model.Function):
                name = _class_name_term(declared.returned, entity.name)
                return name, None, name is not None
        if lineage.registry == SQLMODEL:
            return entity.name.lower(), None, True
        if "query_class" in lineage.extra:
            if not any(self._is_mapped_class(cls) for cls in lineage.classes[1:]):
                return _snake(entity.name), None, True
            return self._flask_below(entity, lineage)
        return None, None, True

    def _flask_below(self, entity: ClassEntity, lineage: Lineage) -> tuple[str | None, Span | None, bool]:
        """As :meth:`_table`: Flask-SQLAlchemy gives a class below a model a table where it has a primary key."""
        for cls in lineage.classes:
            if cls != entity and self._is_mapped_class(cls):
                break
            for member in self._members(cls):
                given = member.call.keyword("primary_key") if member.call is not None else None
                if isinstance(given, model.Const) and given.value is True:
                    return _snake(entity.name), None, True
                if given is not None or member.computed:
                    return None, None, False
        return None, None, True

    def _is_mapped_class(self, cls: ClassEntity) -> bool:
        lineage = self.lineages.of(cls)
        return lineage.mapped and _constant(own(cls, "__abstract__")) is not True

    def above(self, found: Model) -> Model | None:
        """The nearest mapped class that a model inherits from."""
        for cls in found.lineage.classes[1:]:
            mapped = self.mapped(cls)
            if mapped is not None:
                return mapped
        return None

    # --- imperative mapping

    def _imperative(self, entity: ClassEntity, lineage: Lineage) -> Model | None:
        mapping = self._imperatives().get(entity.key)
        if mapping is None:
            return None
        core = self.table_call(mapping.module, mapping.call.args[1]) if len(mapping.call.args) > 1 else None
        given = mapping.call.keyword("properties")
        columns: list[Member] = []
        relationships: list[Relationship] = []
        known = lineage.known and core is not None and _plain_table(core[1])
        known = known and all(k.name in ("properties", "polymorphic_identity") for k in mapping.call.keywords)
        if isinstance(given, model.DictTerm) and mapping.module.path == entity.path:
            shift = mapping.row - entity.row
            for key, value in given.items:
                if not isinstance(key, model.Const) or not isinstance(key.value, str):
                    known = False
                    continue
                span = key.span.shifted(mapping.row)
                if isinstance(value, model.CallTerm):
                    call = _moved(value, shift)
                    for member in _member(entity, key.value, call, None, span, span):
                        if isinstance(member, Relationship):
                            relationships.append(member)
                        else:
                            columns.append(member)
                else:
                    columns.append(Member(key.value, None, None, entity, span, span, True))
        elif given is not None:
            known = False
        name = core[1].args[0] if core is not None and core[1].args else None
        table = name.value if isinstance(name, model.Const) and isinstance(name.value, str) else None
        return Model(
            entity,
            mapping.registry,
            lineage,
            tuple(columns),
            tuple(relationships),
            table,
            None,
            known,
            core,
        )

    def _imperatives(self) -> dict[tuple[Path, str], Imperative]:
        """Class to the call that maps it, for all calls at import time."""

        def make(models: Models) -> dict[tuple[Path, str], Imperative]:
            resolver = models.resolver
            found: dict[tuple[Path, str], Imperative] = {}
            for path in self.workspace.files_with(_IMPERATIVE):
                module = self.workspace.module(path)
                if module is None:
                    continue
                for row, declaration in module.declarations():
                    call = getattr(declaration, "value", None)
                    if not isinstance(call, model.CallTerm) or not isinstance(call.func, model.Ref):
                        continue
                    if tail(call) not in ("map_imperatively", "mapper") or len(call.args) < 2:
                        continue
                    target = call.args[0]
                    entity = resolver.ref(module, target.parts) if isinstance(target, model.Ref) else None
                    key = registry_key(resolver, module, call.func.parts[:-1]) or (path, tail(call))
                    if isinstance(entity, ClassEntity):
                        found[entity.key] = Imperative(key, module, call, row)
            return found

        return self.kept("orm.imperative", make)

    # --- registries

    @property
    def all(self) -> list[Model]:
        """Every model of the workspace."""
        return self.kept("orm.all", lambda models: models._all())

    @property
    def registries(self) -> list[Registry]:
        """Every registry of the workspace."""
        return [Registry(self, key, outlines) for key, outlines in self._by_registry().items()]

    def registry(self, found: Model) -> Registry:
        """The one that a model is in."""
        key = self.registry_key(found)
        return Registry(self, key, self._by_registry().get(key, ()))

    def _by_registry(self) -> dict[tuple[str, str], list[Outline]]:
        def make(models: Models) -> dict[tuple[str, str], list[Outline]]:
            found: dict[tuple[str, str], list[Outline]] = {}
            for outline in models.outlines:
                found.setdefault(outline.registry, []).append(outline)
            return found

        return self.kept("orm.outlines of registries", make)

    # --- outlines

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """Those of :attr:`all`."""
        return self.workspace.value(OUTLINES, lambda: Models(self.workspace)._outlines())

    def _outlines(self) -> tuple[Outline, ...]:
        return tuple(
            Outline(
                self.workspace.relative(found.entity.path),
                found.name,
                self.registry_key(found),
                found.table,
                self.outlined(above.entity) if (above := self.above(found)) is not None else None,
                tuple(map(self.outlined, found.lineage.classes)),
            )
            for found in self.all
        )

    def registry_key(self, found: Model) -> tuple[str, str]:
        """The registry of a model in an :class:`Outline`."""
        path, name = found.registry
        return self.workspace.relative(path), name

    def outlined(self, entity: ClassEntity) -> tuple[str, str]:
        """A class in an :class:`Outline`."""
        return self.workspace.relative(entity.path), entity.qualname

    def outlined_by(self, outline: Outline) -> list[Model]:
        """The models of an outline: more than one where a file declares a class twice."""
        module = self.workspace.module(self.workspace.root / outline.file)
        made = map(self.mapped, classes_named(module, outline.name) if module is not None else ())
        return [found for found in made if found is not None and found.table == outline.table]

    def named_in(self, text: str) -> frozenset[str]:
        """The names of models that are somewhere in a text. Only the files that may declare such a model are read."""
        root, declared = self.workspace.root, self.declared
        words = (
            set(_beginning(frozenset(name[0] for name, _ in declared)).findall(text)) if declared else set()
        )
        found: set[str] = set()
        for name, path in declared:
            if name in words and name not in found:
                module = self.workspace.module(root / path)
                classes = classes_named(module, name) if module is not None else ()
                if any(self.mapped(entity) is not None for entity in classes):
                    found.add(name)
        return frozenset(found)

    @property
    def declared(self) -> frozenset[tuple[str, str]]:
        """The classes that may be models, by how they are written alone: names, each with its file, relative to the
        root."""
        return self.workspace.value(DECLARED, self._declared)

    def _declared(self) -> frozenset[tuple[str, str]]:
        return frozenset(
            (name, self.workspace.relative(path))
            for path in self._may_declare()
            for name in self._classes_in(path)
        )

    def _classes_in(self, path: Path) -> list[str]:
        return self.workspace.derived(
            f"orm.classes {path}", lambda: _CLASS.findall(self.workspace.text(path).content)
        )

    @property
    def exist(self) -> bool:
        """Is there any model in the workspace?"""
        return self.workspace.value(EXIST, self._exist)

    def _exist(self) -> bool:
        # The likely ones first.
        paths = sorted(self._may_declare(), key=lambda path: not self.workspace.matches(_MODEL_WORD, path))
        modules = (self.workspace.module(path) for path in paths)
        return any(self.in_file(module) for module in modules if module is not None)

    def _may_declare(self) -> Iterator[Path]:
        """The files that may declare models: none where no file names a library that has them."""
        if not self.workspace.any_with(_LIBRARY):
            return
        self.workspace.match_together(_IMPERATIVE, _MODEL_WORD, _MODEL_CLASS)
        by_name = {path for each in (_MODEL_WORD, _MODEL_CLASS) for path in self.workspace.files_with(each)}
        mapped_elsewhere = {path for path, _ in self._imperatives()}
        yield from (*sorted(by_name), *sorted(mapped_elsewhere - by_name))

    def _all(self) -> list[Model]:
        found: list[Model] = []
        for path in self._may_declare():
            module = self.workspace.module(path)
            if module is None:
                continue
            for entity in classes_of(module):
                mapped = self.mapped(entity)
                if mapped is not None:
                    found.append(mapped)
        return found

    def in_file(self, module: Module) -> list[Model]:
        """The models that a file declares."""
        made = (self.mapped(entity) for entity in classes_of(module))
        return [found for found in made if found is not None]

    def target(self, found: Model, relationship: Relationship) -> Model | None:
        """The model at the other end of a relationship, when there is exactly one that can be it."""
        if relationship.target_ref is not None:
            entity = self.resolver.ref(relationship.owner.module, relationship.target_ref.parts)
            if isinstance(entity, ClassEntity):
                return self.mapped(entity)
        written = relationship.target
        if written is None and relationship.target_ref is not None:
            written = relationship.target_ref.parts[-1]
        if written is None:
            return None
        *path, name = written.split(".")
        named = [
            other
            for other in self.registry(found).named(name)
            if not path or other.entity.module.name.split(".")[-len(path) :] == path
        ]
        return named[0] if len(named) == 1 else None


_THERE = re.compile(rb"\.reflect\(|\bTable\(")
DECLARED: Final = "orm.declared"
EXIST: Final = "orm.exist"
OUTLINES: Final = "orm.outlines"
_CLASS = re.compile(r"^[^\S\n]*class\s+([^\W\d]\w*)", re.MULTILINE)
_IMPERATIVE = re.compile(rb"\bmap_imperatively\(|\bmapper\(")
_LIBRARY = re.compile(rb"sqlalchemy|sqlmodel")
_MODEL_WORD = re.compile(
    rb"\b(?:mapped_column|Column|relationship|__tablename__|DeclarativeBase|declarative_base|Mapped)\b"
)
_MODEL_CLASS = re.compile(rb"\nclass \w+\([^)]*(?:Base|Model|Mixin)\b")
"""Nothing that a class can derive from stands above the first row."""


def classes_of(module: Module) -> Iterator[ClassEntity]:
    """The classes that stand at the top level of a file."""
    for row, declaration in module.declarations_with("class "):
        if isinstance(declaration, model.Class):
            yield ClassEntity(module, declaration, row, declaration.name)


def classes_named(module: Module, name: str) -> Iterator[ClassEntity]:
    """Those of one name: the others are not looked at."""
    for binding in module.bindings.get(name, ()):
        if isinstance(binding.declaration, model.Class):
            yield ClassEntity(module, binding.declaration, binding.row, name)


def members(cls: ClassEntity) -> Iterator[Member]:
    """The attributes that a class body declares when it runs, those of a ``declared_attr`` included."""
    for declaration in cls.declaration.body:
        if only_for_type_checkers(declaration):
            continue
        if isinstance(declaration, model.Assign):
            value = declaration.value
            call = value if isinstance(value, model.CallTerm) else None
            span = declaration.span.shifted(cls.row)
            statement = declaration.statement.shifted(cls.row)
            yield from _member(cls, declaration.target, call, declaration.annotation, span, statement)
        elif isinstance(declaration, model.Function) and _is_declared_attr(declaration):
            span = declaration.span.shifted(cls.row)
            returned = declaration.returned
            call = returned if isinstance(returned, model.CallTerm) else None
            if call is None:
                yield Member(declaration.name, None, declaration.returns, cls, span, span, True)
            else:
                yield from _member(cls, declaration.name, call, declaration.returns, span, span)


def _member(
    cls: ClassEntity,
    name: str,
    call: model.CallTerm | None,
    annotation: model.Term | None,
    span: Span,
    statement: Span,
) -> Iterator[Member]:
    while call is not None and tail(call) == "deferred" and call.args:
        inner = call.args[0]
        call = inner if isinstance(inner, model.CallTerm) else None
    if call is None or tail(call) not in _RELATIONSHIPS:
        yield Member(name, call, annotation, cls, span, statement)
        return
    term = _target(call, annotation)
    target = term.value if isinstance(term, model.Const) and isinstance(term.value, str) else None
    yield Relationship(
        name,
        call,
        annotation,
        cls,
        span,
        statement,
        target=target,
        target_span=term.span.shifted(cls.row) if term is not None and target is not None else None,
        target_ref=term if isinstance(term, model.Ref) else None,
    )


def _target(call: model.CallTerm, annotation: model.Term | None) -> model.Term | None:
    """What names a relationship's target: a string, or a name."""
    argument = call.args[0] if call.args else call.keyword("argument")
    if argument is not None:
        return argument.body if isinstance(argument, model.LambdaTerm) else argument
    inner = annotation
    if inner is None or not (is_mapped(inner) or tail(call) == "Relationship"):
        return None
    while isinstance(inner, model.SubscriptTerm):
        inner = inner.index
    if isinstance(inner, model.UnionTerm):
        sides = [s for s in (inner.left, inner.right) if not (isinstance(s, model.Const) and s.value is None)]
        inner = sides[0] if len(sides) == 1 else inner
    if isinstance(inner, model.Const) and isinstance(inner.value, str):
        # ``Mapped["Node | None"]``
        match = _WRAPPED.fullmatch(inner.value)
        if match is not None:
            return model.Ref(tuple((match.group(1) or match.group(2)).split(".")), inner.span)
    return inner


_WRAPPED = re.compile(
    r"\s*(?:([\w.]+)\s*\|\s*None|(?:[\w.]+\.)?(?:Optional|[Ll]ist|[Ss]et|Sequence)\[\s*['\"]?([\w.]+)['\"]?\s*\])\s*"
)


def backref_of(relationship: Relationship) -> model.Const | None:
    """The name that ``backref="name"`` or ``backref=backref("name", …)`` gives."""
    term = relationship.call.keyword("backref") if relationship.call is not None else None
    if isinstance(term, model.CallTerm) and tail(term) == "backref" and term.args:
        term = term.args[0]
    return term if isinstance(term, model.Const) and isinstance(term.value, str) else None


def call_name(call: model.CallTerm) -> str:
    """The last part of what is called: ``Column`` for ``sa.Column(…)``."""
    return tail(call)


def is_mapped(annotation: model.Term) -> bool:
    return isinstance(annotation, model.SubscriptTerm) and tail(annotation.value) in _MAPPED


def _is_column(member: Member, lineage: Lineage) -> bool:
    if member.call is not None:
        name = tail(member.call)
        if name in ("Column", "mapped_column"):
            return True
        if name in _NO_COLUMNS:
            return False
        if lineage.registry == SQLMODEL and name == "Field":
            return True
    if lineage.registry == SQLMODEL and member.annotation is not None:
        return tail(_unsubscripted(member.annotation)) != "ClassVar" and not member.name.startswith("_")
    return member.annotation is not None and is_mapped(member.annotation)


def _unsubscripted(term: model.Term) -> model.Term:
    while isinstance(term, model.SubscriptTerm):
        term = term.value
    return term


def _is_declared_attr(function: model.Function) -> bool:
    return any(
        isinstance(d := (decorator.func if isinstance(decorator, model.CallTerm) else decorator), model.Ref)
        and "declared_attr" in d.parts
        for decorator in function.decorators
    )


def _constant(declaration: model.Declaration | None) -> object:
    if isinstance(declaration, model.Assign) and isinstance(declaration.value, model.Const):
        return declaration.value.value
    return None


def _class_name_term(term: model.Term | None, name: str) -> str | None:
    """``cls.__name__`` and ``cls.__name__.lower()``."""
    if isinstance(term, model.Const) and isinstance(term.value, str):
        return term.value
    if isinstance(term, model.CallTerm) and not term.args and not term.keywords:
        if isinstance(term.func, model.Ref) and term.func.parts[1:] == ("__name__", "lower"):
            return name.lower()
    if isinstance(term, model.Ref) and term.parts[1:] == ("__name__",):
        return name
    return None


def _snake(name: str) -> str:
    """The table that Flask-SQLAlchemy gives a class (``flask_sqlalchemy.model.camel_to_snake_case``)."""
    return re.sub(r"((?<=[a-z0-9])[A-Z]|(?!^)[A-Z](?=[a-z]))", r"_\1", name).lower()


def elements(call: model.CallTerm) -> tuple[model.Term, ...]:
    """What a ``Table(…)`` consists of: all after its name and its metadata. Flask-SQLAlchemy's ``db.Table`` needs no
    metadata."""
    if len(call.args) > 1:
        second = call.args[1]
        if isinstance(second, model.StarTerm) or (
            isinstance(second, model.CallTerm) and tail(second) in SCHEMA_ITEMS
        ):
            return call.args[1:]
    return call.args[2:]


def _plain_table(call: model.CallTerm) -> bool:
    """Are all columns of a ``Table(…)`` written down?"""
    if any(keyword.name in (None, "autoload", "autoload_with") for keyword in call.keywords):
        return False
    return all(
        isinstance(argument, model.CallTerm)
        and tail(argument) in SCHEMA_ITEMS
        and (tail(argument) != "Column" or (argument.args and isinstance(argument.args[0], model.Const)))
        for argument in elements(call)
    )


def mapper_arguments(cls: ClassEntity) -> dict[object, model.Term] | None:
    """The ``__mapper_args__`` of a class body; None when they are not written down."""
    declared = own(cls, "__mapper_args__")
    if declared is None:
        return {}
    term = declared.value if isinstance(declared, model.Assign) else None
    if isinstance(declared, model.Function):
        term = declared.returned
    if not isinstance(term, model.DictTerm):
        return None
    given = {key.value: value for key, value in term.items if isinstance(key, model.Const)}
    return given if len(given) == len(term.items) else None


def _plain_mapper(cls: ClassEntity) -> bool:
    """Does ``__mapper_args__`` leave the attributes as they are declared?"""
    given = mapper_arguments(cls)
    return given is not None and given.keys() <= _PLAIN_MAPPER_ARGUMENTS


def _moved(call: model.CallTerm, rows: int) -> model.CallTerm:
    """A call of another top-level statement, with spans as if it stood in the class's."""

    def move(term: model.Term) -> model.Term:
        if isinstance(term, model.CallTerm):
            return model.CallTerm(
                move(term.func),
                tuple(move(argument) for argument in term.args),
                tuple(model.KeywordTerm(k.name, move(k.value), k.span.shifted(rows)) for k in term.keywords),
                term.span.shifted(rows),
            )
        if isinstance(term, model.Const):
            return model.Const(term.value, term.span.shifted(rows))
        if isinstance(term, model.Ref):
            return model.Ref(term.parts, term.span.shifted(rows))
        if isinstance(term, model.SequenceTerm):
            return model.SequenceTerm(tuple(move(item) for item in term.items), term.span.shifted(rows))
        if isinstance(term, model.LambdaTerm):
            return model.LambdaTerm(move(term.body), term.span.shifted(rows))
        return model.Opaque(term.span.shifted(rows))

    moved = move(call)
    assert isinstance(moved, model.CallTerm)
    return moved


@cache
def _beginning(letters: frozenset[str]) -> re.Pattern[str]:
    """Words, or ends of words, that begin with one of some letters: much faster to find than all words."""
    return re.compile(f"[{re.escape(''.join(sorted(letters)))}]\\w*")
