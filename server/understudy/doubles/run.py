"""Runs the tests of a file on the machine: fixtures, ``setUp``, patches, then the body."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias

from understudy.doubles import shared
from understudy.doubles.arguments import Arguments
from understudy.doubles.closures import path_of
from understudy.doubles.collected import Test
from understudy.doubles.core import Change, Yielded
from understudy.doubles.library import patches, played
from understudy.doubles.machine import Machine
from understudy.doubles.memory import Kept, Memory
from understudy.doubles.state import Exhausted, Failure, Journal, Look, Raised
from understudy.doubles.trace import Watched
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
from understudy.infer import marks
from understudy.infer.entities import Absent, ClassEntity, FunctionEntity, ValueEntity
from understudy.infer.fixtures import Fixtures, fixture_name, fixture_option, fixture_scope, has_no_cases
from understudy.infer.frame import ANY, Frame, Stored, frame, stored
from understudy.infer.resolve import Resolver
from understudy.infer.surroundings import around, helping
from understudy.infer.tier2 import Deferred, Names
from understudy.project.config import pytest_of
from understudy.source.dotted import last_name
from understudy.source.parse import Parsed
from understudy.source.span import Span

_SET_UP = ("setUp", "asyncSetUp")
_SET_UP_ONCE = ("setup_class", "setUpClass")
_SET_UP_MODULE = ("setup_module", "setUpModule")
_SET_UP_FUNCTION = ("setup_function",)
_TEAR_DOWN = ("asyncTearDown", "tearDown", "teardown_method", "teardown")
_SCOPES = ("session", "package", "module", "class", "function")


@dataclass(frozen=True)
class Outcome:
    """What simulating one test found."""

    test: Test
    failures: tuple[Failure, ...]
    unmet: frozenset[tuple[str, Span]]
    """Places where the test expects an exception and nothing raises one."""
    notes: tuple[Failure, ...] = ()
    """What raises nothing and is not what its author means: a coroutine that is discarded, or tested for truth."""
    looks: tuple[Look, ...] = ()
    patches: tuple[Watched, ...] = ()
    """The patches that were in place, each as it was entered."""


class Simulation:
    """The tests of one file, simulated; and simulated again as a fix would leave them."""

    def __init__(
        self,
        parsed: Parsed,
        module: Module,
        workspace: Workspace,
        resolver: Resolver,
        is_test: Callable[[Path], bool],
        tests: Sequence[Test],
        tier2: Names | None = None,
    ) -> None:
        self.parsed = parsed
        self.module = module
        self.workspace = workspace
        self.tier2 = tier2
        self.resolver = resolver
        self.is_test = is_test
        self.fixtures = Fixtures(resolver)
        skipped = marks.module_may_not_run(resolver, parsed, module)
        self.tests: Sequence[Test] = [] if skipped else tests
        self._machines: list[Machine] = []

    @cached_property
    def outcomes(self) -> list[Outcome]:
        deferred = self.tier2
        if deferred is not None and not isinstance(deferred, Deferred):
            # What the second tier answers may be different the next time.
            session = self._session()
            return [session.run(test) for test in self.tests]
        memory = self._memory()
        self.workspace.depend_on(memory.files)
        taken = memory.take_session()
        session = taken if isinstance(taken, _Session) else self._session()
        found = []
        for test in self.tests:
            known = memory.outcomes.get(test.node)
            if known is None:
                asking = Deferred() if deferred is not None else None
                session.machine.tier2 = asking
                with self.workspace.recording() as files:
                    outcome = session.run(test)
                memory.files |= files
                questions = tuple(asking.questions) if asking is not None else ()
                has_places = bool(
                    outcome.failures
                    or outcome.notes
                    or outcome.looks
                    or outcome.unmet
                    or questions
                    or any(patch.bypasses for patch in outcome.patches)
                )
                known = Kept(outcome, questions, has_places, memory.is_broken)
                memory.outcomes[test.node] = known
            if deferred is not None:
                deferred.questions.update(dict.fromkeys(known.questions))
            outcome = known.outcome
            found.append(outcome if outcome.test == test else replace(outcome, test=test))
        memory.give_back(session, session.tests_run)
        return found

    @cached_property
    def frame(self) -> Frame:
        """What the tests of this version of the file stand among."""
        return frame(self.parsed, [test.node for test in self.tests])

    def _machine(self, changes: Mapping[tuple[str, Span], Change] | None = None) -> Machine:
        machine = Machine(self.workspace, self.resolver, self.is_test, changes, self.tier2)
        self._machines.append(machine)
        return machine

    def release(self) -> None:
        """Nobody asks any more. What a machine holds refers to it: it would stay until the garbage collector comes,
        with the trees of the file."""
        for machine in self._machines:
            vars(machine).clear()

    def _session(self) -> _Session:
        return _Session(self.module, self.fixtures, self._machine())

    def _memory(self) -> Memory[Outcome]:
        """The outcomes that are known from an earlier version of the file."""
        if not self.workspace.is_open(self.module.path):
            return Memory()
        earlier = self.workspace.kept(self.module.path, Memory)
        made = earlier.renewed(self.parsed, self.frame, [test.node for test in self.tests])
        self.workspace.keep(self.module.path, made)
        return made

    def run_with(self, test: Test, make: Callable[[], Machine]) -> Outcome:
        """Simulate one test on a machine of its own."""
        return _Session(self.module, self.fixtures, make()).run(test)

    def run(self, test: Test, changes: Mapping[tuple[str, Span], Change]) -> Outcome:
        """Simulate one test, with the mocks made at some places changed."""
        return _Session(self.module, self.fixtures, self._machine(changes)).run(test)


_Steps: TypeAlias = dict[object, tuple[int, Callable[[], object]]]
"""By what is set up: the rank of its scope, and how."""


_DOUBLES = re.compile("[mM]ock|patch")
"""In the text of a file whose functions may make doubles, or patch."""


@dataclass
class _Layer:
    """A fixture that is set up (or the ``setUp`` of a class), and how to take it down again."""

    key: object
    failures: tuple[Failure, ...] = ()
    notes: tuple[Failure, ...] = ()
    looks: tuple[Look, ...] = ()
    has_doubles: bool = False
    """It made a double or a patch."""
    broken: bool = False
    """It raised or took too long: what it left behind is not known, so no test runs on it."""
    journal: Journal = field(default_factory=list)


class _Session:
    """Runs the tests of a file one after the other. Fixtures that the next test needs as well stay set up:
    as with pytest, they are set up before the patches of a test's decorators are entered."""

    def __init__(self, module: Module, fixtures: Fixtures, machine: Machine) -> None:
        self.module = module
        self.fixtures = fixtures
        self.machine = machine
        self.surroundings = around(fixtures, module)
        machine.names_doubles = _DOUBLES.search(machine.workspace.text(module.path).content) is not None
        machine.somewhere.update(dict.fromkeys(self.surroundings.replaced, True))
        self.layers: list[_Layer] = []
        self.values: dict[FunctionEntity, Value] = {}
        self.endings: dict[object, Callable[[], None]] = {}
        """What the fixtures of a test do behind their ``yield``."""
        self.instances: dict[ClassEntity, Instance] = {}
        self.monkeypatch = played.MonkeyPatch()
        """One for a test and its fixtures."""
        self.asked: list[str] = []
        """The fixtures that the running test asks for by its parameters."""
        self.marks: tuple[ast.expr, ...] = ()
        """Of the running test."""
        self.filled: frozenset[str] = frozenset()
        """What its marks and hooks give it: who asks for a fixture of that name gets that."""
        self.tests_run = 0

    def run(self, test: Test) -> Outcome:
        """The failures of a test, those of its fixtures included."""
        self.tests_run += 1
        if not self.surroundings.known:
            return Outcome(test, (), frozenset())
        if self._decorated_by_workspace(test) or not self._look_at_marks(test):
            return Outcome(test, (), frozenset())
        self.asked = self._asked(test)
        try:
            plan = self._plan(test)
        except Exhausted:
            return Outcome(test, (), frozenset())
        kept = 0
        while kept < min(len(plan), len(self.layers)) and plan[kept][0] == self.layers[kept].key:
            kept += 1
        while len(self.layers) > kept:
            self.machine.roll_back(self.layers.pop().journal)
        for key, set_up in plan[kept:]:
            self.layers.append(self._do(key, set_up))
            if self.layers[-1].broken:
                break
        failures = [failure for layer in self.layers for failure in layer.failures]
        notes = [note for layer in self.layers for note in layer.notes]
        looks = [look for layer in self.layers for look in layer.looks]
        unmet: frozenset[tuple[str, Span]] = frozenset()
        inherited = list(self.machine.watched.values())
        if not any(layer.broken for layer in self.layers):
            body = self._run_body(test, any(layer.has_doubles for layer in self.layers))
            failures.extend(body.failures)
            notes.extend(body.notes)
            looks.extend(body.looks)
            unmet = frozenset(self.machine.unmet)
        in_place = tuple(dict.fromkeys([*inherited, *self.machine.patches]))
        self.machine.patches.clear()
        return Outcome(test, tuple(failures), unmet, tuple(notes), tuple(looks), in_place)

    def _run_body(self, test: Test, has_doubles: bool) -> _Layer:
        """The test itself. What it calls before there is any double gets a short look only, and a second one if a
        double comes later."""
        machine = self.machine
        started, patches = len(machine.cleanups), len(machine.patches)
        for machine.brief in (False,) if has_doubles else (True, False):
            body = self._do("test", lambda: self._body(test))
            machine.roll_back(body.journal)
            del machine.cleanups[started:]
            if not (machine.brief and machine.cut_short and machine.has_doubles):
                break
            del machine.patches[patches:]
        machine.brief = False
        return body

    def _decorated_by_workspace(self, test: Test) -> bool:
        """A decorator of the workspace may run the test as it likes, or catch what it raises."""
        resolver = self.fixtures.resolver
        for decorator in self._decorators(test):
            path = path_of(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if not path:
                return True
            found = resolver.ref(self.module, path)
            if isinstance(found, (FunctionEntity, ClassEntity)) and found.module.workspace:
                return True
            if isinstance(found, Absent) and len(path) == 1:
                return True
            if isinstance(found, ValueEntity) and marks.meant(resolver, self.module, decorator) is decorator:
                if not isinstance(self._decorator_value(decorator, test), played.Patch):
                    return True
        return False

    def _decorator_value(self, decorator: ast.expr, test: Test) -> Value:
        self.machine.begin([])
        try:
            return self._evaluated(decorator, Environment(self.module, test.unit, {}, None, frozenset()))
        except (Raised, Exhausted):
            return UNKNOWN

    def _evaluated(self, decorator: ast.expr, top: Environment) -> Value:
        """A decorator, when its module was imported: what it is given was not patched yet."""
        machine = self.machine
        with machine.unpatched():
            value = machine.eval(decorator, top)
        if isinstance(decorator, ast.Call) and not isinstance(value, played.Patch):
            # Whoever has a double has what it was given since, too.
            given = [machine.eval(name, top) for name in _given(decorator)]
            inside = [value for each in given if isinstance(each, Mock) for value in each.slots.values()]
            machine.escape([*given, *(each for each in inside if isinstance(each, Value))])
        return value

    def _do(self, key: object, action: Callable[[], object]) -> _Layer:
        layer = _Layer(key)
        machine = self.machine
        machine.begin(layer.journal)
        machine.has_doubles = machine.cut_short = False
        started = len(machine.patches)
        try:
            action()
        except Raised as raised:
            machine.again(raised)
            layer.broken = True
        except (Exhausted, RecursionError):
            layer.broken = True
        except Yielded:
            pass
        if layer.broken:
            for watched in (*machine.patches[started:], *machine.watched.values()):
                watched.lost = True
        layer.has_doubles = machine.has_doubles
        layer.failures = machine.end()
        layer.notes = tuple(machine.notes)
        layer.looks = tuple(machine.looks)
        return layer

    # --- what a test needs

    def _plan(self, test: Test) -> list[tuple[object, Callable[[], object]]]:
        """What is set up for a test, in its order: by scope, and among those of one scope what is used automatically
        (of conftest files, of the module, of the class) before what is asked for; last the ``setUp`` of a test case."""
        steps: _Steps = {}
        hidden = [name for name in self.filled if self.fixtures.find(name, self.module, test.owner)]
        if hidden:
            # What is set up for a test with others may have asked for these.
            steps["filled", frozenset(hidden)] = (0, lambda: None)
        automatic = [
            entity
            for entity in self.fixtures.autouse(self.module, test.owner)
            if fixture_name(entity.declaration) not in self.filled
        ]
        own = [entity for entity in automatic if entity.path == self.module.path]
        for entity in automatic:
            if entity not in own and entity.owner is None:
                self._order(entity, test, steps, [])
        self._add_functions(test, steps)
        for entity in own:
            if entity.owner is None:
                self._order(entity, test, steps, [])
        instance = self._instance(test)
        if instance is not None:
            steps["setup_class", test.owner] = (3, partial(self._set_up, _SET_UP_ONCE, instance, test))
            steps["setup_method", test.owner] = (
                4,
                partial(self._set_up, ("setup_method", "setup"), instance, test),
            )
        for entity in automatic:
            self._order(entity, test, steps, [])
        everywhere = pytest_of(self.module.path.parent).usefixtures
        for name in (*everywhere, *marks.used_fixtures(reversed(self.marks)), *self.asked):
            found = self._find(name, test, [])
            if found is not None:
                self._order(found, test, steps, [])
        if instance is not None:
            steps["setUp", test.owner] = (5, partial(self._set_up, _SET_UP, instance, test))
        return [(key, action) for key, (_, action) in sorted(steps.items(), key=lambda step: step[1][0])]

    def _add_functions(self, test: Test, steps: _Steps) -> None:
        """``setup_module`` and ``setup_function`` of the file."""
        top = Environment(self.module, test.unit, {}, None, frozenset())
        for name in (*_SET_UP_MODULE, *_SET_UP_FUNCTION):
            found = self.fixtures.resolver.name(self.module, name)
            if isinstance(found, FunctionEntity) and (name in _SET_UP_MODULE or test.owner is None):
                rank = 2 if name in _SET_UP_MODULE else 4
                steps[found] = (rank, partial(self._set_up_module, found, test, top))

    def _order(self, entity: FunctionEntity, test: Test, steps: _Steps, making: list[FunctionEntity]) -> None:
        if entity in steps or entity in making:
            return
        if has_no_cases(entity.declaration):
            # The test is skipped.
            self.machine.lose(None)
        for name in _fixture_parameters(entity):
            found = self._find(name, test, [*making, entity])
            if found is not None:
                self._order(found, test, steps, [*making, entity])
        scope = fixture_scope(entity.declaration)
        rank = _SCOPES.index(scope) if scope in _SCOPES else len(_SCOPES) - 1
        steps[entity] = (rank, partial(self._set_up_fixture, entity, test))

    def _find(self, name: str, test: Test, making: list[FunctionEntity]) -> FunctionEntity | None:
        """The definition that a name means: one that overrides another gets that one under its own name.

        :raises Exhausted: it may be another, which cannot be read.
        """
        if self.fixtures.is_hidden(name, self.module, test.owner):
            self.machine.lose(None)
        for entity in () if name in self.filled else self.fixtures.find(name, self.module, test.owner):
            if entity not in making:
                return entity
        return None

    def _instance(self, test: Test) -> Instance | None:
        if test.owner is None:
            return None
        return self.instances.setdefault(test.owner, Instance(test.owner, {}, True))

    def _asked(self, test: Test) -> list[str]:
        """The parameters that are fixtures: those that no patch, parametrisation or default fills."""
        if test.owner is not None and self.fixtures.resolver.is_test_case(test.owner):
            return []
        patched = self._patch_decorators(test)
        given = sum(patch.injects for patch in patched) + (1 if test.owner is not None else 0)
        spec = test.node.args
        names = [arg.arg for arg in (*spec.posonlyargs, *spec.args)][given:]
        names.extend(arg.arg for arg in spec.kwonlyargs)
        defaulted = {arg.arg for arg in spec.args[len(spec.args) - len(spec.defaults) :]}
        by_name = {name for patch in patched for name in patch.arguments.keywords if patch.kind == "multiple"}
        filled = self.filled | defaulted | by_name
        return [name for name in names if name not in filled]

    def _look_at_marks(self, test: Test) -> bool:
        """What is known of a test by its marks; False where they are not all known."""
        parsed = self.machine.workspace.parsed(self.module.path)
        found = self.fixtures.marks_of(parsed, self.module, test.owner, test.node)
        filled = self.fixtures.generated(self.module, test.owner)
        if filled is None or not found.known:
            return False
        for mark in found.found:
            names = marks.parametrized(mark)
            if names is None:
                return False
            filled |= names
        self.marks, self.filled = found.found, filled
        path = self.machine.workspace.relative(self.module.path)
        parts = [path, *([test.owner.qualname] if test.owner is not None else ()), test.node.name]
        return not self.surroundings.may_skip("::".join(parts), found.found)

    # --- setting up

    def _set_up_fixture(self, entity: FunctionEntity, test: Test) -> None:
        if entity in self.values:
            # Another one has asked for it by name.
            return
        self.machine.write(self.values, entity, self._make(entity, test))

    def _make(self, entity: FunctionEntity, test: Test) -> Value:
        machine = self.machine
        function = machine.raw_function(entity)
        if function is None or isinstance(function.node, ast.Lambda):
            return UNKNOWN
        if not self.fixtures.is_certain(entity):
            # Which one it is, or what a decorator makes of it, is not known.
            machine.lose(None)
        arguments = Arguments()
        parameters = list(entity.declaration.parameters)
        if entity.owner is not None and parameters:
            arguments.keywords[parameters[0].name] = self._instance(test) or UNKNOWN
        for name in _fixture_parameters(entity):
            arguments.keywords[name] = self._value(name, test, [entity])
        env = machine.bind(function, arguments)
        place = Place(test.unit, test.node)
        if entity.declaration.is_generator:
            first = machine.first_yield(function, env, place)
            value = first.value if first is not None else UNKNOWN
            if fixture_option(entity.declaration, "scope") in (None, "function"):
                machine.write(self.endings, entity, lambda: machine.after_yield(function, env, place))
        else:
            value = machine.run_bound(function, env, place)
        if isinstance(value, Mock) and value.unnamed:
            value.label = entity.name
        scope = fixture_scope(entity.declaration)
        if scope != "function":
            is_local = scope in ("class", "module") or entity.module is self.module
            shared.may_be_changed(machine, value, self._stored(function.node) if is_local else ANY)
        return value

    def _stored(self, maker: ast.AST) -> frozenset[Stored]:
        """What tests before may have set on what is made once for many, by themselves or with the help of others."""
        workspace = self.machine.workspace
        helpers = helping(self.fixtures.resolver, self.module)
        return stored(workspace.parsed(self.module.path), maker).union(
            *(stored(workspace.parsed(path), maker) for path in helpers)
        )

    def _value(self, name: str, test: Test, making: list[FunctionEntity]) -> Value:
        found = self._find(name, test, making)
        if found is not None:
            return self.values.get(found, UNKNOWN)
        if name in self.filled:
            return UNKNOWN
        if name in played.MOCKERS:
            return played.Mocker(name=name)
        if name == "request":
            return played.Request(lambda wanted: self._dynamic(wanted, test))
        if name == "monkeypatch":
            return self.monkeypatch
        return UNKNOWN

    def _dynamic(self, name: str, test: Test) -> Value:
        """``request.getfixturevalue(name)``: set up now, if it is not there yet."""
        steps: _Steps = {}
        found = self._find(name, test, [])
        if found is None:
            return self._value(name, test, [])
        self._order(found, test, steps, [])
        for _, set_up in steps.values():
            set_up()
        return self.values.get(found, UNKNOWN)

    def _set_up_module(self, entity: FunctionEntity, test: Test, env: Environment) -> None:
        function = self.machine.raw_function(entity)
        if function is not None:
            given = Arguments.of(*[UNKNOWN for _ in entity.declaration.parameters])
            before = dict(self.machine.overrides)
            self.machine.call_function(function, given, test.node, env)
            if entity.name in _SET_UP_MODULE:
                # Once, and not before each test: others may have changed it.
                made = [
                    value for key, value in self.machine.overrides.items() if before.get(key) is not value
                ]
                self.machine.escape([value for value in made if isinstance(value, Value)])

    def _set_up(self, names: tuple[str, ...], instance: Instance, test: Test) -> None:
        self._call_methods(names, instance, test, Environment(self.module, test.unit, {}, None, frozenset()))

    def _call_methods(self, names: tuple[str, ...], instance: Instance, test: Test, env: Environment) -> None:
        ancestry = self.fixtures.resolver.ancestry(instance.entity)
        above = {each.name for each in ancestry.externals} | {each.name for each in ancestry.classes}
        for name in names:
            method = self.machine.class_attribute(instance.entity, name, instance)
            if not isinstance(method, FunctionValue):
                continue
            if name.startswith("async") and "TestCase" in above and "IsolatedAsyncioTestCase" not in above:
                continue
            if name in _SET_UP_ONCE and isinstance(method.bound, Instance):
                method.bound = ClassValue(instance.entity)
            before = dict(self.machine.class_overrides)
            made = self.machine.call_function(method, Arguments(), test.node, env)
            if isinstance(made, Coroutine) and name.startswith("async"):
                made.run()
            if name == "setup":
                # Only up to pytest 7, where a test may not rest on it.
                for attribute in [*instance.slots]:
                    found = self.fixtures.resolver.class_attribute(instance.entity, attribute)
                    if found is not Absent.MISSING:
                        self.machine.write(instance.slots, attribute, UNKNOWN)
            if name not in _SET_UP_ONCE:
                continue
            left = self._stored(method.node)
            for key, value in list(self.machine.class_overrides.items()):
                if before.get(key) is not value:
                    shared.may_be_changed(self.machine, value, left)
                    if any(each.name == key[-1] for each in left):
                        self.machine.write(self.machine.class_overrides, key, UNKNOWN)

    # --- the test itself

    def _body(self, test: Test) -> None:
        machine = self.machine
        top = Environment(self.module, test.unit, {}, None, frozenset())
        instance = self._instance(test)
        function = FunctionValue(
            test.node, test.unit, self.module, None, test.node.name, None, instance, test.owner
        )
        arguments = self._injected(test, top)
        env = machine.bind(function, arguments if instance is None else arguments.with_first(instance))
        for name in self.asked:
            env.names[name] = self._value(name, test, [])
        for name in self.filled & env.names.keys():
            env.names[name] = UNKNOWN
        machine.block(test.node.body, env)
        machine.note_stand_ins()
        machine.note_untaken()
        if instance is not None:
            self._call_methods(_TEAR_DOWN, instance, test, top)
        for layer in reversed(self.layers):
            ending = self.endings.get(layer.key)
            if ending is not None:
                ending()

    def _decorators(self, test: Test) -> list[ast.expr]:
        """Innermost first, those of the class after those of the function."""
        decorators = list(reversed(test.node.decorator_list))
        if test.owner_node is not None:
            decorators.extend(reversed(test.owner_node.decorator_list))
        return decorators

    def _injected(self, test: Test, top: Environment) -> Arguments:
        """Enter the patch decorators; what they inject, in order.

        There are no fixtures for the methods of a test case: what is missing comes from another decorator. A patch
        appends its mock to what it is called with, so what one further out gives (``parameterized.expand``) stands
        before the mocks, and what one further in gives behind them. Hypothesis gives by name what it draws."""
        injected = Arguments()
        inside = outside = False
        for decorator in self._decorators(test):
            value = self._evaluated(decorator, top)
            if isinstance(value, played.Patch):
                entered, _ = patches.enter_patch(self.machine, value, top)
                injected = patches.inject(value, entered, injected)
                inside, outside = inside or (outside and value.injects), outside and not value.injects
            elif last_name(decorator) != "given":
                outside = True
        if test.owner is not None and self.fixtures.resolver.is_test_case(test.owner):
            spec = test.node.args
            required = len(spec.posonlyargs) + len(spec.args) - len(spec.defaults) - 1
            missing = required - len(injected.values) if outside else 0
            if missing > 0 and inside:
                # Which of the two gives how many is not known.
                injected.values = [UNKNOWN] * len(injected.values)
            for _ in range(missing):
                injected = injected.with_first(UNKNOWN)
        return injected

    def _patch_decorators(self, test: Test) -> list[played.Patch]:
        """The patches among the decorators, none of them entered."""
        found: list[played.Patch] = []
        for decorator in self._decorators(test):
            if isinstance(decorator, ast.Call) and "patch" in ast.dump(decorator.func):
                value = self._decorator_value(decorator, test)
                if isinstance(value, played.Patch):
                    found.append(value)
        return found


def _given(node: ast.expr) -> Iterator[ast.expr]:
    """The names, and their attributes, that a call and those inside it are given."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        yield node
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        for item in node.elts:
            yield from _given(item)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _given(value)
    elif isinstance(node, ast.Call):
        for given in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from _given(given)


def _fixture_parameters(entity: FunctionEntity) -> list[str]:
    """What a fixture asks for: its parameters without ``self`` and without those that have a default."""
    parameters = list(entity.declaration.parameters)
    if entity.owner is not None:
        parameters = parameters[1:]
    return [
        parameter.name
        for parameter in parameters
        if parameter.kind in ("positional", "positional_only", "keyword_only") and parameter.default is None
    ]
