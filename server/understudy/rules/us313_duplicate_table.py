"""US313: one table declared twice on one metadata."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.facts import model as facts
from understudy.finding import Finding, Related, Severity
from understudy.infer.imports import ImportGraph
from understudy.orm.indexes import metadata_of, table_arguments
from understudy.orm.lineage import own
from understudy.orm.models import Model
from understudy.rules.base import Context, Rule
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "__tablename__" not in context.source or context.is_test:
        return
    for mapped in context.models.in_file(context.module):
        second = _declared(mapped)
        if second is None or _identity(context, mapped) is None:
            continue
        first = _first(context, mapped)
        if first is None or _declared(first) is None:
            continue
        if first.entity in mapped.lineage.classes and _option(context, mapped, "extend_existing"):
            # One that derives from the other and says so shares its table on purpose.
            continue
        if first.entity.path == mapped.entity.path or _meet(context, first, mapped):
            yield _finding(rule, context, first, mapped, second)


def _declared(mapped: Model) -> Span | None:
    """Where a model names its table itself, at import time without a condition."""
    if mapped.entity.declaration.guards or mapped.core is not None:
        return None
    return mapped.table_span


def _identity(context: Context, mapped: Model) -> tuple[object, ...] | None:
    """Metadata, schema and name of a model's table; None when one is not known."""
    metadata, arguments = metadata_of(context.models, mapped), table_arguments(context.models, mapped)
    if mapped.table is None or metadata is None or arguments is None:
        return None
    return metadata.key, arguments[1], mapped.table


def _first(context: Context, mapped: Model) -> Model | None:
    """The first model, in order of file and line, with the same table."""
    identity = _identity(context, mapped)
    registry = context.models.registries.get(mapped.registry)
    same = [
        other
        for other in (registry.models if registry is not None else ())
        if other.table == mapped.table
        and _identity(context, other) == identity
        and not context.is_test_path(other.entity.path)
        and not other.entity.declaration.guards
    ]
    if len(same) < 2:
        return None
    first = min(same, key=lambda other: (str(other.entity.path), other.entity.span))
    return None if first.entity == mapped.entity else first


def _option(context: Context, mapped: Model, name: str) -> bool:
    for cls in mapped.lineage.classes:
        declared = own(cls, "__table_args__")
        if isinstance(declared, facts.Assign) and declared.value is not None:
            terms = (
                declared.value.items if isinstance(declared.value, facts.SequenceTerm) else (declared.value,)
            )
            for term in terms:
                if isinstance(term, facts.DictTerm):
                    return any(isinstance(k, facts.Const) and k.value == name for k, _ in term.items)
            return False
    return False


def _meet(context: Context, first: Model, second: Model) -> bool:
    """Does some test load both modules, or one of them the other?"""
    graph = ImportGraph(context.resolver)
    one, two = first.entity.path, second.entity.path
    if two in graph.closure([one]) or one in graph.closure([two]):
        return True
    tests = [path for path in context.workspace.files() if context.is_test_path(path)]
    return any({one, two} <= set(graph.closure([path])) for path in tests)


def _finding(rule: Rule, context: Context, first: Model, mapped: Model, span: Span) -> Finding:
    related = (
        Related(
            first.entity.path, _declared(first) or first.entity.span, f"`{first.name}` has this table, too"
        ),
    )
    extends = _option(context, mapped, "extend_existing")
    keeps = _option(context, mapped, "keep_existing")
    if extends or keeps:
        how = "adds its columns to it, or replaces them" if extends else "leaves out its own columns"
        return rule.finding(
            context.path,
            span,
            f"the table `{mapped.table}` belongs to `{first.name}` already: `{mapped.name}` silently {how}; give it a "
            "table of its own, or derive one model from the other",
            related=related,
            severity=Severity.WARNING,
        )
    return rule.finding(
        context.path,
        span,
        f"importing both models raises InvalidRequestError: table '{mapped.table}' is already defined for this "
        f"MetaData instance, by `{first.name}`; rename one of them",
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
