"""The data of facts: terms, declarations, modules.

Facts are the *skeleton* of a file: what its statements bind at import time, the headers of its functions and
the bodies of its classes. The bodies of functions are not in it but for what other files can see of them
(imports made inside, names declared ``global``, attributes set on ``self``), so that editing a body leaves
the facts equal. Everything is a frozen dataclass of tuples, strings and constants; spans are relative to the
first row of the top-level statement, so that a statement that only moved keeps equal facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from understudy.source.span import Span

# --- terms: expressions at module and class level, as far as rules need them ---------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A literal: ``None``, booleans, numbers, strings, bytes, ``...``."""

    value: object
    span: Span


@dataclass(frozen=True, slots=True)
class Ref:
    """A name or dotted name: ``sa.Column`` is ``("sa", "Column")``."""

    parts: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class KeywordTerm:
    """``name=value``; ``name`` is None for ``**value``."""

    name: str | None
    value: Term
    span: Span


@dataclass(frozen=True, slots=True)
class CallTerm:
    func: Term
    args: tuple[Term, ...]
    keywords: tuple[KeywordTerm, ...]
    span: Span

    def keyword(self, name: str) -> Term | None:
        return next((keyword.value for keyword in self.keywords if keyword.name == name), None)


@dataclass(frozen=True, slots=True)
class AttrTerm:
    """An attribute of something that is not a plain name: ``declared_attr().directive``."""

    value: Term
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class SubscriptTerm:
    value: Term
    index: Term
    span: Span


@dataclass(frozen=True, slots=True)
class SequenceTerm:
    """A tuple, list or set display."""

    items: tuple[Term, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class DictTerm:
    """A dict display; the key is None for ``**value``."""

    items: tuple[tuple[Term | None, Term], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class StarTerm:
    value: Term
    span: Span


@dataclass(frozen=True, slots=True)
class UnionTerm:
    """``left | right``."""

    left: Term
    right: Term
    span: Span


@dataclass(frozen=True, slots=True)
class LambdaTerm:
    """A lambda without parameters: ``relationship(lambda: User)``."""

    body: Term
    span: Span


@dataclass(frozen=True, slots=True)
class Opaque:
    """Any other expression."""

    span: Span


Term = (
    Const
    | Ref
    | CallTerm
    | AttrTerm
    | SubscriptTerm
    | SequenceTerm
    | DictTerm
    | StarTerm
    | UnionTerm
    | LambdaTerm
    | Opaque
)

COMPUTED: Final = ""
"""Stands for an attribute whose name is computed."""
CLASS_OF: Final = "type "

# --- declarations ----------------------------------------------------------------------------------------------


class Guard(str, Enum):
    """Under what an import-time statement stands."""

    TYPE_CHECKING = "type_checking"
    """Only for type checkers: never executed."""
    IMPORT_ERROR = "import_error"
    """In a ``try`` whose handler catches a failing import (or in that handler)."""
    CONDITION = "condition"
    """In some other ``if``, ``try``, loop or ``with``: executed or not."""


@dataclass(frozen=True, slots=True)
class ImportedName:
    """``name as bound``. ``import a.b`` binds ``a`` (to package ``a``) and is not ``aliased``.

    ``span`` is that of the name in the statement.
    """

    name: str
    bound: str
    aliased: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Import:
    """``import a.b as c`` (``module`` empty, names dotted) or ``from ..m import x`` (``level`` dots)."""

    module: str
    level: int
    names: tuple[ImportedName, ...]
    is_from: bool
    star: bool
    guards: tuple[Guard, ...]
    span: Span
    function: str | None = None
    """The qualified name of the function whose body makes the import; None at import time."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: str
    """``positional_only``, ``positional``, ``var_positional``, ``keyword_only`` or ``var_keyword``."""
    annotation: Term | None
    default: Term | None


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    is_async: bool
    is_generator: bool
    """True when the body has a ``yield`` of its own."""
    parameters: tuple[Parameter, ...]
    decorators: tuple[Term, ...]
    returns: Term | None
    guards: tuple[Guard, ...]
    span: Span
    """Of the name."""
    imports: tuple[Import, ...]
    globals: tuple[str, ...]
    self_attributes: tuple[str, ...]
    """Attributes that the body sets on its first parameter."""
    returned: Term | None = None
    """What a ``declared_attr`` returns, where the body is that one statement (and a docstring)."""
    sets_on: tuple[tuple[str, str], ...] = ()
    """``(parameter, attribute)`` of what the body sets in other ways: by ``setattr``, and on the class of a parameter
    (:data:`CLASS_OF` before its name). The attribute is :data:`COMPUTED` where it is not written there."""


@dataclass(frozen=True, slots=True)
class Class:
    name: str
    bases: tuple[Term, ...]
    keywords: tuple[KeywordTerm, ...]
    decorators: tuple[Term, ...]
    body: tuple[Declaration, ...]
    guards: tuple[Guard, ...]
    span: Span
    """Of the name."""


@dataclass(frozen=True, slots=True)
class Assign:
    """``target = value``, ``target: annotation``, ``target += value``, loop and ``with`` targets (opaque)."""

    target: str
    value: Term | None
    annotation: Term | None
    guards: tuple[Guard, ...]
    span: Span
    """Of the target."""
    statement: Span
    augmented: bool = False


@dataclass(frozen=True, slots=True)
class AttributeAssign:
    """``owner.name = value`` at module level."""

    owner: Ref
    name: str
    value: Term
    span: Span


@dataclass(frozen=True, slots=True)
class Expression:
    """A call that stands for itself at import time: ``Index("ix", table.c.x)``, ``mapper(…)``, ``f()``."""

    value: Term
    guards: tuple[Guard, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Deletion:
    name: str
    span: Span


Declaration = Import | Function | Class | Assign | AttributeAssign | Expression | Deletion


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """The facts of one top-level statement."""

    declarations: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """The facts of one version of a file: each statement's with the row where it starts."""

    units: tuple[tuple[int, UnitFacts], ...]
    dynamic: bool
    """True when names may be bound in a way that is not seen (``globals()``, ``exec``, a statement that did
    not parse…): a missing name proves nothing."""
    entries: tuple[str, ...]
    """The names under which it puts something into ``sys.modules``."""


class Statement(Protocol):
    """A top-level statement, whose facts may still have to be read."""

    @property
    def row(self) -> int:
        """Of its first line."""

    @property
    def name(self) -> str | None:
        """The only name that it binds, where that is known without its facts: of a function or class."""

    @property
    def facts(self) -> UnitFacts: ...

    def mentions(self, word: str) -> bool:
        """Is the word anywhere in its text? True where the text is not known."""


@dataclass(frozen=True, slots=True)
class Known:
    """A :class:`Statement` whose facts are there."""

    row: int
    facts: UnitFacts

    @property
    def name(self) -> str | None:
        return None

    def mentions(self, word: str) -> bool:
        del word
        return True
