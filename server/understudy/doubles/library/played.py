"""Objects of libraries that the machine itself plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from understudy.doubles.values import (
    Environment,
    FunctionValue,
    Mock,
    Place,
    Value,
)

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments


MOCKERS = ("mocker", "class_mocker", "module_mocker", "package_mocker", "session_mocker")
"""pytest-mock's fixtures."""


class OwnObject(Value):
    """An object of a library that the machine itself plays."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class Patch(OwnObject):
    """``patch(…)`` that is not entered yet."""

    owner: Value | None
    """The object whose attribute is replaced; None when ``path`` names it."""
    path: str | None
    attribute: str | None
    arguments: Arguments
    place: Place
    kind: str
    """``patch``, ``object``, ``multiple`` or ``dict``."""
    env: Environment
    slots: dict[str, Callable[[], None]] = field(default_factory=dict)
    """``leave``: how to stop it, once it is started."""

    @property
    def new_position(self) -> int:
        """Where ``new`` stands among the arguments."""
        return 2 if self.kind == "object" else 1

    @property
    def injects(self) -> bool:
        """Does it, as a decorator, add an argument?"""
        return self.kind in ("patch", "object") and self.arguments.get(self.new_position, "new") is None


@dataclass(eq=False, slots=True)
class Patched(OwnObject):
    """A function below ``@patch(…)`` that something calls itself: a helper of the tests."""

    function: Value
    patch: Patch

    @property
    def is_async(self) -> bool:
        if isinstance(self.function, Patched):
            return self.function.is_async
        return isinstance(self.function, FunctionValue) and self.function.is_async


@dataclass(eq=False, slots=True)
class TypeOfMock(OwnObject):
    """``type(mock)``: every mock has a class of its own."""

    mock: Mock


@dataclass(eq=False, slots=True)
class Mocker(OwnObject):
    """pytest-mock's fixture, or its ``patch`` attribute."""

    patch: bool = False
    name: str = "mocker"
    """Of the fixture: each takes back what it has done itself."""


@dataclass(eq=False, slots=True)
class ContextVar(OwnObject):
    """``contextvars.ContextVar``; ``value`` in ``slots`` is what was set last."""

    slots: dict[str, object]


@dataclass(eq=False, slots=True)
class Request(OwnObject):
    """pytest's ``request``."""

    fixture: Callable[[str], Value]
    """``getfixturevalue``."""


@dataclass(eq=False, slots=True)
class MonkeyPatch(OwnObject):
    """pytest's fixture."""
