"""The patches that are written in a file: ``patch``, ``mocker.patch``, ``monkeypatch.setattr`` with a string or
an object for a target."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.doubles.library import mock_name
from understudy.infer.entities import External
from understudy.infer.scopes import Site
from understudy.rules.base import Context
from understudy.rules.expected import expected
from understudy.source.span import Span

_MOCKERS = frozenset({"mocker", "class_mocker", "module_mocker", "package_mocker", "session_mocker"})
_MISSING_ERRORS = ("AttributeError", "ModuleNotFoundError")


@dataclass(frozen=True)
class PatchCall:
    """One call that replaces an attribute that already exists."""

    site: Site
    call: ast.Call
    spelling: str
    """How it is written: ``patch``, ``mocker.patch.object``, ``monkeypatch.setattr``."""
    target: ast.Constant | None
    """The string with the dotted path."""
    owner: ast.expr | None
    """The object, where the target is given as object and name."""
    attribute: ast.Constant | None

    @property
    def path(self) -> str:
        assert self.target is not None
        return str(self.target.value)

    def part_span(self, index: int) -> Span:
        """The ``index``-th name of the dotted path, inside the string."""
        assert self.target is not None
        parts = self.path.split(".")
        start = sum(len(part) + 1 for part in parts[:index])
        return self.site.unit.string_span(self.target, start, start + len(parts[index]))


def patch_calls(context: Context) -> Iterator[PatchCall]:
    """The patches of the file whose target must exist, and is not expected to be missing."""
    if "patch" not in context.source:
        return
    for site in context.scopes.calls:
        call = site.node
        assert isinstance(call, ast.Call)
        spelling = _spelling(context, site, call)
        if spelling is None or _never_entered(site) or _may_create(call) or expected(site, *_MISSING_ERRORS):
            continue
        first = _argument(call, 0, "target")
        name = spelling.rpartition(".")[2]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            if name in ("patch", "setattr", "delattr", "spy"):
                yield PatchCall(site, call, spelling, first, None, None)
        elif name in ("object", "setattr", "delattr") and first is not None:
            attribute = _argument(call, 1, "attribute" if name == "object" else "name")
            if isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
                yield PatchCall(site, call, spelling, None, first, attribute)


def _spelling(context: Context, site: Site, call: ast.Call) -> str | None:
    func = call.func
    dotted = _dotted(func)
    if dotted is None or not any(word in dotted for word in ("patch", "setattr", "delattr")):
        return None
    root, _, rest = dotted.partition(".")
    if root in _MOCKERS and _is_parameter(site, root) and rest in ("patch", "patch.object"):
        return dotted
    if root == "monkeypatch" and _is_parameter(site, root) and rest in ("setattr", "delattr"):
        return dotted
    found = context.scopes.resolve(func, site.scope)
    if isinstance(found, External) and mock_name(found) in ("patch", "patch.object"):
        return dotted
    return None


def _never_entered(site: Site) -> bool:
    """``patch(…)`` that stands for itself as a statement: nothing starts it, so nothing is looked up."""
    parent = site.chain.parent
    func = site.node.func if isinstance(site.node, ast.Call) else None
    root = func
    while isinstance(root, ast.Attribute):
        root = root.value
    in_fixture = isinstance(root, ast.Name) and root.id in (*_MOCKERS, "monkeypatch")
    return parent is not None and isinstance(parent.node, ast.Expr) and not in_fixture


def _is_parameter(site: Site, name: str) -> bool:
    scope = site.scope
    while scope.node is not None:
        if name in scope.names:
            return all(isinstance(node, ast.arg) for node in scope.names[name])
        if scope.parent is None:
            return False
        scope = scope.parent
    return False


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _argument(call: ast.Call, index: int, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if index < len(call.args) and not any(isinstance(arg, ast.Starred) for arg in call.args[: index + 1]):
        return call.args[index]
    return None


def _may_create(call: ast.Call) -> bool:
    """``create=True`` and ``raising=False``, or anything that is not a plain no to them."""
    for keyword in call.keywords:
        if keyword.arg is None:
            return True
        plain = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg == "create" and plain is not False:
            return True
        if keyword.arg == "raising" and plain is not True:
            return True
    return False
