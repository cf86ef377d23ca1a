"""US303: a keyword or string of a statement that its entity has not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.infer.scopes import FunctionNode, Site
from understudy.orm import attributes
from understudy.orm.models import Model, Models
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.keywords import Given, dict_keys, keywords
from understudy.rules.model_advice import advice_for, nearest_field
from understudy.rules.patch_calls import replaced_around
from understudy.rules.sessions import is_real_session
from understudy.rules.statements import Kind, Statement, statement

_METHODS = ("filter_by", "values", "update", "order_by", "group_by")
_EXCEPTIONS = ("InvalidRequestError", "CompileError", "ArgumentError", "StatementError", "SQLAlchemyError")


_ADDING = ("add_columns", "add_column", "with_entities", "with_only_columns")
"""What may add the label that a string names, also after the string."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not any(f".{method}(" in context.source for method in _METHODS) or not context.models_named:
        return
    for site in context.scopes_naming_models.calls_of(*_METHODS):
        call = site.node
        assert isinstance(call, ast.Call)
        if not isinstance(call.func, ast.Attribute):
            continue
        for given, found, raises in _wrong(context, site, call, call.func):
            if any(expected(context, site, name) for name in _EXCEPTIONS):
                break
            if excused(context) or _replaced(context, site, found):
                break
            yield _finding(rule, context, given, found, raises)


def _wrong(
    context: Context, site: Site, call: ast.Call, func: ast.Attribute
) -> Iterator[tuple[Given, Statement, str]]:
    method = func.attr
    if method in ("order_by", "group_by"):
        strings = [a for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if not strings or any(f"{word}(" in context.source for word in _ADDING):
            return
    found = statement(context, site, func.value)
    if found is None:
        return
    if method == "filter_by":
        for given in keywords(context, site, call).given:
            if all(attributes.has(context.models, m, given.name) is False for m in found.models):
                yield given, found, "InvalidRequestError when the statement is made"
    elif method == "values" and found.kind in (Kind.INSERT, Kind.UPDATE):
        if context.is_test and not _session_at_hand(context, site):
            return
        yield from _unstored(context, found, _values(context, site, call), "CompileError when it is executed")
    elif method == "update" and found.kind is Kind.QUERY and call.args:
        display = call.args[0]
        if isinstance(display, ast.Dict):
            items, _ = dict_keys(site.unit, display)
            yield from _unstored(context, found, items, "CompileError")
    elif method in ("order_by", "group_by") and found.whole:
        if context.is_test and not _session_at_hand(context, site):
            return
        for string in strings:
            if _unresolvable(context.models, found.models[0], str(string.value)):
                given = Given(str(string.value), site.unit.span(string), string, True)
                yield given, found, "CompileError when it is executed"


def _values(context: Context, site: Site, call: ast.Call) -> list[Given]:
    given = list(keywords(context, site, call).given)
    for argument in call.args[:1]:
        # Of several rows, the first says which columns there are.
        rows = argument.elts[:1] if isinstance(argument, (ast.List, ast.Tuple)) else [argument]
        for row in rows:
            if isinstance(row, ast.Dict):
                given.extend(dict_keys(site.unit, row)[0])
    return given


def _unstored(
    context: Context, found: Statement, items: list[Given], raises: str
) -> Iterator[tuple[Given, Statement, str]]:
    for given in items:
        if attributes.stores(context.models, found.models[0], given.name) is False:
            yield given, found, raises


def _unresolvable(models: Models, found: Model, name: str) -> bool:
    """A string for ``order_by`` has to be the name of a column in the database."""
    if not name.isidentifier() or not found.known or found.core is not None:
        return False
    if any(attributes.column_name(column) == name for column in found.columns):
        return False
    if any(column.name == name for column in found.columns):
        return all(column.call is not None for column in found.columns if column.name == name)
    return attributes.has(models, found, name) is False


def _session_at_hand(context: Context, site: Site) -> bool:
    """Does the function around have a session that is no double?"""
    function: FunctionNode | None = site.scope.function
    if function is None:
        return False
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    names |= {arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)}
    return any(
        is_real_session(context, site, ast.Name(name, ast.Load()))
        for name in names
        if "session" in name.lower() or name.lower() in ("db", "s", "conn", "database")
    )


def _replaced(context: Context, site: Site, found: Statement) -> bool:
    """Does test code replace one of the classes?"""
    return context.is_test and replaced_around(context, site, {model.name for model in found.models})


def _finding(rule: Rule, context: Context, given: Given, found: Statement, raises: str) -> Finding:
    model = found.models[0]
    listed: dict[str, Related] = {}
    for candidate in reversed(found.models):
        for name, (path, span) in attributes.names(candidate).items():
            listed[name] = Related(path, span, f"`{name}` is declared here")
    stored = {attributes.column_name(c): c.name for c in model.columns if attributes.column_name(c) != c.name}
    # In ``order_by`` the string is the name itself.
    value = None if getattr(given.value, "value", None) == given.name else given.value
    near = stored.get(given.name) or nearest_field(context.models, model, given.name, listed, value)
    renamed = {name: db for db, name in stored.items()}
    related = [Related(model.entity.path, model.entity.span, f"`{model.name}` is declared here")]
    fixes: tuple[Fix, ...] = ()
    advice = advice_for(model, near)
    written = near
    if given.name in renamed:
        written, near = renamed[given.name], given.name
        advice = f"in the database the column is called `{written}`"
    if near is not None and written is not None:
        related = [listed[near]] if near in listed else related
        edit = Edit(context.path, given.span, given.spelled(written))
        fixes = (Fix(f"Change to `{written}`", Applicability.UNSAFE, (edit,)),)
    others = " and ".join(f"`{m.name}`" for m in found.models)
    return rule.finding(
        context.path,
        given.span,
        f"{others} {'have' if len(found.models) > 1 else 'has'} no property `{given.name}`, so this raises "
        f"{raises}; {advice}",
        related=tuple(related),
        fixes=fixes,
    )


RULE = Rule(
    "US303",
    "unknown-query-keyword",
    Severity.ERROR,
    "a keyword or string in `filter_by`, `values`, `update` or `order_by` that the model has not",
    check,
    __name__,
)
