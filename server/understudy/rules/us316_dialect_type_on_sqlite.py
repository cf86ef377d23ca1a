"""US316: tests create a table on SQLite with a type that only another database has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model as facts
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.index.module import Module
from understudy.infer.entities import External
from understudy.orm.columns import Column, columns
from understudy.orm.metadata import metadata_of, metadata_of_table
from understudy.orm.models import Model
from understudy.orm.rebuild import renders_on_sqlite
from understudy.orm.tables import CoreTable, core_columns, tables_in
from understudy.project.installed import version_of
from understudy.rules import loading
from understudy.rules.base import Context, Rule
from understudy.rules.engines import Creation, creations
from understudy.rules.expected import excused, expected
from understudy.source.span import Span

_TAUGHT = re.compile(
    rb"\bcompiles\b|SQLiteTypeCompiler|\bvisit_[A-Z]|\.type\s*=[^=]|metadata\.remove\b|before_create"
)
"""What gives SQLite a way to write such a type, or takes the column or table away."""
_DIALECT = re.compile(r"sqlalchemy\.dialects\.(\w+)(?:\.\w+)*")
_INSTEAD = {
    **dict.fromkeys(("ARRAY", "JSONB", "HSTORE"), "JSON"),
    **dict.fromkeys(("INET", "CIDR", "MACADDR", "MACADDR8", "CITEXT", "BIT"), "String"),
    "TSVECTOR": "Text",
    "BYTEA": "LargeBinary",
    "INTERVAL": "Interval",
}


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "Column" not in context.source and "mapped_column" not in context.source:
        return
    seen: set[Span] = set()
    made: dict[int, Creation | None] = {}
    for typed in _written(context):
        found = _type(context, typed)
        if found is None or typed.span in seen:
            continue
        if context.workspace.files_with(_TAUGHT):
            return
        if id(typed.owner) not in made:
            made[id(typed.owner)] = _creation(context, typed)
        creation = made[id(typed.owner)]
        if creation is not None:
            seen.add(typed.span)
            yield _finding(rule, context, typed, creation, *found)


@dataclass(frozen=True)
class _Typed:
    """A type that is written in this file, and a column that has it."""

    term: facts.Term
    span: Span
    shown: str
    """``table.column``."""
    module: Module
    """Where names in it are looked up."""
    path: Path
    """What has to be loaded for the table to be there."""
    owner: Model | CoreTable


def _written(context: Context) -> Iterator[_Typed]:
    for mapped in _models(context):
        for column in columns(context.models, mapped) if mapped.table is not None else ():
            call, term = column.member.call, column.type
            if call is None or term is None or not _is_written_here(context, mapped, column):
                continue
            if any(term is given for given in (*call.args, *(keyword.value for keyword in call.keywords))):
                span, shown = term.span.shifted(column.member.row), f"{mapped.table}.{column.stored}"
                yield _Typed(term, span, shown, column.member.owner.module, mapped.entity.path, mapped)
    for table in tables_in(context.models, context.module):
        for core in (core_columns(table.call) or ()) if not table.conditional else ():
            if core.type is not None:
                span, shown = core.type.span.shifted(table.row), f"{table.name}.{core.name}"
                yield _Typed(core.type, span, shown, table.module, table.module.path, table)


def _models(context: Context) -> Iterator[Model]:
    """The models of the file, and those that have one of its classes for a mixin."""
    yield from context.models.in_file(context.module)
    if "dialects" not in context.source and "ARRAY" not in context.source:
        # A base that all models have is looked at for nothing.
        return
    for registry in context.models.registries:
        yield from (found for found in registry.made_of(context.path) if found.entity.path != context.path)


def _is_written_here(context: Context, mapped: Model, column: Column) -> bool:
    """Does the model itself declare the column, or a mixin of it, in this file?"""
    owner = column.member.owner
    return owner.path == context.path and (owner == mapped.entity or context.models.mapped(owner) is None)


def _type(context: Context, typed: _Typed) -> tuple[str, str] | None:
    """The dialect and name of a type that SQLite cannot have."""
    named = typed.term.func if isinstance(typed.term, facts.CallTerm) else typed.term
    if not isinstance(named, facts.Ref):
        return None
    found = context.resolver.ref(typed.module, named.parts)
    if not isinstance(found, External):
        return None
    match = _DIALECT.fullmatch(found.dotted.rpartition(".")[0])
    dialect = match.group(1) if match is not None else ""
    if not dialect and found.dotted not in ("sqlalchemy.ARRAY", "sqlalchemy.types.ARRAY"):
        return None
    version = version_of(context.workspace.environment, "sqlalchemy")
    if renders_on_sqlite(dialect, found.name, version) is not False:
        return None
    return dialect or "postgresql", found.name


def _creation(context: Context, typed: _Typed) -> Creation | None:
    """Where tests make the table on SQLite, for certain."""
    models, owner = context.models, typed.owner
    metadata = metadata_of(models, owner) if isinstance(owner, Model) else metadata_of_table(models, owner)
    if metadata is None:
        return None
    for creation in creations(context):
        if creation.metadata != metadata.key or not creation.engine.is_sqlite:
            continue
        if expected(creation.context, creation.site, "CompileError", "SQLAlchemyError") or excused(
            creation.context
        ):
            continue
        if typed.path in loading.by(context, creation.context.path):
            return creation
    return None


def _finding(
    rule: Rule, context: Context, typed: _Typed, creation: Creation, dialect: str, name: str
) -> Finding:
    span = typed.span
    text = context.parsed.text.slice(span)
    fixes: tuple[Fix, ...] = ()
    advice = "give the column a type that SQLite has, too"
    instead = _INSTEAD.get(name)
    spelled = imports.from_module(context.parsed, "sqlalchemy", instead) if instead is not None else None
    if spelled is not None:
        source = f'{spelled.text}().with_variant({text}, "{dialect}")'
        advice = f"`{source}` is a type that both have"
        fix = Fix(
            f"Change to `{source}`", Applicability.UNSAFE, (*spelled.edits, Edit(context.path, span, source))
        )
        fixes = (fix,)
    return rule.finding(
        context.path,
        span,
        f"`create_all()` on SQLite raises CompileError, because it has no type `{name}` for "
        f"`{typed.shown}`; {advice}",
        related=(
            Related(
                creation.context.path,
                creation.site.unit.span(creation.place),
                "the tests create the tables here",
            ),
            Related(
                creation.engine.unit.path,
                creation.engine.unit.span(creation.engine.node),
                "this engine is SQLite's",
            ),
        ),
        fixes=fixes,
    )


RULE = Rule(
    "US316",
    "dialect-type-on-sqlite",
    Severity.WARNING,
    "`create_all` on SQLite in tests with a type that only another database has (`JSONB`, `ARRAY`)",
    check,
    __name__,
)
