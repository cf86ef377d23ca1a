"""Where an exception is expected: what is intended is no finding."""

from __future__ import annotations

import ast
import builtins

from understudy.infer.scopes import Site

_EXPECTING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "suppress"})
_MARKS = frozenset({"xfail", "skip", "expectedFailure"})


def expected(site: Site, *exceptions: str) -> bool:
    """Does the code around a place expect, catch or excuse one of these exceptions?"""
    previous: ast.AST = site.node
    for node in site.chain:
        if isinstance(node, (ast.With, ast.AsyncWith)):
            if any(_expects(item.context_expr, exceptions) for item in node.items):
                return True
        elif isinstance(node, ast.Try) and previous in node.body:
            if any(_catches(handler.type, exceptions) for handler in node.handlers):
                return True
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if any(last_name(decorator) in _MARKS for decorator in node.decorator_list):
                return True
        elif isinstance(node, ast.Lambda):
            # Usually handed to something that calls it and expects it to fail: pytest.raises(E, lambda: …).
            return True
        previous = node
    return False


def _expects(node: ast.expr, exceptions: tuple[str, ...]) -> bool:
    if isinstance(node, ast.Call) and last_name(node) in _EXPECTING:
        return not node.args or any(_catches(arg, exceptions) for arg in node.args)
    # A name that stands for an expectation: ``with expectation:`` of a parametrised test.
    return isinstance(node, ast.Name)


def _catches(node: ast.expr | None, exceptions: tuple[str, ...]) -> bool:
    if node is None:
        return True
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    for kind in kinds:
        name = last_name(kind)
        caught = getattr(builtins, name, None) if name is not None else None
        for exception in exceptions:
            raised = getattr(builtins, exception, None)
            if name == exception or name is None:
                return True
            if isinstance(caught, type) and isinstance(raised, type) and issubclass(raised, caught):
                return True
    return False


def last_name(node: ast.expr) -> str | None:
    """The last part of a (called) dotted name."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
