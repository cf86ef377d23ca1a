"""US304: a declaration or call keyword of a factory that its model will refuse."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.facts import model as facts
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.infer.entities import External
from understudy.infer.scopes import Site
from understudy.orm import attributes
from understudy.orm.factories import AFTER, Factories, Factory
from understudy.orm.lineage import own, tail
from understudy.orm.models import Model, classes_of
from understudy.project.installed import version_of
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.factory_calls import called_factory
from understudy.rules.keywords import keywords
from understudy.rules.model_advice import advice_for, nearest_field
from understudy.rules.patch_calls import replaced_around
from understudy.rules.statements import model_of
from understudy.source.dotted import last_name
from understudy.source.span import Span

_DEPTH = 6


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "actory" not in context.source:
        return
    factories = Factories(context.models)
    for entity in classes_of(context.module):
        factory = factories.of(entity)
        if factory is None or not factory.plain or entity.declaration.guards:
            continue
        if factory.poly:
            yield from _poly_declared(rule, context, factories, factory)
        else:
            yield from _declared(rule, context, factories, factory)
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        if not call.keywords:
            continue
        made = called_factory(context, site, call)
        if made is None:
            yield from _made(rule, context, site, call)
            continue
        factory, method = made
        if not factory.plain or expected(context, site, "TypeError"):
            continue
        for given in keywords(context, site, call).given:
            refused = _refused(context, factories, factory, given.name, 0)
            if refused is None or factory.takes(method, given.name):
                continue
            if excused(context):
                return
            if context.is_test and replaced_around(context, site, {factory.target.name, factory.entity.name}):
                break
            *path, _ = given.name.split("__")
            prefix = "__".join(path) + "__" if refused[0] != factory else ""
            edit = Edit(context.path, given.span, given.spelled(prefix + "{}"))
            yield _finding(rule, context, *refused, given.span, edit, given.value)


def _made(rule: Rule, context: Context, site: Site, call: ast.Call) -> Iterator[Finding]:
    """``make_factory(Model, name=…)``."""
    found = context.names.resolve(call.func, site.scope)
    if not isinstance(found, External) or found.root != "factory" or found.name != "make_factory":
        return
    model = model_of(context, site, call.args[0]) if call.args else None
    given = keywords(context, site, call)
    after = {k.arg for k in call.keywords if any(last_name(each) in AFTER for each in _calls(k.value))}
    if model is None or excused(context) or any("__" in name for name in given.names):
        return
    for keyword in given.given:
        if keyword.name == "FACTORY_CLASS" or keyword.name in after or keyword.name.startswith("_"):
            continue
        if attributes.accepts(context.models, model, keyword.name) is False:
            edit = Edit(context.path, keyword.span, keyword.spelled("{}"))
            related, fixes, near = _meant(context, model, keyword.name, edit, keyword.value)
            message = f"this factory {_handing(model, keyword.name)}; {advice_for(model, near)}"
            yield rule.finding(context.path, keyword.span, message, related=related, fixes=fixes)


def _calls(node: ast.expr) -> Iterator[ast.Call]:
    return (child for child in ast.walk(node) if isinstance(child, ast.Call))


def _poly_declared(rule: Rule, context: Context, factories: Factories, factory: Factory) -> Iterator[Finding]:
    """``name = Use(…)`` in a factory of polyfactory: refused, or ignored, where the model has no such field."""
    model, name = factory.target, factory.entity.name
    version = version_of(context.workspace.environment, "polyfactory")
    raises = factory.checked if factory.checked is not None else version >= (3,) if version else None
    for declared in factory.declared.values():
        if declared.owner != factory.entity or not factories.is_field(declared):
            continue
        if attributes.has(context.models, model, declared.name) is not False:
            continue
        edit = Edit(context.path, declared.span, "{}")
        related, fixes, near = _meant(context, model, declared.name, edit)
        if near in factory.declared:
            fixes = ()
        reason = f"`{name}` never gives `{declared.name}` to `{model.name}`, which has no such field"
        if raises is None:
            reason = f"{reason}: polyfactory 2 ignores it, and 3 raises ConfigurationException"
        elif raises:
            reason = (
                f"the class `{name}` raises ConfigurationException: {declared.name} is not part of the model "
                f"{model.name}"
            )
        message = f"{reason}; {advice_for(model, near)}"
        severity = Severity.ERROR if raises else Severity.WARNING
        yield rule.finding(
            context.path, declared.span, message, related=related, fixes=fixes, severity=severity
        )


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


def _finding(
    rule: Rule,
    context: Context,
    factory: Factory,
    keyword: str,
    span: Span,
    edit: Edit,
    value: ast.expr | None = None,
) -> Finding:
    model = factory.target
    related, fixes, near = _meant(context, model, keyword, edit, value)
    own_declaration = factory.declared.get(keyword)
    if own_declaration is not None and own_declaration.span == span and near in factory.declared:
        fixes = ()
    if factory.entity.path != context.path:
        place = Related(factory.entity.path, factory.entity.span, "the factory is declared here")
        related = (*related, place)
    return rule.finding(
        context.path,
        span,
        f"`{factory.entity.name}` {_handing(model, keyword)}; {advice_for(model, near)}",
        related=related,
        fixes=fixes,
    )


def _handing(model: Model, keyword: str) -> str:
    return (
        f"hands `{keyword}` to `{model.name}`, which raises TypeError: '{keyword}' is an invalid keyword argument for "
        f"{model.name}"
    )


def _meant(
    context: Context, model: Model, keyword: str, edit: Edit, value: ast.expr | None = None
) -> tuple[tuple[Related, ...], tuple[Fix, ...], str | None]:
    """Where to look, how to mend it, and the field that was probably meant."""
    names = attributes.names(model)
    stored = [c.name for c in model.columns if attributes.column_name(c) == keyword]
    near = stored[0] if len(stored) == 1 else nearest_field(context.models, model, keyword, names, value)
    if near is None:
        return (Related(model.entity.path, model.entity.span, f"`{model.name}` is declared here"),), (), None
    path, where = names.get(near, (model.entity.path, model.entity.span))
    changed = Edit(edit.path, edit.span, edit.content.replace("{}", near))
    fix = Fix(f"Change to `{near}`", Applicability.UNSAFE, (changed,))
    return (Related(path, where, f"`{near}` is declared here"),), (fix,), near


RULE = Rule(
    "US304",
    "unknown-factory-field",
    Severity.ERROR,
    "a declaration or call keyword of a factory (factory_boy, polyfactory) that its model will refuse",
    check,
    __name__,
)
