""":mod:`asyncio` and :mod:`contextlib`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from understudy.doubles import awaitables
from understudy.doubles.core import Cleanup
from understudy.doubles.values import (
    UNKNOWN,
    Coroutine,
    Environment,
    FunctionValue,
    Literal,
    Mock,
    Node,
    Place,
    Sequence_,
    Value,
)
from understudy.doubles.versions import behaviour
from understudy.infer.entities import Absent

if TYPE_CHECKING:
    from understudy.doubles.arguments import Arguments
    from understudy.doubles.objects import Objects as Machine


RAISE_NOTHING = frozenset(
    {
        "asyncio.create_task", "asyncio.ensure_future", "asyncio.gather", "asyncio.wait_for", "asyncio.iscoroutine",
        "asyncio.iscoroutinefunction", "inspect.isawaitable", "inspect.iscoroutine",
        "inspect.iscoroutinefunction", "pytest.raises", "contextlib.suppress", "builtins.callable", "builtins.id",
        "builtins.isinstance", "builtins.print", "builtins.type", "time.monotonic", "time.perf_counter", "time.time",
    }
)  # fmt: skip
"""Functions that raise nothing of their own but the ``TypeError`` that is modelled here."""
NOT_CALLING = ("builtins.", "mock.", "pytest.", "time.", "unittest.mock.")
"""What calls nothing that a test patches in a library."""
_HARMLESS = (
    "fastapi.", "logging.", "loguru.", "mock.", "pytest.", "sqlalchemy.", "starlette.", "structlog.", "typing.",
    "unittest.mock.",
)  # fmt: skip
"""Libraries that nobody writes a handler for which goes on: logs, statements of SQLAlchemy."""
_HARMLESS_FUNCTIONS = (
    "asyncio.", "builtins.", "collections.", "contextlib.", "datetime.datetime.now", "datetime.datetime.utcnow",
    "datetime.timedelta", "functools.", "os.environ.get", "os.getenv", "random.", "secrets.", "time.", "uuid.uuid1",
    "uuid.uuid4",
)  # fmt: skip
"""The same of functions and classes, such as clocks, and not of the methods of what they make."""
_LOOKING = (
    "copy.", "hashlib.", "json.dump", "logging.", "loguru.", "os.path.", "pprint.", "re.", "structlog.", "time.",
    "uuid.", "warnings.",
)  # fmt: skip
_RAISING = frozenset(
    {
        "asyncio.current_task", "asyncio.get_event_loop", "asyncio.get_running_loop", "builtins.bytes",
        "builtins.float", "builtins.int", "builtins.next", "builtins.open", "random.choice",
        "random.choices", "random.randint", "random.randrange", "random.sample", "time.strptime",
    }
)  # fmt: skip


def changes_nothing(dotted: str) -> bool:
    """Does it only look at what it is given: a log, or a copy of it?"""
    return dotted.startswith(_LOOKING)


def may_be_handled(dotted: str) -> bool:
    """Does code that calls this have handlers that go on, because it does raise now and then?"""
    if "Session" in dotted or "engine" in dotted:
        return True
    plain = "(" not in dotted and not (dotted.startswith("builtins.") and dotted.count(".") > 1)
    harmless = dotted.startswith(_HARMLESS) or (plain and dotted.startswith(_HARMLESS_FUNCTIONS))
    return dotted in _RAISING or not harmless


def enter_context(machine: Machine, manager: Value, node: Node, env: Environment, *, is_async: bool) -> Value:
    """``stack.enter_context(manager)``: entered until the stack is closed, which is not followed."""
    where = node if isinstance(node, ast.expr) else ast.Constant(None)
    entered, guard, leave = machine.enter(manager, where, is_async, env)
    machine.cleanups.append(Cleanup(leave, ""))
    if guard is not None:
        # What it swallows ends somewhere that is not known.
        machine.not_certain()
    return entered


def call_asyncio(
    machine: Machine, name: str, arguments: Arguments, node: Node, env: Environment
) -> Value | None:
    values, place = arguments.values, Place(env.unit, node)
    error = "An asyncio.Future, a coroutine or an awaitable is required"
    if name == "create_task":
        error = "a coroutine was expected, got a mock"

    def awaited(index: int) -> Value:
        value = values[index]
        return machine.await_value(value, arguments.nodes[index] or node, env, error=error)

    if name in ("shield", "ensure_future", "create_task") and values and isinstance(values[0], Mock):
        return awaited(0)
    if name in ("wait_for", "shield", "ensure_future", "create_task") and values:

        def finished() -> Value:
            if name == "wait_for" and isinstance(values[0], Coroutine):
                # It may take too long, and not come to its end. What cannot be awaited raises at once.
                machine.may_fail()
                machine.may_raise_for("TimeoutError")
            return awaited(0)

        if not isinstance(values[0], (Coroutine, Mock)):
            return UNKNOWN
        return Coroutine(finished, place, is_task=name != "wait_for")
    if name == "run" and values:
        return awaited(0)
    if name == "gather":
        if arguments.is_open:
            return UNKNOWN

        if "return_exceptions" in arguments.keywords:
            machine.escape(values)
            return UNKNOWN

        if any(isinstance(value, Mock) for value in values):
            return Sequence_.of("list", [awaited(index) for index in range(len(values))])

        def gathered() -> Value:
            return Sequence_.of("list", [awaited(index) for index in range(len(values))])

        return Coroutine(gathered, place)
    if name in ("iscoroutinefunction", "iscoroutine"):
        return inspected(machine, name, values)
    return None


def inspected(machine: Machine, name: str, values: list[Value], *, by_inspect: bool = False) -> Value:
    """``iscoroutinefunction``, ``iscoroutine`` and ``isawaitable``, where the answer is certain."""
    value = values[0] if len(values) == 1 else UNKNOWN
    if isinstance(value, Mock) and not value.certain:
        return UNKNOWN
    if name == "iscoroutinefunction":
        answer = machine.is_coroutine_function(value) if isinstance(value, (FunctionValue, Mock)) else None
        if by_inspect and isinstance(value, Mock) and value.spec is not None and value.spec.as_function:
            version = behaviour(machine.workspace.target_version)
            answer = answer and version.autospec_is_coroutine_function
        if isinstance(value, Coroutine) or awaitables.kind_if_plain(machine, value) is not None:
            answer = answer or False
        return UNKNOWN if answer is None else Literal(answer)
    if isinstance(value, Coroutine):
        return Literal(True)
    if isinstance(value, Mock):
        own = machine.in_subclass(value, "__await__")
        return UNKNOWN if own is not Absent.MISSING or "type.__await__" in value.slots else Literal(False)
    return Literal(False) if awaitables.kind_if_plain(machine, value) is not None else UNKNOWN
