"""Statements put under a ``with``."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from understudy.finding import Edit
from understudy.source.parse import Unit
from understudy.source.span import Span

_LINE = 88


def put_under(header: str, replaced: Span, statements: Sequence[tuple[Unit, ast.stmt]]) -> Edit | None:
    """Replace the rows from ``replaced`` on by ``header``, and put the statements below it under that, with the
    comments between them. The header's first line is written where ``replaced`` starts.

    None where lines hold more than whole statements, or strings that an indentation would change.
    """
    below = [unit.span(statement) for unit, statement in statements]
    if not below:
        return None
    text = statements[0][0].text
    if below[0].row <= replaced.end_row or text.line(replaced.row)[: replaced.column].strip():
        return None
    if text.line(replaced.end_row)[replaced.end_column :].partition("#")[0].strip():
        return None
    if text.line(below[-1].end_row)[below[-1].end_column :].partition("#")[0].strip():
        return None
    if any(_is_fixed(unit, node) for unit, statement in statements for node in ast.walk(statement)):
        return None
    margin = text.line(replaced.row)[: replaced.column]
    step = "\t" if margin.startswith("\t") else "    "
    rows = range(replaced.end_row + 1, below[-1].end_row + 1)
    # Blank lines between the header and what is under it would look odd.
    first = next(row for row in rows if text.line(row).strip())
    lines = [f"{margin}{line}" for line in header.split("\n")]
    lines += [f"{step}{text.line(row)}" if text.line(row).strip() else "" for row in range(first, rows.stop)]
    whole = Span(replaced.row, 0, below[-1].end_row, len(text.line(below[-1].end_row)))
    return Edit(statements[0][0].path, whole, text.newline.join(lines))


def _is_fixed(unit: Unit, node: ast.AST) -> bool:
    """A string over several lines."""
    if not isinstance(node, (ast.Constant, ast.JoinedStr)):
        return False
    span = unit.span(node)
    return span.row != span.end_row and not unit.source(node).startswith("(")


def as_definition(unit: Unit, statement: ast.stmt, lines: Sequence[str]) -> tuple[Edit, ...] | None:
    """Write the lines of a definition instead of a statement at the top of a file, with two blank lines around it and
    the comment right above it. None where the line holds anything else."""
    text, span = unit.text, unit.span(statement)
    if span.column or text.line(span.end_row)[span.end_column :].partition("#")[0].strip():
        return None
    top = span.row
    while top and text.line(top - 1).startswith("#"):
        top -= 1
    above = _blank_rows(unit, range(top - 1, -1, -1))
    below = _blank_rows(unit, range(span.end_row + 1, text.row_count))
    edits = [Edit(unit.path, span, text.newline.join(lines))]
    # Two definitions next to each other agree on what stands between them.
    for row, blank in ((top, above), (span.end_row + 1 + (below or 0), below)):
        if blank is not None and blank < 2:
            edits.append(Edit(unit.path, Span.at(row, 0), text.newline * (2 - blank)))
    return tuple(edits)


def _blank_rows(unit: Unit, rows: range) -> int | None:
    """How many blank lines the rows begin with; None where nothing follows them."""
    return next((count for count, row in enumerate(rows) if unit.text.line(row).strip()), None)


def with_header(maker: str, arguments: Sequence[str], entries: Sequence[str] = ()) -> str:
    """``with maker(arguments, {entries}):``, on one line where that is short enough."""
    given = [*arguments, f"{{{', '.join(entries)}}}"] if entries else [*arguments]
    line = f"with {maker}({', '.join(given)}):"
    if len(line) <= _LINE:
        return line
    if len(entries) > 1:
        inner = "".join(f"        {entry},\n" for entry in entries)
        given[-1] = f"{{\n{inner}    }}"
    rows = "".join(f"    {each},\n" for each in given)
    return f"with {maker}(\n{rows}):"
