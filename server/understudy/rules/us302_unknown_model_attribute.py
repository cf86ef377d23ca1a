"""US302: an attribute that a model, or an instance of one, has not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.infer.scopes import Site
from understudy.orm import attributes
from understudy.orm.models import Model
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.instances import instance_of
from understudy.rules.model_advice import advice_for
from understudy.rules.patch_calls import replaced_around
from understudy.rules.statements import model_of
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    models = context.models
    # A test may have one from a fixture.
    if not (models.exist if context.is_test else context.models_named):
        return
    sites = context.sites(
        "US302",
        "reads",
        lambda site: _read_of(context, site)[0] is not None,
        lambda: context.scopes_naming_models.reads,
    )
    for site in sites:
        node = site.node
        assert isinstance(node, ast.Attribute)
        found, on_class = _read_of(context, site)
        if found is None or not _missing(context, found, node.attr, on_class):
            continue
        if _excused(context, site, found, node.attr):
            continue
        yield _finding(rule, context, site, node, found, on_class)


def _read_of(context: Context, site: Site) -> tuple[Model | None, bool]:
    """The model whose attribute is read, and whether it is read from the class itself."""
    node = site.node
    assert isinstance(node, ast.Attribute)
    if node.attr.startswith("__") or not isinstance(node.value, (ast.Name, ast.Attribute)):
        return None, False
    value = node.value
    if isinstance(value, ast.Attribute):
        return model_of(context, site, value), True
    # Most of a test are reads of a few names.
    return context.once(("US302", site.scope, value.id), lambda: _named(context, site, value))


def _named(context: Context, site: Site, name: ast.Name) -> tuple[Model | None, bool]:
    """As :func:`_read_of`, for any read of a name in the scope of the site."""
    found = model_of(context, site, name)
    return (found, True) if found is not None else (instance_of(context, site, name), False)


def _missing(context: Context, found: Model, name: str, on_class: bool) -> bool:
    if on_class:
        return attributes.has(context.models, found, name) is False
    if attributes.has_on_instance(context.models, found, name) is not False:
        return False
    below = context.models.registry(found).below(found)
    if any(attributes.has_on_instance(context.models, m, name) is not False for m in below):
        return False
    # Whoever sets it on some object may set it on this one.
    if context.workspace.files_with(attributes.setting(name)):
        return False
    return "setattr(" not in context.source and "__dict__" not in context.source


def _excused(context: Context, site: Site, found: Model, name: str) -> bool:
    if expected(context, site, "AttributeError") or excused(context):
        return True
    if _asked(site, name):
        return True
    return context.is_test and replaced_around(context, site, {found.name, name})


def _asked(site: Site, name: str) -> bool:
    """``x.name if hasattr(x, "name") else …``, ``hasattr(x, "name") and x.name``."""
    for node in site.chain:
        if isinstance(node, (ast.IfExp, ast.BoolOp, ast.While, ast.Assert, ast.comprehension)):
            for call in ast.walk(node):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Name)
                    and call.func.id == "hasattr"
                ):
                    return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            # ``if not hasattr(x, "name"): return``
            return any(
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id in ("hasattr", "delattr")
                and any(isinstance(a, ast.Constant) and a.value == name for a in call.args)
                for call in ast.walk(node)
            )
    return False


def _finding(
    rule: Rule, context: Context, site: Site, node: ast.Attribute, found: Model, on_class: bool
) -> Finding:
    whole = site.unit.span(node)
    span = Span(whole.end_row, whole.end_column - len(node.attr), whole.end_row, whole.end_column)
    names = attributes.names(found)
    stored = [c.name for c in found.columns if attributes.column_name(c) == node.attr]
    near = stored[0] if len(stored) == 1 else nearest(node.attr, names)
    related = [Related(found.entity.path, found.entity.span, f"`{found.name}` is declared here")]
    advice = advice_for(found, near)
    if stored:
        advice = f"that is the column's name in the database, the attribute is `{stored[0]}`"
    fixes: tuple[Fix, ...] = ()
    if near is not None:
        path, where = names.get(near, (found.entity.path, found.entity.span))
        related = [Related(path, where, f"`{near}` is declared here")]
        edit = Edit(context.path, span, near)
        fixes = (Fix(f"Change to `{near}`", Applicability.UNSAFE, (edit,)),)
    what = f"type object '{found.name}'" if on_class else f"'{found.name}' object"
    return rule.finding(
        context.path,
        span,
        f"this raises AttributeError: {what} has no attribute '{node.attr}'; {advice}",
        related=tuple(related),
        fixes=fixes,
    )


RULE = Rule(
    "US302",
    "unknown-model-attribute",
    Severity.ERROR,
    "an attribute of a model, or of an instance known to be one, that the model has not",
    check,
    __name__,
)
