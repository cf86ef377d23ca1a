"""US216: a double as the override of a FastAPI dependency, which takes parameters of the query from its signature."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_SENT = re.compile(r"""[?&]kwargs=|["']kwargs["']\s*[:,]|\bkwargs=""")
"""A test that sends what FastAPI asks for."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    seen: set[object] = set()
    for _, note in async_doubles.notes(context, Misuse.OVERRIDE, in_test=True):
        place, mock = note.place, note.subject
        if place.key in seen or not isinstance(mock, Mock) or _SENT.search(place.unit.text.content):
            continue
        seen.add(place.key)
        yield rule.finding(
            place.unit.path,
            place.span,
            f"every request that depends on `{note.detail}` is answered 422: FastAPI takes the signature of "
            f"{async_doubles.article(mock.type_name)}, `(*args, **kwargs)`, for two required parameters of the query; "
            f"{_advice(note)}",
            related=(async_doubles.made_here(mock),),
            fixes=_fixes(note),
        )


def _advice(note: Failure) -> str:
    instead = _instead(note)
    return "override it by a function" if "\n" in instead else f"override it by `{instead}`"


def _instead(note: Failure) -> str:
    """A function that gives what the double is to give."""
    node, unit = note.place.node, note.place.unit
    if isinstance(node, ast.Call) and not node.args and [k.arg for k in node.keywords] == ["return_value"]:
        return f"lambda: {unit.source(node.keywords[0].value)}"
    return f"lambda: {unit.source(node)}{note.error}"


def _fixes(note: Failure) -> tuple[Fix, ...]:
    place = note.place
    if not isinstance(place.node, (ast.Call, ast.Name, ast.Attribute)):
        return ()
    edit = Edit(place.unit.path, place.span, _instead(note))
    return (Fix("Override it by a function", Applicability.UNSAFE, (edit,)),)


RULE = Rule(
    "US216",
    "override-is-a-mock",
    Severity.WARNING,
    "a mock overrides a dependency of FastAPI, which takes the signature of a mock for parameters of the query",
    check,
    __name__,
)
