"""US304: a declaration or call keyword of a factory that its model will refuse."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.facts import model as facts
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.infer.entities import ClassEntity
from understudy.orm import attributes
from understudy.orm.factories import Factories, Factory
from understudy.orm.lineage import own, tail
from understudy.orm.models import classes_of
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.keywords import keywords
from understudy.rules.model_advice import advice_for
from understudy.rules.patch_calls import replaced_around
from understudy.source.span import Span

_BUILDING = frozenset({"build", "create", "build_batch", "create_batch"})
_DEPTH = 6


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "actory" not in context.source:
        return
    factories = Factories(context.models)
    for entity in classes_of(context.module):
        factory = factories.of(entity)
        if factory is not None and factory.plain and not entity.declaration.guards:
            yield from _declared(rule, context, factories, factory)
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        if not call.keywords or not isinstance(call.func, (ast.Name, ast.Attribute)):
            continue
        node: ast.expr = call.func
        if isinstance(node, ast.Attribute) and node.attr in _BUILDING:
            node = node.value
        found = context.scopes.resolve(node, site.scope)
        if not isinstance(found, ClassEntity) or not found.module.workspace:
            continue
        factory = factories.of(found)
        if factory is None or not factory.plain or expected(site, "TypeError"):
            continue
        for given in keywords(context, site, call).given:
            refused = _refused(context, factories, factory, given.name, 0)
            if refused is None:
                continue
            if excused(context):
                return
            if context.is_test and replaced_around(context, site, {factory.target.name, factory.entity.name}):
                break
            *path, _ = given.name.split("__")
            prefix = "__".join(path) + "__" if refused[0] != factory else ""
            edit = Edit(context.path, given.span, given.spelled(prefix + "{}"))
            yield _finding(rule, context, *refused, given.span, edit)


def _declared(rule: Rule, context: Context, factories: Factories, factory: Factory) -> Iterator[Finding]:
    for declared in factory.declared.values():
        if declared.owner != factory.entity:
            continue
        refused = _refused(context, factories, factory, declared.name, 0)
        if refused is not None:
            edit = Edit(context.path, declared.span, "{}")
            yield _finding(rule, context, *refused, declared.span, edit)
    params = own(factory.entity, "Params")
    if isinstance(params, facts.Class):
        for trait in params.body:
            value = getattr(trait, "value", None)
            if isinstance(value, facts.CallTerm) and tail(value) == "Trait":
                for keyword in value.keywords:
                    if keyword.name is None:
                        continue
                    refused = _refused(context, factories, factory, keyword.name, 0)
                    if refused is not None:
                        start = keyword.span.shifted(factory.entity.row)
                        span = Span(start.row, start.column, start.row, start.column + len(keyword.name))
                        yield _finding(rule, context, *refused, span, Edit(context.path, span, "{}"))


def _refused(
    context: Context, factories: Factories, factory: Factory, name: str, depth: int
) -> tuple[Factory, str] | None:
    """The factory whose model refuses a keyword, and what it refuses: ``user__name`` leads to the factory of
    ``user``."""
    if depth > _DEPTH:
        return None
    first, _, rest = name.partition("__")
    if rest and first in factory.declared:
        below = factories.subfactory(factory.declared[first])
        inner = factories.of(below) if below is not None else None
        if inner is None or not inner.plain:
            return None
        return _refused(context, factories, inner, rest, depth + 1)
    if rest or (depth and name in factory.params):
        return None
    keyword = factory.hands_over(name)
    if keyword is None or attributes.accepts(context.models, factory.target, keyword) is not False:
        return None
    return factory, keyword


def _finding(rule: Rule, context: Context, factory: Factory, keyword: str, span: Span, edit: Edit) -> Finding:
    model = factory.target
    names = attributes.names(model)
    stored = [c.name for c in model.columns if attributes.column_name(c) == keyword]
    near = stored[0] if len(stored) == 1 else nearest(keyword, names)
    related = [Related(model.entity.path, model.entity.span, f"`{model.name}` is declared here")]
    fixes: tuple[Fix, ...] = ()
    if near is not None:
        path, where = names.get(near, (model.entity.path, model.entity.span))
        related = [Related(path, where, f"`{near}` is declared here")]
        own_declaration = factory.declared.get(keyword)
        if own_declaration is None or own_declaration.span != span or near not in factory.declared:
            changed = Edit(edit.path, edit.span, edit.content.replace("{}", near))
            fixes = (Fix(f"Change to `{near}`", Applicability.UNSAFE, (changed,)),)
    if factory.entity.path != context.path:
        related.append(Related(factory.entity.path, factory.entity.span, "the factory is declared here"))
    return rule.finding(
        context.path,
        span,
        f"`{factory.entity.name}` hands `{keyword}` to `{model.name}`, which raises TypeError: '{keyword}' is an "
        f"invalid keyword argument for {model.name}; {advice_for(model, near)}",
        related=tuple(related),
        fixes=fixes,
    )


RULE = Rule(
    "US304",
    "unknown-factory-field",
    Severity.ERROR,
    "a factory_boy declaration or call keyword that the factory's model will refuse",
    check,
    __name__,
)
