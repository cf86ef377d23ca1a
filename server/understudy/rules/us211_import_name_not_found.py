"""US211: a name is imported that the module does not define."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from understudy.facts.model import Guard
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes.names import nearest
from understudy.fixes.removal import element
from understudy.infer.assigned import set_on_module
from understudy.infer.definitions import Definition, definitions
from understudy.infer.entities import Absent, ModuleEntity
from understudy.infer.scopes import Site, import_facts
from understudy.project.modules import Kind
from understudy.rules import module_stubs
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.searching import may_be_another
from understudy.source.span import Span

_ERRORS = ("ImportError",)
# Written by build tools: absent from a fresh checkout, there when the package is installed.
_GENERATED = re.compile(r"_?version(?:_?info)?_?|_?build(?:_?info)?|.*_pb2(?:_grpc)?|_?generated.*", re.I)


_APART = frozenset({"doc", "docs", "example", "examples", "samples", "templates"})
"""Folders of files that are run on their own: what stands on their path is not known."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not _APART.isdisjoint(context.path.relative_to(context.workspace.root).parts):
        return
    for site in context.scopes_with(("import",)).statements:
        node = site.node
        if not isinstance(node, ast.ImportFrom) or _guarded(context, site):
            continue
        for alias in node.names:
            source = _lacks(context, node, alias)
            if source is None or _appears(context, source, alias.name):
                continue
            if not may_be_another(context, source.file):
                yield _finding(rule, context, site, node, alias, source)


def _guarded(context: Context, site: Site) -> bool:
    """May the import not run, or is it expected to fail?"""
    if expected(context, site, *_ERRORS) or (context.is_test and excused(context)):
        return True
    previous: ast.AST = site.node
    for node in site.chain:
        if isinstance(node, (ast.If, ast.Match, ast.While, ast.ExceptHandler)):
            return True
        if isinstance(node, ast.Try) and previous not in node.finalbody and node.handlers:
            # Whatever is caught there, the code is prepared for something to go wrong.
            return True
        previous = node
    return False


def _lacks(context: Context, node: ast.ImportFrom, alias: ast.alias) -> ModuleEntity | None:
    """The module that certainly does not have the name when the import runs."""
    name = alias.name
    if name == "*" or (name.startswith("__") and name.endswith("__")):
        return None
    statement, _ = import_facts(node, alias, alias.asname or name)
    source = context.resolver.imported_module(context.module, statement)
    if not isinstance(source, ModuleEntity) or not source.file.workspace:
        return None
    if not node.level and (node.module or "").partition(".")[0] in sys.stdlib_module_names:
        # Which of the two is imported depends on what is loaded already.
        return None
    file = source.file
    if file.kind is not Kind.SOURCE or file.path == context.path:
        return None
    if not node.level and _may_be_a_library(context, file.path, node.module or ""):
        return None
    if context.resolver.only_for_type_checkers(source, name, context.module):
        return source
    if context.resolver.file_attribute(file, name, context.module) is not Absent.MISSING:
        return None
    if file.is_package and _may_be_built(context, source, name):
        return None
    return source


def _may_be_a_library(context: Context, path: Path | None, name: str) -> bool:
    """Is the file imported by a longer name elsewhere, so that the folder it was found in is not on the path?"""
    if path is None:
        return False
    for other in context.workspace.finder.names_of(path, context.path):
        if other.endswith(f".{name}"):
            longer = other[: -len(name)] + name.partition(".")[0]
            used = re.compile(
                rb"^[ \t]*(?:from|import)[ \t]+" + re.escape(longer.encode()) + rb"\b", re.MULTILINE
            )
            if context.workspace.files_with(used):
                return True
    return False


def _may_be_built(context: Context, source: ModuleEntity, name: str) -> bool:
    """Could the name be a submodule that a build makes: generated, or compiled from another language?"""
    if _GENERATED.fullmatch(name):
        return True
    return any(
        entry.startswith(f"{name}.")
        for folder in source.file.folders
        for entry in context.workspace.finder.listing.entries(folder)
    )


def _appears(context: Context, source: ModuleEntity, name: str) -> bool:
    """May the name get there in another way: a stub in ``sys.modules``, an attribute set from outside?"""
    if context.is_test:
        stubbed = module_stubs.around(context)
        parts = source.file.name.split(".")
        if any(".".join(parts[: count + 1]) in stubbed for count in range(len(parts))):
            return True
        if f"{source.file.name}.{name}" in stubbed:
            return True
    word = re.escape(name.encode())
    setters = re.compile(
        rb"\.[ \t]*" + word + rb"[ \t]*(?::[^=\n]+)?=[^=]|setattr\([^\n]*[\"']" + word + rb"[\"']"
    )
    if context.workspace.files_with(setters):
        return True
    return set_on_module(context.resolver, source.file, name)


def _finding(
    rule: Rule, context: Context, site: Site, node: ast.ImportFrom, alias: ast.alias, source: ModuleEntity
) -> Finding:
    whole = site.unit.span(alias)
    span = Span(whole.row, whole.column, whole.row, whole.column + len(alias.name))
    module = source.file.name
    if context.resolver.only_for_type_checkers(source, alias.name, context.module):
        problem = f"`{module}` has `{alias.name}` only under `TYPE_CHECKING`, not when it runs"
        return rule.finding(
            context.path,
            span,
            f"this import raises ImportError: {problem}; import it from where it is defined",
            related=tuple(_guarded_bindings(context, source, alias.name)),
        )
    problem = f"`{module}` does not define `{alias.name}`"
    moved = list(definitions(context.workspace, alias.name, context.path, context.is_test_path))
    fixes: list[Fix] = []
    advice = "define it there, or import another name"
    related: list[Related] = []
    for definition in moved[:3]:
        related.append(
            Related(definition.module.path, definition.binding.span, f"`{alias.name}` is defined here")
        )
        fixes.append(_import_from(context, site, node, alias, definition))
    if len(moved) == 1:
        advice = f"it is defined in `{moved[0].module.name}`"
    name = None if moved else _nearest(context, source, alias.name)
    if name is not None:
        advice = f"did you mean `{name}`?"
        fixes.append(_rename(context, site, alias, span, name))
        loaded = context.workspace.load(source.file)
        bindings = loaded.bindings.get(name, ()) if loaded is not None else ()
        if loaded is not None and bindings:
            related.append(Related(loaded.path, bindings[0].span, f"`{name}` is defined here"))
    return rule.finding(
        context.path,
        span,
        f"this import raises ImportError: {problem}; {advice}",
        related=tuple(related),
        fixes=tuple(fixes),
    )


def _guarded_bindings(context: Context, source: ModuleEntity, name: str) -> Iterator[Related]:
    module = context.workspace.load(source.file)
    if module is not None:
        for binding in module.bindings.get(name, ())[:1]:
            yield Related(module.path, binding.span, "bound here, for type checkers only")


def _nearest(context: Context, source: ModuleEntity, name: str) -> str | None:
    module = context.workspace.load(source.file)
    if module is None:
        return None
    known = [
        bound
        for bound, bindings in module.bindings.items()
        if any(Guard.TYPE_CHECKING not in binding.guards for binding in bindings)
        and not hasattr(builtins, bound)
    ]
    for folder in source.file.folders:
        entries = context.workspace.finder.listing.entries(folder)
        known.extend(entry.removesuffix(".py") for entry in entries if entry.endswith(".py"))
    return nearest(name, known)


def _rename(context: Context, site: Site, alias: ast.alias, span: Span, name: str) -> Fix:
    """Import the near name. What the file calls it stays: its uses are not touched."""
    content = name if alias.asname else f"{name} as {alias.name}"
    return Fix(f"Import `{name}`", Applicability.UNSAFE, (Edit(context.path, span, content),))


def _import_from(
    context: Context, site: Site, node: ast.ImportFrom, alias: ast.alias, definition: Definition
) -> Fix:
    """Import the name from the module that defines it."""
    unit, text = site.unit, context.parsed.text
    module = definition.module.name
    statement = unit.span(node)
    imported = unit.source(alias)
    title = f"Import it from `{module}`"
    if len(node.names) == 1:
        edit = Edit(context.path, statement, f"from {module} import {imported}")
        return Fix(title, Applicability.UNSAFE, (edit,))
    indentation = text.line(statement.row)[: statement.column]
    added = f"from {module} import {imported}{text.newline}{indentation}"
    return Fix(
        title,
        Applicability.UNSAFE,
        (
            Edit(context.path, Span.at(statement.row, statement.column), added),
            Edit(context.path, element(text, unit.span(alias)), ""),
        ),
    )


RULE = Rule(
    "US211",
    "import-name-not-found",
    Severity.ERROR,
    "workspace code imports a name that the workspace module does not define; the nearest name is offered",
    check,
    __name__,
)
