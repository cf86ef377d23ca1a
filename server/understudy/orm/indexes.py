"""The indexes of a registry's tables, and which of them SQLAlchemy cannot create beside another.

Names are computed as SQLAlchemy does (``sqlalchemy.sql.naming``); the verdict on two indexes of one name is its
own: the two tables are rebuilt with plain types and ``create_all`` runs on an in-memory SQLite database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import ClassEntity, ValueEntity
from understudy.orm.attributes import column_name
from understudy.orm.lineage import tail
from understudy.orm.models import Member, Model, Models, Registry, call_name
from understudy.source.span import Span

_DEFAULT_CONVENTION = "ix_%(column_0_label)s"
_KINDS = frozenset({"ix", "uq", "ck", "fk", "pk"})
_DEPTH = 8


MetadataKey = tuple[Path, str]


@dataclass(frozen=True)
class _MetaData:
    """A ``MetaData`` as its source declares it."""

    key: MetadataKey
    convention: str | None
    """The naming convention for indexes; None when it cannot be read."""


@dataclass(frozen=True)
class TableIndex:
    """One index as declared."""

    name: str
    table: str
    schema: str | None
    columns: tuple[str, ...] | None
    """Database names; None when an expression is among them."""
    path: Path
    span: Span
    """The ``index=True`` keyword, or the name in ``Index(…)``."""
    column: Member | None
    """The column with ``index=True``."""
    call: model.CallTerm | None
    """The ``Index(…)`` call."""
    row: int
    """To add to the spans of ``call``."""
    model: Model
    metadata: MetadataKey
    """Which ``MetaData`` it belongs to."""
    standalone: bool = False
    """``Index(…)`` as a statement of its own, below the model."""

    @property
    def explicit(self) -> bool:
        return self.call is not None

    def is_shared_with(self, other: TableIndex) -> bool:
        """Is it the same line that makes both, for two tables?"""
        return (self.path, self.span) == (other.path, other.span)


def indexes(models: Models, registry: Registry) -> list[TableIndex]:
    """Every index of the registry whose name is known, in order of file and line."""
    found: dict[tuple[Path, Span, str], TableIndex] = {}
    for mapped in registry.models:
        if mapped.entity.declaration.guards:
            # Below an ``if`` or in a ``try``: it may not be there.
            continue
        for index in _of_model(models, mapped):
            found.setdefault((index.path, index.span, index.table), index)
    modules = {mapped.entity.path: mapped.entity.module for mapped in registry.models}
    for module in modules.values():
        for index in _standalone(models, registry, module):
            found.setdefault((index.path, index.span, index.table), index)
    return sorted(found.values(), key=lambda index: (str(index.path), index.span, index.table))


def duplicates(found: list[TableIndex]) -> list[tuple[TableIndex, TableIndex]]:
    """Pairs of indexes with one name in one schema: the first, and each that comes after it."""
    first: dict[tuple[MetadataKey, str | None, str], TableIndex] = {}
    pairs = []
    for index in found:
        other = first.setdefault((index.metadata, index.schema, index.name), index)
        if other is not index and create_all_fails(other, index):
            pairs.append((other, index))
    return pairs


def create_all_fails(one: TableIndex, other: TableIndex) -> bool:
    """Ask SQLAlchemy: does ``create_all`` refuse the two?"""
    from sqlalchemy import Column, Index, Integer, MetaData, Table, create_engine
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    metadata = MetaData()
    tables: dict[str, Table] = {}
    for index in (one, other):
        columns = index.columns or (f"expression_{index.span.row}",)
        table = tables.get(index.table)
        if table is None:
            table = Table(index.table, metadata, Column("_understudy_id", Integer, primary_key=True))
            tables[index.table] = table
        for column in columns:
            if column not in table.c:
                table.append_column(Column(column, Integer))
        Index(index.name, *(table.c[column] for column in columns))
    engine = create_engine("sqlite://")
    try:
        metadata.create_all(engine)
    except DBAPIError:
        return True
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()
    return False


def _of_model(models: Models, mapped: Model) -> Iterator[TableIndex]:
    table = mapped.table or _inherited_table(models, mapped)
    metadata = metadata_of(models, mapped)
    arguments = table_arguments(models, mapped)
    if table is None or metadata is None or arguments is None:
        return
    terms, schema, row, path = arguments
    for column in mapped.columns:
        if column.call is None or not on_own_table(models, mapped, column.owner):
            continue
        keyword = next((k for k in column.call.keywords if k.name == "index"), None)
        if keyword is None or not isinstance(keyword.value, model.Const) or keyword.value.value is not True:
            continue
        stored = (column_name(column),)
        name = _conventional(metadata.convention, table, schema, stored)
        if name is not None:
            span = Span(*keyword.span[:2], *keyword.value.span[2:]).shifted(column.owner.row)
            where, shift = column.owner.path, column.owner.row
            yield TableIndex(
                name, table, schema, stored, where, span, column, None, shift, mapped, metadata.key
            )
    names = {member.name: column_name(member) for member in mapped.columns}
    for term in terms:
        if isinstance(term, model.CallTerm) and call_name(term) == "Index" and term.args:
            columns = _index_columns(term, names)
            name = _name(term, columns, metadata, table, schema)
            if name is not None:
                span = term.args[0].span.shifted(row)
                yield TableIndex(
                    name, table, schema, columns, path, span, None, term, row, mapped, metadata.key
                )


def _standalone(models: Models, registry: Registry, module: Module) -> Iterator[TableIndex]:
    """``Index("…", Model.column)`` as a statement of the module."""
    for row, declaration in module.declarations():
        if not isinstance(declaration, (model.Expression, model.Assign)) or declaration.guards:
            continue
        term = declaration.value
        if not isinstance(term, model.CallTerm) or call_name(term) != "Index" or len(term.args) < 2:
            continue
        first = term.args[1]
        if not isinstance(first, model.Ref) or len(first.parts) < 2:
            continue
        entity = models.resolver.ref(module, first.parts[:-1])
        mapped = models.mapped(entity) if isinstance(entity, ClassEntity) else None
        if mapped is None or mapped.table is None or mapped.registry != registry.key:
            continue
        metadata, arguments = metadata_of(models, mapped), table_arguments(models, mapped)
        if metadata is None or arguments is None:
            continue
        schema = arguments[1]
        columns = _index_columns(term, {member.name: column_name(member) for member in mapped.columns})
        name = _name(term, columns, metadata, mapped.table, schema)
        if name is not None:
            span = term.args[0].span.shifted(row)
            yield TableIndex(
                name,
                mapped.table,
                schema,
                columns,
                module.path,
                span,
                None,
                term,
                row,
                mapped,
                metadata.key,
                True,
            )


def _name(
    term: model.CallTerm, columns: tuple[str, ...] | None, metadata: _MetaData, table: str, schema: str | None
) -> str | None:
    """The name of an ``Index(…)``: written, or made by the convention where it is None."""
    first = term.args[0]
    if not isinstance(first, model.Const):
        return None
    if first.value is None and columns:
        return _conventional(metadata.convention, table, schema, columns)
    return first.value if isinstance(first.value, str) else None


def on_own_table(models: Models, mapped: Model, owner: ClassEntity) -> bool:
    """Does a column of the model belong to the table that the model itself declares? Those of a mapped base
    belong to the base's table."""
    if owner == mapped.entity:
        return True
    return mapped.table is not None and models.mapped(owner) is None


def _index_columns(term: model.CallTerm, names: dict[str, str]) -> tuple[str, ...] | None:
    columns = []
    for argument in term.args[1:]:
        if isinstance(argument, model.Const) and isinstance(argument.value, str):
            columns.append(argument.value)
        elif isinstance(argument, model.Ref):
            columns.append(names.get(argument.parts[-1], argument.parts[-1]))
        else:
            return None
    return tuple(columns)


def _inherited_table(models: Models, mapped: Model) -> str | None:
    """Single-table inheritance: the table of the nearest mapped base."""
    for cls in mapped.lineage.classes[1:]:
        above = models.mapped(cls)
        if above is not None and above.table is not None:
            return above.table
    return None


def table_arguments(
    models: Models, mapped: Model
) -> tuple[tuple[model.Term, ...], str | None, int, Path] | None:
    """``__table_args__``: its positional terms, the schema, and where. None when it is computed, but for a
    ``declared_attr`` that returns them as they are: each class with a table calls it."""
    for cls in mapped.lineage.classes:
        for declaration in cls.declaration.body:
            if isinstance(declaration, model.Function) and declaration.name == "__table_args__":
                above = mapped.lineage.classes[1:]
                if declaration.returned is None or mapped.table is None or any(map(models.mapped, above)):
                    return None
                return _split(declaration.returned, cls)
            if isinstance(declaration, model.Function) and declaration.name == "__table_cls__":
                return None
            if isinstance(declaration, model.Assign) and declaration.target == "__table_args__":
                if declaration.value is None:
                    continue
                if not on_own_table(models, mapped, cls):
                    continue
                return _split(declaration.value, cls)
    return (), None, mapped.entity.row, mapped.entity.path


def _split(
    value: model.Term | None, cls: ClassEntity
) -> tuple[tuple[model.Term, ...], str | None, int, Path] | None:
    options: model.Term | None = None
    terms: tuple[model.Term, ...] = ()
    if isinstance(value, model.SequenceTerm):
        terms = value.items
        if terms and isinstance(terms[-1], model.DictTerm):
            options, terms = terms[-1], terms[:-1]
    elif isinstance(value, model.DictTerm):
        options = value
    else:
        return None
    schema = None
    if isinstance(options, model.DictTerm):
        for key, item in options.items:
            if isinstance(key, model.Const) and key.value == "schema":
                if not isinstance(item, model.Const) or not isinstance(item.value, str):
                    return None
                schema = item.value
            elif not isinstance(key, model.Const):
                return None
    return terms, schema, cls.row, cls.path


def _conventional(
    convention: str | None, table: str, schema: str | None, columns: tuple[str, ...]
) -> str | None:
    """The name that ``sqlalchemy.sql.naming`` makes; None when it cannot be told."""
    if convention is None:
        return None
    labels = tuple(f"{schema}_{table}_{name}" if schema else f"{table}_{name}" for name in columns)
    tokens = {"table_name": table}
    for kind, names in (("name", columns), ("key", columns), ("label", labels)):
        tokens[f"column_0_{kind}"] = names[0]
        tokens[f"column_0N_{kind}"] = "".join(names)
        tokens[f"column_0_N_{kind}"] = "_".join(names)
    try:
        return convention % tokens
    except (KeyError, TypeError, ValueError):
        return None


def metadata_of(models: Models, mapped: Model) -> _MetaData | None:
    """The ``MetaData`` of a model's table: its class's own or that of the nearest base, else the registry's."""
    path, name = mapped.registry
    for cls in mapped.lineage.classes:
        for inner in cls.declaration.body:
            if isinstance(inner, model.Assign) and inner.target in ("metadata", "registry"):
                if inner.value is None:
                    continue
                return _read(models, cls.module, inner.value, (cls.path, cls.qualname))
        for decorator in cls.declaration.decorators:
            given = decorator.keyword("metadata") if isinstance(decorator, model.CallTerm) else None
            if tail(decorator) == "as_declarative" and given is not None:
                return _read(models, cls.module, given, cls.key)
            if tail(decorator) in ("as_declarative_base", "mapped", "mapped_as_dataclass"):
                # The metadata of a registry object.
                return _MetaData(mapped.registry, None)
        if cls.key == mapped.registry:
            break
    module = models.workspace.module(path)
    if module is None:
        return None
    if any(
        isinstance(d, model.AttributeAssign) and d.name == "naming_convention"
        for _, d in module.declarations()
    ):
        return _MetaData(mapped.registry, None)
    for binding in module.bindings.get(name.partition(".")[0], ()):
        declaration = binding.declaration
        if isinstance(declaration, model.Assign) and isinstance(declaration.value, model.CallTerm):
            return _read(models, module, declaration.value, mapped.registry)
    return _MetaData(mapped.registry, _DEFAULT_CONVENTION)


def _read(models: Models, module: Module, term: model.Term, key: MetadataKey) -> _MetaData | None:
    """Follow a base, registry or metadata to the ``MetaData(…)`` call."""
    for _ in range(_DEPTH):
        if isinstance(term, model.Ref):
            found = models.resolver.ref(module, term.parts)
            if not isinstance(found, ValueEntity) or found.declaration.value is None:
                return _MetaData(key, None)
            term, module, key = found.declaration.value, found.module, (found.path, found.declaration.target)
        if any(
            isinstance(d, model.AttributeAssign) and d.name == "naming_convention"
            for _, d in module.declarations()
        ):
            return _MetaData(key, None)
        if not isinstance(term, model.CallTerm):
            return _MetaData(key, None)
        kind = call_name(term)
        if kind == "MetaData":
            # A schema of its own changes every name of a table.
            if term.keyword("schema") is not None or len(term.args) > 1:
                return None
            return _MetaData(key, _naming(models, module, term.keyword("naming_convention")))
        following = term.keyword("metadata")
        if following is None and kind == "generate_base" and isinstance(term.func, model.Ref):
            following = model.Ref(term.func.parts[:-1], term.func.span)
        if following is None:
            known = kind in ("declarative_base", "registry", "SQLAlchemy") and all(
                k.name for k in term.keywords
            )
            return _MetaData(key, _DEFAULT_CONVENTION if known else None)
        term = following
    return _MetaData(key, None)


def _naming(models: Models, module: Module, term: model.Term | None) -> str | None:
    if term is None:
        return _DEFAULT_CONVENTION
    if isinstance(term, model.Ref):
        value = models.resolver.ref(module, term.parts)
        if isinstance(value, ValueEntity) and value.declaration.value is not None:
            term = value.declaration.value
    if not isinstance(term, model.DictTerm):
        return None
    # A convention without ``ix`` replaces the default one, too: such an index has no name.
    convention: str | None = None
    for key, item in term.items:
        if not isinstance(key, model.Const) or key.value not in _KINDS:
            # ``Index: …``, ``**other``, or a token of its own.
            return None
        if key.value == "ix":
            plain = item.value if isinstance(item, model.Const) else None
            convention = plain if isinstance(plain, str) else None
    return convention
