"""How a test replaces something so that it is put back: ``monkeypatch``, or ``patch.dict`` and ``patch.object``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from understudy.finding import Applicability, Edit, Fix
from understudy.fixes import blocks, imports, parameters
from understudy.infer.entities import ClassEntity
from understudy.infer.scopes import FunctionNode
from understudy.rules.base import Context
from understudy.source.parse import Unit

_SET_UPS = {"setUp": "addCleanup", "asyncSetUp": "addCleanup", "setUpClass": "addClassCleanup"}


@dataclass(frozen=True)
class Replacement:
    """``owner[key] = value`` or ``owner.name = value`` in a function; owner, key and value as they are written."""

    unit: Unit
    statement: ast.Assign
    function: FunctionNode
    owner: str
    key: str
    """The key, or the name of the attribute as a string."""
    value: str
    is_item: bool

    @property
    def form(self) -> str:
        """Of ``patch``."""
        return "dict" if self.is_item else "object"

    @property
    def setter(self) -> str:
        """Of ``monkeypatch``."""
        return "setitem" if self.is_item else "setattr"

    def header(self, spelled: str) -> str:
        """``with patch.dict(owner, {key: value}):``, with ``patch`` as it is spelled."""
        maker = f"{spelled}.{self.form}"
        if self.is_item:
            return blocks.with_header(maker, [self.owner], [f"{self.key}: {self.value}"])
        return blocks.with_header(maker, [self.owner, self.key, self.value])


def in_function(context: Context, replacement: Replacement) -> Fix | None:
    """``monkeypatch`` in a test or in a fixture of functions; ``patch`` where there is none: in a
    :class:`unittest.TestCase`, and in fixtures of a wider scope."""
    function = replacement.function
    cls = _class_around(replacement.unit, function)
    if cls is not None:
        found = context.resolver.name(context.module, cls.name)
        if not isinstance(found, ClassEntity):
            return None
        if context.resolver.is_test_case(found):
            if function.name in _SET_UPS:
                return _in_set_up(context, replacement)
            return _in_with(context, replacement) if function.name.startswith("test") else None
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    if any("fixture" in decorator for decorator in decorators):
        if any("scope" in decorator for decorator in decorators):
            return _in_fixture(context, replacement)
    elif not function.name.startswith("test"):
        return None
    elif any("patch" in decorator for decorator in decorators):
        return _in_with(context, replacement)
    return _with_monkeypatch(context, replacement)


def _class_around(unit: Unit, function: ast.AST) -> ast.ClassDef | None:
    return unit.node if isinstance(unit.node, ast.ClassDef) and function in unit.node.body else None


def _with_monkeypatch(context: Context, given: Replacement) -> Fix | None:
    added = parameters.add(given.unit, given.function, "monkeypatch")
    if added is None:
        return None
    call = f"monkeypatch.{given.setter}({given.owner}, {given.key}, {given.value})"
    edits = (Edit(context.path, given.unit.span(given.statement), call), *added)
    return Fix(f"Replace it with `monkeypatch.{given.setter}`", Applicability.UNSAFE, edits)


def _in_with(context: Context, given: Replacement) -> Fix | None:
    """The rest of the test under ``with patch…``."""
    rest = _rest(given)
    spelled = imports.from_module(context.parsed, "unittest.mock", "patch")
    if not rest or spelled is None:
        return None
    span = given.unit.span(given.statement)
    edit = blocks.put_under(given.header(spelled.text), span, [(given.unit, s) for s in rest])
    return with_patch(edit, spelled.edits, given.form)


def _in_fixture(context: Context, given: Replacement) -> Fix | None:
    """The ``yield`` of a fixture under ``with patch…``; one is added where it has none."""
    function, unit = given.function, given.unit
    rest = _rest(given)
    spelled = imports.from_module(context.parsed, "unittest.mock", "patch")
    yields = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in ast.walk(function))
    returns = any(isinstance(node, ast.Return) for node in ast.walk(function))
    if rest is None or spelled is None or returns or function.returns is not None:
        return None
    span = unit.span(given.statement)
    header = given.header(spelled.text)
    if rest:
        edit = blocks.put_under(header, span, [(unit, s) for s in rest])
        if edit is not None and not yields:
            margin = unit.text.line(span.row)[: span.column]
            tail = f"{unit.text.newline}{margin}    yield"
            edit = Edit(edit.path, edit.span, f"{edit.content}{tail}")
    elif not yields and not unit.text.line(span.row)[: span.column].strip():
        margin = unit.text.line(span.row)[: span.column]
        lines = [*header.split("\n"), "    yield"]
        edit = Edit(context.path, span, f"{unit.text.newline}{margin}".join(lines))
    else:
        edit = None
    return with_patch(edit, spelled.edits, given.form)


def _in_set_up(context: Context, given: Replacement) -> Fix | None:
    function, unit = given.function, given.unit
    patcher = "modules" if given.is_item else "patcher"
    spelled = imports.from_module(context.parsed, "unittest.mock", "patch")
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    span = unit.span(given.statement)
    margin = unit.text.line(span.row)[: span.column]
    if spelled is None or patcher in names or not function.args.args or margin.strip():
        return None
    owner = function.args.args[0].arg
    made = given.header(spelled.text).removeprefix("with ").removesuffix(":")
    lines = (
        *f"{patcher} = {made}".split("\n"),
        f"{patcher}.start()",
        f"{owner}.{_SET_UPS[function.name]}({patcher}.stop)",
    )
    content = f"{unit.text.newline}{margin}".join(lines)
    return with_patch(Edit(context.path, span, content), spelled.edits, given.form)


def with_patch(edit: Edit | None, extra: Sequence[Edit], form: str) -> Fix | None:
    """The fix, where the edits, those for the import of ``patch`` among them, do not meet."""
    if edit is None or any(
        edit.span.overlaps(other.span) or edit.span.row <= other.span.row for other in extra
    ):
        return None
    return Fix(f"Replace it with `patch.{form}`", Applicability.UNSAFE, (*extra, edit))


def _rest(given: Replacement) -> list[ast.stmt] | None:
    """What follows the statement in the body of the function; None where it stands in a block."""
    body = given.function.body
    return body[body.index(given.statement) + 1 :] if given.statement in body else None
