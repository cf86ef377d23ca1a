"""What a model answers to: keywords of its constructor, attributes of the class, keys of a statement.

The default constructor takes a keyword when ``hasattr(cls, key)`` (``sqlalchemy.orm.decl_base``), and
``filter_by`` asks the class the same question. Other models can add attributes (``backref``), and so can any code
that sets one on the class. Every answer is True, False or None: not known.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from understudy.facts import model
from understudy.infer.assigned import set_on_class
from understudy.infer.entities import ClassEntity
from understudy.orm.lineage import Constructor, own, tail
from understudy.orm.models import Member, Model, Models
from understudy.source.span import Span

BACKREFS: Final = "orm.backrefs"
_BACKREF = re.compile(
    r"\bbackref(?:(?:['\"]\s*:|\s*=)\s*(?:[\w.]*\bbackref\s*\()?|\s*\()\s*(?:(['\"])(\w+)\1|(None\b)|)"
)
_CONSTRUCTING = re.compile(rb"\blisten(?:s_for)?\([^)]*[\"']init[\"']")
_ADDED = re.compile(rb"\bbackref\b")
_PROPERTY = re.compile(rb"\badd_propert(?:y|ies)\(|\bcreate_proxied_attribute\b|\bconfigure_property\b")
_REFLECTIVE = ("setattr", "__dict__", "vars(")
_OBJECT = frozenset(dir(type)) | {"_sa_class_manager", "_sa_registry", "_sa_instance_state"}


def accepts(models: Models, found: Model, keyword: str) -> bool | None:
    """Will the constructor take this keyword?"""
    constructor = found.lineage.constructor
    if models.workspace.files_with(_CONSTRUCTING):
        # The event may change the keywords before the constructor gets them.
        return None
    if constructor is Constructor.DEFAULT:
        return has(models, found, keyword)
    if constructor is Constructor.CUSTOM and found.lineage.known:
        return _parameter(found.lineage.initializer, keyword)
    if constructor is Constructor.DATACLASS:
        return _field(models, found, keyword)
    return None


def has(models: Models, found: Model, name: str) -> bool | None:
    """Is there ``Class.name``?"""
    if declared(models, found, name) is not None or name in found.lineage.extra or name in _OBJECT:
        return True
    if name in core_keys(found):
        return True
    if name.startswith("__") or not found.known:
        return None
    return added_later(models, found, name)


def has_on_instance(models: Models, found: Model, name: str) -> bool | None:
    """Is there ``instance.name``, as far as the class's own code sets it?"""
    for cls in found.lineage.classes:
        for declaration in cls.declaration.body:
            if isinstance(declaration, model.Function):
                if name in declaration.self_attributes:
                    return True
                if declaration.name in ("__getattr__", "__getattribute__"):
                    return None
    known = has(models, found, name)
    return None if known is False and _sets_computed(models, found) else known


def setting(name: str) -> re.Pattern[bytes]:
    """What is in every text that sets an attribute of a name on some object, by an assignment."""
    return re.compile(rf"\.{re.escape(name)}\s*(?::[^=\n]+)?=[^=]".encode())


def _sets_computed(models: Models, found: Model) -> bool:
    """May methods of the class set attributes of any name?"""
    return any(
        unit.row == cls.row and any(unit.mentions(word) for word in _REFLECTIVE)
        for cls in found.lineage.classes
        for unit in models.workspace.parsed(cls.path).units
    )


def stores(models: Models, found: Model, key: str) -> bool | None:
    """Does ``values(key=…)`` find a column? Attributes count, and names of columns in the table."""
    # With single-table inheritance, the columns of classes below lie in the same table.
    below = models.registry(found).below(found)
    # A column that a class overrides stays in the table of the class above it.
    above = [m for cls in found.lineage.classes[1:] if (m := models.mapped(cls)) is not None]
    for model_ in (found, *above, *below):
        if any(column_key(column) == key or column.name == key for column in model_.columns):
            return True
        if not model_.known:
            return None
    return has(models, found, key)


def declared(models: Models, found: Model, name: str) -> tuple[Path, Span] | None:
    """Where a class body of the lineage binds a name."""
    for cls in found.lineage.classes:
        for declaration in cls.declaration.body:
            if getattr(declaration, "target", getattr(declaration, "name", None)) == name:
                return cls.path, declaration.span.shifted(cls.row)
            if isinstance(declaration, model.Import):
                for imported in declaration.names:
                    if imported.bound == name:
                        return cls.path, imported.span.shifted(cls.row)
    return None


def core_keys(found: Model) -> frozenset[str]:
    """The attributes that a ``Table(…)`` gives its class."""
    if found.core is None:
        return frozenset()
    keys = set()
    for argument in found.core[1].args:
        if isinstance(argument, model.CallTerm) and tail(argument) == "Column" and argument.args:
            for term in (argument.keyword("key"), argument.args[0]):
                if isinstance(term, model.Const) and isinstance(term.value, str):
                    keys.add(term.value)
                    break
    return frozenset(keys)


def added_later(models: Models, found: Model, name: str) -> bool | None:
    """Is the attribute put on the class from elsewhere: a ``backref`` of another model, an assignment to the
    class? None when that cannot be told."""
    workspace = models.workspace
    lineage = {cls.name for cls in found.lineage.classes}
    if found.lineage.registry is not None:
        # ``Base = declarative_base()`` is no class of the workspace, but may be set something on as one.
        lineage.add(found.lineage.registry[1].rpartition(".")[2])
    if any(models.resolver.is_set_on_class(cls, name) for cls in found.lineage.classes):
        return True
    if set_on_class(workspace, lineage, name):
        return True
    names, computed = backrefs(models)
    # Which class gets it is a matter of the relationship's target.
    return None if name in names or computed or workspace.files_with(_PROPERTY) else False


def backrefs(models: Models) -> tuple[frozenset[str], bool]:
    """Every name that a ``backref`` makes, and whether some are computed."""
    return models.workspace.value(BACKREFS, lambda: _backrefs(models))


def _backrefs(models: Models) -> tuple[frozenset[str], bool]:
    names: set[str] = set()
    computed = False
    for path in models.workspace.files_with(_ADDED):
        for match in _BACKREF.finditer(models.workspace.text(path).content):
            if match.group(2):
                names.add(match.group(2))
            elif not match.group(3):
                computed = True
    return frozenset(names), computed


def names(found: Model) -> dict[str, tuple[Path, Span]]:
    """Every attribute that a constructor would be given, with where it is declared."""
    known: dict[str, tuple[Path, Span]] = {}
    for cls in found.lineage.classes:
        for declaration in cls.declaration.body:
            if isinstance(declaration, model.Assign) and not declaration.target.startswith("_"):
                known.setdefault(declaration.target, (cls.path, declaration.span.shifted(cls.row)))
            elif isinstance(declaration, model.Function) and any(
                tail(d) in ("hybrid_property", "synonym_for") or "declared_attr" in getattr(d, "parts", ())
                for d in declaration.decorators
            ):
                if not declaration.name.startswith("_"):
                    known.setdefault(declaration.name, (cls.path, declaration.span.shifted(cls.row)))
    return known


def column_name(member: Member) -> str:
    """A column's name in the database."""
    call = member.call
    if call is not None and tail(call) in ("Column", "mapped_column"):
        for term in (call.args[0] if call.args else None, call.keyword("name")):
            if isinstance(term, model.Const) and isinstance(term.value, str):
                return term.value
    return member.name


def column_key(member: Member) -> str:
    """A column's key in ``table.c``."""
    given = member.call.keyword("key") if member.call is not None else None
    if isinstance(given, model.Const) and isinstance(given.value, str):
        return given.value
    return column_name(member)


def _parameter(function: model.Function | None, keyword: str) -> bool | None:
    if function is None:
        return None
    for parameter in function.parameters[1:]:
        if parameter.kind == "var_keyword":
            return None
        if parameter.name == keyword and parameter.kind in ("positional", "keyword_only"):
            return True
    return False


def _field(models: Models, found: Model, keyword: str) -> bool | None:
    """Is there such a field of a mapped dataclass?"""
    for cls in found.lineage.classes:
        declaration = own(cls, keyword)
        if declaration is None:
            continue
        if isinstance(declaration, model.Assign) and declaration.annotation is not None:
            call = declaration.value
            given = call.keyword("init") if isinstance(call, model.CallTerm) else None
            if isinstance(given, model.Const) and given.value is False and _is_dataclass(models, cls):
                return False
        return None
    return False if found.known else None


def _is_dataclass(models: Models, cls: ClassEntity) -> bool:
    return models.lineages.of(cls).constructor is Constructor.DATACLASS
