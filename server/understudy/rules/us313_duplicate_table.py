"""US313: one table declared twice on one metadata."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model as facts
from understudy.finding import Finding, Related, Severity
from understudy.orm.indexes import table_arguments
from understudy.orm.lineage import own
from understudy.orm.metadata import metadata_of, metadata_of_table
from understudy.orm.models import Model, elements
from understudy.orm.tables import CoreTable, core_tables, tables_in
from understudy.rules import loading
from understudy.rules.base import Context, Rule
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if ("__tablename__" not in context.source and "Table(" not in context.source) or context.is_test:
        return
    for second in _in_file(context):
        first = _first(context, second)
        if first is None:
            continue
        if second.model is not None and first.model is not None and second.extends:
            if first.model.entity in second.model.lineage.classes:
                # One that derives from the other and says so shares its table on purpose.
                continue
        yield _finding(rule, context, first, second)


@dataclass(frozen=True)
class _Declared:
    """A table that is declared at import time without a condition."""

    name: str
    owner: str
    """The model, or the variable of a Core table."""
    path: Path
    span: Span
    """The name, as written."""
    model: Model | None
    core: CoreTable | None
    extends: bool
    """With ``extend_existing``."""
    keeps: bool


def _in_file(context: Context) -> list[_Declared]:
    found = [_of_model(context, mapped) for mapped in context.models.in_file(context.module)]
    cores = [_of_core(table) for table in tables_in(context.models, context.module)]
    return [declared for declared in (*found, *cores) if declared is not None]


def _of_model(context: Context, mapped: Model) -> _Declared | None:
    if mapped.entity.declaration.guards or mapped.core is not None or mapped.table_span is None:
        return None
    extends, keeps = (_option(context, mapped, f"{name}_existing") for name in ("extend", "keep"))
    assert mapped.table is not None
    return _Declared(
        mapped.table, mapped.name, mapped.entity.path, mapped.table_span, mapped, None, extends, keeps
    )


def _of_core(table: CoreTable) -> _Declared | None:
    # Without columns, ``Table("users", metadata)`` is the one that is there.
    if table.conditional or not elements(table.call):
        return None
    extends, keeps = table.option("extend_existing"), table.option("keep_existing")
    owner = table.variable or table.name
    return _Declared(table.name, owner, table.module.path, table.span, None, table, extends, keeps)


def _identity(context: Context, declared: _Declared) -> tuple[object, ...] | None:
    """Metadata and schema of a table; None when one is not known."""
    if declared.model is not None:
        metadata = metadata_of(context.models, declared.model)
        arguments = table_arguments(context.models, declared.model)
        return (metadata.key, arguments[1]) if metadata is not None and arguments is not None else None
    assert declared.core is not None
    metadata, (schema, known) = metadata_of_table(context.models, declared.core), declared.core.schema
    return (metadata.key, schema) if metadata is not None and known else None


def _first(context: Context, second: _Declared) -> _Declared | None:
    """The first declaration of the same table that is loaded with it: of two files, in that which the other one
    imports."""
    identity = _identity(context, second)
    if identity is None:
        return None
    models = context.models
    named: list[_Declared | None] = [
        _of_model(context, mapped)
        for registry in models.registries
        for mapped in registry.with_table(second.name)
    ]
    named.extend(_of_core(table) for table in core_tables(models) if table.name == second.name)
    same = [
        other
        for other in named
        if other is not None
        and not context.is_test_path(other.path)
        and (other.path, other.span) != (second.path, second.span)
        and _identity(context, other) == identity
        and _is_before(context, other, second)
        and (other.path == second.path or loading.together(context, other.path, second.path))
    ]
    return min(same, key=lambda other: (other.path, other.span), default=None)


def _is_before(context: Context, one: _Declared, two: _Declared) -> bool:
    if one.path == two.path:
        return one.span < two.span
    loads, is_loaded = one.path in loading.by(context, two.path), two.path in loading.by(context, one.path)
    return loads if loads != is_loaded else one.path < two.path


def _option(context: Context, mapped: Model, name: str) -> bool:
    for cls in mapped.lineage.classes:
        declared = own(cls, "__table_args__")
        given = (
            declared.returned if isinstance(declared, facts.Function) else getattr(declared, "value", None)
        )
        if given is not None:
            terms = given.items if isinstance(given, facts.SequenceTerm) else (given,)
            for term in terms:
                if isinstance(term, facts.DictTerm):
                    return any(isinstance(k, facts.Const) and k.value == name for k, _ in term.items)
            return False
    return False


def _finding(rule: Rule, context: Context, first: _Declared, second: _Declared) -> Finding:
    related = (Related(first.path, first.span, f"`{first.owner}` has this table, too"),)
    if second.extends or second.keeps:
        how = "adds its columns to it, or replaces them" if second.extends else "leaves out its own columns"
        return rule.finding(
            context.path,
            second.span,
            f"the table `{second.name}` belongs to `{first.owner}` already: `{second.owner}` silently {how}; give it a "
            "table of its own, or derive one model from the other",
            related=related,
            severity=Severity.WARNING,
        )
    return rule.finding(
        context.path,
        second.span,
        f"importing both raises InvalidRequestError: table '{second.name}' is already defined for this "
        f"MetaData instance, by `{first.owner}`; rename one of them",
        related=related,
    )


RULE = Rule(
    "US313",
    "duplicate-table",
    Severity.ERROR,
    "one table defined twice on one registry, or silently shared by `extend_existing`",
    check,
    __name__,
)
