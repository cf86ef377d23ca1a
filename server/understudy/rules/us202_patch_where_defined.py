"""US202: a name is patched in one module, and the code that runs holds a reference of its own."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.binding.idle import Reason, consumers
from understudy.doubles.trace import Way
from understudy.finding import Applicability, Finding, Fix, Severity
from understudy.rules import idle_patches
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for idle, call in idle_patches.written(context, Reason.COPY):
        first = idle.bypasses[0]
        targets = list(consumers(context.simulation, idle))[:5]
        if any("." not in target for target in targets):
            continue
        what = idle_patches.described(call)
        if first.way is Way.DEFAULT:
            holder, advice = (
                f"the default of the parameter `{first.name}`",
                "pass the double as that argument",
            )
        elif first.way is Way.IMPORT:
            holder, advice = "an import inside a function", f"patch `{targets[0]}`" if targets else ""
        else:
            holder = f"`{targets[0]}`" if targets else "a reference of its own"
            advice = f"patch `{targets[0]}`" if targets else ""
        if not advice:
            continue
        fixes = []
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


RULE = Rule(
    "US202",
    "patch-where-defined",
    Severity.WARNING,
    "the name is patched in the module that defines it, while the code the test exercises holds its own reference",
    check,
    __name__,
)
