"""What the ``patch`` decorators of a test hand to it, and the parameters that receive it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from understudy.doubles.library.mock import mock_name
from understudy.facts import model
from understudy.infer import marks
from understudy.infer.entities import ClassEntity, External, ValueEntity
from understudy.infer.scopes import FunctionNode, Site
from understudy.rules.base import Context
from understudy.rules.patch_calls import PatchCall, patch_call
from understudy.source.dotted import dotted_name, last_name
from understudy.source.parse import Part

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[^\W_]+")
_OF_DOUBLES = frozenset(
    {"mock", "mocked", "mocks", "mocker", "fake", "faked", "patched", "patch", "stub", "m", "mk"}
)


@dataclass(frozen=True)
class Decorated:
    """A test function whose decorators are all understood."""

    site: Site
    node: FunctionNode
    calls: tuple[PatchCall, ...]
    """The patches that hand their mock over by position, in the order of the arguments."""
    replacing: tuple[PatchCall, ...]
    """The patches with a ``new`` of their own, which hand over nothing."""
    by_keyword: frozenset[str]
    """What ``patch.multiple`` hands over."""
    filled: frozenset[str]
    """What parametrisation fills."""
    parameters: tuple[ast.arg, ...]
    """Those by position, without ``self``."""
    owner: ClassEntity | None
    is_unittest: bool
    is_open: bool
    """Parametrisation may fill parameters that are not known here."""

    @property
    def takes_any(self) -> bool:
        return self.node.args.vararg is not None

    @cached_property
    def defaulted(self) -> frozenset[str]:
        args = self.node.args
        positional = [*args.posonlyargs, *args.args]
        return frozenset(arg.arg for arg in positional[len(positional) - len(args.defaults) :])

    def is_fixture(self, context: Context, name: str) -> bool:
        """Is there a fixture of that name that the test sees? Those of plugins are not known."""
        if self.is_unittest:
            return False
        if name in _PYTEST_FIXTURES:
            return True
        return bool(context.fixtures.find(name, context.module, self.owner))


_PYTEST_FIXTURES = frozenset(
    {
        "cache", "capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "class_mocker", "doctest_namespace",
        "event_loop", "mocker", "module_mocker", "monkeypatch", "package_mocker", "pytestconfig", "pytester",
        "record_property", "record_testsuite_property", "record_xml_attribute", "recwarn", "request",
        "session_mocker", "subtests", "testdir", "tmp_path", "tmp_path_factory", "tmpdir", "tmpdir_factory",
    }
)  # fmt: skip


def decorated(context: Context) -> list[Decorated]:
    """The tests of the file with ``patch`` decorators, where every decorator is known."""
    return context.once("decorated", lambda: list(_decorated(context)))


def _decorated(context: Context) -> Iterator[Decorated]:
    if not context.is_test or "patch" not in context.source:
        return
    for unit in context.parsed.units:
        for part in unit.parts:
            for site in context.scopes.of(part, "functions"):
                yield from _decorated_function(context, site, (unit.parts[0], part))


def _decorated_function(context: Context, site: Site, parts: Iterable[Part]) -> Iterator[Decorated]:
    """
    :param parts: where its decorators stand, and those of its class.
    """
    node = site.node
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    around = getattr(site.scope.node, "decorator_list", [])
    if not node.name.startswith("test") or not any(map(_may_be_patch, (*node.decorator_list, *around))):
        return
    parent = site.chain.parent.node if site.chain.parent is not None else None
    owner: ClassEntity | None = None
    cls: ast.ClassDef | None = None
    if isinstance(site.scope.node, ast.ClassDef):
        cls = site.scope.node
        found = context.resolver.name(context.module, cls.name)
        if not isinstance(found, ClassEntity) or site.scope.parent is None or site.scope.parent.node:
            return
        owner = found
    elif parent is not None or site.scope.node is not None:
        return
    calls = {id(call.node): call for part in parts for call in context.scopes.of(part, "calls")}
    test = _read(context, site, node, owner, cls, calls)
    if test is not None:
        yield test


def _may_be_patch(decorator: ast.expr) -> bool:
    """Is it written as a patch is?"""
    return isinstance(decorator, ast.Call) and "patch" in (dotted_name(decorator.func) or "")


def _read(
    context: Context,
    site: Site,
    node: FunctionNode,
    owner: ClassEntity | None,
    cls: ast.ClassDef | None,
    sites: dict[int, Site],
) -> Decorated | None:
    is_unittest = False
    if owner is not None:
        is_unittest = context.resolver.is_test_case(owner)
        if not is_unittest and (
            context.resolver.ancestry(owner).externals or not owner.name.startswith("Test")
        ):
            return None
        if any(last_name(decorator) == "staticmethod" for decorator in node.decorator_list):
            return None
        collected = context.resolver.class_attribute(owner, "__test__")
        value = collected.declaration.value if isinstance(collected, ValueEntity) else None
        if isinstance(value, model.Const) and value.value is False:
            # Its tests run in classes below it, which may be patched themselves.
            return None
    calls: list[PatchCall] = []
    replacing: list[PatchCall] = []
    by_keyword: set[str] = set()
    filled: set[str] = set()
    is_open = False
    if not is_unittest:
        found = context.fixtures.marks_of(context.parsed, context.module, owner, node)
        given = [context.fixtures.generated(context.module, owner), *map(marks.parametrized, found.found)]
        is_open = not found.known or None in given
        filled.update(*(names for names in given if names is not None))
    decorators = [*reversed(node.decorator_list), *reversed(cls.decorator_list if cls is not None else [])]
    for decorator in decorators:
        mark = marks.meant(context.resolver, context.module, decorator)
        if mark is not decorator or _is_mark(context, site, decorator):
            continue
        if not isinstance(decorator, ast.Call):
            return None
        place = sites.get(id(decorator))
        if place is None:
            return None
        call = patch_call(context, place)
        if call is None:
            kind = context.names.resolve(decorator.func, place.scope)
            name = mock_name(kind) if isinstance(kind, External) else None
            if name == "patch.dict":
                continue
            if name != "patch.multiple" or any(keyword.arg is None for keyword in decorator.keywords):
                return None
            by_keyword.update(
                keyword.arg
                for keyword in decorator.keywords
                if keyword.arg is not None and _is_default(context, place, keyword.value)
            )
            continue
        if call.is_open:
            return None
        new = call.argument("new")
        if new is None or _is_default(context, place, new):
            calls.append(call)
        else:
            replacing.append(call)
    if not calls and not replacing:
        return None
    arguments = node.args
    parameters = [*arguments.posonlyargs, *arguments.args]
    if owner is not None:
        if not parameters:
            return None
        parameters = parameters[1:]
    return Decorated(
        site,
        node,
        tuple(calls),
        tuple(replacing),
        frozenset(by_keyword),
        frozenset(filled),
        tuple(parameters),
        owner,
        is_unittest,
        is_open,
    )


def _is_default(context: Context, site: Site, node: ast.expr) -> bool:
    found = context.names.resolve(node, site.scope) if isinstance(node, (ast.Name, ast.Attribute)) else None
    return isinstance(found, External) and mock_name(found) == "DEFAULT"


def _is_mark(context: Context, site: Site, decorator: ast.expr) -> bool:
    """``pytest.mark.…`` and the skips of unittest: they hand over nothing."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    found = context.names.resolve(target, site.scope)
    return isinstance(found, External) and (
        found.dotted.startswith("pytest.mark.")
        or found.dotted
        in ("unittest.skip", "unittest.skipIf", "unittest.skipUnless", "unittest.expectedFailure")
    )


# --- names


def words(name: str) -> tuple[str, ...]:
    """``mock_SendEmail`` is ``("send", "email")``: the words of a name, without those that say *double*."""
    found = tuple(word.lower() for word in _WORDS.findall(name))
    return tuple(word for word in found if word not in _OF_DOUBLES) or found


def says(parameter: str, call: PatchCall) -> bool:
    """Does the parameter's name say that it is the double of this patch: ``mock_get`` or ``client_get`` for
    ``patch("m.Client.get")``?"""
    parts = _parts(call)
    said = "".join(words(parameter))
    forms = {"".join(word for part in parts[-count:] for word in words(part)) for count in (1, 2, 3)}
    return said in forms


def says_owner(parameter: str, call: PatchCall) -> bool:
    """Does the name say that it is the double of something of this class: ``mock_client`` for
    ``patch("m.Client.get")``?"""
    parts = _parts(call)
    return (
        len(parts) > 1 and parts[-2][:1].isupper() and "".join(words(parameter)) == "".join(words(parts[-2]))
    )


def _parts(call: PatchCall) -> tuple[str, ...]:
    if call.target is None and isinstance(call.owner, (ast.Name, ast.Attribute)):
        return (*ast.unparse(call.owner).split("."), call.name)
    return tuple(call.names) if call.target is not None else (call.name,)


def name_for(call: PatchCall) -> str:
    """A parameter name for the double of a patch."""
    return "_".join(("mock", *(word.lower() for word in _WORDS.findall(call.name))))
