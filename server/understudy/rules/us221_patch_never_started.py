"""US221: a patcher is made and never started."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from understudy.doubles.library.mock import mock_name
from understudy.finding import Applicability, Finding, Fix, Related, Severity
from understudy.fixes import blocks
from understudy.infer.entities import External
from understudy.infer.scopes import FunctionNode, Site
from understudy.rules.base import Context, Rule
from understudy.rules.expected import excused, expected
from understudy.rules.patch_calls import is_patch

_FORMS = ("object", "dict", "multiple")
_OF_A_PATCHER = frozenset(
    {
        # ``_patch`` and ``_patch_dict`` of CPython 3.10 to 3.14, before and after they are started.
        "additional_patchers", "attribute", "attribute_name", "autospec", "clear", "copy", "create",
        "decorate_async_callable", "decorate_callable", "decorate_class", "decoration_helper", "get_original",
        "getter", "has_local", "in_dict", "is_local", "is_started", "kwargs", "new", "new_callable", "spec",
        "spec_set", "start", "stop", "target", "temp_original", "values",
    }
)  # fmt: skip
_RAISED_BY_PATCH = ("AttributeError", "RuntimeError", "TypeError", "ValueError")
_BY_NAME = frozenset({"locals", "vars", "eval", "exec", "dir"})
"""With them, a variable may be used without being written."""
_STRAIGHT = (
    ast.AnnAssign,
    ast.Assert,
    ast.Assign,
    ast.AsyncWith,
    ast.Attribute,
    ast.Await,
    ast.BinOp,
    ast.Call,
    ast.Compare,
    ast.Expr,
    ast.FormattedValue,
    ast.JoinedStr,
    ast.keyword,
    ast.List,
    ast.Return,
    ast.Subscript,
    ast.Tuple,
    ast.UnaryOp,
    ast.With,
    ast.withitem,
)
"""What is evaluated inside them is, as a rule, evaluated whenever they are."""
_LEAVING = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_STRINGS = (ast.Constant, ast.JoinedStr)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    if not context.is_test or "patch" not in context.source:
        return
    for site in _candidates(context):
        parent = site.chain.parent
        assert parent is not None
        if not _is_patcher(context, site) or expected(context, site, *_RAISED_BY_PATCH):
            continue
        if isinstance(parent.node, ast.Expr):
            yield _alone(rule, context, site, parent.node)
        elif isinstance(parent.node, ast.Attribute):
            yield from _attribute(rule, context, site, parent.node)
        elif isinstance(parent.node, ast.Assign):
            yield from _variable(rule, context, site, parent.node)


def _candidates(context: Context) -> Iterator[Site]:
    """The calls of what may be ``patch`` that stand where nothing may start it."""
    names = [name for name in context.scopes.called_names() if "patch" in name or name in _FORMS]
    for site in context.scopes.calls_of(*names):
        around = site.chain.parent
        node = around.node if around is not None else None
        if isinstance(node, ast.Expr):
            yield site
        elif isinstance(node, ast.Attribute):
            if node.attr == "start" or _is_foreign(node.attr):
                yield site
        elif isinstance(node, ast.Assign) and node.value is site.node:
            if isinstance(node.targets[0], ast.Name) and isinstance(site.scope.node, _FUNCTIONS[:2]):
                yield site


def _is_foreign(name: str) -> bool:
    """Is it the name of an attribute that no patcher has?"""
    return name not in _OF_A_PATCHER and not name.startswith("_")


def _is_patcher(context: Context, site: Site) -> bool:
    call = site.node
    assert isinstance(call, ast.Call)
    found = context.names.resolve(call.func, site.scope)
    # The patchers of asynctest have more attributes.
    if not isinstance(found, External) or not is_patch(found) or found.root not in ("unittest", "mock"):
        return False
    first = _first(call)
    if mock_name(found) == "patch" and isinstance(first, ast.Constant):
        # With another target, the call itself raises.
        return isinstance(first.value, str) and "." in first.value
    return True


def _first(call: ast.Call) -> ast.expr | None:
    if call.args:
        return call.args[0] if not isinstance(call.args[0], ast.Starred) else None
    return next((keyword.value for keyword in call.keywords if keyword.arg in ("target", "in_dict")), None)


# --- without a name


def _alone(rule: Rule, context: Context, site: Site, statement: ast.Expr) -> Finding:
    call = site.node
    assert isinstance(call, ast.Call)
    return rule.finding(
        context.path,
        site.unit.span(call),
        f"this patch{_of(call)} is never started, so nothing is patched; {_ADVICE}",
        fixes=_with(context, site, statement),
    )


_ADVICE = "use it in a `with` statement, or as a decorator"


def _attribute(rule: Rule, context: Context, site: Site, attribute: ast.Attribute) -> Iterator[Finding]:
    """``patch(…).start`` without the call; ``patch(…).return_value``, which is no mock's."""
    call = site.node
    assert isinstance(call, ast.Call)
    assert site.chain.parent is not None
    outer = site.chain.parent.parent
    around = outer.node if outer is not None else None
    span = site.unit.span(attribute)
    if attribute.attr == "start":
        if isinstance(around, ast.Expr):
            yield rule.finding(
                context.path,
                span,
                f"`start` of this patch{_of(call)} is not called, so nothing is patched; {_ADVICE}",
                fixes=_with(context, site, around),
            )
        return
    what = f"this patch{_of(call)} is the patcher and not {_made(call)}, and is never started"
    advice = "write `with patch(…) as` a name, and use that"
    if isinstance(attribute.ctx, ast.Store) and isinstance(around, ast.Assign):
        yield rule.finding(
            context.path, span, f"{what}: setting `{attribute.attr}` changes nothing; {advice}"
        )
    elif isinstance(attribute.ctx, ast.Load):
        yield rule.finding(
            context.path,
            span,
            f"{what}: `{attribute.attr}` raises AttributeError; {advice}",
            severity=Severity.WARNING if excused(context) else Severity.ERROR,
        )


def _of(call: ast.Call) -> str:
    """What is patched, as it is written."""
    described = _described(call)
    return f" of `{described}`" if described is not None else ""


def _described(call: ast.Call) -> str | None:
    first = _first(call)
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        owner = first.value
    elif isinstance(first, (ast.Name, ast.Attribute)):
        owner = ast.unparse(first)
    else:
        return None
    if _form(call) != "object":
        return owner
    named = call.args[1] if len(call.args) > 1 else _keyword(call, "attribute")
    if isinstance(named, ast.Constant) and isinstance(named.value, str):
        return f"{owner}.{named.value}"
    return None


def _form(call: ast.Call) -> str:
    """``object``, ``dict`` or ``multiple``; else the name that ``patch`` has."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _makes_a_mock(call: ast.Call) -> bool:
    """Does the patch make the mock itself?"""
    form = _form(call)
    if form in ("dict", "multiple") or any(keyword.arg in (None, "new") for keyword in call.keywords):
        return False
    if any(isinstance(arg, ast.Starred) for arg in call.args):
        return False
    return len(call.args) <= (2 if form == "object" else 1)


def _made(call: ast.Call) -> str:
    return "the mock that it makes" if _makes_a_mock(call) else "what it puts there"


# --- in a variable


def _variable(rule: Rule, context: Context, site: Site, statement: ast.Assign) -> Iterator[Finding]:
    call, function, target = site.node, site.scope.node, statement.targets[0]
    assert isinstance(call, ast.Call)
    assert isinstance(target, ast.Name)
    assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
    # The assignment to it alone, and the name in it. What is global or nonlocal is not among them.
    if len(site.scope.names.get(target.id, ())) != 2:
        return
    uses = _uses(function, target)
    if uses is None:
        return
    read = {id(node) for node in uses if isinstance(node.ctx, ast.Load)}
    reads = [place for place in context.scopes.reads if id(place.node) in read]
    if any(expected(context, place, "AttributeError") for place in reads):
        return
    foreign = [node for node in uses if _is_foreign(node.attr)]
    started = [node for node in uses if not _is_foreign(node.attr)]
    name = target.id
    if not foreign:
        message = f"the patch{_of(call)} in `{name}` is never started, so nothing is patched; {_ADVICE}"
        if started:
            message = f"`{name}.start` is not called, so this patch{_of(call)} is never started; {_ADVICE}"
        related = tuple(Related(context.path, site.unit.span(node), "not called") for node in started)
        fixes = () if started else _with(context, site, statement)
        yield rule.finding(context.path, site.unit.span(call), message, related=related, fixes=fixes)
        return
    is_set = {node.attr for node in foreign if isinstance(node.ctx, ast.Store)}
    unset = [place for place in reads if _attribute_of(place) not in {*is_set, "start"}]
    raising = [place for place in unset if _is_certain(place, statement)]
    chosen = (raising or unset)[:1]
    if chosen:
        node = chosen[0].node
        assert isinstance(node, ast.Attribute)
        effect, note = f"`{name}.{node.attr}` raises AttributeError", "raises AttributeError"
    else:
        node = foreign[0]
        effect, note = f"setting `{name}.{node.attr}` changes nothing", "changes nothing"
    advice = f"write `with patch(…) as {name}:`" if _makes_a_mock(call) else _ADVICE
    yield rule.finding(
        context.path,
        site.unit.span(call),
        f"`{name}` is the patcher{_of(call)} and not {_made(call)}, and is never started: {effect}; {advice}",
        severity=Severity.ERROR if raising and not excused(context) else Severity.WARNING,
        related=(Related(context.path, site.unit.span(node), note),),
        fixes=_with(context, site, statement, name) if not started and _makes_a_mock(call) else (),
    )


def _attribute_of(place: Site) -> str:
    assert isinstance(place.node, ast.Attribute)
    return place.node.attr


def _uses(function: FunctionNode, target: ast.Name) -> list[ast.Attribute] | None:
    """The attributes of a variable of a function; None where something else is done with it, or what may start the
    patch."""
    found: list[ast.Attribute] = []
    for parent in ast.walk(function):
        if isinstance(parent, ast.Name) and parent.id in _BY_NAME:
            return None
        if isinstance(parent, (ast.Delete, ast.AugAssign)):
            # ``del p.called``, ``p.call_count += 1``
            targets = parent.targets if isinstance(parent, ast.Delete) else [parent.target]
            if any(isinstance(node, ast.Attribute) and _is(node.value, target.id) for node in targets):
                return None
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.Attribute) and _is(child.value, target.id):
                if not _is_foreign(child.attr) and not (
                    child.attr == "start" and isinstance(parent, ast.Expr)
                ):
                    return None
                found.append(child)
            elif _is(child, target.id) and child is not target and not isinstance(parent, ast.Attribute):
                return None
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_certain(place: Site, made: ast.Assign) -> bool:
    """Is an attribute read whenever the patch has been made, as long as nothing else raises?"""
    previous: ast.AST = place.node
    for node in place.chain:
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(body, list) and made in body and previous in body:
                between = body[body.index(made) + 1 : body.index(previous)]
                return made is not previous and not any(map(_may_leave, between))
        if node is not place.node:
            if not isinstance(node, _STRAIGHT) or (isinstance(node, ast.Assert) and previous is node.msg):
                return False
            if isinstance(node, ast.Compare) and len(node.ops) > 1:
                return False
            if isinstance(node, (ast.With, ast.AsyncWith)) and previous in node.body:
                if any(map(_may_leave, node.body[: node.body.index(previous)])):
                    return False
        previous = node
    return False


def _may_leave(statement: ast.stmt) -> bool:
    """May the function end in it, or the test be skipped?"""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, _LEAVING):
            return True
        if isinstance(node, (ast.Name, ast.Attribute)):
            if "skip" in (node.id if isinstance(node, ast.Name) else node.attr).lower():
                return True
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))
    return False


# --- the fix


def _with(context: Context, site: Site, statement: ast.stmt, name: str | None = None) -> tuple[Fix, ...]:
    """``with patch(…) as name:`` around the rest of a test, or of a fixture that yields: to its last statement."""
    function, unit = site.scope.node, site.unit
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return ()
    body = function.body
    while statement not in body and isinstance(body[-1], (ast.With, ast.AsyncWith)):
        body = body[-1].body
    if statement not in body:
        return ()
    rest = body[body.index(statement) + 1 :]
    if not function.name.startswith("test") and not (_is_fixture(function) and _yields(rest)):
        return ()
    span = unit.span(statement)
    assert isinstance(site.node, ast.Call)
    if any(isinstance(node, _STRINGS) and node.end_lineno != node.lineno for node in ast.walk(site.node)):
        # What is between the quotes would be moved, too.
        return ()
    header = _unindented(unit.source(site.node), unit.text.line(span.row)[: span.column])
    if header is None:
        return ()
    header = f"with {header} as {name}:" if name is not None else f"with {header}:"
    remark = unit.text.line(span.end_row)[span.end_column :].strip()
    if remark.startswith("#"):
        header = f"{header}  {remark}"
    edit = blocks.put_under(header, span, [(unit, each) for each in rest])
    return (Fix("Use the patch in a `with`", Applicability.UNSAFE, (edit,)),) if edit is not None else ()


def _unindented(source: str, margin: str) -> str | None:
    """The lines of an expression without the margin that all have; None where one has less."""
    first, *others = source.replace("\r\n", "\n").split("\n")
    if not all(line.startswith(margin) for line in others if line):
        return None
    return "\n".join([first, *(line[len(margin) :] for line in others)])


def _is_fixture(function: FunctionNode) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)


def _yields(statements: Sequence[ast.stmt]) -> bool:
    return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for each in statements for node in ast.walk(each))


RULE = Rule(
    "US221",
    "patch-never-started",
    Severity.WARNING,
    "a patch that is made and never started, or whose patcher is taken for the mock",
    check,
    __name__,
)
