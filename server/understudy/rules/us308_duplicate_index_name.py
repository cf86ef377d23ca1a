"""US308: two indexes with one name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.fixes import removal
from understudy.orm.indexes import TableIndex, duplicates, indexes, with_duplicates
from understudy.rules import loading
from understudy.rules.base import Context, Rule
from understudy.source.span import Span


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if "ndex" not in context.source or context.is_test:
        return
    if context.workspace.relative(context.path) not in with_duplicates(context.models):
        return
    seen: set[tuple[Span, Span]] = set()
    for first, second in duplicates(context.models):
        if (
            second.path == context.path
            and not context.is_test_path(first.path)
            and _meet(context, first, second)
        ):
            if (first.span, second.span) not in seen:
                seen.add((first.span, second.span))
                yield _finding(rule, context, first, second)


def _meet(context: Context, first: TableIndex, second: TableIndex) -> bool:
    """Are both loaded in one process, as far as the tests go?"""
    if first.path == second.path or not loading.by_tests(context):
        return True
    return loading.together(context, first.path, second.path)


def _finding(rule: Rule, context: Context, first: TableIndex, second: TableIndex) -> Finding:
    fix = _fix(context, first, second)
    advice = "remove one of them" if _same(first, second) else "give one of them another name"
    if first.is_shared_with(second):
        advice = "make the table's name a part of it"
    return rule.finding(
        second.path,
        second.span,
        f"`create_all()` stops half-way with OperationalError: index {second.name} already exists, because "
        f"{_what(first)} and {_what(second)} have the same name; {advice}",
        related=(Related(first.path, first.span, f"the first index `{first.name}`"),),
        fixes=(fix,) if fix is not None else (),
    )


def _what(index: TableIndex) -> str:
    if index.column is not None:
        return f"`index=True` of `{index.owner}.{index.column}`"
    columns = ", ".join(index.columns) if index.columns else "…"
    return f"the `Index` on {index.table} ({columns})"


def _same(first: TableIndex, second: TableIndex) -> bool:
    return first.table == second.table and first.columns is not None and first.columns == second.columns


def _fix(context: Context, first: TableIndex, second: TableIndex) -> Fix | None:
    """Identical ones: remove ``index=True``, or the second ``Index``. Otherwise rename the explicit one."""
    if first.is_shared_with(second):
        return _with_table(context, second)
    if _same(first, second):
        implicit = next((index for index in (second, first) if not index.explicit), None)
        if implicit is not None:
            text = context.workspace.text(implicit.path)
            edit = Edit(implicit.path, removal.element(text, implicit.span), "")
            return Fix("Remove `index=True`", Applicability.SAFE, (edit,))
        assert second.call is not None
        text = context.workspace.text(second.path)
        span = second.call.span.shifted(second.row)
        if second.standalone:
            before = text.slice(Span(span.row, 0, span.row, span.column)).strip()
            behind = text.line(span.end_row)[span.end_column :].strip()
            if before or (behind and not behind.startswith("#")):
                # Another statement stands in the same row.
                return None
            span = Span(span.row, 0, span.end_row + 1, 0)
        else:
            span = removal.element(text, span)
        # What else it says about the index would be lost.
        applicability = Applicability.UNSAFE if second.call.keywords else Applicability.SAFE
        return Fix("Remove the second index", applicability, (Edit(second.path, span, ""),))
    explicit = next((index for index in (second, first) if index.explicit), None)
    if explicit is None or not explicit.columns:
        return None
    name = f"ix_{explicit.table}_{'_'.join(explicit.columns)}"
    if any(index.name == name for index in indexes(context.models)):
        return None
    text = context.workspace.text(explicit.path)
    quote = text.slice(explicit.span)[:1]
    if quote not in "\"'":
        return None
    edit = Edit(explicit.path, explicit.span, f"{quote}{name}{quote}")
    return Fix(f"Rename the index to `{name}`", Applicability.UNSAFE, (edit,))


def _with_table(context: Context, index: TableIndex) -> Fix | None:
    """``f"{cls.__tablename__}_idx"`` in what each class calls with itself."""
    text = context.workspace.text(index.path)
    quoted = text.slice(index.span)
    line = "\n".join(text.line(row) for row in range(index.span.row))
    header = re.findall(r"def __table_args__\(\s*(\w+)\s*\)", line)
    if not header or len(quoted) < 3 or quoted[0] not in "\"'" or set(quoted) & set("{}\\"):
        return None
    replaced = f"f{quoted[0]}{{{header[-1]}.__tablename__}}_{quoted[1:]}"
    edit = Edit(index.path, index.span, replaced)
    return Fix("Make the table's name a part of it", Applicability.UNSAFE, (edit,))


RULE = Rule(
    "US308",
    "duplicate-index-name",
    Severity.ERROR,
    "two indexes (`index=True` and `Index(...)` included) with one name: `create_all()` stops half-way",
    check,
    __name__,
)
