"""US310: an instance is added to a session without a column that may not be NULL."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.facts import model as facts
from understudy.finding import Applicability, Finding, Fix, Related, Severity
from understudy.fixes.arguments import add_keyword
from understudy.infer.entities import ClassEntity, ValueEntity
from understudy.infer.scopes import FunctionNode, Site
from understudy.orm.columns import Column, columns
from understudy.orm.lineage import Constructor, own, tail
from understudy.orm.models import Model
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.keywords import keywords
from understudy.rules.patch_calls import replaced_around
from understudy.rules.sessions import Added, added, is_real_session
from understudy.rules.statements import bound_once, model_of

_FILLED = re.compile(
    rb"before_insert|before_flush|before_attach|\bevents?\.listen|\blistens_for\b|set_default|ColumnDefault"
)
_ERRORS = (
    "IntegrityError",
    "FlushError",
    "SQLAlchemyError",
    "DBAPIError",
    "StatementError",
    "PendingRollbackError",
)
_TEXT = frozenset({"String", "Text", "Unicode", "UnicodeText", "VARCHAR", "CHAR", "TEXT", "str"})
_PLACEHOLDERS = {
    **dict.fromkeys(_TEXT, None),
    **dict.fromkeys(("Integer", "BigInteger", "SmallInteger", "int"), "0"),
    **dict.fromkeys(("Float", "Numeric", "float", "Double"), "0.0"),
    **dict.fromkeys(("Boolean", "bool"), "False"),
    **dict.fromkeys(("JSON", "JSONB", "dict"), "{}"),
}


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or ".add" not in context.source:
        return
    for each in added(context):
        site, function = each.site, each.function
        if not is_real_session(context, site, each.session):
            continue
        if any(expected(context, site, name) for name in _ERRORS) or not _stored(function, each):
            continue
        if _expects_failure(function) or excused(context):
            continue
        for item in each.items:
            for finding in _instance(rule, context, site, function, each.call, item):
                # Asked last: it looks at every file of the workspace.
                if context.workspace.files_with(_FILLED):
                    return
                yield finding


def _instance(
    rule: Rule, context: Context, site: Site, function: FunctionNode, add: ast.Call, item: ast.expr
) -> Iterator[Finding]:
    made: ast.expr | None = item
    if isinstance(item, ast.Name):
        made = bound_once(site.scope, item.id)
        if not _only_added(function, item.id, add, _stored_at(function, add)):
            return
    if not isinstance(made, ast.Call) or made.args:
        return
    model = model_of(context, site, made.func)
    if (
        model is None
        or model.lineage.constructor is not Constructor.DEFAULT
        or not context.models.columns_known(model)
    ):
        return
    given = keywords(context, site, made)
    if not given.complete:
        return
    known = {c.name for c in model.columns} | {r.name for r in model.relationships}
    if not given.names <= known:
        # A synonym, hybrid or backref may fill a column.
        return
    if replaced_around(context, site, {model.name, "add", "flush", "commit"}):
        return
    missing = [
        column for column in columns(context.models, model) if _required(context, model, column, given.names)
    ]
    if missing:
        yield _finding(rule, context, site, made, model, missing)


def _required(context: Context, model: Model, column: Column, given: set[str]) -> bool:
    if column.name in given or column.nullable is not False or column.default is not False:
        return False
    if column.foreign_keys != ():
        # A relationship may fill it.
        return False
    if _may_convert(context, column):
        return False
    if column.primary_key and tail(column.type) not in _TEXT:
        return False
    return not _polymorphic(model, column)


def _may_convert(context: Context, column: Column) -> bool:
    """Is its type one of the project's own, which may make something of None?"""
    term = column.type.func if isinstance(column.type, facts.CallTerm) else column.type
    if not isinstance(term, facts.Ref):
        return False
    return isinstance(
        context.models.resolver.ref(column.member.owner.module, term.parts), (ClassEntity, ValueEntity)
    )


def _polymorphic(model: Model, column: Column) -> bool:
    """Does the mapper fill the column: a discriminator, a version?"""
    for cls in model.lineage.classes:
        declared = own(cls, "__mapper_args__")
        if declared is None:
            continue
        term = declared.value if isinstance(declared, facts.Assign) else getattr(declared, "returned", None)
        if not isinstance(term, facts.DictTerm):
            return True
        for _, value in term.items:
            if isinstance(value, facts.Const) and value.value in (column.name, column.stored):
                return True
            if isinstance(value, facts.Ref) and value.parts[-1] == column.name:
                return True
            if isinstance(value, (facts.Opaque, facts.CallTerm, facts.AttrTerm)):
                return True
    return False


def _stored(function: FunctionNode, each: Added) -> bool:
    """Is the same session flushed or committed afterwards?"""
    return any(True for _ in _stores(function, ast.unparse(each.session), each.call))


def _stores(function: FunctionNode, session: str, add: ast.Call) -> Iterator[ast.Call]:
    """The calls that flush or commit a session after an ``add``."""
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("flush", "commit")
            and ast.unparse(node.func.value) == session
            and node.lineno > add.lineno
        ):
            yield node


def _expects_failure(function: FunctionNode) -> bool:
    """Is one of the errors expected anywhere in the function: around the flush, say?"""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    if not names.isdisjoint(("raises", "assertRaises")) and "Exception" in names:
        return True
    return not names.isdisjoint((*_ERRORS, "no_autoflush", "rollback", "expunge", "expunge_all"))


def _stored_at(function: FunctionNode, add: ast.Call) -> int:
    """The row of the first flush or commit after an ``add``."""
    assert isinstance(add.func, ast.Attribute)
    rows = [call.lineno for call in _stores(function, ast.unparse(add.func.value), add)]
    return min(rows, default=add.lineno)


def _only_added(function: FunctionNode, name: str, add: ast.Call, until: int) -> bool:
    """Is the instance, up to where it is stored, only made and added: not changed, not handed to anything else?

    :param until: the row of that place.
    """
    parents = {id(child): node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            parent = parents.get(id(node))
            if isinstance(parent, ast.Attribute) and isinstance(parent.ctx, ast.Store):
                return False
            if isinstance(parent, ast.Attribute) and isinstance(parents.get(id(parent)), ast.Call):
                call = parents[id(parent)]
                if isinstance(call, ast.Call) and call.func is parent and node.lineno <= until:
                    return False
            if isinstance(parent, (ast.Call, ast.keyword, ast.List, ast.Tuple, ast.Starred)):
                if parent is not add and node.lineno <= until and not _inside(add, parent):
                    return False
    return True


def _inside(outer: ast.AST, node: ast.AST) -> bool:
    return any(child is node for child in ast.walk(outer))


def _finding(
    rule: Rule, context: Context, site: Site, made: ast.Call, model: Model, missing: list[Column]
) -> Finding:
    unit = site.unit
    names = ", ".join(f"`{column.name}`" for column in missing)
    stored = ", ".join(f"{model.table}.{column.stored}" for column in missing[:1])
    values = [_placeholder(column) for column in missing]
    fixes: tuple[Fix, ...] = ()
    known = [value for value in values if value is not None]
    if len(known) == len(missing):
        source = ", ".join(f"{c.name}={value}" for c, value in zip(missing, known, strict=True))
        edit = add_keyword(context.path, context.parsed.text, unit.span(made), source)
        fixes = (Fix(f"Give {names} a value", Applicability.UNSAFE, (edit,)),)
    return rule.finding(
        context.path,
        unit.span(made.func),
        f"storing this `{model.name}` raises IntegrityError: NOT NULL constraint failed: {stored}; give it {names}",
        related=tuple(
            Related(c.member.owner.path, c.member.span, f"`{c.name}` may not be NULL and has no default")
            for c in missing
        ),
        fixes=fixes,
    )


def _placeholder(column: Column) -> str | None:
    term = column.type
    annotation = column.member.annotation
    if term is None and isinstance(annotation, facts.SubscriptTerm):
        term = annotation.index
    kind = tail(term) if not isinstance(term, facts.SubscriptTerm) else tail(term.value)
    if kind in _TEXT:
        return f'"{column.name}"'
    return _PLACEHOLDERS.get(kind)


RULE = Rule(
    "US310",
    "missing-required-field",
    Severity.WARNING,
    "an instance that a test stores without a NOT NULL column that has no default",
    check,
    __name__,
)
