"""The indexes of a registry's tables, and which of them SQLAlchemy cannot create beside another.

Names are computed as SQLAlchemy does (``sqlalchemy.sql.naming``); the verdict on two indexes of one name is its
own: the two tables are rebuilt with plain types and ``create_all`` runs on an in-memory SQLite database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model
from understudy.infer.entities import Absent, ClassEntity, ValueEntity
from understudy.orm.models import Member, Model, Models, Registry, call_name
from understudy.source.span import Span

_DEFAULT_CONVENTION = "ix_%(column_0_label)s"


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

    @property
    def explicit(self) -> bool:
        return self.call is not None


def indexes(models: Models, registry: Registry) -> list[TableIndex]:
    """Every index of the registry whose name is known, in order of file and line."""
    convention = _convention(models, registry)
    found: dict[tuple[Path, Span, str], TableIndex] = {}
    for mapped in registry.models:
        for index in _of_model(models, mapped, convention):
            found.setdefault((index.path, index.span, index.table), index)
    return sorted(found.values(), key=lambda index: (str(index.path), index.span, index.table))


def duplicates(found: list[TableIndex]) -> list[tuple[TableIndex, TableIndex]]:
    """Pairs of indexes with one name in one schema: the first, and each that comes after it."""
    first: dict[tuple[str | None, str], TableIndex] = {}
    pairs = []
    for index in found:
        other = first.setdefault((index.schema, index.name), index)
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


def column_name(member: Member) -> str:
    """A column's name in the database."""
    call = member.call
    if call is not None:
        for term in (call.args[0] if call.args else None, call.keyword("name")):
            if isinstance(term, model.Const) and isinstance(term.value, str):
                return term.value
    return member.name


def _of_model(models: Models, mapped: Model, convention: str | None) -> Iterator[TableIndex]:
    table = mapped.table or _inherited_table(models, mapped)
    if table is None:
        return
    arguments = _table_arguments(models, mapped)
    if arguments is None:
        return
    terms, schema, row, path = arguments
    if convention is not None:
        for column in mapped.columns:
            if column.call is None or mapped.table is None and column.owner != mapped.entity:
                continue
            keyword = next((k for k in column.call.keywords if k.name == "index"), None)
            if keyword is None or not isinstance(keyword.value, model.Const) or keyword.value.value is not True:
                continue
            name = _conventional(convention, table, schema, column_name(column))
            if name is not None:
                span = Span(*keyword.span[:2], *keyword.value.span[2:]).shifted(column.owner.row)
                yield TableIndex(
                    name,
                    table,
                    schema,
                    (column_name(column),),
                    column.owner.path,
                    span,
                    column,
                    None,
                    column.owner.row,
                    mapped,
                )
    names = {member.name: column_name(member) for member in mapped.columns}
    for term in terms:
        if isinstance(term, model.CallTerm) and call_name(term) == "Index" and term.args:
            first = term.args[0]
            if isinstance(first, model.Const) and isinstance(first.value, str):
                yield TableIndex(
                    first.value,
                    table,
                    schema,
                    _index_columns(term, names),
                    path,
                    first.span.shifted(row),
                    None,
                    term,
                    row,
                    mapped,
                )


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
    for cls in models.resolver.ancestry(mapped.entity).classes[1:]:
        above = models.mapped(cls)
        if above is not None and above.table is not None:
            return above.table
    return None


def _table_arguments(
    models: Models, mapped: Model
) -> tuple[tuple[model.Term, ...], str | None, int, Path] | None:
    """``__table_args__``: its positional terms, the schema, and where. None when it is computed."""
    for cls in models.resolver.ancestry(mapped.entity).classes:
        for declaration in cls.declaration.body:
            if isinstance(declaration, model.Function) and declaration.name == "__table_args__":
                return None
            if isinstance(declaration, model.Assign) and declaration.target == "__table_args__":
                if mapped.table is None and cls != mapped.entity:
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


def _conventional(convention: str, table: str, schema: str | None, column: str) -> str | None:
    label = f"{schema}_{table}_{column}" if schema else f"{table}_{column}"
    tokens = {
        "table_name": table,
        "column_0_name": column,
        "column_0_label": label,
        "column_0_key": column,
        "column_0N_name": column,
        "column_0_N_name": column,
        "column_0N_label": label,
        "column_0_N_label": label,
    }
    try:
        return convention % tokens
    except (KeyError, TypeError, ValueError):
        return None


def _convention(models: Models, registry: Registry) -> str | None:
    """The naming convention for indexes; None when it cannot be read."""
    path, name = registry.key
    module = models.workspace.module(path)
    if module is None:
        return None
    metadata: model.Term | None = None
    for binding in module.bindings.get(name.partition(".")[0], ()):
        declaration = binding.declaration
        if isinstance(declaration, model.Class):
            for inner in declaration.body:
                if isinstance(inner, model.Assign) and inner.target == "metadata":
                    metadata = inner.value
        elif isinstance(declaration, model.Assign) and isinstance(declaration.value, model.CallTerm):
            metadata = declaration.value.keyword("metadata")
    if metadata is None:
        return _DEFAULT_CONVENTION
    if isinstance(metadata, model.Ref):
        found = models.resolver.ref(module, metadata.parts)
        if not isinstance(found, Absent) and isinstance(found, ValueEntity):
            metadata, module = found.declaration.value, found.module
    if not isinstance(metadata, model.CallTerm) or call_name(metadata) != "MetaData":
        return None
    if metadata.keyword("schema") is not None:
        return None
    term = metadata.keyword("naming_convention")
    if term is None:
        return _DEFAULT_CONVENTION
    if isinstance(term, model.Ref):
        value = models.resolver.ref(module, term.parts)
        if not isinstance(value, Absent) and isinstance(value, ValueEntity):
            term = value.declaration.value
    if not isinstance(term, model.DictTerm):
        return None
    for key, item in term.items:
        if isinstance(key, model.Const) and key.value == "ix":
            if isinstance(item, model.Const) and isinstance(item.value, str):
                return item.value
            return None
        if not isinstance(key, model.Const):
            return None
    return _DEFAULT_CONVENTION
