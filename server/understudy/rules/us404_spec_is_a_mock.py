"""US404: the spec of a mock is a mock already."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Look, Sight
from understudy.doubles.values import Mock
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.rules.async_doubles import readable
from understudy.rules.base import Context, Rule
from understudy.rules.looks import looks


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for look in looks(context, Sight.SPEC):
        place = look.place
        mock = look.mock
        written = " ".join(place.source.split())
        name = f"`{written}`"
        if isinstance(place.node, ast.Constant):
            # ``autospec=True``
            name = "what is patched"
        if look.error:
            happens = f"this raises InvalidSpecError: {look.error}, because {name} is a mock already"
        else:
            happens = (
                f"{name} is a mock already, and before Python 3.11 that makes a spec of the mock's own attributes; "
                "from 3.11 on it is refused with InvalidSpecError"
            )
        label = "" if mock.unnamed else f" `{readable(mock)}`"
        related = Related(mock.place.unit.path, mock.place.span, f"mocked here:{label or ' the spec'}")
        yield rule.finding(
            place.unit.path,
            place.span,
            f"{happens}; {_advice(mock)}",
            related=(related,),
            fixes=_same_spec(look) if look.error else (),
            severity=Severity.ERROR if look.error else Severity.WARNING,
        )


def _advice(mock: Mock) -> str:
    if mock.spec is not None and mock.spec.as_function:
        return "give the function itself, or patch it once"
    return "give the class itself, or a spec from before it was mocked"


def _same_spec(look: Look) -> tuple[Fix, ...]:
    """Give the spec that the mock itself was made with."""
    made, here = look.mock.place, look.place
    if (
        look.mock.parent is not None
        or made.unit.path != here.unit.path
        or not isinstance(made.node, ast.Call)
        or not isinstance(here.node, (ast.Name, ast.Attribute))
    ):
        return ()
    for keyword in made.node.keywords:
        if keyword.arg in ("spec", "spec_set") and isinstance(keyword.value, (ast.Name, ast.Attribute)):
            text = made.unit.source(keyword.value)
            edit = Edit(here.unit.path, here.span, text)
            return (Fix(f"Give it `{text}`", Applicability.SAFE, (edit,)),)
    return ()


RULE = Rule(
    "US404",
    "spec-is-a-mock",
    Severity.ERROR,
    "the `spec` or `autospec` of a mock is something that is a mock already",
    check,
    __name__,
)
