"""What a name can stand for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from understudy.facts import model
from understudy.index.module import Module
from understudy.project.modules import ModuleFile
from understudy.source.span import Span


@dataclass(frozen=True)
class ModuleEntity:
    file: ModuleFile


@dataclass(frozen=True)
class External:
    """A name of a library, not opened: ``External("unittest.mock.MagicMock")``."""

    dotted: str

    @property
    def root(self) -> str:
        return self.dotted.partition(".")[0]

    @property
    def name(self) -> str:
        return self.dotted.rpartition(".")[2]


@dataclass(frozen=True, eq=False)
class ClassEntity:
    module: Module
    declaration: model.Class
    row: int
    qualname: str

    @property
    def path(self) -> Path:
        return self.module.path

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def span(self) -> Span:
        return self.declaration.span.shifted(self.row)

    @property
    def key(self) -> tuple[Path, str]:
        return (self.module.path, self.qualname)

    @property
    def dotted(self) -> str:
        """The name by which it can be imported."""
        return f"{self.module.name}.{self.qualname}"

    def __repr__(self) -> str:
        return f"<class {self.dotted}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClassEntity) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.qualname)


@dataclass(frozen=True, eq=False)
class FunctionEntity:
    module: Module
    declaration: model.Function
    row: int
    qualname: str
    owner: ClassEntity | None = None

    @property
    def path(self) -> Path:
        return self.module.path

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def span(self) -> Span:
        return self.declaration.span.shifted(self.row)

    @property
    def key(self) -> tuple[Path, str]:
        return (self.module.path, self.qualname)

    def __repr__(self) -> str:
        return f"<function {self.module.name}.{self.qualname}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionEntity) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.qualname)


@dataclass(frozen=True)
class ValueEntity:
    """A module or class variable."""

    module: Module
    declaration: model.Assign
    row: int
    owner: ClassEntity | None = None

    @property
    def path(self) -> Path:
        return self.module.path

    @property
    def span(self) -> Span:
        return self.declaration.span.shifted(self.row)


Entity = ModuleEntity | External | ClassEntity | FunctionEntity | ValueEntity


class Absent(Enum):
    """Why there is no entity. Only ``MISSING`` proves anything."""

    MISSING = "missing"
    UNKNOWN = "unknown"


Lookup = Entity | Absent
