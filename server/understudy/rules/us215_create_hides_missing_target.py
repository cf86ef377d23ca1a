"""US215: ``create=True`` makes a name that nothing reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.facts import model
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.fixes.names import nearest
from understudy.fixes.removal import element
from understudy.infer.assigned import set_on_class, set_on_module
from understudy.infer.entities import Absent, ClassEntity, Entity, ModuleEntity
from understudy.project.modules import Kind
from understudy.rules import module_stubs
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused
from understudy.rules.patch_calls import PatchCall, certain_patches, found_by_path, replaced_around
from understudy.source.computed import beginning
from understudy.source.dotted import last_name
from understudy.source.parse import Parsed

_SEPARATORS = re.compile(r"[.:]")
_COMPUTING = re.compile(rb"\b(?:getattr|attrgetter|methodcaller)\(")


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    for call in certain_patches(context, question="US215", wanted=lambda call: _option(call) is not None):
        option = _option(call)
        if option is None or call.form not in ("patch", "object", "setattr"):
            continue
        owner = _owner(context, call)
        if owner is None or not _is_missing(context, owner, call.name):
            continue
        if excused(context) or _below_a_mock(context, call, owner):
            continue
        if _is_read(context, owner, call.name):
            continue
        yield _finding(rule, context, call, owner, option)


def _option(call: PatchCall) -> ast.keyword | None:
    """``create=True``, or ``raising=False`` of monkeypatch."""
    for keyword in call.call.keywords:
        if isinstance(keyword.value, ast.Constant):
            if (keyword.arg, keyword.value.value) == ("create", True):
                return keyword
            if (keyword.arg, keyword.value.value) == ("raising", False) and call.form == "setattr":
                return keyword
    return None


def _owner(context: Context, call: PatchCall) -> ModuleEntity | ClassEntity | None:
    if call.target is not None:
        if len(call.names) < 2 or not all(name.isidentifier() for name in call.names):
            return None
        found = found_by_path(context, call, len(call.names) - 1)
    else:
        assert call.owner is not None
        found = context.names.resolve(call.owner, call.site.scope)
    if isinstance(found, ClassEntity) and found.module.workspace:
        return found
    if isinstance(found, ModuleEntity) and found.file.workspace and found.file.kind is Kind.SOURCE:
        stubbed = module_stubs.around(context)
        return None if found.file.name in stubbed else found
    return None


def _is_missing(context: Context, owner: Entity, name: str) -> bool:
    if name.startswith("__"):
        return False
    if context.resolver.attribute(owner, name, context.module) is not Absent.MISSING:
        return False
    if isinstance(owner, ClassEntity):
        lineage = {cls.name for cls in context.resolver.ancestry(owner).classes}
        return not set_on_class(context.workspace, lineage, name)
    return not isinstance(owner, ModuleEntity) or not set_on_module(context.resolver, owner.file, name)


def _below_a_mock(context: Context, call: PatchCall, owner: ModuleEntity | ClassEntity) -> bool:
    name = owner.name if isinstance(owner, ClassEntity) else owner.file.name.rpartition(".")[2]
    return replaced_around(context, call.site, {name, *call.names[:-1]})


def _is_read(context: Context, owner: ModuleEntity | ClassEntity, name: str) -> bool:
    """May any code of the workspace read the name: as an attribute of something, by an import, by a string; in
    code that is no test, by itself? A built-in name needs no look: the module may call it."""
    pattern = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
    for path in context.workspace.files_with(pattern):
        parsed = context.workspace.parsed(path)
        if parsed.problems:
            return True
        is_test = context.is_test_path(path)
        patched = {id(node) for _, node in _patch_names(parsed.walk())}
        for _, node in parsed.walk():
            if isinstance(node, ast.Attribute) and node.attr == name:
                return True
            if isinstance(node, ast.Name) and node.id == name and not is_test:
                return True
            if isinstance(node, ast.alias) and name in node.name.split("."):
                return True
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in patched:
                # ``load("shop.mail.send")``, ``"shop.mail:send"``
                if _SEPARATORS.split(node.value)[-1] == name:
                    return True
    # ``self`` is an object of the class only in its own methods, and in those above it.
    above = context.resolver.ancestry(owner).classes if isinstance(owner, ClassEntity) else ()
    own = {cls.path for cls in above}
    return any(
        _computes(context.workspace.parsed(path), name, own=path in own)
        for path in context.workspace.files_with(_COMPUTING)
    )


def _patch_names(nodes: Iterator[tuple[object, ast.AST]]) -> Iterator[tuple[object, ast.Constant]]:
    """The names in ``patch("owner.name")``, ``patch.object(owner, "name", …)`` and their kin: they write the
    attribute."""
    for unit, node in nodes:
        if isinstance(node, ast.Call) and last_name(node) in ("patch", "object", "setattr", "delattr"):
            yield from ((unit, each) for each in node.args[:2] if isinstance(each, ast.Constant))


def _computes(parsed: Parsed, name: str, *, own: bool) -> bool:
    """Does the file read attributes of computed names, which this may be one of: ``getattr(handler, f"on_{event}")``?

    :param own: also those of ``self`` and ``cls``.
    """
    for _, node in parsed.walk():
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if last_name(node) == "getattr" and len(node.args) > 1:
            target, key = node.args[:2]
            if not own and isinstance(target, ast.Name) and target.id in ("self", "cls"):
                continue
        elif last_name(node) in ("attrgetter", "methodcaller"):
            key = node.args[0]
        else:
            continue
        if not isinstance(key, ast.Constant) and name.startswith(beginning(key)):
            return True
    return False


def _finding(
    rule: Rule, context: Context, call: PatchCall, owner: ModuleEntity | ClassEntity, option: ast.keyword
) -> Finding:
    unit = call.site.unit
    constant = call.target if call.target is not None else call.attribute
    assert constant is not None
    if call.target is not None:
        span = call.part_span(len(call.names) - 1)
    else:
        span = unit.string_span(constant, 0, len(call.name))
    where = owner.name if isinstance(owner, ClassEntity) else owner.file.name
    near = nearest(call.name, _names(context, owner))
    advice = f"did you mean `{near}`?" if near is not None else "remove the patch"
    fixes: tuple[Fix, ...] = ()
    if near is not None and span != unit.span(constant):
        fixes = (
            Fix(
                f"Change to `{near}`, which exists",
                Applicability.UNSAFE,
                (
                    Edit(context.path, span, near),
                    Edit(context.path, element(unit.text, unit.span(option)), ""),
                ),
            ),
        )
    return rule.finding(
        context.path,
        span,
        f"`{unit.source(option)}` makes `{call.name}`, which `{where}` does not have and nothing reads, so this patch "
        f"changes nothing; {advice}",
        fixes=fixes,
    )


def _names(context: Context, owner: ModuleEntity | ClassEntity) -> list[str]:
    if isinstance(owner, ModuleEntity):
        module = context.workspace.load(owner.file)
        return list(module.bindings) if module is not None else []
    names: list[str] = []
    for cls in context.resolver.ancestry(owner).classes:
        for declaration in cls.declaration.body:
            if isinstance(declaration, (model.Function, model.Class)):
                names.append(declaration.name)
            elif isinstance(declaration, model.Assign):
                names.append(declaration.target)
    return names


RULE = Rule(
    "US215",
    "create-hides-missing-target",
    Severity.WARNING,
    "`create=True` on a name that does not exist and that nothing reads",
    check,
    __name__,
)
