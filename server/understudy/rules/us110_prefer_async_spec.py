"""US110: a MagicMock has the spec of a class whose methods are mostly coroutine functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.doubles.run import Outcome
from understudy.doubles.shapes import Shapes
from understudy.doubles.state import Look, Sight
from understudy.doubles.values import MockKind
from understudy.finding import Finding, Related, Severity
from understudy.fixes import mocks
from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.rules.base import Context, Rule
from understudy.rules.looks import all_looks

_FEWEST = 2
"""Of a class with one method, nothing is mostly anything."""
_KINDS = (MockKind.MOCK, MockKind.MAGIC)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    awaited: dict[object, list[tuple[Outcome, Look]]] = {}
    for outcome, look in all_looks(context, Sight.AWAITED):
        if look.mock.kind in _KINDS:
            awaited.setdefault(look.mock.place.key, []).append((outcome, look))
    for pairs in awaited.values():
        outcomes = list({id(outcome): outcome for outcome, _ in pairs}.values())
        look = pairs[0][1]
        root = look.mock
        entity = root.spec.entity if root.spec is not None else None
        if not isinstance(entity, ClassEntity) or not isinstance(root.place.node, ast.Call):
            continue
        coroutines, others = _methods(context, entity)
        if len(coroutines) < _FEWEST or len(coroutines) <= len(others):
            continue
        fix = mocks.prefer_async(context.simulation, root, outcomes)
        if fix is None:
            continue
        kind = root.kind.value
        yield rule.finding(
            root.place.unit.path,
            root.place.unit.span(root.place.node.func),
            f"{len(coroutines)} of the {len(coroutines) + len(others)} methods of `{entity.name}` are coroutine "
            f"functions; an AsyncMock with that spec says what is meant, and behaves as this {kind} does",
            related=(Related(look.place.unit.path, look.place.span, "awaited here"),),
            fixes=(fix,),
        )


def _methods(context: Context, entity: ClassEntity) -> tuple[set[str], set[str]]:
    """The names of the public methods of a class that are coroutine functions, and of the others."""
    shapes = Shapes(context.resolver)
    coroutines: set[str] = set()
    others: set[str] = set()
    for cls in context.resolver.ancestry(entity).classes:
        for declaration in cls.declaration.body:
            name = getattr(declaration, "name", "")
            if not name or name.startswith("_") or name in coroutines or name in others:
                continue
            found = context.resolver.own_attribute(cls, name)
            if isinstance(found, FunctionEntity):
                (coroutines if shapes.is_coroutine_function(found) else others).add(name)
    return coroutines, others


RULE = Rule(
    "US110",
    "prefer-async-spec",
    Severity.HINT,
    "a Mock or MagicMock with the spec of a class whose methods are mostly coroutine functions",
    check,
    __name__,
)
