"""Writes small suites in which a double comes to a test through fixtures, marks, setups and patches.

Every name of a fixture has one *shape* (what tests may do with it) wherever it is defined, and scopes that fit
together: so suites are valid, and a test raises only because of what is a MagicMock, or an AsyncMock, in the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

CODE = """\
class Session:
    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, trace):
        return None

    async def get(self):
        return 1


class Client:
    async def get(self):
        return 1

    def put(self, value=None):
        return 2

    def session(self):
        return Session()


class Service:
    def __init__(self, client):
        self.client = client

    async def load(self):
        return await self.client.get()

    def store(self):
        return self.client.put()


CLIENT = Client()
STATE = {"client": CLIENT}


async def fetch():
    return 1


def load():
    return 2


def build():
    return Client()


async def run(client):
    return await client.get()


async def call(function):
    return await function()


async def use_fetch():
    return await fetch()


def use_load():
    return load()


async def use_client():
    return await CLIENT.get()


async def use_state():
    return await STATE["client"].get()


async def use_built():
    return await build().get()
"""
_SCOPES = ("function", "class", "module", "package", "session")
_SHAPES: Final = {
    "client": "client",
    "gateway": "client",
    "fetcher": "function",
    "pair": "pair",
    "service": "holder",
    "maker": "maker",
    "ready": "nothing",
    "prepared": "nothing",
}
"""The fixtures that there may be. One asks for those before it only."""
_NAMES = tuple(_SHAPES)
_HEAD = """\
import asyncio
import unittest
from types import SimpleNamespace
from unittest import mock
from unittest.mock import DEFAULT, AsyncMock, MagicMock, Mock, create_autospec, patch

import pytest

import app"""
_SKIPPED = (
    "@pytest.mark.skip", '@pytest.mark.skip(reason="x")', '@pytest.mark.skipif(True, reason="x")',
    '@pytest.mark.skipif("True", reason="x")', "@pytest.mark.xfail", "@pytest.mark.xfail(raises=TypeError)",
    '@unittest.skip("x")', '@unittest.skipIf(True, "x")', '@unittest.skipUnless(False, "x")',
    "@unittest.expectedFailure", '@pytest.mark.skipif(False, reason="x")', '@pytest.mark.xfail(False, reason="x")',
    '@unittest.skipIf(False, "x")', "@skipped", "@never",
)  # fmt: skip
_SKIPS = (
    'pytest.skip("x")', 'pytest.xfail("x")', 'raise unittest.SkipTest("x")', 'pytest.importorskip("nothing")',
    'raise pytest.skip.Exception("x")',
)  # fmt: skip
_MARKS = 'skipped = pytest.mark.skip(reason="x")\nnever = pytest.mark.skipif(False, reason="x")'


@dataclass(frozen=True)
class Program:
    """The text of each file."""

    files: Mapping[str, str]

    def __hash__(self) -> int:
        return hash(tuple(self.files.items()))

    def __str__(self) -> str:
        shown = {name: text for name, text in self.files.items() if text != CODE}
        return "\n".join(f"# --- {name}\n{text.strip()}" for name, text in shown.items())


def programs(seed: int, count: int, start: int = 0) -> list[Program]:
    """The same programs for the same seed, from one of them on."""
    return [Writer(random.Random(f"{seed}/{start + number}")).program() for number in range(count)]


class Thing(NamedTuple):
    """What code may use: an expression, and what can be done with it."""

    text: str
    shape: str


class Span(NamedTuple):
    """The scopes that the definitions of a fixture have, as places in ``_SCOPES``."""

    narrowest: int
    widest: int
    is_async: bool


@dataclass
class Place:
    """Where code is written, and what it sees."""

    fixtures: frozenset[str] = frozenset()
    parametrized: dict[str, str] = field(default_factory=dict)
    """Arguments that marks around give to each test, and their shapes: each has to take them."""
    shared: tuple[Thing, ...] = ()
    """What the tests have in common: module variables, ``self.client``."""
    is_async: bool = True
    functions: tuple[str, ...] = ()
    """Helpers that configure what they are given."""
    with_case: tuple[str, Mapping[str, str]] | None = None
    """A name for a mark, and what the mark gives."""

    @property
    def common(self) -> tuple[Thing, ...]:
        """What may be named outside of methods, too."""
        return tuple(thing for thing in self.shared if not thing.text.startswith("self."))

    def inside(
        self, fixtures: Iterable[str] = (), shared: Iterable[Thing] = (), parametrized: Mapping[str, str] = {}
    ) -> Place:
        return Place(
            self.fixtures | frozenset(fixtures),
            {**self.parametrized, **parametrized},
            (*self.shared, *shared),
            self.is_async,
            self.functions,
            self.with_case,
        )


class Writer:
    """Writes one program."""

    def __init__(self, rng: random.Random) -> None:
        self.r = rng
        self.fresh = 0
        self.has_async = rng.random() < 0.5
        self.spans = {name: self.span() for name in _NAMES}
        self.known = rng.sample(_NAMES, rng.randint(2, 5))
        """The fixtures that this program has."""
        self.leaks = rng.choice([0, 10, 30])
        """How often a test changes the code under test for good, in percent."""

    # --- choices

    def chance(self, percent: float) -> bool:
        return self.r.random() * 100 < percent

    def name(self, stem: str) -> str:
        self.fresh += 1
        return f"{stem}_{self.fresh}"

    def one(self, options: Sequence[Callable[[], str]]) -> str:
        return self.r.choice(options)()

    def some(self, options: Sequence[str], most: int) -> list[str]:
        return self.r.sample(options, min(len(options), self.r.randint(0, most)))

    def span(self) -> Span:
        first = self.r.choice([0, 0, 0, 1, 2, 2, 2, 3, 4, 4])
        last = self.r.randint(first, 4) if self.chance(30) else first
        return Span(first, last, self.has_async and self.chance(40))

    # --- files

    def program(self) -> Program:
        files = {"app.py": CODE}
        place = Place()
        has_helpers, has_conftest = self.chance(40), self.chance(70)
        head = [_HEAD]
        if has_helpers:
            place = self.helpers(files, place)
            head.append("import helpers")
        conftest: list[str] = []
        if has_helpers and self.chance(60):
            here = self.some(self.known, 2)
            text = self.definitions(here, place)
            files["plug.py"] = self.file(["\n".join(head), *text])
            if self.chance(60) and has_conftest:
                conftest.append('pytest_plugins = ["plug"]')
            elif has_conftest:
                conftest.append("from plug import *")
            if has_conftest:
                place = place.inside(here)
        if has_conftest:
            place = self.conftest(files, "conftest.py", "\n".join(head), conftest, place)
        self.module(files, "test_a.py", head, place)
        if self.chance(30):
            self.module(files, "test_b.py", head, place)
        if self.chance(40):
            if self.chance(40):
                files["sub/__init__.py"] = ""
            if self.chance(60):
                place = self.conftest(files, "sub/conftest.py", "\n".join(head), [], place)
            self.module(files, "sub/test_c.py", head, place)
        return Program(files)

    def file(self, parts: Iterable[str]) -> str:
        return "\n\n\n".join(part for part in parts if part) + "\n"

    def helpers(self, files: dict[str, str], place: Place) -> Place:
        shared = f"SHARED = {self.client(place.common)}"
        body = self.indented(self.configured([Thing("client", "client")], 2) or ["client.get = AsyncMock()"])
        parts = [_HEAD, shared, "\n".join(["def prepare(client):", *body])]
        parts.append("def made():\n    return " + self.client(()))
        mark, names = self.parametrize(["case"], place)
        parts.append(f"with_case = {mark}")
        base = Place(functions=("prepare",))
        parts.append(self.base("Base", base, "unittest.IsolatedAsyncioTestCase" if self.chance(30) else ""))
        files["helpers.py"] = self.file(parts)
        return Place(
            place.fixtures,
            {},
            (*place.shared, Thing("helpers.SHARED", "client")),
            True,
            ("helpers.prepare",),
            ("helpers.with_case", names),
        )

    def base(self, name: str, place: Place, parent: str) -> str:
        """A class for others to inherit from."""
        lines = [f"class {name}({parent}):" if parent else f"class {name}:"]
        body, _ = self.setups(place, bool(parent), False)
        return "\n".join(lines + self.indented(body or ["client = MagicMock()"]))

    def conftest(self, files: dict[str, str], path: str, head: str, first: list[str], place: Place) -> Place:
        here = self.some(self.known, 3) or self.known[:1]
        parts = [head, *first, *self.definitions(here, place)]
        if self.chance(6):
            values = self.values("client", place)
            parts.append(
                "def pytest_generate_tests(metafunc):\n"
                '    if "generated" in metafunc.fixturenames:\n'
                f'        metafunc.parametrize("generated", {values})'
            )
            place = place.inside(["generated"])
        if path == "conftest.py" and self.chance(4):
            parts.append(
                "def pytest_collection_modifyitems(items):\n    for item in items:\n"
                '        if "3" in item.name:\n            item.add_marker(pytest.mark.skip(reason="x"))'
            )
        if self.chance(3):
            parts.append("def pytest_runtest_setup(item):\n    app.CLIENT = AsyncMock()")
        files[path] = self.file(parts)
        return place.inside(here)

    def module(self, files: dict[str, str], path: str, head: list[str], place: Place) -> None:
        lines = ["\n".join(head)]
        shared: list[Thing] = []
        if self.chance(40):
            lines[0] += "\nfrom app import fetch"
            shared.append(Thing("fetch", "plain"))
        parts = [_MARKS]
        if self.chance(40):
            parts.append(f"SHARED = {self.client(place.common)}")
            shared.append(Thing("SHARED", "client"))
        if self.chance(30):
            body = self.indented(
                self.configured([Thing("client", "client")], 2) or ["client.get.side_effect = None"]
            )
            parts.append("\n".join(["def prepare(client):", *body]))
            place = replace(place, functions=(*place.functions, "prepare"))
        here = self.some(self.known, 3)
        place = place.inside((), shared)
        defined = self.definitions(here, place)
        place = place.inside(here)
        parts += defined
        marks = []
        if self.chance(12):
            mark, names = self.parametrize(["given", *self.clients(place)], place)
            marks.append(mark)
            place = place.inside((), (), names)
        if self.chance(15) and place.fixtures - {"generated"}:
            marks.append(self.used(place))
        if self.chance(3):
            marks.append(self.r.choice(["pytest.mark.skip", 'pytest.mark.skipif(False, reason="x")']))
        if marks:
            text = marks[0] if len(marks) == 1 and self.chance(60) else f"[{', '.join(marks)}]"
            parts.append(f"pytestmark = {text}")
        if self.chance(12) and "generated" not in place.fixtures:
            parts.append(
                "def pytest_generate_tests(metafunc):\n"
                '    if "generated" in metafunc.fixturenames:\n'
                f'        metafunc.parametrize("generated", {self.values("client", place)})'
            )
            place = place.inside(["generated"])
        for name, percent in (("setup_module", 15), ("setup_function", 15), ("teardown_function", 8)):
            if self.chance(percent):
                body = self.changes(place) or ["app.CLIENT = AsyncMock()"]
                parts.append("\n".join([f"def {name}():", *self.indented(body)]))
        if self.chance(40):
            mark, names = self.parametrize(["case"], place)
            parts.append(f"with_case = {mark}")
            place = replace(place, with_case=("with_case", names))
        for _ in range(self.r.randint(1, 3)):
            parts.append(self.test(place))
        for _ in range(self.r.randint(0, 2)):
            unit = not place.parametrized and self.chance(35)
            parts += self.suite(place, unit, "helpers.SHARED" in str(place.shared))
        for _ in range(self.r.randint(0, 2)):
            parts.append(self.test(place))
        files[path] = self.file([*lines, *parts])

    # --- fixtures

    def definitions(self, names: Sequence[str], place: Place) -> list[str]:
        """Fixtures at a level, each of a name that outer levels may have, too."""
        made = []
        seen = place
        for name in sorted(names, key=_NAMES.index):
            made.append("\n".join(self.fixture(name, seen, name in place.fixtures)))
            seen = seen.inside([name])
        return made

    def fixture(self, name: str, place: Place, overrides: bool, owner: str = "") -> list[str]:
        span, shape = self.spans[name], _SHAPES[name]
        scope = self.r.randint(span.narrowest, span.widest)
        if owner and scope > 1:
            scope = span.narrowest
        asked = [
            other
            for other in _NAMES[: _NAMES.index(name)]
            if other in place.fixtures and scope <= self.spans[other].narrowest
        ]
        asked = self.some(asked, 2)
        if overrides and scope == span.narrowest and self.chance(50):
            asked.append(name)
        is_async = span.is_async and self.chance(70)
        options = [f'scope="{_SCOPES[scope]}"'] if scope or self.chance(5) else []
        if shape == "nothing" or self.chance(8):
            options += ["autouse=True"] if self.chance(70) else []
        things = [*place.shared, *(Thing(other, _SHAPES[other]) for other in asked)]
        parameters = list(asked)
        parameter = ""
        if shape == "client" and self.chance(15):
            options.append(f"params={self.values('client', place)}")
            parameter = "request.param"
        elif shape == "client" and self.chance(15):
            parameter = "getattr(request, 'param', MagicMock())"
        function = name
        if self.chance(10):
            options.append(f'name="{name}"')
            function = self.name("made")
        tools = ["monkeypatch", "mocker"] if scope == 0 else []
        tool = self.r.choice(tools) if tools and self.chance(40) else ""
        parameters += [tool] if tool else []
        body: list[str] = []
        if self.chance(8) and not self.has_async and name != _NAMES[0]:
            wanted = [o for o in _NAMES[: _NAMES.index(name)] if o in place.fixtures]
            wanted = [o for o in wanted if o not in asked and scope <= self.spans[o].narrowest]
            if wanted:
                other = self.r.choice(wanted)
                body.append(f'got = request.getfixturevalue("{other}")')
                things.append(Thing("got", _SHAPES[other]))
        if parameter:
            body.append(f"given = {parameter}")
            things.append(Thing("given", "client"))
        body += self.configured(things, 2)
        body += self.tool_lines(tool, things)
        yields = self.chance(40)
        manager = self.patch_call(place) if yields and self.chance(40) else None
        inner: list[str] = []
        if manager is not None:
            things.append(Thing("patched", manager[1]))
        if self.chance(6) and not owner:
            body.append("request.node.extra = 1")
        value = self.value(shape, things)
        if self.chance(50) and shape in ("client", "function"):
            inner.append(f"value = {value}")
            inner += self.configured([Thing("value", shape)], 2)
            value = "value"
        if self.chance(6):
            inner.append(f"request.addfinalizer(lambda: {self.finalizer(things)})")
        if scope == 1 and not owner and self.chance(15):
            inner.append(f"if request.cls is not None:\n    request.cls.attached = {value}")
        inner.append(f"{'yield' if yields else 'return'} {value}" if shape != "nothing" or yields else "pass")
        if yields and self.chance(50):
            inner += self.changes(place) if self.chance(40) else self.configured(things, 2)
        if manager is not None:
            body += [f"with {manager[0]} as patched:", *self.indented(inner)]
        else:
            body += inner
        if "request." in "\n".join(body) or "(request" in "\n".join(body):
            parameters.append("request")
        self.r.shuffle(parameters)
        if owner:
            parameters.insert(0, "self")
        decorator = (
            f"@pytest.fixture({', '.join(options)})" if options or self.chance(10) else "@pytest.fixture"
        )
        head = f"{'async ' if is_async else ''}def {function}({', '.join(parameters)}):"
        return [decorator, head, *self.indented("\n".join(body).split("\n"))]

    def finalizer(self, things: Sequence[Thing]) -> str:
        clients = [thing.text for thing in things if thing.shape == "client"]
        return f"{self.r.choice(clients)}.reset_mock()" if clients else "app.STATE.clear()"

    def tool_lines(self, tool: str, things: Sequence[Thing]) -> list[str]:
        """What ``monkeypatch`` or ``mocker`` replaces."""
        double = self.double()
        if tool == "monkeypatch":
            return [
                self.r.choice(
                    [
                        f'monkeypatch.setattr(app, "CLIENT", {self.client(things)})',
                        f'monkeypatch.setattr("app.fetch", {double})',
                        f'monkeypatch.setattr(app, "load", {double})',
                        f'monkeypatch.setitem(app.STATE, "client", {self.client(things)})',
                        f'monkeypatch.setattr(app.Client, "get", {double})',
                        'monkeypatch.setattr(app, "build", lambda: MagicMock())',
                    ]
                )
            ]
        if tool == "mocker":
            target = self.r.choice(
                ['"app.fetch"', '"app.load"', '"app.CLIENT"', '"app.Client.get"', '"app.Client"']
            )
            call = self.r.choice(
                [
                    f"mocker.patch({target})",
                    f"mocker.patch({target}, {self.double()})",
                    'mocker.patch.object(app, "fetch")',
                    'mocker.patch.object(app, "CLIENT", autospec=True)',
                    f'mocker.patch.dict(app.STATE, {{"client": {self.client(things)}}})',
                    f"mocker.patch({target}, new_callable={self.r.choice(['MagicMock', 'AsyncMock'])})",
                ]
            )
            return [call]
        return []

    # --- doubles

    def double(self) -> str:
        return self.r.choice(
            [
                "MagicMock()",
                "AsyncMock()",
                "MagicMock(return_value=1)",
                "AsyncMock(return_value=1)",
                "Mock()",
                "AsyncMock(side_effect=[1])",
                "MagicMock(side_effect=[1, 2])",
                "AsyncMock(return_value=AsyncMock())",
            ]
        )

    def client(self, things: Sequence[Thing]) -> str:
        given = [thing for thing in things if thing.shape in ("client", "pair", "holder", "maker")]
        if given and self.chance(25):
            return self.client_of(self.r.choice(given))
        return self.r.choice(
            ["MagicMock()"] * 6
            + ["AsyncMock()"] * 6
            + ["Mock()", "MagicMock(spec=app.Client)", "AsyncMock(spec=app.Client)", "app.Client()"]
            + ["create_autospec(app.Client, instance=True)", "MagicMock(get=AsyncMock())"]
            + ["AsyncMock(get=MagicMock())", "MagicMock(app.Client)", 'MagicMock(spec=["get"])']
            + [
                "mock.MagicMock()",
                "MagicMock(get=AsyncMock(side_effect=[1]))",
                "AsyncMock(**{'get.return_value': 1})",
            ]
        )

    def client_of(self, thing: Thing) -> str:
        if thing.shape == "pair":
            return f"{thing.text}[{self.r.randint(0, 1)}]"
        if thing.shape == "holder":
            return f"{thing.text}.client"
        return f"{thing.text}()" if thing.shape == "maker" else thing.text

    def value(self, shape: str, things: Sequence[Thing]) -> str:
        r = self.r
        same = [thing.text for thing in things if thing.shape == shape]
        if same and self.chance(40):
            return r.choice(same)
        if shape == "client":
            return self.client(things)
        if shape == "function":
            clients = [f"{thing.text}.get" for thing in things if thing.shape == "client"]
            return r.choice([self.double(), self.double(), "lambda: 1", "app.fetch", *clients])
        if shape == "pair":
            return f"({self.client(things)}, {self.client(things)})"
        if shape == "holder":
            kind = r.choice(["app.Service({})", "SimpleNamespace(client={})", "MagicMock(client={})"])
            return kind.format(self.client(things))
        if shape == "maker":
            return r.choice([f"lambda: {self.client(things)}", "MagicMock", "AsyncMock", "MagicMock()"])
        return "None"

    def values(self, shape: str, place: Place) -> str:
        """A list of values, for parameters."""
        made = [self.value(shape, place.common) for _ in range(self.r.choice([1, 1, 2, 2, 3]))]
        for number, each in enumerate(made):
            if self.chance(15):
                marks = self.r.choice(
                    ['id="x"', "marks=pytest.mark.skip", "marks=pytest.mark.xfail", 'id="y"']
                )
                made[number] = f"pytest.param({each}, {marks})"
        return f"[{', '.join(made)}]" if self.chance(80) else f"({', '.join(made)},)"

    # --- statements

    def indented(self, lines: Sequence[str]) -> list[str]:
        return [f"    {line}" for each in lines for line in each.split("\n")]

    def configured(self, things: Sequence[Thing], most: int, functions: Sequence[str] = ()) -> list[str]:
        """Statements that change doubles."""
        possible = [thing for thing in things if thing.shape not in ("nothing", "maker", "plain", "app")]
        if not possible:
            return []
        return [
            self.configuration(self.r.choice(possible), functions) for _ in range(self.r.randint(0, most))
        ]

    def configuration(self, thing: Thing, functions: Sequence[str] = ()) -> str:
        r = self.r
        if thing.shape == "function":
            return r.choice(
                [
                    f"{thing.text}.return_value = 1",
                    f"{thing.text}.side_effect = [1]",
                    f"{thing.text}.side_effect = None",
                    f"{thing.text}.reset_mock()",
                ]
            )
        if thing.shape == "holder" and self.chance(40):
            return f"{thing.text}.client = {self.client(())}"
        c = self.client_of(thing)
        if functions and self.chance(25):
            return f"{r.choice(functions)}({c})"
        return r.choice(
            [f"{c}.get = AsyncMock()"] * 4
            + [f"{c}.get = MagicMock()"] * 3
            + [f"{c}.get = {self.double()}", f"{c}.get.return_value = 1", f"{c}.get.side_effect = [1]"]
            + [
                f"{c}.get.side_effect = None",
                f"{c}.put.return_value = 2",
                f"{c}.put = MagicMock(return_value=2)",
            ]
            + [f"{c}.session.return_value = AsyncMock()", f"{c}.session = MagicMock()", f"{c}.reset_mock()"]
            + [f"{c}.reset_mock(return_value=True, side_effect=True)", f"{c}.configure_mock(get=AsyncMock())"]
            + [f'setattr({c}, "get", {self.double()})', f"{c}.put()", f"{c}.__aenter__.return_value = {c}"]
            + [f"{c}.items.return_value.__aiter__.return_value = [1]", f"{c}.put.side_effect = [1]"]
            + [f"{c}.get.reset_mock(side_effect=True)", f"app.CLIENT = {c}", f'app.STATE["client"] = {c}']
            + [f"{c}.__dict__.update(get=AsyncMock())", f"vars({c})['get'] = AsyncMock()", f"del {c}.get"]
        )

    def changes(self, place: Place) -> list[str]:
        """Statements that change what all tests have in common."""
        options = [
            f"app.CLIENT = {self.client(())}",
            f'app.STATE["client"] = {self.client(())}',
            f"app.fetch = {self.double()}",
            f"app.load = {self.double()}",
            f"app.CLIENT.get = {self.double()}",
            f"app.build = lambda: {self.client(())}",
        ]
        made = self.some(options, 2)
        common = [
            thing for thing in place.shared if not thing.text.startswith("self.") and thing.shape == "client"
        ]
        return made + self.configured(common, 1)

    def probes(self, things: Sequence[Thing], is_async: bool) -> list[str]:
        return self.probe(self.r.choice(things), is_async).split("\n")

    def probe(self, thing: Thing, is_async: bool) -> str:
        r = self.r
        if thing.shape == "app":
            if not is_async:
                return r.choice(
                    [
                        "assert app.load() == 2",
                        "assert app.use_load() == 2",
                        "asyncio.run(app.use_fetch())",
                        "asyncio.run(app.use_client())",
                        "asyncio.run(app.use_state())",
                        "app.CLIENT.put()",
                    ]
                )
            return r.choice(
                [
                    "await app.fetch()",
                    "await app.use_fetch()",
                    "await app.use_client()",
                    "await app.use_state()",
                    "await app.use_built()",
                    "assert app.use_load() == 2",
                    "await app.CLIENT.get()",
                    "await app.Client().get()",
                ]
            )
        if thing.shape in ("function", "plain"):
            if not is_async:
                return r.choice([f"assert {thing.text}() == 1", f"asyncio.run(app.call({thing.text}))"])
            return r.choice(
                [f"await {thing.text}()"] * 4
                + [
                    f"await app.call({thing.text})",
                    f"assert {thing.text}() == 1",
                    f"assert await {thing.text}() == 1",
                ]
            )
        c = self.client_of(thing)
        plain = [f"assert {c}.put() == 2", f"{c}.put()", f"{c}.missing()", f"{c}.put.assert_called_once()"]
        plain += [f"{c}.put(1, 2, 3)", f"{c}.get.assert_not_called()", f"with {c}:\n    pass"]
        if thing.shape == "holder" and self.chance(25):
            return f"await {thing.text}.load()" if is_async else f"{thing.text}.store()"
        if not is_async:
            return r.choice(
                [*plain, f"asyncio.run(app.run({c}))", f"asyncio.run(app.Service({c}).load())"] * 2
                + [f"with pytest.raises(TypeError):\n    asyncio.run(app.run({c}))"]
            )
        return r.choice(
            [f"await {c}.get()"] * 7
            + [f"await app.run({c})"] * 3
            + [f"await app.Service({c}).load()", f"assert await {c}.get() == 1"] * 2
            + [f"async with {c}.session() as session:\n    await session.get()"] * 2
            + [f"async with {c}:\n    pass", f"async for _ in {c}.items():\n    pass"]
            + [f"if isinstance({c}, AsyncMock):\n    await {c}.get()", f"got = {c}.get()\nawait got"]
            + [f"try:\n    await {c}.get()\nexcept TypeError:\n    {c}.put()"]
            + [f"with pytest.raises(TypeError):\n    await {c}.get()"]
            + [f"await {c}.get()\nawait {c}.get()", f"await asyncio.gather({c}.get())"]
            + plain
        )

    # --- patches

    def patch_call(self, place: Place) -> tuple[str, str, bool]:
        """A patch, the shape of what it puts there, and whether it injects that as an argument."""
        r = self.r
        if self.chance(12):
            double = self.client(place.common)
            made = r.choice(
                [
                    f'patch.dict(app.STATE, {{"client": {double}}})',
                    f'patch.dict("app.STATE", client={double})',
                    f"patch.multiple(app, CLIENT={double}, fetch={self.double()})",
                ]
            )
            return made, "nothing", False
        owner, name, shape = r.choice(
            [("app", "fetch", "function"), ("app", "load", "function"), ("app", "CLIENT", "client")] * 2
            + [("app.Client", "get", "function"), ("app", "Client", "maker"), ("app", "build", "maker")]
            + [("app.CLIENT", "get", "function")]
        )
        start = r.choice(
            [f'patch("{owner}.{name}"', f'patch.object({owner}, "{name}"', f'mock.patch("{owner}.{name}"']
        )
        if self.chance(20):
            given = self.client(place.common) if shape == "client" else self.double()
            return f"{start}, {r.choice(['', 'new='])}{given})", shape, False
        options = ["", "", "", ", new_callable=MagicMock", ", new_callable=AsyncMock", ", autospec=True"]
        options += [", return_value=1"] if shape == "function" else [", spec=True"]
        return f"{start}{r.choice(options)})", shape, True

    # --- marks

    def clients(self, place: Place) -> list[str]:
        return [
            n
            for n in sorted(place.fixtures)
            if _SHAPES.get(n) in ("client", "function") and n not in place.parametrized
        ]

    def used(self, place: Place) -> str:
        names = self.r.sample(sorted(place.fixtures - {"generated"}), 1)
        return f'pytest.mark.usefixtures("{names[0]}")'

    def parametrize(self, names: Sequence[str], place: Place) -> tuple[str, dict[str, str]]:
        """A mark, and the shapes of what it gives."""
        name = self.r.choice(names)
        shape = _SHAPES.get(name, "client")
        values = self.values(shape, place)
        known = name in place.fixtures
        indirect = ""
        if known and shape == "client" and self.chance(50):
            indirect = f", indirect={self.r.choice(['True', repr([name])])}"
        if self.chance(70) or indirect:
            spelled = self.r.choice([f'"{name}"', f'"{name}"', f'["{name}"]', f'("{name}",)'])
            if not spelled.startswith('"'):
                inner = [self.value(shape, place.common) for _ in range(self.r.randint(1, 2))]
                values = "[" + ", ".join(f"({each},)" for each in inner) + "]"
            return f"pytest.mark.parametrize({spelled}, {values}{indirect})", {name: shape}
        spelled = self.r.choice(
            [f'"{name}, number"', f'"{name},number"', f'("{name}", "number")', f'["{name}", "number"]']
        )
        rows = [f"({self.value(shape, place.common)}, {n})" for n in range(self.r.randint(1, 2))]
        return f"pytest.mark.parametrize({spelled}, [{', '.join(rows)}])", {name: shape, "number": "number"}

    # --- tests

    def test(self, place: Place, owner: str = "", injected: Sequence[str] = ()) -> str:
        """
        :param owner: ``pytest`` or ``unittest``, in a class.
        :param injected: the shapes of what patches of the class inject.
        """
        r = self.r
        is_unit = owner == "unittest"
        is_async = place.is_async and self.chance(80)
        things = [*place.shared, Thing("app", "app")]
        asked: list[str] = []
        decorators: list[str] = []
        around: dict[str, str] = dict(place.parametrized)
        if not is_unit:
            wanted = [name for name in sorted(place.fixtures) if name not in around]
            asked = self.some(wanted, 2) or wanted[:1]
            named_mark = place.with_case
            if named_mark and not set(named_mark[1]) & set(around) and self.chance(30):
                decorators.append(f"@{named_mark[0]}")
                around |= named_mark[1]
            elif self.chance(30):
                free = [name for name in ("case", *self.clients(place)) if name not in around]
                mark, names = self.parametrize(free, place)
                if not set(names) & set(around):
                    decorators.append(f"@{mark}")
                    around |= names
            if self.chance(8) and place.fixtures - {"generated"}:
                decorators.append(f"@{self.used(place)}")
        parameters: list[str] = []
        for shape in [s for s in self.decorated(place, decorators) if s] + list(injected):
            parameters.append(f"p{len(parameters)}")
            things.append(Thing(parameters[-1], shape))
        if self.chance(10):
            decorators.append(r.choice(_SKIPPED[:8] if is_unit else _SKIPPED))
            if not any("patch" in each for each in decorators):
                r.shuffle(decorators)
        tool = r.choice(["", "", "", "monkeypatch", "mocker"]) if not is_unit else ""
        named = [*dict.fromkeys([*asked, *around])] + ([tool] if tool else [])
        r.shuffle(named)
        for name in named:
            shape = around.get(name) or _SHAPES.get(name, "client")
            if shape not in ("number", "nothing") and name != tool:
                things += [Thing(name, shape)] * 3
        body = self.body(place, things, tool, is_async, is_unit or self.has_async, named)
        if "request." in "\n".join(body):
            named.append("request")
        first = ["self"] if owner else []
        head = f"def {self.name('test')}({', '.join([*first, *parameters, *named])}):"
        lines = [*decorators, f"{'async ' if is_async else ''}{head}", *self.indented(body)]
        return "\n".join(lines)

    def decorated(self, place: Place, decorators: list[str]) -> list[str]:
        """Adds patches to the decorators; the shapes that they inject, the innermost first."""
        made: list[str] = []
        while self.chance(18):
            text, shape, injects = self.patch_call(place)
            decorators.append(f"@{text}")
            if injects:
                made.append(shape)
        return list(reversed(made))

    def body(
        self, place: Place, things: list[Thing], tool: str, is_async: bool, plain: bool, named: list[str]
    ) -> list[str]:
        r = self.r
        lines: list[str] = []
        if self.chance(4):
            lines.append(r.choice(_SKIPS))
        dynamic = sorted(place.fixtures - {"generated"} - set(named))
        if not plain and dynamic and self.chance(10):
            name = r.choice(dynamic)
            lines.append(f'got = request.getfixturevalue("{name}")')
            things += [Thing("got", _SHAPES[name])] * 2
        if self.chance(20):
            lines.append(f"own = {self.client(things)}")
            things += [Thing("own", "client")] * 2
        lines += self.tool_lines(tool, things)
        usable = [thing for thing in things if thing.shape != "nothing"]
        lines += self.configured(usable, 2, place.functions)
        if self.chance(self.leaks):
            lines += self.changes(place)
        probed = [thing for thing in things if thing.shape != "nothing"]
        if self.chance(15):
            text, shape, _ = self.patch_call(place)
            if shape != "nothing":
                probed += [Thing("patched", shape)] * 2
            inner = self.probes(probed, is_async)
            lines += [f"with {text} as patched:", *self.indented(inner)]
        else:
            lines += self.probes(probed, is_async)
        if self.chance(25):
            lines += self.configured(usable, 1)
            lines += self.probes([t for t in probed if t.text != "patched"], is_async)
        return lines

    # --- classes

    def suite(self, place: Place, is_unit: bool, has_helpers: bool) -> list[str]:
        parts: list[str] = []
        name = self.name("Test")
        parent = ""
        shared: list[Thing] = []
        kind = self.r.choice(["unittest.IsolatedAsyncioTestCase"] * 3 + ["unittest.TestCase"])
        if self.chance(35):
            parent = self.name("Base")
            lines = [f"class {parent}({kind}):" if is_unit else f"class {parent}:"]
            inside = replace(place, is_async="Isolated" in kind or not is_unit)
            body, above = self.setups(inside, is_unit, False)
            shared += above
            parts.append("\n".join(lines + self.indented(body or ["client = MagicMock()"])))
            if not body:
                shared.append(Thing("self.client", "client"))
        elif is_unit:
            parent = kind
        decorators: list[str] = []
        injected: list[str] = []
        given: dict[str, str] = {}
        if self.chance(20):
            text, shape, injects = self.patch_call(place)
            decorators.append(f"@{text}")
            injected += [shape] if injects else []
        if not is_unit and self.chance(15):
            mark, given = self.parametrize(["given_here", *self.clients(place)], place)
            if set(given) & set(place.parametrized):
                given = {}
            else:
                decorators.append(f"@{mark}")
        if self.chance(12) and place.fixtures - {"generated"} and not (is_unit and self.has_async):
            decorators.append(f"@{self.used(place)}")
        if self.chance(4):
            decorators.append(self.r.choice(_SKIPPED[:9]))
        is_async = not is_unit or "Isolated" in kind
        inside = replace(place, is_async=is_async)
        body, own = self.setups(inside, is_unit, bool(shared))
        shared += own
        if self.chance(3):
            body.append("__test__ = False")
        if not shared and self.chance(60):
            body.append(f"client = {self.client(())}")
            shared.append(Thing("self.client", "client"))
        here: list[str] = []
        if not is_unit and self.chance(35):
            here = self.some(self.known, 2)
            for each in sorted(here, key=_NAMES.index):
                body += self.fixture(each, inside, each in inside.fixtures, "class")
                inside = inside.inside([each])
        inside = inside.inside((), [thing for thing in shared for _ in range(2)], given)
        for _ in range(self.r.randint(1, 3)):
            body += self.test(inside, "unittest" if is_unit else "pytest", injected).split("\n")
        head = f"class {name}({parent}):" if parent else f"class {name}:"
        parts.append("\n".join([*decorators, head, *self.indented(body)]))
        return parts

    def setups(self, place: Place, is_unit: bool, inherits: bool) -> tuple[list[str], list[Thing]]:
        """What a class does before its tests, and what that leaves on ``self``."""
        lines: list[str] = []
        made: list[Thing] = []
        if is_unit:
            forms = [
                ("setUpClass", 20),
                ("setUp", 45),
                ("asyncSetUp", 20 if place.is_async else 0),
                ("tearDown", 10),
            ]
        else:
            forms = [("setup_class", 20), ("setup_method", 40), ("teardown_method", 10)]
        for name, percent in forms:
            if not self.chance(percent):
                continue
            for_class = name in ("setUpClass", "setup_class")
            me = "cls" if for_class else "self"
            decorator = ["@classmethod"] if for_class else []
            body: list[str] = []
            if (inherits or is_unit) and self.chance(80 if inherits else 20):
                if is_unit:
                    body.append(f"{'await ' if name == 'asyncSetUp' else ''}super().{name}()")
                elif inherits:
                    body.append(f"getattr(super(), '{name}', lambda: None)()")
            if "ear" in name:
                body += self.changes(place) or ["pass"]
            else:
                body += self.set_up(me, place, made, is_unit)
            prefix = "async " if name == "asyncSetUp" else ""
            lines += [*decorator, f"{prefix}def {name}({me}):", *self.indented(body)]
        if self.chance(20) and not (is_unit and self.has_async):
            asked = [n for n in sorted(place.fixtures) if _SHAPES.get(n) == "client"]
            if asked:
                asked = [self.r.choice(sorted(asked))]
                lines += [
                    "@pytest.fixture(autouse=True)",
                    f"def {self.r.choice(['attach', 'ready'])}(self, {asked[0]}):",
                ]
                lines += self.indented(
                    [f"self.attached = {asked[0]}", *self.configured([Thing(asked[0], "client")], 1)]
                )
                made.append(Thing("self.attached", "client"))
        return lines, made

    def set_up(self, me: str, place: Place, made: list[Thing], is_unit: bool) -> list[str]:
        r = self.r
        lines: list[str] = []
        form = r.random()
        if form < 0.55:
            lines.append(f"{me}.client = {self.client(place.common)}")
            if Thing("self.client", "client") not in made:
                made.append(Thing("self.client", "client"))
            lines += self.configured([Thing(f"{me}.client", "client")], 2, place.functions)
        elif form < 0.85:
            text, shape, _ = self.patch_call(place)
            stop = f"{me}.addCleanup(patcher.stop)" if me == "self" else f"{me}.addClassCleanup(patcher.stop)"
            lines.append(f"patcher = {text}")
            lines.append(f"{me}.patched = patcher.start()")
            if is_unit and self.chance(85):
                lines.append(stop)
            if shape != "nothing":
                made.append(Thing("self.patched", shape))
        else:
            lines.append(f"{me}.service = app.Service({self.client(place.common)})")
            made.append(Thing("self.service", "holder"))
            lines += self.configured([Thing(f"{me}.service", "holder")], 1)
        if self.chance(15):
            lines += self.changes(place)
        return lines
