"""US202: a name is patched in one module, and the code that runs holds a reference of its own."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.binding.idle import Idle, Reason, consumers
from understudy.binding.names import spoken
from understudy.doubles.trace import Way
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.infer.entities import ValueEntity
from understudy.rules import idle_patches
from understudy.rules.base import Context, Rule
from understudy.rules.patch_calls import PatchCall


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for idle, call in idle_patches.written(context, Reason.COPY):
        first = idle.bypasses[0]
        targets = list(consumers(context.simulation, idle))[:5]
        if any("." not in target for target in targets):
            continue
        what = idle_patches.described(call)
        fixes: list[Fix] = []
        if first.way is Way.DEFAULT:
            holder, advice = (
                f"the default of the parameter `{first.name}`",
                "pass the double as that argument",
            )
        elif first.way is Way.TABLE:
            table = f"{spoken(context.resolver, context.module, first.module)}.{first.name}"
            key = _key(context, idle)
            holder = f"an element of `{table}`"
            advice = f"patch `{table}`" if key is None else f'patch that with patch.dict("{table}", …)'
            fix = _in_table(call, table, key) if key is not None else None
            fixes.extend([fix] if fix is not None else [])
        elif first.way is Way.IMPORT:
            holder, advice = "an import inside a function", f"patch `{targets[0]}`" if targets else ""
        else:
            holder = f"`{targets[0]}`" if targets else "a reference of its own"
            advice = f"patch `{targets[0]}`" if targets else ""
        if not advice:
            continue
        for target in targets:
            edits = idle_patches.aim(context, call, target)
            if edits:
                fixes.append(Fix(f"Patch `{target}`, where it is looked up", Applicability.UNSAFE, edits))
        yield rule.finding(
            context.path,
            idle_patches.span(call),
            f"patching `{what}` changes nothing here: the code that runs uses {holder}, which is bound to the "
            f"original; {advice}",
            related=tuple(idle_patches.related(context, idle)),
            fixes=tuple(fixes),
        )


def _key(context: Context, idle: Idle) -> str | None:
    """The key of the one element of a dict display that is the original, as it is written."""
    first = idle.bypasses[0]
    found = context.resolver.module_attribute(first.module, first.name)
    value = found.declaration.value if isinstance(found, ValueEntity) else None
    if not isinstance(found, ValueEntity) or not isinstance(value, model.DictTerm):
        return None
    keys = [
        key.value
        for key, element in value.items
        if isinstance(key, model.Const)
        and isinstance(element, model.Ref)
        and context.resolver.ref(found.module, element.parts) == idle.patch.original
    ]
    return repr(keys[0]) if len(keys) == 1 else None


def _in_table(call: PatchCall, table: str, key: str) -> Fix | None:
    """``patch.dict("module.TABLE", {key: double})``, where the patch gives its double and nothing else."""
    new = call.argument("new")
    if call.form not in ("patch", "object") or new is None or call.is_open:
        return None
    if len(call.call.args) + len(call.call.keywords) > (3 if call.form == "object" else 2):
        return None
    unit = call.site.unit
    quoted = f'"{key[1:-1]}"' if key[:1] == "'" and '"' not in key else key
    text = f'{call.spelling.removesuffix(".object")}.dict("{table}", {{{quoted}: {unit.source(new)}}})'
    edit = Edit(unit.path, unit.span(call.call), text)
    return Fix(f"Patch the element of `{table}`", Applicability.UNSAFE, (edit,))


RULE = Rule(
    "US202",
    "patch-where-defined",
    Severity.WARNING,
    "the name is patched in the module that defines it, while the code the test exercises holds its own reference",
    check,
    __name__,
)
