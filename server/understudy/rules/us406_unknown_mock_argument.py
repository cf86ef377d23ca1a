"""US406: a keyword of a mock or a patch is misspelled and becomes an attribute, or is refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from understudy.doubles.assertions import distance
from understudy.doubles.library.mock import mock_name
from understudy.doubles.shapes import CONSTRUCTORS
from understudy.finding import Applicability, Edit, Finding, Fix, Severity
from understudy.index.workspace import Workspace
from understudy.infer.entities import Absent, ClassEntity, External, FunctionEntity
from understudy.rules.base import Context, Rule
from understudy.rules.expected import expected
from understudy.rules.keywords import Given
from understudy.rules.mock_calls import MockCall, mock_calls
from understudy.rules.patch_calls import certain_patches
from understudy.source.text import SourceError

_TYPOS = frozenset({"autospect", "auto_spec", "set_spec"})
"""What ``patch`` and ``create_autospec`` know to be misspelled (``_check_spec_arg_typos``)."""
_LONG = ("side_effect", "return_value", "spec_set", "autospec", "new_callable")
"""Keywords that are long enough to recognise; ``spec``, ``name`` and ``wraps`` are near too many words."""
_MEMBERS = ("return_value", "side_effect")
"""What a dotted keyword may end with."""


def check(rule: Rule, context: Context) -> Iterator[Finding]:
    beside_new = certain_patches(
        context, "TypeError", question="US406", wanted=lambda patch: patch.argument("new") is not None
    )
    entered = {id(patch.call) for patch in beside_new}
    for call in mock_calls(context, "US406", _may_be_wrong):
        reported = False
        for given in call.keywords.given:
            finding = _misspelled(rule, call, given)
            if finding is not None:
                reported = True
                yield finding
        if not reported and id(call.call) in entered:
            yield from _beside_new(rule, call)


def _may_be_wrong(call: MockCall) -> bool:
    """Is there a keyword that may be misspelled, one that is not written here, or a ``new`` beside others?"""
    for keyword in call.call.keywords:
        if keyword.arg is None or keyword.arg == "new":
            return True
        path, _, last = keyword.arg.rpartition(".")
        if keyword.arg not in call.takes and _meant(last, _MEMBERS if path else _LONG) is not None:
            return True
    return call.is_patch and len(call.call.args) > 1


def _misspelled(rule: Rule, call: MockCall, given: Given) -> Finding | None:
    path, _, last = given.name.rpartition(".")
    if given.name in call.takes:
        return None
    meant = _meant(last, _MEMBERS if path else _LONG)
    if meant is None or last in call.takes:
        return None
    wanted: str | None = meant
    if meant not in call.takes:
        # A constructor knows nothing of what ``patch`` does with a spec.
        wanted = "spec" if meant == "autospec" else None
    error = "" if path else _error(call, last)
    if error is None or (not error and _is_a_name(call, last)):
        return None
    raises = f", which raises {error}" if error else ": it becomes an attribute of the mock"
    message = f"`{last}` is no argument of `{call.name}`{raises}"
    fixes: tuple[Fix, ...] = ()
    correct = f"{path}.{wanted}" if path else wanted
    if correct is None:
        message += "; only `patch` takes it"
    elif call.keyword(correct) is not None or (wanted == "spec" and call.call.args):
        message += f"; `{correct}` is given, too"
    elif wanted == "spec" and isinstance(given.value, ast.Constant):
        message += "; `create_autospec` makes a mock with the signatures of a class"
    else:
        message += f"; write `{correct}`"
        edit = Edit(call.context.path, given.span, given.spelled(correct))
        applicability = Applicability.SAFE if error else Applicability.UNSAFE
        fixes = (Fix(f"Write `{correct}`", applicability, (edit,)),)
    return rule.finding(call.context.path, given.span, message, fixes=fixes)


def _meant(name: str, known: tuple[str, ...]) -> str | None:
    """The keyword that a name is a misspelling of; the name itself where it is one of another call."""
    if name in known:
        return name
    if name == "set_spec":
        return "spec_set"
    if name[-1:].isdigit():
        # ``return_value_2`` is numbered on purpose.
        return None
    plain = _letters(name)
    for keyword in known:
        most = 2 if len(keyword) > len("autospec") else 1
        if distance(plain, _letters(keyword)) <= most:
            return keyword
    return None


def _letters(name: str) -> str:
    return name.replace("_", "").lower()


def _error(call: MockCall, name: str) -> str | None:
    """What the runtime raises for it; empty where it raises nothing, None where that is not known or is meant."""
    unsafe = call.keyword("unsafe")
    if name in _TYPOS and not call.is_constructor:
        if (
            unsafe is not None
            or not call.keywords.complete
            or expected(call.context, call.site, "RuntimeError")
        ):
            return None
        return f"RuntimeError: {name!r} might be a typo; use unsafe=True if this is intended"
    spec = call.keyword("spec_set")
    if spec is not None and not isinstance(spec.value, ast.Constant):
        # It refuses what the spec has not: US403.
        return None
    return ""


def _is_a_name(call: MockCall, name: str) -> bool:
    """Is it a name of the program: an attribute that something reads, or that the spec has?"""
    given = call.keyword("spec")
    spec = given.value if given is not None else None
    if spec is None and not call.is_patch and call.call.args:
        spec = call.call.args[0]
    if spec is not None and not isinstance(spec, ast.Constant) and _spec_has(call, spec, name) is not False:
        return True
    workspace = call.context.workspace
    return workspace.derived(f"is read: {name}", lambda: _is_read(workspace, name))


def _is_read(workspace: Workspace, name: str) -> bool:
    """Does a file read an attribute of the name, or have it as a string: ``getattr(mock, "name")``?"""
    for path in workspace.files_with(re.compile(rb"\b" + name.encode() + rb"\b")):
        try:
            parsed = workspace.parsed(path)
        except SourceError:
            return True
        for _, node in parsed.walk(mentioning=name):
            if isinstance(node, ast.Attribute) and node.attr == name:
                return True
            if isinstance(node, ast.Constant) and node.value == name:
                return True
    return False


def _spec_has(call: MockCall, spec: ast.expr, name: str) -> bool | None:
    if isinstance(spec, (ast.List, ast.Tuple)):
        names = [item.value if isinstance(item, ast.Constant) else None for item in spec.elts]
        return None if None in names else name in names
    found = call.context.names.resolve(spec, call.site.scope)
    if not isinstance(found, ClassEntity):
        return False if isinstance(found, FunctionEntity) else None
    attribute = call.context.resolver.class_attribute(found, name)
    return None if attribute is Absent.UNKNOWN else attribute is not Absent.MISSING


def _beside_new(rule: Rule, call: MockCall) -> Iterator[Finding]:
    """``patch("x", new=…, return_value=…)``: there is no mock to configure."""
    position = 1 if call.name == "patch" else 2
    keyword = call.keyword("new")
    new = keyword.value if keyword is not None else None
    if new is None and len(call.call.args) > position:
        new = call.call.args[position]
    if new is None or any(isinstance(arg, ast.Starred) for arg in call.call.args):
        return
    if not call.keywords.complete or call.keyword("autospec") or call.keyword("new_callable"):
        return
    if not _is_a_value(call, new):
        return
    options = call.takes - {"return_value", "side_effect", "wraps", "name", "parent"}
    refused = [given for given in call.keywords.given if given.name not in options]
    if refused:
        yield rule.finding(
            call.context.path,
            refused[0].span,
            f"`{refused[0].name}` configures the mock that `{call.name}` makes, and beside `new` it makes none: "
            "this raises TypeError: Can't pass kwargs to a mock we aren't creating; configure the replacement itself",
        )


def _is_a_value(call: MockCall, new: ast.expr) -> bool:
    """Is it certainly not ``DEFAULT``?"""
    if isinstance(new, (ast.Constant, ast.Lambda, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.JoinedStr)):
        return True
    if isinstance(new, ast.Call):
        made = call.context.names.resolve(new.func, call.site.scope)
        return isinstance(made, External) and mock_name(made) in CONSTRUCTORS
    if isinstance(new, (ast.Name, ast.Attribute)):
        found = call.context.names.resolve(new, call.site.scope)
        return isinstance(found, (ClassEntity, FunctionEntity))
    return False


RULE = Rule(
    "US406",
    "unknown-mock-argument",
    Severity.ERROR,
    "a misspelled keyword of a mock or a patch: it becomes an attribute, or is refused",
    check,
    __name__,
)
