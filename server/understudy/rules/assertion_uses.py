"""Where a test file looks at the assertions of its mocks, and how it uses what it finds there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from understudy.doubles.shapes import AWAIT_ASSERTIONS
from understudy.doubles.state import Look, Sight
from understudy.doubles.values import Mock, MockKind
from understudy.finding import Applicability, Edit, Fix, Related
from understudy.rules import async_doubles
from understudy.rules.base import Context
from understudy.rules.looks import looks
from understudy.source.dotted import last_name
from understudy.source.parse import Unit
from understudy.source.span import Span

_CALL = re.compile(r"(?:mock\.)?call\b")
"""``call``, ``call.save(1)``, ``mock.call(1)``: one call, and no list."""
_PLAIN = frozenset(
    {
        "assert_called",
        "assert_called_once",
        "assert_not_called",
        "assert_awaited",
        "assert_awaited_once",
        "assert_not_awaited",
    }
)
"""Assertions that take no arguments."""


class Form(Enum):
    """What is done with the assertion that is looked up."""

    CALLED = "m.assert_called()"
    BARE = "m.assert_called"
    COMPARED = "m.call_count == 1"
    """As a statement."""
    ASSERTED = "assert m.called_once()"
    """Or ``self.assertTrue(m.called_once())``."""
    OTHER = "anything else"


@dataclass(frozen=True)
class Use:
    """One place where a test looks at an assertion of a mock, or at a name that is nearly one."""

    look: Look
    mock: Mock
    unit: Unit
    attribute: ast.Attribute
    call: ast.Call | None
    """The call of it."""
    form: Form
    statement: ast.stmt | None
    """The statement that is no more than this use."""

    @property
    def name(self) -> str:
        return self.attribute.attr

    @property
    def name_span(self) -> Span:
        """The identifier behind the dot."""
        whole = self.unit.span(self.attribute)
        return Span(whole.end_row, whole.end_column - len(self.name), whole.end_row, whole.end_column)

    @property
    def source(self) -> str:
        """The use as written, on one line."""
        return " ".join(self.unit.source(self.call or self.attribute).split())

    @property
    def made_here(self) -> Related:
        if self.mock.root.vague:
            place = self.mock.root.place
            return Related(place.unit.path, place.span, "made here: a mock")
        return async_doubles.made_here(self.mock)


def uses(context: Context, sight: Sight) -> Iterator[Use]:
    """The uses in test code that the simulation came by, each place once."""
    parents: dict[int, dict[int, ast.AST]] = {}
    for look in looks(context, sight):
        node = look.place.node
        if not isinstance(node, ast.Attribute):
            continue
        unit = look.place.unit
        around = parents.setdefault(id(unit.node), {})
        if not around:
            around.update(
                (id(child), parent)
                for parent in ast.walk(unit.node)
                for child in ast.iter_child_nodes(parent)
            )
        yield Use(look, look.mock, unit, node, *_form(node, around))


def _form(node: ast.Attribute, parents: dict[int, ast.AST]) -> tuple[ast.Call | None, Form, ast.stmt | None]:
    call: ast.Call | None = None
    used: ast.AST = node
    parent = parents.get(id(node))
    if isinstance(parent, ast.Call) and parent.func is node:
        call = used = parent
        parent = parents.get(id(used))
    if isinstance(parent, ast.Await):
        used, parent = parent, parents.get(id(parent))
    if isinstance(parent, ast.Expr):
        return call, Form.BARE if call is None else Form.CALLED, parent
    if isinstance(parent, ast.Assert) and parent.test is used:
        return call, Form.ASSERTED, parent
    if isinstance(parent, ast.BoolOp) and isinstance(parent.op, ast.And):
        outer = parents.get(id(parent))
        if isinstance(outer, ast.Assert) and outer.test is parent:
            return call, Form.ASSERTED, None
    if isinstance(parent, ast.Call) and parent.args[:1] == [used] and last_name(parent) == "assertTrue":
        outer = parents.get(id(parent))
        return call, Form.ASSERTED, outer if isinstance(outer, ast.Expr) else None
    if isinstance(parent, ast.Compare) and isinstance(outer := parents.get(id(parent)), ast.Expr):
        return call, Form.COMPARED, outer
    return call, Form.OTHER, None


def looked_at_elsewhere(context: Context, use: Use) -> bool:
    """Is the name that is nearly an assertion a name of the program itself: configured, examined or passed on
    in the file, or used by code under test?"""
    for outcome in context.simulation.outcomes:
        for look in outcome.looks:
            if look.sight is Sight.LOOKALIKE and look.name == use.name and not look.in_test:
                return True
    for parsed in {use.unit.path, context.path}:
        for unit in context.workspace.parsed(parsed).units:
            if _mentions(unit.node, use.name):
                return True
    return False


def _mentions(tree: ast.AST, name: str) -> bool:
    parents = {id(child): parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == name:
            if not isinstance(node.ctx, ast.Load) or _form(node, parents)[1] is Form.OTHER:
                return True
        elif isinstance(node, ast.keyword) and node.arg is not None and name in node.arg.split("."):
            return True
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return True
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and name in node.value.split("."):
            return True
    return False


def fitting(use: Use, assertion: str | None) -> str | None:
    """The assertion for the arguments of the call: ``called_once(1)`` means ``assert_called_once_with``. None when
    the mock has none."""
    if assertion is None:
        return None
    if assertion in AWAIT_ASSERTIONS and (use.mock.kind is not MockKind.ASYNC or use.mock.vague):
        return None
    if use.call is not None and (use.call.args or use.call.keywords) and assertion in _PLAIN:
        return None if "not" in assertion else f"{assertion}_with"
    return assertion


def corrected(use: Use, assertion: str, title: str, applicability: Applicability) -> tuple[Fix, ...]:
    """Write the use as a call of an assertion, as a statement of its own."""
    path = use.unit.path
    arguments = "()" if assertion in _PLAIN else None
    if use.call is not None:
        opened = Span(
            use.name_span.end_row,
            use.name_span.end_column,
            use.unit.span(use.call).end_row,
            use.unit.span(use.call).end_column,
        )
        arguments = use.unit.text.slice(opened)
        if "has_" in assertion:
            if not use.call.args:
                return ()
            first = use.call.args[0]
            if len(use.call.args) == 1 and _CALL.match(use.unit.source(first)):
                # It takes the calls as a list.
                given = use.unit.span(first)
                start = Span(opened.row, opened.column, given.row, given.column)
                end = Span(given.end_row, given.end_column, opened.end_row, opened.end_column)
                slices = (use.unit.text.slice(span) for span in (start, given, end))
                arguments = "{}[{}]{}".format(*slices)
    if use.form is Form.OTHER:
        arguments = arguments or ""
    if arguments is None:
        return ()
    if use.form in (Form.CALLED, Form.OTHER):
        if use.call is not None and arguments != use.unit.text.slice(opened):
            whole = Span(use.name_span.row, use.name_span.column, opened.end_row, opened.end_column)
            return (Fix(title, applicability, (Edit(path, whole, f"{assertion}{arguments}"),)),)
        edit = Edit(path, use.name_span, assertion)
    elif use.form is Form.BARE:
        edit = Edit(path, use.name_span, f"{assertion}{arguments}")
    elif use.statement is None or _says_more(use.statement):
        return ()
    else:
        owner = use.unit.source(use.attribute.value)
        edit = Edit(path, use.unit.span(use.statement), f"{owner}.{assertion}{arguments}")
    return (Fix(title, applicability, (edit,)),)


def _says_more(statement: ast.stmt) -> bool:
    """Has the assertion a message of its own?"""
    if isinstance(statement, ast.Assert):
        return statement.msg is not None
    call = statement.value if isinstance(statement, ast.Expr) else None
    return not isinstance(call, ast.Call) or len(call.args) != 1 or bool(call.keywords)
