"""Calls of library functions, and of methods that the machine plays."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from understudy.doubles import caches, trace
from understudy.doubles.comparisons import is_never
from understudy.doubles.core import Cleanup
from understudy.doubles.library import builtin, exceptions, kinds, mock, patches, plain, refusing, stdlib, web
from understudy.doubles.library.played import ContextVar, Mocker, MonkeyPatch, OwnObject, Patch, Request
from understudy.doubles.shapes import ASSERTED_ARGUMENTS
from understudy.doubles.state import Misuse, Raised
from understudy.doubles.values import (
    UNKNOWN,
    BoundBuiltin,
    ClassValue,
    Coroutine,
    Environment,
    ExceptionValue,
    Foreign,
    FunctionValue,
    Instance,
    LibraryName,
    Literal,
    Mapping_,
    Mock,
    Node,
    Partial,
    Place,
    Sequence_,
    Value,
)
from understudy.infer.entities import (
    External,
)

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments
    from understudy.doubles.objects import Objects as Machine

_ENTERING = frozenset({"enterContext", "enterClassContext", "enterAsyncContext"})
_TEST_CASE_METHODS = _ENTERING | {"addCleanup", "doCleanups", "fail", "skipTest", "subTest"}
_MONKEYPATCHES = frozenset({"_pytest.monkeypatch.MonkeyPatch", "pytest.MonkeyPatch"})
_TRUE = "a coroutine is always true"
_NEVER_EQUAL = "a coroutine is never the value that it gives"
_LEAVING = {"skip": "Skipped", "xfail": "XFailed", "fail": "Failed", "exit": "Exit"}


def call(machine: Machine, entity: External, arguments: Arguments, node: Node, env: Environment) -> Value:
    """Call a function or class of a library."""
    name = mock.mock_name(entity)
    place = Place(env.unit, node)
    if name is not None:
        return mock.call_mock_library(machine, name, arguments, place, env)
    if entity.root == "builtins":
        return builtin.call_builtin(machine, entity.name, arguments, node, env)
    if entity.root in ("pytest", "contextlib") and entity.name in ("raises", "suppress"):
        return exceptions.expectation(machine, arguments)
    if entity.root == "pytest" and entity.name in _LEAVING:
        raise Raised(_LEAVING[entity.name], ("BaseException",))
    if entity.dotted == "pytest.importorskip" and arguments.values:
        wanted = arguments.values[0]
        known = wanted.value if isinstance(wanted, Literal) else None
        if not isinstance(known, str) or machine.workspace.find(known, env.unit.path) is None:
            raise Raised("Skipped", ("BaseException",))
        return LibraryName(External(known))
    if (
        entity.dotted in ("unittest.enterModuleContext", "unittest.case.enterModuleContext")
        and arguments.values
    ):
        return _enter_until_the_end(machine, arguments.values[0], node, env, is_async=False)
    if entity.dotted == "importlib.reload":
        # What was set on the module is gone.
        machine.lose(None)
    if entity.dotted in _MONKEYPATCHES:
        return MonkeyPatch()
    if entity.dotted in {f"{name}.context" for name in _MONKEYPATCHES}:
        return patches.call_monkeypatch(machine, MonkeyPatch(), "context", arguments, node, env)
    if entity.root == "contextlib" and entity.name == "nullcontext":
        return Foreign("contextlib.nullcontext()")
    if entity.root == "asyncio":
        handled = stdlib.call_asyncio(machine, entity.name, arguments, node, env)
        if handled is not None:
            return handled
    if entity.root == "inspect" and entity.name in ("isawaitable", "iscoroutine", "iscoroutinefunction"):
        return stdlib.inspected(machine, entity.name, arguments.values, by_inspect=True)
    if entity.dotted == "contextvars.ContextVar":
        return ContextVar({})
    served = web.call(machine, entity, arguments)
    if served is not None:
        return served
    if entity.dotted == "functools.partial" and arguments.values:
        first, *rest = arguments.values
        return Partial(first, tuple(rest), dict(arguments.keywords), arguments.is_open)
    if entity.dotted in ("functools.wraps", "functools.lru_cache"):
        return LibraryName(External("functools.wraps"))
    if entity.dotted.startswith("functools.wraps") and arguments.values:
        return arguments.values[0]
    if entity.dotted in ("copy.copy", "copy.deepcopy"):
        return UNKNOWN
    if entity.name.endswith(("Error", "Exception")):
        raised = exceptions.as_exception(machine, LibraryName(entity))
        if raised is not None:
            return ExceptionValue(raised.name, False, raised.bases)
    refused = refusing.call(machine, entity, arguments, node, env)
    if refused is not None:
        return refused
    trace.handed_over(machine, arguments.everything())
    if not stdlib.changes_nothing(entity.dotted):
        machine.unsettle(arguments.everything())
    return Foreign(f"{entity.dotted}()", entity)


def call_method(
    machine: Machine, method: BoundBuiltin, arguments: Arguments, node: Node, env: Environment
) -> Value:
    receiver, name = method.receiver, method.name
    if isinstance(receiver, Mock):
        if name in ASSERTED_ARGUMENTS:
            machine.check_arguments(receiver, arguments, node, env, asserted=True)
        return mock.call_mock_method(machine, receiver, name, arguments, node, env)
    if isinstance(receiver, FunctionValue):
        if name == "cache_clear":
            caches.clear(machine, receiver)
        return UNKNOWN
    if isinstance(receiver, Sequence_):
        return builtin.call_sequence_method(machine, receiver, name, arguments)
    if isinstance(receiver, Literal) and name == "join":
        return refusing.join(machine, receiver, arguments, node, env) or UNKNOWN
    if isinstance(receiver, Literal):
        return plain.call_method(machine, receiver, name, arguments)
    if isinstance(receiver, ContextVar):
        return _call_context_var(machine, receiver, name, arguments)
    if isinstance(receiver, Request):
        wanted = arguments.get(0, "argname")
        known = wanted.value if isinstance(wanted, Literal) else None
        if name != "getfixturevalue":
            return UNKNOWN
        if not isinstance(known, str):
            machine.lose(None)
        return receiver.fixture(str(known))
    if isinstance(receiver, OwnObject):
        answered = web.call_method(machine, receiver, name, arguments, node, env)
        if answered is not None:
            return answered
    if isinstance(receiver, Mapping_):
        return builtin.call_mapping_method(machine, receiver, name, arguments)
    if isinstance(receiver, Patch):
        return patches.call_patch_method(machine, receiver, name, env)
    if isinstance(receiver, Mocker):
        return patches.call_mocker(machine, receiver, name, arguments, node, env)
    if isinstance(receiver, MonkeyPatch):
        return patches.call_monkeypatch(machine, receiver, name, arguments, node, env)
    if isinstance(receiver, (Instance, ClassValue)):
        return _call_test_case(machine, name, arguments, node, env)
    return UNKNOWN


def _call_context_var(machine: Machine, variable: ContextVar, name: str, arguments: Arguments) -> Value:
    if name == "set" and arguments.values:
        machine.write(variable.slots, "value", arguments.values[0])
    elif name == "get":
        held = variable.slots.get("value")
        return held if isinstance(held, Value) else UNKNOWN
    elif name == "reset":
        machine.delete(variable.slots, "value")
    return UNKNOWN


def _call_test_case(machine: Machine, name: str, arguments: Arguments, node: Node, env: Environment) -> Value:
    if name == "skipTest":
        raise Raised("SkipTest")
    if name.startswith(("assertRaises", "assertWarns")):
        # ``assertRaises(ValueError, function, mock)``
        machine.escape(arguments.values[1:])
        if name.startswith("assertRaises"):
            return exceptions.expectation(machine, arguments)
        return Foreign("warnings")
    if name in ("assertTrue", "assertFalse", "assertIsNone", "assertIsNotNone") and arguments.values:
        if isinstance(arguments.values[0], Coroutine):
            misuse = (
                Misuse.COROUTINE_TRUTH
                if name in ("assertTrue", "assertFalse")
                else Misuse.COROUTINE_COMPARISON
            )
            fails = "AssertionError" if name in ("assertFalse", "assertIsNone") else ""
            machine.note(env, misuse, arguments.values[0], node, _TRUE, exception=fails)
    if (
        name == "assertIsInstance"
        and len(arguments.values) >= 2
        and isinstance(arguments.values[0], Coroutine)
    ):
        value, cls = arguments.values[:2]
        answer = kinds.is_instance(machine, value, cls, node, env)
        if isinstance(answer, Literal) and not answer.value:
            misuse = Misuse.COROUTINE_COMPARISON
            machine.note(env, misuse, value, node, kinds.NO_INSTANCE, exception="AssertionError")
    if name == "assertEqual" and len(arguments.values) >= 2:
        first, second = arguments.values[:2]
        for value, other in ((first, second), (second, first)):
            machine.note_name(value, other, node, env)
            if isinstance(value, Coroutine) and is_never(other, identical=False):
                misuse = Misuse.COROUTINE_COMPARISON
                machine.note(env, misuse, value, node, _NEVER_EQUAL, exception="AssertionError")
    if name == "doCleanups":
        machine.lose(None)
    if name in _ENTERING and arguments.values:
        return _enter_until_the_end(machine, arguments.values[0], node, env, is_async="Async" in name)
    return Literal(None)


def _enter_until_the_end(
    machine: Machine, manager: Value, node: Node, env: Environment, *, is_async: bool
) -> Value:
    """``self.enterContext(patch(…))``"""
    if is_async:
        return Coroutine(
            lambda: stdlib.enter_context(machine, manager, node, env, is_async=True), Place(env.unit, node)
        )
    entered, _, leave = machine.enter(manager, ast.Constant(None), False, env)
    machine.cleanups.append(Cleanup(leave, ""))
    return entered


def set_item(
    machine: Machine, owner: Value, index: Value, value: Value, place: Place, env: Environment
) -> None:
    """``owner[index] = value`` on something that is no list, dict or mock."""
    if isinstance(owner, web.Overrides):
        web.override(machine, owner, index, value, place, env)
    elif patches.is_environ(owner):
        patches.set_variable(machine, index, place)
    elif not (isinstance(owner, Foreign) and owner.dotted.endswith(web.OVERRIDES)):
        machine.escape([owner, value])


def is_test_case_method(machine: Machine, instance: Instance | ClassValue, name: str) -> bool:
    """``self.assertEqual`` and its kin of :class:`unittest.TestCase`."""
    if not name.startswith("assert") and name not in _TEST_CASE_METHODS:
        return False
    return machine.resolver.is_test_case(instance.entity)
