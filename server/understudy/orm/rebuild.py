"""Asks SQLAlchemy: real tables and mappers, made anew from what the source declares, with plain types.

No code of the workspace runs. What is asked is plain, frozen data, and answers are kept by it: as long as the facts
of the models concerned are the same, nothing is rebuilt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, MetaData, Table

_KEPT = 8192
_ON_SQLITE_SINCE = {"JSONB": (2, 1)}
"""Types that SQLite's compiler has learnt, and the version since which it writes them."""


@dataclass(frozen=True)
class ColumnSpec:
    key: str
    stored: str
    foreign_keys: tuple[str, ...]
    """``table.column``, with the schema before it where there is one."""
    primary_key: bool


@dataclass(frozen=True)
class TableSpec:
    name: str
    schema: str | None
    columns: tuple[ColumnSpec, ...]
    constraints: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    """Foreign keys of several columns: those of the table, and those that they refer to."""

    @property
    def full_name(self) -> str:
        """With the schema before it, where there is one."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True)
class ClassSpec:
    """A mapped class, without its relationships."""

    name: str
    table: TableSpec | None
    """None with single-table inheritance."""
    parent: str | None
    """The name of the mapped class above it."""


@dataclass(frozen=True)
class RelationSpec:
    """A relationship. Columns are given as ``(table, key)``."""

    owner: str
    name: str
    target: str
    secondary: TableSpec | None
    foreign_keys: tuple[tuple[str, str], ...] | None
    remote_side: tuple[tuple[str, str], ...] | None
    back_populates: str | None
    viewonly: bool

    def with_back_populates(self, name: str | None) -> RelationSpec:
        return replace(self, back_populates=name)


class Trouble(Enum):
    """Why mappers cannot be configured."""

    NO_FOREIGN_KEY = "no foreign key"
    SEVERAL_FOREIGN_KEYS = "several foreign keys"
    OTHER_MAPPER = "the other side belongs to another class"
    SAME_DIRECTION = "both sides have the same direction"
    OTHER = "something else"


@lru_cache(maxsize=_KEPT)
def configure(classes: tuple[ClassSpec, ...], relations: tuple[RelationSpec, ...]) -> Trouble | None:
    """Map the classes and configure the mappers; None when SQLAlchemy accepts them."""
    from sqlalchemy import MetaData
    from sqlalchemy.exc import AmbiguousForeignKeysError, ArgumentError, NoForeignKeysError, SQLAlchemyError
    from sqlalchemy.orm import registry, relationship

    metadata = MetaData()
    mappers = registry(metadata=metadata)
    made: dict[str, type] = {}
    tables = _tables(metadata, [spec.table for spec in classes] + [r.secondary for r in relations])
    try:
        for spec in classes:
            cls = type(spec.name, (made[spec.parent],) if spec.parent else (), {})
            properties = {}
            for relation in relations:
                if relation.owner == spec.name:
                    properties[relation.name] = relationship(
                        relation.target,
                        secondary=tables[relation.secondary.full_name] if relation.secondary else None,
                        foreign_keys=_columns(tables, relation.foreign_keys),
                        remote_side=_columns(tables, relation.remote_side),
                        back_populates=relation.back_populates,
                        viewonly=relation.viewonly,
                    )
            mappers.map_imperatively(
                cls,
                tables[spec.table.full_name] if spec.table is not None else None,
                inherits=made[spec.parent] if spec.parent else None,
                properties=properties,
            )
            made[spec.name] = cls
        mappers.configure()
    except NoForeignKeysError:
        return Trouble.NO_FOREIGN_KEY
    except AmbiguousForeignKeysError:
        return Trouble.SEVERAL_FOREIGN_KEYS
    except ArgumentError as error:
        text = str(error)
        if "does not reference mapper" in text:
            return Trouble.OTHER_MAPPER
        if "are both of the same direction" in text:
            return Trouble.SAME_DIRECTION
        return Trouble.OTHER
    except SQLAlchemyError:
        return Trouble.OTHER
    finally:
        mappers.dispose()
    return None


@lru_cache(maxsize=_KEPT)
def resolves(table: TableSpec, others: tuple[TableSpec, ...], target: str) -> bool:
    """Does the foreign key ``target`` of the table find its column among these tables?"""
    from sqlalchemy import MetaData
    from sqlalchemy.exc import NoReferencedColumnError, NoReferencedTableError

    tables = _tables(MetaData(), [table, *others])
    for key in tables[table.full_name].foreign_keys:
        if key.target_fullname == target:
            try:
                _ = key.column
            except (NoReferencedColumnError, NoReferencedTableError):
                return False
    return True


@lru_cache(maxsize=256)
def renders_on_sqlite(dialect: str, name: str, version: tuple[int, ...] | None) -> bool | None:
    """Can SQLite create a column of this type of a dialect (empty: of SQLAlchemy itself)? None for a type that is
    not known, or that needs arguments which are not.

    ``version`` is that of the project's SQLAlchemy, where it is known; Understudy's own may be another one.
    """
    since = _ON_SQLITE_SINCE.get(name)
    if since is not None:
        return None if version is None else version >= since
    from importlib import import_module

    from sqlalchemy import Column, Integer, MetaData, Table
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.exc import CompileError
    from sqlalchemy.schema import CreateTable

    try:
        made = getattr(import_module(f"sqlalchemy.dialects.{dialect}" if dialect else "sqlalchemy"), name)
        value = made(Integer) if name in ("ARRAY", "DOMAIN") else made()
        table = Table("t", MetaData(), Column("c", value))
    except Exception:
        return None
    try:
        # The dialect's constructor is not annotated in 2.0.
        CreateTable(table).compile(dialect=sqlite.dialect())  # type: ignore[no-untyped-call,unused-ignore]
    except CompileError:
        return False
    except Exception:
        return None
    return True


def _tables(metadata: MetaData, specs: Iterable[TableSpec | None]) -> dict[str, Table]:
    from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, Table

    tables: dict[str, Table] = {}
    for spec in specs:
        if spec is None or spec.full_name in tables:
            continue
        columns: list[Column[int]] = [
            Column(
                column.stored,
                Integer,
                *(ForeignKey(target) for target in column.foreign_keys),
                key=column.key,
                primary_key=column.primary_key,
            )
            for column in spec.columns
        ]
        if not any(column.primary_key for column in spec.columns):
            columns.append(Column("_understudy_id", Integer, primary_key=True))
        constraints = [ForeignKeyConstraint(here, there) for here, there in spec.constraints]
        tables[spec.full_name] = Table(spec.name, metadata, *columns, *constraints, schema=spec.schema)
    return tables


def _columns(tables: dict[str, Table], pairs: tuple[tuple[str, str], ...] | None) -> list[Column[int]] | None:
    if pairs is None:
        return None
    return [tables[table].c[key] for table, key in pairs]
