"""What a function inside another one changes of what it sees there.

Whoever has such a function may call it, at any time and any number of times: code that is not followed, a thread, a
callback of the event loop. What it changes is therefore not known from where it is given away.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from understudy.source.parse import children

Path = tuple[str, ...]
"""A name and attributes, up to the first call or subscript: ``api.get().x`` is ``("api", "get")``."""

_CONFIGURING = frozenset({"attach_mock", "configure_mock", "mock_add_spec", "reset_mock"})
FILLING = frozenset(
    {
        "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove", "reverse",
        "setdefault", "sort", "update",
    }
)  # fmt: skip
_TAKING = frozenset({"delattr", "seal", "setattr"})


@dataclass(frozen=True, slots=True)
class Changes:
    """All by name: what the names stand for is a matter of where the function was made."""

    objects: tuple[tuple[Path, str], ...]
    """Of which an attribute is set, deleted or configured, with its name; an empty one where that may be any."""
    containers: tuple[Path, ...]
    """Which are filled or emptied."""
    rebound: tuple[str, ...]
    """Variables of functions around that are bound anew."""
    module_wide: tuple[str, ...]
    """Variables of the module that are."""
    methods: tuple[tuple[Path, str], ...]
    """Methods that are called, each with the object."""
    names: tuple[str, ...]
    """Every name that is read: functions among them may be called."""
    calls: tuple[tuple[str, ast.Call], ...]
    """Calls of plain names: such a function may change its arguments."""
    called: frozenset[str]
    """The names in :attr:`calls`."""
    parameters: tuple[str, ...]
    """Those that are given by position."""
    mentioned: frozenset[str]
    """Every name that is read, or bound in a function around: what else there is, it cannot change."""
    of_arguments: bool
    """May one of the objects or containers be an argument, or be reached from one?"""


def changes(function: ast.AST) -> Changes:
    """What a function, or one inside it, may change when it runs."""
    objects: dict[tuple[Path, str], None] = {}
    containers: dict[Path, None] = {}
    rebound: dict[str, None] = {}
    module_wide: dict[str, None] = {}
    methods: dict[tuple[Path, str], None] = {}
    names: dict[str, None] = {}
    calls: list[tuple[str, ast.Call]] = []
    stack = children(function)
    while stack:
        node = stack.pop()
        stack.extend(children(node))
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                names[node.id] = None
        elif isinstance(node, ast.Attribute):
            if not isinstance(node.ctx, ast.Load):
                objects[path_of(node.value), node.attr] = None
        elif isinstance(node, ast.Subscript):
            if not isinstance(node.ctx, ast.Load):
                containers[path_of(node.value)] = None
        elif isinstance(node, ast.Nonlocal):
            rebound.update(dict.fromkeys(node.names))
        elif isinstance(node, ast.Global):
            module_wide.update(dict.fromkeys(node.names))
        elif isinstance(node, ast.Call):
            callee = node.func
            if isinstance(callee, ast.Attribute):
                methods[path_of(callee.value), callee.attr] = None
            if isinstance(callee, ast.Name):
                calls.append((callee.id, node))
            if isinstance(callee, ast.Attribute) and callee.attr in _CONFIGURING:
                objects[path_of(callee.value), ""] = None
            elif isinstance(callee, ast.Attribute) and callee.attr in FILLING:
                containers[path_of(callee.value)] = None
            name = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
            if node.args and (name in _TAKING or (name == "object" and isinstance(callee, ast.Attribute))):
                objects[path_of(node.args[0]), ""] = None
    arguments = getattr(function, "args", None)
    taken = {node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg)} if arguments else set()
    parameters: tuple[str, ...] = ()
    if isinstance(arguments, ast.arguments):
        parameters = tuple(arg.arg for arg in (*arguments.posonlyargs, *arguments.args))
    return Changes(
        tuple(item for item in objects if item[0]),
        tuple(filter(None, containers)),
        tuple(rebound),
        tuple(module_wide),
        tuple(item for item in methods if item[0]),
        tuple(names),
        tuple(calls),
        frozenset(name for name, _ in calls),
        parameters,
        frozenset((*names, *rebound)),
        any(path and path[0] in taken for path in (*(path for path, _ in objects), *containers)),
    )


def path_of(node: ast.expr) -> Path:
    """The path that an expression begins with; empty where it begins with no name."""
    attributes: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        elif isinstance(node, (ast.Call, ast.Subscript, ast.Await)):
            attributes.clear()
            node = node.func if isinstance(node, ast.Call) else node.value
        else:
            return ()
    return (node.id, *reversed(attributes))
