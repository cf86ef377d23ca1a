"""US311: an object that a factory has put into its own session is added to another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from understudy.facts import model as facts
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.infer.entities import ClassEntity, External, ValueEntity
from understudy.infer.scopes import FunctionNode, Site
from understudy.orm.factories import Factories, Factory
from understudy.orm.lineage import made_by
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.made import made_by_call
from understudy.rules.patch_calls import replaced_around
from understudy.rules.sessions import added
from understudy.rules.statements import bound_once

_ELSEWHERE = re.compile(rb"\b_meta\b|\bsqlalchemy_session\s*\]|\bset_factory_session|\bmake_transient")
"""What gives factories another session than their ``Meta`` says, or takes objects out of one."""
_RELEASING = frozenset({"remove", "expunge", "expunge_all", "close", "close_all", "close_all_sessions", "merge",
                        "make_transient", "object_session", "rollback"})  # fmt: skip
_STORING = frozenset({"create", "create_batch"})
_SESSIONS = frozenset({"sqlalchemy.orm.Session", "sqlalchemy.orm.session.Session", "sqlmodel.Session"})


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or "actory" not in context.source:
        return
    for each in added(context):
        site, call = each.site, each.call
        session = made_by_call(context, site, each.session, _new_session, entered=True)
        if session is None or _releases(each.function):
            continue
        if expected(context, site, "InvalidRequestError", "SQLAlchemyError"):
            continue
        for item in each.items:
            made = bound_once(site.scope, item.id) if isinstance(item, ast.Name) else item
            found = _stored(context, site, made) if isinstance(made, ast.Call) else None
            if found is None or excused(context) or context.workspace.files_with(_ELSEWHERE):
                continue
            assert isinstance(made, ast.Call)
            if not replaced_around(context, site, {found[0].entity.name, found[0].target.name}):
                yield _finding(rule, context, site, call, made, session, *found)
                break


class _Made(NamedTuple):
    """Where a session is made."""

    context: Context
    site: Site
    call: ast.Call


def _new_session(context: Context, site: Site, call: ast.Call) -> _Made | None:
    """The call, when it makes a session that nothing else has: no registry such as ``scoped_session``."""
    made = _Made(context, site, call)
    found = context.names.resolve(call.func, site.scope)
    if isinstance(found, External) and found.dotted in _SESSIONS:
        return made
    if isinstance(found, ValueEntity) and made_by(found, "sessionmaker"):
        return made
    if isinstance(call.func, ast.Call):
        maker = context.names.resolve(call.func.func, site.scope)
        if isinstance(maker, External) and maker.root == "sqlalchemy" and maker.name == "sessionmaker":
            return made
    return None


def _stored(context: Context, site: Site, call: ast.Call) -> tuple[Factory, ValueEntity] | None:
    """The factory that a call makes an object with, and the session of the factory's own that it is then in."""
    node: ast.expr = call.func
    if isinstance(node, ast.Attribute) and node.attr in _STORING:
        node = node.value
    entity = context.names.resolve(node, site.scope)
    if not isinstance(entity, ClassEntity) or not entity.module.workspace:
        return None
    factory = Factories(context.models).of(entity)
    if factory is None or not factory.plain or _has_option(factory, "strategy"):
        return None
    if not _has_option(factory, "sqlalchemy_session") or _has_option(factory, "sqlalchemy_session_factory"):
        return None
    term = factory.session
    if not isinstance(term, facts.Ref):
        return None
    owner = next(cls for cls in factory.classes if _option(cls, "sqlalchemy_session"))
    session = context.resolver.ref(owner.module, term.parts)
    if isinstance(session, ValueEntity) and made_by(session, "scoped_session", "Session"):
        return factory, session
    return None


def _has_option(factory: Factory, name: str) -> bool:
    return any(_option(cls, name) for cls in factory.classes)


def _option(cls: ClassEntity, name: str) -> bool:
    for declaration in cls.declaration.body:
        if isinstance(declaration, facts.Class) and declaration.name == "Meta":
            return any(isinstance(d, facts.Assign) and d.target == name for d in declaration.body)
    return False


def _releases(function: FunctionNode) -> bool:
    """Does the test take anything out of a session?"""
    return any(
        (isinstance(node, ast.Attribute) and node.attr in _RELEASING)
        or (isinstance(node, ast.Name) and node.id in _RELEASING)
        for node in ast.walk(function)
    )


def _shared(used: _Made, session: ValueEntity) -> Fix | None:
    """Make no session of one's own: take the one that the factory has."""
    if not made_by(session, "scoped_session"):
        return None
    context, name = used.context, session.declaration.target
    spelled = imports.Spelling(name, ())
    if context.path != session.path:
        found = imports.from_module(context.parsed, session.module.name, name)
        if found is None:
            return None
        spelled = found
    change = Edit(context.path, used.site.unit.span(used.call), f"{spelled.text}()")
    return Fix(f"Use the factory's session, `{name}()`", Applicability.UNSAFE, (*spelled.edits, change))


def _finding(
    rule: Rule,
    context: Context,
    site: Site,
    add: ast.Call,
    made: ast.Call,
    used: _Made,
    factory: Factory,
    session: ValueEntity,
) -> Finding:
    name = factory.entity.name
    fixes: tuple[Fix, ...] = ()
    unit = site.unit
    if isinstance(made.func, ast.Name):
        span = unit.span(made.func)
        built = Edit(context.path, span, f"{made.func.id}.build")
        fixes = (Fix(f"Make it with `{name}.build`", Applicability.UNSAFE, (built,)),)
    elif isinstance(made.func, ast.Attribute) and made.func.attr in _STORING:
        method = made.func.attr.replace("create", "build")
        built = Edit(context.path, unit.span(made.func), f"{unit.source(made.func.value)}.{method}")
        fixes = (Fix(f"Make it with `{name}.{method}`", Applicability.UNSAFE, (built,)),)
    shared = _shared(used, session)
    if shared is not None:
        # Nobody but this test has a session that it makes itself; that of a fixture is for others, too.
        own = used.site.scope.function is site.scope.function
        fixes = (shared, *fixes) if own else (*fixes, shared)
    return rule.finding(
        context.path,
        unit.span(add.func),
        f"adding this raises InvalidRequestError: object is already attached to another session, because `{name}` has "
        f"put it into `{session.declaration.target}`; make it with `build`, or let the factory use this session",
        related=(
            Related(
                context.path, unit.span(made), f"`{name}` makes the object, and adds it to its own session"
            ),
            Related(session.path, session.span, "the session of the factory"),
        ),
        fixes=fixes,
    )


RULE = Rule(
    "US311",
    "factory-session-mixing",
    Severity.WARNING,
    "an object made by a factory with its own session is added to another",
    check,
    __name__,
)
