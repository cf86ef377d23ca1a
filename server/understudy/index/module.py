"""A module as other code sees it: its names, built from its facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from understudy.facts import model
from understudy.facts.model import Guard
from understudy.source.span import Span


@dataclass(frozen=True, slots=True)
class Binding:
    """One statement that binds a module-level name."""

    declaration: model.Declaration
    row: int
    """Row of the top-level statement: add it to the declaration's spans."""
    imported: model.ImportedName | None = None

    @property
    def guards(self) -> tuple[Guard, ...]:
        return getattr(self.declaration, "guards", ())

    @property
    def span(self) -> Span:
        """The name that is bound, in the file."""
        if self.imported is not None:
            return self.imported.span.shifted(self.row)
        return self.declaration.span.shifted(self.row)


class Module:
    """The names of one version of one file."""

    def __init__(self, path: Path, name: str, facts: model.ModuleFacts, *, workspace: bool) -> None:
        self.path = path
        self.name = name
        self.facts = facts
        self.workspace = workspace

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        """What relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def dynamic(self) -> bool:
        return self.facts.dynamic

    def declarations(self) -> Iterator[tuple[int, model.Declaration]]:
        for row, unit in self.facts.units:
            for declaration in unit.declarations:
                yield row, declaration

    @cached_property
    def set_on_classes(self) -> dict[str, set[str | None]]:
        """What statements at the top level set on a class, by the name of the class; None for a name that is not
        written there."""
        found: dict[str, set[str | None]] = {}
        for _, declaration in self.declarations():
            if isinstance(declaration, model.AttributeAssign):
                found.setdefault(declaration.owner.parts[-1], set()).add(declaration.name)
            elif isinstance(declaration, model.Expression) and isinstance(declaration.value, model.CallTerm):
                call = declaration.value
                if (
                    isinstance(call.func, model.Ref)
                    and call.func.parts == ("setattr",)
                    and len(call.args) > 1
                ):
                    owner, key = call.args[0], call.args[1]
                    name = key.value if isinstance(key, model.Const) and isinstance(key.value, str) else None
                    if isinstance(owner, model.Ref):
                        found.setdefault(".".join(owner.parts), set()).add(name)
        return found

    @cached_property
    def bindings(self) -> dict[str, list[Binding]]:
        """Name to the statements that bind it at import time, in order of the text."""
        names: dict[str, list[Binding]] = {}
        for row, declaration in self.declarations():
            if isinstance(declaration, model.Import):
                for imported in declaration.names:
                    names.setdefault(imported.bound, []).append(Binding(declaration, row, imported))
            elif isinstance(declaration, (model.Function, model.Class)):
                names.setdefault(declaration.name, []).append(Binding(declaration, row))
            elif isinstance(declaration, model.Assign):
                names.setdefault(declaration.target, []).append(Binding(declaration, row))
            elif isinstance(declaration, model.Deletion):
                names.setdefault(declaration.name, []).append(Binding(declaration, row))
        return names

    @cached_property
    def stars(self) -> tuple[model.Import, ...]:
        return tuple(
            declaration
            for _, declaration in self.declarations()
            if isinstance(declaration, model.Import) and declaration.star
        )

    @cached_property
    def exported(self) -> tuple[str, ...] | None:
        """``__all__`` where it is a plain list of strings."""
        bindings = self.bindings.get("__all__", ())
        if len(bindings) != 1 or not isinstance(bindings[0].declaration, model.Assign):
            return None
        value = bindings[0].declaration.value
        if not isinstance(value, model.SequenceTerm):
            return None
        names = [item.value for item in value.items if isinstance(item, model.Const)]
        return tuple(name for name in names if isinstance(name, str))

    @cached_property
    def set_by_functions(self) -> frozenset[str]:
        """Names that functions declare ``global``: they may be bound at call time."""
        return frozenset(name for function in self.functions() for name in function.globals)

    def functions(self) -> Iterator[model.Function]:
        """All functions and methods but those nested in functions."""
        for _, declaration in self.declarations():
            yield from _functions(declaration)

    def imports(self) -> Iterator[tuple[int, model.Import]]:
        """Every import of the file: at import time, in classes, and inside functions."""
        for row, declaration in self.declarations():
            for found in _imports(declaration):
                yield row, found


def _functions(declaration: model.Declaration) -> Iterator[model.Function]:
    if isinstance(declaration, model.Function):
        yield declaration
    elif isinstance(declaration, model.Class):
        for child in declaration.body:
            yield from _functions(child)


def _imports(declaration: model.Declaration) -> Iterator[model.Import]:
    if isinstance(declaration, model.Import):
        yield declaration
    elif isinstance(declaration, model.Function):
        yield from declaration.imports
    elif isinstance(declaration, model.Class):
        for child in declaration.body:
            yield from _imports(child)
