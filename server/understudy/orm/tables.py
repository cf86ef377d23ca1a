"""Core tables: ``Table("name", metadata, Column(…), …)``, and ``db.Table("name", …)`` of Flask-SQLAlchemy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import ClassEntity, ValueEntity
from understudy.orm.lineage import made_by, own, tail
from understudy.orm.models import SCHEMA_ITEMS, Model, Models, elements
from understudy.source.span import Span

_WRITTEN = re.compile(rb"\bTable\(")
_TYPELESS = frozenset({"ForeignKey", "Sequence", "Identity", "Computed", "FetchedValue", "DefaultClause"})


@dataclass(frozen=True, eq=False)
class CoreTable:
    """A ``Table("name", …)`` that a module makes when it is imported."""

    name: str
    module: Module
    call: model.CallTerm
    row: int
    """To add to the spans of ``call``."""
    variable: str | None
    """What the module calls it; None for the ``__table__`` of a class, and where nothing keeps it."""
    conditional: bool
    """It stands below an ``if`` or in a ``try``."""

    @property
    def span(self) -> Span:
        """Its name, as written."""
        return self.call.args[0].span.shifted(self.row)

    @property
    def schema(self) -> tuple[str | None, bool]:
        """The schema, and whether it is known."""
        term = self.call.keyword("schema")
        if any(keyword.name is None for keyword in self.call.keywords):
            return None, False
        if term is None or (isinstance(term, model.Const) and term.value is None):
            return None, True
        known = isinstance(term, model.Const) and isinstance(term.value, str)
        return (str(term.value) if isinstance(term, model.Const) and known else None), known

    def option(self, name: str) -> bool:
        """Is a keyword such as ``extend_existing`` given as True?"""
        term = self.call.keyword(name)
        return isinstance(term, model.Const) and term.value is True


@dataclass(frozen=True)
class CoreColumn:
    """A ``Column("name", …)`` of a Core table."""

    name: str
    """In the database."""
    key: str
    call: model.CallTerm

    @property
    def type(self) -> model.Term | None:
        """Its type, where it is written in the call."""
        given = self.call.keyword("type_")
        if given is not None:
            return given
        for argument in self.call.args[1:]:
            if isinstance(argument, (model.Ref, model.CallTerm)) and tail(argument) not in _TYPELESS:
                return argument
        return None

    @property
    def foreign_keys(self) -> tuple[model.CallTerm, ...]:
        return tuple(
            argument
            for argument in self.call.args[1:]
            if isinstance(argument, model.CallTerm) and tail(argument) == "ForeignKey"
        )


def core_tables(models: Models) -> list[CoreTable]:
    """Every table that is not a model's ``__tablename__``: those that modules bind, and those of ``__table__``."""

    def make(models: Models) -> list[CoreTable]:
        found = []
        for path in models.workspace.files_with(_WRITTEN):
            module = models.workspace.module(path)
            for row, declaration in module.declarations() if module is not None else ():
                if module is None:
                    continue
                term, variable = getattr(declaration, "value", None), getattr(declaration, "target", None)
                if isinstance(declaration, model.Class):
                    entity = ClassEntity(module, declaration, row, declaration.name)
                    inner = own(entity, "__table__")
                    term, variable = getattr(inner, "value", None), None
                if isinstance(term, model.CallTerm) and tail(term) == "Table" and _name(term) is not None:
                    guards = bool(getattr(declaration, "guards", ()))
                    found.append(CoreTable(_name(term) or "", module, term, row, variable, guards))
        return found

    return models.kept("orm.core_tables", make)


def tables_in(models: Models, module: Module) -> list[CoreTable]:
    """The Core tables of a file."""
    return [table for table in core_tables(models) if table.module.path == module.path]


def mapped_to(models: Models, table: CoreTable) -> Model | None:
    """The model of the same metadata whose table it is."""
    named = (found for registry in models.registries for found in registry.with_table(table.name))
    return next((found for found in named if found.core is not None and found.core[1] is table.call), None)


def core_columns(call: model.CallTerm) -> tuple[CoreColumn, ...] | None:
    """The columns of a ``Table(…)``; None when not all of them are written there."""
    if any(keyword.name in (None, "autoload", "autoload_with") for keyword in call.keywords):
        return None
    found = []
    for element in elements(call):
        if not isinstance(element, model.CallTerm) or tail(element) not in SCHEMA_ITEMS:
            return None
        if tail(element) != "Column":
            continue
        name = _name(element)
        if name is None or any(isinstance(term, (model.StarTerm, model.Opaque)) for term in element.args):
            return None
        key = element.keyword("key")
        if key is not None and not (isinstance(key, model.Const) and isinstance(key.value, str)):
            return None
        found.append(CoreColumn(name, str(key.value) if isinstance(key, model.Const) else name, element))
    return tuple(found)


def flask_of(models: Models, table: CoreTable) -> ValueEntity | None:
    """The ``db`` of ``db.Table(…)``."""
    func = table.call.func
    if not isinstance(func, model.Ref) or len(func.parts) < 2:
        return None
    owner = models.resolver.ref(table.module, func.parts[:-1])
    return owner if isinstance(owner, ValueEntity) and made_by(owner, "SQLAlchemy") else None


def _name(call: model.CallTerm) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, model.Const) and isinstance(first.value, str) else None
