"""What a rule reports: a finding, its related places and its fixes.

Plain immutable data between the engine and everything that shows it (terminal, JSON, LSP).
All spans are :class:`understudy.source.span.Span`: rows from 0, columns in Unicode code points from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from understudy.source.span import Span


class Severity(str, Enum):
    """How sure and how bad; the names are those of the JSON contract."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    HINT = "hint"


class Applicability(str, Enum):
    """``safe``: cannot change what a correct test does. ``unsafe``: read it before you keep it."""

    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace ``span`` of ``path`` by ``content`` (an insertion when the span is empty)."""

    path: Path
    span: Span
    content: str


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to mend a finding; all of its edits belong together."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """A place that belongs to the evidence: where the mock was made, where it is awaited…"""

    path: Path
    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding at its primary place. ``fixes`` are in order of preference; JSON shows the first."""

    code: str
    name: str
    severity: Severity
    message: str
    path: Path
    span: Span
    related: tuple[Related, ...] = ()
    fixes: tuple[Fix, ...] = ()
    unnecessary: bool = field(default=False)
    """True when the code in the span has no effect: editors show it faded."""

    @property
    def fix(self) -> Fix | None:
        return self.fixes[0] if self.fixes else None

    @property
    def sort_key(self) -> tuple[str, Span, str, str]:
        return (self.path.as_posix(), self.span, self.code, self.message)
