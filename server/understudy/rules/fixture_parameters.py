"""The parameters of a test that only fixtures can fill."""

from __future__ import annotations

import ast

from understudy.doubles.collected import Test
from understudy.infer import marks
from understudy.rules.base import Context
from understudy.source.dotted import dotted_name, last_name

_HARMLESS_MARKS = frozenset({"settings", "example", "seed", "reproduce_failure", "note"})


def asked(context: Context, test: Test) -> list[ast.arg] | None:
    """The parameters that only fixtures can fill; None when a decorator may fill them."""
    node = test.node
    if test.owner is not None and not context.resolver.ancestry(test.owner).complete:
        # ``unittest`` knows no fixtures; other bases may fill the parameters.
        return None
    spec = node.args
    if spec.posonlyargs:
        return None
    names = [*spec.args[: len(spec.args) - len(spec.defaults)], *_required_keywords(spec)]
    static = any(last_name(d) in ("staticmethod", "classmethod") for d in node.decorator_list)
    if test.owner is not None and not static:
        names = names[1:]
    filled: set[str] = set()
    positional = 0
    drawn = 0
    found = context.fixtures.marks_of(context.parsed, context.module, test.owner, node)
    generated = context.fixtures.generated(context.module, test.owner)
    if not found.known or generated is None:
        return None
    filled |= generated
    for decorator in found.found:
        if last_name(decorator) == "given" and isinstance(decorator, ast.Call) and decorator.args:
            # Hypothesis fills the last parameters by position.
            if (
                decorator.keywords
                or spec.defaults
                or spec.vararg
                or not all(map(_is_strategy, decorator.args))
            ):
                return None
            drawn = len(decorator.args)
            continue
        outcome = _fills(context, decorator)
        if outcome is None:
            return None
        given, count = outcome
        filled |= given
        positional += count
    if drawn:
        last = {arg.arg for arg in spec.args[-drawn:]}
        if filled & last or len(spec.args) < drawn:
            return None
        filled |= last
    left = [arg for arg in names if arg.arg not in filled][positional:]
    if left and any(_replaces(decorator) for decorator in found.found):
        # Meant for a ``patch`` with ``new``, which hands over nothing: US207 says so.
        return None
    return left


def _replaces(decorator: ast.expr) -> bool:
    """``@patch(target, new)``"""
    if not isinstance(decorator, ast.Call) or last_name(decorator) not in ("patch", "object"):
        return False
    at = 1 if last_name(decorator) == "patch" else 2
    return len(decorator.args) > at or any(keyword.arg == "new" for keyword in decorator.keywords)


def _is_strategy(argument: ast.expr) -> bool:
    """Neither ``*strategies`` nor ``...``, which stands for every annotated parameter."""
    return not isinstance(argument, ast.Starred) and not (
        isinstance(argument, ast.Constant) and argument.value is ...
    )


def _required_keywords(spec: ast.arguments) -> list[ast.arg]:
    return [arg for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if default is None]


def _fills(context: Context, decorator: ast.expr) -> tuple[set[str], int] | None:
    """The parameters that a decorator fills, by name and by position; None when that is not known."""
    text = dotted_name(decorator.func if isinstance(decorator, ast.Call) else decorator) or ""
    name = last_name(decorator)
    if text.startswith(("pytest.mark.", "mark.")):
        names = marks.parametrized(decorator)
        return (set(names), 0) if names is not None else None
    if isinstance(decorator, ast.Call) and name in ("patch", "object") and "patch" in text:
        new = {keyword.arg for keyword in decorator.keywords}
        if None in new or "new" in new:
            return (set(), 0) if "new" in new else None
        positional = len(decorator.args) - (1 if name == "patch" else 2)
        return (set(), 1) if positional <= 0 else (set(), 0)
    if name == "given" and isinstance(decorator, ast.Call) and not decorator.args:
        if any(keyword.arg is None for keyword in decorator.keywords):
            return None
        return {keyword.arg for keyword in decorator.keywords if keyword.arg is not None}, 0
    if name in ("staticmethod", "classmethod") or name in _HARMLESS_MARKS:
        return set(), 0
    return None
