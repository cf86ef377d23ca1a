"""US301: a keyword that a model's constructor will refuse."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from understudy.doubles.state import last_name
from understudy.facts.model import CallTerm, Ref, Term
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.infer.entities import ClassEntity
from understudy.infer.scopes import Site
from understudy.orm.indexes import column_name
from understudy.orm.models import Model
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.patch_calls import replaced_around

_CALLED = re.compile(r"\b([^\W\d]\w*)\(")


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if context.models.class_names.isdisjoint(_CALLED.findall(context.source)):
        return
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        if not call.keywords or not isinstance(call.func, (ast.Name, ast.Attribute)):
            continue
        entity = context.scopes.resolve(call.func, site.scope)
        if not isinstance(entity, ClassEntity) or not entity.module.workspace:
            continue
        model = context.models.mapped(entity)
        if model is None or expected(site, "TypeError"):
            continue
        for keyword, value_node in _keywords(call):
            if context.models.accepts(model, keyword) is not False:
                continue
            if _replaced(context, site, call, model) or excused(context.parsed, context.workspace):
                break
            span = (
                site.unit.keyword_span(value_node)
                if isinstance(value_node, ast.keyword)
                else site.unit.span(value_node)
            )
            names = context.models.names(model)
            given = {name for name, _ in _keywords(call)}
            free = [name for name in names if name not in given]
            stored = [c.name for c in model.columns if column_name(c) == keyword and c.name in free]
            near = stored[0] if len(stored) == 1 else nearest(keyword, free)
            related = [Related(entity.path, entity.span, f"`{entity.name}` is declared here")]
            advice = _advice(model, near)
            if stored:
                advice = f"that is the column's name in the database, the attribute is `{stored[0]}`"
            fixes: tuple[Fix, ...] = ()
            if near is not None:
                cls_path = _declared_in(context, model, near)
                related = [Related(cls_path, names[near], f"`{near}` is declared here")]
                content = near if isinstance(value_node, ast.keyword) else f'"{near}"'
                applicability = Applicability.SAFE if stored else Applicability.UNSAFE
                fixes = (Fix(f"Change to `{near}`", applicability, (Edit(context.path, span, content),)),)
            yield rule.finding(
                context.path,
                span,
                f"`{entity.name}({keyword}=…)` raises TypeError: '{keyword}' is an invalid keyword argument for "
                f"{entity.name}; {advice}",
                related=tuple(related),
                fixes=fixes,
            )


def _replaced(context: Context, site: Site, call: ast.Call, model: Model) -> bool:
    """Does test code replace the class, or its constructor?"""
    if not context.is_test:
        return False
    names = {model.name, last_name(call) or model.name, "__init__", "__new__"}
    return replaced_around(context, site, names)


def _keywords(call: ast.Call) -> list[tuple[str, ast.keyword | ast.Constant]]:
    """The keywords of a call, those of ``**{"name": value}`` included."""
    found: list[tuple[str, ast.keyword | ast.Constant]] = []
    for keyword in call.keywords:
        if keyword.arg is not None:
            found.append((keyword.arg, keyword))
        elif isinstance(keyword.value, ast.Dict):
            for key in keyword.value.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    found.append((key.value, key))
    return found


def _declared_in(context: Context, model: Model, name: str) -> Path:
    for cls in context.resolver.ancestry(model.entity).classes:
        for declaration in cls.declaration.body:
            if getattr(declaration, "target", getattr(declaration, "name", None)) == name:
                return cls.path
    return model.entity.path


def _advice(model: Model, near: str | None) -> str:
    if near is not None:
        return f"did you mean `{near}`?"
    json = [
        column.name
        for column in model.columns
        if column.call is not None
        and any(_is_json(term) for term in (*column.call.args, column.annotation) if term is not None)
    ]
    if len(json) == 1:
        return f"the model has no such field; does it belong into the JSON column `{json[0]}`?"
    return "the model has no such field"


def _is_json(term: Term) -> bool:
    if isinstance(term, CallTerm):
        term = term.func
    return isinstance(term, Ref) and term.parts[-1] in ("JSON", "JSONB")


RULE = Rule(
    "US301",
    "unknown-model-field",
    Severity.ERROR,
    "a keyword that the model's constructor will refuse",
    check,
    __name__,
)
