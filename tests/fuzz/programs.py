"""Puts programs together: where the double is made, where it is configured, where it is used."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

from fuzz.grammar import PLAIN, Chain, Choices, Line, Program, Writer
from fuzz.specs import FUNCTIONS, MEMBERS, PROTOCOLS

_MOCK_NAMES = (
    "ANY", "DEFAULT", "AsyncMock", "MagicMock", "Mock", "NonCallableMagicMock", "NonCallableMock", "PropertyMock",
    "call", "create_autospec", "mock_open", "patch", "seal", "sentinel",
)  # fmt: skip
_PATCHABLE = {
    "patch:function": ("fetch", "fetch"),
    "patch:def": ("load", "load"),
    "patch:global": ("client", "client"),
    "patch:class": ("Client", "Client"),
    "patch:method": ("Client.get", "Client().get"),
    "patch:plain-method": ("Client.build", "Client().build"),
}
"""What is patched in the module ``service``, and how code there gets at the double."""


@dataclass
class Piece:
    """Some uses of the double in one place."""

    place: str
    lines: list[Line]
    result: Chain | None = None

    @property
    def awaits(self) -> bool:
        return any(line.awaits for line in self.lines)


class Composer(Writer):
    """Writes a whole program."""

    def program(self) -> Program:
        c = self.c
        self.access = "client"
        """How code under test gets at a patched double."""
        self.patched = c.feature((3, "origin:made"), (2, "origin:patched")) == "origin:patched"
        made = self.patch() if self.patched else self.shape()
        configured = self.configuration()
        pieces = self.pieces()
        self.fixtures: list[str] = []
        self.conftest: list[str] = []
        style = c.feature((5, "style:function"), (1, "style:class"), (2, "style:unittest"))
        if style == "style:unittest":
            test = self.unittest(made, configured, pieces)
        else:
            test = self.function(made, configured, pieces, in_class=style == "style:class")
        definitions = [*self.test_definitions, *self.helpers, *self.fixtures]
        files = {
            "service.py": _with_imports(self.service_text(), "service.py"),
            "test_example.py": _with_imports("\n\n\n".join([*definitions, test]), "test_example.py"),
        }
        if self.conftest:
            files["conftest.py"] = _with_imports("\n\n\n".join(self.conftest), "conftest.py")
        if not files["service.py"].strip():
            del files["service.py"]
        return Program(files, frozenset(c.used))

    # --- shapes

    def shape(self) -> str:
        """The expression that makes the double."""
        c = self.c
        shape = c.feature(
            (5, "shape:plain"), (4, "shape:spec"), (3, "shape:autospec-instance"), (2, "shape:autospec-class"),
            (3, "shape:autospec-function"), (2, "shape:spec-function"), (2, "shape:spec-list"), (1, "shape:wraps"),
            (1, "shape:subclass"), (1, "shape:mock_open"), (1, "shape:sentinel"),
        )  # fmt: skip
        kind = ""
        if shape in ("shape:plain", "shape:spec", "shape:spec-function", "shape:spec-list", "shape:subclass"):
            kind = c.feature(
                (5, "MagicMock"),
                (4, "AsyncMock"),
                (3, "Mock"),
                (1, "NonCallableMock"),
                (1, "NonCallableMagicMock"),
            )
            self.kind = kind
        if shape == "shape:plain":
            return self.called(kind)
        if shape == "shape:subclass":
            self._define(f"class Double({kind}):\n    pass")
            return self.called("Double")
        if shape == "shape:spec-list":
            self.spec = "names"
            return f'{kind}(spec=["get", "build"])'
        if shape == "shape:wraps":
            self.spec, self.wraps = "class", True
            for name in MEMBERS:
                self.opaque |= {(f".{name}",), (f".{name}", "()")}
            self.opaque |= {("()",)}
            wrapper = c.feature((2, "wraps:MagicMock"), (1, "wraps:AsyncMock"), (1, "wraps:Mock")).partition(
                ":"
            )[2]
            self.kind = "NonCallableMagicMock"
            return f"{wrapper}(wraps=Client())"
        if shape == "shape:mock_open":
            self.opaque |= {("()", ".first"), ("()", ".rows")}
            self.plain |= {("()", "@iter"): "str"}
            self.kind, self.kinds[("()",)] = "function", "leaf"
            return 'mock_open(read_data="a\\nb")'
        if shape == "shape:sentinel":
            self.opaque.add(())
            return "sentinel.client"
        if shape in ("shape:spec-function", "shape:autospec-function"):
            self.spec = "function"
            self.callee = c.feature((2, "function:async"), (2, "function:def"))
            self.callee = "fetch" if self.callee == "function:async" else "load"
            self.functions[self.callee] = None
            if shape == "shape:spec-function":
                if kind.startswith("NonCallable") and not c.allowed("spec-function:NonCallable"):
                    kind = kind.removeprefix("NonCallable")
                    self.kind = kind
                self.fixed_kind = kind
                if self.callee == "fetch":
                    self.kind = "AsyncMock"
                return f"{kind}(spec={self.callee})"
            self.kind, self.auto = "function", True
            return f"create_autospec({self.callee}{self.autospec_option()})"
        self.use_class()
        self.auto = shape != "shape:spec"
        self.makes_instances = shape == "shape:autospec-class"
        if shape == "shape:autospec-instance":
            self.kind = "NonCallableMagicMock" if "call" not in self.protocols else "MagicMock"
        if shape == "shape:spec":
            option = c.feature(
                (3, "spec:spec"), (2, "spec:spec_set"), (1, "spec:positional"), (1, "spec:instance")
            )
            written = {
                "spec:spec": "spec=Client",
                "spec:spec_set": "spec_set=Client",
                "spec:positional": "Client",
            }
            return f"{kind}({written.get(option, 'spec=Client()')})"
        if shape == "shape:autospec-class":
            return f"create_autospec(Client{self.autospec_option()})"
        return f"create_autospec(Client, instance=True{self.autospec_option()})"

    def called(self, kind: str) -> str:
        """The call of a class of mocks."""
        keywords = self.keywords(kind)
        vain = "  # vain: US406" if keywords.startswith("retrun") else ""
        return f"{kind}({keywords}){vain}"

    def autospec_option(self) -> str:
        return ", spec_set=True" if self.c.maybe("autospec:spec_set", 15) else ""

    def use_class(self) -> None:
        """The double has the class ``Client`` as its spec."""
        self.spec = "class"
        for name in PROTOCOLS:
            if self.c.maybe(f"protocol:{name}", 20):
                self.protocols[name] = None

    def keywords(self, cls: str) -> str:
        misspelled = "keywords:misspelled" if cls != "Double" else "keywords:misspelled-of-subclass"
        kind = self.c.feature(
            (6, "keywords:none"), (2, "keywords:return_value"), (1, "keywords:side_effect"), (2, "keywords:child"),
            (3, "keywords:dotted"), (1, misspelled), (1, "keywords:name"),
        )  # fmt: skip
        if kind == "keywords:return_value":
            return f"return_value={self.value(('()',))}"
        if kind == "keywords:side_effect":
            return f"side_effect={self.effect(())}"
        if kind == "keywords:child":
            return f"get={self.value(('.get',))}"
        if kind == "keywords:dotted":
            text, path = self.target()
            return f'**{{"{text.removeprefix("$m.")}.return_value": {self.value((*path, "()"))}}}'
        if kind == misspelled:
            return f"retrun_value={PLAIN['int'][0]}"
        return 'name="double"' if kind == "keywords:name" else ""

    def patch(self) -> str:
        """The call of ``patch`` without its opening name: ``"service.client", autospec=True``."""
        c = self.c
        self.default_kind = "MagicMock"
        self.what = c.feature(*((2, name) for name in _PATCHABLE))
        target, self.access = _PATCHABLE[self.what]
        self.form = c.feature(
            (3, "form:with"), (3, "form:decorator"), (2, "form:start"), (2, "form:mocker"), (2, "form:monkeypatch"),
            (1, "form:multiple"),
        )  # fmt: skip
        if self.what in ("patch:method", "patch:plain-method") and self.form == "form:multiple":
            self.form = "form:with"
        if target in FUNCTIONS:
            self.functions[target] = None
            self.callee = target
        self.global_client = self.what == "patch:global"
        if self.what in ("patch:method", "patch:function"):
            self.default_kind = "AsyncMock"
        if self.what == "patch:method":
            self.members["get"] = None
        if self.what == "patch:plain-method":
            self.members["build"] = None
        self.needs_class = target not in FUNCTIONS
        self.target_owner, _, self.target_name = f"service.{target}".rpartition(".")
        if self.form in ("form:monkeypatch", "form:multiple"):
            made = self.constructor(None)
            self.kind = made.removesuffix("()") if self.form == "form:monkeypatch" else self.default_kind
            return made
        new = c.feature(
            (4, "new:default"), (2, "new:AsyncMock"), (2, "new:MagicMock"), (1, "new:Mock"), (3, "new:autospec"),
            (1, "new:value"), (1, "new:return_value"), (1, "new:spec"), (1, "new:side_effect"),
        )  # fmt: skip
        if (
            new == "new:autospec"
            and target not in ("client", "Client")
            and not c.allowed("new:autospec-function")
        ):
            new = "new:default"
        if new == "new:value" and self.form == "form:decorator":
            new = "new:default"
        if new in ("new:autospec", "new:spec"):
            self.spec = "function" if target in FUNCTIONS or "method" in self.what else "class"
            if self.spec == "class":
                self.use_class()
            if "method" in self.what:
                self.callee = self.target_name
                self.takes_self = new == "new:autospec"
        self.kind = {"new:AsyncMock": "AsyncMock", "new:MagicMock": "MagicMock", "new:Mock": "Mock"}.get(
            new, self.default_kind
        )
        if new == "new:autospec":
            self.auto = True
            self.kind = "function" if self.spec == "function" else "MagicMock"
        self.of_instance = self.what == "patch:global" and new == "new:autospec"
        self.makes_instances = self.what == "patch:class" and new in ("new:autospec", "new:spec")
        if (
            new in ("new:autospec", "new:spec")
            and self.what == "patch:global"
            and "call" not in self.protocols
        ):
            self.kind = "NonCallableMagicMock"
        option = {
            "new:default": "", "new:AsyncMock": "new_callable=AsyncMock", "new:MagicMock": "new_callable=MagicMock",
            "new:Mock": "new_callable=Mock", "new:autospec": "autospec=True", "new:spec": "spec=True",
        }.get(new)  # fmt: skip
        if option is None:
            if new == "new:value":
                made = self.constructor(None)
                self.kind = made.removesuffix("()")
                option = f"new={made}"
            elif new == "new:return_value":
                option = f"return_value={self.value(('()',))}"
            else:
                option = f"side_effect={self.effect(())}"
        if self.form == "form:mocker":
            # pytest-mock makes entering it warn, and give nothing.
            self.plain[("@enter",)] = "None"
        by_object = c.maybe("patch.object", 40)
        where = f'{self.target_owner}, "{self.target_name}"' if by_object else f'"service.{target}"'
        return f"{'.object' if by_object else ''}({where}{', ' + option if option else ''})"

    # --- uses

    def pieces(self) -> list[Piece]:
        c = self.c
        pieces: list[Piece] = []
        starts = [self.root()]
        self.helpers: list[str] = []
        self.under_test: list[str] = []
        for number in range(c.one((1, 1, 2, 3))):
            options = [(5, "in:test"), (2, "in:helper")]
            if self.patched and self.takes_self:
                options = [(1, "in:global")]
            elif self.patched:
                options += [(6, "in:global"), (1, "in:service")]
            else:
                options += [(3, "in:service"), (2, "in:method"), (1, "in:constructor")]
            place = c.feature(*options)
            self.place = place
            self.asserting = place in ("in:test", "in:helper")
            if place == "in:test":
                pieces.append(Piece(place, self.block(starts, 3)))
                continue
            local = [self.root()]
            lines = self.block(local, 3)
            bound = {line.text.partition(" = ")[0] for line in lines if line.depth == 0}
            results = [chain for chain in local if chain.text in bound]
            result = results[-1] if results and c.maybe("returned", 40) else None
            piece = Piece(place, lines, None)
            if place == "in:constructor" and piece.awaits:
                piece.place = "in:method"
            called = self._place(piece, number, result.text if result is not None else None)
            if result is not None:
                starts.append(Chain(f"result{number}", result.path, False, result.kind, result.later))
                called = f"result{number} = {called}"
            pieces.append(Piece("in:test", [Line(called, 0, piece.awaits)]))
        return pieces

    def _place(self, piece: Piece, number: int, result: str | None) -> str:
        """Put the uses into a function or method; how a test calls it."""
        awaits, keyword = ("await ", "async def") if piece.awaits else ("", "def")
        lines = [*piece.lines, *([Line(f"return {result}")] if result is not None else [])]
        if piece.place == "in:helper":
            self.helpers.append(f"{keyword} act{number}(double):\n" + _body(lines, "double"))
            return f"{awaits}act{number}($m)"
        self.service_imports = self.c.one(("module", "name"))
        prefix = "service." if self.service_imports == "module" else ""
        if piece.place == "in:service":
            default = ""
            self.under_test.append(f"{keyword} run{number}(dep{default}):\n" + _body(lines, "dep"))
            keyworded = self.c.maybe("passed-by-keyword", 25)
            return f"{awaits}{prefix}run{number}({'dep=' if keyworded else ''}$m)"
        if piece.place == "in:global":
            self.under_test.append(f"{keyword} run{number}():\n" + _body(lines, self.access))
            return f"{awaits}{prefix}run{number}()"
        name = f"Worker{number}"
        if piece.place == "in:constructor":
            init = "def __init__(self, dep):\n" + _body([*piece.lines, Line("self.dep = $m")], "dep")
            self.under_test.append(f"class {name}:\n" + textwrap.indent(init, "    "))
            return f"{prefix}{name}($m)" if result is None else f"{prefix}{name}($m).dep"
        init = "def __init__(self, dep):\n    self.dep = dep"
        method = f"{keyword} run(self):\n" + _body(lines, "self.dep")
        self.under_test.append(f"class {name}:\n" + textwrap.indent(f"{init}\n\n{method}", "    "))
        return f"{awaits}{prefix}{name}($m).run()"

    # --- tests

    def function(self, made: str, configured: list[Line], pieces: list[Piece], *, in_class: bool) -> str:
        """A test function, with fixtures or without."""
        c = self.c
        uses = [line for piece in pieces for line in piece.lines]
        awaits = any(line.awaits for line in uses)
        parameters: list[str] = []
        decorators: list[str] = []
        if self.patched and self.form == "form:decorator":
            decorators.append(f"@patch{made}")
            parameters.append("double")
            body = [*configured, *uses]
        else:
            origin = c.feature(
                (4, "origin:test"), (3, "origin:fixture"), (2, "origin:conftest"), (1, "origin:override"),
                (1, "origin:factory"), (1, "origin:module"), (1, "origin:chained"), (1, "origin:params"),
            )  # fmt: skip
            if self.patched and origin in ("origin:factory", "origin:module"):
                origin = "origin:fixture"
            if origin == "origin:module" and configured and not c.maybe("origin:module-configured", 100):
                origin = "origin:test"
            if origin == "origin:test":
                parameters += self._plugin_fixtures()
                body = self.making(made, [*configured, *uses])
            elif origin == "origin:factory":
                self.helpers.append(
                    "def make():\n" + _body([Line(f"$m = {made}"), *configured, Line("return $m")], "double")
                )
                body = [Line("$m = make()"), *uses]
            elif origin == "origin:module":
                self.fixtures.append(f"double = {made}")
                body = [*configured, *uses]
            else:
                parameters.append("double")
                body = self._fixtures(origin, made, configured, uses)
        keyword = "async def" if awaits else "def"
        own = ["self", *parameters] if in_class else parameters
        text = "\n".join([*decorators, f"{keyword} test_it({', '.join(own)}):", _body(body, "double")])
        return f"class TestIt:\n{textwrap.indent(text, '    ')}" if in_class else text

    def _plugin_fixtures(self) -> list[str]:
        if not self.patched:
            return []
        return {"form:mocker": ["mocker"], "form:monkeypatch": ["monkeypatch"]}.get(self.form, [])

    def _fixtures(self, origin: str, made: str, configured: list[Line], uses: list[Line]) -> list[Line]:
        """Define the fixture ``double``; what is left for the test."""
        c = self.c
        where = self.fixtures if origin != "origin:conftest" else self.conftest
        inside = configured if c.maybe("configured-in-fixture", 60) else []
        rest = [line for line in configured if line not in inside]
        needed = ", ".join(self._plugin_fixtures())
        yields = c.maybe("fixture:yield", 40) or (
            self.patched and self.form in ("form:with", "form:start", "form:multiple")
        )
        keyword = "async def" if c.maybe("fixture:async", 15) else "def"
        give = [Line("yield $m" if yields else "return $m")]
        # A conftest knows nothing of what the test file defines.
        if where is self.conftest:
            where.extend(self.test_definitions)
        if origin == "origin:override":
            other = self.constructor(None)
            text = f"def double():\n    return {other}"
            self.conftest.append(f"@pytest.fixture\n{text}")
        if origin == "origin:params":
            kinds = c.one(('["a"]', '["a", "b"]'))
            lines = _body(self.making(made, [*inside, *give]), "double")
            parameters = ", ".join(filter(None, ["request", needed]))
            where.append(f"@pytest.fixture(params={kinds})\n{keyword} double({parameters}):\n{lines}")
        elif origin == "origin:chained":
            lines = _body(self.making(made, give), "double")
            where.append(f"@pytest.fixture\n{keyword} bare({needed}):\n{lines}")
            lines = _body([*inside, Line("return $m")], "bare")
            where.append(f"@pytest.fixture\ndef double(bare):\n{lines}")
        else:
            lines = _body(self.making(made, [*inside, *give]), "double")
            where.append(f"@pytest.fixture\n{keyword} double({needed}):\n{lines}")
        return [*rest, *uses]

    def making(self, made: str, body: list[Line]) -> list[Line]:
        """Make the double, or enter its patch, around some lines."""
        if not self.patched:
            return [Line(f"$m = {made}"), *body]
        if self.form == "form:with":
            return [Line(f"with patch{made} as $m:"), *(Line(b.text, b.depth + 1, b.awaits) for b in body)]
        if self.form == "form:start":
            gives = [line for line in body if line.text.startswith(("return $m", "yield $m"))]
            rest = [line for line in body if line not in gives]
            return [
                Line(f"patcher = patch{made}"),
                Line("$m = patcher.start()"),
                *rest,
                *gives,
                Line("patcher.stop()"),
            ]
        if self.form == "form:mocker":
            return [Line(f"$m = mocker.patch{made}"), *body]
        if self.form == "form:multiple":
            name = self.target_name
            return [
                Line(f'with patch.multiple("{self.target_owner}", {name}=DEFAULT) as doubles:'),
                Line(f'$m = doubles["{name}"]', 1),
                *(Line(b.text, b.depth + 1, b.awaits) for b in body),
            ]
        if self.form == "form:decorator":
            return [Line(f"patcher = patch{made}"), Line("$m = patcher.start()"), *body]
        return [
            Line(f"$m = {made}"),
            Line(f'monkeypatch.setattr({self.target_owner}, "{self.target_name}", $m)'),
            *body,
        ]

    def unittest(self, made: str, configured: list[Line], pieces: list[Piece]) -> str:
        """A ``TestCase`` that makes the double in ``setUp``, ``asyncSetUp`` or the test."""
        c = self.c
        uses = [line for piece in pieces for line in piece.lines]
        awaits = any(line.awaits for line in uses)
        if self.patched and self.form in ("form:mocker", "form:monkeypatch"):
            self.form = "form:start"
            if not made.startswith((".object(", "(")):
                made = f'("service.{self.what_target}", {made})'
        base = "IsolatedAsyncioTestCase" if awaits else "TestCase"
        keyword = "async def" if awaits else "def"
        if self.patched and self.form == "form:decorator":
            text = _method(f"@patch{made}\n{keyword} test_it(self, double):", [*configured, *uses], "double")
        elif c.maybe("setup", 60) and not (self.patched and self.form in ("form:with", "form:multiple")):
            set_up = "async def asyncSetUp" if awaits and c.maybe("asyncSetUp", 50) else "def setUp"
            inside = configured if c.maybe("configured-in-setup", 60) else []
            rest = [line for line in configured if line not in inside]
            if self.patched:
                making = [
                    Line(f"patcher = patch{made}"),
                    Line("$m = patcher.start()"),
                    Line("self.addCleanup(patcher.stop)"),
                ]
            else:
                making = [Line(f"$m = {made}")]
            first = _method(f"{set_up}(self):", [*making, *inside], "self.double")
            second = _method(f"{keyword} test_it(self):", [*rest, *uses], "self.double")
            text = f"{first}\n\n{second}"
        else:
            text = _method(f"{keyword} test_it(self):", self.making(made, [*configured, *uses]), "double")
        return f"class ItTest(unittest.{base}):\n{text}"

    @property
    def what_target(self) -> str:
        return _PATCHABLE[self.what][0]

    # --- code under test

    def service_text(self) -> str:
        parts: list[str] = []
        words = " ".join([*self.test_definitions, *self.under_test])
        if self.spec == "class" or (self.patched and self.needs_class) or "Client" in words:
            members = dict(self.members)
            if "later" in members:
                members["get"] = None
            texts = [MEMBERS[name].source for name in members] + [PROTOCOLS[name] for name in self.protocols]
            body = textwrap.indent("\n\n".join(texts) or "pass", "    ")
            parts.append(f"class Client:\n{body}")
        parts += [FUNCTIONS[name].source for name in self.functions]
        if self.patched and self.global_client:
            parts.append("client = Client()")
        parts += self.under_test
        return "\n\n\n".join(parts)


def _method(header: str, lines: list[Line], name: str) -> str:
    return textwrap.indent(f"{header}\n{_body(lines, name)}", "    ")


def _body(lines: Iterable[Line], name: str) -> str:
    return "\n".join("    " * (line.depth + 1) + line.text.replace("$m", name) for line in lines)


def _with_imports(text: str, file: str) -> str:
    """The text with the imports that it needs."""
    words = set(re.findall(r"\w+", text))
    imports = [f"import {name}" for name in ("asyncio", "inspect", "unittest") if name in words]
    if "asynccontextmanager" in words:
        imports.append("from contextlib import asynccontextmanager")
    mocks = [name for name in _MOCK_NAMES if re.search(rf"(?<![\w.@]){name}\b|@{name}\b", text)]
    if mocks:
        imports.append(f"from unittest.mock import {', '.join(mocks)}")
    if "pytest" in words:
        imports.append("import pytest")
    if file != "service.py":
        own = re.findall(r"(?<![\w.\"'])(Client|fetch|load|run\d|Worker\d)\b", text)
        if own:
            imports.append(f"from service import {', '.join(sorted(set(own)))}")
        if re.search(r"(?<![\"'\w])service\.|\(service,", text):
            imports.append("import service")
    return "\n".join(imports) + ("\n\n\n" if imports else "") + text + "\n"


@st.composite
def programs(draw: st.DrawFn, excluded: frozenset[str] = frozenset()) -> Program:
    """Small programs; ``excluded``: features that they must not have."""
    return Composer(Choices(draw, excluded)).program()
