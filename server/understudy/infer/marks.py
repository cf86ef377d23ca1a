"""The marks of a test: its own decorators, those of its class and of the classes above it, and those of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.entities import Absent, ClassEntity, ValueEntity
from understudy.infer.nodes import class_node
from understudy.infer.resolve import Resolver
from understudy.source.dotted import dotted_name, dotted_parts, last_name
from understudy.source.parse import Parsed
from understudy.source.text import SourceError

_NAME = "pytestmark"
_NOT_RUN = frozenset({"skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure"})
"""Marks of tests that may not run, or may fail."""
SKIPPING = frozenset({"skip", "skipTest", "SkipTest", "xfail", "importorskip"})
"""What is called to skip the running test, or the file."""

_SKIPS = ("skip", "Skip", "xfail")


@dataclass(frozen=True)
class Marks:
    """Marks as they are written, where a name stands for one as that one; of the test itself and its own class, all
    decorators."""

    found: tuple[ast.expr, ...]
    known: bool
    """False: there may be others."""


def around(resolver: Resolver, parsed: Parsed, module: Module, owner: ClassEntity | None) -> Marks:
    """What the tests of a class, or of the file, have beside their own decorators."""
    of_owner = of_class(resolver, owner) if owner is not None else Marks((), True)
    outside = of_module(resolver, parsed, module)
    return Marks((*of_owner.found, *outside.found), of_owner.known and outside.known)


def of_class(resolver: Resolver, owner: ClassEntity) -> Marks:
    """Decorators and ``pytestmark`` of a class; of the classes above it, what is written as a mark."""
    found: list[ast.expr] = []
    known = True
    for cls in resolver.ancestry(owner).classes:
        if not cls.module.workspace or not _may_have_marks(cls):
            continue
        node = class_node(resolver, cls)
        if node is None:
            known = False
            continue
        inside = _assigned(resolver, cls.module, node.body)
        decorators = (meant(resolver, cls.module, decorator) for decorator in node.decorator_list)
        found.extend(d for d in decorators if cls == owner or _is_mark(d))
        found.extend(inside.found)
        known = known and inside.known
    return Marks(tuple(found), known)


def of_module(resolver: Resolver, parsed: Parsed, module: Module) -> Marks:
    """The ``pytestmark`` of a file."""
    if _NAME not in module.bindings and not module.stars:
        return Marks((), True)
    body = (unit.node for unit in parsed.units if unit.name is None and unit.mentions(_NAME))
    inside = _assigned(resolver, module, body)
    # A star import may bring it.
    known = not module.stars or resolver.module_attribute(module, _NAME) is Absent.MISSING
    return inside if known or inside.found else Marks((), False)


def meant(resolver: Resolver, module: Module, mark: ast.expr) -> ast.expr:
    """What a module's name for a mark stands for: ``needs_network = pytest.mark.skipif(…)``."""
    parts = dotted_parts(mark)
    if parts is None or _is_mark(mark):
        return mark
    found = resolver.ref(module, parts)
    if not isinstance(found, ValueEntity) or found.owner is not None or not found.module.workspace:
        return mark
    try:
        units = resolver.workspace.parsed(found.path).units
    except SourceError:
        return mark
    for unit in units:
        if unit.row == found.row and isinstance(unit.node, (ast.Assign, ast.AnnAssign)):
            value = unit.node.value
            return value if value is not None and _is_mark(value) else mark
    return mark


def may_not_run(marks: Iterable[ast.expr]) -> bool:
    """Does one of them say that the test is skipped, perhaps, or may fail?"""
    return any(last_name(mark) in _NOT_RUN or _has_no_cases(mark) for mark in marks)


def module_may_not_run(resolver: Resolver, parsed: Parsed, module: Module) -> bool:
    """May a file be skipped, or the failures in it be expected: ``pytestmark``, ``__test__``, ``importorskip`` of what
    is not there, a skip at its top level?"""
    marks = of_module(resolver, parsed, module)
    if may_not_run(marks.found) or "__test__" in module.bindings:
        return True
    if _NAME in module.bindings and not marks.known:
        return True
    return any(
        _may_skip(resolver, parsed, node)
        for unit in parsed.units
        if unit.name is None and any(map(unit.mentions, _SKIPS))
        for node in ast.walk(unit.node)
    )


def _may_skip(resolver: Resolver, parsed: Parsed, node: ast.AST) -> bool:
    if isinstance(node, ast.Raise) and node.exc is not None:
        return "skip" in (dotted_name(node.exc) or "").lower()
    if not isinstance(node, ast.Call) or last_name(node) not in SKIPPING or _is_mark(node):
        return False
    if last_name(node) != "importorskip":
        return True
    wanted = node.args[0] if len(node.args) == 1 and not node.keywords else None
    if not isinstance(wanted, ast.Constant) or not isinstance(wanted.value, str):
        return True
    return resolver.workspace.find(wanted.value, parsed.path) is None


def used_fixtures(marks: Iterable[ast.expr]) -> list[str]:
    """The fixtures that ``usefixtures`` names."""
    return [
        argument.value
        for mark in marks
        if isinstance(mark, ast.Call) and last_name(mark) == "usefixtures"
        for argument in mark.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def parametrized(mark: ast.expr) -> frozenset[str] | None:
    """The parameters that a mark fills, and not by way of their fixtures (``indirect``); None where they are
    computed. A fixture of the same name is not set up then, for no other that asks for it, either."""
    if last_name(mark) != "parametrize":
        return frozenset()
    return filled_by(mark) if isinstance(mark, ast.Call) else None


def filled_by(call: ast.Call) -> frozenset[str] | None:
    """As :func:`parametrized`, for a call with its arguments: ``metafunc.parametrize`` has the same."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    names = call.args[0] if call.args else given.get("argnames")
    if names is None or None in given:
        return None
    indirect = call.args[2] if len(call.args) > 2 else given.get("indirect")
    found = _names(names)
    if found is None or indirect is None:
        return found
    if isinstance(indirect, ast.Constant):
        return frozenset() if indirect.value else found
    by_fixture = _names(indirect) if not isinstance(indirect, ast.Constant) else None
    return found - by_fixture if by_fixture is not None else None


def filled_by_hook(hook: ast.FunctionDef) -> frozenset[str] | None:
    """What a ``pytest_generate_tests(metafunc)`` fills; None where it computes the names, hands ``metafunc`` on, or has
    cases that are all skipped."""
    found: frozenset[str] = frozenset()
    nodes = list(ast.walk(hook))
    asked = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    calls = {id(node.func): node for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id == "metafunc" and id(node) not in asked:
            return None
        if isinstance(node, ast.Attribute) and node.attr == "parametrize":
            call = calls.get(id(node))
            names = filled_by(call) if call is not None and not _has_no_cases(call) else None
            if names is None:
                return None
            found |= names
    return found


def _names(node: ast.expr) -> frozenset[str] | None:
    """``"a, b"``, ``("a", "b")`` or ``["a", "b"]``."""
    found: set[str] = set()
    for part in node.elts if isinstance(node, (ast.Tuple, ast.List)) else [node]:
        if not isinstance(part, ast.Constant) or not isinstance(part.value, str):
            return None
        found.update(name.strip() for name in part.value.split(","))
    return frozenset(found - {""})


def _has_no_cases(mark: ast.expr) -> bool:
    """``parametrize("name", [])``, or one whose cases are all marked so themselves: the test is skipped."""
    if last_name(mark) != "parametrize" or not isinstance(mark, ast.Call) or len(mark.args) < 2:
        return False
    cases = mark.args[1]
    return isinstance(cases, (ast.List, ast.Tuple)) and all(map(_case_may_not_run, cases.elts))


def _case_may_not_run(case: ast.expr) -> bool:
    """``pytest.param(value, marks=pytest.mark.skip)``; a name for marks may stand for such."""
    if not isinstance(case, ast.Call) or last_name(case) != "param":
        return False
    given = [keyword.value for keyword in case.keywords if keyword.arg == "marks"]
    each = [mark for value in given for mark in getattr(value, "elts", [value])]
    return not all(
        runs(dotted_parts(mark.func if isinstance(mark, ast.Call) else mark) or ()) for mark in each
    )


def runs(mark: tuple[str, ...]) -> bool:
    """Does what has only such marks run, and has to pass?

    :param mark: its name in parts; a name for a mark may stand for any.
    """
    return "mark" in mark[:2] and mark[-1] not in _NOT_RUN


def _may_have_marks(cls: ClassEntity) -> bool:
    declared = cls.declaration
    return bool(declared.decorators) or any(
        isinstance(inner, model.Import) or getattr(inner, "target", None) == _NAME for inner in declared.body
    )


def _is_mark(decorator: ast.expr) -> bool:
    name = dotted_name(decorator.func if isinstance(decorator, ast.Call) else decorator) or ""
    return name.startswith(("pytest.mark.", "mark."))


def _assigned(resolver: Resolver, module: Module, body: Iterable[ast.AST]) -> Marks:
    """What a body binds to ``pytestmark``: all that it is, or is given, is collected."""
    found: list[ast.expr] = []
    known = True
    for node in body:
        value: ast.expr | None = None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.Assign) and any(_is_name(target) for target in node.targets):
            value = node.value
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and _is_name(node.target):
            value = node.value
        elif any(_binds(inner) for inner in ast.walk(node)):
            known = False
        if value is not None:
            marks = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
            stand_for = [meant(resolver, module, mark) for mark in marks]
            found.extend(stand_for)
            known = known and all(map(_is_mark, stand_for))
    return Marks(tuple(found), known)


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == _NAME


def _binds(node: ast.AST) -> bool:
    if isinstance(node, ast.alias):
        return (node.asname or node.name) == _NAME
    return isinstance(node, ast.Name) and node.id == _NAME
