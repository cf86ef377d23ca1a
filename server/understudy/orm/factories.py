"""factory_boy's factories as their source declares them: the model, the declarations, the parameters.

What a factory hands to its model is every attribute of its class and its bases that is no method and not private,
without ``Meta.exclude``, ``Params``, and post-generation declarations, and with ``Meta.rename`` applied
(``factory.base.FactoryOptions``, factory_boy 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from understudy.facts import model
from understudy.infer.entities import ClassEntity, External
from understudy.orm.lineage import own, tail
from understudy.orm.models import Model, Models
from understudy.source.span import Span

_CONSTRUCTING = frozenset({"SQLAlchemyModelFactory", "Factory", "ModelFactory"})
_AFTER = frozenset(
    {"PostGeneration", "PostGenerationMethodCall", "RelatedFactory", "RelatedFactoryList", "post_generation"}
)
_HOOKS = frozenset(
    {"_create", "_build", "_adjust_kwargs", "_after_postgeneration", "_get_manager", "__new__"}
)
_META = frozenset(
    {
        "model", "abstract", "strategy", "inline_args", "exclude", "rename", "sqlalchemy_session",
        "sqlalchemy_session_persistence", "sqlalchemy_get_or_create", "sqlalchemy_session_factory",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """One declaration of a factory."""

    name: str
    value: model.Term | None
    owner: ClassEntity
    span: Span
    """The name."""
    post: bool
    """Runs after the model is made; not handed to its constructor."""


@dataclass(frozen=True)
class Factory:
    """A factory with a model."""

    entity: ClassEntity
    classes: tuple[ClassEntity, ...]
    target: Model
    declared: dict[str, Declared]
    params: frozenset[str]
    """Names below ``class Params``, traits included."""
    excluded: frozenset[str]
    renamed: dict[str, str]
    inline: frozenset[str]
    """``Meta.inline_args``: handed over by position."""
    plain: bool
    """False when it has a hook of its own, or a base that is not known: what reaches the model is not certain."""

    def hands_over(self, name: str) -> str | None:
        """The keyword that the model gets for a declaration or call keyword; None when it gets none."""
        if name in self.params or name in self.excluded or name in self.inline or name.startswith("_"):
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
        classes: dict[ClassEntity, None] = {}
        plain = self._walk(entity, classes, 0)
        if plain is None:
            return None
        found = self._model(tuple(classes))
        if found is None:
            return None
        declared: dict[str, Declared] = {}
        params: set[str] = set()
        excluded: set[str] = set()
        inline: set[str] = set()
        renamed: dict[str, str] = {}
        for cls in reversed(classes):
            for declaration in cls.declaration.body:
                if isinstance(declaration, model.Assign):
                    post = tail(declaration.value) in _AFTER
                    self._declare(
                        declared, cls, declaration.target, declaration.value, declaration.span, post
                    )
                elif isinstance(declaration, model.Function):
                    names = {tail(decorator) for decorator in declaration.decorators}
                    if names & {"lazy_attribute", "sequence", "lazy_attribute_sequence", "post_generation"}:
                        self._declare(
                            declared, cls, declaration.name, None, declaration.span, bool(names & _AFTER)
                        )
                    elif declaration.name in _HOOKS:
                        plain = False
                elif isinstance(declaration, model.Class) and declaration.name == "Params":
                    params |= {d.target for d in declaration.body if isinstance(d, model.Assign)}
                    params |= {d.name for d in declaration.body if isinstance(d, model.Function)}
                elif isinstance(declaration, model.Class) and declaration.name == "Meta":
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
        return Factory(
            entity,
            tuple(classes),
            found,
            declared,
            frozenset(params),
            frozenset(excluded),
            renamed,
            frozenset(inline),
            plain,
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
                    if not isinstance(option.value, model.Ref):
                        return None
                    entity = self.resolver.ref(cls.module, option.value.parts)
                    return self.models.mapped(entity) if isinstance(entity, ClassEntity) else None
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
            found = self.resolver.dotted(first.value, declared.owner.module)
        else:
            return None
        return found if isinstance(found, ClassEntity) else None


def _meta(cls: ClassEntity) -> Iterator[model.Assign]:
    meta = own(cls, "Meta")
    if isinstance(meta, model.Class):
        for declaration in meta.body:
            if isinstance(declaration, model.Assign):
                yield declaration


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
