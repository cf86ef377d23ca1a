"""Calls that make objects with a factory."""

from __future__ import annotations

import ast

from understudy.infer.entities import ClassEntity
from understudy.infer.scopes import Site
from understudy.orm.factories import Factories, Factory
from understudy.rules.base import Context


def called_factory(context: Context, site: Site, call: ast.Call) -> tuple[Factory, str | None] | None:
    """The factory that makes objects of a call's keywords, and the method: None in ``UserFactory(…)``."""
    func = call.func
    if not isinstance(func, (ast.Name, ast.Attribute)):
        return None
    method: str | None = None
    entity = context.names.resolve(func, site.scope)
    if not isinstance(entity, ClassEntity) and isinstance(func, ast.Attribute):
        method = func.attr
        entity = context.names.resolve(func.value, site.scope)
    if not isinstance(entity, ClassEntity) or not entity.module.workspace:
        return None
    factory = Factories(context.models).of(entity)
    return (factory, method) if factory is not None and factory.builds(method) else None
