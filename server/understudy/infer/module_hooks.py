"""The names that a module's ``__getattr__`` gives (PEP 562), where it is a list of names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from understudy.source.dotted import last_name
from understudy.source.parse import Parsed

HOOK = "__getattr__"


def given_by(parsed: Parsed) -> frozenset[str] | None:
    """The names for which the function does not raise AttributeError; None where that cannot be read:
    ``if name == "client": …``, ``if name in _LAZY: …``, and at last ``raise AttributeError``."""
    mentioning = [unit for unit in parsed.units if unit.mentions(HOOK)]
    bodies = [unit.node for unit in mentioning if unit.name == HOOK]
    if len(bodies) != 1 or not isinstance(bodies[0], ast.FunctionDef):
        return None
    if any(unit.name is None for unit in mentioning):
        # Bound by another statement, too.
        return None
    function = bodies[0]
    if len(function.args.args) != 1 or function.decorator_list:
        return None
    return _given(function.body, _Names(function.args.args[0].arg, parsed))


class _Names:
    """Which names a condition lets through."""

    def __init__(self, parameter: str, parsed: Parsed) -> None:
        self.parameter = parameter
        self._parsed = parsed

    def of(self, test: ast.expr) -> tuple[frozenset[str], bool] | None:
        """The names of ``name == "a"`` and ``name in (…)``; False with those of ``!=`` and ``not in``."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            found = self.of(test.operand)
            return (found[0], not found[1]) if found is not None else None
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            return None
        left, operator, right = test.left, test.ops[0], test.comparators[0]
        if isinstance(operator, (ast.Eq, ast.NotEq)) and self._is_name(right):
            left, right = right, left
        if not self._is_name(left):
            return None
        if isinstance(operator, (ast.Eq, ast.NotEq)):
            names = _strings([right])
        elif isinstance(operator, (ast.In, ast.NotIn)):
            names = self._members(right)
        else:
            return None
        return (names, isinstance(operator, (ast.Eq, ast.In))) if names is not None else None

    def _is_name(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self.parameter

    def _members(self, node: ast.expr) -> frozenset[str] | None:
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return _strings(node.elts)
        if isinstance(node, ast.Dict):
            return _strings(node.keys)
        if isinstance(node, ast.Call) and last_name(node) == "frozenset" and len(node.args) == 1:
            return self._members(node.args[0])
        return self._of_constant(node.id) if isinstance(node, ast.Name) else None

    def _of_constant(self, name: str) -> frozenset[str] | None:
        """The members of a table of the module that nothing changes."""
        tables = [
            unit.node.value
            for unit in self._parsed.units
            if isinstance(unit.node, (ast.Assign, ast.AnnAssign)) and _binds(unit.node, name)
        ]
        if len(tables) != 1 or tables[0] is None or isinstance(tables[0], ast.Name):
            return None
        for unit in self._parsed.units:
            if unit.mentions(name) and any(_changes(node, name) for node in ast.walk(unit.node)):
                return None
        return self._members(tables[0])


def _given(body: Sequence[ast.stmt], names: _Names) -> frozenset[str] | None:
    """The names for which statements come to something else than ``raise AttributeError`` at their end."""
    found: frozenset[str] = frozenset()
    for index, statement in enumerate(body):
        if isinstance(statement, ast.Raise):
            return found if _raises(statement) else None
        if isinstance(statement, ast.If):
            tested = names.of(statement.test)
            if tested is None:
                return None
            members, positive = tested
            if positive:
                found |= members
                if statement.orelse:
                    rest = _given([*statement.orelse, *body[index + 1 :]], names)
                    return found | rest if rest is not None else None
            elif len(statement.body) == 1 and _raises(statement.body[0]) and not statement.orelse:
                # ``if name not in _LAZY: raise AttributeError``
                return found | members
            else:
                return None
        elif not isinstance(statement, (ast.Global, ast.Import, ast.ImportFrom)) and not _is_text(statement):
            return None
    return None


def _raises(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Raise) or statement.exc is None:
        return False
    raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return last_name(raised) == "AttributeError"


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _strings(nodes: Iterable[ast.expr | None]) -> frozenset[str] | None:
    found: set[str] = set()
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            return None
        found.add(node.value)
    return frozenset(found)


def _binds(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _changes(node: ast.AST, name: str) -> bool:
    """``TABLE[key] = …``, ``TABLE.update(…)``, ``TABLE |= …``, ``global TABLE``."""
    if isinstance(node, ast.Global):
        return name in node.names
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Name) and node.target.id == name
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return isinstance(node.value, ast.Name) and node.value.id == name
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        return (
            isinstance(owner, ast.Name)
            and owner.id == name
            and node.func.attr not in ("get", "keys", "items")
        )
    return isinstance(node, ast.Delete) and any(
        isinstance(target, ast.Name) and target.id == name for target in node.targets
    )
