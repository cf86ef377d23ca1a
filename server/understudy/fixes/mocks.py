"""Fixes to the construction of a mock. Each is tried on the simulated test before it is offered."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import replace

from understudy.doubles.core import Change
from understudy.doubles.run import Outcome, Simulation
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Coroutine, Mock, MockKind, Place
from understudy.finding import Applicability, Edit, Fix
from understudy.fixes import imports
from understudy.source.span import Span

Group = Iterable[tuple[Outcome, Failure]]

_ROUNDS = 4


def root_of(failure: Failure) -> Mock | None:
    """The mock that a misused mock or coroutine comes from."""
    subject = failure.subject.mock if isinstance(failure.subject, Coroutine) else failure.subject
    return subject.root if isinstance(subject, Mock) else None


def to_async(simulation: Simulation, root: Mock, group: Group) -> Fix | None:
    """Make the mock an AsyncMock, or only what is awaited of it where an AsyncMock would not do."""
    pairs = list(group)
    if root.kind is MockKind.ASYNC:
        return None
    whole = _class_change(simulation, root)
    if whole is not None and works(simulation, pairs, {root.place.key: Change(MockKind.ASYNC)}):
        return _with_plain_children(simulation, root, pairs, whole) or whole
    children = _awaited_children(root, pairs)
    if children:
        changes = {}
        for path in children:
            changes[path] = MockKind.ASYNC
            changes[f"{path}.return_value"] = MockKind.MAGIC
        if works(simulation, pairs, {root.place.key: Change(None, changes)}):
            return configure(simulation, root, children, "AsyncMock(return_value=MagicMock())")
    return None


def _with_plain_children(
    simulation: Simulation, root: Mock, pairs: list[tuple[Outcome, Failure]], whole: Fix
) -> Fix | None:
    """The same fix, and plain children where the code under test does not await them: ``session.add``."""
    paths: set[str] = set()
    changed = {root.place.key: Change(MockKind.ASYNC)}
    for outcome in {id(outcome): outcome for outcome, _ in pairs}.values():
        noted = {note.place.key for note in outcome.notes}
        for note in simulation.run(outcome.test, changed).notes:
            mock = note.subject.mock if isinstance(note.subject, Coroutine) else None
            if note.misuse is not Misuse.COROUTINE_DISCARDED or note.in_test or note.place.key in noted:
                continue
            if mock is not None and mock.parent is not None and mock.root.place.key == root.place.key:
                paths.add(path_of(mock))
    children = sorted(paths)
    plain = configure(simulation, root, children, "MagicMock()") if children else None
    mended = {root.place.key: Change(MockKind.ASYNC, dict.fromkeys(children, MockKind.MAGIC))}
    if plain is None or not works(simulation, pairs, mended):
        return None
    edits = tuple(dict.fromkeys((*whole.edits, *plain.edits)))
    return Fix(f"{whole.title} with a plain `{children[0]}`", whole.applicability, edits)


def prefer_async(simulation: Simulation, root: Mock, outcomes: Iterable[Outcome]) -> Fix | None:
    """Make a mock with a spec, that works as it is, an AsyncMock; None where a test would fail then. What calls the
    double itself, or asks whether it is a coroutine function, is answered otherwise; a test may look at that."""
    fix = _class_change(simulation, root)
    change = {root.place.key: Change(MockKind.ASYNC)}
    for outcome in outcomes if fix is not None else ():
        again = simulation.run(outcome.test, change)
        failed = {failure.place.key for failure in outcome.failures}
        noted = {note.place.key for note in outcome.notes}
        if (
            again.unmet != outcome.unmet
            or any(failure.place.key not in failed for failure in again.failures)
            or any(note.place.key not in noted for note in again.notes)
        ):
            return None
    return replace(fix, applicability=Applicability.UNSAFE) if fix is not None else None


def to_magic(simulation: Simulation, root: Mock, group: Group) -> tuple[Fix, ...]:
    """Make a plain Mock, which has no magic methods, or an AsyncMock, whose call gives a coroutine, a MagicMock."""
    if root.kind not in (MockKind.MOCK, MockKind.ASYNC) or (
        root.kind is MockKind.ASYNC and root.spec is not None
    ):
        return ()
    fix = _class_change(simulation, root, "MagicMock")
    if fix is None or not works(simulation, list(group), {root.place.key: Change(MockKind.MAGIC)}):
        return ()
    return (fix,)


def with_children(
    simulation: Simulation, root: Mock, group: Group, path_for: Callable[[Failure], str | None]
) -> Fix | None:
    """Set children of the mock to plain MagicMocks: those that ``path_for`` names for the failures of the group,
    and for the failures that only show once these are mended."""
    pairs = list(group)
    paths = {path for _, failure in pairs if (path := path_for(failure))}
    for _ in range(_ROUNDS if paths else 0):
        children = sorted(paths)
        changes = {root.place.key: Change(None, dict.fromkeys(children, MockKind.MAGIC))}
        left = left_over(simulation, pairs, changes)
        if left is None:
            return None
        if not left:
            return configure(simulation, root, children, "MagicMock()")
        more = {path for failure in left if (path := _path_below(failure, root, children, path_for))} - paths
        if not more:
            return None
        paths |= more
    return None


def _path_below(
    failure: Failure, root: Mock, children: list[str], path_for: Callable[[Failure], str | None]
) -> str | None:
    """The path for a failure that shows once the children are mocks of their own: from ``root``, too."""
    found, path = root_of(failure), path_for(failure)
    if found is None or path is None or found.place.key != root.place.key:
        return None
    if not found.unnamed:
        return path
    return f"{children[0]}.{path}" if len(children) == 1 else None


def path_of(mock: Mock) -> str:
    """The attribute path from the root mock: ``execute.return_value`` for ``session.execute()``."""
    return steps_of(mock).replace("()", ".return_value").lstrip(".")


def steps_of(mock: Mock) -> str:
    """From the root mock to this one, as it is written: ``.execute()`` for ``session.execute()``."""
    label, root = mock.label, mock.root
    if not label.startswith(root.label):
        # The child is older than the name of its root, which was ``MagicMock()`` or the like.
        made, _, steps = label.partition("()")
        return steps if made.isidentifier() else label
    return label.removeprefix(root.label)


def works(
    simulation: Simulation, pairs: list[tuple[Outcome, Failure]], changes: dict[tuple[str, Span], Change]
) -> bool:
    """True when none of the simulated tests fails any more at the places of these failures, nor elsewhere."""
    return left_over(simulation, pairs, changes) == []


def left_over(
    simulation: Simulation, pairs: list[tuple[Outcome, Failure]], changes: dict[tuple[str, Span], Change]
) -> list[Failure] | None:
    """How the simulated tests still fail with these changes, at the places of these failures or at new ones; None
    when a test expects an exception that only the broken double raised."""
    left: list[Failure] = []
    for outcome in {id(outcome): outcome for outcome, _ in pairs}.values():
        mended = {id(failure) for other, failure in pairs if other is outcome}
        others = {f.place.key for f in outcome.failures if id(f) not in mended}
        again = simulation.run(outcome.test, changes)
        if again.unmet - outcome.unmet:
            return None
        left.extend(failure for failure in again.failures if failure.place.key not in others)
    return left


def configure(simulation: Simulation, root: Mock, paths: list[str], value: str) -> Fix | None:
    """Set children of the mock in statements right after the one that makes it, or in its own call."""
    place = root.place
    parsed = simulation.workspace.parsed(place.unit.path)
    if not isinstance(place.node, ast.Call) or root.cls is not None:
        # The module that a class of the workspace's own comes from has no AsyncMock beside it.
        return None
    # Set in a statement, a child would lose what a keyword of the call configures of it.
    configured = any(keyword.arg is None for keyword in place.node.keywords)
    statement = None if configured else _assignment(place)
    names = [name for name in ("AsyncMock", "MagicMock") if name in value]
    edits: dict[Edit, None] = {}
    text = value
    for name in names:
        spelling = imports.beside(parsed, place.unit, _factory(place), name)
        if spelling is None:
            return None
        text = text.replace(name, spelling.text)
        edits.update(dict.fromkeys(spelling.edits))
    unit = place.unit
    newline = unit.text.newline
    if statement is not None:
        target = unit.source(statement[1])
        row = unit.span(statement[0]).end_row
        line = unit.text.line(row)
        first = unit.text.line(unit.span(statement[0]).row)
        indentation = first[: len(first) - len(first.lstrip())]
        content = "".join(f"{newline}{indentation}{target}.{path} = {text}" for path in paths)
        edits[Edit(unit.path, Span.at(row, len(line)), content)] = None
        title = f"Set `{target}.{paths[0]} = {text}`"
    else:
        call = unit.span(place.node)
        plain = [f"{path}={text}" for path in paths if path.isidentifier()]
        dotted = ", ".join(f'"{path}": {text}' for path in paths if not path.isidentifier())
        if {keyword.arg for keyword in place.node.keywords}.intersection(paths):
            return None
        added = ", ".join([*plain, f"**{{{dotted}}}"] if dotted else plain)
        lead = ", " if place.node.args or place.node.keywords else ""
        edits[Edit(unit.path, Span.at(call.end_row, call.end_column - 1), f"{lead}{added}")] = None
        title = f"Configure `{paths[0]}` with `{text}`"
    return Fix(title, _applicability(simulation, root), tuple(edits))


def _class_change(simulation: Simulation, root: Mock, wanted: str = "AsyncMock") -> Fix | None:
    """``MagicMock(…)`` to ``AsyncMock(…)``."""
    place = root.place
    if not isinstance(place.node, ast.Call) or root.cls is not None:
        # A class of the workspace's own does more than the one it derives from.
        return None
    parsed = simulation.workspace.parsed(place.unit.path)
    factory = _factory(place)
    name = factory.attr if isinstance(factory, ast.Attribute) else getattr(factory, "id", "")
    if not name.endswith("Mock"):
        return None
    spelling = imports.beside(parsed, place.unit, factory, wanted)
    if spelling is None:
        return None
    edit = Edit(place.unit.path, place.unit.span(factory), spelling.text)
    return Fix(
        f"Make it {'an' if wanted.startswith('A') else 'a'} `{spelling.text}`",
        _applicability(simulation, root),
        tuple(dict.fromkeys((*spelling.edits, edit))),
    )


def _factory(place: Place) -> ast.expr:
    """What is called to make a mock: the class, or the ``new_callable`` of a patch."""
    assert isinstance(place.node, ast.Call)
    for keyword in place.node.keywords:
        if keyword.arg == "new_callable":
            return keyword.value
    called = place.node.func
    # ``patch.object``
    return called.value if isinstance(called, ast.Attribute) and called.attr == "object" else called


def _applicability(simulation: Simulation, root: Mock) -> Applicability:
    """Safe for a mock that lives in one function of the checked file: the test that uses it fails anyway.
    A fixture or a module-level mock serves other tests, too."""
    unit = root.place.unit
    if unit.path != simulation.module.path:
        return Applicability.UNSAFE
    for node in ast.walk(unit.node):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            if any(child is root.place.node for child in ast.walk(node)):
                return Applicability.SAFE
    return Applicability.UNSAFE


def _assignment(place: Place) -> tuple[ast.stmt, ast.expr] | None:
    """The statement ``target = <this call>``."""
    for node in ast.walk(place.unit.node):
        if isinstance(node, ast.Assign) and node.value is place.node and len(node.targets) == 1:
            if isinstance(node.targets[0], (ast.Name, ast.Attribute)):
                return node, node.targets[0]
        elif isinstance(node, ast.AnnAssign) and node.value is place.node:
            return node, node.target
    return None


def _awaited_children(root: Mock, pairs: list[tuple[Outcome, Failure]]) -> list[str]:
    """Paths of the children whose calls are awaited: ``execute`` for ``await session.execute()``."""
    found: dict[str, None] = {}
    for _, failure in pairs:
        if isinstance(failure.subject, Mock):
            label = failure.subject.label
            path = label.removeprefix(f"{root.label}.")
            if path == label or not path.endswith("()"):
                return []
            path = path[:-2].replace("()", ".return_value")
            found[path] = None
    return sorted(found)
