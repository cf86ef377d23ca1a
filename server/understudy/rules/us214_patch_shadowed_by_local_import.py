"""US214: the consumer's name is patched, but the function that runs imports it again."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.binding.idle import Reason, consumers
from understudy.finding import Applicability, Finding, Fix, Severity
from understudy.rules import idle_patches
from understudy.rules.base import Context, Rule


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for idle, call in idle_patches.written(context, Reason.LOCAL_IMPORT):
        targets = list(consumers(context.simulation, idle))[:3]
        if not targets:
            continue
        function = idle.bypasses[0].calls[-1].function.name if idle.bypasses[0].calls else "the function"
        fixes = []
        for target in targets:
            edits = idle_patches.aim(context, call, target)
            if edits:
                fixes.append(
                    Fix(f"Patch `{target}`, which the function imports", Applicability.UNSAFE, edits)
                )
        yield rule.finding(
            context.path,
            idle_patches.span(call),
            f"patching `{idle_patches.described(call)}` changes nothing here: `{function}` imports `{call.name}` again "
            f"when it runs, and uses the original; patch `{targets[0]}`",
            related=tuple(idle_patches.related(context, idle)),
            fixes=tuple(fixes),
        )


RULE = Rule(
    "US214",
    "patch-shadowed-by-local-import",
    Severity.WARNING,
    "the consumer's name is patched, but the function that runs imports it again locally",
    check,
    __name__,
)
