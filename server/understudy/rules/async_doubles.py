"""What the rules about awaiting doubles share: wording, and the related places of a failure."""

from __future__ import annotations

from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Coroutine, Mock, MockKind, Place, Value
from understudy.finding import Fix, Related
from understudy.fixes import mocks
from understudy.rules.base import Context

COROUTINE_USES = frozenset(
    {
        Misuse.COROUTINE_ATTRIBUTE,
        Misuse.COROUTINE_CALL,
        Misuse.COROUTINE_SUBSCRIPT,
        Misuse.COROUTINE_ITERATION,
        Misuse.COROUTINE_OPERATION,
    }
)


def failures(context: Context, *misuses: Misuse, in_test: bool) -> list[tuple[Outcome, Failure]]:
    """The failures of the file's tests of some kinds, in test code or in code under test."""
    if not context.is_test:
        return []
    return [
        (outcome, failure)
        for outcome in context.simulation.outcomes
        for failure in outcome.failures
        if failure.misuse in misuses and failure.in_test is in_test
    ]


def mock_of(value: Value) -> Mock | None:
    if isinstance(value, Coroutine):
        return value.mock
    return value if isinstance(value, Mock) else None


def article(name: str) -> str:
    return f"an {name}" if name[:1] in "AEIOU" else f"a {name}"


def root_name(mock: Mock) -> str:
    """What the developer calls the double: its variable."""
    return readable(mock.root)


def readable(mock: Mock) -> str:
    """A mock as a person would write it."""
    return mock.label.replace(".__getitem__()", "[…]")


def made_here(mock: Mock) -> Related:
    root = mock.root
    kind = root.kind.value
    if root.spec is not None and root.spec.entity is not None:
        kind = f"{kind} with the spec {root.spec.entity.name}"
    return Related(root.place.unit.path, root.place.span, f"made here: {article(kind)}")


def source_of(failure: Failure) -> str:
    """The failing expression as written, on one line."""
    return " ".join(failure.place.source.split())


def by_place(found: list[tuple[Outcome, Failure]]) -> list[tuple[Outcome, Failure]]:
    """One failure for each place, the first that was found."""
    first: dict[object, tuple[Outcome, Failure]] = {}
    for outcome, failure in found:
        first.setdefault(failure.place.key, (outcome, failure))
    return list(first.values())


def of_root(found: list[tuple[Outcome, Failure]], root: Mock) -> list[tuple[Outcome, Failure]]:
    """The failures of mocks that were made at the same place as ``root``."""
    same = []
    for outcome, failure in found:
        mock = mock_of(failure.subject)
        if mock is not None and mock.root.place.key == root.place.key:
            same.append((outcome, failure))
    return same


def advice(mock: Mock, name: str) -> str:
    """What to do about a double that should be awaitable."""
    if mock.root.kind is MockKind.ASYNC or mock.root.spec is not None:
        return "give the attribute that is awaited an AsyncMock"
    if not name.replace(".", "").isidentifier():
        return "make it an AsyncMock"
    return f"make `{name}` an AsyncMock"


def awaited_parent(mock: Mock) -> Mock | None:
    """The AsyncMock child whose awaited result this mock was taken from: ``session.execute`` for
    ``(await session.execute()).scalars``."""
    current: Mock | None = mock
    while current is not None and current.parent is not None:
        if current.label.endswith("()"):
            return current.parent
        current = current.parent
    return None


def plain_result(context: Context, mock: Mock, group: list[tuple[Outcome, Failure]]) -> tuple[Fix, ...]:
    """Give the awaited child a plain MagicMock to return; tried on the tests first."""
    parent = awaited_parent(mock)
    if parent is None:
        return ()
    path = f"{mocks.path_of(parent)}.return_value".lstrip(".")
    fix = mocks.with_children(context.simulation, mock.root, [path], group)
    return (fix,) if fix is not None else ()


def entered_child(context: Context, mock: Mock, group: list[tuple[Outcome, Failure]]) -> tuple[Fix, ...]:
    """Make the child whose call is entered or iterated over a MagicMock, whose call gives no coroutine."""
    path = mocks.path_of(mock)
    if not path or path.endswith("return_value"):
        return ()
    fix = mocks.with_children(context.simulation, mock.root, [path], group)
    return (fix,) if fix is not None else ()


def by_handover(
    found: list[tuple[Outcome, Failure]],
) -> list[tuple[Place, list[tuple[Outcome, Failure]]]]:
    """Failures in code under test by the place where the test gave it the double."""
    groups: dict[object, tuple[Place, list[tuple[Outcome, Failure]]]] = {}
    for outcome, failure in found:
        if failure.handed is not None:
            groups.setdefault(failure.handed.key, (failure.handed, []))[1].append((outcome, failure))
    return list(groups.values())
