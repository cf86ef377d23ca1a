"""A module as other code sees it: its names, built from its facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from understudy.facts import model
from understudy.facts.extract import OnDemand
from understudy.facts.model import Guard
from understudy.source.span import Span

ANY_CLASS: Final = "*"
"""In the place of a name: which class it is, is not written there."""


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


class Importer(Protocol):
    """A module as far as its imports go."""

    memo: dict[str, tuple[int, object, frozenset[Any]]]

    @property
    def path(self) -> Path: ...
    @property
    def name(self) -> str: ...
    @property
    def is_package(self) -> bool: ...
    @property
    def package(self) -> str: ...
    @property
    def imports(self) -> tuple[tuple[int, model.Import], ...]: ...


class Module:
    """The names of one version of one file."""

    def __init__(
        self, path: Path, name: str, facts: model.ModuleFacts | OnDemand, *, workspace: bool
    ) -> None:
        self.path = path
        self.name = name
        self._facts = facts
        self.is_kept = False
        """Are its facts written down for later runs?"""
        self.workspace = workspace
        self.memo: dict[str, tuple[int, object, frozenset[Any]]] = {}
        """For :meth:`Workspace.of_module`: values, with the generation that they are of and what they rest on."""

    @property
    def facts(self) -> model.ModuleFacts:
        """Those of all its statements. What looks for a few of them asks for those."""
        facts = self._facts
        return facts if isinstance(facts, model.ModuleFacts) else facts.all()

    def facts_with(self, word: str) -> model.ModuleFacts:
        """:attr:`facts` of the statements that have the word in their text, and maybe of others."""
        units = tuple((each.row, each.facts) for each in self._statements if each.mentions(word))
        return model.ModuleFacts(units, self._facts.dynamic, self._facts.entries)

    def read(self) -> None:
        """Read what nobody asked for yet: the trees are going to change."""
        if not isinstance(self._facts, model.ModuleFacts):
            self._facts.all()

    @property
    def is_read(self) -> bool:
        """Has somebody asked for all facts that are read on demand?"""
        return not isinstance(self._facts, model.ModuleFacts) and self._facts.is_read

    def without_text(self) -> Module:
        """The same module, which does not refer to what its facts were read from."""
        made = Module(self.path, self.name, self.facts, workspace=self.workspace)
        made.is_kept, made.memo = self.is_kept, self.memo
        return made

    def named(self, name: str) -> Module:
        """The same module under another name, which is no module of the workspace."""
        return Module(self.path, name, self._facts, workspace=False)

    @cached_property
    def _statements(self) -> Sequence[model.Statement]:
        facts = self._facts
        if isinstance(facts, model.ModuleFacts):
            return [model.Known(row, unit) for row, unit in facts.units]
        return facts.statements

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        """What relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def dynamic(self) -> bool:
        # A module that replaces itself: it may be imported by a longer or shorter name.
        return self._facts.dynamic or any(
            f".{one}".endswith(f".{other}")
            for entry in self._facts.entries
            for one, other in ((self.name, entry), (entry, self.name))
        )

    def declarations(self) -> Iterator[tuple[int, model.Declaration]]:
        return _declarations(self._statements)

    def declarations_with(self, word: str) -> Iterator[tuple[int, model.Declaration]]:
        """:meth:`declarations` of the statements that have the word in their text, and maybe of others."""
        return _declarations(statement for statement in self._statements if statement.mentions(word))

    def _other_declarations(self) -> Iterator[tuple[int, model.Declaration]]:
        """:meth:`declarations` but for functions and classes that nobody asked for yet."""
        return _declarations(statement for statement in self._statements if statement.name is None)

    @cached_property
    def set_on_classes(self) -> dict[str, set[str]]:
        """What statements at the top level set on a class, by the name of the class; :data:`ANY_CLASS` where they do it
        for one class after another, :data:`model.COMPUTED` for a name that is not written there."""
        found: dict[str, set[str]] = {}
        for _, declaration in self._other_declarations():
            owner: model.Term | None = None
            name = model.COMPUTED
            if isinstance(declaration, model.AttributeAssign):
                owner, name = declaration.owner, declaration.name
            elif isinstance(declaration, model.Expression) and isinstance(declaration.value, model.CallTerm):
                call = declaration.value
                if is_setattr(call.func) and len(call.args) > 1:
                    owner, key = call.args[0], call.args[1]
                    if isinstance(key, model.Const) and isinstance(key.value, str):
                        name = key.value
            if isinstance(owner, model.Ref):
                found.setdefault(self._meant(owner), set()).add(name)
        return found

    def _meant(self, owner: model.Ref) -> str:
        """The last part of the name of a class, also where the module calls it otherwise."""
        bindings = self.bindings.get(owner.parts[0], ()) if len(owner.parts) == 1 else ()
        for binding in bindings:
            if isinstance(binding.declaration, model.Assign):
                value = binding.declaration.value
                if isinstance(value, model.Opaque):
                    return ANY_CLASS
                if isinstance(value, model.Ref):
                    return value.parts[-1]
        return owner.parts[-1]

    @cached_property
    def handed_over(self) -> dict[str, list[tuple[model.Ref, int | str]]]:
        """The calls at the top level that are given a name of the module, each with the place of the argument or its
        keyword: by the name."""
        found: dict[str, list[tuple[model.Ref, int | str]]] = {}
        for _, declaration in self._other_declarations():
            if isinstance(declaration, model.Expression) and isinstance(declaration.value, model.CallTerm):
                call = declaration.value
                if not isinstance(call.func, model.Ref):
                    continue
                arguments: list[tuple[int | str, model.Term]] = [*enumerate(call.args)]
                arguments.extend((each.name, each.value) for each in call.keywords if each.name is not None)
                for place, term in arguments:
                    if isinstance(term, model.Ref) and len(term.parts) == 1:
                        found.setdefault(term.parts[0], []).append((call.func, place))
        return found

    @cached_property
    def bindings(self) -> Bindings:
        """Name to the statements that bind it at import time, in order of the text."""
        return Bindings(self._statements)

    @cached_property
    def stars(self) -> tuple[model.Import, ...]:
        return tuple(
            declaration
            for _, declaration in self._other_declarations()
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
        return frozenset(
            name
            for _, declaration in self.declarations_with("global")
            for function in _functions(declaration)
            for name in function.globals
        )

    def functions(self) -> Iterator[model.Function]:
        """All functions and methods but those nested in functions."""
        for _, declaration in self.declarations():
            yield from _functions(declaration)

    @cached_property
    def imports(self) -> tuple[tuple[int, model.Import], ...]:
        """Every import of the file: at import time, in classes, and inside functions; with the rows of the statements
        that they are in."""
        return _all_imports(self.declarations_with("import"))


def is_setattr(func: model.Term) -> bool:
    """``setattr``, ``type.__setattr__``"""
    return isinstance(func, model.Ref) and (
        func.parts == ("setattr",) or (len(func.parts) > 1 and func.parts[-1] == "__setattr__")
    )


class Bindings(Mapping[str, Sequence[Binding]]):
    """What binds each name of a module. A function or class is read when somebody asks for its name."""

    def __init__(self, statements: Iterable[model.Statement]) -> None:
        self._names: dict[str, list[Binding | model.Statement]] = {}
        self._read: dict[str, Sequence[Binding]] = {}
        for statement in statements:
            name = statement.name
            if name is not None:
                self._names.setdefault(name, []).append(statement)
            else:
                for bound, binding in _bound(statement):
                    self._names.setdefault(bound, []).append(binding)

    def __getitem__(self, name: str) -> Sequence[Binding]:
        known = self._read.get(name)
        if known is None:
            found: list[Binding] = []
            for each in self._names[name]:
                if isinstance(each, Binding):
                    found.append(each)
                else:
                    found.extend(binding for bound, binding in _bound(each) if bound == name)
            known = self._read[name] = found
        return known

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def last_row(self, name: str) -> int | None:
        """Where the statement begins that binds a name last; None for another name. That takes no facts."""
        each = self._names.get(name)
        return each[-1].row if each else None

    def last_of_each(self, word: str) -> Iterator[tuple[str, Binding]]:
        """Each name with the statement that binds it last, but for functions and classes without a word in their
        text."""
        for name, each in self._names.items():
            if isinstance(each[-1], Binding) or each[-1].mentions(word):
                yield name, self[name][-1]


def _declarations(statements: Iterable[model.Statement]) -> Iterator[tuple[int, model.Declaration]]:
    for statement in statements:
        for declaration in statement.facts.declarations:
            yield statement.row, declaration


def _bound(statement: model.Statement) -> Iterator[tuple[str, Binding]]:
    """The names that a statement binds, in its order."""
    row = statement.row
    for declaration in statement.facts.declarations:
        if isinstance(declaration, model.Import):
            for imported in declaration.names:
                yield imported.bound, Binding(declaration, row, imported)
        elif isinstance(declaration, (model.Function, model.Class, model.Deletion)):
            yield declaration.name, Binding(declaration, row)
        elif isinstance(declaration, model.Assign):
            yield declaration.target, Binding(declaration, row)


def _functions(declaration: model.Declaration) -> Iterator[model.Function]:
    if isinstance(declaration, model.Function):
        yield declaration
    elif isinstance(declaration, model.Class):
        for child in declaration.body:
            yield from _functions(child)


def imports_in(facts: model.ModuleFacts) -> tuple[tuple[int, model.Import], ...]:
    """:attr:`Module.imports` of a file with these facts."""
    return _all_imports((row, declaration) for row, unit in facts.units for declaration in unit.declarations)


def _all_imports(
    declarations: Iterable[tuple[int, model.Declaration]],
) -> tuple[tuple[int, model.Import], ...]:
    return tuple((row, found) for row, declaration in declarations for found in _imports(declaration))


def _imports(declaration: model.Declaration) -> Iterator[model.Import]:
    if isinstance(declaration, model.Import):
        yield declaration
    elif isinstance(declaration, model.Function):
        yield from declaration.imports
    elif isinstance(declaration, model.Class):
        for child in declaration.body:
            yield from _imports(child)
