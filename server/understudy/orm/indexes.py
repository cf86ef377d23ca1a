"""The indexes of the workspace's tables, and which of them SQLAlchemy cannot create beside another.

Names are computed as SQLAlchemy does (``sqlalchemy.sql.naming``); the verdict on two indexes of one name is its
own: the two tables are rebuilt with plain types and ``create_all`` runs on an in-memory SQLite database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import ClassEntity
from understudy.orm.attributes import column_name
from understudy.orm.metadata import MetadataKey, MetaDataSpec, metadata_of, metadata_of_table
from understudy.orm.models import Model, Models, call_name, elements
from understudy.orm.tables import CoreTable, core_columns, core_tables
from understudy.source.span import Span

_PER_TABLE = re.compile(rb"\bmysql|\bmariadb")
"""There, two tables may have indexes of one name."""
_PER_SCHEMA = re.compile(rb"\bsqlite|\bpostgres|\bpsycopg|\basyncpg|\baiosqlite|\boracle|\bmssql")
DUPLICATES: Final = "orm.files_with_duplicate_indexes"


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
    column: str | None
    """The column with ``index=True``, as its owner calls it."""
    call: model.CallTerm | None
    """The ``Index(…)`` call."""
    row: int
    """To add to the spans of ``call``."""
    owner: str
    """The model, or the variable of a Core table."""
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


def indexes(models: Models) -> list[TableIndex]:
    """Every index of the workspace whose name is known, in order of file and line."""
    found: dict[tuple[Path, Span, str], TableIndex] = {}
    modules: dict[Path, Module] = {}
    for mapped in models.all:
        modules[mapped.entity.path] = mapped.entity.module
        if mapped.entity.declaration.guards:
            # Below an ``if`` or in a ``try``: it may not be there.
            continue
        for index in _of_model(models, mapped):
            found.setdefault((index.path, index.span, index.table), index)
    for table in core_tables(models):
        modules[table.module.path] = table.module
        if not table.conditional:
            for index in _of_table(models, table):
                found.setdefault((index.path, index.span, index.table), index)
    for module in modules.values():
        for index in _standalone(models, module):
            found.setdefault((index.path, index.span, index.table), index)
    return sorted(found.values(), key=lambda index: (str(index.path), index.span, index.table))


def duplicates(models: Models) -> list[tuple[TableIndex, TableIndex]]:
    """Pairs of indexes with one name in one schema: the first, and each that comes after it."""

    def make(models: Models) -> list[tuple[TableIndex, TableIndex]]:
        first: dict[tuple[MetadataKey, str | None, str], TableIndex] = {}
        pairs: list[tuple[TableIndex, TableIndex]] = []
        if models.workspace.files_with(_PER_TABLE) and not models.workspace.files_with(_PER_SCHEMA):
            return pairs
        for index in indexes(models):
            other = first.setdefault((index.metadata, index.schema, index.name), index)
            if other is not index and create_all_fails(other, index):
                pairs.append((other, index))
        return pairs

    return models.kept("orm.duplicate_indexes", make)


def with_duplicates(models: Models) -> frozenset[str]:
    """The files with the second of such a pair, as in :class:`~understudy.orm.models.Outline`."""
    workspace = models.workspace

    def make() -> frozenset[str]:
        found = Models(workspace)
        return frozenset(workspace.relative(second.path) for _, second in duplicates(found))

    return workspace.value(DUPLICATES, make)


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
                name, table, schema, stored, where, span, column.name, None, shift, mapped.name, metadata.key
            )
    names = {member.name: column_name(member) for member in mapped.columns}
    for term in terms:
        if isinstance(term, model.CallTerm) and call_name(term) == "Index" and term.args:
            columns = _index_columns(term, names)
            name = _name(term, columns, metadata, table, schema)
            if name is not None:
                span = term.args[0].span.shifted(row)
                yield TableIndex(
                    name, table, schema, columns, path, span, None, term, row, mapped.name, metadata.key
                )


def _of_table(models: Models, table: CoreTable) -> Iterator[TableIndex]:
    """The indexes in a ``Table(…)``."""
    metadata, (schema, known) = metadata_of_table(models, table), table.schema
    if metadata is None or not known:
        return
    owner, path, row = table.variable or table.name, table.module.path, table.row
    names: dict[str, str] = {}
    for column in core_columns(table.call) or ():
        names[column.key] = column.name
        keyword = next((k for k in column.call.keywords if k.name == "index"), None)
        if keyword is None or not isinstance(keyword.value, model.Const) or keyword.value.value is not True:
            continue
        name = _conventional(metadata.convention, table.name, schema, (column.name,))
        if name is not None:
            span = Span(*keyword.span[:2], *keyword.value.span[2:]).shifted(row)
            stored = (column.name,)
            yield TableIndex(
                name, table.name, schema, stored, path, span, column.name, None, row, owner, metadata.key
            )
    for term in elements(table.call):
        if isinstance(term, model.CallTerm) and call_name(term) == "Index" and term.args:
            columns = _index_columns(term, names)
            name = _name(term, columns, metadata, table.name, schema)
            if name is not None:
                span = term.args[0].span.shifted(row)
                yield TableIndex(
                    name, table.name, schema, columns, path, span, None, term, row, owner, metadata.key
                )


def _standalone(models: Models, module: Module) -> Iterator[TableIndex]:
    """``Index("…", Model.column)`` and ``Index("…", table.c.column)`` as statements of the module."""
    for row, declaration in module.declarations():
        if not isinstance(declaration, (model.Expression, model.Assign)) or declaration.guards:
            continue
        term = declaration.value
        if not isinstance(term, model.CallTerm) or call_name(term) != "Index" or len(term.args) < 2:
            continue
        first = term.args[1]
        if not isinstance(first, model.Ref) or len(first.parts) < 2:
            continue
        indexed = _indexed(models, module, first)
        if indexed is None:
            continue
        columns = _index_columns(term, indexed.names)
        name = _name(term, columns, indexed.metadata, indexed.table, indexed.schema)
        if name is not None:
            yield TableIndex(
                name,
                indexed.table,
                indexed.schema,
                columns,
                module.path,
                term.args[0].span.shifted(row),
                None,
                term,
                row,
                indexed.owner,
                indexed.metadata.key,
                True,
            )


class _Indexed(NamedTuple):
    """The table that a standalone index is of."""

    owner: str
    table: str
    schema: str | None
    metadata: MetaDataSpec
    names: dict[str, str]
    """Attributes or keys, with the names that the columns have in the database."""


def _indexed(models: Models, module: Module, column: model.Ref) -> _Indexed | None:
    entity = models.resolver.ref(module, column.parts[:-1])
    if isinstance(entity, ClassEntity):
        mapped = models.mapped(entity)
        if mapped is None or mapped.table is None or mapped.entity.declaration.guards:
            return None
        metadata, arguments = metadata_of(models, mapped), table_arguments(models, mapped)
        if metadata is None or arguments is None:
            return None
        names = {member.name: column_name(member) for member in mapped.columns}
        return _Indexed(mapped.name, mapped.table, arguments[1], metadata, names)
    if len(column.parts) < 3 or column.parts[-2] not in ("c", "columns"):
        return None
    call = models.table_call(module, model.Ref(column.parts[:-2], column.span))
    table = next((t for t in core_tables(models) if call is not None and t.call is call[1]), None)
    if table is None or table.conditional:
        return None
    spec, (schema, known) = metadata_of_table(models, table), table.schema
    if spec is None or not known:
        return None
    keys = {column.key: column.name for column in core_columns(table.call) or ()}
    return _Indexed(table.variable or table.name, table.name, schema, spec, keys)


def _name(
    term: model.CallTerm,
    columns: tuple[str, ...] | None,
    metadata: MetaDataSpec,
    table: str,
    schema: str | None,
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
