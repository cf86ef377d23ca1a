"""Models as the plain data that :mod:`understudy.orm.rebuild` asks SQLAlchemy about."""

from __future__ import annotations

import re
from dataclasses import dataclass

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import ClassEntity
from understudy.orm.columns import columns
from understudy.orm.indexes import on_own_table, table_arguments
from understudy.orm.lineage import called, tail
from understudy.orm.metadata import metadata_of, metadata_of_table
from understudy.orm.models import (
    SCHEMA_ITEMS,
    Member,
    Model,
    Models,
    Relationship,
    elements,
    mapper_arguments,
)
from understudy.orm.rebuild import ClassSpec, ColumnSpec, RelationSpec, TableSpec
from understudy.orm.tables import CoreColumn, CoreTable, core_columns, core_tables

_UNDETERMINED = frozenset({"primaryjoin", "secondaryjoin"})
_JOINING = frozenset({"concrete", "inherit_condition", "inherit_foreign_keys"})
_CHANGED = re.compile(rb"\.append_(?:column|constraint)\(")
_COLUMN_LIST = re.compile(r"\s*\[?\s*((?:\w+\.)?\w+(?:\s*,\s*(?:\w+\.)?\w+)*)\s*,?\s*\]?\s*")


class _Unreadable(Exception):
    """An argument that is computed, or names what is not known."""


class Schema:
    """Specs of one workspace's models."""

    def __init__(self, models: Models) -> None:
        self.models = models

    # --- tables

    def table(self, found: Model) -> TableSpec | None:
        """The table that a model declares; None when it has none, or a part of it is not known."""
        entity = found.entity
        return self.models.kept(
            f"orm.table {entity.path}:{entity.qualname}",
            lambda models: Schema(models)._table(models.mapped(entity)),
        )

    def _table(self, found: Model | None) -> TableSpec | None:
        if found is None or found.table is None or not self.models.columns_known(found):
            return None
        if found.core is not None:
            return self.core(*found.core)
        arguments = table_arguments(self.models, found)
        # Without a metadata that is known, it may have a schema.
        if arguments is None or self._changed or metadata_of(self.models, found) is None:
            return None
        terms, schema, _, path = arguments
        module = self.models.workspace.module(path)
        specs: dict[str, ColumnSpec] = {}
        constraints: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        for column in columns(self.models, found):
            if not on_own_table(self.models, found, column.member.owner):
                continue
            if column.foreign_keys is None:
                return None
            keys = tuple(key.target for key in column.foreign_keys)
            specs[column.key] = ColumnSpec(column.key, column.stored, keys, bool(column.primary_key))
        for term in terms:
            kind = called(self.models.resolver, module, term) if module is not None else None
            if not isinstance(term, model.CallTerm) or kind not in SCHEMA_ITEMS:
                return None
            if kind == "ForeignKeyConstraint":
                constraint = _constraint(term)
                if constraint is None or not all(name in specs for name in constraint[0]):
                    return None
                constraints.append(constraint)
        for below in self.models.registry(found).in_table_of(found):
            # Columns of classes that live in the same table, and of their mixins.
            if not self.models.columns_known(below):
                return None
            for column in columns(self.models, below):
                owner = column.member.owner
                if owner == below.entity or (
                    owner not in found.lineage.classes and self.models.mapped(owner) is None
                ):
                    if column.foreign_keys is None:
                        return None
                    keys = tuple(key.target for key in column.foreign_keys)
                    specs.setdefault(column.key, ColumnSpec(column.key, column.stored, keys, False))
        return TableSpec(found.table, schema, tuple(specs.values()), tuple(constraints))

    def core(self, module: Module, call: model.CallTerm) -> TableSpec | None:
        """A ``Table("name", metadata, Column(…), …)``."""
        if len(call.args) < 2 or self._changed:
            return None
        name, schema = call.args[0], call.keyword("schema")
        if not isinstance(name, model.Const) or not isinstance(name.value, str):
            return None
        if schema is not None and not (isinstance(schema, model.Const) and isinstance(schema.value, str)):
            return None
        found = core_columns(call)
        if (
            found is None
            or metadata_of_table(self.models, CoreTable("", module, call, 0, None, False)) is None
        ):
            return None
        specs: dict[str, ColumnSpec] = {}
        for column in found:
            foreign_keys = self._foreign_keys(module, column)
            if foreign_keys is None:
                return None
            targets = [self._target(module, key.args[0] if key.args else None) for key in foreign_keys]
            known = tuple(target for target in targets if target is not None)
            if len(known) != len(targets):
                return None
            primary = column.call.keyword("primary_key")
            is_primary = isinstance(primary, model.Const) and primary.value is True
            specs[column.key] = ColumnSpec(column.key, column.name, known, is_primary)
        constraints: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        for element in elements(call):
            if isinstance(element, model.CallTerm) and tail(element) == "ForeignKeyConstraint":
                constraint = _constraint(element)
                if constraint is None:
                    return None
                constraints.append(constraint)
        written = schema.value if isinstance(schema, model.Const) and isinstance(schema.value, str) else None
        return TableSpec(name.value, written, tuple(specs.values()), tuple(constraints))

    @property
    def _changed(self) -> bool:
        """Does the workspace add columns or constraints to tables that are there?"""
        return bool(self.models.workspace.files_with(_CHANGED))

    def _foreign_keys(self, module: Module, column: CoreColumn) -> list[model.CallTerm] | None:
        """Those of a column in a ``Table(…)``; None when something may be one."""
        found = []
        for argument in column.call.args:
            if isinstance(argument, model.Const):
                continue
            kind = called(self.models.resolver, module, argument)
            if kind is None:
                return None
            if kind == "ForeignKey" and isinstance(argument, model.CallTerm):
                if any(keyword.name in (None, "link_to_name") for keyword in argument.keywords):
                    return None
                found.append(argument)
        return found

    def _target(self, module: Module, term: model.Term | None) -> str | None:
        if isinstance(term, model.Const) and isinstance(term.value, str):
            return term.value
        if not isinstance(term, model.Ref) or len(term.parts) < 2:
            return None
        if len(term.parts) > 2 and term.parts[-2] in ("c", "columns"):
            call = self.models.table_call(module, model.Ref(term.parts[:-2], term.span))
            table = self.core(*call) if call is not None else None
            return f"{table.full_name}.{term.parts[-1]}" if table is not None else None
        owner = self.models.resolver.ref(module, term.parts[:-1])
        found = self.models.mapped(owner) if isinstance(owner, ClassEntity) else None
        if found is not None and found.table is not None:
            return f"{found.table}.{term.parts[-1]}"
        return None

    # --- classes and relationships

    def classes(self, found: Model) -> tuple[ClassSpec, ...] | None:
        """A model and the mapped classes above it, topmost first; None when one is not known."""
        if any(_joins_by_itself(cls) for cls in found.lineage.classes):
            return None
        above = self.models.above(found)
        chain = self.classes(above) if above is not None else ()
        if chain is None or not self.models.columns_known(found):
            return None
        parent = chain[-1].name if chain else None
        if found.table is None:
            return (*chain, ClassSpec(_unique(found), None, parent)) if parent else None
        table = self.table(found)
        return (*chain, ClassSpec(_unique(found), table, parent)) if table is not None else None

    def relation(self, found: Model, relationship: Relationship) -> Asked | None:
        """A relationship as SQLAlchemy can be asked about it; None when a part of it is not known."""
        call = relationship.call
        other = self.models.target(found, relationship)
        if call is None or other is None or any(k.name is None for k in call.keywords):
            return None
        if any(keyword.name in _UNDETERMINED for keyword in call.keywords) or len(call.args) > 2:
            return None
        own, far = self.classes(found), self.classes(other)
        if own is None or far is None:
            return None
        secondary: TableSpec | None = None
        through = call.keyword("secondary") or (call.args[1] if len(call.args) > 1 else None)
        if through is not None:
            secondary = self._secondary(relationship.owner.module, through)
            if secondary is None:
                return None
        sides = [found, other]
        try:
            foreign = self._columns(relationship, call.keyword("foreign_keys"), sides)
            remote = self._columns(relationship, call.keyword("remote_side"), sides)
        except _Unreadable:
            return None
        back = call.keyword("back_populates")
        viewonly = call.keyword("viewonly")
        if viewonly is not None and not isinstance(viewonly, model.Const):
            return None
        if back is not None and not (isinstance(back, model.Const) and isinstance(back.value, str)):
            return None
        spec = RelationSpec(
            _unique(found),
            relationship.name,
            _unique(other),
            secondary,
            foreign,
            remote,
            back.value if isinstance(back, model.Const) and isinstance(back.value, str) else None,
            isinstance(viewonly, model.Const) and viewonly.value is True,
        )
        return Asked(found, other, tuple(dict.fromkeys((*own, *far))), spec)

    def leads_nowhere(self, asked: Asked) -> bool:
        """Does a foreign key of the tables concerned name a table that nothing in the workspace declares?"""
        known = {table for registry in self.models.registries for table in registry.tables}
        known |= {table.name for table in core_tables(self.models)}
        tables = [spec.table for spec in asked.classes] + [asked.spec.secondary]
        columns_ = [column for table in tables if table is not None for column in table.columns]
        return any(
            target.split(".")[-2] not in known for c in columns_ for target in c.foreign_keys if "." in target
        )

    def _secondary(self, module: Module, term: model.Term) -> TableSpec | None:
        if isinstance(term, model.LambdaTerm):
            term = term.body
        if isinstance(term, model.Ref):
            if term.parts[-1] == "__table__":
                owner = self.models.resolver.ref(module, term.parts[:-1])
                through = self.models.mapped(owner) if isinstance(owner, ClassEntity) else None
                return self.table(through) if through is not None else None
            call = self.models.table_call(module, term)
            return self.core(*call) if call is not None else None
        if isinstance(term, model.Const) and isinstance(term.value, str):
            named = [table for table in core_tables(self.models) if table.name == term.value]
            if len(named) == 1:
                return self.core(named[0].module, named[0].call)
            mapped = [m for r in self.models.registries for m in r.with_table(term.value)]
            if len(mapped) == 1 and not named:
                return self.table(mapped[0])
        return None

    def _columns(
        self, relationship: Relationship, term: model.Term | None, sides: list[Model]
    ) -> tuple[tuple[str, str], ...] | None:
        """Columns of ``foreign_keys`` or ``remote_side``; None when there are none.

        :raises _Unreadable: they cannot be told.
        """
        if term is None:
            return None
        if isinstance(term, model.LambdaTerm):
            term = term.body
        names: list[tuple[str, ...]] = []
        items = term.items if isinstance(term, model.SequenceTerm) else (term,)
        for item in items:
            if isinstance(item, model.Ref):
                names.append(item.parts)
            elif isinstance(item, model.Const) and isinstance(item.value, str):
                match = _COLUMN_LIST.fullmatch(item.value)
                if match is None:
                    raise _Unreadable
                names.extend(tuple(part.strip().split(".")) for part in match.group(1).split(","))
            else:
                raise _Unreadable
        found = tuple(self._column(relationship, parts, sides) for parts in names)
        pairs = tuple(pair for pair in found if pair is not None)
        if len(pairs) != len(found):
            raise _Unreadable
        return pairs

    def _column(
        self, relationship: Relationship, parts: tuple[str, ...], sides: list[Model]
    ) -> tuple[str, str] | None:
        owner: Model | None = None
        if len(parts) == 1:
            owner = sides[0]
        elif len(parts) == 2:
            owner = next((side for side in sides if side.name == parts[0]), None)
        while owner is not None:
            table = self.table(owner)
            member: Member | None = next((m for m in owner.columns if m.name == parts[-1]), None)
            if table is not None and member is not None:
                for column in columns(self.models, owner):
                    if column.member == member and any(spec.key == column.key for spec in table.columns):
                        return table.full_name, column.key
            owner = self.models.above(owner)
        return None


@dataclass(frozen=True)
class Asked:
    """A relationship with everything that SQLAlchemy has to be told about it."""

    model: Model
    other: Model
    classes: tuple[ClassSpec, ...]
    spec: RelationSpec


def _constraint(call: model.CallTerm) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """``ForeignKeyConstraint(["a", "b"], ["t.a", "t.b"])``."""
    sides = []
    for side in call.args[:2]:
        if not isinstance(side, model.SequenceTerm):
            return None
        names = [item.value for item in side.items if isinstance(item, model.Const)]
        if len(names) != len(side.items):
            return None
        sides.append(tuple(str(name) for name in names))
    return (sides[0], sides[1]) if len(sides) == 2 and len(sides[0]) == len(sides[1]) else None


def _joins_by_itself(cls: ClassEntity) -> bool:
    """Does a class say how its table goes with the one above it, or that it does not?"""
    given = mapper_arguments(cls)
    return given is None or not _JOINING.isdisjoint(given)


def _unique(found: Model) -> str:
    """A name for the rebuilt class: two models may have the same one."""
    return f"{found.name}_{abs(hash(found.entity.key)) % 100_000}"
