"""US412: what a double was told to give is a plain value, and is called, or asked for an attribute that it has not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock, Place
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    seen: set[object] = set()
    for in_test in (True, False):
        for _, failure in async_doubles.failures(context, Misuse.GIVEN_VALUE, in_test=in_test):
            mock = failure.subject
            assert isinstance(mock, Mock)
            written = failure.instead if failure.instead is not None else failure.handed
            place = failure.place if in_test else written
            if place is None or (place.key, failure.error) in seen:
                continue
            seen.add((place.key, failure.error))
            related = [async_doubles.made_here(mock)]
            if not in_test:
                related.append(Related(failure.place.unit.path, failure.place.span, "used here"))
            yield rule.finding(
                place.unit.path,
                place.span,
                _message(failure, mock),
                related=tuple(related),
                fixes=tuple(_fixes(failure)),
            )


def _message(failure: Failure, mock: Mock) -> str:
    used = async_doubles.source_of(failure)
    inside = not failure.in_test and failure.calls
    who = f"`{failure.calls[-1].function.name}` uses `{used}`, which" if inside else "this"
    double = async_doubles.readable(mock)
    if failure.exception == "AttributeError":
        why = f"that is what `{double}` gives; let it give a double, or an object, that has it"
    elif failure.detail:
        wanted = f"{async_doubles.writable(mock)}.{failure.detail}.return_value"
        why = f"`{double}.{failure.detail}` is that value itself; set `{wanted}` to it"
    else:
        why = f"that is what `{double}` gives; let it give a double, or a function"
    return f"{who} raises {failure.exception}: {failure.error}, because {why}"


def _fixes(failure: Failure) -> Iterator[Fix]:
    """``response.json.return_value = …`` in place of ``response.json = …``."""
    place = failure.instead
    if failure.exception == "AttributeError" or place is None:
        return
    for node in ast.walk(place.unit.node):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if target is place.node and isinstance(target, ast.Attribute) and target.attr == failure.detail:
                span = place.unit.span(target)
                edit = Edit(place.unit.path, Span.at(span.end_row, span.end_column), ".return_value")
                applicability = Applicability.SAFE if _is_in_test(place) else Applicability.UNSAFE
                yield Fix(f"Set `{target.attr}.return_value`", applicability, (edit,))


def _is_in_test(place: Place) -> bool:
    return any(
        isinstance(test, (ast.FunctionDef, ast.AsyncFunctionDef))
        and test.name.startswith("test")
        and any(child is place.node for child in ast.walk(test))
        for test in ast.walk(place.unit.node)
    )


RULE = Rule(
    "US412",
    "plain-value-from-double",
    Severity.ERROR,
    "what a double was told to give is a plain value, and is called, or asked for an attribute that it has not",
    check,
    __name__,
)
