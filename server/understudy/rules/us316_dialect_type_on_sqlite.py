"""US316: tests create a table on SQLite with a type that only another database has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from understudy.facts import model as facts
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.infer.entities import External
from understudy.infer.imports import ImportGraph
from understudy.orm.columns import Column, columns
from understudy.orm.lineage import own
from understudy.orm.models import Model
from understudy.orm.rebuild import renders_on_sqlite
from understudy.project.installed import version_of
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
    for mapped in _models(context):
        if mapped.table is None:
            continue
        for column in columns(context.models, mapped):
            if not _is_written_here(context, mapped, column):
                continue
            found = _type(context, column)
            if found is None or found[0] in seen:
                continue
            if context.workspace.files_with(_TAUGHT):
                return
            creation = _creation(context, mapped)
            if creation is None:
                break
            seen.add(found[0])
            yield _finding(rule, context, mapped, column, creation, *found)


def _models(context: Context) -> Iterator[Model]:
    """The models of the file, and those that have one of its classes for a mixin."""
    yield from context.models.in_file(context.module)
    if "dialects" not in context.source and "ARRAY" not in context.source:
        # A base that all models have is looked at for nothing.
        return
    for registry in context.models.registries.values():
        for mapped in registry.models:
            if mapped.entity.path != context.path:
                if any(cls.path == context.path for cls in mapped.lineage.classes):
                    yield mapped


def _is_written_here(context: Context, mapped: Model, column: Column) -> bool:
    """Does the model itself declare the column, or a mixin of it, in this file?"""
    owner = column.member.owner
    return owner.path == context.path and (owner == mapped.entity or context.models.mapped(owner) is None)


def _type(context: Context, column: Column) -> tuple[Span, str, str] | None:
    """Where a column's type is written, its dialect and name, when SQLite cannot have it."""
    term, call = column.type, column.member.call
    if call is None or term is None:
        return None
    if not any(term is given for given in (*call.args, *(keyword.value for keyword in call.keywords))):
        return None
    named = term.func if isinstance(term, facts.CallTerm) else term
    if not isinstance(named, facts.Ref):
        return None
    found = context.resolver.ref(column.member.owner.module, named.parts)
    if not isinstance(found, External):
        return None
    match = _DIALECT.fullmatch(found.dotted.rpartition(".")[0])
    dialect = match.group(1) if match is not None else ""
    if not dialect and found.dotted not in ("sqlalchemy.ARRAY", "sqlalchemy.types.ARRAY"):
        return None
    version = version_of(context.workspace.environment, "sqlalchemy")
    if renders_on_sqlite(dialect, found.name, version) is not False:
        return None
    return term.span.shifted(column.member.row), dialect or "postgresql", found.name


def _creation(context: Context, mapped: Model) -> Creation | None:
    """Where tests make the table on SQLite, for certain."""
    if any(own(cls, "metadata") is not None for cls in mapped.lineage.classes if cls != mapped.lineage.root):
        return None
    graph = ImportGraph(context.resolver)
    for creation in creations(context):
        if creation.registry != mapped.registry or not creation.engine.is_sqlite:
            continue
        if expected(creation.site, "CompileError", "SQLAlchemyError") or excused(creation.context):
            continue
        if mapped.entity.path in graph.closure([creation.context.path]):
            return creation
    return None


def _finding(
    rule: Rule,
    context: Context,
    mapped: Model,
    column: Column,
    creation: Creation,
    span: Span,
    dialect: str,
    name: str,
) -> Finding:
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
        f"`{mapped.table}.{column.stored}`; {advice}",
        related=(
            Related(
                creation.context.path,
                creation.site.unit.span(creation.place),
                "the tests create the tables here",
            ),
            Related(
                creation.engine.unit.path,
                creation.engine.unit.span(creation.engine.call),
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
