"""US111: ``new_callable`` is given a mock, and not the class of one: the patch calls it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Look, Sight
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.rules.async_doubles import article
from understudy.rules.base import Context, Rule
from understudy.rules.looks import looks
from understudy.rules.mock_calls import CONFIGURATION
from understudy.source.span import Span

_HAPPENS = {
    "raises": "entering the patch calls it, and that raises",
    "coroutine": "the attribute becomes the coroutine that calling it gives, which cannot be called",
    "value": "the attribute becomes the value that calling it gives, which cannot be called",
    "child": "the attribute becomes another mock, the result of calling it, without what is configured on it",
}


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for look in looks(context, Sight.FACTORY):
        kind = look.mock.kind.value
        place = look.place
        yield rule.finding(
            place.unit.path,
            place.span,
            f"`new_callable` is {article(kind)}, and not the class: {_HAPPENS[look.name]}; "
            f"give `new_callable={kind}` and its arguments to the patch, or the mock as `new`",
            related=_elsewhere(look),
            fixes=_unwrapped(look),
            severity=Severity.WARNING if look.name == "child" else Severity.ERROR,
        )


def _elsewhere(look: Look) -> tuple[Related, ...]:
    made = look.mock.place
    if made.key == look.place.key:
        return ()
    return (Related(made.unit.path, made.span, f"made here: {article(look.mock.kind.value)}"),)


def _unwrapped(look: Look) -> tuple[Fix, ...]:
    """``new_callable=AsyncMock(return_value=1)`` as ``new_callable=AsyncMock, return_value=1``."""
    made = look.place.node
    unit = look.place.unit
    if not isinstance(made, ast.Call) or made.args:
        return ()
    patch = next(
        (
            node
            for node in ast.walk(unit.node)
            if isinstance(node, ast.Call) and any(keyword.value is made for keyword in node.keywords)
        ),
        None,
    )
    given = {keyword.arg for keyword in made.keywords}
    if patch is None or not given <= CONFIGURATION or given & {keyword.arg for keyword in patch.keywords}:
        return ()
    factory = unit.source(made.func)
    whole, func = unit.span(made), unit.span(made.func)
    edits = []
    if not made.keywords:
        edits.append(Edit(unit.path, whole, factory))
    else:
        first, last = unit.span(made.keywords[0]), unit.span(made.keywords[-1])
        opening = Span(func.end_row, func.end_column, first.row, first.column)
        closing = Span(last.end_row, last.end_column, whole.end_row, whole.end_column)
        edits.append(Edit(unit.path, opening, ", "))
        edits.append(Edit(unit.path, closing, ""))
    applicability = Applicability.UNSAFE if look.name == "child" else Applicability.SAFE
    return (Fix(f"Give `{factory}` to the patch, with its arguments", applicability, tuple(edits)),)


RULE = Rule(
    "US111",
    "new-callable-is-an-instance",
    Severity.ERROR,
    "`new_callable` is a mock and not the class of one: the attribute becomes what calling it gives",
    check,
    __name__,
)
