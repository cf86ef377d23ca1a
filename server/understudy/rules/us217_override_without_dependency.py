"""US217: an override of a function or class on which nothing depends."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.binding.captured import Dependency, captures
from understudy.binding.references import References, is_overrides, keys, references
from understudy.doubles.library import web
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.infer.entities import ClassEntity, External, FunctionEntity
from understudy.infer.scopes import Site
from understudy.rules.base import Context, Rule

_LEAVING = frozenset({"cache", "lru_cache", "contextmanager", "asynccontextmanager", "dataclass", "override"})
"""Decorators that keep nothing."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or web.OVERRIDES not in context.source:
        return
    for site, key in _overridden(context):
        target = context.names.resolve(key, site.scope)
        if not isinstance(target, (FunctionEntity, ClassEntity)) or not _is_plain(target):
            continue
        if isinstance(context.names.resolve(_app(site.node), site.scope), External):
            # What an application of a library depends on is not known.
            continue
        found = references(context.resolver, target, context.is_test_path)
        if found.is_kept:
            continue
        other = _of_that_name(context, target)
        yield rule.finding(
            context.path,
            site.unit.span(key),
            _message(target, found, other),
            related=tuple(_related(target, found, other)),
            fixes=_fixes(context, site, key, other),
        )


def _overridden(context: Context) -> Iterator[tuple[Site, ast.expr]]:
    """The keys of overrides that are set."""
    for site in context.scopes.statements:
        node = site.node
        if isinstance(node, ast.Assign):
            for each in (node, *node.targets):
                for key in keys(each):
                    yield site, key
    for site in context.scopes.calls_of("update", "dict", "setitem"):
        for key in keys(site.node):
            yield site, key


def _app(node: ast.AST) -> ast.expr:
    """``app`` of ``app.dependency_overrides``."""
    return next(each.value for each in ast.walk(node) if is_overrides(each))


def _is_plain(target: FunctionEntity | ClassEntity) -> bool:
    """A function or class of a module, which nothing has kept where it is defined."""
    if not target.module.workspace or target.qualname != target.name:
        return False
    for decorator in target.declaration.decorators:
        made = decorator.func if isinstance(decorator, model.CallTerm) else decorator
        if not isinstance(made, model.Ref) or made.parts[-1] not in _LEAVING:
            return False
    return True


def _of_that_name(context: Context, target: FunctionEntity | ClassEntity) -> Dependency | None:
    """What is depended on under the same name."""
    named = [each for each in captures(context.resolver).dependencies if each.provider.name == target.name]
    return named[0] if len({each.provider for each in named}) == 1 else None


def _message(target: FunctionEntity | ClassEntity, found: References, other: Dependency | None) -> str:
    name = target.name
    nothing = "so this override changes nothing"
    if other is not None:
        module = other.provider.module.name
        return (
            f"nothing depends on `{target.module.name}.{name}`: `Depends({name})` keeps `{module}.{name}`, {nothing}; "
            "override that"
        )
    if found.results:
        return (
            f"nothing depends on `{name}` itself: `Depends({name}(…))` keeps what its call gave, {nothing}; keep that "
            "in a variable, and override it"
        )
    if found.calls:
        return f"nothing depends on `{name}`, which is only called, {nothing}; patch it where it is called"
    return f"nothing depends on `{name}`, which is in no `Depends(…)`, {nothing}; leave it out"


def _related(
    target: FunctionEntity | ClassEntity, found: References, other: Dependency | None
) -> Iterator[Related]:
    yield Related(target.path, target.span, "defined here")
    if other is not None:
        yield Related(other.path, other.span, f"keeps `{other.provider.module.name}.{target.name}`")
        return
    for path, span in found.results[:1]:
        yield Related(path, span, "what this gives is depended on")
    if not found.results:
        for path, span in found.calls[:1]:
            yield Related(path, span, "called here")


def _fixes(context: Context, site: Site, key: ast.expr, other: Dependency | None) -> tuple[Fix, ...]:
    if other is None:
        return ()
    module = other.provider.module.name
    spelling = imports.from_module(context.parsed, module, other.provider.name)
    if spelling is None:
        spelling = imports.of_module(context.parsed, module, other.provider.name)
    if spelling is None:
        return ()
    edit = Edit(context.path, site.unit.span(key), spelling.text)
    return (Fix(f"Override `{module}.{other.provider.name}`", Applicability.UNSAFE, (edit, *spelling.edits)),)


RULE = Rule(
    "US217",
    "override-without-dependency",
    Severity.WARNING,
    "what is overridden is no dependency: nothing has it in a `Depends`",
    check,
    __name__,
)
