"""Doubles with ``spec=Model``, and the fields that they are given or asked and that the model has not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from understudy.doubles.run import Outcome
from understudy.doubles.state import Failure
from understudy.doubles.values import Mock
from understudy.finding import Edit
from understudy.fixes import mocks
from understudy.infer.entities import External
from understudy.infer.scopes import Site
from understudy.orm import attributes
from understudy.orm.models import Model
from understudy.rules.base import Context
from understudy.rules.expected import excused, expected
from understudy.rules.keywords import keywords
from understudy.rules.made import made_by_call
from understudy.rules.model_advice import nearest_field
from understudy.rules.statements import model_of
from understudy.source.parse import Unit
from understudy.source.span import Span

_MOCKS = frozenset({"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "NonCallableMagicMock"})
_KEYWORDS = frozenset(
    {"spec", "spec_set", "wraps", "name", "unsafe", "parent", "instance", "return_value", "side_effect"}
)
_AWAITED = frozenset(
    {"assert_awaited", "assert_awaited_once", "assert_awaited_with", "assert_awaited_once_with", "await_args",
     "assert_any_await", "assert_has_awaits", "assert_not_awaited", "await_count", "await_args_list"}
)  # fmt: skip


@cache
def _own() -> frozenset[str]:
    """What every mock answers to. Late: the import is a slow one."""
    from unittest.mock import MagicMock

    return frozenset(dir(MagicMock())) | _KEYWORDS


@dataclass(frozen=True)
class Double:
    """A mock whose spec is a model."""

    model: Model
    unit: Unit
    call: ast.Call
    strict: bool
    """``spec_set``: what the model has not cannot be set."""


@dataclass(frozen=True)
class WrongField:
    """A field that the model of a double has not."""

    double: Double
    name: str
    span: Span
    edit: Edit
    """Writes another name there, in place of ``{}``."""
    read: bool
    """The double is asked for it; else it is given it."""
    meant: str | None
    """The field that was probably meant."""


def wrong_fields(context: Context) -> list[WrongField]:
    """Every such place of a test file: keywords, then assignments, then reads."""
    return context.once("wrong fields of doubles", lambda: list(_wrong_fields(context)))


def _wrong_fields(context: Context) -> Iterator[WrongField]:
    if not context.is_test or ("spec" not in context.source and "fixture" not in context.source):
        return
    if not context.models.exist:
        return
    for site in context.sites("US309 calls", "calls", lambda site: _made(context, site) is not None):
        assert isinstance(site.node, ast.Call)
        double = _made(context, site)
        if double is None:
            continue
        for given in keywords(context, site, site.node).given:
            name = given.name.partition(".")[0]
            if _unknown(context, double, name) and not _excused(context, site):
                edit = Edit(context.path, given.span, given.spelled("{}"))
                value = given.value if name == given.name else None
                yield WrongField(double, name, given.span, edit, False, _meant(context, double, name, value))
    for site in context.sites("US309 set", "statements", lambda site: any(_set(context, site))):
        for double, outer in _set(context, site):
            if _unknown(context, double, outer.attr) and not _excused(context, site):
                value = (
                    site.node.value
                    if isinstance(site.node, ast.Assign) and outer in site.node.targets
                    else None
                )
                meant = _meant(context, double, outer.attr, value)
                yield WrongField(double, outer.attr, *_name_of(context, site, outer), False, meant)
    for site in context.sites("US309 reads", "reads", lambda site: _read_of(context, site) is not None):
        node = site.node
        assert isinstance(node, ast.Attribute)
        double = _read_of(context, site)
        if double is None or not _unknown(context, double, node.attr) or _excused(context, site):
            continue
        if not _given_before(context, double, node.attr):
            meant = _meant(context, double, node.attr, None)
            yield WrongField(double, node.attr, *_name_of(context, site, node), True, meant)


def _meant(context: Context, double: Double, name: str, value: ast.expr | None) -> str | None:
    model = double.model
    stored = [c.name for c in model.columns if attributes.column_name(c) == name]
    if len(stored) == 1:
        return stored[0]
    return nearest_field(context.models, model, name, attributes.names(model), value)


def misnamed(context: Context, outcome: Outcome, failure: Failure) -> WrongField | None:
    """The field under whose wrong name a double was given what the failing code asks it for: the cause of the failure,
    for US309 to report."""
    mock = failure.subject
    if not isinstance(mock, Mock) or mock.parent is None or mock.root.spec is None:
        return None
    place, path = mock.root.place, mocks.path_of(mock)
    for wrong in wrong_fields(context):
        double = wrong.double
        if not wrong.read and wrong.meant == path and double.unit.path == place.unit.path:
            if double.unit.span(double.call) == place.span and not _in_another(context, outcome, wrong):
                return wrong
    return None


def _in_another(context: Context, outcome: Outcome, wrong: WrongField) -> bool:
    """Does another test give the field to the double, which both get from a fixture?"""
    for other in context.simulation.outcomes:
        span = other.test.unit.span(other.test.node)
        if span.contains(wrong.span.row, wrong.span.column) and other.test.unit.path == context.path:
            return other.test.node is not outcome.test.node
    return False


def _made(context: Context, site: Site) -> Double | None:
    assert isinstance(site.node, ast.Call)
    return _double(context, site, site.node)


def _read_of(context: Context, site: Site) -> Double | None:
    """The double whose attribute is read."""
    assert isinstance(site.node, ast.Attribute)
    value = site.node.value
    return made_by_call(context, site, value, _double) if isinstance(value, ast.Name) else None


def _set(context: Context, site: Site) -> Iterator[tuple[Double, ast.Attribute]]:
    """The doubles whose attributes a statement sets."""
    if not isinstance(site.node, (ast.Assign, ast.AnnAssign)):
        return
    for target in site.node.targets if isinstance(site.node, ast.Assign) else [site.node.target]:
        outer: ast.Attribute | None = None
        node: ast.expr = target
        while isinstance(node, ast.Attribute):
            outer, node = node, node.value
        if outer is None or not isinstance(node, ast.Name) or not isinstance(outer.ctx, ast.Store):
            continue
        double = made_by_call(context, site, node, _double)
        if double is not None:
            yield double, outer


def _name_of(context: Context, site: Site, node: ast.Attribute) -> tuple[Span, Edit]:
    whole = site.unit.span(node)
    span = Span(whole.end_row, whole.end_column - len(node.attr), whole.end_row, whole.end_column)
    return span, Edit(context.path, span, "{}")


def _double(context: Context, site: Site, call: ast.Call) -> Double | None:
    """``MagicMock(spec=Model)``, ``Mock(Model)``, ``create_autospec(Model, instance=True)``."""
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    if not isinstance(call.func, (ast.Name, ast.Attribute)) or "wraps" in options:
        return None
    if not call.args and options.keys().isdisjoint(("spec", "spec_set")):
        return None
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
    of_mocker = (
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "mocker"
    )
    if not of_mocker:
        found = context.names.resolve(call.func, site.scope)
        if not isinstance(found, External) or found.root not in ("unittest", "mock"):
            return None
        name = found.name
    spec: ast.expr | None = None
    strict = "spec_set" in options
    if name in _MOCKS:
        spec = options.get("spec") or options.get("spec_set") or (call.args[0] if call.args else None)
    elif name == "create_autospec":
        instance = options.get("instance")
        if isinstance(instance, ast.Constant) and instance.value is True and call.args:
            spec = call.args[0]
    if spec is None:
        return None
    model = model_of(context, site, spec)
    return Double(model, site.unit, call, strict) if model is not None else None


def _unknown(context: Context, double: Double, name: str) -> bool:
    if name in _own() or name in _AWAITED or name.startswith(("_", "assert")):
        return False
    return attributes.has_on_instance(context.models, double.model, name) is False


def _given_before(context: Context, double: Double, name: str) -> bool:
    """Is the field given to some double in this file, or in the one where this one is made, or set by code under
    test?"""
    setters = context.workspace.files_with(attributes.setting(name))
    if any(not context.is_test_path(path) for path in setters):
        return True
    for unit in {*context.parsed.units, *context.workspace.parsed(double.unit.path).units}:
        for node in ast.walk(unit.node):
            if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store):
                return True
            if isinstance(node, ast.keyword) and (node.arg is None or node.arg == name):
                return True
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
                return True
    return False


def _excused(context: Context, site: Site) -> bool:
    return expected(context, site, "AttributeError") or excused(context)
