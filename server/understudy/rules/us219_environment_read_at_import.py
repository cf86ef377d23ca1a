"""US219: a variable of the environment is set for a test, and was read when a module was imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from understudy.binding.idle import loads_again
from understudy.doubles import environ
from understudy.doubles.state import Failure, Misuse
from understudy.doubles.values import Instance, Place
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.infer.entities import ClassEntity
from understudy.rules import async_doubles, idle_patches
from understudy.rules.base import Context, Rule
from understudy.source.computed import beginning
from understudy.source.dotted import last_name
from understudy.source.parse import Parsed
from understudy.source.span import Span

_SETTINGS = re.compile(rb"\bBaseSettings\b")
_READING = re.compile(rb"\bgetenv\(|\benviron\b")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    seen: set[object] = set()
    for _, note in async_doubles.notes(context, Misuse.ENVIRONMENT, in_test=True):
        place, read, variable = note.place, note.instead, note.error
        if read is None or (place.key, variable) in seen or not _is_kept(context, note, read):
            continue
        seen.add((place.key, variable))
        yield rule.finding(
            place.unit.path,
            _where(place, variable),
            f"setting `{variable}` changes nothing for `{note.calls[-1].function.name}`: it looks up `{note.detail}`, "
            f"which was made of the variable when `{read.unit.path.stem}` was imported, before this test; patch "
            f"`{note.detail}`",
            related=(Related(read.unit.path, read.span, "read here, at the import"),),
            fixes=tuple(_fixes(note, read)),
        )


def _is_kept(context: Context, note: Failure, read: Place) -> bool:
    """Was the variable read before any test ran, and is it not read again?"""
    variable = note.error
    chain = context.fixtures.chain(context.module)
    loaded = idle_patches.loaded(context)
    if read.unit.path not in loaded or loads_again(context.workspace, chain):
        return False
    if not {module.path for module in chain}.isdisjoint(context.workspace.files_with(_setting(variable))):
        return False
    if isinstance(note.subject, Instance):
        settings = note.subject.entity
        return not context.once(("made later", read.key), lambda: _is_made_later(context, settings, read))
    return not context.once(("read later", variable), lambda: _is_read_later(context, variable, loaded))


def _setting(variable: str) -> re.Pattern[bytes]:
    """Code that sets the variable when a file is imported. What a test sets later may be the same."""
    name = re.escape(variable.encode())
    return re.compile(rb"^\S[^\n]*\benviron(?:\.setdefault\(|\[)\s*[\"']" + name + rb"[\"']", re.MULTILINE)


def _is_read_later(context: Context, variable: str, loaded: set[Path]) -> bool:
    """May code of the project read the variable when it runs, or when a test imports it?"""
    if context.workspace.any_with(_SETTINGS):
        # A field may have a prefix, and is found in any case.
        words = variable.encode().split(b"_")
        fields = b"|".join(re.escape(b"_".join(words[index:])) for index in range(len(words)))
        if context.workspace.any_with(
            re.compile(rb"^[ \t]+(?:" + fields + rb")[ \t]*:", re.MULTILINE | re.IGNORECASE)
        ):
            return True
    if any(
        _computes(context.workspace.readable(path), variable)
        for path in context.workspace.files_with(_READING)
        if not context.is_test_path(path)
    ):
        return True
    pattern = re.compile(rb"[\"']" + re.escape(variable.encode()) + rb"[\"']")
    for path in context.workspace.files_with(pattern):
        if context.is_test_path(path):
            continue
        parsed = context.workspace.readable(path)
        if parsed is None or path not in loaded:
            return True
        for unit in parsed.units:
            for function in ast.walk(unit.node):
                if isinstance(function, _FUNCTIONS) and any(
                    isinstance(node, ast.Constant) and node.value == variable for node in ast.walk(function)
                ):
                    return True
    return False


def _computes(parsed: Parsed | None, variable: str) -> bool:
    """Does a function read variables of computed names, which this may be one of?"""
    if parsed is None:
        return True
    for _, function in parsed.walk():
        for node in ast.walk(function) if isinstance(function, _FUNCTIONS) else ():
            key: ast.expr | None = None
            if isinstance(node, ast.Subscript) and last_name(node.value) == "environ":
                key = node.slice
            elif isinstance(node, ast.Call) and node.args:
                owner = node.func.value if isinstance(node.func, ast.Attribute) else None
                if last_name(node) == "getenv" or (owner is not None and last_name(owner) == "environ"):
                    key = node.args[0]
            if key is not None and not isinstance(key, ast.Constant) and variable.startswith(beginning(key)):
                return True
    return False


def _is_made_later(context: Context, settings: ClassEntity, read: Place) -> bool:
    """May anything make other settings of the class, which read the variables then?"""
    pattern = re.compile(rb"\b" + re.escape(settings.name.encode()) + rb"\b")
    for path in context.workspace.files_with(pattern):
        parsed = context.workspace.readable(path)
        if parsed is None:
            return True
        for unit in parsed.units:
            calls = [node for node in ast.walk(unit.node) if isinstance(node, ast.Call)]
            made = [Place(unit, node) for node in calls if last_name(node) == settings.name]
            if any(place.key != read.key for place in made):
                return True
    return False


def _where(place: Place, variable: str) -> Span:
    """The name of the variable, where it is written."""
    for node in ast.walk(place.node):
        if isinstance(node, ast.Constant) and node.value == variable:
            return place.unit.span(node)
        if isinstance(node, ast.keyword) and node.arg == variable:
            return place.unit.keyword_span(node)
    return place.span


def _fixes(note: Failure, read: Place) -> Iterator[Fix]:
    """``monkeypatch.setattr`` in place of ``setenv``, where the name was bound to the string itself."""
    place = note.place
    call, unit = place.node, place.unit
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or len(call.args) != 2:
        return
    if call.func.attr != "setenv" or call.keywords or not _is_bare(read.node):
        return
    text = f'{unit.source(call.func.value)}.setattr("{note.detail}", {unit.source(call.args[1])})'
    yield Fix(f"Patch `{note.detail}`", Applicability.UNSAFE, (Edit(unit.path, place.span, text),))


def _is_bare(node: ast.AST) -> bool:
    """Is it nothing but the reading of one variable?"""
    if isinstance(node, ast.Subscript):
        return bool(environ.names_in(node))
    return (
        isinstance(node, ast.Call)
        and not any(isinstance(each, ast.Call) for each in node.args)
        and bool(environ.names_in(ast.Call(node.func, node.args[:1], [])))
    )


RULE = Rule(
    "US219",
    "environment-read-at-import",
    Severity.WARNING,
    "a variable of the environment is set for a test, after the module that the code looks it up in has read it",
    check,
    __name__,
)
