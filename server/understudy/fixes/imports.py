"""Edits that make a name available in a file."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from understudy.finding import Edit
from understudy.source.parse import Parsed, Unit
from understudy.source.span import Span


@dataclass(frozen=True)
class Spelling:
    """How to write a name at some place, and the edits that make it mean what it should."""

    text: str
    edits: tuple[Edit, ...]


def beside(parsed: Parsed, unit: Unit, like: ast.expr, name: str) -> Spelling | None:
    """Spell ``name`` of the module that ``like`` comes from: ``mock.AsyncMock`` beside ``mock.MagicMock``,
    ``AsyncMock`` beside ``MagicMock``, whose import is extended where needed. None when that is not possible.
    """
    if isinstance(like, ast.Attribute):
        return Spelling(f"{unit.source(like.value)}.{name}", ())
    if not isinstance(like, ast.Name):
        return None
    found = _import_of(parsed, unit, like)
    if found is None:
        return None
    holder, statement = found
    for alias in statement.names:
        if alias.name == name:
            return Spelling(alias.asname or name, ())
    other = _bound_elsewhere(parsed, name, statement)
    if other is not None:
        return Spelling(name, ()) if other == statement.module else None
    return Spelling(name, (_extend(holder, statement, name),))


def from_module(parsed: Parsed, module: str, name: str) -> Spelling | None:
    """Spell ``name`` of ``module`` at any place of the file; adds a ``from`` import where there is none."""
    same: tuple[Unit, ast.ImportFrom] | None = None
    package, _, tail = module.rpartition(".")
    for unit in parsed.units:
        node = unit.node
        if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
            same = same or (unit, node)
            for alias in node.names:
                if alias.name == name:
                    return Spelling(alias.asname or name, ())
        elif isinstance(node, ast.ImportFrom) and package and node.module == package and not node.level:
            for alias in node.names:
                if alias.name == tail:
                    return Spelling(f"{alias.asname or tail}.{name}", ())
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == module:
                    return Spelling(f"{alias.asname or module}.{name}", ())
    if _bound_elsewhere(parsed, name, None) is not None:
        return None
    if same is not None:
        return Spelling(name, (_extend(*same, name),))
    return Spelling(name, (statement(parsed, f"from {module} import {name}"),))


def of_module(parsed: Parsed, module: str, name: str) -> Spelling | None:
    """Spell ``name`` as ``module.name``, where the file has another thing of that name; adds an ``import``."""
    package, _, tail = module.rpartition(".")
    if _bound_elsewhere(parsed, tail, None) is not None:
        return None
    added = f"from {package} import {tail}" if package else f"import {tail}"
    return Spelling(f"{tail}.{name}", (statement(parsed, added),))


def statement(parsed: Parsed, source: str) -> Edit:
    """Add an import statement: after the last import of the top of the file, else after docstring and
    ``__future__`` imports."""
    after: Unit | None = None
    for index, unit in enumerate(parsed.units):
        node = unit.node
        is_docstring = index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, (ast.Import, ast.ImportFrom)) or is_docstring:
            after = unit
        else:
            break
    newline = parsed.text.newline
    if after is None:
        row = _first_code_row(parsed)
        return Edit(parsed.path, Span.at(row, 0), f"{source}{newline}")
    row, column = after.end_row, len(parsed.text.line(after.end_row))
    gap = newline if isinstance(after.node, ast.Expr) else ""
    return Edit(parsed.path, Span.at(row, column), f"{gap}{newline}{source}")


def _first_code_row(parsed: Parsed) -> int:
    """Below the comments at the top (a shebang, an encoding declaration, a licence)."""
    row = 0
    while row < parsed.text.row_count and parsed.text.line(row).startswith("#"):
        row += 1
    return row


def _import_of(parsed: Parsed, unit: Unit, name: ast.Name) -> tuple[Unit, ast.ImportFrom] | None:
    """The ``from`` import that binds a name: in the enclosing statement, else at the top of the file."""
    candidates: list[tuple[Unit, ast.AST]] = [(unit, node) for node in ast.walk(unit.node)]
    candidates.extend((other, other.node) for other in parsed.units)
    # Imports under try or if at the top level count as well.
    for other in parsed.units:
        if isinstance(other.node, (ast.Try, ast.If)):
            candidates.extend((other, node) for node in ast.walk(other.node))
    for holder, node in candidates:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name.id:
                    return holder, node
    return None


def _bound_elsewhere(parsed: Parsed, name: str, statement: ast.ImportFrom | None) -> str | None:
    """The module that another import takes ``name`` from; empty when something else binds it at the top."""
    for unit in parsed.units:
        node = unit.node
        if isinstance(node, ast.ImportFrom) and node is not statement:
            if any((alias.asname or alias.name) == name for alias in node.names):
                return node.module or ""
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name:
            return ""
        elif isinstance(node, ast.Assign):
            if any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
                return ""
        elif isinstance(node, ast.Import):
            if any((alias.asname or alias.name) == name for alias in node.names):
                return ""
    return None


def _extend(unit: Unit, node: ast.ImportFrom, name: str) -> Edit:
    """Add a name to ``from m import …`` in the order of isort, in the layout that is there."""
    after = next((alias for alias in node.names if _order(alias.name) > _order(name)), None)
    if after is not None:
        span = unit.span(after)
        previous = node.names.index(after)
        if previous and unit.span(node.names[previous - 1]).row != span.row:
            indentation = unit.text.line(span.row)[: span.column]
            separator = f",{unit.text.newline}{indentation}"
        elif len(node.names) > 1 and unit.span(node.names[-1]).row != span.row:
            indentation = unit.text.line(span.row)[: span.column]
            separator = f",{unit.text.newline}{indentation}" if not indentation.strip() else ", "
        else:
            separator = ", "
        return Edit(unit.path, Span.at(span.row, span.column), f"{name}{separator}")
    last = unit.span(node.names[-1])
    indentation = unit.text.line(last.row)[: last.column]
    if last.row != unit.span(node).row and not indentation.strip():
        separator = f",{unit.text.newline}{indentation}"
    else:
        separator = ", "
    return Edit(unit.path, Span.at(last.end_row, last.end_column), f"{separator}{name}")


def _order(name: str) -> tuple[int, str]:
    """Constants, classes and all else, each in alphabetical order (isort's ``order_by_type``)."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower()
