"""Which ``MetaData`` a table belongs to, and the naming convention that it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import ClassEntity, External, Lookup, ValueEntity
from understudy.orm.lineage import SQLMODEL, RegistryKey, made_by, registry_of, tail
from understudy.orm.models import Model, Models, elements
from understudy.orm.tables import CoreTable, flask_of

_DEFAULT_CONVENTION = "ix_%(column_0_label)s"
_KINDS = frozenset({"ix", "uq", "ck", "fk", "pk"})
_SQLMODEL_CHANGED = re.compile(rb"\bSQLModel\s*\.\s*metadata\s*=|\bnaming_convention\s*=[^=]")
_RENAMED = re.compile(rb"\.naming_convention\s*=[^=]")
_DEPTH = 8


MetadataKey = tuple[Path, str]
"""The file of a ``MetaData``, and what makes it there."""


@dataclass(frozen=True)
class MetaDataSpec:
    """A ``MetaData`` as its source declares it."""

    key: MetadataKey
    convention: str | None
    """The naming convention for indexes; None when it cannot be read."""


def metadata_of(models: Models, mapped: Model) -> MetaDataSpec | None:
    """The ``MetaData`` of a model's table: its class's own or that of the nearest base, else the registry's."""
    return _of_classes(models, mapped.lineage.classes, mapped.registry)


def metadata_of_table(models: Models, table: CoreTable) -> MetaDataSpec | None:
    """The ``MetaData`` that a Core table is given, or that its ``db`` has."""
    flask = flask_of(models, table)
    given = None if table.call.args[1:] == elements(table.call) else table.call.args[1]
    if flask is not None and given is None:
        return _of_flask(models, flask, table.call.keyword("bind_key"))
    return metadata_of_term(models, table.module, given) if given is not None else None


def metadata_of_term(
    models: Models, module: Module, term: model.Term | None, depth: int = 0
) -> MetaDataSpec | None:
    """The ``MetaData`` that an expression of a module stands for: ``metadata``, ``Base.metadata``, ``db.metadata``."""
    if not isinstance(term, model.Ref) or depth > _DEPTH:
        return None
    if term.parts[-1] == "metadata" and len(term.parts) > 1:
        found = metadata_of_owner(models, models.resolver.ref(module, term.parts[:-1]))
        if found is not None:
            return found
    return metadata_of_value(models, models.resolver.ref(module, term.parts), depth + 1)


def metadata_of_value(models: Models, value: Lookup, depth: int = 0) -> MetaDataSpec | None:
    """The ``MetaData`` that a variable is."""
    if not isinstance(value, ValueEntity) or value.declaration.augmented:
        return None
    term = value.declaration.value
    if term is not None and made_by(value, "MetaData"):
        return _read(models, value.module, term, (value.path, value.declaration.target))
    return metadata_of_term(models, value.module, term, depth)


def metadata_of_owner(models: Models, owner: Lookup) -> MetaDataSpec | None:
    """What ``.metadata`` is of a declarative base, a model, a registry, or a ``db``."""
    if isinstance(owner, External):
        return _of_sqlmodel(models) if owner.dotted == "sqlmodel.SQLModel" else None
    if isinstance(owner, ClassEntity):
        lineage = models.lineages.of(owner)
        if lineage.registry is None:
            return None
        return _of_classes(models, lineage.classes, lineage.registry)
    if not isinstance(owner, ValueEntity) or owner.declaration.value is None:
        return None
    if made_by(owner, "SQLAlchemy"):
        return _of_flask(models, owner, None)
    if made_by(owner, "declarative_base", "generate_base", "registry"):
        key = registry_of(models.resolver, owner) or (owner.path, owner.declaration.target)
        return _read(models, owner.module, owner.declaration.value, key)
    return None


def mapped_metadata(models: Models) -> frozenset[MetadataKey]:
    """Every ``MetaData`` that a model is in."""

    def make(models: Models) -> frozenset[MetadataKey]:
        return frozenset(spec.key for found in models.all if (spec := metadata_of(models, found)) is not None)

    return models.kept("orm.mapped_metadata", make)


def _of_flask(models: Models, owner: ValueEntity, bind: model.Term | None) -> MetaDataSpec | None:
    """The ``MetaData`` of a ``db = SQLAlchemy(…)``: that of its ``model_class`` where it has one."""
    key = (owner.path, f"{owner.declaration.target}.Model")
    if bind is not None:
        return _bound(key, bind)
    call = owner.declaration.value
    given = call.keyword("model_class") if isinstance(call, model.CallTerm) else None
    found = models.resolver.ref(owner.module, given.parts) if isinstance(given, model.Ref) else None
    classes = models.lineages.of(found).classes if isinstance(found, ClassEntity) else ()
    return _of_classes(models, classes, key)


def _bound(key: MetadataKey, bind: model.Term) -> MetaDataSpec | None:
    """Flask-SQLAlchemy has one ``MetaData`` for each bind key."""
    if not isinstance(bind, model.Const):
        return None
    return MetaDataSpec((key[0], f"{key[1]}[{bind.value}]"), None)


def _of_sqlmodel(models: Models) -> MetaDataSpec:
    changed = models.workspace.files_with(_SQLMODEL_CHANGED)
    return MetaDataSpec(SQLMODEL, None if changed else _DEFAULT_CONVENTION)


def _of_classes(
    models: Models, classes: tuple[ClassEntity, ...], registry: RegistryKey
) -> MetaDataSpec | None:
    path, name = registry
    for cls in classes:
        for inner in cls.declaration.body:
            if isinstance(inner, model.Assign) and inner.target == "__bind_key__" and inner.value is not None:
                return _bound(registry, inner.value)
            if isinstance(inner, model.Assign) and inner.target in ("metadata", "registry"):
                if inner.value is None:
                    continue
                return _read(models, cls.module, inner.value, (cls.path, cls.qualname))
        for decorator in cls.declaration.decorators:
            given = decorator.keyword("metadata") if isinstance(decorator, model.CallTerm) else None
            if tail(decorator) == "as_declarative" and given is not None:
                return _read(models, cls.module, given, cls.key)
            if tail(decorator) in ("as_declarative_base", "mapped", "mapped_as_dataclass"):
                # The metadata of a registry object.
                return MetaDataSpec(registry, None)
        if cls.key == registry:
            break
    if registry == SQLMODEL:
        return _of_sqlmodel(models)
    module = models.workspace.module(path)
    if module is None:
        return None
    if _renames(models):
        return MetaDataSpec(registry, None)
    for binding in module.bindings.get(name.partition(".")[0], ()):
        declaration = binding.declaration
        if isinstance(declaration, model.Assign) and isinstance(declaration.value, model.CallTerm):
            return _read(models, module, declaration.value, registry)
    return MetaDataSpec(registry, _DEFAULT_CONVENTION)


def _renames(models: Models) -> bool:
    """Does any code set the convention of a ``MetaData`` afterwards?"""
    return bool(models.workspace.files_with(_RENAMED))


def _read(models: Models, module: Module, term: model.Term, key: MetadataKey) -> MetaDataSpec | None:
    """Follow a base, registry or metadata to the ``MetaData(…)`` call."""
    for _ in range(_DEPTH):
        if isinstance(term, model.Ref):
            found = models.resolver.ref(module, term.parts)
            if not isinstance(found, ValueEntity) or found.declaration.value is None:
                return MetaDataSpec(key, None)
            term, module, key = found.declaration.value, found.module, (found.path, found.declaration.target)
        if _renames(models):
            return MetaDataSpec(key, None)
        if not isinstance(term, model.CallTerm):
            return MetaDataSpec(key, None)
        kind = tail(term)
        if kind == "MetaData":
            # A schema of its own changes every name of a table.
            if term.keyword("schema") is not None or len(term.args) > 1:
                return None
            return MetaDataSpec(key, _naming(models, module, term.keyword("naming_convention")))
        following = term.keyword("metadata")
        if following is None and kind == "generate_base" and isinstance(term.func, model.Ref):
            following = model.Ref(term.func.parts[:-1], term.func.span)
        if following is None:
            known = kind in ("declarative_base", "registry", "SQLAlchemy") and all(
                k.name for k in term.keywords
            )
            return MetaDataSpec(key, _DEFAULT_CONVENTION if known else None)
        term = following
    return MetaDataSpec(key, None)


def _naming(models: Models, module: Module, term: model.Term | None) -> str | None:
    if term is None:
        return _DEFAULT_CONVENTION
    if isinstance(term, model.Ref):
        value = models.resolver.ref(module, term.parts)
        if isinstance(value, ValueEntity) and value.declaration.value is not None:
            term = value.declaration.value
    if not isinstance(term, model.DictTerm):
        return None
    # A convention without ``ix`` replaces the default one, too: such an index has no name.
    convention: str | None = None
    for key, item in term.items:
        if not isinstance(key, model.Const) or key.value not in _KINDS:
            # ``Index: …``, ``**other``, or a token of its own.
            return None
        if key.value == "ix":
            plain = item.value if isinstance(item, model.Const) else None
            convention = plain if isinstance(plain, str) else None
    return convention
