"""A generator of small programs about test doubles: a shape, its configuration, and what is done with it.

:func:`programs` is a Hypothesis strategy. Each choice that stands for a piece of the language has a *feature*, a
name such as ``await`` or ``patch:decorator``. A feature that is excluded (``unmodelled.toml``) is not generated;
nothing is ever filtered by what a program does.

The double is written ``$m`` while a program is put together; each place (a test, a helper, a method of code under
test) replaces it by the name that the double has there. A *path* says which value an expression is, whatever
it is called: ``.get``, ``()``, ``[]``, ``@enter``. It keeps the generator from asking plain values for what they have
not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st

from fuzz.specs import FREE, FUNCTIONS, MEMBERS

T = TypeVar("T")
Path = tuple[str, ...]
KINDS = ("MagicMock", "Mock", "AsyncMock")


@dataclass
class Program:
    """The files of a program by name, and the features that it has."""

    files: dict[str, str]
    features: frozenset[str]

    def __str__(self) -> str:
        return "\n\n".join(f"--- {name}\n{text.strip()}" for name, text in self.files.items())


@cache
def _matches(feature: str, patterns: frozenset[str]) -> bool:
    return any(fnmatchcase(feature, pattern) for pattern in patterns)


@dataclass
class Choices:
    """Draws choices, leaving out the features that are not modelled."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    excluded: frozenset[str]
    """Patterns of features, as in file names."""
    used: set[str] = field(default_factory=set)

    def allowed(self, feature: str) -> bool:
        return not _matches(feature, self.excluded)

    def maybe(self, feature: str, percent: int) -> bool:
        """Should the program have this? Shrinks to no."""
        if not self.allowed(feature):
            return False
        chosen = self.draw(st.integers(0, 99)) >= 100 - percent
        if chosen:
            self.used.add(feature)
        return bool(chosen)

    def one(self, values: Sequence[T]) -> T:
        """Shrinks to the first."""
        return self.draw(st.sampled_from(values)) if len(values) > 1 else values[0]

    def feature(self, *options: tuple[int, str]) -> str:
        """One of several features, by weight. Shrinks to the first."""
        names = [name for weight, name in options if self.allowed(name) for _ in range(weight)]
        chosen = self.one(names)
        self.used.add(chosen)
        return chosen

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))


PLAIN: dict[str, tuple[str, tuple[str, ...]]] = {
    # type: (how it is written, uses that it answers)
    "int": ("5", ("{0} + 1", "-{0}", "int({0})")),
    "str": ('"text"', ("{0}.upper()", "{0}[0]", "len({0})", '"t" in {0}')),
    "dict": ('{"key": 1}', ('{0}["key"]', '{0}.get("key")', "list({0})", '"key" in {0}')),
    "list": ("[1, 2]", ("{0}[0]", "len({0})", "[x for x in {0}]", "list({0})")),
    "None": ("None", ("{0} is None", "not {0}")),
    "sentinel": ("sentinel.value", ("{0} is None", "str({0})")),
}


@dataclass
class Line:
    text: str
    depth: int = 0
    awaits: bool = False


@dataclass
class Chain:
    """An expression on the double. ``kind``: what it is likely to be, so that most programs make sense; programs need
    not, so this is no second model of mocks. ``later``: what a coroutine gives."""

    text: str
    path: Path
    awaits: bool = False
    kind: str = "MagicMock"
    later: str = ""

    def awaited(self) -> Chain:
        kind = self.later if self.kind == "coroutine" else self.kind
        return Chain(f"(await {self.text})", self.path, True, kind)


class Writer:
    """Writes one program."""

    def __init__(self, choices: Choices) -> None:
        self.c = choices
        self.plain: dict[Path, str] = {}
        """Paths of plain values, and their type."""
        self.properties: set[Path] = set()
        """Paths of what a PropertyMock gives, whatever is set there later."""
        self.indexed: set[Path] = set()
        """What has a ``__getitem__`` set by hand."""
        self.iterated = False
        """Something has an ``__iter__`` or ``__aiter__`` set by hand."""
        self.opaque: set[Path] = set()
        """Paths of values that only ``is None`` is asked of."""
        self.beneath: set[Path] = set()
        """Paths of calls that give None once no side effect decides."""
        self.effective: set[Path] = set()
        """Paths of calls whose result a side effect decides."""
        self.variables = 0
        self.members: dict[str, None] = {}
        """Of the class ``Client``, those that the program needs."""
        self.protocols: dict[str, None] = {}
        self.functions: dict[str, None] = {}
        self.test_definitions: list[str] = []
        self.service: list[str] = []
        self.spec = "none"
        self.callee = "none"
        self.kind = "MagicMock"
        """What the double is."""
        self.fixed_kind = ""
        """The class that makes the double."""
        self.auto = False
        """``autospec``: its methods have no attributes of their own."""
        self.wraps = False
        self.of_instance = False
        """Is the double autospecced to an object and no class?"""
        self.makes_instances = False
        """Calling it gives something with the same spec."""
        self.kinds: dict[Path, str] = {}
        """What was configured to be at a path."""
        self.takes_self = False
        """A method with ``autospec`` wants ``self``: only code that calls it on an instance gets on with it."""
        self.asserting = True
        """Does a test, or a helper of tests, do what is being written? Code under test asserts nothing."""
        self.place = "in:test"
        self.guarding = False
        """Is a block below ``try`` or ``pytest.raises`` being written?"""

    # --- expressions

    def member(self) -> str:
        """The name of an attribute: of the spec, usually."""
        missing = "member:missing-in-wrapped" if self.wraps else "member:missing"
        if self.spec in ("class", "names") and self.c.allowed(missing) and self.careless():
            self.c.used.add(missing)
            return "missing"
        if self.spec == "class":
            kind = self.c.feature(
                (5, "member:async"), (5, "member:def"), (1, "member:attribute"), (1, "member:property"),
                (1, "member:static"), (1, "member:classmethod"), (1, "member:asyncgen"),
                (1, "member:manager"), (1, "member:awaitable"),
            )  # fmt: skip
            if kind == "member:property" and self.of_instance:
                kind = self.c.feature((1, "member:def"), (1, "member:property-of-instance"))
                kind = kind.removesuffix("-of-instance")
            names = [name for name, member in MEMBERS.items() if f"member:{member.kind}" == kind]
            name = self.c.one(names)
            self.members[name] = None
            return name
        if self.spec == "names":
            return self.c.one(("get", "build"))
        return self.c.one(FREE)

    def arguments(self, path: Path) -> str:
        name = path[-1].removeprefix(".") if path else ""
        if not path and self.callee != "none":
            name = self.callee
        member = MEMBERS.get(name) or FUNCTIONS.get(name)
        if member is None or not member.right:
            return ""
        wrong = "wrong-arguments:of-method" if self.takes_self else "wrong-arguments"
        if self.careless() and self.c.maybe(wrong, 60):
            return self.c.one(member.wrong)
        return member.right

    def root(self) -> Chain:
        return Chain("$m", (), False, self.kind)

    def careless(self) -> bool:
        """May this step be one that the value does not understand?"""
        return self.c.maybe("careless", 24)

    def chain(self, start: Chain, most: int = 3) -> Chain:
        """Some steps from a value."""
        made = start
        for _ in range(self.c.number(0, most)):
            if made.path in self.plain or made.path in self.opaque:
                break
            careless = self.careless()
            if made.kind == "coroutine" and not careless:
                made = made.awaited()
                continue
            options = [
                (weight, step)
                for weight, step in (
                    (8, "call-method"),
                    (2, "attribute"),
                    (2, "call"),
                    (1, "subscript"),
                    (1, "await"),
                )
                if self._understands(made, step) or (careless and self.c.allowed(self._misuse(made, step)))
            ]
            if not options:
                break
            step = self.c.feature(*options)
            if not self._understands(made, step):
                self.c.used.add(self._misuse(made, step))
            made = self._step(made, step)
            if made.kind == "coroutine" and not self.careless():
                made = made.awaited()
        return made

    def _misuse(self, made: Chain, use: str) -> str:
        """The feature of using a value in a way that it does not understand: ``misuse:subscript:Mock``."""
        kind = "spec" if self._specced(made.path) and self.spec != "none" else made.kind
        if made.path in self.plain:
            kind = "plain"
        return f"misuse:{use.removeprefix('use:')}:{kind}"

    def misuses(self, made: Chain, use: str) -> bool:
        """May the program use the value like this although it does not understand it?"""
        feature = self._misuse(made, use)
        if not self.c.allowed(feature) or not self.careless() or self._is_endless(made, use):
            return False
        self.c.used.add(feature)
        return True

    def _is_endless(self, made: Chain, use: str) -> bool:
        """Iterating over what has ``__getitem__`` and no ``__iter__`` asks it for ever higher numbers."""
        return use in _PROTOCOL_USES and (made.path in self.indexed or "getitem" in self.protocols)

    def _understands(self, made: Chain, step: str) -> bool:
        kind = made.kind
        if step == "await":
            return kind == "coroutine"
        if kind in ("coroutine", "plain", "leaf"):
            return False
        if self.spec == "function" and made.path == () and step != "call":
            return False
        if step == "call" and made.path == () and self.fixed_kind.startswith("NonCallable"):
            return False
        if step == "subscript":
            return kind in ("MagicMock", "AsyncMock", "NonCallableMagicMock") and self._protocol(
                made.path, "getitem"
            )
        if step == "call":
            return not kind.startswith("NonCallable")
        return kind not in ("function", "async-function")

    def _protocol(self, path: Path, name: str) -> bool:
        return not (self._specced(path) and self.spec != "none") or name in self.protocols

    def _step(self, made: Chain, step: str) -> Chain:
        if step == "await":
            return made.awaited()
        if step == "subscript":
            path = (*made.path, "[]")
            return Chain(f"{made.text}[0]", path, made.awaits, self.kinds.get(path, "MagicMock"))
        if step in ("call-method", "attribute"):
            name = self.member() if self._specced(made.path) else self.c.one(FREE)
            path = (*made.path, f".{name}")
            kind = self.kinds.get(path) or self._attribute_kind(made, name)
            made = Chain(f"{made.text}.{name}", path, made.awaits, kind)
            if step == "attribute" or path in self.plain:
                return made
            if not self._understands(made, "call") and not self.misuses(made, "call"):
                return made
        path = (*made.path, "()")
        kind = self.kinds.get(path) or ("MagicMock" if "function" in made.kind else made.kind)
        if made.kind == "coroutine":
            kind = "MagicMock"
        if (
            made.path == ()
            and self.makes_instances
            and path not in self.kinds
            and "call" not in self.protocols
        ):
            kind = "NonCallableMagicMock"
        arguments = self.arguments(made.path)
        call = Chain(f"{made.text}({arguments})", path, made.awaits, "plain" if path in self.plain else kind)
        if made.kind in ("AsyncMock", "async-function") or (
            made.path == () and self.callee in ("fetch", "get")
        ):
            call.kind, call.later = "coroutine", call.kind
        return call

    def _attribute_kind(self, made: Chain, name: str) -> str:
        own = made.kind.replace("NonCallable", "")
        if self.spec == "names" and made.path == ():
            return "MagicMock" if own == "AsyncMock" else own
        if self.spec == "none" or not self._specced(made.path):
            return own if own != "coroutine" else "MagicMock"
        member = MEMBERS.get(name)
        if member is None:
            return own
        if member.kind in ("async", "classmethod"):
            return "async-function" if self.auto else "AsyncMock"
        if self.auto:
            return "leaf" if member.kind in ("attribute", "property") else "function"
        return "MagicMock" if own == "AsyncMock" else own

    def _specced(self, path: Path) -> bool:
        return path == () or (path == ("()",) and self.makes_instances)

    def _kind_at(self, path: Path) -> str:
        """What is likely to be at a path."""
        made = self.root()
        if not path:
            return "AsyncMock" if self.callee in ("fetch", "get") else made.kind
        for end in range(1, len(path) + 1):
            step = path[end - 1]
            kind = self._attribute_kind(made, step[1:]) if step.startswith(".") else made.kind
            made = Chain(made.text, path[:end], False, self.kinds.get(path[:end], kind))
        return made.kind

    def target(self) -> tuple[str, Path]:
        """What a configuration is about: a child of the double, up to two steps down."""
        text, path = "$m", ()
        if self.spec == "function":
            if self.plain.keys().isdisjoint({("()",), ("()", ".first")}) and self.c.maybe("config:depth", 50):
                return "$m.return_value.first", ("()", ".first")
            return "$m", ()
        for _ in range(self.c.one((1, 1, 2))):
            if (
                path in self.plain
                or (self.wraps and path)
                or (self.auto and path and path != ("()",) and not self.careless())
            ):
                break
            name = self.member() if self._specced(path) else self.c.one(FREE)
            text, path = f"{text}.{name}", (*path, f".{name}")
            if self.c.maybe("config:depth", 20):
                text, path = f"{text}.return_value", (*path, "()")
        known = any(path[:end] in self.plain for end in range(1, len(path) + 1))
        return ("$m", ()) if known or path[:1] in self.properties else (text, path)

    # --- values

    def value(self, path: Path) -> str:
        """A value to give to a double; what the path then is."""
        kind = self.c.feature((3, "value:plain"), (3, "value:mock"), (1, "value:sentinel"))
        if path in self.effective:
            # A side effect decides what the call gives, whatever is to be returned.
            if kind == "value:mock":
                self.beneath.discard(path)
                return self.constructor(None)
            self.beneath.add(path)
            return PLAIN["None"][0]
        self._forget(path)
        if kind == "value:mock":
            return self.constructor(path)
        name = "sentinel" if kind == "value:sentinel" else self.c.one([k for k in PLAIN if k != "sentinel"])
        self.plain[path] = name
        return PLAIN[name][0]

    def _forget(self, path: Path) -> None:
        for known in [*self.plain, *self.kinds]:
            if known[: len(path)] == path:
                self.plain.pop(known, None)
                self.kinds.pop(known, None)
        self.opaque = {known for known in self.opaque if known[: len(path)] != path}

    def constructor(self, path: Path | None) -> str:
        """An unspecced mock; ``path``: where it will be."""
        kind = self.c.feature(
            (4, "MagicMock"),
            (3, "AsyncMock"),
            (2, "Mock"),
            (1, "NonCallableMock"),
            (1, "NonCallableMagicMock"),
        )
        if path is not None:
            self.kinds[path] = kind
        return f"{kind}()"

    def effect(self, path: Path) -> str:
        """A side effect, which decides what a call of the path gives."""
        result = (*path, "()")
        coroutine_function = "effect:coroutine-function"
        if self._kind_at(path) not in ("AsyncMock", "async-function"):
            coroutine_function += "-of-sync"
        kind = self.c.feature(
            (2, "effect:lambda"), (2, "effect:function"), (2, coroutine_function), (1, "effect:exception"),
            (2, "effect:iterable"), (1, "effect:none"),
        )  # fmt: skip
        if kind == "effect:none":
            if result in self.effective:
                self.effective.discard(result)
                self._forget(result)
                if result in self.beneath:
                    self.plain[result] = "None"
                else:
                    self.opaque.add(result)
            return "None"
        self._forget(result)
        self.effective.add(result)
        if kind == "effect:exception":
            self.opaque.add(result)
            return self.c.one(("ValueError", 'ValueError("no")', "[ValueError]"))
        plain = self.c.one(("int", "dict", "list"))
        self.plain[result] = plain
        written = PLAIN[plain][0]
        if kind == "effect:iterable":
            return f"[{written}, {written}]"
        if kind == "effect:lambda":
            return f"lambda *args, **kwargs: {written}"
        name = "answer" if kind == "effect:function" else "answer_later"
        keyword = "def" if kind == "effect:function" else "async def"
        name = f"{name}_{plain}"
        self._define(f"{keyword} {name}(*args, **kwargs):\n    return {written}")
        return name

    def _define(self, text: str) -> None:
        if text not in self.test_definitions:
            self.test_definitions.append(text)

    # --- configuration

    def configuration(self) -> list[Line]:
        lines: list[Line] = []
        for _ in range(self.c.one((0, 0, 1, 1, 2, 3))):
            lines.extend(self.configure())
        return lines

    def configure(self) -> list[Line]:
        if self.kind == "function":
            if self.c.feature((2, "config:return_value"), (1, "config:side_effect")) == "config:return_value":
                return [Line(f"$m.return_value = {self.value(('()',))}")]
            return [Line(f"$m.side_effect = {self.effect(())}")]
        kind = self.c.feature(
            (5, "config:return_value"), (4, "config:side_effect"), (3, "config:child"), (1, "config:del"),
            (2, "config:configure_mock"), (1, "config:attach"), (1, "config:reset"), (1, "config:reset-all"),
            (3, "config:magic"), (2, "config:root"), (1, "config:seal"), (1, "config:property"),
        )  # fmt: skip
        if kind == "config:root":
            if self.c.maybe("config:root-effect", 40):
                return [Line(f"$m.side_effect = {self.effect(())}")]
            return [Line(f"$m.return_value = {self.value(('()',))}")]
        if kind == "config:reset":
            return [Line("$m.reset_mock()")]
        if kind == "config:reset-all" and self.iterated:
            # ``async for`` over what is left of an ``__aiter__`` never ends.
            return [Line("$m.reset_mock()")]
        if kind == "config:reset-all":
            for known in [*self.plain, *self.kinds]:
                if not known[-1].startswith("."):
                    self._forget(known)
            return [Line("$m.reset_mock(return_value=True, side_effect=True)")]
        if kind == "config:seal":
            return [Line("seal($m)")]
        if kind == "config:magic":
            return self.magic()
        text, path = self.target()
        if kind == "config:property":
            if not text.startswith("$m.") or text.count(".") > 1:
                text, path = "$m.build", (".build",)
                if self.spec == "class":
                    self.members["build"] = None
            value = self.value(path)
            self.properties.add(path)
            return [Line(f"type($m){text.removeprefix('$m')} = PropertyMock(return_value={value})")]
        if kind == "config:return_value":
            return [Line(f"{text}.return_value = {self.value((*path, '()'))}")]
        if kind == "config:side_effect":
            return [Line(f"{text}.side_effect = {self.effect(path)}")]
        if kind == "config:child" and path:
            return [Line(f"{text} = {self.value(path)}")]
        if kind == "config:attach":
            name = (
                path[-1].removeprefix(".")
                if path and path[-1] != "()"
                else "get"
                if self.spec == "class"
                else "first"
            )
            if name == "get" and self.spec == "class":
                self.members["get"] = None
            owner = text.rpartition(".")[0]
            attached = (*path[:-1], f".{name}") if path else (".first",)
            if not path or path[-1] == "()":
                owner, attached = "$m", (f".{name}",)
            if attached[:1] in self.properties:
                return [Line(f"$m.return_value = {self.value(('()',))}")]
            self._forget(attached)
            return [Line(f'{owner}.attach_mock({self.constructor(attached)}, "{name}")')]
        if not path:
            return [Line(f"$m.return_value = {self.value(('()',))}")]
        if kind == "config:del":
            if path[-1] == "()":
                text, path = text.removesuffix(".return_value"), path[:-1]
            return [Line(f"del {text}")]
        dotted = text.removeprefix("$m.")
        return [Line(f'$m.configure_mock(**{{"{dotted}.return_value": {self.value((*path, "()"))}}})')]

    def magic(self) -> list[Line]:
        owner = self.root()
        if not self.c.maybe("magic:root", 50):
            text, path = self.target()
            owner = Chain(text, path, False, self._kind_at(path) if path else owner.kind)
        text, path = owner.text, owner.path
        name = self.c.feature(
            (3, "__aenter__"), (2, "__aiter__"), (2, "__enter__"), (2, "__iter__"), (1, "__getitem__"), (1, "__len__"),
        )  # fmt: skip
        use = {"__aenter__": "use:async-with", "__enter__": "use:with", "__aiter__": "use:async-for"}.get(
            name, "use:for"
        )
        if not self._enters(owner, use) and not self.misuses(owner, "magic"):
            return [Line(f"{text}.return_value = {self.value((*path, '()'))}")]
        if name == "__getitem__":
            self.indexed.add(path)
        self.iterated |= "iter" in name
        step = {"__aenter__": "@aenter", "__enter__": "@enter", "__iter__": "@iter", "__aiter__": "@aiter"}
        inner = (*path, step.get(name, "[]" if name == "__getitem__" else "@len"))
        if name in ("__iter__", "__aiter__", "__len__"):
            self._forget(inner)
            self.plain[inner] = "int"
            value = "3" if name == "__len__" else "[1, 2]"
        else:
            value = self.value(inner)
        if self.c.maybe("magic:function", 15) and name in ("__len__", "__getitem__", "__enter__"):
            parameters = "self, key" if name == "__getitem__" else "self"
            return [Line(f"{text}.{name} = lambda {parameters}: {value}")]
        if self.c.maybe("magic:mock", 25):
            kind = self.c.feature(
                (2, "magic:AsyncMock"), (2, "magic:MagicMock"), (1, "magic:Mock")
            ).partition(":")[2]
            if name == "__iter__":
                # A list is no iterator, which nothing in the contract is about.
                value = f"iter({value})"
            return [Line(f"{text}.{name} = {kind}(return_value={value})")]
        return [Line(f"{text}.{name}.return_value = {value}")]

    # --- uses

    def variable(self) -> str:
        self.variables += 1
        return f"r{self.variables}"

    def block(self, starts: list[Chain], most: int, depth: int = 0) -> list[Line]:
        """Statements that use the double; what they bind is added to ``starts``."""
        lines: list[Line] = []
        for _ in range(self.c.number(1, most)):
            lines.extend(self.use(starts, depth))
        return lines

    def use(self, starts: list[Chain], depth: int) -> list[Line]:
        start = self.c.one([self.root() if chain.path == () else chain for chain in starts])
        start = Chain(start.text, start.path, False, start.kind, start.later)
        kind = self.c.feature(*_USES, *(_ASSERTING if self.asserting else ()))
        if kind in (
            "use:assertion",
            "use:await-assertion",
            "use:misspelled",
            "use:not-called-assertion",
            "use:record",
        ):
            return self.assertion(kind, depth)
        if kind in ("use:try", "use:raises"):
            return self.guarded(kind, starts, depth)
        if kind in ("use:isawaitable", "use:iscoroutinefunction") and self.place == "in:test":
            if not self.c.maybe("test:isawaitable", 100):
                kind = "use:value"
        made = self.chain(start)
        if made.kind == "coroutine" and kind not in _TAKES_COROUTINES and not self.misuses(made, kind):
            made = made.awaited()
        if kind in _COROUTINES and made.kind != "coroutine" and not self.misuses(made, kind):
            kind = "use:value"
        if (
            kind in _PROTOCOL_USES
            and made.kind != "coroutine"
            and not self._enters(made, kind)
            and not self.misuses(made, kind)
        ):
            kind = "use:value"
        if made.path in self.plain and kind not in _AWAITING and self.c.maybe("plain-value-use", 70):
            use = self.c.one(PLAIN[self.plain[made.path]][1]).format(made.text)
            return [Line(f"{self.variable()} = {use}", depth, made.awaits)]
        if (made.path in self.plain or made.path in self.opaque) and kind not in _ON_PLAIN:
            kind = "use:value"
        handler: Callable[[Chain, list[Chain], int], list[Line]] = getattr(
            self, "_" + kind.removeprefix("use:").replace("-", "_")
        )
        return handler(made, starts, depth)

    def _enters(self, made: Chain, use: str) -> bool:
        """Is the value likely to have what this use needs?"""
        if made.path in self.plain:
            return self.plain[made.path] in ("list", "str", "dict") and use in (
                "use:for",
                "use:comprehension",
            )
        if made.kind not in ("MagicMock", "AsyncMock", "NonCallableMagicMock") or made.kind == "coroutine":
            return False
        name = {"use:async-with": "aenter", "use:with": "enter", "use:async-for": "aiter", "use:for": "iter"}
        if use == "use:operation":
            return not self._specced(made.path) or self.spec == "none"
        return self._protocol(made.path, name.get(use, "iter"))

    def _value(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        if made.path == ():
            if (self.spec == "none" or made.kind.startswith("NonCallable")) and self._understands(
                made, "attribute"
            ):
                made = self._step(made, "attribute")
            else:
                made = self._step(made, "call")
                if made.kind == "coroutine" and not self.careless():
                    made = made.awaited()
        if self.c.maybe("use:discarded", 15):
            return [Line(made.text, depth, made.awaits)]
        name = self.variable()
        starts.append(Chain(name, made.path, False, made.kind, made.later))
        return [Line(f"{name} = {made.text}", depth, made.awaits)]

    def _return_value_attribute(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        name = self.variable()
        if made.path and made.path[-1].startswith("."):
            path = (*made.path, "()")
            if path not in self.plain:
                starts.append(Chain(name, path, False, self.kinds.get(path, made.kind)))
            return [Line(f"{name} = {made.text}.return_value", depth, made.awaits)]
        return self._value(made, starts, depth)

    def _async_with(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return self._enter("async with", "@aenter", made, starts, depth, awaits=True)

    def _with(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return self._enter("with", "@enter", made, starts, depth, awaits=made.awaits)

    def _async_for(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return self._enter("async for", "@aiter", made, starts, depth, awaits=True)

    def _for(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return self._enter("for", "@iter", made, starts, depth, awaits=made.awaits)

    def _enter(
        self, statement: str, step: str, made: Chain, starts: list[Chain], depth: int, *, awaits: bool
    ) -> list[Line]:
        name = self.variable()
        path = (*made.path, step)
        header = (
            f"{statement} {name} in {made.text}:"
            if "for" in statement
            else f"{statement} {made.text} as {name}:"
        )
        kind = self.kinds.get(path, "AsyncMock" if step == "@aenter" else "MagicMock")
        inner = [Chain(name, path, False, kind)]
        if "for" in statement and made.path in self.plain:
            self.plain[path] = "int"
            inner = list(starts)
        body = [Line("pass", depth + 1)]
        if depth < 2 and self.c.maybe("nested", 60):
            body = self.block(inner, 1, depth + 1)
        return [Line(header, depth, awaits), *body]

    def _operation(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        operation = self.c.feature(
            (2, "op:add"), (1, "op:radd"), (1, "op:neg"), (1, "op:int"), (2, "op:len"), (2, "op:list"), (1, "op:less"),
            (1, "op:in"), (1, "op:float"), (1, "op:str"), (1, "op:star"), (1, "op:unpack"), (1, "op:json"),
        )  # fmt: skip
        pattern = {
            "op:add": "{0} + 1", "op:radd": "1 + {0}", "op:neg": "-{0}", "op:int": "int({0})", "op:len": "len({0})",
            "op:list": "list({0})", "op:less": "{0} < 1", "op:in": "1 in {0}", "op:float": "float({0})",
            "op:str": "str({0})", "op:star": "[*{0}]", "op:unpack": "(*{0},)", "op:json": '"{{}}".format({0})',
        }[operation]  # fmt: skip
        if made.path in self.plain or made.path in self.opaque:
            pattern = "str({0})"
        return [Line(f"{self.variable()} = {pattern.format(made.text)}", depth, made.awaits)]

    def _gather(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return [Line(f"{self.variable()} = await asyncio.gather({made.text})", depth, True)]

    def _task(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        name = self.variable()
        return [
            Line(f"task_{name} = asyncio.create_task({made.text})", depth, True),
            Line(f"{name} = await task_{name}", depth, True),
        ]

    def _wait_for(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return [Line(f"{self.variable()} = await asyncio.wait_for({made.text}, 5)", depth, True)]

    def _stored_coroutine(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        stored, name = f"later{self.variables}", self.variable()
        starts.append(Chain(name, made.path, False, made.later or "MagicMock"))
        return [
            Line(f"{stored} = {made.text}", depth, made.awaits),
            Line(f"{name} = await {stored}", depth, True),
        ]

    def _isawaitable(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        name = self.variable()
        starts.append(Chain(name, made.path, False, made.later or made.kind))
        return [
            Line(f"{name} = {made.text}", depth, made.awaits),
            Line(f"if inspect.isawaitable({name}):", depth),
            Line(f"{name} = await {name}", depth + 1, True),
        ]

    def _iscoroutinefunction(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        module = self.c.one(("inspect", "asyncio"))
        function, name = f"function{self.variables}", self.variable()
        if not self._understands(made, "call"):
            return self._value(made, starts, depth)
        if made.path in self.plain or made.path in self.opaque:
            return self._value(made, starts, depth)
        called = self._step(made, "call")
        starts.append(Chain(name, called.path, False, called.later or called.kind))
        arguments = self.arguments(made.path)
        return [
            Line(f"{function} = {made.text}", depth, made.awaits),
            Line(f"if {module}.iscoroutinefunction({function}):", depth),
            Line(f"{name} = await {function}({arguments})", depth + 1, True),
            Line("else:", depth),
            Line(f"{name} = {function}({arguments})", depth + 1),
        ]

    def _hasattr(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        name = self.variable()
        attribute = self.c.one(("__await__", "get", "__aenter__"))
        inner = "await {0}" if made.kind == "coroutine" or self.misuses(made, "guarded-await") else "str({0})"
        return [
            Line(f"{name} = {made.text}", depth, made.awaits),
            Line(f'if hasattr({name}, "{attribute}"):', depth),
            Line(f"{name} = {inner.format(name)}", depth + 1, inner.startswith("await")),
        ]

    def _isinstance(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        name = self.variable()
        if made.kind != "coroutine" and not self.misuses(made, "guarded-await"):
            return self._value(made, starts, depth)
        kind = self.c.one(("str", "dict", "Client" if self.spec == "class" else "int"))
        return [
            Line(f"{name} = {made.text}", depth, made.awaits),
            Line(f"if not isinstance({name}, {kind}):", depth),
            Line(f"{name} = await {name}", depth + 1, True),
        ]

    def _comprehension(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return [Line(f"{self.variable()} = [item for item in {made.text}]", depth, made.awaits)]

    def _async_comprehension(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return [Line(f"{self.variable()} = [item async for item in {made.text}]", depth, True)]

    def _truth(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        name = self.variable()
        if made.kind != "coroutine" and not self.misuses(made, "guarded-await"):
            return self._value(made, starts, depth)
        return [
            Line(f"{name} = {made.text}", depth, made.awaits),
            Line(f"if {self.c.one(('', 'not '))}{name}:", depth),
            Line(f"await {name}", depth + 1, True),
        ]

    def _compare(self, made: Chain, starts: list[Chain], depth: int) -> list[Line]:
        return [
            Line(
                f"{self.variable()} = {made.text} {self.c.one(('is None', '== 1', '!= 1'))}",
                depth,
                made.awaits,
            )
        ]

    def assertion(self, kind: str, depth: int) -> list[Line]:
        """On the double or a child of it. A correct one may well fail: that is no finding, and ends the program."""
        made = self.root()
        if self.spec != "function" and self.c.maybe("assert:child", 70):
            made = self._step(made, "attribute")
        if made.path in self.plain or made.path in self.opaque:
            return [Line(f"{self.variable()} = {made.text}", depth)]
        is_async = made.kind in ("AsyncMock", "async-function") or (
            made.path == () and self.callee in ("fetch", "get") and self.auto
        )
        record = "await" if self.c.allowed("await-record") else "call"
        if record == "await" and not is_async and not self.misuses(made, "await-record"):
            record = "call"
        if kind == "use:record" and not is_async and (self.spec != "none" or self.guarding):
            record = "call"
        if self.guarding and kind in ("use:misspelled", "use:not-called-assertion"):
            # What is looked at below ``try`` is looked at to see whether it is there.
            kind = "use:assertion"
        if kind == "use:record":
            vain = "" if record == "call" or is_async else "  # vain: US105"
            return [Line(f"{self.variable()} = {made.text}.{record}_count{vain}", depth)]
        if kind in ("use:assertion", "use:await-assertion"):
            word = "awaited" if record == "await" and kind == "use:await-assertion" else "called"
            method = f"assert_{word}()" if self.c.maybe("assert:may-fail", 15) else f"assert_not_{word}()"
        elif kind == "use:misspelled":
            method = self.c.feature((1, "misspelled:raises"), (1, "misspelled:version"))
            if method == "misspelled:raises":
                method = self.c.one(
                    ("assert_called_onec()", "asert_called_once()", "assert_called_once_wiht(1)")
                )
            else:
                method = self.c.one(("called_once_with(1)", "called_with(1)")) + "  # vain: US401"
        else:
            method = "assert_called_once  # vain: US402"
        return [Line(f"{made.text}.{method}", depth)]

    def guarded(self, kind: str, starts: list[Chain], depth: int) -> list[Line]:
        if depth >= 2:
            return self.use(starts[:1], depth) if depth < 4 else [Line("pass", depth)]
        around, self.guarding = self.guarding, True
        body = self.block(list(starts), 1, depth + 1)
        self.guarding = around
        exception = self.c.one(("TypeError", "AttributeError", "(TypeError, AttributeError)", "ValueError"))
        if kind == "use:raises":
            return [Line(f"with pytest.raises({exception}):", depth), *body]
        handler = (
            self.c.one(("pass", "$m.first()"))
            if self.spec == "none" and self._understands(self.root(), "call-method")
            else "pass"
        )
        return [Line("try:", depth), *body, Line(f"except {exception}:", depth), Line(handler, depth + 1)]


_USES = (
    (8, "use:value"), (4, "use:async-with"), (3, "use:async-for"), (2, "use:with"), (2, "use:for"),
    (3, "use:operation"), (1, "use:gather"), (1, "use:task"), (1, "use:wait_for"), (2, "use:stored-coroutine"),
    (2, "use:isawaitable"), (1, "use:iscoroutinefunction"), (1, "use:hasattr"), (1, "use:isinstance"),
    (2, "use:try"), (2, "use:raises"), (1, "use:comprehension"), (1, "use:async-comprehension"), (1, "use:truth"),
    (1, "use:compare"), (1, "use:return-value-attribute"),
)  # fmt: skip
_ASSERTING = (
    (3, "use:assertion"), (2, "use:await-assertion"), (1, "use:record"), (1, "use:misspelled"),
    (1, "use:not-called-assertion"),
)  # fmt: skip
_COROUTINES = frozenset({"use:gather", "use:task", "use:wait_for", "use:stored-coroutine"})
"""What needs a coroutine."""
_TAKES_COROUTINES = _COROUTINES | {"use:isawaitable", "use:hasattr", "use:truth", "use:compare", "use:value"}
_PROTOCOL_USES = frozenset(
    {
        "use:async-with", "use:with", "use:async-for", "use:for", "use:operation", "use:comprehension",
        "use:async-comprehension",
    }
)  # fmt: skip
_AWAITING = frozenset({"use:async-with", "use:async-for", "use:stored-coroutine", "use:gather"})
_ON_PLAIN = _AWAITING | {"use:value", "use:isawaitable", "use:compare", "use:truth", "use:operation"}
