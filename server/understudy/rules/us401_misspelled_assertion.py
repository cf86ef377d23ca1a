"""US401: a test calls an assertion of a mock by a name that is none: it raises, or checks nothing."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.assertions import meant
from understudy.doubles.state import Sight
from understudy.doubles.versions import FORBIDDEN_WITHOUT_PREFIX
from understudy.finding import Applicability, Finding, Severity
from understudy.rules.assertion_uses import Form, Use, corrected, fitting, looked_at_elsewhere, uses
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for use in uses(context, Sight.LOOKALIKE):
        if use.form is Form.ASSERTED and use.name in FORBIDDEN_WITHOUT_PREFIX:
            continue
        error = use.look.error
        if not error and (use.form is Form.OTHER or looked_at_elsewhere(context, use)):
            continue
        wanted = fitting(use, meant(use.name))
        applicability = Applicability.SAFE if error else Applicability.UNSAFE
        fixes = corrected(use, wanted, f"Write `{wanted}`", applicability) if wanted is not None else ()
        yield rule.finding(
            use.unit.path, use.name_span, _message(use, wanted), related=(use.made_here,), fixes=fixes
        )


def _message(use: Use, wanted: str | None) -> str:
    if not use.look.error:
        advice = f"; write `{wanted}`" if wanted is not None else ""
        return (
            f"`{use.source}` passes whatever happened, because `{use.name}` is no assertion: "
            f"the mock makes an attribute of it{advice}"
        )
    reason = f"`{use.source}` raises AttributeError: {use.look.error.partition('. ')[0]}"
    if wanted is not None:
        return f"{reason}; write `{wanted}`"
    return f"{reason}; if it is meant to be an attribute, make the mock with a spec that has it or with `unsafe=True`"


RULE = Rule(
    "US401",
    "misspelled-assertion",
    Severity.ERROR,
    "the name of an assertion on a mock is misspelled: it raises, or passes whatever happened",
    check,
    __name__,
)
