"""The patches that are written in a file: ``patch``, ``mocker.patch``, ``monkeypatch.setattr`` with a string or
an object for a target."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from understudy.doubles.library.mock import mock_name
from understudy.infer.entities import External, Lookup
from understudy.infer.scopes import Site
from understudy.rules.base import Context
from understudy.rules.expected import excused, expected, may_be_skipped
from understudy.source.computed import ending
from understudy.source.dotted import dotted_name, last_name
from understudy.source.parse import Parsed
from understudy.source.span import Span

MOCKERS = frozenset({"mocker", "class_mocker", "module_mocker", "package_mocker", "session_mocker"})
_GIVEN = MOCKERS | {"monkeypatch"}
"""Fixtures that patch, by name."""
_MULTIPLE_OPTIONS = frozenset({"target", "spec", "create", "spec_set", "autospec", "new_callable", "unsafe"})
_SPELLINGS = ("patch", "setattr", "delattr", "spy")
"""One of them is in all that is written for a patch…"""
_FORMS = frozenset({"object", "dict", "multiple", "setitem"})
"""…and these come last, or one of them."""
_STARTING = frozenset({"start", "__enter__"})
_ENTERING = frozenset({"enter_context", "enterContext", "enterClassContext", "enterModuleContext"})
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
    keyword: ast.keyword | None = None
    """The attribute, where ``patch.multiple`` names it by a keyword."""

    @property
    def form(self) -> str:
        """``patch``, ``object``, ``multiple``, ``dict``, ``setattr``, ``delattr`` or ``spy``."""
        return self.spelling.rpartition(".")[2]

    @property
    def creates(self) -> bool:
        """May it make an attribute that does not exist?"""
        return _may_create(self.call, self.form)

    @property
    def name(self) -> str:
        """The attribute that it replaces."""
        if self.keyword is not None:
            return str(self.keyword.arg)
        if self.attribute is not None:
            return str(self.attribute.value)
        return self.names[-1]

    @property
    def name_span(self) -> Span:
        """The name of the attribute, where it is written."""
        if self.keyword is not None:
            return self.site.unit.keyword_span(self.keyword)
        if self.attribute is not None:
            return self.site.unit.string_span(self.attribute, 0, len(self.name))
        return self.part_span(len(self.names) - 1)

    @property
    def literal(self) -> ast.Constant | None:
        """The string that the name of the attribute stands in."""
        if self.keyword is not None:
            return None
        return self.attribute if self.attribute is not None else self.target

    def argument(self, name: str) -> ast.expr | None:
        """``new`` (for ``setattr``, the value) or an option, by position or keyword."""
        positions = {
            ("patch", "new"): 1,
            ("object", "new"): 2,
            ("setattr", "new"): 1 if self.target is not None else 2,
        }
        index = positions.get((self.form, name), len(self.call.args))
        return _argument(self.call, index, "value" if self.form == "setattr" and name == "new" else name)

    @property
    def is_open(self) -> bool:
        """``*args`` or ``**options`` hide what is given."""
        return any(isinstance(arg, ast.Starred) for arg in self.call.args) or any(
            keyword.arg is None for keyword in self.call.keywords
        )

    @property
    def path(self) -> str:
        assert self.target is not None
        path = str(self.target.value)
        return path if self.keyword is None else f"{path}.{self.keyword.arg}"

    @property
    def names(self) -> tuple[str, ...]:
        """The parts of the dotted path; none where the target is an object."""
        return tuple(self.path.split(".")) if self.target is not None else ()

    @property
    def imports_first(self) -> bool:
        """Is the dotted path read as mock reads it (:meth:`~understudy.infer.resolve.Resolver.patched`), and not as
        pytest's monkeypatch does?"""
        return self.form not in ("setattr", "delattr")

    def part_span(self, index: int) -> Span:
        """The ``index``-th name of the dotted path, inside the string."""
        assert self.target is not None
        if self.keyword is not None and index == len(self.names) - 1:
            return self.name_span
        parts = self.path.split(".")
        start = sum(len(part) + 1 for part in parts[:index])
        return self.site.unit.string_span(self.target, start, start + len(parts[index]))


def found_by_path(context: Context, call: PatchCall, count: int) -> Lookup:
    """What the first ``count`` names of the dotted path stand for."""
    resolver = context.resolver
    find = resolver.patched if call.imports_first else resolver.dotted
    return find(".".join(call.names[:count]), context.module)


def patch_calls(
    context: Context, question: str = "", wanted: Callable[[PatchCall], bool] = lambda call: True
) -> Iterator[PatchCall]:
    """The patches of the file whose target is not expected to be missing; ``question`` and ``wanted`` as in
    :func:`certain_patches`."""
    if may_patch(context) and not excused(context):
        yield from certain_patches(
            context, *_MISSING_ERRORS, question=f"of targets {question}", wanted=wanted
        )


def certain_patches(
    context: Context,
    *exceptions: str,
    question: str = "",
    wanted: Callable[[PatchCall], bool] = lambda call: True,
) -> Iterator[PatchCall]:
    """The patches that are entered for certain, where none of these exceptions is expected.

    :param question: names what ``wanted`` asks; both as in :meth:`Context.sites`.
    """

    def is_wanted(site: Site) -> bool:
        if not any(map(wanted, _patches_at(context, site))):
            return False
        if expected(context, site, *exceptions) or _on_condition(site):
            return False
        return not may_be_skipped(context, site)

    started = cache(lambda: _started(context))
    for call in _picked(context, f"certain patches, {exceptions} {question}", is_wanted):
        if wanted(call) and _entered(call.site, call.spelling, started):
            yield call


def all_patches(context: Context) -> list[PatchCall]:
    """Every call of the file that replaces one attribute, named by constants."""
    return list(_picked(context, "patches", lambda site: bool(_patches_at(context, site))))


def _picked(context: Context, question: str, wanted: Callable[[Site], bool]) -> Iterator[PatchCall]:
    if may_patch(context):
        for site in context.sites(question, "calls", wanted, lambda: _spelled_as_patch(context)):
            yield from _patches_at(context, site)


def may_patch(context: Context) -> bool:
    """Is anything in the file that a patch could be written with?"""
    return "patch" in context.source or "mocker" in context.source


def _spelled_as_patch(context: Context) -> list[Site]:
    def make() -> list[Site]:
        scopes = context.scopes
        names = [
            name
            for name in scopes.called_names()
            if name in _FORMS or any(word in name for word in _SPELLINGS)
        ]
        calls = ((site, site.node) for site in scopes.calls_of(*names))
        return [
            site
            for site, call in calls
            if isinstance(call, ast.Call) and spelling_of(context, site, call) is not None
        ]

    return context.once("calls that are spelled as patches", make)


def _patches_at(context: Context, site: Site) -> Sequence[PatchCall]:
    def make() -> Sequence[PatchCall]:
        found = patch_call(context, site)
        return [found] if found is not None else [*_multiple(context, site), *_of_dict(context, site)]

    return context.once((PatchCall, site), make)


def _of_dict(context: Context, site: Site) -> Iterator[PatchCall]:
    """``patch.dict("a.b.c", …)``: it looks the whole path up, and replaces what is in there."""
    call = site.node
    assert isinstance(call, ast.Call)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "dict":
        spelling, target = spelling_of(context, site, call), _argument(call, 0, "in_dict")
        if spelling is not None and isinstance(target, ast.Constant) and isinstance(target.value, str):
            yield PatchCall(site, call, spelling, target, None, None)


def _multiple(context: Context, site: Site) -> Iterator[PatchCall]:
    """``patch.multiple(target, name=…)``, once for each attribute."""
    call = site.node
    assert isinstance(call, ast.Call)
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "multiple":
        return
    spelling = spelling_of(context, site, call)
    first = _argument(call, 0, "target")
    if spelling is None or first is None:
        return
    is_path = isinstance(first, ast.Constant) and isinstance(first.value, str)
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg not in _MULTIPLE_OPTIONS:
            target = first if isinstance(first, ast.Constant) and is_path else None
            yield PatchCall(site, call, spelling, target, None if is_path else first, None, keyword)


def patch_call(context: Context, site: Site) -> PatchCall | None:
    """A call as a patch of one attribute; None for every other call."""
    call = site.node
    assert isinstance(call, ast.Call)
    spelling = spelling_of(context, site, call)
    if spelling is None:
        return None
    name = spelling.rpartition(".")[2]
    first = _argument(call, 0, "obj" if name == "spy" else "target")
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        if name in ("patch", "setattr", "delattr"):
            return PatchCall(site, call, spelling, first, None, None)
    elif name in ("object", "setattr", "delattr", "spy") and first is not None:
        attribute = _argument(call, 1, "attribute" if name == "object" else "name")
        if isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
            return PatchCall(site, call, spelling, None, first, attribute)
    return None


def is_patch(entity: External) -> bool:
    """Is this one of the functions of :mod:`unittest.mock` that make a patch?"""
    return mock_name(entity) in ("patch", "patch.object", "patch.dict", "patch.multiple")


def spelling_of(context: Context, site: Site, call: ast.Call) -> str | None:
    """``patch.object``, ``mocker.patch``, ``monkeypatch.setattr``, as it is written; None for any other call."""
    func = call.func
    dotted = dotted_name(func)
    if dotted is None or not any(word in dotted for word in _SPELLINGS):
        return None
    root, _, rest = dotted.partition(".")
    if (
        root in MOCKERS
        and is_parameter(site, root)
        and rest in ("patch", "patch.object", "patch.multiple", "patch.dict", "spy")
    ):
        return dotted
    if root == "monkeypatch" and is_parameter(site, root) and rest in ("setattr", "delattr", "setitem"):
        return dotted
    found = context.names.resolve(func, site.scope)
    if isinstance(found, External) and is_patch(found):
        return dotted
    return None


def _on_condition(site: Site) -> bool:
    """Below an ``if`` that the code around it decides, or where an exception leads or does not: whether it runs is not
    known."""
    previous: ast.AST = site.node
    for node in site.chain:
        if isinstance(node, (ast.If, ast.IfExp)) and previous is not node.test:
            return True
        if isinstance(node, (ast.Match, ast.ExceptHandler)):
            return True
        if isinstance(node, ast.Try) and previous in node.orelse:
            return True
        if isinstance(node, (ast.For, ast.AsyncFor)) and previous in node.body and _is_empty(node.iter):
            return True
        previous = node
    return False


def _is_empty(node: ast.expr) -> bool:
    """``()``, ``[]``, ``{}``, ``""``"""
    if isinstance(node, (ast.Tuple, ast.List)):
        return not node.elts
    if isinstance(node, ast.Dict):
        return not node.keys
    return isinstance(node, ast.Constant) and not node.value


def _entered(site: Site, spelling: str, started: Callable[[], frozenset[str]]) -> bool:
    """Does anything start the patch? One that is made and left alone looks nothing up."""
    root = spelling.partition(".")[0]
    if root in MOCKERS or root == "monkeypatch":
        return True
    parent = site.chain.parent
    if parent is None or isinstance(parent.node, ast.Expr):
        return False
    node = parent.node
    if isinstance(node, (ast.withitem, ast.With, ast.AsyncWith)):
        return True
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    if isinstance(node, ast.Attribute):
        return node.attr in _STARTING
    if isinstance(node, ast.Call):
        return last_name(node) in _ENTERING
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(ast.unparse(target) in started() for target in targets)
    if isinstance(node, (ast.Return, ast.Yield)):
        function = site.scope.function
        return function is not None and function.name in started()
    # Kept in a list, or the like: something takes it out of there to start it, or nothing does.
    return "" in started()


def _started(context: Context) -> frozenset[str]:
    """What the file enters, as it is written: ``with x``, ``x.start()``, ``@x``, ``enter_context(x)``. For ``x()``
    also ``x``. The empty name stands for a variable that is entered inside a loop or comprehension."""
    found: set[str] = set()

    def enter(node: ast.expr) -> None:
        found.add(ast.unparse(node))
        if isinstance(node, ast.Call):
            found.add(last_name(node) or "")
        if isinstance(node, (ast.Name, ast.Subscript)):
            found.add("")

    for _, node in context.parsed.walk():
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                enter(item.context_expr)
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _STARTING:
                enter(node.func.value)
            elif last_name(node) in _ENTERING:
                for arg in node.args:
                    enter(arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                enter(decorator)
    return frozenset(found)


def is_parameter(site: Site, name: str) -> bool:
    scope = site.scope
    while scope.node is not None:
        if name in scope.names:
            return all(isinstance(node, ast.arg) for node in scope.names[name])
        if scope.parent is None:
            return False
        scope = scope.parent
    return False


def _argument(call: ast.Call, index: int, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if index < len(call.args) and not any(isinstance(arg, ast.Starred) for arg in call.args[: index + 1]):
        return call.args[index]
    return None


def _may_create(call: ast.Call, name: str) -> bool:
    """``create=True`` and ``raising=False``, or anything that is not a plain no to them."""
    positional = {"patch": 3, "object": 4, "setattr": 3, "delattr": 2}.get(name)
    if positional is not None and len(call.args) > positional:
        given = call.args[positional]
        wanted = name in ("setattr", "delattr")
        if not isinstance(given, ast.Constant) or given.value is not wanted:
            return True
    for keyword in call.keywords:
        if keyword.arg is None:
            return True
        plain = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg == "create" and plain is not False:
            return True
        if keyword.arg == "raising" and plain is not True:
            return True
    return False


def replaced_around(context: Context, site: Site, names: set[str]) -> bool:
    """Does the test that a place is in, a fixture, ``setUp`` or other code that is no test replace an attribute
    of one of these names, whatever it belongs to?"""
    around = {id(node) for node in site.chain}
    for module in context.fixtures.chain(context.module):
        for unit in context.workspace.parsed(module.path).units:
            for node, tests in _replacements(unit.node, ()):
                if node is not site.node and tests <= around:
                    replaced = _replaced_names(node)
                    if replaced is None or not names.isdisjoint(replaced):
                        return True
    return False


def _replacements(node: ast.AST, tests: Iterable[int]) -> Iterator[tuple[ast.AST, frozenset[int]]]:
    """Calls and assignments that may replace an attribute, each with the test functions around it."""
    if isinstance(node, ast.Call) or (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)):
        yield node, frozenset(tests)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
        tests = (*tests, id(node))
    for child in ast.iter_child_nodes(node):
        yield from _replacements(child, tests)


def _replaced_names(node: ast.AST) -> set[str] | None:
    """The attributes that may be replaced; None where that may be any."""
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if not isinstance(node, ast.Call):
        return set()
    form = last_name(node)
    if form == "multiple":
        return {keyword.arg for keyword in node.keywords if keyword.arg is not None}
    named = [keyword.value for keyword in node.keywords if keyword.arg in ("target", "attribute", "name")]
    if form in ("patch", "object", "setattr"):
        first = next(filter(None, map(ending, (*node.args[:2], *named))), None)
        if first is None:
            # ``monkeypatch.setattr(module, name, …)``
            return None if len(node.args) > (2 if form == "setattr" else 1) and form != "patch" else set()
        return {first.rpartition(".")[2]}
    if any(isinstance(argument, ast.Name) and argument.id in _GIVEN for argument in node.args):
        # A helper that patches: ``install(monkeypatch, clock, "date", FakeDate)``.
        given = (*node.args, *(keyword.value for keyword in node.keywords))
        return {text.rpartition(".")[2] for text in map(ending, given) if text is not None}
    return set()


def creates(parsed: Parsed, name: str) -> bool:
    """Does a patch of the file make an attribute of this name, wherever it is: ``create=True``,
    ``raising=False``?"""
    for _, node in parsed.walk():
        if isinstance(node, ast.Call):
            tail = last_name(node) or ""
            if tail in ("patch", "object", "setattr", "multiple") and _may_create(node, tail):
                if any(keyword.arg == name for keyword in node.keywords):
                    return True
                for arg in (*node.args, *(keyword.value for keyword in node.keywords)):
                    if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
                        if arg.value.rpartition(".")[2] == name:
                            return True
    return False
