"""US210: a patch names a module by another path than the code imports it by."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.binding.names import LoadedNames
from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.index.module import Importer
from understudy.infer.entities import ClassEntity, ModuleEntity, ValueEntity
from understudy.project.modules import Kind
from understudy.rules import module_stubs
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.rules.patch_calls import PatchCall, certain_patches

_Loaded = dict[str, tuple[Importer, model.Import, int]]


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test:
        return
    loaded: _Loaded | None = None
    patches = certain_patches(
        context,
        "AttributeError",
        "ModuleNotFoundError",
        question="US210",
        wanted=lambda call: _named(context, call) is not None,
    )
    for call in patches:
        named = _named(context, call)
        if named is None or excused(context):
            continue
        if loaded is None:
            loaded = _loaded(context)
        found = _other_name(context, named, loaded)
        if found is not None:
            yield _finding(rule, context, call, named, found, loaded)


def _named(context: Context, call: PatchCall) -> ModuleEntity | None:
    """The module in the path, where its file may have another name as well."""
    if call.target is None or len(call.names) < 2:
        return None
    named = _module(context, call)
    return named if named is not None and _may_have_others(context, named) else None


def _module(context: Context, call: PatchCall) -> ModuleEntity | None:
    """The module in the path, its longest part that is one, where what is patched is its own: what it has imported
    is an object of another module, which may have one name only."""
    for count in range(len(call.names) - 1, 0, -1):
        name = ".".join(call.names[:count])
        file = context.workspace.find(name, context.path)
        if file is not None and file.workspace and file.kind is Kind.SOURCE and file.name == name:
            if len(call.names) - count > 1:
                holder = context.resolver.file_attribute(file, call.names[count], context.module)
                if not isinstance(holder, (ClassEntity, ValueEntity)) or holder.path != file.path:
                    return None
            return ModuleEntity(file)
    return None


def _may_have_others(context: Context, named: ModuleEntity) -> bool:
    """Is there a folder on the search path that gives the file another name?"""
    path = named.file.path
    return path is not None and len(context.workspace.finder.names_of(path, context.path)) > 1


def _loaded(context: Context) -> _Loaded:
    """All that the test module and the conftest files above it load."""
    names = LoadedNames(context.resolver)
    found: _Loaded = {}
    for module in reversed(context.fixtures.chain(context.module)):
        for name, how in names.closure(module).items():
            found.setdefault(name, how)
    return found


def _other_name(context: Context, named: ModuleEntity, loaded: _Loaded) -> str | None:
    """The one other name under which everything loads the file."""
    if named.file.name in loaded:
        return None
    if "import_module" in context.source or "__import__" in context.source:
        return None
    if named.file.name in module_stubs.around(context) or _loads_by_name(context, loaded):
        return None
    others = [
        name
        for name in loaded
        if (file := context.workspace.find(name, context.path)) is not None
        and file.path == named.file.path
        and (name.endswith(f".{named.file.name}") or named.file.name.endswith(f".{name}"))
    ]
    return others[0] if len(others) == 1 else None


def _loads_by_name(context: Context, loaded: _Loaded) -> bool:
    """May code that is loaded import modules by computed names?"""
    paths = context.workspace.files_with(module_stubs.LOADING)
    found = (context.workspace.find(name, context.path) for name in loaded) if paths else ()
    return any(file is not None and file.path in paths for file in found)


def _finding(
    rule: Rule, context: Context, call: PatchCall, named: ModuleEntity, other: str, loaded: _Loaded
) -> Finding:
    assert call.target is not None
    unit = call.site.unit
    name = named.file.name
    span = unit.string_span(call.target, 0, len(name))
    importer, statement, row = loaded[other]
    fixes: tuple[Fix, ...] = ()
    if span != unit.span(call.target):
        fixes = (Fix(f"Write `{other}`", Applicability.UNSAFE, (Edit(context.path, span, other),)),)
    return rule.finding(
        context.path,
        span,
        f"`{name}` and `{other}` are one file but two modules: this patch changes `{name}`, and the code imports "
        f"`{other}`; write `{other}` here",
        related=(Related(importer.path, statement.span.shifted(row), f"imported as `{other}`"),),
        fixes=fixes,
    )


RULE = Rule(
    "US210",
    "module-under-two-names",
    Severity.WARNING,
    "the target names a module by another path than the code imports it by (`backend.core.x` and `core.x`), so two "
    "module objects exist",
    check,
    __name__,
)
