"""US411: ``Mock(name="…")`` names the mock itself, and its attribute ``name`` is used as that string."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Misuse
from understudy.doubles.values import Mock
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import mocks
from understudy.fixes.removal import element
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = [
        *async_doubles.notes(context, Misuse.NAME, in_test=True),
        *async_doubles.notes(context, Misuse.NAME, in_test=False),
    ]
    seen: set[object] = set()
    for _, note in found:
        mock = note.subject
        if not isinstance(mock, Mock) or mock.place.key in seen:
            continue
        keyword = _keyword(mock)
        if keyword is None:
            continue
        seen.add(mock.place.key)
        unit = mock.place.unit
        double = "its `name`" if mock.unnamed else f"`{async_doubles.readable(mock)}.name`"
        yield rule.finding(
            unit.path,
            unit.span(keyword),
            f"this names the mock, and sets no attribute: {double} is another mock, and is used as a string; set it "
            "in a statement of its own",
            related=(Related(note.place.unit.path, note.place.span, "used as a string here"),),
            fixes=_fixes(context, mock, keyword),
        )


def _keyword(mock: Mock) -> ast.keyword | None:
    """``name="…"`` in the call that makes the mock."""
    node = mock.place.node
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return next((each for each in keywords if each.arg == "name"), None)


def _fixes(context: Context, mock: Mock, keyword: ast.keyword) -> tuple[Fix, ...]:
    """Set it in a statement, and take the keyword away."""
    unit = mock.place.unit
    text = unit.source(keyword.value)
    assert isinstance(mock.place.node, ast.Call)
    setting = mocks.configure(context.simulation, mock, ["name"], text)
    if setting is None or mock.parent is not None:
        return ()
    cut = Edit(unit.path, element(unit.text, unit.span(keyword)), "")
    return (Fix(setting.title, Applicability.UNSAFE, (cut, *setting.edits)),)


RULE = Rule(
    "US411",
    "name-of-the-mock",
    Severity.WARNING,
    "`Mock(name=…)` names the mock itself; its attribute `name`, another mock, is used as that string",
    check,
    __name__,
)
