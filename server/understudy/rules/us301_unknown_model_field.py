"""US301: a keyword that a model's constructor will refuse."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.infer.scopes import Site
from understudy.orm import attributes
from understudy.orm.lineage import Constructor
from understudy.orm.models import Model
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.keywords import Given, keywords
from understudy.rules.model_advice import advice_for, nearest_field
from understudy.rules.patch_calls import creates, replaced_around
from understudy.rules.statements import model_of
from understudy.source.dotted import last_name


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not any(f"{name}(" in context.source for name in context.models_named):
        return
    sites = context.sites(
        "US301",
        "calls",
        lambda site: _made(context, site) is not None,
        lambda: context.scopes_naming_models.calls,
    )
    for site in sites:
        call = site.node
        assert isinstance(call, ast.Call)
        model = _made(context, site)
        if model is None or expected(context, site, "TypeError"):
            continue
        listed = keywords(context, site, call)
        for given in listed.given:
            if attributes.accepts(context.models, model, given.name) is not False:
                continue
            if _replaced(context, site, call, model) or excused(context):
                break
            if context.is_test and _created(context, given.name):
                continue
            yield _finding(rule, context, model, given, listed.names)


def _made(context: Context, site: Site) -> Model | None:
    """The model that a call with keywords makes an instance of."""
    call = site.node
    assert isinstance(call, ast.Call)
    return model_of(context, site, call.func) if call.keywords else None


def _finding(rule: Rule, context: Context, model: Model, given: Given, others: set[str]) -> Finding:
    entity, keyword = model.entity, given.name
    names = attributes.names(model)
    constructor = model.lineage.constructor
    initializer = model.lineage.initializer
    candidates = list(names)
    if constructor is Constructor.CUSTOM and initializer is not None:
        candidates = [parameter.name for parameter in initializer.parameters[1:]]
    free = [name for name in candidates if name not in others]
    stored = [c.name for c in model.columns if attributes.column_name(c) == keyword and c.name in free]
    near = stored[0] if len(stored) == 1 else nearest_field(context.models, model, keyword, free, given.value)
    related = [Related(entity.path, entity.span, f"`{entity.name}` is declared here")]
    advice = advice_for(model, near)
    if stored:
        advice = f"that is the column's name in the database, the attribute is `{stored[0]}`"
    fixes: tuple[Fix, ...] = ()
    if near is not None:
        if near in names:
            path, where = names[near]
            related = [Related(path, where, f"`{near}` is declared here")]
        applicability = Applicability.SAFE if stored else Applicability.UNSAFE
        edit = Edit(context.path, given.span, given.spelled(near))
        fixes = (Fix(f"Change to `{near}`", applicability, (edit,)),)
    if constructor is Constructor.DEFAULT:
        reason = f"'{keyword}' is an invalid keyword argument for {entity.name}"
    else:
        reason = f"{entity.name}.__init__() got an unexpected keyword argument '{keyword}'"
    if constructor is Constructor.DATACLASS and keyword in names:
        advice, fixes = f"`{keyword}` is declared with `init=False`", ()
        related = [Related(*names[keyword], f"`{keyword}` is declared here")]
    return rule.finding(
        context.path,
        given.span,
        f"`{entity.name}({keyword}=…)` raises TypeError: {reason}; {advice}",
        related=tuple(related),
        fixes=fixes,
    )


def _created(context: Context, name: str) -> bool:
    """Does a patch put an attribute of this name somewhere, maybe on the class?"""
    places = context.fixtures.chain(context.module)
    return any(creates(context.workspace.parsed(place.path), name) for place in places)


def _replaced(context: Context, site: Site, call: ast.Call, model: Model) -> bool:
    """Does test code replace the class, or its constructor?"""
    if not context.is_test:
        return False
    names = {model.name, last_name(call) or model.name, "__init__", "__new__"}
    return replaced_around(context, site, names)


RULE = Rule(
    "US301",
    "unknown-model-field",
    Severity.ERROR,
    "a keyword that the model's constructor will refuse",
    check,
    __name__,
)
