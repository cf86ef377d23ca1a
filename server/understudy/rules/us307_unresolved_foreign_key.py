"""US307: a foreign key to a table or column that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.facts.model import CallTerm
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.index.module import Module
from understudy.orm.columns import Column, ForeignKey, columns
from understudy.orm.models import Model, Models
from understudy.orm.rebuild import TableSpec, resolves
from understudy.orm.schema import Schema, core_tables
from understudy.rules.base import Context, Rule

_NAMED = re.compile(r"""(?:__tablename__\s*(?::[^=\n]+)?=\s*|\bTable\(\s*)(["'])([^"']+)\1""")
_DECLARES = re.compile(rb"__tablename__|\bTable\(")
_COMPUTED = re.compile(rb"__tablename__\s*=\s*[^\"'\s]|\bdef __tablename__|\bTable\(\s*[^\"'\s)]")
_REFLECTED = re.compile(
    rb"\.reflect\(|\bautoload(?:_with)?\s*=|\bautomap_base\b|\bDeferredReflection\b|\.to_metadata\(|\.tometadata\("
)
_CHANGED = re.compile(rb"\.append_column\(")


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
                    yield from _checked(rule, context, mapped, column, key)


def _checked(
    rule: Rule, context: Context, mapped: Model, column: Column, key: ForeignKey
) -> Iterator[Finding]:
    *schema, table, name = key.target.split(".") if "." in key.target else (key.target, "")
    if len(schema) > 1 or not name:
        return
    named = [(known, known.spec(context.models)) for known in _tables(context.models) if known.name == table]
    targets = [
        (known, found) for known, found in named if not schema or found is None or found.schema == schema[0]
    ]
    if not targets:
        if not schema and not _may_exist(context, table):
            yield _no_table(rule, context, mapped, column, key, table)
        return
    spec = Schema.of(context.models).table(mapped)
    other, found = targets[0][0].model, targets[0][1]
    if len(targets) > 1 or spec is None or found is None:
        return
    if context.workspace.files_with(_REFLECTED) or context.workspace.files_with(_CHANGED):
        return
    if resolves(spec, (found,) if found != spec else (), key.target):
        return
    yield _no_column(rule, context, mapped, column, key, other, found, name)


@dataclass(frozen=True)
class _Table:
    """A table of the workspace, with the model that declares it."""

    name: str
    model: Model | None
    core: tuple[Module, CallTerm] | None
    """The ``Table(…)`` of one that is no model's."""

    def spec(self, models: Models) -> TableSpec | None:
        """Its columns; None when not all of them are known."""
        schema = Schema.of(models)
        if self.model is not None:
            return schema.table(self.model)
        return schema.core(*self.core) if self.core is not None else None


def _tables(models: Models) -> list[_Table]:
    """Every table that a model or a ``Table(…)`` declares."""

    def make() -> list[_Table]:
        found = [
            _Table(model.table, model, None)
            for registry in models.registries.values()
            for model in registry.models
            if model.table is not None
        ]
        mapped = {id(table.model.core[1]) for table in found if table.model is not None and table.model.core}
        found.extend(
            _Table(name, None, (module, call))
            for name, module, call, _ in core_tables(models)
            if id(call) not in mapped
        )
        return found

    return models.workspace.derived("orm.all_tables", make)


def _may_exist(context: Context, table: str) -> bool:
    """May a table of this name come from anywhere else: another statement, a computed name, the database?"""
    workspace = context.workspace
    if workspace.files_with(_REFLECTED):
        return True
    for path in workspace.files_with(_DECLARES):
        for match in _NAMED.finditer(workspace.text(path).content):
            if match.group(2).rpartition(".")[2] == table:
                return True
    models = [m for registry in context.models.registries.values() for m in registry.models]
    if any(m.table is None and not m.known and context.models.above(m) is None for m in models):
        return True
    return bool(workspace.files_with(_COMPUTED))


def _no_table(
    rule: Rule, context: Context, mapped: Model, column: Column, key: ForeignKey, table: str
) -> Finding:
    candidates = {
        known.name: known.model
        for known in _tables(context.models)
        if known.model is not None
        and known.model.registry == mapped.registry
        and known.model.entity != mapped.entity
    }
    near = nearest(table, candidates)
    related: tuple[Related, ...] = ()
    fixes: tuple[Fix, ...] = ()
    advice = "no model of the workspace declares it"
    if near is not None:
        target = candidates[near]
        advice = f"did you mean `{near}`?"
        span = target.table_span or target.entity.span
        related = (Related(target.entity.path, span, f"the table `{near}` is declared here"),)
        fixes = _fix(context, key, f"{near}.{key.target.rpartition('.')[2]}")
    return rule.finding(
        context.path,
        key.span,
        f"`create_all()` and the first query raise NoReferencedTableError: the foreign key of "
        f"`{mapped.name}.{column.name}` could not find table '{table}'; {advice}",
        related=related,
        fixes=fixes,
    )


def _no_column(
    rule: Rule,
    context: Context,
    mapped: Model,
    column: Column,
    key: ForeignKey,
    other: Model | None,
    found: TableSpec,
    name: str,
) -> Finding:
    near = nearest(name, [c.key for c in found.columns])
    if near is None and other is not None:
        renamed = [c for c in columns(context.models, other) if c.name == name]
        near = renamed[0].key if renamed else None
    primary = [c.key for c in found.columns if c.primary_key]
    advice = f"`{found.name}` has no such column"
    fixes: tuple[Fix, ...] = ()
    if near is None and len(primary) == 1:
        near = primary[0]
    if near is not None:
        advice = f"did you mean `{near}`?"
        fixes = _fix(context, key, f"{key.target.rpartition('.')[0]}.{near}")
    related: tuple[Related, ...] = ()
    if other is not None:
        span = other.table_span or other.entity.span
        related = (Related(other.entity.path, span, f"the table `{found.name}` is declared here"),)
    return rule.finding(
        context.path,
        key.span,
        f"`create_all()` and the first query raise NoReferencedColumnError: table '{found.name}' has no column "
        f"named '{name}', which the foreign key of `{mapped.name}.{column.name}` refers to; {advice}",
        related=related,
        fixes=fixes,
    )


def _fix(context: Context, key: ForeignKey, target: str) -> tuple[Fix, ...]:
    quote = context.parsed.text.slice(key.span)[:1]
    if quote not in "\"'":
        return ()
    edit = Edit(context.path, key.span, f"{quote}{target}{quote}")
    return (Fix(f"Change to `{target}`", Applicability.UNSAFE, (edit,)),)


RULE = Rule(
    "US307",
    "unresolved-foreign-key",
    Severity.ERROR,
    "a `ForeignKey` to a table or column that does not exist",
    check,
    __name__,
)
