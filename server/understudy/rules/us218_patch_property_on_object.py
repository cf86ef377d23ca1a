"""US218: a property is patched on an object, and can only be patched on its class."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Instance
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.rules import async_doubles
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    found = async_doubles.failures(context, Misuse.READ_ONLY, in_test=True)
    for _, failure in async_doubles.by_place(found):
        owner, call = failure.subject, failure.place.node
        if not isinstance(owner, Instance) or not isinstance(call, ast.Call):
            continue
        unit, name = failure.place.unit, failure.detail
        named = call.args[1] if len(call.args) > 1 else call
        where = "when it is left" if failure.error == "deleter" else "when it is entered"
        if _is_monkeypatch(call):
            where = "here"
        yield rule.finding(
            unit.path,
            unit.span(named),
            f"this raises AttributeError {where}: `{owner.entity.name}.{name}` is a property without a "
            f"{failure.error}, which no object can replace; patch the class, with a PropertyMock",
            related=tuple(_related(context, owner, name)),
            fixes=tuple(_fixes(context, failure, call)),
        )


def _is_monkeypatch(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "setattr"


def _related(context: Context, owner: Instance, name: str) -> Iterator[Related]:
    for cls in context.resolver.ancestry(owner.entity).classes:
        for declaration in context.resolver.declared(cls, name)[:1]:
            if isinstance(declaration, model.Function):
                yield Related(cls.path, declaration.span.shifted(cls.row), "the property")
                return


def _fixes(context: Context, failure: Failure, call: ast.Call) -> Iterator[Fix]:
    """Replace it on the class: for all objects."""
    unit = failure.place.unit
    parsed = context.workspace.parsed(unit.path)
    new = call.args[2] if len(call.args) == 3 else None
    if len(call.args) < 2 or len(call.args) > 3 or call.keywords:
        return
    owner, name = unit.source(call.args[0]), unit.source(call.args[1])
    func = unit.source(call.func)
    if _is_monkeypatch(call):
        if new is not None:
            text = f"{func}(type({owner}), {name}, property(lambda _: {unit.source(new)}))"
            yield Fix("Set it on the class", Applicability.UNSAFE, (Edit(unit.path, unit.span(call), text),))
        return
    spelling = imports.from_module(parsed, "unittest.mock", "PropertyMock")
    if spelling is None:
        return
    value = f", return_value={unit.source(new)}" if new is not None else ""
    text = f"{func}(type({owner}), {name}, new_callable={spelling.text}{value})"
    edits = (Edit(unit.path, unit.span(call), text), *spelling.edits)
    yield Fix("Patch it on the class", Applicability.UNSAFE, edits)


RULE = Rule(
    "US218",
    "patch-property-on-object",
    Severity.ERROR,
    "a property is patched on an object: it has no setter, or no deleter for the end of the patch",
    check,
    __name__,
)
