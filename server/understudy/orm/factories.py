"""Factories of factory_boy and polyfactory as their source declares them: the model, the declarations, the parameters.

What a factory of factory_boy hands to its model is every attribute of its class and its bases that is no method and not
private, without ``Meta.exclude``, ``Params``, and post-generation declarations, and with ``Meta.rename`` applied
(``factory.base.FactoryOptions``, factory_boy 3.3). One of polyfactory hands over values for the model's own fields, and
every keyword that it is called with; its declarations only say how fields get their values
(``polyfactory.factories.base.BaseFactory``, polyfactory 2 and 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import Absent, ClassEntity, External, ValueEntity
from understudy.orm.lineage import own, tail
from understudy.orm.models import Model, Models
from understudy.source.span import Span

_CONSTRUCTING = frozenset({"SQLAlchemyModelFactory", "Factory", "ModelFactory"})
AFTER = frozenset(
    {"PostGeneration", "PostGenerationMethodCall", "RelatedFactory", "RelatedFactoryList", "post_generation"}
)
_HOOKS = frozenset(
    {"_create", "_build", "_adjust_kwargs", "_after_postgeneration", "_get_manager", "__new__", "_generate"}
    | {"build", "create", "build_batch", "create_batch"}
)
_META = frozenset(
    {
        "model", "abstract", "strategy", "inline_args", "exclude", "rename", "sqlalchemy_session",
        "sqlalchemy_session_persistence", "sqlalchemy_get_or_create", "sqlalchemy_session_factory",
    }
)  # fmt: skip


_BUILDING = frozenset({"build", "create", "build_batch", "create_batch"})
_POLY_BUILDING = frozenset(
    {"build", "batch", "create_sync", "create_async", "create_batch_sync", "create_batch_async", "coverage"}
)
_ONE = frozenset({"build", "create", "create_sync", "create_async"})
_POLY_HOOKS = _POLY_BUILDING | {
    "process_kwargs",
    "process_kwargs_coverage",
    "get_model_fields",
    "_get_build_context",
}
_POLY_FIELDS = frozenset({"Use", "Ignore", "Require", "PostGenerated"})


_DEPTH = 6
_CHANGED = re.compile(
    rb"\b_meta\s*\.\s*(?:model|exclude|rename|inline_args|strategy|\w+declarations)\s*(?:=[^=]|\+=|\.(?:pop|update))"
    rb"|\.\s*_(?:create|build|adjust_kwargs|generate)\s*=[^=]"
)
"""What changes the options or the hooks of a factory after its class is made."""


@dataclass(frozen=True)
class Declared:
    """One declaration of a factory."""

    name: str
    value: model.Term | None
    owner: ClassEntity
    span: Span
    """The name."""
    post: bool
    """Runs after the model is made, or may do so; not handed to its constructor."""


@dataclass(frozen=True)
class Factory:
    """A factory with a model."""

    entity: ClassEntity
    classes: tuple[ClassEntity, ...]
    target: Model
    declared: dict[str, Declared]
    params: frozenset[str]
    """Names below ``class Params``, traits included."""
    traits: frozenset[str]
    after: frozenset[str]
    """What traits declare that runs after the model is made, or may do so."""
    excluded: frozenset[str]
    renamed: dict[str, str]
    inline: frozenset[str]
    """``Meta.inline_args``: handed over by position."""
    plain: bool
    """False when it has a hook of its own, or a base that is not known: what reaches the model is not certain."""
    poly: bool = False
    """It is one of polyfactory."""
    checked: bool | None = None
    """``__check_model__`` of one of polyfactory; None where it does not say."""

    def builds(self, method: str | None) -> bool:
        """Does calling this method (None: the class itself) make objects of the keywords?"""
        return method in _POLY_BUILDING if self.poly else method is None or method in _BUILDING

    def builds_one(self, method: str | None) -> bool:
        """Does it return an instance of the model?"""
        return self.builds(method) and (method is None or method in _ONE)

    @staticmethod
    def takes(method: str | None, keyword: str) -> bool:
        """Is a keyword one of the method's own parameters?"""
        return keyword == "size" and method is not None and "batch" in method

    def hands_over(self, name: str) -> str | None:
        """The keyword that the model gets for a declaration or call keyword; None when it gets none."""
        if any(name in names for names in (self.after, self.params, self.excluded, self.inline)):
            return None
        if name.startswith("_"):
            return None
        if "__" in name and name.partition("__")[0] in self.declared:
            return None
        found = self.declared.get(name)
        if found is not None and found.post:
            return None
        return self.renamed.get(name, name)

    @property
    def session(self) -> model.Term | None:
        """``Meta.sqlalchemy_session`` or ``sqlalchemy_session_factory``."""
        for cls in self.classes:
            for declaration in _meta(cls):
                if declaration.target.startswith("sqlalchemy_session") and not declaration.target.endswith(
                    "persistence"
                ):
                    return declaration.value
        return None


class Factories:
    """The factories of a workspace."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.resolver = models.resolver

    def of(self, entity: ClassEntity) -> Factory | None:
        """The factory that a class is; None for an abstract one, and when its model is not known."""
        return self._boy(entity) or self._poly(entity)

    def _boy(self, entity: ClassEntity) -> Factory | None:
        classes: dict[ClassEntity, None] = {}
        plain = self._walk(entity, classes, 0)
        if plain and self.models.workspace.files_with(_CHANGED):
            plain = False
        if plain is None:
            return None
        found = self._model(tuple(classes))
        if found is None:
            return None
        declared: dict[str, Declared] = {}
        params: set[str] = set()
        traits: set[str] = set()
        after: set[str] = set()
        excluded: set[str] = set()
        inline: set[str] = set()
        renamed: dict[str, str] = {}
        for cls in reversed(classes):
            for declaration in cls.declaration.body:
                if isinstance(declaration, model.Assign):
                    post = self._may_run_after(cls.module, declaration.value)
                    self._declare(
                        declared, cls, declaration.target, declaration.value, declaration.span, post
                    )
                elif isinstance(declaration, model.Function):
                    names = {tail(decorator) for decorator in declaration.decorators}
                    if names & {"lazy_attribute", "sequence", "lazy_attribute_sequence", "post_generation"}:
                        self._declare(
                            declared, cls, declaration.name, None, declaration.span, bool(names & AFTER)
                        )
                    elif declaration.name in _HOOKS:
                        plain = False
                elif isinstance(declaration, model.Class) and declaration.name == "Params":
                    params |= {d.target for d in declaration.body if isinstance(d, model.Assign)}
                    params |= {d.name for d in declaration.body if isinstance(d, model.Function)}
                    plain = plain and _inherits_its_own(declaration, classes)
                    for trait in declaration.body:
                        value = getattr(trait, "value", None)
                        if isinstance(trait, model.Assign) and tail(trait.value) == "Trait":
                            traits.add(trait.target)
                        for keyword in value.keywords if isinstance(value, model.CallTerm) else ():
                            if keyword.name and self._may_run_after(cls.module, keyword.value):
                                after.add(keyword.name)
                elif isinstance(declaration, model.Class) and declaration.name == "Meta":
                    plain = plain and _inherits_its_own(declaration, classes)
                    plain = plain and all(
                        isinstance(d, model.Assign) and d.target in _META for d in declaration.body
                    )
            for option in _meta(cls):
                if option.target in ("exclude", "inline_args"):
                    names_ = _strings(option.value)
                    plain = plain and names_ is not None
                    (excluded if option.target == "exclude" else inline).update(names_ or ())
                elif option.target == "rename":
                    pairs = _pairs(option.value)
                    plain = plain and pairs is not None
                    renamed.update(pairs or {})
                elif option.target == "strategy":
                    plain = plain and _makes_objects(option.value)
        return Factory(
            entity,
            tuple(classes),
            found,
            declared,
            frozenset(params),
            frozenset(traits),
            frozenset(after),
            frozenset(excluded),
            renamed,
            frozenset(inline),
            plain,
        )

    def _may_run_after(self, module: Module, term: model.Term | None, depth: int = 0) -> bool:
        """May a declaration be for after the model is made? A class of factory_boy says so by its name; what else makes
        declarations is not known."""
        if isinstance(term, (model.Ref, model.CallTerm)) and depth <= _DEPTH:
            func = term.func if isinstance(term, model.CallTerm) else term
            found = self.resolver.ref(module, func.parts) if isinstance(func, model.Ref) else Absent.UNKNOWN
            if isinstance(term, model.Ref):
                if isinstance(found, ValueEntity) and not found.declaration.augmented:
                    return self._may_run_after(found.module, found.declaration.value, depth + 1)
                return isinstance(found, Absent)
            if isinstance(found, ClassEntity):
                above = self.resolver.ancestry(found)
                names = [*(cls.name for cls in above.classes), *(base.name for base in above.externals)]
                return not above.complete or not AFTER.isdisjoint(names)
            if not isinstance(found, External):
                return True
            if found.name == "Maybe":
                sides = (*term.args[1:], *(keyword.value for keyword in term.keywords))
                return any(self._may_run_after(module, side, depth + 1) for side in sides)
            return found.name in AFTER
        return isinstance(
            term, (model.Ref, model.CallTerm, model.AttrTerm, model.SubscriptTerm, model.Opaque)
        )

    @staticmethod
    def _declare(
        declared: dict[str, Declared],
        cls: ClassEntity,
        name: str,
        value: model.Term | None,
        span: Span,
        post: bool,
    ) -> None:
        if not name.startswith("_"):
            declared[name] = Declared(name, value, cls, span.shifted(cls.row), post)

    def _walk(self, cls: ClassEntity, classes: dict[ClassEntity, None], depth: int) -> bool | None:
        """Collects the classes of the workspace; None when it is no factory of factory_boy that constructs."""
        if depth > 12:
            return None
        classes.pop(cls, None)
        classes[cls] = None
        is_factory: bool | None = None
        plain = not cls.module.dynamic and not cls.declaration.decorators
        for base in cls.declaration.bases:
            found = self.resolver.base(cls, base)
            if isinstance(found, External):
                if found.root == "factory" and found.name in _CONSTRUCTING:
                    is_factory = True
                    continue
                plain = plain and found.name in ("Generic", "object")
            elif isinstance(found, ClassEntity):
                above = self._walk(found, classes, depth + 1)
                if above is not None:
                    is_factory = True
                    plain = plain and above
                elif found.declaration.bases:
                    plain = False
            else:
                plain = False
        return (plain and is_factory) if is_factory else None

    def _model(self, classes: tuple[ClassEntity, ...]) -> Model | None:
        for cls in classes:
            for option in _meta(cls):
                if option.target == "abstract" and cls == classes[0]:
                    if not isinstance(option.value, model.Const) or option.value.value is not False:
                        return None
                if option.target == "model":
                    return self._mapped(cls, option.value)
        return None

    def subfactory(self, declared: Declared) -> ClassEntity | None:
        """The factory class that a ``SubFactory(…)`` names."""
        value = declared.value
        if not isinstance(value, model.CallTerm) or tail(value) not in (
            "SubFactory",
            "RelatedFactory",
            "RelatedFactoryList",
        ):
            return None
        if not value.args:
            return None
        first = value.args[0]
        if isinstance(first, model.Ref):
            found = self.resolver.ref(declared.owner.module, first.parts)
        elif isinstance(first, model.Const) and isinstance(first.value, str) and "." in first.value:
            found = self.resolver.imported_first(first.value, declared.owner.module)
        else:
            return None
        return found if isinstance(found, ClassEntity) else None

    # --- polyfactory

    def _poly(self, entity: ClassEntity) -> Factory | None:
        classes: dict[ClassEntity, None] = {}
        plain = self._walk_poly(entity, classes, 0)
        if plain is None or _set_to(entity, "__is_base_factory__"):
            return None
        found = self._poly_model(tuple(classes))
        if found is None:
            return None
        declared: dict[str, Declared] = {}
        for cls in reversed(classes):
            for declaration in cls.declaration.body:
                if isinstance(declaration, model.Assign):
                    self._declare(
                        declared, cls, declaration.target, declaration.value, declaration.span, False
                    )
                elif isinstance(declaration, model.Function) and declaration.name in _POLY_HOOKS:
                    plain = False
        checks = next((c for cls in classes if (c := own(cls, "__check_model__")) is not None), None)
        check = checks.value if isinstance(checks, model.Assign) else None
        checked = bool(check.value) if isinstance(check, model.Const) else None
        plain = plain and (checks is None or checked is not None)
        nothing: frozenset[str] = frozenset()
        return Factory(
            entity,
            tuple(classes),
            found,
            declared,
            params=nothing,
            traits=nothing,
            after=nothing,
            excluded=nothing,
            renamed={},
            inline=nothing,
            plain=plain,
            poly=True,
            checked=checked,
        )

    def _walk_poly(self, cls: ClassEntity, classes: dict[ClassEntity, None], depth: int) -> bool | None:
        """Collects the classes of the workspace; None when it is no factory of polyfactory for models."""
        if depth > 12:
            return None
        classes.pop(cls, None)
        classes[cls] = None
        is_factory: bool | None = None
        plain = not cls.module.dynamic and not cls.declaration.decorators and not cls.declaration.keywords
        for base in cls.declaration.bases:
            found = self.resolver.base(cls, base)
            if isinstance(found, External) and found.root == "polyfactory":
                if found.name == "SQLAlchemyFactory":
                    is_factory = True
            elif isinstance(found, ClassEntity):
                above = self._walk_poly(found, classes, depth + 1)
                if above is not None:
                    is_factory, plain = True, plain and above
                elif found.declaration.bases:
                    plain = False
            else:
                plain = plain and isinstance(found, External) and found.name in ("Generic", "object")
        return (plain and is_factory) if is_factory else None

    def _poly_model(self, classes: tuple[ClassEntity, ...]) -> Model | None:
        """``__model__``, or what the first class is subscripted with: below it, ``__model__`` is set."""
        for cls in classes:
            given = own(cls, "__model__")
            if given is not None:
                value = given.value if isinstance(given, model.Assign) else None
                return self._mapped(cls, value)
        for cls in reversed(classes):
            for base in cls.declaration.bases:
                found = self._mapped(cls, base.index) if isinstance(base, model.SubscriptTerm) else None
                if found is not None:
                    return found
        return None

    def _mapped(self, cls: ClassEntity, term: model.Term | None) -> Model | None:
        entity = self.resolver.ref(cls.module, term.parts) if isinstance(term, model.Ref) else None
        return self.models.mapped(entity) if isinstance(entity, ClassEntity) else None

    def is_field(self, declared: Declared) -> bool:
        """Does polyfactory take a declaration for one of a field, whatever its name: ``Use(…)``, ``Ignore()``…?"""
        value = declared.value
        if not isinstance(value, model.CallTerm) or not isinstance(value.func, model.Ref):
            return False
        found = self.resolver.ref(declared.owner.module, value.func.parts)
        return isinstance(found, External) and found.root == "polyfactory" and found.name in _POLY_FIELDS


def _meta(cls: ClassEntity) -> Iterator[model.Assign]:
    meta = own(cls, "Meta")
    if isinstance(meta, model.Class):
        for declaration in meta.body:
            if isinstance(declaration, model.Assign):
                yield declaration


def _set_to(cls: ClassEntity, name: str) -> bool:
    """Is an attribute of the class itself True?"""
    given = own(cls, name)
    value = given.value if isinstance(given, model.Assign) else None
    return isinstance(value, model.Const) and value.value is True


def _inherits_its_own(options: model.Class, classes: Iterable[ClassEntity]) -> bool:
    """Does a ``Meta`` or ``Params`` derive from nothing, or from those of the factories above?"""
    above = {cls.name for cls in classes}
    return all(
        isinstance(base, model.Ref)
        and (
            base.parts == ("object",)
            or (base.parts[-1] == options.name and not above.isdisjoint(base.parts[-2:-1]))
        )
        for base in options.bases
    )


def _makes_objects(strategy: model.Term | None) -> bool:
    """Does a strategy make objects of the model, and no stubs?"""
    if isinstance(strategy, model.Const):
        return strategy.value in ("create", "build")
    return tail(strategy) in ("CREATE_STRATEGY", "BUILD_STRATEGY")


def _strings(term: model.Term | None) -> set[str] | None:
    items = term.items if isinstance(term, model.SequenceTerm) else (term,)
    found = {item.value for item in items if isinstance(item, model.Const) and isinstance(item.value, str)}
    return found if len(found) == len(items) else None


def _pairs(term: model.Term | None) -> dict[str, str] | None:
    if not isinstance(term, model.DictTerm):
        return None
    found: dict[str, str] = {}
    for key, value in term.items:
        if not isinstance(key, model.Const) or not isinstance(value, model.Const):
            return None
        found[str(key.value)] = str(value.value)
    return found
