"""US206: the parameters are named in another order than the decorators hand their mocks over."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.rules.base import Context, Rule
from understudy.rules.injected import Decorated, decorated, says, says_owner


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for test in decorated(context):
        order = _order(test)
        if order is not None:
            yield _finding(rule, context, test, order)


def _order(test: Decorated) -> dict[int, int] | None:
    """The parameters that are named for the patch of another position, each with that position; None unless
    they change places among themselves and nothing else is doubtful."""
    count = len(test.calls)
    if len(test.parameters) < count or count < 2:
        return None
    wrong: dict[int, int] = {}
    for index in range(count):
        name = test.parameters[index].arg
        said = [other for other, call in enumerate(test.calls) if says(name, call)]
        said = said or [other for other, call in enumerate(test.calls) if says_owner(name, call)]
        if index in said or not said:
            continue
        if len(said) > 1:
            return None
        wrong[index] = said[0]
    if not wrong or set(wrong) != set(wrong.values()):
        return None
    return wrong


def _finding(rule: Rule, context: Context, test: Decorated, order: dict[int, int]) -> Finding:
    unit = test.site.unit
    index, wanted = next(iter(order.items()))
    name = test.parameters[index].arg
    alike = _used_alike(test, order)
    effect = "the test configures and checks the wrong mocks"
    if alike:
        effect = "which does no harm as long as the test treats them alike"
    return rule.finding(
        context.path,
        unit.name_span(test.node),
        f"decorators hand over their mocks from the bottom up, so `{name}` is the mock of "
        f"`{_target(test, index)}`, not of `{_target(test, wanted)}`: {effect}; put the parameters in the order of "
        "the decorators, the lowest first",
        severity=Severity.WARNING if alike else None,
        related=tuple(
            Related(
                context.path,
                unit.span(test.calls[index].call),
                f"its mock is handed over as `{test.parameters[index].arg}`",
            )
            for index in sorted(order)
        ),
        fixes=tuple(_fixes(context, test, order)),
    )


def _target(test: Decorated, index: int) -> str:
    call = test.calls[index]
    if call.target is not None:
        return call.path
    assert call.owner is not None
    return f"{ast.unparse(call.owner)}.{call.name}"


def _used_alike(test: Decorated, order: dict[int, int]) -> bool:
    """Would the test be the same if the mocks changed places?"""
    uses = []
    for index in order:
        name = test.parameters[index].arg
        found = []
        for statement in test.node.body:
            for node in ast.walk(statement):
                if isinstance(node, (ast.Expr, ast.Assign, ast.Assert, ast.Return, ast.withitem)):
                    if any(isinstance(child, ast.Name) and child.id == name for child in ast.walk(node)):
                        found.append(ast.unparse(_Renamed(name).visit(ast.parse(ast.unparse(node)))))
        rest = any(
            isinstance(node, ast.Name) and node.id == name for s in test.node.body for node in ast.walk(s)
        )
        if rest and not found:
            return False
        uses.append(sorted(found))
    return all(use == uses[0] for use in uses[1:])


class _Renamed(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name("_", node.ctx) if node.id == self.name else node


def _fixes(context: Context, test: Decorated, order: dict[int, int]) -> Iterator[Fix]:
    unit = test.site.unit
    parameters, calls = test.parameters, test.calls
    yield Fix(
        "Put the parameters in the order of the decorators",
        Applicability.UNSAFE,
        tuple(
            Edit(context.path, unit.span(parameters[wanted]), unit.source(parameters[index]))
            for index, wanted in order.items()
        ),
    )
    own = {id(decorator) for decorator in test.node.decorator_list}
    if all(id(calls[index].call) in own for index in order):
        yield Fix(
            "Put the decorators in the order of the parameters",
            Applicability.UNSAFE,
            tuple(
                Edit(context.path, unit.span(calls[index].call), unit.source(calls[wanted].call))
                for index, wanted in order.items()
            ),
        )


RULE = Rule(
    "US206",
    "patch-argument-order",
    Severity.ERROR,
    "decorators inject bottom-up; the parameter names say another order",
    check,
    __name__,
)
