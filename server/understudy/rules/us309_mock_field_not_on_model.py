"""US309: a double of a model is given, or asked, a field that the model has not."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.orm import attributes
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule
from understudy.rules.model_advice import advice_for
from understudy.rules.model_doubles import Double, WrongField, misnamed, wrong_fields

_RAISING = (Misuse.NOT_SUBSCRIPTABLE, Misuse.NOT_ITERABLE, Misuse.OPERATION, Misuse.WITH)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for wrong in wrong_fields(context):
        model, failure = wrong.double.model, _consequence(context, wrong)
        severity = None
        if wrong.read:
            reason = f"the mock raises AttributeError: `{model.name}` has no `{wrong.name}`"
        elif failure is not None:
            # US403 would report that one, and this is its cause.
            severity = Severity.ERROR
            reason = (
                f"`{model.name}` has no `{wrong.name}`, so `{async_doubles.source_of(failure)}` is another mock, and "
                f"what is done with it raises {failure.exception}"
            )
        else:
            reason = _given_reason(wrong.double, wrong.name)
        yield _finding(rule, context, wrong, reason, failure, severity)


def _consequence(context: Context, wrong: WrongField) -> Failure | None:
    """A failure of code that asks the double for the field which was meant."""
    for in_test in (True, False):
        for outcome, failure in async_doubles.failures(context, *_RAISING, in_test=in_test):
            if misnamed(context, outcome, failure) is wrong:
                return failure
    return None


def _given_reason(double: Double, name: str) -> str:
    if double.strict:
        return f"the mock refuses it with AttributeError: `{double.model.name}` has no `{name}`"
    return (
        f"`{double.model.name}` has no `{name}`, so the mock is given something that the code under test cannot "
        "rely on"
    )


def _finding(
    rule: Rule,
    context: Context,
    wrong: WrongField,
    reason: str,
    failure: Failure | None,
    severity: Severity | None,
) -> Finding:
    double, near = wrong.double, wrong.meant
    model = double.model
    related = [Related(model.entity.path, model.entity.span, f"`{model.name}` is declared here")]
    fixes: tuple[Fix, ...] = ()
    if near is not None:
        path, where = attributes.names(model).get(near, (model.entity.path, model.entity.span))
        related = [Related(path, where, f"`{near}` is declared here")]
        changed = Edit(wrong.edit.path, wrong.edit.span, wrong.edit.content.replace("{}", near))
        fixes = (Fix(f"Change to `{near}`", Applicability.UNSAFE, (changed,)),)
    if double.unit.path != context.path:
        made = Related(double.unit.path, double.unit.span(double.call), "the double is made here")
        related.append(made)
    if failure is not None:
        related.append(Related(failure.place.unit.path, failure.place.span, "this raises"))
    return rule.finding(
        context.path,
        wrong.span,
        f"{reason}; {advice_for(model, near)}",
        related=tuple(related),
        fixes=fixes,
        severity=severity,
    )


RULE = Rule(
    "US309",
    "mock-field-not-on-model",
    Severity.WARNING,
    "a double with `spec=Model` is given, or asked, a field that the model has not",
    check,
    __name__,
)
