"""US209: the object under test captured what is patched, before the patch was applied."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.binding.idle import Idle, Reason
from understudy.binding.names import spoken
from understudy.doubles.trace import Bypass, Way
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.infer.entities import ClassEntity, ValueEntity
from understudy.rules import idle_patches
from understudy.rules.base import Context, Rule
from understudy.rules.patch_calls import PatchCall
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for idle, call in idle_patches.written(context, Reason.CAPTURED):
        bypass = idle.bypasses[0]
        what = idle_patches.described(call)
        if bypass.way is Way.ATTRIBUTE and bypass.holder is not None:
            holder = f"`{bypass.holder.entity.name}.{bypass.name}`"
        elif bypass.way is Way.CLOSURE:
            holder = f"`{bypass.name}`, which the function has from the one around it,"
        else:
            holder = f"`{spoken(context.resolver, context.module, bypass.module)}.{bypass.name}`"
        made, place = ("function", "name") if bypass.way is Way.CLOSURE else ("object", "attribute")
        fixes = (_fix(context, idle, call), _made_later(context, idle, call))
        yield rule.finding(
            context.path,
            idle_patches.span(call),
            f"patching `{what}` comes too late: {holder} was bound to the original before, and the code uses that; "
            f"enter the patch before the {made} is made, or patch the {place} that holds it",
            related=tuple(_related(context, idle)),
            fixes=tuple(fix for fix in fixes if fix is not None),
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
    """Patch the attribute of the object that the code calls, where that is the one that holds the original
    itself (and not an object that the original has made): a variable of the test, or of a module."""
    bypass = idle.bypasses[0]
    if bypass.way is not Way.ATTRIBUTE:
        return None
    if any((b.holder, b.name) != (bypass.holder, bypass.name) for b in idle.bypasses):
        return None
    if isinstance(idle.patch.original, ClassEntity) or call.form == "setattr":
        return None
    if idle.patch.spot[0] == "class" and not isinstance(call.argument("new"), (ast.Call, type(None))):
        # A function in a class is handed the object, one in the object is not.
        return None
    name = _entry(context, bypass)
    row = _bound_row(context, call, name) if name is not None else None
    edits: tuple[Edit, ...] = ()
    if name is not None and row is not None and row < call.site.unit.span(call.call).row:
        edits = idle_patches.aim_at_attribute(context, call, name, bypass.name)
    else:
        name = _variable(context, bypass)
        if name is not None:
            edits = idle_patches.aim(context, call, f"{name}.{bypass.name}")
    if not edits:
        return None
    return Fix(f"Patch `{name}.{bypass.name}`", Applicability.UNSAFE, edits)


def _made_later(context: Context, idle: Idle, call: PatchCall) -> Fix | None:
    """Move the statement that makes the object below the one that enters the patch, where nothing between them needs
    the object, nor gives it anything else."""
    function, bypass = call.site.scope.function, idle.bypasses[0]
    name = _entry(context, bypass) if bypass.way is Way.ATTRIBUTE else None
    if function is None or name is None:
        return None
    body = function.body
    entering = next((s for s in body if any(node is call.call for node in ast.walk(s))), None)
    making = [s for s in body if _binds(s, name)]
    if entering is None or len(making) != 1 or body.index(making[0]) >= body.index(entering):
        return None
    made = making[0]
    below = _place_below(entering, call, name)
    between: list[ast.AST] = [*body[body.index(made) + 1 : body.index(entering)]]
    if isinstance(entering, (ast.With, ast.AsyncWith)):
        between += entering.items
        between += entering.body[: entering.body.index(below)] if below in entering.body else []
    used = {node.id for node in ast.walk(made) if isinstance(node, ast.Name)}
    if below is None or any(_concerns(node, name, used) for node in between):
        return None
    unit, text = call.site.unit, context.parsed.text
    span, at = unit.span(made), unit.span(below)
    line = text.line(span.row)
    if span.row != span.end_row or line.strip() != unit.source(made):
        return None
    row, indentation = (at.row, at.column) if below is not entering else (at.end_row + 1, at.column)
    if text.line(at.row)[: at.column].strip() or row >= text.row_count:
        return None
    moved = f"{text.line(at.row)[:indentation]}{unit.source(made)}{text.newline}"
    edits = (
        Edit(context.path, Span(span.row, 0, span.row + 1, 0), ""),
        Edit(context.path, Span.at(row, 0), moved),
    )
    return Fix(f"Make `{name}` under the patch", Applicability.UNSAFE, edits)


def _binds(statement: ast.stmt, name: str) -> bool:
    return (
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Call)
        and [target.id for target in statement.targets if isinstance(target, ast.Name)] == [name]
        and len(statement.targets) == 1
    )


def _place_below(entering: ast.stmt, call: PatchCall, name: str) -> ast.stmt | None:
    """The first statement under the patch that needs the object; the entering statement itself where the patch stays
    in place after it."""
    if isinstance(entering, ast.Expr) and entering.value is call.call:
        return entering
    if isinstance(entering, (ast.With, ast.AsyncWith)):
        if any(item.context_expr is call.call for item in entering.items):
            return next((s for s in entering.body if _concerns(s, name, set())), None)
    return None


def _concerns(node: ast.AST, name: str, used: set[str]) -> bool:
    """Does a statement need the object, or bind one of the names that making it uses?"""
    return any(
        isinstance(child, ast.Name)
        and (child.id == name or (child.id in used and not isinstance(child.ctx, ast.Load)))
        for child in ast.walk(node)
    )


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


def _variable(context: Context, bypass: Bypass) -> str | None:
    """The dotted name of the module's variable through which the code calls the object that holds the original."""
    entering = next((c for c in bypass.calls if c.function.bound is bypass.holder), None)
    node = entering.place.node if entering is not None else None
    if entering is None or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    file = context.other(entering.place.unit.path)
    site = next((s for s in file.scopes.calls if s.node is node), None) if file is not None else None
    if file is None or site is None:
        return None
    found = file.names.resolve(node.func.value, site.scope)
    if not isinstance(found, ValueEntity) or found.owner is not None:
        return None
    return f"{spoken(context.resolver, context.module, found.module)}.{found.declaration.target}"


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
