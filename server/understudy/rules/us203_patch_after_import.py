"""US203: the test calls the reference that it imported itself, under a patch of the name elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from understudy.binding.idle import Idle, Reason
from understudy.doubles.trace import Way
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.fixes import imports
from understudy.infer.entities import ModuleEntity
from understudy.rules import idle_patches
from understudy.rules.base import Context, Rule
from understudy.rules.patch_calls import PatchCall, found_by_path


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for idle, call in idle_patches.written(context, Reason.TEST_COPY):
        name = idle.bypasses[0].name
        what = idle_patches.described(call)
        yield rule.finding(
            context.path,
            idle_patches.span(call),
            f"patching `{what}` changes nothing here: the test calls the `{name}` that it has imported itself, which "
            f"is bound to the original; call it through its module, or patch the test module's own `{name}`",
            related=tuple(idle_patches.related(context, idle)),
            fixes=tuple(_fixes(context, idle, call)),
        )


def _fixes(context: Context, idle: Idle, call: PatchCall) -> Iterator[Fix]:
    bypass = idle.bypasses[0]
    if bypass.way is not Way.NAME or bypass.module.path != context.path or call.target is None:
        return
    through = _through_module(context, idle, call)
    if through is not None:
        yield through
    unit = call.site.unit
    if unit.string_span(call.target, 0, len(call.path)) != unit.span(call.target):
        quote = unit.source(call.target)[-1]
        inside = f"f{quote}{{__name__}}.{bypass.name}{quote}"
        edit = Edit(context.path, unit.span(call.target), inside)
        yield Fix(f"Patch the test module's own `{bypass.name}`", Applicability.UNSAFE, (edit,))


def _through_module(context: Context, idle: Idle, call: PatchCall) -> Fix | None:
    """``module.name(…)`` instead of ``name(…)``, where the patch is in place."""
    owner, _, attribute = call.path.rpartition(".")
    found = found_by_path(context, call, len(call.names) - 1)
    if not isinstance(found, ModuleEntity):
        return None
    spelled, edits = _spelling(context, owner, found)
    if spelled is None:
        return None
    uses: list[Edit] = []
    for bypass in idle.bypasses:
        node = bypass.place.node
        if not isinstance(node, ast.Call) or bypass.place.unit.path != context.path:
            return None
        edit = Edit(context.path, bypass.place.unit.span(node.func), f"{spelled}.{attribute}")
        if edit not in uses:
            uses.append(edit)
    return Fix(f"Call it through `{spelled}`", Applicability.UNSAFE, (*uses, *edits))


def _spelling(context: Context, owner: str, entity: ModuleEntity) -> tuple[str | None, tuple[Edit, ...]]:
    """A name for the module in the file, and the import that it may need."""
    for name, bindings in context.module.bindings.items():
        if len(bindings) == 1 and not bindings[0].guards:
            found = context.resolver.module_attribute(context.module, name)
            if isinstance(found, ModuleEntity) and found.file.path == entity.file.path:
                return name, ()
    if owner.partition(".")[0] in context.module.bindings:
        return None, ()
    return owner, (imports.statement(context.parsed, f"import {owner}"),)


RULE = Rule(
    "US203",
    "patch-after-import",
    Severity.WARNING,
    "the test itself imported the name (`from m import f`) and calls that reference under a patch of `m.f`",
    check,
    __name__,
)
