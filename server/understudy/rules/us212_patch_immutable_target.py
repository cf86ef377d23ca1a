"""US212: an attribute of a C type is patched, which Python refuses."""

from __future__ import annotations

import ast
import builtins
import importlib
from collections.abc import Iterator

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.index.module import Module
from understudy.infer.entities import Absent, External, ModuleEntity
from understudy.infer.imports import ImportGraph
from understudy.rules import injected
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.rules.patch_calls import PatchCall, certain_patches, found_by_path, replaced_around

_TYPES = frozenset(
    {
        "_io.StringIO", "array.array", "asyncio.Future", "asyncio.Task", "collections.OrderedDict",
        "collections.defaultdict", "collections.deque", "contextvars.ContextVar", "datetime.date",
        "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone", "datetime.tzinfo",
        "decimal.Context", "decimal.Decimal", "functools.partial", "io.BufferedReader", "io.BytesIO", "io.FileIO",
        "io.StringIO", "io.TextIOWrapper", "itertools.chain", "itertools.count", "operator.itemgetter",
        "queue.SimpleQueue", "re.Match", "re.Pattern", "sqlite3.Connection", "sqlite3.Cursor", "sqlite3.Row",
        "struct.Struct", "types.FunctionType", "types.MethodType", "types.ModuleType", "types.SimpleNamespace",
        "weakref.ref",
    }
)  # fmt: skip
"""Types of the standard library that refuse ``setattr`` on CPython 3.10 to 3.13: a test tries each of them."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    patches = certain_patches(
        context, "TypeError", question="US212", wanted=lambda call: _refusing(context, call) is not None
    )
    for call in patches:
        owner = _refusing(context, call)
        if owner is None or _replaced(context, call, owner) or excused(context):
            continue
        if call.target is not None:
            span = call.site.unit.string_span(call.target, 0, len(call.path))
        else:
            assert call.attribute is not None
            span = call.site.unit.string_span(call.attribute, 0, len(call.name))
        fixes = tuple(_fixes(context, call, owner))
        yield rule.finding(
            context.path,
            span,
            f"`{call.spelling}` raises TypeError when it is entered: cannot set '{call.name}' attribute of "
            f"immutable type '{owner.dotted.removeprefix('builtins.')}'; patch the name `{owner.name}` in the module "
            "that uses it",
            related=tuple(_related(context, call, owner)),
            fixes=fixes,
        )


def _refusing(context: Context, call: PatchCall) -> External | None:
    """The type that refuses the patch."""
    owner = _owner(context, call) if call.form not in ("multiple", "dict") else None
    if owner is None or not is_immutable(owner.dotted) or not _has(owner.dotted, call.name):
        return None
    return owner


def is_immutable(dotted: str) -> bool:
    """Is this a type whose attributes cannot be set?"""
    module, _, name = dotted.rpartition(".")
    if module == "builtins":
        return isinstance(getattr(builtins, name, None), type)
    return dotted in _TYPES


def _owner(context: Context, call: PatchCall) -> External | None:
    if call.target is not None:
        if len(call.names) < 3 or not all(name.isidentifier() for name in call.names):
            return None
        found = found_by_path(context, call, len(call.names) - 1)
    else:
        assert call.owner is not None
        found = context.names.resolve(call.owner, call.site.scope)
    return found if isinstance(found, External) else None


def _has(dotted: str, name: str) -> bool:
    module, _, cls = dotted.rpartition(".")
    return hasattr(getattr(importlib.import_module(module), cls, None), name)


def _replaced(context: Context, call: PatchCall, owner: External) -> bool:
    """Does another patch, or a library that freezes the time, put a class of Python's own there?"""
    if owner.root == "datetime" and "freez" in context.source:
        return True
    return replaced_around(context, call.site, {owner.name, *call.names[:-1]})


# --- fixes


def _fixes(context: Context, call: PatchCall, owner: External) -> Iterator[Fix]:
    for target in _places(context, call, owner):
        edits = _edits(context, call, target)
        if edits:
            yield Fix(f"Patch `{target}` instead", Applicability.UNSAFE, edits)


def _places(context: Context, call: PatchCall, owner: External) -> list[str]:
    """The names to patch instead: the one in the path, where it belongs to a module of the workspace; else those
    of the modules that the file imports."""
    if call.target is not None:
        found = found_by_path(context, call, len(call.names) - 2)
        if isinstance(found, ModuleEntity) and found.file.workspace:
            return [".".join(call.names[:-1])]
    places: dict[str, None] = {}
    for module, name in _consumers(context, owner):
        places[f"{module.name}.{name}"] = None
    return list(places)[:3]


def _consumers(context: Context, owner: External) -> Iterator[tuple[Module, str]]:
    """The modules that the file imports, and that have a name for the type."""
    seen: set[object] = set()
    for edge in ImportGraph(context.resolver).edges(context.module):
        for node in edge.targets:
            if isinstance(node, str) or node in seen or context.is_test_path(node):
                continue
            seen.add(node)
            module = context.workspace.module(node)
            if module is None or not module.workspace:
                continue
            for name in module.bindings:
                found = context.resolver.module_attribute(module, name)
                if not isinstance(found, Absent) and found == owner:
                    yield module, name


def _edits(context: Context, call: PatchCall, target: str) -> tuple[Edit, ...]:
    """Replace the name by a mock that has the patched attribute."""
    if call.is_open or call.form in ("delattr", "spy"):
        return ()
    unit, path = call.site.unit, context.path
    new = call.argument("new")
    whole = unit.span(call.call)
    if call.form == "setattr":
        spelling = imports.from_module(context.parsed, "unittest.mock", "MagicMock")
        if new is None or spelling is None:
            return ()
        text = f'{call.spelling}("{target}", {spelling.text}({call.name}={unit.source(new)}))'
        return (Edit(path, whole, text), *spelling.edits)
    func = call.spelling.removesuffix(".object")
    if new is not None:
        if _bound(context, call) != [] or len(call.call.keywords) > (new not in call.call.args):
            return ()
        return (Edit(path, whole, f'{func}("{target}", {call.name}={unit.source(new)})'),)
    configured = {keyword.arg: keyword.value for keyword in call.call.keywords}
    configured = {k: v for k, v in configured.items() if k not in ("target", "attribute")}
    if not configured.keys() <= {"return_value", "side_effect"}:
        return ()
    bound = _bound(context, call)
    if bound is None:
        return ()
    options = ", ".join(f'"{call.name}.{name}": {unit.source(value)}' for name, value in configured.items())
    text = f'{func}("{target}"{f", **{{{options}}}" if options else ""})'
    uses = tuple(
        Edit(path, unit.span(node), f"{node.id}.{call.name}") for node in bound if isinstance(node, ast.Name)
    )
    return (Edit(path, whole, text), *uses)


def _bound(context: Context, call: PatchCall) -> list[ast.Name] | None:
    """The uses of what the patch gives, which become uses of its attribute; none where it is given to nothing,
    None where that is not known."""
    function = call.site.scope.function
    chain = call.site.chain.parent
    around = chain.node if chain is not None else None
    name: str | None = None
    if isinstance(around, ast.withitem):
        if around.optional_vars is None:
            return []
        name = around.optional_vars.id if isinstance(around.optional_vars, ast.Name) else None
    elif isinstance(around, ast.Expr):
        return []
    elif isinstance(around, ast.Assign) and len(around.targets) == 1:
        target = around.targets[0]
        name = target.id if isinstance(target, ast.Name) else None
    elif isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef)) and call.call in around.decorator_list:
        function = around
        for test in injected.decorated(context):
            if test.node is around:
                index = next((i for i, c in enumerate(test.calls) if c.call is call.call), None)
                if index is None:
                    return []
                if index < len(test.parameters):
                    name = test.parameters[index].arg
    if name is None or function is None:
        return None
    return [
        node
        for statement in function.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]


def _related(context: Context, call: PatchCall, owner: External) -> Iterator[Related]:
    if call.target is not None:
        found = found_by_path(context, call, len(call.names) - 2)
        module = context.workspace.load(found.file) if isinstance(found, ModuleEntity) else None
        if module is not None and module.workspace:
            for binding in module.bindings.get(call.names[-2], ())[:1]:
                yield Related(module.path, binding.span, f"`{call.names[-2]}` is bound here")
            return
    for module, name in list(_consumers(context, owner))[:3]:
        yield Related(module.path, module.bindings[name][0].span, f"`{name}` is bound here")


RULE = Rule(
    "US212",
    "patch-immutable-target",
    Severity.ERROR,
    "the attribute belongs to a C type and cannot be set (`datetime.datetime.now`)",
    check,
    __name__,
)
