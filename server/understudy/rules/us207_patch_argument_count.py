"""US207: more or fewer mocks are handed over than there are parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.removal import element
from understudy.rules.base import Context, Rule
from understudy.rules.expected import expected
from understudy.rules.injected import Decorated, decorated, name_for, says
from understudy.rules.patch_calls import PatchCall
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for test in decorated(context):
        if test.takes_any or test.by_keyword or expected(context, test.site, "TypeError"):
            continue
        displaced = [arg for arg in test.parameters[: len(test.calls)] if arg.arg in test.filled]
        if len(test.calls) > len(test.parameters):
            yield _too_many(rule, context, test)
        elif displaced and not test.is_unittest:
            yield _displaced(rule, context, test, displaced[0])
        else:
            missing = _without_mock(context, test)
            if missing:
                yield _too_few(rule, context, test, missing)


def _without_mock(context: Context, test: Decorated) -> list[ast.arg]:
    """Parameters that nothing fills. pytest may know fixtures of plugins: there, only a parameter that is
    named for a patch with a ``new`` of its own counts."""
    if test.is_open:
        return []
    rest = [
        arg
        for arg in test.parameters[len(test.calls) :]
        if arg.arg not in test.filled and arg.arg not in test.defaulted
    ]
    if test.is_unittest:
        return rest
    return [
        arg
        for arg in rest
        if any(says(arg.arg, call) for call in test.replacing) and not test.is_fixture(context, arg.arg)
    ]


def _too_many(rule: Rule, context: Context, test: Decorated) -> Finding:
    unit = test.site.unit
    own = 0 if test.owner is None else 1
    takes, given = len(test.parameters) + own, len(test.calls) + own
    plural = "argument" if takes == 1 else "arguments"
    fix = _add(context, test)
    return rule.finding(
        context.path,
        unit.name_span(test.node),
        f"this test raises TypeError: {test.node.name}() takes {takes} positional {plural} but {given} were given; "
        "each `patch` without `new` hands over a mock, so add a parameter for it",
        related=tuple(
            Related(context.path, unit.span(call.call), "hands over a mock") for call in test.calls
        ),
        fixes=(fix,) if fix is not None else (),
    )


def _displaced(rule: Rule, context: Context, test: Decorated, parameter: ast.arg) -> Finding:
    """The first parameters are for mocks, whatever they are called: pytest does not ask for a value of theirs
    (``_pytest.compat.getfuncargnames``)."""
    unit = test.site.unit
    count = len(test.calls)
    mocks = [
        arg for arg in test.parameters if arg.arg not in test.filled and not test.is_fixture(context, arg.arg)
    ]
    fixes: tuple[Fix, ...] = ()
    if len(mocks) == count:
        order = [*mocks, *(arg for arg in test.parameters if arg not in mocks)]
        edits = tuple(
            Edit(context.path, unit.span(old), unit.source(new))
            for old, new in zip(test.parameters, order, strict=True)
            if old is not new
        )
        if not test.defaulted:
            fixes = (Fix("Put the parameters for mocks first", Applicability.SAFE, edits),)
    first = "parameter is" if count == 1 else f"{count} parameters are"
    return rule.finding(
        context.path,
        unit.span(parameter),
        f"pytest cannot collect this test: function uses no argument '{parameter.arg}', because the first {first} for "
        "what `patch` hands over; put the parameters for mocks first",
        related=tuple(
            Related(context.path, unit.span(call.call), "hands over a mock") for call in test.calls
        ),
        fixes=fixes,
    )


def _too_few(rule: Rule, context: Context, test: Decorated, missing: list[ast.arg]) -> Finding:
    unit = test.site.unit
    names = ", ".join(f"`{arg.arg}`" for arg in missing)
    call = next((c for c in test.replacing if any(says(arg.arg, c) for arg in missing)), None)
    if test.is_unittest:
        error = f"this test raises TypeError: nothing is handed over for {names}"
    else:
        error = f"pytest fails with a fixture that is not found: nothing is handed over for {names}"
    reason = (
        "a `patch` with `new` hands over no mock" if call is not None else "each `patch` hands over one mock"
    )
    fix = _remove(context, test, missing)
    return rule.finding(
        context.path,
        unit.name_span(test.node),
        f"{error}; {reason}, so remove the parameter or the `new`"
        if call is not None
        else f"{error}; {reason}, so remove the parameter or add a `patch`",
        related=(Related(context.path, unit.span(call.call), "hands over nothing"),)
        if call is not None
        else (),
        fixes=(fix,) if fix is not None else (),
    )


def _add(context: Context, test: Decorated) -> Fix | None:
    """Add parameters for the mocks that have none: in their places where the others are named for theirs, else
    below the others, in front of the fixtures."""
    mocks = [
        arg
        for arg in test.parameters
        if any(says(arg.arg, c) for c in test.calls) or not _known(context, test, arg)
    ]
    if list(test.parameters[: len(mocks)]) != mocks or any(arg.arg in test.filled for arg in mocks):
        return None
    fitting = _fitting(test, mocks)
    taken = {arg.arg for arg in test.node.args.args} | {arg.arg for arg in test.node.args.kwonlyargs}
    unit, path = test.site.unit, context.path
    edits: list[Edit] = []
    following: dict[int, list[str]] = {}
    position = 0
    for index, call in enumerate(test.calls):
        if index in fitting:
            position += 1
        else:
            name = _free(call, taken)
            taken.add(name)
            following.setdefault(position, []).append(name)
    everything = [*test.node.args.posonlyargs, *test.node.args.args]
    offset = len(everything) - len(test.parameters)
    for position, names in following.items():
        at = position + offset
        text = ", ".join(names)
        if at < len(everything):
            span = unit.span(everything[at])
            edits.append(Edit(path, Span.at(span.row, span.column), f"{text}, "))
        elif everything:
            span = unit.span(everything[-1])
            edits.append(Edit(path, Span.at(span.end_row, span.end_column), f", {text}"))
        else:
            span = unit.name_span(test.node)
            rest = unit.text.line(span.row)[span.end_column :]
            if not rest.startswith("("):
                return None
            comma = "" if rest.startswith("()") else ", "
            edits.append(Edit(path, Span.at(span.end_row, span.end_column + 1), f"{text}{comma}"))
    plural = "parameter" if sum(map(len, following.values())) == 1 else "parameters"
    names_text = ", ".join(f"`{name}`" for names in following.values() for name in names)
    return Fix(f"Add the {plural} {names_text}", Applicability.UNSAFE, tuple(edits))


def _known(context: Context, test: Decorated, arg: ast.arg) -> bool:
    return arg.arg in test.filled or test.is_fixture(context, arg.arg)


def _fitting(test: Decorated, mocks: list[ast.arg]) -> set[int]:
    """The patches that have a parameter already."""
    fitting: set[int] = set()
    start = 0
    for arg in mocks:
        found = [i for i in range(start, len(test.calls)) if says(arg.arg, test.calls[i])]
        if not found:
            return set(range(len(mocks)))
        fitting.add(found[0])
        start = found[0] + 1
    return fitting


def _free(call: PatchCall, taken: set[str]) -> str:
    name = name_for(call)
    number = 2
    while name in taken:
        name = f"{name_for(call)}_{number}"
        number += 1
    return name


def _remove(context: Context, test: Decorated, missing: list[ast.arg]) -> Fix | None:
    """Remove parameters that the test does not use."""
    names = {arg.arg for arg in missing}
    for statement in test.node.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in names:
                return None
    start = test.parameters.index(missing[0])
    if list(test.parameters[start : start + len(missing)]) != missing:
        # Others stand between them.
        return None
    unit = test.site.unit
    first, last = unit.span(missing[0]), unit.span(missing[-1])
    plural = "parameter" if len(missing) == 1 else "parameters"
    names_text = ", ".join(f"`{arg.arg}`" for arg in missing)
    whole = Span(first.row, first.column, last.end_row, last.end_column)
    return Fix(
        f"Remove the {plural} {names_text}",
        Applicability.UNSAFE,
        (Edit(context.path, element(unit.text, whole), ""),),
    )


RULE = Rule(
    "US207",
    "patch-argument-count",
    Severity.ERROR,
    "more or fewer injected mocks than parameters (`new=` injects nothing)",
    check,
    __name__,
)
