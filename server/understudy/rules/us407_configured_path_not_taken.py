"""US407: what a test configures on a double is never called; the code under test takes a path near it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Mock, Place
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule
from understudy.source.span import Span

_STEP = re.compile(r"\.\w+|\(\)")
_MOST_EXTRA = 4
"""A path that is longer by more steps is another one: two calls, each an attribute and its call."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    seen: set[object] = set()
    for outcome, note in async_doubles.notes(context, Misuse.UNTAKEN, in_test=True):
        place, instead = note.place, note.instead
        if instead is None or not isinstance(note.subject, Mock):
            continue
        written = _Written.at(place, note.error)
        key = (place.unit.path, written.span)
        if key in seen:
            continue
        if not _is_near(note.error, note.detail) or _on_purpose(outcome, note):
            continue
        seen.add(key)
        root = note.subject.root.label
        yield rule.finding(
            place.unit.path,
            written.span,
            f"`{root}{note.error}` is configured here and never called: the code under test calls "
            f"`{root}{note.detail}()`, which is not configured; configure that, or leave this out",
            related=(
                async_doubles.made_here(note.subject),
                Related(instead.unit.path, instead.span, "this is called instead"),
            ),
            fixes=_fixes(note, written),
        )


@dataclass(frozen=True)
class _Written:
    """Where a path is configured, and where its last name stands."""

    span: Span
    name: Span | None

    @classmethod
    def at(cls, place: Place, path: str) -> _Written:
        node, unit = place.node, place.unit
        last = path.rpartition(".")[2]
        if isinstance(node, ast.Call):
            for key, value in _keywords(node):
                if _path_of(value) != path:
                    continue
                if isinstance(key, ast.keyword):
                    return cls(unit.keyword_span(key), unit.keyword_span(key) if value == last else None)
                start = len(_double_in(value)) - len(last)
                name = unit.string_span(key, start, start + len(last))
                return cls(unit.span(key), name if unit.text.slice(name) == last else None)
            return cls(place.span, None)
        if isinstance(node, ast.Attribute) and node.attr in ("return_value", "side_effect"):
            # ``handler.generate`` of the target ``handler.generate.return_value``.
            node = node.value
        inner = Place(unit, node)
        name = async_doubles.attribute_span(inner)
        return cls(inner.span, name if unit.text.slice(name) == last else None)


def _keywords(call: ast.Call) -> Iterator[tuple[ast.keyword | ast.Constant, str]]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword, keyword.arg
        elif isinstance(keyword.value, ast.Dict):
            for key in keyword.value.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key, key.value


def _double_in(key: str) -> str:
    """``query.return_value.first`` for ``query.return_value.first.side_effect``"""
    owner, _, last = key.rpartition(".")
    return owner if last in ("return_value", "side_effect") else key


def _path_of(key: str) -> str:
    """``.query().first`` for it"""
    return f".{_double_in(key)}".replace(".return_value", "()")


def _is_near(configured: str, called: str) -> bool:
    """Do the paths differ in a last name that is alike, or in calls that one of them has more?"""
    one, other = _STEP.findall(configured), _STEP.findall(called)
    if not one or not other or "()" in (one[-1], other[-1]) or "__" in configured:
        # Special methods are called by statements and operators.
        return False
    if one[:-1] == other[:-1]:
        return nearest(one[-1][1:], [other[-1][1:]]) is not None
    if other == ["()", *one]:
        # The class is configured, and its instance is used.
        return True
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


def _fixes(note: Failure, written: _Written) -> tuple[Fix, ...]:
    """The name that is called, where only the last one differs."""
    one, other = _STEP.findall(note.error), _STEP.findall(note.detail)
    if other == ["()", *one] and len(one) == 1 and written.name is not None:
        if isinstance(note.place.node, ast.Call):
            return ()
        before = Span.at(written.name.row, written.name.column)
        edit = Edit(note.place.unit.path, before, "return_value.")
        return (Fix("Configure the instance", Applicability.UNSAFE, (edit,)),)
    if written.name is None or one[:-1] != other[:-1]:
        return ()
    wanted = other[-1][1:]
    edit = Edit(note.place.unit.path, written.name, wanted)
    return (Fix(f"Configure `{wanted}`", Applicability.UNSAFE, (edit,)),)


RULE = Rule(
    "US407",
    "configured-path-not-taken",
    Severity.WARNING,
    "what a test configures on a double is never called; the code under test takes a path near it",
    check,
    __name__,
)
