"""Attributes that code puts on a class or module from outside: ``User.rank = Column(…)``, ``setattr(User, "rank", …)``,
``vars(config).update(…)``."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from understudy.facts.extract import parameter_set_on, set_by_call
from understudy.facts.model import CLASS_OF, COMPUTED
from understudy.index.module import ANY_CLASS, Module
from understudy.index.workspace import Workspace
from understudy.infer.entities import Absent, External, Lookup, ModuleEntity
from understudy.infer.resolve import Resolver
from understudy.project.modules import ModuleFile
from understudy.source.parse import Parsed

_SETTERS = re.compile(
    # What methods set on their own object is left out: that is most of it.
    rb"(?:^|[;:,=])[ \t]*(?!self\.\w+[ \t]*[:=])[\w\x80-\xff][\w\x80-\xff.()]*\.[\w\x80-\xff]+"
    rb"(?:[ \t]*:[^=\n]+)?[ \t]*=[^=]"
    rb"|(?<!\.)\bsetattr\(|\b__setattr__\(|\b__dict__\b|\bvars\(\w",
    re.MULTILINE,
)
_ANY_NAME = re.compile(r"\bsetattr\(|\b__setattr__\(|\b__dict__\b|\bvars\(")
_ANY_OWNER = re.compile(r"\btype\(|\b__class__\b|\bfor\b")
_EXPORTING = re.compile(
    rb"\bmodules\s*\[[^\]\n]*\b__module__\b|(?:\.|\bgetattr\([^\n)]*[\"'])(?:f_globals|__globals__)\b"
)
"""Functions with this may put names into the module that calls them, or whose class they are given."""
_ONLY_READ = re.compile(
    r"\bdict\([\w.]*\b__globals__\)"
    r"|\b(?:f_globals|__globals__)(?:\.(?:copy|get|items|keys|values)\(|\[[^\]\n]*\](?!\s*=[^=]))"
)
_OBJECT_OF = "object "
"""Before the name of a parameter that is given an object of a class: no module, and no class."""
_NO_OBJECTS = re.compile(r"Any|Optional|Union|.{1,2}|\w*(?:Type|T|Class|Cls|Module)")
"""Annotations that may stand for anything, and the usual names of type variables and of aliases for classes."""
_UPDATING = frozenset({"update", "setdefault", "__setitem__"})
_READING = frozenset(
    {"dict", "list", "sorted", "set", "tuple", "len", "iter", "print", "repr", "str", "isinstance"}
)
# By path, with the text it was read from.
_known: dict[Path, tuple[str, frozenset[tuple[str, str]]]] = {}


def set_on_class(workspace: Workspace, classes: Collection[str], name: str) -> bool:
    """Does any file set an attribute of this name, or of a computed one, on a class, or a module, called like one of
    these?"""
    for path in workspace.files_with(_SETTERS):
        content = workspace.text(path).content
        if name not in content and _ANY_NAME.search(content) is None:
            continue
        if not any(cls in content for cls in classes) and _ANY_OWNER.search(content) is None:
            continue
        pairs = _pairs(workspace.parsed(path))
        owners = (*classes, ANY_CLASS)
        if any((owner, name) in pairs or (owner, COMPUTED) in pairs for owner in owners):
            return True
    return False


def set_on_variable(workspace: Workspace, file: Path, name: str) -> bool:
    """Does a file that names a module set attributes on something that is called like one of its variables?"""
    stem = file.parent.name if file.stem == "__init__" else file.stem
    for path in workspace.files_with(_SETTERS):
        content = workspace.text(path).content
        if path != file and name in content and stem in content:
            if any(owner in (name, f"{_OBJECT_OF}{name}") for owner, _ in _pairs(workspace.parsed(path))):
                return True
    return False


def set_on_module(resolver: Resolver, file: ModuleFile, name: str) -> bool:
    """Does other code put such an attribute on a module, or may it do so for one that uses it?"""
    workspace = resolver.workspace
    if set_on_class(workspace, {file.name.rpartition(".")[2]}, name):
        return True
    module = workspace.load(file)
    exporting = workspace.files_with(_EXPORTING)
    if module is None or not exporting:
        return False
    concerned = {module.path, *_imported_from(resolver, module)} & set(exporting)
    return any(_exports(workspace.text(path).content) for path in concerned if path is not None)


def _exports(content: str) -> bool:
    return _EXPORTING.search(_ONLY_READ.sub("", content).encode()) is not None


def _imported_from(resolver: Resolver, module: Module) -> Iterator[Path | None]:
    """The files that define what a module imports."""
    for _, statement in module.imports:
        if statement.star:
            yield _file_of(resolver.imported_module(module, statement))
        for name in statement.names:
            yield _file_of(resolver.imported(module, statement, name))


def _file_of(found: Lookup) -> Path | None:
    if isinstance(found, ModuleEntity):
        return found.file.path
    return None if isinstance(found, (Absent, External)) else found.path


def sets(parsed: Parsed, name: str, *, on_objects: bool) -> bool:
    """Does the file set an attribute of this name, or of a computed one, on anything?

    :param on_objects: on parameters that are objects of a class by their annotations, too.
    """
    return any(
        attribute in (name, COMPUTED) and (on_objects or not owner.startswith(_OBJECT_OF))
        for owner, attribute in _pairs(parsed)
    )


def sets_any_on(parsed: Parsed, owners: Collection[str]) -> bool:
    """Does the file set attributes of computed names on something called so?"""
    pairs = _pairs(parsed)
    return any((f"{kind}{owner}", COMPUTED) in pairs for owner in owners for kind in ("", _OBJECT_OF))


def _pairs(parsed: Parsed) -> frozenset[tuple[str, str]]:
    """Owner and attribute of each assignment to an attribute, by the last part of the owner's name."""
    text, known = _known.get(parsed.path, ("", frozenset[tuple[str, str]]()))
    if text != parsed.text.content:
        nodes = [node for _, node in parsed.walk()]
        others = _other_names(nodes)
        found = [pair for node in nodes for pair in set_in(node)]
        objects = _objects(nodes, {owner.id for owner, _ in found if isinstance(owner, ast.Name)})
        known = frozenset(
            (meant, name)
            for owner, name in found
            for meant in ((f"{_OBJECT_OF}{_tail(owner)}",) if owner in objects else _meant(owner, others))
        )
        _known[parsed.path] = (parsed.text.content, known)
    return known


def _objects(nodes: list[ast.AST], names: set[str]) -> set[ast.expr]:
    """The places where these names stand for parameters that are objects of a class, by their annotations."""
    found: set[ast.expr] = set()
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parameters = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            own = {each.arg for each in parameters if each.arg in names and _names_a_class(each.annotation)}
            if own:
                found.update(n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in own)
    return found


def _names_a_class(annotation: ast.expr | None) -> bool:
    name = _tail(annotation) if isinstance(annotation, (ast.Name, ast.Attribute)) else ""
    return is_name_of_class(name)


def is_name_of_class(name: str) -> bool:
    """Is what an annotation names a class, whose objects it asks for?"""
    return name[:1].isupper() and _NO_OBJECTS.fullmatch(name) is None


def set_in(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """What a piece of code sets attributes on, and which; :data:`COMPUTED` for any."""
    if isinstance(node, ast.Attribute):
        if isinstance(node.ctx, ast.Store):
            yield node.value, node.attr
    elif isinstance(node, ast.Subscript):
        owner = _whose_namespace(node.value)
        if owner is not None and not isinstance(node.ctx, ast.Load):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            yield owner, key if isinstance(key, str) else COMPUTED
    elif isinstance(node, ast.AugAssign):
        owner = _whose_namespace(node.target)
        if owner is not None:
            yield owner, COMPUTED
    elif isinstance(node, ast.Assign):
        # Whoever has the namespace may change it.
        owner = _whose_namespace(node.value)
        if owner is not None:
            yield owner, COMPUTED
    elif isinstance(node, ast.Call):
        found = set_by_call(node)
        if found is not None:
            yield found
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in _UPDATING:
            owner = _whose_namespace(func.value)
            if owner is not None:
                yield owner, COMPUTED
        if not (isinstance(func, ast.Name) and func.id in _READING):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords if keyword.arg)):
                owner = _whose_namespace(argument)
                if owner is not None:
                    yield owner, COMPUTED


def _whose_namespace(node: ast.expr) -> ast.expr | None:
    """``owner`` of ``vars(owner)`` and ``owner.__dict__``."""
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id == "vars"
        return node.args[0] if named and len(node.args) == 1 else None
    return node.value if isinstance(node, ast.Attribute) and node.attr == "__dict__" else None


def _other_names(nodes: list[ast.AST]) -> dict[str, set[str]]:
    """What a name of the file may stand for besides itself: ``import shop.config as cfg``, ``Model = models.User``,
    ``for model in (User, Order)``."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.alias):
            if node.asname is not None:
                found.setdefault(node.asname, set()).add(node.name.rpartition(".")[2])
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named = {target.id for target in targets if isinstance(target, ast.Name)}
            tail = _tail(node.value) if named and node.value is not None else ""
            if tail:
                for name in named:
                    found.setdefault(name, set()).add(tail)
        elif isinstance(node, (ast.For, ast.AsyncFor)) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, set()).update(_gone_through(node.iter))
    return found


def _gone_through(node: ast.expr) -> Iterator[str]:
    """The last parts of the names of what a loop goes through, as far as they may be classes."""
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        yield from filter(None, map(_tail, node.elts))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "__subclasses__":
            yield ANY_CLASS
    elif _tail(node).isupper():
        # ``MODELS``
        yield ANY_CLASS


def _meant(owner: ast.expr, others: dict[str, set[str]]) -> Iterator[str]:
    tail = _tail(owner)
    yield tail
    if isinstance(owner, ast.Name):
        yield from others.get(tail, ())
    elif parameter_set_on(owner) not in (None, f"{CLASS_OF}self"):
        # What is set on the class of ``self`` is among the facts of the method.
        yield ANY_CLASS


def _tail(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    # ``sys.modules["shop.config"]``, ``import_module("shop.config")``
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript) and _tail(node.value) == "modules":
        key = node.slice
    elif isinstance(node, ast.Call) and _tail(node.func) == "import_module" and len(node.args) == 1:
        key = node.args[0]
    return (
        key.value.rpartition(".")[2] if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
    )
