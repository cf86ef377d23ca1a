"""US407: what a test configures on a double is never called; the code under test takes a path near it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock, Place
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule

_STEP = re.compile(r"\.\w+|\(\)")
_MOST_EXTRA = 4
"""A path that is longer by more steps is another one: two calls, each an attribute and its call."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    seen: set[object] = set()
    for outcome, note in async_doubles.notes(context, Misuse.UNTAKEN, in_test=True):
        place, instead = _configured(note.place), note.instead
        if place.key in seen or instead is None or not isinstance(note.subject, Mock):
            continue
        if not _is_near(note.error, note.detail) or _on_purpose(outcome, note):
            continue
        seen.add(place.key)
        root = note.subject.root.label
        yield rule.finding(
            place.unit.path,
            place.span,
            f"`{root}{note.error}` is configured here and never called: the code under test calls "
            f"`{root}{note.detail}()`, which is not configured; configure that, or leave this out",
            related=(
                async_doubles.made_here(note.subject),
                Related(instead.unit.path, instead.span, "this is called instead"),
            ),
            fixes=_fixes(note, place),
        )


def _configured(target: Place) -> Place:
    """``handler.generate`` of the target ``handler.generate.return_value``."""
    return Place(target.unit, target.node.value) if isinstance(target.node, ast.Attribute) else target


def _is_near(configured: str, called: str) -> bool:
    """Do the paths differ in a last name that is alike, or in calls that one of them has more?"""
    one, other = _STEP.findall(configured), _STEP.findall(called)
    if not one or not other or "()" in (one[-1], other[-1]) or "__" in configured:
        # Special methods are called by statements and operators.
        return False
    if one[:-1] == other[:-1]:
        return nearest(one[-1][1:], [other[-1][1:]]) is not None
    short, long = sorted((one, other), key=len)
    if one[0] != other[0] or one[-1] != other[-1] or not 0 < len(long) - len(short) <= _MOST_EXTRA:
        return False
    rest = iter(long)
    return all(step in rest for step in short)


def _on_purpose(outcome: Outcome, note: Failure) -> bool:
    """Does the test expect an error, or say that the path is not taken?"""
    test = outcome.test.unit.source(outcome.test.node)
    name = note.error.rpartition(".")[2]
    return "aises" in test or re.search(rf"\b{name}\.(assert_not_|called\b|call_count)", test) is not None


def _fixes(note: Failure, place: Place) -> tuple[Fix, ...]:
    """The name that is called, where only the last one differs."""
    one, other = _STEP.findall(note.error), _STEP.findall(note.detail)
    span = async_doubles.attribute_span(place)
    if one[:-1] != other[:-1] or place.unit.text.slice(span) != one[-1][1:]:
        return ()
    wanted = other[-1][1:]
    return (Fix(f"Configure `{wanted}`", Applicability.UNSAFE, (Edit(place.unit.path, span, wanted),)),)


RULE = Rule(
    "US407",
    "configured-path-not-taken",
    Severity.WARNING,
    "what a test configures on a double is never called; the code under test takes a path near it",
    check,
    __name__,
)
