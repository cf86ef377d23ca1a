"""Variables of the environment that modules read when they are imported."""

from __future__ import annotations

import ast

from understudy.facts import model
from understudy.infer.entities import ClassEntity
from understudy.infer.resolve import Resolver
from understudy.source.dotted import dotted_parts

_READERS = {("os", "getenv"), ("getenv",), ("os", "environ", "get"), ("environ", "get")}
_TABLES = {("os", "environ"), ("environ",)}
TABLE = "os.environ"
_RENAMING = ("alias", "validation_alias", "env")
"""Keywords of ``Field`` that give a field another variable."""


def names_in(node: ast.expr) -> frozenset[str]:
    """The variables that an expression reads: ``os.environ["A"]``, ``int(os.getenv("A", "1"))``."""
    found: set[str] = set()
    for child in ast.walk(node):
        key: ast.expr | None = None
        if isinstance(child, ast.Call) and child.args and dotted_parts(child.func) in _READERS:
            key = child.args[0]
        elif isinstance(child, ast.Subscript) and dotted_parts(child.value) in _TABLES:
            key = child.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            found.add(key.value)
    return frozenset(found)


def of_field(resolver: Resolver, entity: ClassEntity, name: str) -> str | None:
    """The variable that a field of a ``BaseSettings`` of pydantic is filled from; None for anything else, and where it
    is not known. Upper and lower case do not count (``case_sensitive``)."""
    ancestry = resolver.ancestry(entity)
    above = {each.name for each in ancestry.classes} | {each.name for each in ancestry.externals}
    if "BaseSettings" not in above:
        return None
    prefix = ""
    field: model.Assign | None = None
    configured = False
    for cls in (each for each in ancestry.classes if each.module.workspace):
        for declaration in cls.declaration.body:
            if isinstance(declaration, model.Assign) and declaration.target == name:
                field = field or declaration
            if getattr(declaration, "target", getattr(declaration, "name", "")) in ("model_config", "Config"):
                found = _prefix(declaration) if not configured else prefix
                if found is None:
                    return None
                prefix, configured = found, True
    if field is None or field.annotation is None:
        return None
    given = field.value
    if isinstance(given, model.CallTerm) and any(given.keyword(each) is not None for each in _RENAMING):
        return None
    return f"{prefix}{name}"


def _prefix(config: model.Declaration) -> str | None:
    """``env_prefix`` of ``model_config`` or ``class Config``; None when it is not known."""
    terms: list[model.Term | None] = []
    if isinstance(config, model.Class):
        terms = [
            each.value
            for each in config.body
            if isinstance(each, model.Assign) and each.target == "env_prefix"
        ]
    elif isinstance(config, model.Assign) and isinstance(config.value, model.CallTerm):
        given = config.value.keyword("env_prefix")
        terms = [given] if given is not None else []
    else:
        return None
    values = [term.value if isinstance(term, model.Const) else None for term in terms] or [""]
    return values[0] if isinstance(values[0], str) else None
