"""What the rules about patches without effect share: the patch as it is written, and how to aim it elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from understudy.binding.idle import Idle, Reason, loaded_before
from understudy.doubles.trace import Way
from understudy.finding import Edit, Related
from understudy.rules import module_stubs
from understudy.rules.base import Context
from understudy.rules.patch_calls import PatchCall, all_patches, may_patch
from understudy.source.span import Span


def written(context: Context, reason: Reason) -> Iterator[tuple[Idle, PatchCall]]:
    """The patches of the file that are idle for one reason, with the calls that make them."""
    if not may_patch(context):
        return
    found = [idle for idle in context.idle_patches if idle.reason is reason]
    if not found or stubbed(context):
        return
    calls = {id(call.call): call for call in all_patches(context)}
    for idle in found:
        call = calls.get(id(idle.patch.place.node))
        if call is not None and call.form in ("patch", "object", "setattr"):
            yield idle, call


def loaded(context: Context) -> set[Path]:
    """What is imported before any test of the file runs."""
    return context.once(
        "loaded before", lambda: loaded_before(context.resolver, context.fixtures.chain(context.module))
    )


def stubbed(context: Context) -> bool:
    """Does the test run of the file replace modules of the workspace? Which are real is another question then."""
    return any(_in_workspace(context, name) for name in module_stubs.around(context))


def _in_workspace(context: Context, name: str) -> bool:
    file = context.workspace.find(name, context.path)
    return file is not None and file.workspace


def span(call: PatchCall) -> Span:
    """The name in the patch: the dotted path, or the attribute."""
    unit = call.site.unit
    if call.target is not None:
        return unit.string_span(call.target, 0, len(call.path))
    assert call.attribute is not None
    return unit.string_span(call.attribute, 0, len(call.name))


def described(call: PatchCall) -> str:
    """What is patched, as it is written."""
    if call.target is not None:
        return call.path
    assert call.owner is not None
    return f"{ast.unparse(call.owner)}.{call.name}"


def aim(context: Context, call: PatchCall, target: str) -> tuple[Edit, ...]:
    """Patch another dotted name instead; none where the call is not written plainly."""
    unit = call.site.unit
    if call.form == "multiple":
        return ()
    if call.target is not None:
        place = unit.string_span(call.target, 0, len(call.path))
        if place == unit.span(call.target):
            return ()
        return (Edit(context.path, place, target),)
    return _rewritten(context, call, f'{call.spelling.removesuffix(".object")}("{target}"')


def aim_at_attribute(context: Context, call: PatchCall, owner: str, name: str) -> tuple[Edit, ...]:
    """Patch an attribute of an object instead."""
    spelling = call.spelling
    if call.form == "patch":
        spelling = f"{spelling}.object"
    return _rewritten(context, call, f'{spelling}({owner}, "{name}"')


def _rewritten(context: Context, call: PatchCall, start: str) -> tuple[Edit, ...]:
    """Replace everything up to the end of the target."""
    unit, args = call.site.unit, call.call.args
    last = call.target if call.target is not None else call.attribute
    assert last is not None
    if (call.owner is not None and args[:2] != [call.owner, last]) or (
        call.target is not None and args[:1] != [last]
    ):
        return ()
    whole, end = unit.span(call.call), unit.span(last)
    return (Edit(context.path, Span(whole.row, whole.column, end.end_row, end.end_column), start),)


def related(context: Context, idle: Idle) -> Iterator[Related]:
    """Where the reference was bound, and where it is used."""
    for bypass in idle.bypasses[:2]:
        if bypass.way is Way.NAME:
            for binding in bypass.module.bindings.get(bypass.name, ())[-1:]:
                yield Related(bypass.module.path, binding.span, f"`{bypass.name}` is bound here, at import")
        elif bypass.binder is not None:
            yield Related(bypass.binder.unit.path, bypass.binder.span, "bound here")
        yield Related(bypass.place.unit.path, bypass.place.span, "the original is used here")
