"""US307: a foreign key to a table or column that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.facts.model import Const
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.infer.assigned import set_on_class
from understudy.orm.columns import columns
from understudy.orm.metadata import MetaDataSpec, mapped_metadata, metadata_of, metadata_of_table
from understudy.orm.models import Model, Models
from understudy.orm.rebuild import TableSpec, resolves
from understudy.orm.schema import Schema
from understudy.orm.tables import CoreTable, core_columns, core_tables, tables_in
from understudy.rules.base import Context, Rule
from understudy.rules.engines import created
from understudy.source.span import Span

_NAMED = re.compile(r"""(?:__tablename__(?:["']\s*:|\s*(?::[^=\n]+)?=)\s*|\bTable\(\s*)(["'])([^"']+)\1""")
_DECLARES = re.compile(rb"__tablename__|\bTable\(")
_COMPUTED = re.compile(
    rb"__tablename__(?:[\"']\s*:|\s*=)\s*[^\"'\s]|\bdef __tablename__|\bTable\(\s*[^\"'\s)]"
)
_REFLECTED = re.compile(
    rb"\.reflect\(|\bautoload(?:_with)?\s*=|\bautomap_base\b|\bDeferredReflection\b|\.to_metadata\(|\.tometadata\("
)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "ForeignKey" not in context.source and "foreign_key" not in context.source:
        return
    for mapped in context.models.in_file(context.module):
        if mapped.entity.declaration.guards:
            continue
        for column in columns(context.models, mapped):
            if column.member.owner != mapped.entity:
                continue
            for key in column.foreign_keys or ():
                if key.written:
                    shown = f"{mapped.name}.{column.name}"
                    yield from _checked(rule, context, _of_model(mapped), shown, key.target, key.span)
    for table in tables_in(context.models, context.module):
        if not table.conditional and _is_made(context, table):
            yield from _of_table(rule, context, table)


def _of_table(rule: Rule, context: Context, table: CoreTable) -> Iterator[Finding]:
    for column in core_columns(table.call) or ():
        for key in column.foreign_keys:
            target = key.args[0] if key.args else None
            if isinstance(target, Const) and isinstance(target.value, str):
                shown, span = f"{table.variable or table.name}.c.{column.key}", target.span.shifted(table.row)
                yield from _checked(rule, context, _of_core(table), shown, target.value, span)


def _is_made(context: Context, table: CoreTable) -> bool:
    """Will somebody ask where the foreign keys lead: is a model of the same metadata, or are its tables made?"""
    metadata = metadata_of_table(context.models, table)
    return metadata is not None and (
        metadata.key in mapped_metadata(context.models) or metadata.key in created(context)
    )


def _checked(
    rule: Rule, context: Context, holder: _Table, shown: str, target: str, span: Span
) -> Iterator[Finding]:
    *schema, table, name = target.split(".") if "." in target else (target, "")
    if len(schema) > 1 or not name:
        return
    models = context.models
    named = [(known, known.spec(models)) for known in _named(models, table)]
    targets = [
        (known, found) for known, found in named if not schema or found is None or found.schema == schema[0]
    ]
    if not targets:
        if not schema and not _may_exist(context, table):
            yield _no_table(rule, context, holder, shown, target, span, table)
        return
    spec = holder.spec(models)
    other, found = targets[0]
    if len(targets) > 1 or spec is None or found is None:
        return
    if holder.core is not None or other.core is not None:
        here, there = holder.metadata(models), other.metadata(models)
        if here is None or there is None or here.key != there.key:
            return
    if context.workspace.files_with(_REFLECTED):
        return
    if resolves(spec, (found,) if found != spec else (), target):
        return
    if other.model is not None and set_on_class(
        context.workspace, {cls.name for cls in other.model.lineage.classes}, name
    ):
        return
    yield _no_column(rule, context, shown, target, span, other, found, name)


@dataclass(frozen=True)
class _Table:
    """A table of the workspace: a model's, or a Core table that is no model's."""

    name: str
    model: Model | None
    core: CoreTable | None

    def spec(self, models: Models) -> TableSpec | None:
        """Its columns; None when not all of them are known."""
        schema = Schema(models)
        if self.model is not None:
            return schema.table(self.model)
        return schema.core(self.core.module, self.core.call) if self.core is not None else None

    def metadata(self, models: Models) -> MetaDataSpec | None:
        if self.model is not None:
            return metadata_of(models, self.model)
        return metadata_of_table(models, self.core) if self.core is not None else None

    @property
    def place(self) -> tuple[Path, Span]:
        """Where its name is written, or its class is."""
        if self.model is not None:
            return self.model.entity.path, self.model.table_span or self.model.entity.span
        assert self.core is not None
        return self.core.module.path, self.core.span


def _of_model(found: Model) -> _Table:
    return _Table(found.table or "", found, None)


def _of_core(table: CoreTable) -> _Table:
    return _Table(table.name, None, table)


def _tables(models: Models) -> list[_Table]:
    """Every table that a model or a ``Table(…)`` declares."""

    def make(models: Models) -> list[_Table]:
        mapped = [found for found in models.all if found.table is not None]
        return _without_shared(mapped, core_tables(models))

    return models.kept("orm.all_tables", make)


def _named(models: Models, name: str) -> list[_Table]:
    """Those of a name."""
    mapped = [found for registry in models.registries for found in registry.with_table(name)]
    return _without_shared(mapped, [table for table in core_tables(models) if table.name == name])


def _without_shared(mapped: Sequence[Model], cores: Sequence[CoreTable]) -> list[_Table]:
    """Each table once, also where a ``Table(…)`` is a model's."""
    taken = {(found.core[0].path, found.core[1]) for found in mapped if found.core is not None}
    others = [table for table in cores if (table.module.path, table.call) not in taken]
    return [*map(_of_model, mapped), *map(_of_core, others)]


def _may_exist(context: Context, table: str) -> bool:
    """May a table of this name come from anywhere else: another statement, a computed name, the database?"""
    workspace = context.workspace
    if workspace.files_with(_REFLECTED):
        return True
    for path in workspace.files_with(_DECLARES):
        for match in _NAMED.finditer(workspace.text(path).content):
            if match.group(2).rpartition(".")[2] == table:
                return True
    if any(registry.has_unknown_tables for registry in context.models.registries):
        # A model whose table nobody names: something that is not seen may do it.
        return True
    return bool(workspace.files_with(_COMPUTED))


def _no_table(
    rule: Rule, context: Context, holder: _Table, shown: str, target: str, span: Span, table: str
) -> Finding:
    models = context.models
    metadata = holder.metadata(models)
    candidates = {
        known.name: known
        for known in _tables(models)
        if known.name != holder.name
        and metadata is not None
        and (spec := known.metadata(models)) is not None
        and spec.key == metadata.key
    }
    near = nearest(table, candidates)
    related: tuple[Related, ...] = ()
    fixes: tuple[Fix, ...] = ()
    advice = "nothing in the workspace declares it"
    if near is not None:
        advice = f"did you mean `{near}`?"
        related = (Related(*candidates[near].place, f"the table `{near}` is declared here"),)
        fixes = _fix(context, span, f"{near}.{target.rpartition('.')[2]}")
    return rule.finding(
        context.path,
        span,
        f"`create_all()` and the first query raise NoReferencedTableError: the foreign key of "
        f"`{shown}` could not find table '{table}'; {advice}",
        related=related,
        fixes=fixes,
    )


def _no_column(
    rule: Rule,
    context: Context,
    shown: str,
    target: str,
    span: Span,
    other: _Table,
    found: TableSpec,
    name: str,
) -> Finding:
    near = nearest(name, [c.key for c in found.columns])
    if near is None and other.model is not None:
        renamed = [c for c in columns(context.models, other.model) if c.name == name]
        near = renamed[0].key if renamed else None
    primary = [c.key for c in found.columns if c.primary_key]
    advice = f"`{found.name}` has no such column"
    fixes: tuple[Fix, ...] = ()
    if near is None and len(primary) == 1:
        near = primary[0]
    if near is not None:
        advice = f"did you mean `{near}`?"
        fixes = _fix(context, span, f"{target.rpartition('.')[0]}.{near}")
    return rule.finding(
        context.path,
        span,
        f"`create_all()` and the first query raise NoReferencedColumnError: table '{found.name}' has no column "
        f"named '{name}', which the foreign key of `{shown}` refers to; {advice}",
        related=(Related(*other.place, f"the table `{found.name}` is declared here"),),
        fixes=fixes,
    )


def _fix(context: Context, span: Span, target: str) -> tuple[Fix, ...]:
    quote = context.parsed.text.slice(span)[:1]
    if quote not in "\"'":
        return ()
    edit = Edit(context.path, span, f"{quote}{target}{quote}")
    return (Fix(f"Change to `{target}`", Applicability.UNSAFE, (edit,)),)


RULE = Rule(
    "US307",
    "unresolved-foreign-key",
    Severity.ERROR,
    "a `ForeignKey` to a table or column that does not exist",
    check,
    __name__,
)
