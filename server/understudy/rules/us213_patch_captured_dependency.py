"""US213: a patch of a function that FastAPI, or a registry, keeps since the import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.binding.captured import Dependency, Registration, captures, is_app, registered, registrars
from understudy.binding.readers import reads
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import imports
from understudy.infer.entities import FunctionEntity, ModuleEntity
from understudy.project.modules import Kind
from understudy.rules import idle_patches, module_stubs
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.rules.patch_calls import PatchCall, certain_patches, found_by_path
from understudy.source.dotted import last_name

_REQUESTS = frozenset({"get", "post", "put", "delete", "patch", "head", "options", "websocket_connect"})


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test:
        return
    # What the file registers itself is not looked for at each of its statements.
    registers = any(isinstance(unit.node, (ast.Assign, ast.Expr)) for unit in context.parsed.units)
    patches = certain_patches(
        context,
        question=f"US213 {registers}",
        wanted=lambda call: _may_be_kept(context, call, _original(context, call), registers=registers),
    )
    for call in patches:
        owner, original = _owner(context, call), _original(context, call)
        if owner is None or original is None:
            continue
        kept = _kept(context, call, original)
        if kept is None or excused(context) or idle_patches.stubbed(context):
            continue
        loaded = idle_patches.loaded(context)
        # What is loaded under the patch keeps the double.
        if not {original.path, kept.path} <= loaded or _is_read(context, call, owner, loaded):
            continue
        yield rule.finding(
            context.path,
            idle_patches.span(call),
            f"patching `{idle_patches.described(call)}` changes nothing {kept.scope}: {kept.holder} has kept the "
            f"function since the import; {kept.advice}",
            related=(kept.related,),
            fixes=(kept.fix,) if kept.fix is not None else (),
        )


def _original(context: Context, call: PatchCall) -> FunctionEntity | None:
    """The function of a module that is patched."""
    if call.form not in ("patch", "object", "setattr"):
        return None

    def look() -> FunctionEntity | None:
        owner = _owner(context, call)
        found = context.resolver.file_attribute(owner.file, call.name, context.module) if owner else None
        return found if isinstance(found, FunctionEntity) and found.owner is None else None

    # Many tests of a file patch the same.
    return look() if call.target is None else context.once(("US213", call.path), look)


def _may_be_kept(
    context: Context, call: PatchCall, original: FunctionEntity | None, *, registers: bool
) -> bool:
    """Is there anything that keeps a function, whatever the tests of the file do?"""
    under = _under(call)
    if original is None or under is None:
        return False
    if any(True for _ in _requests(under)):
        return True
    if any(_reads_name(statement, call.name) for statement in under):
        return False
    elsewhere = [path for path in _registrars(context) if path != context.path]
    return registers or registered(context.resolver, original, elsewhere) is not None


@dataclass(frozen=True)
class _Kept:
    """What has kept a function, in words."""

    scope: str
    holder: str
    advice: str
    related: Related
    path: Path
    """The file whose import keeps it."""
    fix: Fix | None = None


def _kept(context: Context, call: PatchCall, original: FunctionEntity) -> _Kept | None:
    dependency = _requested(context, call, original)
    if dependency is not None:
        return _Kept(
            "for this request",
            f"`Depends({original.name})`",
            f"set `app.dependency_overrides[{original.name}]`, and take it back afterwards",
            Related(dependency.path, dependency.span, "kept here, when the module is imported"),
            dependency.path,
            _fix(context, call, original),
        )
    root = _under(call)
    if root is None or any(_reads_name(statement, call.name) for statement in root):
        return None
    for method, path in _requests(root):
        route = captures(context.resolver).route_of(context.resolver, method, path, original)
        if route is not None:
            return _Kept(
                "for this request",
                f"the route `{route.written}`",
                "patch what the route calls, or call the function itself",
                Related(original.path, original.span, "made a route here, when the module is imported"),
                original.path,
            )
    if any(idle.patch.place.node is call.call for idle in context.idle_patches):
        # What the test runs is known, and said by another rule.
        return None
    found = _registration(context, original)
    if found is not None:
        return _Kept(
            "here, for no code looks the name up",
            f"`{found.text}`",
            "replace what it is kept in",
            Related(found.path, found.span, "kept here, when the module is imported"),
            found.importer,
        )
    return None


def _registration(context: Context, original: FunctionEntity) -> Registration | None:
    return context.once(
        ("registered", original.path, original.span),
        lambda: registered(context.resolver, original, _registrars(context)),
    )


def _registrars(context: Context) -> list[Path]:
    return context.once("registrars", lambda: registrars(context.resolver, idle_patches.loaded(context)))


def _reads_name(statement: ast.stmt, name: str) -> bool:
    """Does the test itself get at the name under the patch?"""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.alias) and node.name.rpartition(".")[2] == name)
        for node in ast.walk(statement)
    )


def _owner(context: Context, call: PatchCall) -> ModuleEntity | None:
    if call.target is not None:
        count = len(call.names) - 1
        found = found_by_path(context, call, count) if count else None
    else:
        assert call.owner is not None
        found = context.names.resolve(call.owner, call.site.scope)
    if isinstance(found, ModuleEntity) and found.file.workspace and found.file.kind is Kind.SOURCE:
        return found
    return None


def _is_read(context: Context, call: PatchCall, owner: ModuleEntity, loaded: set[Path]) -> bool:
    """May anything look the name up where the patch is? Also when the module, or one on the way, is a stub."""
    module = context.workspace.load(owner.file)
    if module is None or owner.file.name in module_stubs.around(context):
        return True
    if reads(context.resolver, module, call.name, context.is_test_path, loaded):
        return True
    return any(
        patch.looked_up
        for outcome in context.simulation.outcomes
        for patch in outcome.patches
        if patch.place.node is call.call
    )


def _requested(context: Context, call: PatchCall, original: FunctionEntity) -> Dependency | None:
    """The dependency through which a request of the test, under the patch, gets the original."""
    root = _under(call)
    if root is None:
        return None
    found: Dependency | None = None
    for method, path in _requests(root):
        found = found or captures(context.resolver).of_request(context.resolver, method, path, original)
    return found


def _requests(root: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The method and the path of each request that is written in some statements."""
    for statement in root:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                if node.func.attr in _REQUESTS:
                    path = _path(node.args[0])
                    if path is not None:
                        yield node.func.attr, path


def _under(call: PatchCall) -> list[ast.stmt] | None:
    """The statements that run while the patch is in place."""
    for node in call.site.chain:
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return node.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node.body if node.name.startswith("test") else None
    function = call.site.scope.function
    return function.body if function is not None and function.name.startswith("test") else None


def _path(node: ast.expr) -> str | None:
    """The path of a request, with something in place of what is computed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if node.value.startswith("/") else None
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        return text if text.startswith("/") else None
    return None


def _fix(context: Context, call: PatchCall, original: FunctionEntity) -> Fix | None:
    """``app.dependency_overrides`` through something that restores it."""
    app = _name_of_app(context)
    value = _override(call)
    if app is None or value is None or call.is_open:
        return None
    name, extra = _name_of(context, original)
    if name is None:
        return None
    overrides = f"{app}.dependency_overrides"
    if call.form == "setattr":
        text = f"{call.spelling.rpartition('.')[0]}.setitem({overrides}, {name}, {value})"
    else:
        chain = call.site.chain.parent
        around = chain.node if chain is not None else None
        if not (isinstance(around, ast.withitem) and around.optional_vars is None) and not (
            isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef)) and call.argument("new") is not None
        ):
            return None
        text = f"{call.spelling.removesuffix('.object')}.dict({overrides}, {{{name}: {value}}})"
    edit = Edit(context.path, call.site.unit.span(call.call), text)
    return Fix(f"Override the dependency on `{app}`", Applicability.UNSAFE, (edit, *extra))


def _override(call: PatchCall) -> str | None:
    """What the dependency is to be replaced by: FastAPI reads its signature, which that of a mock is not."""
    unit = call.site.unit
    new = call.argument("new")
    if new is not None:
        if len(call.call.keywords) > (new not in call.call.args):
            return None
        text = unit.source(new)
        if isinstance(new, ast.Lambda):
            return text
        return (
            f"lambda: {text}()"
            if isinstance(new, ast.Call) and (last_name(new) or "").endswith("Mock")
            else text
        )
    given = {keyword.arg: keyword.value for keyword in call.call.keywords}
    if set(given) == {"return_value"}:
        return f"lambda: {unit.source(given['return_value'])}"
    return None


def _name_of_app(context: Context) -> str | None:
    for name, bindings in context.module.bindings.items():
        if bindings and is_app(context.resolver.module_attribute(context.module, name)):
            return name
    return None


def _name_of(context: Context, original: FunctionEntity) -> tuple[str | None, tuple[Edit, ...]]:
    for name in context.module.bindings:
        if context.resolver.module_attribute(context.module, name) == original:
            return name, ()
    spelling = imports.from_module(context.parsed, original.module.name, original.name)
    return (spelling.text, spelling.edits) if spelling is not None else (None, ())


RULE = Rule(
    "US213",
    "patch-captured-dependency",
    Severity.WARNING,
    "FastAPI's `Depends(f)` captured `f` at import: patching the name changes nothing; `app.dependency_overrides[f]` "
    "does",
    check,
    __name__,
)
