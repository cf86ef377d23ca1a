"""What a rule is, and what it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

from understudy.binding.idle import Idle, idle_patches
from understudy.doubles.collected import Test, tests
from understudy.doubles.run import Simulation
from understudy.finding import Finding, Fix, Related, Severity
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.fixtures import Fixtures
from understudy.infer.resolve import Resolver
from understudy.infer.scopes import FileScopes, Kind, LocalNames, Site
from understudy.infer.tier2 import Names
from understudy.orm.models import Models
from understudy.rules.picks import Picks
from understudy.source.parse import Parsed
from understudy.source.span import Span

_T = TypeVar("_T")


class Context:
    """One file under one analysis: everything a rule may ask about it, made when it is first asked for."""

    def __init__(
        self,
        parsed: Parsed,
        module: Module,
        workspace: Workspace,
        is_test: Callable[[Path], bool],
        tier2: Names | None = None,
    ) -> None:
        self.parsed = parsed
        self.module = module
        self.workspace = workspace
        self.is_test_path = is_test
        self.tier2 = tier2
        self.resolver = Resolver(workspace)
        self._made: dict[Hashable, object] = {}
        self._others: dict[Path, Context | None] = {}

    @property
    def path(self) -> Path:
        return self.parsed.path

    @property
    def source(self) -> str:
        return self.parsed.text.content

    @cached_property
    def is_test(self) -> bool:
        return self.is_test_path(self.path)

    @cached_property
    def tests(self) -> tuple[Test, ...]:
        """What pytest or unittest would run of the file."""
        return tuple(tests(self.parsed, self.module, self.resolver))

    @cached_property
    def fixtures(self) -> Fixtures:
        return Fixtures(self.resolver)

    def once(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What several rules need, made when the first asks."""
        if key not in self._made:
            self._made[key] = make()
        return cast("_T", self._made[key])

    @cached_property
    def scopes(self) -> FileScopes:
        return FileScopes(self.parsed)

    @cached_property
    def names(self) -> LocalNames:
        return LocalNames(self.module, self.resolver)

    def scopes_with(self, words: Iterable[str]) -> FileScopes:
        """The places in what has one of some words in its text; of a file that is no test and not open, the rest is not
        looked through for it."""
        return self.scopes if self._is_looked_through else FileScopes(self.parsed, words=tuple(words))

    @property
    def _is_looked_through(self) -> bool:
        """Is every place of the file asked for anyway?"""
        return self.is_test or self.workspace.is_open(self.path)

    @cached_property
    def models_named(self) -> frozenset[str]:
        """The models whose names are somewhere in the file."""
        return self.models.named_in(self.source)

    @cached_property
    def scopes_naming_models(self) -> FileScopes:
        """The places in what names a model; see :meth:`scopes_with`."""
        if self._is_looked_through:
            return self.scopes
        names = "|".join(sorted(map(re.escape, self.models_named)))
        # Under another name, a model may be anywhere.
        renamed = re.search(
            rf"\b(?:{names})\s+as\b|=[\s\\(]*(?:\w+\.)*(?:{names})\s*(?:[#;)]|$)", self.source, re.M
        )
        return self.scopes if renamed is not None else self.scopes_with(self.models_named)

    @cached_property
    def simulation(self) -> Simulation:
        return Simulation(
            self.parsed, self.module, self.workspace, self.resolver, self.is_test_path, self.tests, self.tier2
        )

    def sites(
        self,
        question: str,
        kind: Kind,
        wanted: Callable[[Site], bool],
        candidates: Callable[[], list[Site]] | None = None,
    ) -> list[Site]:
        """The places of the file that a rule has to look at closely, in their order.

        ``wanted`` is not asked again about a statement that an edit leaves alone. So it may rest on the statement
        itself, on what names stand for, on fixtures and on other files, but neither on other tests nor on
        :attr:`source` or :attr:`parsed`.

        :param question: names what is asked: the same for the same ``wanted``.
        :param candidates: places among which all are that are wanted.
        """
        if not self.workspace.is_open(self.path):
            # No edit follows that anything has to be kept for.
            places = self.scopes.all(kind) if candidates is None else candidates()
            return [site for site in places if wanted(site)]
        return self._picks.picked(question, kind, wanted, self.scopes, self.workspace)

    @cached_property
    def _picks(self) -> Picks:
        facts = tuple(of_statement for _, of_statement in self.module.facts.units)
        frame = (self.simulation.frame, facts, self.module.facts.dynamic)
        made = self.workspace.kept(self.path, Picks).renewed(frame, self.scopes, self.workspace)
        self.workspace.keep(self.path, made)
        return made

    def other(self, path: Path) -> Context | None:
        """Another file of the same analysis; None when it cannot be read."""
        if path == self.path:
            return self
        if path not in self._others:
            module = self.workspace.module(path)
            self._others[path] = (
                Context(self.workspace.parsed(path), module, self.workspace, self.is_test_path, self.tier2)
                if module is not None
                else None
            )
        return self._others[path]

    def release(self) -> None:
        """Nobody asks any more. Of a file that is open, what was simulated is kept for its next version."""
        if not self.workspace.is_open(self.path) and "simulation" in vars(self):
            self.simulation.release()
        for other in self._others.values():
            if other is not None:
                other.release()

    def anew(self) -> Context:
        """The same, having answered nothing yet: for values that outlive the analysis, of which it has to be known
        what they rest on."""
        parsed, module = self.workspace.parsed(self.path), self.workspace.module(self.path)
        return Context(parsed, module or self.module, self.workspace, self.is_test_path, self.tier2)

    @cached_property
    def idle_patches(self) -> list[Idle]:
        return idle_patches(self.simulation, self.path, self.is_test_path)

    @cached_property
    def models(self) -> Models:
        return Models(self.workspace, self.resolver)


@dataclass(frozen=True)
class Rule:
    """A rule. Its page is the Markdown file of the same name beside its module."""

    code: str
    name: str
    severity: Severity
    """At full certainty; a rule may report less."""
    summary: str
    """One line: what it finds."""
    check: Callable[[Rule, Context], Iterator[Finding]]
    module: str
    """``__name__`` of the module that defines it."""

    def finding(
        self,
        path: Path,
        span: Span,
        message: str,
        *,
        related: tuple[Related, ...] = (),
        fixes: tuple[Fix, ...] = (),
        severity: Severity | None = None,
        unnecessary: bool = False,
    ) -> Finding:
        return Finding(
            self.code,
            self.name,
            severity or self.severity,
            message,
            path,
            span,
            related,
            fixes,
            unnecessary,
        )

    @property
    def page_path(self) -> Path:
        """The file of the documentation."""
        return Path(__file__).with_name(f"{self.module.rpartition('.')[2]}.md")

    @cached_property
    def page(self) -> str:
        """The documentation, Markdown."""
        return self.page_path.read_text("utf-8")
