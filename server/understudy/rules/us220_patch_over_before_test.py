"""US220: a fixture or ``setUp`` makes a patch that is over when the test runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from understudy.doubles.library.mock import mock_name
from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.infer.entities import ClassEntity, External
from understudy.infer.scopes import FunctionNode, Scope, Site
from understudy.rules.base import Context, Rule
from understudy.rules.patch_calls import is_patch
from understudy.source.dotted import dotted_name
from understudy.source.parse import Unit
from understudy.source.span import Span

_FIXTURES = frozenset(
    {"pytest.fixture", "_pytest.fixtures.fixture", "pytest_asyncio.fixture", "pytest_asyncio.plugin.fixture"}
)
_SET_UP = frozenset({"setUp", "asyncSetUp", "setup_method"})
_OPTIONS = frozenset({"target", "spec", "create", "spec_set", "autospec", "new_callable", "unsafe"})
_CONFIGURING = frozenset({"configure_mock", "mock_add_spec", "attach_mock", "reset_mock"})
_MAKING = frozenset(
    {"Mock", "MagicMock", "AsyncMock", "NonCallableMock", "NonCallableMagicMock", "PropertyMock", "mock_open",
     "create_autospec", "call"}
)  # fmt: skip
_VALUES = frozenset(
    {"dict", "list", "set", "tuple", "iter", "frozenset", "str", "bytes", "int", "float", "Exception", "KeyError",
     "ValueError", "TypeError", "RuntimeError", "OSError", "AttributeError", "TimeoutError", "ConnectionError",
     "FileNotFoundError", "PermissionError", "NotImplementedError", "StopIteration", "IndexError", "LookupError"}
)  # fmt: skip
"""Builtins whose call runs nothing that is patched."""
_RECORDED = re.compile(
    r"assert_\w+|called|call_count|call_args|call_args_list|mock_calls|method_calls|await_count|await_args|"
    r"await_args_list|reset_mock|configure_mock|mock_add_spec"
)
"""What is asked of a mock as a mock."""

Shape = bool | dict[object, bool]
"""Is a value a mock; or, of a tuple, list or dict, which of its items are mocks?"""


@dataclass
class _Block:
    """What is done while the patches are in place."""

    site: Site
    scope: Scope
    function: FunctionNode
    owner: str | None
    """``self``, in a method."""
    patches: list[ast.Call] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    """The names that hold mocks."""
    functions: set[str] = field(default_factory=set)
    stored: dict[str, ast.stmt | ast.expr] = field(default_factory=dict)
    """The attributes of ``self`` that keep a mock."""
    last: ast.Return | ast.Expr | None = None
    """Hands the value out."""
    given: Shape = False

    @property
    def value(self) -> ast.expr | None:
        if isinstance(self.last, ast.Return):
            return self.last.value
        return self.last.value.value if self.last and isinstance(self.last.value, ast.Yield) else None


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or "patch" not in context.source:
        return
    if not any(word in context.source for word in ("fixture", *_SET_UP)):
        return
    for site in context.scopes.functions:
        node = site.node
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if not site.unit.mentions("patch") or not _is_at_top(site):
            continue
        if node.name in _SET_UP and isinstance(site.scope.node, ast.ClassDef):
            decorators = node.decorator_list
            if not _is_in_test_class(context, site.scope.node, node.name):
                continue
            fixture = None
        else:
            if not node.decorator_list or not _is_fixture(context, site, node.decorator_list[0]):
                continue
            fixture, decorators = node.decorator_list[0], node.decorator_list[1:]
            if isinstance(site.scope.node, ast.ClassDef) and not _is_plain(site.scope.node):
                continue
        block = _of_decorators(context, site, node, decorators) if decorators else None
        blocks = [block] if block else [] if decorators else _of_withs(context, site, node)
        for each in blocks:
            if _is_meant_for_tests(context, each, fixture):
                yield _finding(rule, context, each, fixture)


# --- where


def _is_at_top(site: Site) -> bool:
    """In the module, or in a class of it?"""
    scope: Scope | None = site.scope
    if scope is not None and scope.is_class:
        scope = scope.parent
    return scope is not None and scope.node is None


def _is_fixture(context: Context, site: Site, decorator: ast.expr) -> bool:
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    found = context.names.resolve(func, site.scope)
    return isinstance(found, External) and found.dotted in _FIXTURES


def _is_in_test_class(context: Context, cls: ast.ClassDef, method: str) -> bool:
    found = context.resolver.name(context.module, cls.name)
    if not isinstance(found, ClassEntity) or not _is_plain(cls):
        return False
    if method == "setup_method":
        return cls.name.startswith("Test") and not context.resolver.is_test_case(found)
    return context.resolver.is_test_case(found)


def _is_plain(cls: ast.ClassDef) -> bool:
    """Has it no decorator but marks? A ``@patch`` is there for each test."""
    names = (dotted_name(d.func if isinstance(d, ast.Call) else d) or "" for d in cls.decorator_list)
    return all(name.startswith("pytest.mark.") for name in names)


# --- what the patches are in place for


def _of_decorators(
    context: Context, site: Site, node: FunctionNode, decorators: Sequence[ast.expr]
) -> _Block | None:
    """The whole function, where nothing but patches decorates it and it does nothing but hand out the mocks."""
    block = _block(site, node)
    positional = 0
    named: list[str] = []
    for decorator in decorators:
        form = _patch_form(context, site.scope, decorator)
        if form is None or form == "dict":
            return None
        assert isinstance(decorator, ast.Call)
        block.patches.append(decorator)
        if any(keyword.arg is None for keyword in decorator.keywords):
            return None
        if form == "multiple":
            names = _made_by_multiple(decorator)
            if names and node.name not in _SET_UP:
                # pytest looks for fixtures of these names.
                return None
            named += names
        elif not _has_new(decorator, form):
            positional += 1
    args = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    skipped = 1 if isinstance(site.scope.node, ast.ClassDef) else 0
    if node.name == "setup_method" and skipped:
        # pytest hands over the method, because what ``patch`` makes takes ``*args``.
        skipped = 2
    if node.args.vararg or node.args.defaults or len(args) < skipped + positional:
        return None
    for name in [*args[skipped : skipped + positional], *named]:
        block.shapes[name] = True
    return block if _is_pure(context, block, node.body, last=True) else None


def _of_withs(context: Context, site: Site, node: FunctionNode) -> Iterator[_Block]:
    """Each ``with`` that does nothing but hand out the mocks."""
    is_set_up = node.name in _SET_UP
    for index, statement in enumerate(node.body):
        if not isinstance(statement, ast.With):
            continue
        block = _block(site, node)
        after = node.body[index + 1 :]
        if not _is_pure(context, block, [statement], last=not after):
            continue
        if is_set_up:
            names = {n.id for each in after for n in ast.walk(each) if isinstance(n, ast.Name)}
            if names.isdisjoint(block.shapes):
                yield block
        elif not after or (len(after) == 1 and _is_pure(context, block, after, last=True)):
            inside = {id(n) for n in ast.walk(statement)}
            if not any(_yields(n) and id(n) in inside for n in _own(node)):
                yield block


def _block(site: Site, node: FunctionNode) -> _Block:
    owner = node.args.args[0].arg if isinstance(site.scope.node, ast.ClassDef) and node.args.args else None
    return _Block(site, Scope(node, site.scope), node, owner)


def _is_pure(context: Context, block: _Block, statements: Sequence[ast.stmt], *, last: bool) -> bool:
    """Do the statements only configure the mocks, keep them and, at the end, hand them out?"""
    for index, statement in enumerate(statements):
        at_end = last and index == len(statements) - 1
        if isinstance(statement, ast.With):
            if not _enter(context, block, statement):
                return False
            if not _is_pure(context, block, statement.body, last=at_end):
                return False
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if statement.decorator_list or statement.args.defaults or any(statement.args.kw_defaults):
                return False
            block.functions.add(statement.name)
        elif isinstance(statement, ast.Return) or (
            isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield)
        ):
            if not at_end:
                return False
            block.last = statement
            if block.value is not None and not _is_handed(context, block, block.value):
                return False
        elif not _is_configuration(context, block, statement):
            return False
    return bool(block.patches)


def _enter(context: Context, block: _Block, statement: ast.With) -> bool:
    for item in statement.items:
        call = item.context_expr
        form = _patch_form(context, block.scope, call)
        if form is None or form == "dict":
            return False
        assert isinstance(call, ast.Call)
        if block.patches and not all(
            _is_harmless(context, block, each) for each in (*call.args, *(k.value for k in call.keywords))
        ):
            # What it is made of is made while the other patches are in place.
            return False
        block.patches.append(call)
        shape: Shape = True
        if form == "multiple":
            shape = dict.fromkeys(_made_by_multiple(call), True)
        target = item.optional_vars
        if isinstance(target, ast.Name):
            block.shapes[target.id] = shape
        elif isinstance(target, ast.Attribute) and _is_on_self(block, target):
            block.stored[target.attr] = target
        elif target is not None:
            return False
    return True


def _patch_form(context: Context, scope: Scope, node: ast.expr) -> str | None:
    """``patch``, ``object``, ``multiple`` or ``dict``, for a call that makes a patch."""
    if not isinstance(node, ast.Call) or any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    found = context.names.resolve(node.func, scope)
    if not isinstance(found, External) or not is_patch(found):
        return None
    return str(mock_name(found)).rpartition(".")[2]


def _has_new(call: ast.Call, form: str) -> bool:
    return len(call.args) > (1 if form == "patch" else 2) or any(k.arg == "new" for k in call.keywords)


def _made_by_multiple(call: ast.Call) -> list[str]:
    return [
        keyword.arg
        for keyword in call.keywords
        if keyword.arg is not None
        and keyword.arg not in _OPTIONS
        and (dotted_name(keyword.value) or "").rpartition(".")[2] == "DEFAULT"
    ]


def _is_configuration(context: Context, block: _Block, statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, ast.Expr):
        call = statement.value
        if isinstance(call, ast.Constant):
            return True
        return (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in _CONFIGURING
            and _shape(block, call.func.value) is True
            and all(_is_harmless(context, block, a) for a in (*call.args, *(k.value for k in call.keywords)))
        )
    if isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets, value = [statement.target], statement.value
    else:
        return False
    if not _is_harmless(context, block, value):
        return False
    shape = _shape(block, value)
    for target in targets:
        if isinstance(target, ast.Name):
            block.functions.discard(target.id)
            if isinstance(value, ast.Lambda):
                block.functions.add(target.id)
            block.shapes.pop(target.id, None)
            if shape:
                block.shapes[target.id] = shape
        elif isinstance(target, ast.Attribute) and _is_on_self(block, target):
            if shape is not True:
                return False
            block.stored[target.attr] = statement
        elif isinstance(target, (ast.Attribute, ast.Subscript)) and _shape(block, target) is True:
            if isinstance(value, ast.Name) and value.id not in block.functions and _is_made(block, value.id):
                block.shapes[value.id] = True
        else:
            return False
    return True


def _is_made(block: _Block, name: str) -> bool:
    """Is it a mock that the function itself makes, and now is part of the patched one?"""
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        for node in ast.walk(block.function)
    )


def _is_on_self(block: _Block, target: ast.Attribute) -> bool:
    return isinstance(target.value, ast.Name) and target.value.id == block.owner


def _is_handed(context: Context, block: _Block, value: ast.expr) -> bool:
    """Is the value a mock, or a tuple, list or dict with such mocks and plain names and constants; or nothing?"""
    items: Sequence[ast.expr | None] = [value]
    if isinstance(value, (ast.Tuple, ast.List)):
        items = value.elts
    elif isinstance(value, ast.Dict):
        items = value.values
        if not all(isinstance(key, ast.Constant) for key in value.keys):
            return False
    for item in items:
        if item is None or (_shape(block, item) in (False, {}) and not _is_bystander(block, item)):
            return False
    block.given = _shape(block, value)
    is_nothing = isinstance(value, ast.Constant) and value.value is None
    return (bool(block.given) or is_nothing) and _is_harmless(context, block, value)


def _is_bystander(block: _Block, value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return True
    return isinstance(value, ast.Name) and value.id not in block.functions


def _shape(block: _Block, node: ast.expr) -> Shape:
    if isinstance(node, ast.Name):
        return block.shapes.get(node.id, False)
    if isinstance(node, ast.Attribute):
        if _is_on_self(block, node):
            return node.attr in block.stored
        return _shape(block, node.value) is True
    if isinstance(node, ast.Subscript):
        return _item(_shape(block, node.value), node.slice)
    items: dict[object, bool] = {}
    if isinstance(node, (ast.Tuple, ast.List)):
        items = {index: True for index, item in enumerate(node.elts) if _shape(block, item) is True}
    elif isinstance(node, ast.Dict):
        for key, item in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and _shape(block, item) is True:
                items[key.value] = True
    return items or False


def _item(shape: Shape, index: ast.expr) -> bool:
    if isinstance(shape, dict):
        return isinstance(index, ast.Constant) and shape.get(index.value, False)
    return shape


def _is_harmless(context: Context, block: _Block, node: ast.expr) -> bool:
    """Does nothing of the project run when this is worked out?"""
    if isinstance(node, (ast.Constant, ast.Name, ast.Lambda)):
        return True
    if isinstance(node, ast.Attribute):
        return _shape(block, node) is True or dotted_name(node) is not None
    if isinstance(node, ast.Subscript):
        return _shape(block, node) is True
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return all(_is_harmless(context, block, item) for item in node.elts)
    if isinstance(node, ast.Dict):
        return all(k is not None and _is_harmless(context, block, k) for k in node.keys) and all(
            _is_harmless(context, block, value) for value in node.values
        )
    if isinstance(node, ast.UnaryOp):
        return _is_harmless(context, block, node.operand)
    if isinstance(node, ast.Call):
        arguments = (*node.args, *(keyword.value for keyword in node.keywords))
        if not all(_is_harmless(context, block, argument) for argument in arguments):
            return False
        found = context.names.resolve(node.func, block.scope)
        if isinstance(found, External):
            return mock_name(found) in _MAKING or (found.root == "builtins" and found.name in _VALUES)
    return False


def _own(function: FunctionNode) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions and classes inside it."""
    stack: list[ast.AST] = [*function.body]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))


def _yields(node: ast.AST) -> bool:
    return isinstance(node, (ast.Yield, ast.YieldFrom))


# --- what the tests do with it


def _is_meant_for_tests(context: Context, block: _Block, fixture: ast.expr | None) -> bool:
    """Do tests expect the patch to be in place: is what they get used as the record of it alone? A mock that is handed
    on, to be used in place of something, needs no patch."""
    kept = [_uses_of_attribute(context, block, name) for name in block.stored]
    if any(use is None for use in kept):
        return False
    if fixture is None:
        return block.last is None and any(kept)
    options = {k.arg: k.value for k in fixture.keywords} if isinstance(fixture, ast.Call) else {}
    if isinstance(fixture, ast.Call) and (fixture.args or None in options or "params" in options):
        return False
    named = options.get("name", ast.Constant(block.function.name))
    autouse = options.get("autouse", ast.Constant(False))
    if not (isinstance(named, ast.Constant) and isinstance(autouse, ast.Constant)):
        return False
    asked = _uses_of_fixture(context, str(named.value), block.given)
    return asked is not None and (asked or autouse.value is True)


def _uses_of_attribute(context: Context, block: _Block, name: str) -> bool | None:
    """Is an attribute of ``self`` used as the record of a mock; None when it is used otherwise."""
    cls = block.site.scope.node
    assert isinstance(cls, ast.ClassDef)
    own = {id(node) for node in ast.walk(block.function)}
    seen = _seen(block)
    found = False
    for unit in _related_classes(context, cls):
        if unit.mentions(name):
            starts = [
                node
                for node in ast.walk(unit.node)
                if isinstance(node, ast.Attribute) and node.attr == name and id(node) not in seen
                if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", block.owner)
            ]
            if any(id(node) in own or not isinstance(node.ctx, ast.Load) for node in starts):
                # It is set to something else, or used while the test is prepared.
                return None
            used = _uses(unit.node, starts, True)
            if used is None:
                return None
            found = found or used
    return found


def _related_classes(context: Context, cls: ast.ClassDef) -> Iterator[Unit]:
    """The class, those that it derives from and those that derive from it."""
    entity = context.resolver.name(context.module, cls.name)
    if not isinstance(entity, ClassEntity):
        return
    above = context.resolver.ancestry(entity).classes
    places = {context.path, *(other.path for other in above if other.module.workspace)}
    places.update(context.workspace.files_with(re.compile(rf"\b{re.escape(cls.name)}\b".encode())))
    for path in sorted(places):
        module = context.workspace.module(path)
        for unit in context.workspace.parsed(path).units if module is not None else ():
            if unit.name is None or not isinstance(unit.node, ast.ClassDef):
                continue
            assert module is not None
            found = context.resolver.name(module, unit.name)
            if isinstance(found, ClassEntity) and (
                found in above or entity in context.resolver.ancestry(found).classes
            ):
                yield unit


def _seen(block: _Block) -> set[int]:
    """The nodes of what was looked at: a ``with`` of the patches, or the decorated function."""
    if block.patches[0] in block.function.decorator_list:
        return {id(node) for node in ast.walk(block.function)}
    for statement in block.function.body:
        inside = {id(node) for node in ast.walk(statement)}
        if id(block.patches[0]) in inside:
            return inside
    return set()


def _uses_of_fixture(context: Context, name: str, shape: Shape) -> bool | None:
    """Does a test, or another fixture, ask for a fixture; None when one does something else with the mocks than ask
    what they recorded and configure them."""
    found = False
    for path in _places_of_fixture(context, name):
        if not context.is_test_path(path):
            continue
        for unit in context.workspace.parsed(path).units:
            if not unit.mentions(name):
                continue
            for node in ast.walk(unit.node):
                if isinstance(node, ast.Call) and any(
                    isinstance(arg, ast.Constant) and arg.value == name for arg in node.args
                ):
                    called = (dotted_name(node.func) or "").rpartition(".")[2]
                    if called == "getfixturevalue":
                        return None
                    found = found or called == "usefixtures"
                if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    continue
                if not any(arg.arg == name for arg in (*node.args.args, *node.args.kwonlyargs)):
                    continue
                starts = [n for each in node.body for n in ast.walk(each) if _is_name(n, name)]
                if shape and _uses(node, starts, shape) is None:
                    return None
                found = True
    return found


def _places_of_fixture(context: Context, name: str) -> set[Path]:
    """The files whose tests may ask for a fixture of this one."""
    stem = context.path.stem
    places: Iterable[Path] = context.workspace.files_with(re.compile(rf"\b{re.escape(name)}\b".encode()))
    if stem == "conftest":
        places = (path for path in places if path.is_relative_to(context.path.parent))
    elif stem.startswith("test_") or stem.endswith("_test"):
        # Of a test file, only those that import it.
        importing = context.workspace.files_with(re.compile(rf"\b{re.escape(stem)}\b".encode()))
        places = set(places).intersection(importing)
    return {context.path, *places}


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _uses(root: ast.AST, starts: Sequence[ast.AST], shape: Shape, depth: int = 0) -> bool | None:
    """Is something asked of the mocks, or configured on them; None where anything else is done with one."""
    parents = {id(child): parent for parent in ast.walk(root) for child in ast.iter_child_nodes(parent)}
    found = False
    for start in starts:
        node, parent, rest = start, parents.get(id(start)), shape
        path: list[str] = []
        while (isinstance(parent, ast.Attribute) and rest is True) or (
            isinstance(parent, ast.Subscript) and parent.value is node
        ):
            if isinstance(parent, ast.Subscript):
                if isinstance(rest, dict):
                    rest = _item(rest, parent.slice)
                    if not rest:
                        break
            else:
                path.append(parent.attr)
            node, parent = parent, parents.get(id(parent))
        if not rest:
            continue
        if any(_RECORDED.fullmatch(name) for name in path):
            found = True
        elif path and isinstance(getattr(node, "ctx", None), ast.Store):
            found = True
        elif isinstance(parent, ast.Expr):
            pass
        elif isinstance(parent, ast.Assign) and parent.value is node and len(parent.targets) == 1:
            used = _uses_of_target(root, parent.targets[0], rest, depth)
            if used is None:
                return None
            found = found or used
        else:
            return None
    return found


def _uses_of_target(root: ast.AST, target: ast.expr, shape: Shape, depth: int) -> bool | None:
    """As :func:`_uses`, of what the mocks are assigned to."""
    targets: list[tuple[ast.expr, Shape]] = [(target, shape)]
    if isinstance(target, (ast.Tuple, ast.List)):
        if not isinstance(shape, dict) or any(isinstance(item, ast.Starred) for item in target.elts):
            return None
        targets = [(item, shape.get(index, False)) for index, item in enumerate(target.elts)]
    found = False
    for each, part in targets:
        if not part:
            continue
        if not isinstance(each, ast.Name) or depth > 2:
            return None
        starts = [n for n in ast.walk(root) if _is_name(n, each.id) and n is not each]
        if any(not isinstance(getattr(n, "ctx", None), ast.Load) for n in starts):
            return None
        used = _uses(root, starts, part, depth + 1)
        if used is None:
            return None
        found = found or used
    return found


# --- the finding and its fix


def _finding(rule: Rule, context: Context, block: _Block, fixture: ast.expr | None) -> Finding:
    unit, node = block.site.unit, block.function
    first = block.patches[0]
    decorated = first in node.decorator_list
    text = unit.source(first)
    what = f"`{text}`" if "\n" not in text and len(text) <= 60 else "this patch"
    yields = isinstance(block.last, ast.Expr)
    if fixture is None:
        ends = f"`{node.name}` returns" if decorated else f"`{node.name}` leaves the `with`"
        advice = "start it with `.start()` and stop it with `addCleanup`"
        if node.name == "setup_method":
            advice = "use a fixture that yields inside of `with`"
    elif decorated and yields:
        ends = f"the generator of `{node.name}` is made, and pytest hands out that generator as it is"
        advice = "`yield` inside of `with` instead"
    elif decorated:
        ends = f"the fixture `{node.name}` returns"
        advice = "`yield` inside of `with` instead"
    else:
        ends = f"the fixture `{node.name}` leaves the `with`"
        advice = "`yield` inside of it"
    related = [Related(context.path, unit.span(call), "so is this one") for call in block.patches[1:]]
    place: ast.stmt | ast.expr | None = block.last
    for stored in block.stored.values():
        place = stored
    if place is not None:
        related.insert(0, Related(context.path, unit.span(place), "what the tests get of it"))
    fix = _fix(context, block, fixture) if fixture is not None and not decorated else None
    return rule.finding(
        context.path,
        _span(unit, first),
        f"{what} is over before a test starts: it ends as {ends}; {advice}",
        related=tuple(related),
        fixes=(fix,) if fix is not None else (),
    )


def _span(unit: Unit, call: ast.Call) -> Span:
    """The patch, without the name of the module before it."""
    whole, maker = unit.span(call), call.func
    while isinstance(maker, ast.Attribute) and maker.attr in ("object", "multiple"):
        maker = maker.value
    if not isinstance(maker, ast.Attribute):
        return whole
    end = unit.span(maker)
    start = end.end_column - len(maker.attr)
    return Span(end.end_row, start, whole.end_row, whole.end_column)


def _fix(context: Context, block: _Block, fixture: ast.expr) -> Fix | None:
    """``yield`` for the ``return`` at the end of the ``with``, in a fixture of functions."""
    node, last, unit = block.function, block.last, block.site.unit
    if not isinstance(last, ast.Return) or last in node.body:
        return None
    if sum(isinstance(each, ast.Return) for each in _own(node)) != 1 or any(map(_yields, _own(node))):
        return None
    if isinstance(fixture, ast.Call) and any(keyword.arg == "scope" for keyword in fixture.keywords):
        # The patch would last for tests that do not ask for it.
        return None
    return Fix("Use `yield`", Applicability.UNSAFE, (_edit(context, unit, last),))


def _edit(context: Context, unit: Unit, last: ast.Return) -> Edit:
    span = unit.span(last)
    word = Span(span.row, span.column, span.row, span.column + len("return"))
    return Edit(context.path, word, "yield")


RULE = Rule(
    "US220",
    "patch-over-before-test",
    Severity.WARNING,
    "a fixture or `setUp` hands out the mock of a patch that ends before the test starts",
    check,
    __name__,
)
