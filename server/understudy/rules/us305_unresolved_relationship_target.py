"""US305: a relationship names a class that its registry does not have, or that nothing loads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from understudy.facts import model as facts
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.fixes.names import nearest
from understudy.infer.entities import ClassEntity
from understudy.infer.imports import ImportGraph, Node
from understudy.orm.indexes import table_arguments
from understudy.orm.lineage import only_for_type_checkers
from understudy.orm.metadata import metadata_of
from understudy.orm.models import Model, Registry, Relationship
from understudy.orm.registry import Verdict, locate
from understudy.rules import loading
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "relationship" not in context.source or context.is_test:
        return
    for mapped in context.models.in_file(context.module):
        for relationship in mapped.relationships:
            if relationship.target is None or relationship.owner != mapped.entity:
                continue
            registry = context.models.registry(mapped)
            answer = locate(registry, relationship.target)
            if answer.verdict is Verdict.FOUND:
                yield from _not_loaded(rule, context, mapped, relationship, answer.models[0])
            elif answer.verdict is Verdict.NOWHERE:
                yield from _nowhere(rule, context, mapped, relationship, registry)
            elif answer.verdict is Verdict.SEVERAL:
                yield from _several(rule, context, relationship, answer.models)
            elif answer.verdict is Verdict.HIDDEN_BY_TABLE and _has_plain_name(
                context, registry, relationship
            ):
                yield _hidden(rule, context, relationship)


def _nowhere(
    rule: Rule, context: Context, mapped: Model, relationship: Relationship, registry: Registry
) -> Iterator[Finding]:
    target = str(relationship.target)
    name = target.rpartition(".")[2]
    if _defined_somewhere(context, name, registry) or _is_evaluated(context, relationship, target):
        return
    span = relationship.target_span
    assert span is not None
    candidates = {found.name: found for found in registry.models}
    near = nearest(name, candidates)
    fixes: tuple[Fix, ...] = ()
    related: tuple[Related, ...] = ()
    advice = "no model of this registry has that name"
    if near is not None:
        found = candidates[near]
        advice = f"did you mean `{near}`?"
        related = (Related(found.entity.path, found.entity.span, f"`{near}` is declared here"),)
        quote = context.parsed.text.slice(span)[:1]
        if quote in "\"'":
            prefix = target.rpartition(".")[0]
            dotted = f"{prefix}.{near}" if prefix and found.entity.module.name.endswith(prefix) else near
            edit = Edit(context.path, span, f"{quote}{dotted}{quote}")
            fixes = (Fix(f"Change to `{dotted}`", Applicability.UNSAFE, (edit,)),)
    yield rule.finding(
        context.path,
        span,
        f"the first query of any model of this registry raises InvalidRequestError: the relationship "
        f"`{mapped.name}.{relationship.name}` failed to locate a name ('{target}'); {advice}",
        related=related,
        fixes=fixes,
    )


def _is_evaluated(context: Context, relationship: Relationship, target: str) -> bool:
    """Does an annotation name what its module binds when it runs? SQLAlchemy looks there first."""
    call = relationship.call
    if call is None or call.args or call.keyword("argument") is not None:
        return False
    bound = relationship.owner.module.bindings.get(target.partition(".")[0], ())
    return any(not only_for_type_checkers(binding.declaration) for binding in bound)


def _defined_somewhere(context: Context, name: str, registry: Registry) -> bool:
    """A class of that name that is no known model of the registry may still be one: its bases may not be
    understood, it may be made in a function, or by a call."""
    if context.workspace.files_with(_MADE):
        return True
    pattern = re.compile(rf"\bclass {re.escape(name)}\b|['\"]{re.escape(name)}['\"]\s*,\s*\(".encode())
    for path in context.workspace.files_with(pattern):
        module = context.workspace.module(path)
        if module is None:
            return True
        for binding in module.bindings.get(name, ()):
            declaration = binding.declaration
            if isinstance(declaration, facts.Class):
                if not declaration.bases and not declaration.decorators:
                    if not context.workspace.files_with(_IMPERATIVE):
                        continue
                found = context.models.mapped(ClassEntity(module, declaration, binding.row, declaration.name))
                if found is not None and context.models.registry_key(found) != registry.key:
                    if not context.workspace.files_with(_SHARED):
                        continue
            return True
        if name not in module.bindings:
            return True
    return False


def _several(
    rule: Rule, context: Context, relationship: Relationship, found: tuple[Model, ...]
) -> Iterator[Finding]:
    if any(context.is_test_path(model.entity.path) for model in found):
        return
    if len({model.entity.path for model in found}) < 2:
        return
    loaded = loading.by_tests(context)
    if loaded and len({model.entity.path for model in found if model.entity.path in loaded}) < 2:
        # They never meet in one process, as far as the tests go.
        return
    span = relationship.target_span
    assert span is not None
    dotted = [f"{model.entity.module.name}.{model.name}" for model in found]
    yield rule.finding(
        context.path,
        span,
        f"more than one class of this registry is called '{relationship.target}', so the first query raises "
        f'InvalidRequestError: Multiple classes found; name one by its module, such as "{dotted[0]}"',
        related=tuple(
            Related(model.entity.path, model.entity.span, f"one `{model.name}` is declared here")
            for model in found
        ),
    )


def _has_plain_name(context: Context, registry: Registry, relationship: Relationship) -> bool:
    """Is there a table of the name itself, in no schema?"""
    tables = registry.with_table(str(relationship.target).partition(".")[0])
    arguments = [table_arguments(context.models, found) for found in tables]
    schemas = [given is None or given[1] for given in arguments]
    return any(
        schema is None and metadata_of(context.models, found) is not None
        for schema, found in zip(schemas, tables, strict=True)
    )


def _hidden(rule: Rule, context: Context, relationship: Relationship) -> Finding:
    span = relationship.target_span
    assert span is not None
    first = str(relationship.target).partition(".")[0]
    return rule.finding(
        context.path,
        span,
        f"a table is called `{first}`, so SQLAlchemy takes the first part of '{relationship.target}' for that "
        "table and cannot find the class; use the class name alone, or a longer or shorter module path",
    )


def _not_loaded(
    rule: Rule, context: Context, mapped: Model, relationship: Relationship, target: Model
) -> Iterator[Finding]:
    graph = ImportGraph(context.resolver)
    wanted = target.entity.path
    if wanted == context.path or wanted in graph.closure([context.path]):
        return
    if wanted in loading.by_tests(context):
        return
    reached = loading.by_tests(context, lazy=True)
    if context.path not in reached or wanted in reached or _may_load(context, reached, target):
        return
    span = relationship.target_span
    assert span is not None
    module = target.entity.module.name
    related = [Related(wanted, target.entity.span, f"`{target.name}` is declared here")]
    for loader, edge in graph.importers(reached, context.path, lazy=True):
        related.append(Related(loader.path, edge.span, f"`{context.module.name}` is loaded from here"))
        break
    fixes: tuple[Fix, ...] = ()
    if context.path not in graph.closure([wanted]):
        edit = imports.statement(context.parsed, f"import {module}  # noqa: F401")
        fixes = (Fix(f"Import `{module}` here", Applicability.UNSAFE, (edit,)),)
    yield rule.finding(
        context.path,
        span,
        f"nothing that the tests import loads `{module}`, so once `{context.module.name}` is imported every query "
        f"raises InvalidRequestError: '{relationship.target}' failed to locate a name; import `{module}` where "
        "the models are loaded",
        severity=Severity.WARNING,
        related=tuple(related),
        fixes=fixes,
    )


def _may_load(context: Context, reached: Iterable[Node], target: Model) -> bool:
    """Does code on the way import modules by computed names, and could this be one of them?"""
    dynamic = set(context.workspace.files_with(_BY_NAME))
    module = target.entity.module.name
    for node in reached:
        if node not in dynamic or not isinstance(node, Path):
            continue
        folder = node.parent
        if folder != context.workspace.root and target.entity.path.is_relative_to(folder):
            return True
        if context.is_test_path(node) or module in context.workspace.text(node).content:
            return True
    return False


_MADE = re.compile(rb"\b(?:type|new_class)\(\s*[^\"'),\s][^,)]*(?:\([^)]*\)[^,)]*)?,")
"""A class with a computed name."""
_BY_NAME = re.compile(rb"\bimport_module\b|\b__import__\b|\bpkgutil\b|\bimportlib\b|\brunpy\b")
_IMPERATIVE = re.compile(rb"\bmap_imperatively\b|\bmapper\(")
_SHARED = re.compile(rb"\bclass_registry\b|\b_class_registry\b")


RULE = Rule(
    "US305",
    "unresolved-relationship-target",
    Severity.ERROR,
    "a relationship names a class that its registry does not have, has twice, or that nothing loads",
    check,
    __name__,
)
