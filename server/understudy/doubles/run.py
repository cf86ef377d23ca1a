"""Runs the tests of a file on the machine: fixtures, ``setUp``, patches, then the body."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from understudy.doubles import library
from understudy.doubles.machine import Arguments, Change, Machine, Yielded
from understudy.doubles.state import Exhausted, Failure, Raised, exception_name
from understudy.doubles.values import (
    UNKNOWN,
    ClassValue,
    Coroutine,
    Environment,
    FunctionValue,
    Instance,
    Mock,
    Place,
    Value,
)
from understudy.index.module import Module
from understudy.index.workspace import Workspace
from understudy.infer.entities import ClassEntity, FunctionEntity
from understudy.infer.fixtures import Fixtures
from understudy.infer.resolve import Resolver
from understudy.source.parse import Parsed, Unit
from understudy.source.span import Span

_SET_UP = ("setup_class", "setUpClass", "setup_method", "setup", "setUp", "asyncSetUp")
_NOT_RUN = frozenset({"skip", "xfail", "expectedFailure"})


@dataclass(frozen=True)
class Test:
    """A test function of a file."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    unit: Unit
    owner: ClassEntity | None
    owner_node: ast.ClassDef | None


@dataclass(frozen=True)
class Outcome:
    """What simulating one test found."""

    test: Test
    failures: tuple[Failure, ...]


class Simulation:
    """The tests of one file, simulated; and simulated again as a fix would leave them."""

    def __init__(
        self,
        parsed: Parsed,
        module: Module,
        workspace: Workspace,
        resolver: Resolver,
        is_test: Callable[[Path], bool],
    ) -> None:
        self.module = module
        self.workspace = workspace
        self.resolver = resolver
        self.is_test = is_test
        self.fixtures = Fixtures(resolver)
        self.tests = [] if _marked_not_run(parsed) else list(tests(parsed, module))

    @cached_property
    def outcomes(self) -> list[Outcome]:
        return [Outcome(test, self.run(test, {})) for test in self.tests]

    def run(self, test: Test, changes: Mapping[tuple[str, Span], Change]) -> tuple[Failure, ...]:
        """Simulate one test, with the mocks made at some places changed."""
        machine = Machine(self.workspace, self.resolver, self.is_test, changes)
        return tuple(_Run(test, self.module, self.fixtures, machine).failures())


def tests(parsed: Parsed, module: Module) -> Iterator[Test]:
    """The test functions that pytest or unittest would collect."""
    for unit in parsed.units:
        node = unit.node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name.startswith("test") and not _not_run(node):
                yield Test(node, unit, None, None)
        elif isinstance(node, ast.ClassDef) and not _not_run(node):
            yield from _methods(node, unit, module)


def _methods(node: ast.ClassDef, unit: Unit, module: Module) -> Iterator[Test]:
    declarations = [b for b in module.bindings.get(node.name, ()) if b.row == unit.row]
    for binding in declarations:
        declaration = binding.declaration
        entity = ClassEntity(module, declaration, binding.row, node.name)  # type: ignore[arg-type]
        for child in node.body:
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if child.name.startswith("test") and not _not_run(child):
                    yield Test(child, unit, entity, node)


def _not_run(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return any(exception_name(decorator) in _NOT_RUN for decorator in node.decorator_list)


def _marked_not_run(parsed: Parsed) -> bool:
    for unit in parsed.units:
        node = unit.node
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
        ):
            return any(isinstance(n, ast.Attribute) and n.attr in _NOT_RUN for n in ast.walk(node.value))
    return False


class _Run:
    def __init__(
        self,
        test: Test,
        module: Module,
        fixtures: Fixtures,
        machine: Machine,
    ) -> None:
        self.test = test
        self.module = module
        self.fixtures = fixtures
        self.machine = machine
        self.made: dict[FunctionEntity, Value] = {}
        self.making: list[FunctionEntity] = []

    def failures(self) -> list[Failure]:
        try:
            self._run()
        except Raised as raised:
            self.machine.again(raised)
        except (Exhausted, Yielded, RecursionError):
            pass
        return self.machine.failures

    def _run(self) -> None:
        test, machine = self.test, self.machine
        top = Environment(self.module, test.unit, {}, None, frozenset())
        instance = Instance(test.owner, {}, True) if test.owner is not None else None
        for entity in self.fixtures.autouse(self.module, test.owner):
            self.fixture(entity, instance)
        if instance is not None:
            for name in _SET_UP:
                self._set_up(instance, name, top)
        function = FunctionValue(
            test.node, test.unit, self.module, None, test.node.name, None, instance, test.owner
        )
        arguments = Arguments.of(*self._injected(top))
        env = machine.bind(function, arguments if instance is None else arguments.with_first(instance))
        parametrized = self._parametrized()
        given = len(arguments.values) + (1 if instance is not None else 0)
        spec = test.node.args
        names = [arg.arg for arg in (*spec.posonlyargs, *spec.args)][given:]
        names.extend(arg.arg for arg in spec.kwonlyargs)
        defaulted = {arg.arg for arg in spec.args[len(spec.args) - len(spec.defaults) :]}
        for name in names:
            if name not in parametrized and name not in defaulted:
                env.names[name] = self.by_name(name, instance)
            elif name in parametrized:
                env.names[name] = UNKNOWN
        machine.block(test.node.body, env)

    def _set_up(self, instance: Instance, name: str, env: Environment) -> None:
        method = self.machine.class_attribute(instance.entity, name, instance)
        if isinstance(method, FunctionValue):
            first = Arguments()
            if name in ("setup_class", "setUpClass") and isinstance(method.bound, Instance):
                method.bound = ClassValue(instance.entity)
            made = self.machine.call_function(method, first, self.test.node, env)
            if isinstance(made, Coroutine):
                made.run()

    def _injected(self, top: Environment) -> list[Value]:
        """Enter the patch decorators, innermost first; what they inject, in order."""
        decorators = list(reversed(self.test.node.decorator_list))
        if self.test.owner_node is not None:
            decorators.extend(reversed(self.test.owner_node.decorator_list))
        injected: list[Value] = []
        for decorator in decorators:
            value = self.machine.eval(decorator, top)
            if isinstance(value, library.Patch):
                entered, _ = library.enter_patch(self.machine, value, top)
                position = 2 if value.kind == "object" else 1
                new = value.arguments.get(position, "new")
                if value.kind in ("patch", "object") and new is None:
                    injected.append(entered)
        return injected

    def _parametrized(self) -> set[str]:
        names: set[str] = set()
        owner = self.test.owner_node.decorator_list if self.test.owner_node is not None else []
        for decorator in (*self.test.node.decorator_list, *owner):
            if isinstance(decorator, ast.Call) and exception_name(decorator) == "parametrize" and decorator.args:
                first = decorator.args[0]
                parts = first.elts if isinstance(first, (ast.Tuple, ast.List)) else [first]
                for part in parts:
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        names.update(name.strip() for name in part.value.split(","))
        return names

    # --- fixtures

    def by_name(self, name: str, instance: Instance | None) -> Value:
        """The value of a fixture that a test or a fixture asks for."""
        for entity in self.fixtures.find(name, self.module, self.test.owner):
            if entity not in self.making:
                return self.fixture(entity, instance)
        if name in ("mocker", "class_mocker", "module_mocker", "package_mocker", "session_mocker"):
            return library.Mocker()
        if name == "monkeypatch":
            return library.MonkeyPatch()
        return UNKNOWN

    def fixture(self, entity: FunctionEntity, instance: Instance | None) -> Value:
        known = self.made.get(entity)
        if known is not None:
            return known
        self.making.append(entity)
        try:
            value = self._make(entity, instance)
        finally:
            self.making.pop()
        self.made[entity] = value
        return value

    def _make(self, entity: FunctionEntity, instance: Instance | None) -> Value:
        machine = self.machine
        function = machine.raw_function(entity)
        if function is None or isinstance(function.node, ast.Lambda):
            return UNKNOWN
        arguments = Arguments()
        parameters = list(entity.declaration.parameters)
        if entity.owner is not None and parameters:
            arguments.keywords[parameters[0].name] = instance if instance is not None else UNKNOWN
            parameters = parameters[1:]
        for parameter in parameters:
            if parameter.kind in ("positional", "positional_only", "keyword_only") and parameter.default is None:
                arguments.keywords[parameter.name] = self.by_name(parameter.name, instance)
        env = machine.bind(function, arguments)
        place = Place(self.test.unit, self.test.node)
        if entity.declaration.is_generator:
            value = machine.first_yield(function, env, place)
        else:
            value = machine.run_bound(function, env, place)
        if isinstance(value, Mock) and value.parent is None and value.label == value.kind.value:
            value.label = entity.name
        return value
