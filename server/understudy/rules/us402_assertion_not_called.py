"""US402: an assertion of a mock is looked at and not called, or what it returns is asserted."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.assertions import meant
from understudy.doubles.shapes import ASSERTIONS, AWAIT_ASSERTIONS
from understudy.doubles.state import Sight
from understudy.doubles.versions import FORBIDDEN_WITHOUT_PREFIX
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.rules.assertion_uses import Form, Use, corrected, fitting, looked_at_elsewhere, uses
from understudy.rules.base import Context, Rule
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for use in uses(context, Sight.ASSERTION):
        if use.name in ASSERTIONS or use.name in AWAIT_ASSERTIONS:
            yield from _assertion(rule, use)
        elif use.call is None and use.form in (Form.BARE, Form.COMPARED) and not use.name.startswith("__"):
            yield from _record(rule, use)
    for use in uses(context, Sight.LOOKALIKE):
        if use.form is Form.ASSERTED and use.name in FORBIDDEN_WITHOUT_PREFIX:
            if use.look.error or not looked_at_elsewhere(context, use):
                yield from _truth_of_a_child(rule, use)


def _assertion(rule: Rule, use: Use) -> Iterator[Finding]:
    """``m.assert_called_once`` without the call; ``assert m.assert_called_once()``."""
    if use.form is Form.BARE:
        message = f"`{use.source}` checks nothing, because it is not called"
        title, applicability = "Call it", Applicability.UNSAFE
    elif use.form is Form.ASSERTED and use.call is None:
        message = f"`{use.source}` is not called, and a method is always true: this passes whatever happened"
        title, applicability = "Call it", Applicability.UNSAFE
    elif use.form is Form.ASSERTED:
        message = (
            f"`{use.source}` checks by itself and returns None, so asserting what it returns raises "
            "AssertionError even when it holds"
        )
        title, applicability = "Leave only the call", Applicability.SAFE
    else:
        return
    fixes = corrected(use, use.name, title, applicability)
    advice = "; write it as a statement of its own" if use.call is not None else f"; write `{use.source}(…)`"
    if use.call is None and fixes:
        advice = f"; write `{use.source}()`"
    yield rule.finding(use.unit.path, _span(use), message + advice, related=(use.made_here,), fixes=fixes)


def _record(rule: Rule, use: Use) -> Iterator[Finding]:
    """``m.called`` or ``m.call_count == 1`` as a statement."""
    assert use.statement is not None
    span = use.unit.span(use.statement)
    source = " ".join(use.unit.source(use.statement).split())
    edit = Edit(use.unit.path, Span(span.row, span.column, span.row, span.column), "assert ")
    fix = Fix("Assert it", Applicability.UNSAFE, (edit,))
    yield rule.finding(
        use.unit.path,
        span,
        f"`{source}` checks nothing, because its value is thrown away; write `assert {source}`",
        related=(use.made_here,),
        fixes=(fix,),
    )


def _truth_of_a_child(rule: Rule, use: Use) -> Iterator[Finding]:
    """``assert m.called_once()``: no assertion, but the truth of a mock."""
    wanted = fitting(use, meant(use.name))
    what = f"`{use.source}`"
    if use.look.error:
        message = f"{what} raises AttributeError: {use.look.error.partition('. ')[0]}"
    else:
        message = f"{what} is true whatever happened, because `{use.name}` is no assertion but another mock"
    fixes: tuple[Fix, ...] = ()
    if wanted is not None:
        applicability = Applicability.SAFE if use.look.error else Applicability.UNSAFE
        fixes = corrected(use, wanted, f"Call `{wanted}`", applicability)
        message += f"; call `{wanted}` instead, without `assert`"
    yield rule.finding(use.unit.path, _span(use), message, related=(use.made_here,), fixes=fixes)


def _span(use: Use) -> Span:
    return use.unit.span(use.call or use.attribute)


RULE = Rule(
    "US402",
    "assertion-not-called",
    Severity.ERROR,
    "an assertion of a mock is not called, or the truth of what it gives is asserted",
    check,
    __name__,
)
