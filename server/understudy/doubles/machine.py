"""Simulates a test: its fixtures, its statements, and the code under test that it calls.

The machine walks syntax trees with values of :mod:`understudy.doubles.values` instead of objects. What it does
not know is ``UNKNOWN``, and ends the walk there. Where the runtime would certainly raise because of a double,
it notes a :class:`Failure`. Nothing of the workspace is executed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from understudy.doubles import managers, patterns, versions
from understudy.doubles.arguments import Arguments
from understudy.doubles.arithmetic import worked_out
from understudy.doubles.core import ITEM_ERRORS, MOST_ITEMS, Taking, Yielded
from understudy.doubles.expressions import Expressions
from understudy.doubles.library import calls, exceptions, patches, played, web
from understudy.doubles.state import Guard, Journal, Misuse, Raised, Status, leaves
from understudy.doubles.values import (
    UNKNOWN,
    Coroutine,
    Environment,
    ExceptionValue,
    Expectation,
    Foreign,
    FunctionValue,
    Generator,
    Instance,
    LibraryName,
    Literal,
    LocalClass,
    Managed,
    Mapping_,
    Mock,
    MockKind,
    ModuleValue,
    Place,
    Sentinel,
    Sequence_,
    Value,
    is_known_double,
    kind_of,
    part_of,
    without_order,
)
from understudy.infer.entities import (
    FunctionEntity,
    ModuleEntity,
)
from understudy.infer.scopes import import_facts
from understudy.source.dotted import last_name

_MOST_ROUNDS = 12
"""Of a loop whose condition holds for certain; how many more there are is not known."""


class Machine(Expressions):
    """Simulates one test at a time; :attr:`failures` is what it found."""

    # --- statements ------------------------------------------------------------------------------------------------

    def block(self, body: list[ast.stmt], env: Environment) -> Status:
        for node in body:
            status = self.statement(node, env)
            if status is not Status.NEXT:
                return status
        return Status.NEXT

    def statement(self, node: ast.stmt, env: Environment) -> Status:
        self.tick()
        method = _STATEMENTS.get(type(node))
        return method(self, node, env) if method is not None else Status.NEXT

    def _expression_statement(self, node: ast.Expr, env: Environment) -> Status:
        around, self.thrown_away = self.thrown_away, node.value
        try:
            value = self.eval(node.value, env)
        finally:
            self.thrown_away = around
        if isinstance(node.value, ast.Call) and isinstance(value, Coroutine):
            self._discarded(value, node.value, env)
        return Status.NEXT

    def _discarded(self, coroutine: Coroutine, node: ast.Call, env: Environment) -> None:
        error = "the coroutine is made and never awaited"
        self.note(env, Misuse.COROUTINE_DISCARDED, coroutine, node, error)

    def _is_unread(self, node: ast.Assign, env: Environment) -> bool:
        """Is it assigned to a local variable that the function never reads?"""
        target = node.targets[0]
        if len(node.targets) > 1 or not isinstance(target, ast.Name) or env.function is None:
            return False
        return target.id in env.local and not any(
            isinstance(child, (ast.Global, ast.Nonlocal))
            or (
                isinstance(child, ast.Name) and child.id == target.id and not isinstance(child.ctx, ast.Store)
            )
            or (isinstance(child, ast.Name) and child.id in ("locals", "vars", "eval", "exec"))
            for child in ast.walk(env.function.node)
        )

    def _assign(self, node: ast.Assign, env: Environment) -> Status:
        value = self.eval(node.value, env)
        if isinstance(value, Coroutine) and isinstance(node.value, ast.Call) and self._is_unread(node, env):
            self._discarded(value, node.value, env)
        if isinstance(value, Mock) and isinstance(node.targets[0], (ast.Name, ast.Attribute)):
            self._label(value, node.targets[0], env)
        for target in node.targets:
            self.assign(target, value, env, node.value)
        return Status.NEXT

    def _label(self, mock: Mock, target: ast.expr, env: Environment) -> None:
        if mock.unnamed and self.is_test(env.unit.path):
            mock.label = env.unit.source(target)

    def _annotated(self, node: ast.AnnAssign, env: Environment) -> Status:
        if node.value is not None:
            value = self.eval(node.value, env)
            if isinstance(value, Mock):
                self._label(value, node.target, env)
            self.assign(node.target, value, env, node.value)
        return Status.NEXT

    def _augmented(self, node: ast.AugAssign, env: Environment) -> Status:
        value = self.eval(node.value, env)
        changed = self.held_by(env, node.target)
        result: Value = UNKNOWN
        if isinstance(changed, Mapping_) or (isinstance(changed, Sequence_) and changed.kind != "tuple"):
            # In place: others may have it, too.
            self.scatter(changed, part_of(value))
            result = changed
        elif changed is not None and not self._is_shared(node.target, env):
            result = worked_out(node.op, changed, value) or UNKNOWN
        self.assign(node.target, result, env)
        return Status.NEXT

    def _is_shared(self, target: ast.expr, env: Environment) -> bool:
        """Does a variable belong to a module, a class, or an object that a module made: may other tests have changed it
        before?"""
        if isinstance(target, ast.Attribute):
            owner = self.held_by(env, target.value)
            return not isinstance(owner, Instance) or self.is_of_module(owner)
        return not isinstance(target, ast.Name) or self._holder(env, target.id) is None

    def assign(
        self, target: ast.expr, value: Value, env: Environment, source: ast.expr | None = None
    ) -> None:
        if isinstance(target, ast.Name):
            self._bind_name(target.id, value, env)
        elif isinstance(target, ast.Attribute):
            owner = self.eval(target.value, env)
            refusing = isinstance(owner, (Coroutine, Mock))
            where = target if refusing or source is None else source
            self.set_attribute(owner, target.attr, value, Place(env.unit, where), env)
        elif isinstance(target, ast.Subscript):
            owner = self.eval(target.value, env)
            index = self.eval(target.slice, env)
            if isinstance(owner, Coroutine):
                error = "'coroutine' object does not support item assignment"
                self.fail(env, Misuse.COROUTINE_SUBSCRIPT, owner, target, error)
            elif isinstance(owner, Mapping_) and (key := owner.slot(index)) is not None:
                self.write(owner.slots, key, value)
            elif isinstance(owner, (Sequence_, Mapping_)):
                self.scatter(owner, value)
                self.may_raise_for(*ITEM_ERRORS)
            elif isinstance(owner, Mock):
                self._set_mock_item(owner, index, value, target, env)
            else:
                calls.set_item(self, owner, index, value, Place(env.unit, source or target), env)
                self.may_raise_for(*ITEM_ERRORS)
        elif isinstance(target, (ast.Tuple, ast.List)):
            items = self.items(value, source or target, env, "cannot unpack non-iterable coroutine object")
            plain = not any(isinstance(element, ast.Starred) for element in target.elts)
            plain = plain and not without_order(value)
            if items is not None and plain and len(items) == len(target.elts):
                for element, item in zip(target.elts, items, strict=True):
                    self.assign(element, item, env)
            else:
                if items == () and plain and is_known_double(value):
                    error = f"not enough values to unpack (expected {len(target.elts)}, got 0)"
                    self.fail(env, Misuse.NO_VALUE, value, source or target, error, exception="ValueError")
                if items is not None and plain:
                    self.may_raise()
                self.may_raise_for("ValueError", "TypeError")
                for element in target.elts:
                    inner = element.value if isinstance(element, ast.Starred) else element
                    self.assign(inner, part_of(value), env)

    def _bind_name(self, name: str, value: Value, env: Environment) -> None:
        holder = self._holder(env, name)
        if holder is None:
            self.write(self.overrides, (str(env.module.path), name), value)
        else:
            self.write(holder.names, name, value)

    def _set_mock_item(
        self, mock: Mock, index: Value, value: Value, node: ast.Subscript, env: Environment
    ) -> None:
        if not mock.certain:
            return
        supported = self.shapes.supports(mock, "__setitem__")
        if supported:
            self.call_magic(mock, "__setitem__", Arguments.of(index, value), node, env)
        elif supported is False:
            error = f"{mock.type_name!r} object does not support item assignment"
            self.fail(env, Misuse.NOT_SUBSCRIPTABLE, mock, node, error)

    def _holder(self, env: Environment, name: str) -> Environment | None:
        """The environment in which a function's assignment binds a name; None for a declared global."""
        if name in env.local or env.function is None:
            return env
        current = env.parent
        while current is not None:
            if name in current.local:
                return current
            current = current.parent
        return None

    def _return(self, node: ast.Return, env: Environment) -> Status:
        value = self.eval(node.value, env) if node.value is not None else Literal(None)
        self.returns[-1].append(value)
        return Status.RETURN

    def _if(self, node: ast.If, env: Environment) -> Status:
        truth = self.decide(node.test, env)
        if truth is not None:
            return self.block(node.body if truth else node.orelse, env)
        return self.fork([lambda: self.block(node.body, env), lambda: self.block(node.orelse, env)])

    def _for(self, node: ast.For | ast.AsyncFor, env: Environment) -> Status:
        self.first_user = (node.iter, Taking.ALL)
        source = self.eval(node.iter, env)
        if isinstance(source, Generator) and source.is_async is isinstance(node, ast.AsyncFor):
            return self._for_each_yield(node, source, env)
        if isinstance(node, ast.AsyncFor):
            items = self.async_items(source, node.iter, env)
        else:
            items = self.items(source, node.iter, env)
        if items is not None and len(items) <= MOST_ITEMS:
            for item in items:
                self.assign(node.target, item, env)
                status = self.block(node.body, env)
                if status is Status.BREAK:
                    return Status.NEXT
                if status is Status.RETURN:
                    return status
            return self.block(node.orelse, env)
        return self._maybe_loop(node, env, node.target, part_of(source))

    def _for_each_yield(self, node: ast.For | ast.AsyncFor, generator: Generator, env: Environment) -> Status:
        """A loop over a generator: its first round is certain, how many follow is not."""
        was_started = "started" in generator.slots
        first = self.started(generator)
        if first is None and not was_started:
            return self.block(node.orelse, env)
        if first is not None and first.is_certain:
            self.assign(node.target, first.value, env)
            status = self.block(node.body, env)
            if status in (Status.RETURN, Status.RAISE):
                return status
            if status is Status.BREAK:
                return Status.NEXT
            generator.rest()
        status = self._maybe_loop(node, env, node.target)
        generator.rest()
        return status

    def _while(self, node: ast.While, env: Environment) -> Status:
        for _ in range(_MOST_ROUNDS):
            truth = self.decide(node.test, env)
            if truth is False:
                return self.block(node.orelse, env)
            if truth is None:
                break
            doubts = len(self.doubts)
            status = self.block(node.body, env)
            if status is Status.RETURN:
                return status
            if status is Status.BREAK:
                return Status.NEXT
            if len(self.doubts) > doubts:
                # This round may have been the last one.
                break
        return self._maybe_loop(node, env, None)

    def _maybe_loop(
        self,
        node: ast.For | ast.AsyncFor | ast.While,
        env: Environment,
        target: ast.expr | None,
        item: Value = UNKNOWN,
    ) -> Status:
        """A body that runs some unknown number of times."""

        def round_() -> Status:
            if target is not None:
                self.assign(target, item, env)
            return self.block(node.body, env)

        status = self.rounds(round_)
        if status is not Status.NEXT or not node.orelse:
            return status
        if any(isinstance(child, ast.Break) for each in node.body for child in ast.walk(each)):
            return self.fork([lambda: self.block(node.orelse, env), lambda: Status.NEXT])
        return self.block(node.orelse, env)

    def _try(self, node: ast.Try, env: Environment) -> Status:
        if not node.finalbody:
            return self._attempt(node, env)
        try:
            if leaves(*node.finalbody) or _raises(*node.finalbody):
                status = self.guarded(Guard(None), lambda: self._attempt(node, env))
            else:
                status = self._attempt(node, env)
        except Raised as raised:
            ways = len(self.early[-1])
            final = self.block(node.finalbody, env)
            if final is not Status.NEXT:
                return final
            if len(self.early[-1]) > ways or _raises(*node.finalbody):
                # On some way the function or loop was left, or something else raised, and the exception with it.
                raise Raised(raised.name, raised.bases, None) from None
            raise
        final = self.block(node.finalbody, env)
        return final if final is not Status.NEXT else status

    def _try_star(self, node: ast.Try, env: Environment) -> Status:
        """``except*``: which of its parts run is not known."""
        changed: Journal = []
        guard = Guard(None)
        status = Status.NEXT
        try:
            status = self.guarded(guard, lambda: self.block(node.body, env))
            changed = self.doubtful(guard.doubts)
        except Raised:
            changed = self.doubtful(guard.doubts)
        self._maybe_handled(node, status, changed, env)
        return self.block(node.finalbody, env)

    def _attempt(self, node: ast.Try, env: Environment) -> Status:
        """A ``try`` without its ``finally``."""
        if not node.handlers:
            return self.block(node.body, env)
        names: tuple[str, ...] | None = ()
        for handler in node.handlers:
            kinds = self._handled(handler, env)
            names = None if kinds is None or names is None else (*names, *kinds)
        guard = Guard(names)
        guard.goes_on = any(_goes_on(handler) for handler in node.handlers)
        guard.keeps = not _raises(*node.handlers)
        try:
            status = self.guarded(guard, lambda: self.block(node.body, env))
        except Raised as raised:
            self.half_done(self.doubtful(guard.doubts))
            return self._handle(node, raised, env)
        if guard.doubts:
            return self._maybe_handled(node, status, self.doubtful(guard.doubts), env)
        return self.block(node.orelse, env) if status is Status.NEXT else status

    def _handled(self, handler: ast.ExceptHandler, env: Environment) -> tuple[str, ...] | None:
        """The exception classes that a handler names; None when one of them is not known."""
        if handler.type is None:
            return ("BaseException",)
        if not self._is_class_name(handler.type, env):
            # Worked out when something is raised, and not before: it must not fail here.
            return None
        return exceptions.exception_names(self, self.eval(handler.type, env))

    def _refuse_doubles(self, caught: ast.expr, env: Environment) -> None:
        """An exception has come to a handler, which may name a double among its classes."""
        for node in caught.elts if isinstance(caught, ast.Tuple) else [caught]:
            value = self.eval(node, env) if isinstance(node, (ast.Name, ast.Attribute)) else UNKNOWN
            if is_known_double(value):
                error = "catching classes that do not inherit from BaseException is not allowed"
                self.fail(env, Misuse.NO_CLASS, value, caught, error)
                return

    def _is_class_name(self, node: ast.expr, env: Environment) -> bool:
        """Is it a name, a dotted one that no double is part of, or a tuple of such names?"""
        if isinstance(node, ast.Tuple):
            return all(self._is_class_name(element, env) for element in node.elts)
        if isinstance(node, ast.Attribute):
            return self._is_class_name(node.value, env) and not isinstance(self.eval(node.value, env), Mock)
        return isinstance(node, ast.Name)

    def _maybe_handled(self, node: ast.Try, status: Status, changed: Journal, env: Environment) -> Status:
        """The body may have raised something: what its handlers do may have happened instead.

        :param changed: by the body, since it may have raised.
        """

        def through(handler: ast.ExceptHandler) -> Status:
            self.half_done(changed)
            if handler.name:
                self.write(env.names, handler.name, UNKNOWN)
            return self.block(handler.body, env)

        def not_raised() -> Status:
            return self.block(node.orelse, env) if status is Status.NEXT else status

        branches: list[Callable[[], Status]] = [not_raised]
        branches.extend((lambda h=handler: through(h)) for handler in node.handlers)  # type: ignore[misc]
        return self.fork(branches)

    def _handle(self, node: ast.Try, raised: Raised, env: Environment) -> Status:
        for handler in node.handlers:
            matches = Guard(self._handled(handler, env)).catches(raised.name, raised.bases)
            if matches is None and handler.type is not None:
                self._refuse_doubles(handler.type, env)
            if matches is False:
                continue
            if handler.name:
                self.write(env.names, handler.name, ExceptionValue(raised.name, False, raised.bases))
            if matches is None:
                # It may be another handler, or none: nothing certain follows.
                self.not_certain()
                raised = Raised(raised.name, raised.bases, None)
            self.handling.append(raised)
            try:
                return self.block(handler.body, env)
            finally:
                self.handling.pop()
        raise self.again(raised)

    def _raise(self, node: ast.Raise, env: Environment) -> Status:
        current = self.handling[-1] if self.handling else None
        if node.exc is None:
            raise self.again(current) if current is not None else Raised("BaseException")
        value = self.eval(node.exc, env)
        if is_known_double(value):
            error = "exceptions must derive from BaseException"
            self.fail(env, Misuse.NO_CLASS, value, node.exc, error)
        known = exceptions.as_exception(self, value)
        name = known.name if known is not None else last_name(node.exc) or "Exception"
        bases = known.bases if known is not None else ()
        if current is not None:
            raise self.again(Raised(name, bases, current.failure, current.doubts))
        raise Raised(name, bases)

    def _with(self, node: ast.With | ast.AsyncWith, env: Environment) -> Status:
        return self._with_items(node, 0, env)

    def _with_items(self, node: ast.With | ast.AsyncWith, index: int, env: Environment) -> Status:
        if index == len(node.items):
            return self.block(node.body, env)
        item = node.items[index]
        manager = self.eval(item.context_expr, env)
        try:
            status = self._with_entered(manager, node, index, env)
        except Raised:
            if isinstance(manager, Managed):
                manager.may_leave()
            raise
        if isinstance(manager, Managed):
            manager.leave()
        return status

    def _with_entered(
        self, manager: Value, node: ast.With | ast.AsyncWith, index: int, env: Environment
    ) -> Status:
        item = node.items[index]
        entered, guard, leave = self.enter(manager, item.context_expr, isinstance(node, ast.AsyncWith), env)
        if item.optional_vars is not None:
            if isinstance(entered, Mock):
                self._label(entered, item.optional_vars, env)
            self.assign(item.optional_vars, entered, env)
        raising = False
        try:
            if guard is None:
                return self._with_items(node, index + 1, env)
            inner = guard
            try:
                status = self.guarded(inner, lambda: self._with_items(node, index + 1, env))
                raising = bool(inner.doubts)
                self.half_done(self.doubtful(inner.doubts))
                if inner.expects and not inner.doubts:
                    self.unmet.add(Place(env.unit, item.context_expr).key)
                return status
            except Raised as raised:
                raising = True
                self.half_done(self.doubtful(inner.doubts))
                matches = inner.catches(raised.name, raised.bases)
                if matches is False:
                    raise self.again(raised) from None
                if matches is None:
                    self.not_certain()
                return Status.NEXT
        except Yielded:
            # A fixture or context manager yields inside the ``with``: it stays entered while the test runs.
            leave = _nothing
            raise
        except Raised:
            raising = True
            raise
        finally:
            around, self.raising = self.raising, raising
            try:
                leave()
            finally:
                self.raising = around

    def enter(
        self, manager: Value, node: ast.expr, is_async: bool, env: Environment
    ) -> tuple[Value, Guard | None, Callable[[], None]]:
        """Enter a context manager: what it gives, what it may swallow, and how to leave it."""
        if isinstance(manager, Expectation):
            return UNKNOWN, Guard(manager.names, expects=True), _nothing
        if isinstance(manager, Managed):
            return manager.value, Guard(None) if manager.swallows else None, _nothing
        if isinstance(manager, played.Patch):
            entered, leave = patches.enter_patch(self, manager, env)
            return entered, None, leave
        if isinstance(manager, Coroutine):
            return self._not_entered(manager, "coroutine", node, is_async, env), None, _nothing
        if isinstance(manager, (Literal, Sequence_, Mapping_, Sentinel)):
            to_blame = self.told_by(manager) or manager
            return self._not_entered(to_blame, kind_of(manager), node, is_async, env), None, _nothing
        if isinstance(manager, Mock):
            exit_name = "__aexit__" if is_async else "__exit__"
            looked_at = _may_swallow(manager, exit_name) or (
                # Whose ``__aexit__`` is no AsyncMock, unless its spec has one (``_get_child_mock``).
                is_async
                and manager.kind is MockKind.NON_CALLABLE_MAGIC
                and self.shapes.child(manager, exit_name).kind is not MockKind.ASYNC
            )
            entered = self._enter_mock(manager, node, is_async, env)
            if not looked_at:
                return entered, None, _nothing
            return entered, Guard(None), lambda: self._leave_mock(manager, exit_name, node, env)
        if isinstance(manager, web.Client):
            web.enter(self, manager)
            return manager, None, _nothing
        if isinstance(manager, Instance):
            return self._enter_instance(manager, node, is_async, env)
        if isinstance(manager, (Foreign, LibraryName)):
            dotted = manager.dotted if isinstance(manager, Foreign) else manager.entity.dotted
            lowered = dotted.lower()
            if is_async:
                self.may_raise()
            swallows = any(word in lowered for word in managers.SWALLOWING)
            if "exitstack" in lowered:
                return Foreign(f"{dotted}.__enter__()"), None, self._leave_stack()
            foreign = manager if isinstance(manager, Foreign) else Foreign(dotted)
            entered = foreign.through("__aenter__" if is_async else "__enter__")
            return entered, Guard(None) if swallows else None, _nothing
        return UNKNOWN, Guard(None), _nothing

    def _leave_stack(self) -> Callable[[], None]:
        """Leaving an ExitStack takes back the patches that were entered on it."""
        before = len(self.cleanups)

        def leave() -> None:
            while len(self.cleanups) > before:
                self.cleanups.pop().leave()

        return leave

    def _enter_mock(self, mock: Mock, node: ast.expr, is_async: bool, env: Environment) -> Value:
        if not mock.certain:
            return UNKNOWN
        name = "__aenter__" if is_async else "__enter__"
        supported = self.shapes.supports(mock, name)
        if supported is None:
            return UNKNOWN
        if not supported:
            return self._not_entered(mock, mock.type_name, node, is_async, env)
        if f".{name}" in mock.slots and mock.mark("sealed"):
            # Both are looked up before the first is called.
            self.mock_attribute(mock, "__aexit__" if is_async else "__exit__", node, env)
        entered = self.call_magic(mock, name, Arguments(), node, env)
        if not is_async:
            return entered
        if isinstance(entered, Coroutine):
            return entered.run()
        return self._check_awaited(mock, entered, name, node, env)

    def _leave_mock(self, mock: Mock, name: str, node: ast.expr, env: Environment) -> None:
        """Call the method that a test configured: it may raise, or give what cannot be awaited."""
        if not mock.certain or not self.shapes.supports(mock, name):
            return
        left = self.call_magic(mock, name, Arguments.of(UNKNOWN, UNKNOWN, UNKNOWN), node, env)
        if isinstance(left, Coroutine):
            left.run()
        elif name == "__aexit__":
            self._check_awaited(mock, left, name, node, env)

    def _check_awaited(self, mock: Mock, given: Value, name: str, node: ast.expr, env: Environment) -> Value:
        """``async with`` awaits what ``__aenter__`` and ``__aexit__`` give."""
        if not isinstance(given, (Mock, Literal, Sequence_, Mapping_, Sentinel)):
            return UNKNOWN
        error = (
            f"'async with' received an object from {name} that does not implement __await__: {kind_of(given)}"
        )
        return self.fail(env, Misuse.ASYNC_WITH, mock, node, error, mock.type_name)

    def _not_entered(
        self, manager: Value, kind: str, node: ast.expr, is_async: bool, env: Environment
    ) -> Value:
        """The runtime refuses to enter an object of a class without the methods."""
        misuse = Misuse.ASYNC_WITH if is_async else Misuse.WITH
        version = self.workspace.target_version
        exception, error = versions.not_a_context_manager(kind, is_async=is_async, version=version)
        return self.fail(env, misuse, manager, node, error, kind, exception)

    def _enter_instance(
        self, instance: Instance, node: ast.expr, is_async: bool, env: Environment
    ) -> tuple[Value, Guard | None, Callable[[], None]]:
        enter = self.instance_attribute(instance, "__aenter__" if is_async else "__enter__")
        exit_name = "__aexit__" if is_async else "__exit__"
        leave = self.resolver.class_attribute(instance.entity, exit_name)
        guard: Guard | None = Guard(None)
        if isinstance(leave, FunctionEntity):
            if not managers.exits_with_answer(self, leave):
                guard = None
        if not isinstance(enter, FunctionValue):
            self.loosen(instance)
            return UNKNOWN, guard, _nothing
        entered = self.call_function(enter, Arguments(), node, env)
        if is_async and isinstance(entered, Coroutine):
            entered = entered.run()
        return entered, guard, lambda: self._leave_instance(instance, exit_name, node, env)

    def _leave_instance(self, instance: Instance, name: str, node: ast.expr, env: Environment) -> None:
        leave = self.instance_attribute(instance, name)
        if not isinstance(leave, FunctionValue):
            self.loosen(instance)
            return
        told = UNKNOWN if self.raising else Literal(None)
        left = self.call_function(leave, Arguments.of(told, told, told), node, env)
        if isinstance(left, Coroutine):
            left.run()

    def _assert(self, node: ast.Assert, env: Environment) -> Status:
        before = len(self.notes)
        test = node.test
        self.asserted = (
            test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else test
        )
        truth = self.decide(node.test, env)
        if truth is False:
            # What the assertion compares decides that it fails.
            self.notes[before:] = [
                replace(note, exception="AssertionError") if note.place.node is node.test else note
                for note in self.notes[before:]
            ]
        if truth is not True:
            self.may_fail()
            self.may_raise_for("AssertionError")
        if truth is False and self.calls and not self.is_test(env.unit.path):
            self.may_raise()
        return Status.NEXT

    def _delete(self, node: ast.Delete, env: Environment) -> Status:
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                owner = self.eval(target.value, env)
                if isinstance(owner, Mock):
                    self.delete_mock_attribute(owner, target, env)
                elif isinstance(owner, played.TypeOfMock):
                    self.delete(owner.mock.slots, f"type.{target.attr}")
                elif isinstance(owner, Instance):
                    self.write(owner.slots, self.unmangled(owner, target.attr), UNKNOWN)
                    self.may_raise_for("AttributeError")
            elif isinstance(target, ast.Name):
                self.write(env.names, target.id, UNKNOWN)
            elif isinstance(target, ast.Subscript):
                self._delete_item(self.eval(target.value, env), self.eval(target.slice, env))
        return Status.NEXT

    def _delete_item(self, owner: Value, index: Value) -> None:
        key = owner.slot(index) if isinstance(owner, Mapping_) else None
        if isinstance(owner, Mapping_) and key is not None and owner.slots.get(key) is not None:
            self.delete(owner.slots, key)
        elif isinstance(owner, Mapping_) and key is not None and not owner.is_open:
            self.may_raise()
        elif isinstance(owner, (Sequence_, Mapping_)):
            self.scatter(owner)
            self.may_raise_for(*ITEM_ERRORS)
        else:
            self.escape([owner])
            self.may_raise_for(*ITEM_ERRORS)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef, env: Environment) -> Status:
        function = FunctionValue(
            node, env.unit, env.module, env, node.name, defaults=self.defaults(node, env)
        )
        made: Value = function
        if node.decorator_list:
            names = {last_name(decorator) for decorator in node.decorator_list}
            if not names <= {"wraps", "contextmanager", "asynccontextmanager", "staticmethod"}:
                made = UNKNOWN
                for decorator in node.decorator_list:
                    # It runs now, and may be a method.
                    self.unsettle([self.held_by(env, decorator) or UNKNOWN, self._receiver(decorator, env)])
                self.hand_out(function)
        self.write(env.names, node.name, made)
        return Status.NEXT

    def _receiver(self, decorator: ast.expr, env: Environment) -> Value:
        """The object of ``@obj.method`` or ``@obj.method(…)``."""
        func = decorator.func if isinstance(decorator, ast.Call) else decorator
        held = self.held_by(env, func.value) if isinstance(func, ast.Attribute) else None
        return held or UNKNOWN

    def _define_class(self, node: ast.ClassDef, env: Environment) -> Status:
        self.write(env.names, node.name, LocalClass(node.name))
        names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
        self.unsettle_replacing([self.lookup(env, name) for name in names if name not in env.module.bindings])
        for method in node.body:
            if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
                # Its instances are not followed.
                self.hand_out(FunctionValue(method, env.unit, env.module, env, method.name))
        return Status.NEXT

    def _import(self, node: ast.Import | ast.ImportFrom, env: Environment) -> Status:
        self.may_raise_for("ImportError", "ModuleNotFoundError")
        for alias in node.names:
            if alias.name == "*":
                continue
            is_from = isinstance(node, ast.ImportFrom)
            bound = alias.asname or (alias.name if is_from else alias.name.partition(".")[0])
            self.write(env.names, bound, self.imported(node, alias, bound, env))
        return Status.NEXT

    def imported(
        self, node: ast.Import | ast.ImportFrom, alias: ast.alias, bound: str, env: Environment
    ) -> Value:
        """What an import inside a function binds, patches included: it looks the name up when it runs."""
        statement, name = import_facts(node, alias, bound)
        if statement.is_from:
            source = self.resolver.imported_module(env.module, statement)
            if isinstance(source, ModuleEntity) and source.file.workspace:
                return self.module_attribute(ModuleValue(source.file), alias.name, env.module)
        return self.value_of(self.resolver.imported(env.module, statement, name), env.module)

    def _global(self, node: ast.Global | ast.Nonlocal, env: Environment) -> Status:
        return Status.NEXT

    def _break(self, node: ast.Break, env: Environment) -> Status:
        return Status.BREAK

    def _continue(self, node: ast.Continue, env: Environment) -> Status:
        return Status.CONTINUE

    def _match(self, node: ast.Match, env: Environment) -> Status:
        subject = self.eval(node.subject, env)
        branches: list[Callable[[], Status]] = []
        for case in node.cases:
            matching = patterns.Matching(self, env)
            ask = partial(self._is_taken, case, matching, subject, env)
            # One before it may have been taken.
            truth = self.perhaps(ask) if branches else ask()
            if truth is False:
                continue
            take = partial(self._take, case, matching, env)
            if truth and not branches:
                return take()
            branches.append(take)
            if truth:
                return self.fork(branches)
        return self.fork([*branches, lambda: Status.NEXT]) if branches else Status.NEXT

    def _is_taken(
        self, case: ast.match_case, matching: patterns.Matching, subject: Value, env: Environment
    ) -> bool | None:
        truth = matching.matches(case.pattern, subject)
        if case.guard is None or truth is False:
            return truth
        ask = partial(self._guard_holds, case.guard, matching, env)
        holds = ask() if truth else self.perhaps(ask)
        return holds if truth or holds is False else None

    def _guard_holds(self, guard: ast.expr, matching: patterns.Matching, env: Environment) -> bool | None:
        self._bind_all(matching, env)
        return self.decide(guard, env)

    def _take(self, case: ast.match_case, matching: patterns.Matching, env: Environment) -> Status:
        self._bind_all(matching, env)
        return self.block(case.body, env)

    def _bind_all(self, matching: patterns.Matching, env: Environment) -> None:
        for name, value in matching.bound.items():
            self._bind_name(name, value, env)


def _raises(*nodes: ast.AST) -> bool:
    """Is there a ``raise`` in it? In a ``finally``, something else goes on in place of what was raised."""
    return any(isinstance(child, ast.Raise) for node in nodes for child in ast.walk(node))


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """May a handler end without raising?"""
    return not isinstance(handler.body[-1], ast.Raise) or leaves(*handler.body)


def _nothing() -> None:
    return None


def _may_swallow(mock: Mock, name: str) -> bool:
    """Was the method that leaves the ``with`` configured? An untouched one returns False."""
    method = mock.slots.get(f".{name}")
    if method is None:
        return False
    return (
        not isinstance(method, Mock)
        or not method.auto
        or not {"return_value", "side_effect"}.isdisjoint(method.slots)
    )


_STATEMENTS: dict[type[ast.stmt], Callable[..., Status]] = {
    ast.Expr: Machine._expression_statement,
    ast.Assign: Machine._assign,
    ast.AnnAssign: Machine._annotated,
    ast.AugAssign: Machine._augmented,
    ast.Return: Machine._return,
    ast.If: Machine._if,
    ast.For: Machine._for,
    ast.AsyncFor: Machine._for,
    ast.While: Machine._while,
    ast.Try: Machine._try,
    ast.Raise: Machine._raise,
    ast.With: Machine._with,
    ast.AsyncWith: Machine._with,
    ast.Assert: Machine._assert,
    ast.Delete: Machine._delete,
    ast.FunctionDef: Machine._define,
    ast.AsyncFunctionDef: Machine._define,
    ast.ClassDef: Machine._define_class,
    ast.Import: Machine._import,
    ast.ImportFrom: Machine._import,
    ast.Global: Machine._global,
    ast.Nonlocal: Machine._global,
    ast.Break: Machine._break,
    ast.Continue: Machine._continue,
    ast.Match: Machine._match,
}

if sys.version_info >= (3, 11):
    _STATEMENTS[ast.TryStar] = Machine._try_star
