"""What the rules about awaiting doubles share: wording, and the related places of a failure."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from understudy.doubles.run import Outcome
from understudy.doubles.shapes import Shapes
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import (
    Coroutine,
    FunctionValue,
    Instance,
    Literal,
    Mapping_,
    Mock,
    MockKind,
    Place,
    Sequence_,
    Value,
)
from understudy.finding import Applicability, Finding, Fix, Related
from understudy.fixes import mocks
from understudy.rules.base import Context, Rule
from understudy.source.span import Span

COROUTINE_USES = frozenset(
    {
        Misuse.COROUTINE_ATTRIBUTE,
        Misuse.COROUTINE_CALL,
        Misuse.COROUTINE_SUBSCRIPT,
        Misuse.COROUTINE_ITERATION,
        Misuse.COROUTINE_OPERATION,
    }
)

SILENT_USES = (Misuse.COROUTINE_DISCARDED, Misuse.COROUTINE_TRUTH, Misuse.COROUTINE_COMPARISON)
"""Notes: what raises nothing by itself."""
_CANNOT_AWAIT = frozenset({Misuse.AWAIT, Misuse.STANDS_IN})
_MADE_AWAITABLE = re.compile(rb"Mock\.__await__\s*=|Mock,\s*[\"']__await__")
"""The recipe from before Python 3.8: from then on every double of the class can be awaited."""
_ON_PURPOSE = ("RuntimeWarning", "catch_warnings", "filterwarnings", "iscoroutine", "isawaitable", "recwarn")
"""Words of a test that is about the coroutine, or about the warning that one never awaited gives."""

ENTERED = frozenset({Misuse.WITH, Misuse.ASYNC_WITH, Misuse.ASYNC_FOR})
_MAGIC = {Misuse.WITH: "__enter__", Misuse.ASYNC_WITH: "__aenter__", Misuse.ASYNC_FOR: "__aiter__"}
_PLAIN = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp)


def failures(context: Context, *misuses: Misuse, in_test: bool) -> list[tuple[Outcome, Failure]]:
    """The failures of the file's tests of some kinds, in test code or in code under test."""
    if not context.is_test:
        return []
    everything = context.once("failures", lambda: _everything(context, lambda outcome: outcome.failures))
    return _chosen(context, everything, misuses, in_test)


def notes(context: Context, *misuses: Misuse, in_test: bool) -> list[tuple[Outcome, Failure]]:
    """What the file's tests do that raises nothing, and is not meant."""
    if not context.is_test:
        return []
    everything = context.once("notes", lambda: _everything(context, lambda outcome: outcome.notes))
    return _chosen(context, everything, misuses, in_test)


def _chosen(
    context: Context, everything: list[tuple[Outcome, Failure]], misuses: Sequence[Misuse], in_test: bool
) -> list[tuple[Outcome, Failure]]:
    found = [pair for pair in everything if pair[1].misuse in misuses and pair[1].in_test is in_test]
    if any(failure.misuse in _CANNOT_AWAIT for _, failure in found):
        if context.workspace.any_with(_MADE_AWAITABLE):
            return [pair for pair in found if pair[1].misuse not in _CANNOT_AWAIT]
    return found


def _everything(
    context: Context, of: Callable[[Outcome], Sequence[Failure]]
) -> list[tuple[Outcome, Failure]]:
    return [(outcome, failure) for outcome in context.simulation.outcomes for failure in of(outcome)]


def is_about_coroutines(outcome: Outcome) -> bool:
    """Does a test look at coroutines themselves, or at the warning that one never awaited gives?"""
    source = outcome.test.unit.source(outcome.test.node)
    return any(word in source for word in _ON_PURPOSE)


def counts_awaits(outcome: Outcome) -> bool:
    """Does the test tell calls from awaits?"""
    source = outcome.test.unit.source(outcome.test.node)
    return "await_count" in source or "assert_not_awaited" in source


def attribute_span(place: Place) -> Span:
    """The name after the last dot; all of an expression that is not an attribute."""
    span = place.span
    if not isinstance(place.node, ast.Attribute):
        return span
    return Span(span.end_row, span.end_column - len(place.node.attr), span.end_row, span.end_column)


def stand_in(failure: Failure) -> Mock | None:
    """The double in place of a coroutine function of the workspace whose call a failing ``await`` awaits:
    US106 reports it, where it is put there."""
    mock = failure.subject
    if failure.misuse is not Misuse.AWAIT or not isinstance(mock, Mock):
        return None
    for each in (mock, mock.parent if mock.label.endswith("()") else None):
        if each is not None and each.replaces is not None and each.replaces.is_async:
            # An AsyncMock stands in well; it is awaited without a call.
            return each if each.kind is not MockKind.ASYNC else None
    return None


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
    return f"{mock.root.label}{mocks.steps_of(mock)}".replace(".__getitem__()", "[…]")


def writable(mock: Mock) -> str:
    """A mock as the target of an assignment: ``session.execute.return_value``."""
    path = mocks.path_of(mock)
    return f"{mock.root.label}.{path}" if path else mock.root.label


def set_to(mock: Mock, value: str) -> str:
    """Advice to configure a mock, or to do without it."""
    path = mocks.path_of(mock)
    if not path:
        return f"give it {value} in place of {article(mock.kind.value)}"
    return f"set its `{path}` to {value}" if mock.root.unnamed else f"set `{writable(mock)}` to {value}"


def made_here(mock: Mock) -> Related:
    root = mock.root
    kind = root.kind.value
    if root.spec is not None and root.spec.entity is not None:
        kind = f"{kind} with the spec {root.spec.entity.name}"
    return Related(root.place.unit.path, root.place.span, f"made here: {article(kind)}")


def defined_here(function: FunctionValue, message: str) -> Related:
    """The name of a function of the workspace; all of a lambda."""
    return Related(function.unit.path, span_of(function), message)


def span_of(function: FunctionValue) -> Span:
    """The name of a function; all of a lambda."""
    unit, node = function.unit, function.node
    return unit.span(node) if isinstance(node, ast.Lambda) else unit.name_span(node)


def own_function(function: FunctionValue) -> Applicability:
    """How safe it is to change a function: one inside a test, which has it for nothing else, serves that test alone,
    which fails as it is."""
    for test in ast.walk(function.unit.node):
        if isinstance(test, (ast.FunctionDef, ast.AsyncFunctionDef)) and test.name.startswith("test"):
            inside = list(ast.walk(test))
            uses = [child for child in inside if isinstance(child, ast.Name) and child.id == function.name]
            is_lambda = isinstance(function.node, ast.Lambda)
            if function.node in inside and function.owner is None and (is_lambda or len(uses) == 1):
                return Applicability.SAFE
    return Applicability.UNSAFE


def is_as_written(context: Context, function: FunctionValue) -> bool:
    """Is a method what its ``def`` says: does no decorator, metaclass or base of a library change the class?"""
    owners = [function.owner] if function.owner is not None else []
    if isinstance(function.bound, Instance):
        owners.append(function.bound.entity)
    for owner in owners:
        ancestry = context.resolver.ancestry(owner)
        if any(context.resolver.is_set_on_class(cls, function.name) for cls in ancestry.classes):
            return False
        if not ancestry.complete and not (
            ancestry.externals
            and all(external.name.endswith("TestCase") for external in ancestry.externals)
            and not any(cls.declaration.decorators for cls in ancestry.classes)
        ):
            return False
    return True


def source_of(failure: Failure) -> str:
    """The failing expression as written, on one line."""
    return " ".join(failure.place.source.split())


def by_place(found: list[tuple[Outcome, Failure]]) -> list[tuple[Outcome, Failure]]:
    """One failure for each place, the first that was found."""
    first: dict[object, tuple[Outcome, Failure]] = {}
    for outcome, failure in found:
        first.setdefault(failure.place.key, (outcome, failure))
    return list(first.values())


def by_double(
    rule: Rule,
    context: Context,
    misuse: Misuse,
    message: Callable[[Failure, Mock], str],
    used: str = "used here",
) -> Iterator[Finding]:
    """One finding for each use in the test, and for each place that hands over a double which is used elsewhere."""
    seen: set[object] = set()
    for in_test in (True, False):
        for _, failure in failures(context, misuse, in_test=in_test):
            place, mock = failure.place if in_test else failure.handed, failure.subject
            if place is None or not isinstance(mock, Mock) or (place.key, failure.error) in seen:
                continue
            seen.add((place.key, failure.error))
            related = [made_here(mock)]
            if not in_test:
                related.append(Related(failure.place.unit.path, failure.place.span, used))
            yield rule.finding(place.unit.path, place.span, message(failure, mock), related=tuple(related))


def of_root(found: list[tuple[Outcome, Failure]], root: Mock) -> list[tuple[Outcome, Failure]]:
    """The failures of mocks that were made at the same place as ``root``."""
    same = []
    for outcome, failure in found:
        mock = mock_of(failure.subject)
        if mock is not None and mock.root.place.key == root.place.key:
            same.append((outcome, failure))
    return same


def is_same(failure: Failure, other: Failure) -> bool:
    """Are two failures of one child of mocks that were made at the same place?"""
    one, two = mock_of(failure.subject), mock_of(other.subject)
    return (
        one is not None
        and two is not None
        and one.root.place.key == two.root.place.key
        and mocks.path_of(one) == mocks.path_of(two)
    )


def advice(mock: Mock, name: str) -> str:
    """What to do about a double that should be awaitable."""
    if mock.root.kind is MockKind.ASYNC or mock.root.spec is not None:
        return "give the attribute that is awaited an AsyncMock"
    if not name.replace(".", "").isidentifier():
        return "make it an AsyncMock"
    if mocks.steps_of(mock).startswith("()."):
        # It stands for a class, or for a function that makes something.
        return f"make `{name}.return_value` an AsyncMock"
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
    if awaited_parent(mock) is None:
        return ()
    fix = mocks.with_children(context.simulation, mock.root, _with_path(group), path_for)
    return (fix,) if fix is not None else ()


def plain_children(context: Context, mock: Mock, group: list[tuple[Outcome, Failure]]) -> tuple[Fix, ...]:
    """Make the children whose coroutines are not awaited plain MagicMocks; tried on the tests first. *Unsafe*: perhaps
    it is the code under test that lacks an ``await``."""
    if mock.parent is None:
        return ()

    def path(failure: Failure) -> str | None:
        found = mock_of(failure.subject)
        return mocks.path_of(found) or None if found is not None else None

    fix = mocks.with_children(context.simulation, mock.root, group, path)
    return (replace(fix, applicability=Applicability.UNSAFE),) if fix is not None else ()


def entered_child(
    context: Context, failure: Failure, mock: Mock, group: list[tuple[Outcome, Failure]]
) -> tuple[Fix, ...]:
    """Make the AsyncMock whose call is entered or iterated over a MagicMock, whose call gives no coroutine."""
    if is_coroutine_function(mock) or _plain_return(failure, mock):
        return ()
    if mock.parent is None:
        return mocks.to_magic(context.simulation, mock, group)
    if path_for(failure) is None:
        return ()
    fix = mocks.with_children(context.simulation, mock.root, _with_path(group), path_for)
    return (fix,) if fix is not None else ()


def _with_path(group: list[tuple[Outcome, Failure]]) -> list[tuple[Outcome, Failure]]:
    return [(outcome, failure) for outcome, failure in group if path_for(failure) is not None]


def path_for(failure: Failure) -> str | None:
    """What to set to a plain MagicMock, as a path from the root mock, so that the failure is gone."""
    mock = mock_of(failure.subject)
    if mock is None or not isinstance(failure.subject, Coroutine):
        return None
    if failure.misuse in ENTERED:
        path = mocks.path_of(mock)
        if is_coroutine_function(mock) or _plain_return(failure, mock) or path.endswith("return_value"):
            return None
        return path or None
    parent = awaited_parent(mock)
    return f"{mocks.path_of(parent)}.return_value".lstrip(".") if parent is not None else None


def _plain_return(failure: Failure, mock: Mock) -> bool:
    """Was the mock told to return something that can neither be entered nor asked for ``__aiter__``?"""
    if isinstance(mock.slots.get("return_value"), (Literal, Sequence_, Mapping_)):
        return True
    target = f"{mocks.path_of(mock) or mock.label}.return_value"
    units = [place.unit for place in (failure.place, failure.handed, mock.root.place) if place is not None]
    for unit in units:
        for node in ast.walk(unit.node):
            if isinstance(node, ast.Assign) and isinstance(node.value, _PLAIN):
                if any(f".{unit.source(written)}".endswith(f".{target}") for written in node.targets):
                    return True
    return False


def is_coroutine_function(mock: Mock) -> bool:
    """Is it an AsyncMock because what it stands for is an ``async def``: in a ``spec``, or where it is patched?"""
    if mock.parent is not None:
        return mock.auto and mock.parent.spec is not None and mock.parent.spec.names is None
    node = mock.place.node
    if not isinstance(node, ast.Call) or any(keyword.arg == "new_callable" for keyword in node.keywords):
        return False
    return not {"patch", "create_autospec"}.isdisjoint(mock.place.unit.source(node.func).split("."))


def entered_reason(failure: Failure, mock: Mock) -> str:
    """Why the coroutine of an AsyncMock cannot be entered or iterated over, and what to do."""
    reason = _gives_coroutine(failure, mock)
    if is_coroutine_function(mock):
        return f"{reason}; it stands for a coroutine function: await the call first"
    configured = f"return_value.{_MAGIC[failure.misuse]}.return_value"
    if not mock.root.unnamed:
        configured = f"{writable(mock)}.{configured}"
    advice = set_to_magic(mock, mocks.path_of(mock)) if mock.parent is not None else make_magic(mock)
    return f"{reason}; {advice}" + (f" and configure `{configured}`" if _plain_return(failure, mock) else "")


def value_reason(failure: Failure, mock: Mock) -> str:
    """Why the coroutine of an AsyncMock is not the value that a function takes it for, and what to do."""
    reason = _gives_coroutine(failure, mock)
    parent = awaited_parent(mock)
    if parent is not None:
        return f"{reason}; {set_to_magic(mock, f'{mocks.path_of(parent)}.return_value'.lstrip('.'))}"
    name = "it" if mock.root.unnamed else f"`{readable(mock)}`"
    return f"{reason}; make {name} a MagicMock, or await it in `{failure.calls[-1].function.name}`"


def _gives_coroutine(failure: Failure, mock: Mock) -> str:
    name = readable(mock)
    node = failure.place.node
    if mock.unnamed and isinstance(node, ast.Call):
        name = " ".join(failure.place.unit.source(node.func).split())
    return f"because `{name}` is an AsyncMock and calling it gives a coroutine"


def set_to_magic(mock: Mock, path: str) -> str:
    if mock.root.unnamed:
        return f"set its `{path}` to `MagicMock()`"
    return f"set `{mock.root.label}.{path} = MagicMock()`"


def make_magic(mock: Mock) -> str:
    return "make it a MagicMock" if mock.root.unnamed else f"make `{root_name(mock)}` a MagicMock"


_GIVEN_BY = re.compile(r"received an object from (__\w+__)")
"""The special method of which the runtime says that it gave something wrong."""


def unsupported_reason(context: Context, mock: Mock, magic: str, error: str) -> str:
    """Why a mock itself has no such magic method, or why what it gives is refused, and what to do."""
    given_by = _GIVEN_BY.search(error)
    if given_by is not None:
        method = f"{readable(mock)}.{given_by[1]}"
        if given_by[1] == "__aiter__":
            return f"give `{method}.return_value` the items"
        return f"make `{method}` an AsyncMock"
    spec = mock.spec
    if spec is not None and Shapes(context.simulation.resolver).has(spec, magic) is False:
        what = f"`{spec.entity.name}`" if spec.entity is not None else "the list of names"
        return f"its spec, {what}, has no `{magic}`"
    return make_magic(mock)


def by_handover(
    found: list[tuple[Outcome, Failure]],
) -> list[tuple[Place, list[tuple[Outcome, Failure]]]]:
    """Failures in code under test by the place where the test gave it the double."""
    groups: dict[object, tuple[Place, list[tuple[Outcome, Failure]]]] = {}
    for outcome, failure in found:
        if failure.handed is not None:
            groups.setdefault(failure.handed.key, (failure.handed, []))[1].append((outcome, failure))
    return list(groups.values())


def not_supported(
    rule: Rule, context: Context, misuse: Misuse, statement: str, magic: str
) -> Iterator[Finding]:
    """What ``async with`` and ``async for`` in a test run into: a coroutine, or a mock without the magic
    method."""
    found = failures(context, misuse, in_test=True)
    for _, failure in by_place(found):
        mock = mock_of(failure.subject)
        if mock is None:
            continue
        if isinstance(failure.subject, Coroutine):
            reason = f", {entered_reason(failure, mock)}"
            same = [pair for pair in found if is_same(pair[1], failure)]
            fixes = entered_child(context, failure, mock, same)
        else:
            reason = f"; {unsupported_reason(context, mock, magic, failure.error)}"
            group = of_root(found, mock.root)
            fixes = mocks.to_magic(context.simulation, mock.root, group)
        yield rule.finding(
            failure.place.unit.path,
            failure.place.span,
            f"`{statement} {source_of(failure)}` raises {failure.exception}: {failure.error}{reason}",
            related=(made_here(mock),),
            fixes=fixes,
        )
