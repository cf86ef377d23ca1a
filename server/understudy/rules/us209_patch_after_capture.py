"""US209: the object under test captured what is patched, before the patch was applied."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.binding.idle import Idle, Reason
from understudy.doubles.trace import Bypass, Way
from understudy.finding import Applicability, Finding, Fix, Related, Severity
from understudy.infer.entities import ClassEntity
from understudy.rules import idle_patches
from understudy.rules.base import Context, Rule
from understudy.rules.patch_calls import PatchCall


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for idle, call in idle_patches.written(context, Reason.CAPTURED):
        bypass = idle.bypasses[0]
        what = idle_patches.described(call)
        if bypass.way is Way.ATTRIBUTE and bypass.holder is not None:
            holder = f"`{bypass.holder.entity.name}.{bypass.name}`"
        elif bypass.way is Way.CLOSURE:
            holder = f"`{bypass.name}`, which the function has from the one around it,"
        else:
            holder = f"`{bypass.module.name}.{bypass.name}`"
        made, place = ("function", "name") if bypass.way is Way.CLOSURE else ("object", "attribute")
        fix = _fix(context, idle, call)
        yield rule.finding(
            context.path,
            idle_patches.span(call),
            f"patching `{what}` comes too late: {holder} was bound to the original before, and the code uses that; "
            f"enter the patch before the {made} is made, or patch the {place} that holds it",
            related=tuple(_related(context, idle)),
            fixes=(fix,) if fix is not None else (),
        )


def _related(context: Context, idle: Idle) -> Iterator[Related]:
    bypass = idle.bypasses[0]
    if bypass.holder is not None:
        for cls in context.resolver.ancestry(bypass.holder.entity).classes:
            yield from _captures(context, cls, bypass.name)
    yield from idle_patches.related(context, idle)


def _captures(context: Context, cls: ClassEntity, name: str) -> Iterator[Related]:
    """Where methods of the class set the attribute."""
    for unit in context.workspace.parsed(cls.path).units:
        if unit.row == cls.row:
            for node in ast.walk(unit.node):
                if (
                    isinstance(node, ast.Attribute)
                    and node.attr == name
                    and isinstance(node.ctx, ast.Store)
                    and isinstance(node.value, ast.Name)
                ):
                    yield Related(
                        cls.path, unit.span(node), f"`{name}` is bound here, when the object is made"
                    )


def _fix(context: Context, idle: Idle, call: PatchCall) -> Fix | None:
    """Patch the attribute of the object that the test calls, where that is the one that holds the original
    itself (and not an object that the original has made)."""
    bypass = idle.bypasses[0]
    if bypass.way is not Way.ATTRIBUTE:
        return None
    name = _entry(context, bypass)
    if name is None or any((b.holder, b.name) != (bypass.holder, bypass.name) for b in idle.bypasses):
        return None
    if isinstance(idle.patch.original, ClassEntity) or call.form == "setattr":
        return None
    row = _bound_row(context, call, name)
    if row is None or row >= call.site.unit.span(call.call).row:
        return None
    edits = idle_patches.aim_at_attribute(context, call, name, bypass.name)
    if not edits:
        return None
    return Fix(f"Patch `{name}.{bypass.name}`", Applicability.UNSAFE, edits)


def _entry(context: Context, bypass: Bypass) -> str | None:
    """The variable of the test through which it calls the object that holds the original."""
    if not bypass.calls or bypass.holder is None:
        return None
    first = bypass.calls[0]
    node = first.place.node
    if first.place.unit.path != context.path or first.function.bound is not bypass.holder:
        return None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    ):
        return node.func.value.id
    return None


def _bound_row(context: Context, call: PatchCall, name: str) -> int | None:
    """The row where the function around the patch binds the variable, once."""
    function = call.site.scope.function
    if function is None:
        return None
    rows = [
        call.site.unit.span(node).row
        for statement in function.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    ]
    args = function.args
    rows.extend(call.site.unit.span(a).row for a in (*args.args, *args.kwonlyargs) if a.arg == name)
    return rows[0] if len(rows) == 1 else None


RULE = Rule(
    "US209",
    "patch-after-capture",
    Severity.WARNING,
    "the instance under test captured the object (constructor, attribute, closure) before the patch was applied",
    check,
    __name__,
)
