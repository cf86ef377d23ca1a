"""Writes small programs of ordinary Python that await a double now and then.

A program is a module with ``async def run(m, …)`` and a file of tests. The code awaits *probes*, ``m.p0()`` and so on,
in the middle of loops, branches, handlers and methods. Every test gives it one probe that cannot be awaited, or one
that has only so many values; so it raises if the code gets there (so often), and passes if not. Nothing else of the
programs has to do with doubles: what is wrong here is wrong in how the machine runs ordinary code.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

CODE, TESTS = "app.py", "test_app.py"
_UNKNOWN_INT = 'int(os.environ.get("NO_SUCH_N", "{0}"))'
_UNKNOWN_STR = 'os.environ.get("NO_SUCH_S", "{0}")'
_KEYS = ('"a"', '"b"', '"c"')
_EXCEPTIONS = ("First", "Second", "Third", "ValueError", "KeyError", "IndexError", "ZeroDivisionError")
_FIELDS = ('"x"', '"y"', '"q"')
_TURNED = (".upper()", ' + "a"', "[1:]", " * 2")
_MOST_PROBES = 6


@dataclass(frozen=True)
class Program:
    """The text of the two files."""

    code: str
    tests: str

    def __str__(self) -> str:
        return f"--- {CODE}\n{self.code.strip()}\n--- {TESTS}\n{self.tests.strip()}"


def programs(seed: int, count: int, start: int = 0) -> list[Program]:
    """The same programs for the same seed, from one of them on."""
    return [Writer(random.Random(f"{seed}/{start + number}")).program() for number in range(count)]


@dataclass
class Scope:
    """What the code that is being written may use."""

    names: dict[str, list[str]] = field(default_factory=dict)
    """Variables, by type."""
    awaits: bool = False
    """May probes stand here?"""
    loops: int = 0
    gives: str = ""
    """The type of what the function returns."""
    fixed: frozenset[str] = frozenset()
    """What loops around go through: it must not grow."""
    guarded: bool = False
    """Is there a ``try`` around? Only then much is done that may raise: a test that fails says nothing."""

    def inside(self, *, loop: bool = False, fixed: str = "", guarded: bool = False) -> Scope:
        names = {kind: list(known) for kind, known in self.names.items()}
        guarded = guarded or self.guarded
        return Scope(names, self.awaits, self.loops + loop, self.gives, self.fixed | {fixed}, guarded)

    def of(self, kind: str) -> list[str]:
        return self.names.get(kind, [])

    def add(self, kind: str, name: str) -> str:
        known = self.names.setdefault(kind, [])
        if name not in known:
            known.append(name)
        return name


class Writer:
    """Writes one program."""

    def __init__(self, rng: random.Random) -> None:
        self.r = rng
        self.probes = 0
        self.values = 0
        """How many values the code gets from doubles."""
        self.fresh = 0
        self.helpers: list[str] = []
        self.has: set[str] = set()
        self.unknown = rng.choice([0, 1, 3, 10])
        """How much of what is read nobody knows, in percent."""

    # --- choices

    def chance(self, percent: int) -> bool:
        return self.r.random() * 100 < percent

    def risky(self, scope: Scope) -> bool:
        return scope.guarded or self.chance(6)

    def one(self, options: list[Callable[[], str]]) -> str:
        return self.r.choice(options)()

    def name(self, stem: str) -> str:
        self.fresh += 1
        return f"{stem}{self.fresh}"

    # --- the parts of a program

    def program(self) -> Program:
        things = self.things()
        helpers = {"box", "gen", "kept", "manager", "plain", "state", "sub"}
        for kind in sorted(helpers):
            if self.chance(35):
                self.has.add(kind)
        made = {kind: self.helper(kind) for kind in sorted(self.has & helpers)}
        run = self.function("run", ["n", "xs", "s"])
        parts = [
            "import contextlib\nimport functools\nimport os\nfrom dataclasses import dataclass, field\n"
            "from typing import ClassVar, Protocol, runtime_checkable",
            "class First(Exception):\n    pass",
            "class Second(First):\n    pass",
            "class Third(KeyError):\n    pass",
            "@runtime_checkable\nclass HasItems(Protocol):\n    items: list",
            "COUNT = 0",
            things,
            *made.values(),
            run,
        ]
        return Program("\n\n\n".join(parts) + "\n", self.tests())

    def things(self) -> str:
        """A class whose objects have a number, a property and methods."""
        lines = [
            "class Thing:",
            "    total = 0",
            "    def __init__(self, x):",
            "        self.x = x",
            "        self.items = []",
        ]
        setter = self.r.choice(["value + 1", "value", "0 if value > 2 else value", "self.x + value"])
        lines += [
            "    @property",
            "    def p(self):",
            f"        return self.{self.r.choice(['q', 'q', 'x'])}",
            "    @p.setter",
            "    def p(self, value):",
        ]
        if self.chance(10):
            lines += ["        if value > 2:", f"            raise {self.r.choice(_EXCEPTIONS)}(value)"]
        lines += [f"        self.q = {setter}", "    q = 1"]
        scope = Scope({"int": ["by", "self.x"], "list": ["self.items"]}, gives="int")
        lines += ["    def bump(self, by):", *self.indented(self.block(scope, 2, 2), 2)]
        lines += [f"        {self.r.choice(['self.x += by', 'self.items.append(by)', 'Thing.total += by'])}"]
        lines += [f"        return {self.number(scope, 1)}"]
        for name, body in (
            ("__bool__", "return self.x > 1"),
            ("__len__", "return len(self.items)"),
            ("__contains__", "return item == self.x"),
            ("__eq__", "return isinstance(item, Thing) and self.x == item.x"),
        ):
            if self.chance(20):
                parameter = "" if name in ("__bool__", "__len__") else ", item"
                lines += [f"    def {name}(self{parameter}):", f"        {body}"]
        self.has.add("thing")
        text = "\n".join(lines)
        if self.chance(40):
            self.has.add("below")
            text += "\n\n\nclass Below(Thing):\n    def bump(self, by):\n"
            text += f"        {self.r.choice(['by += 1', 'self.x -= 1', 'pass'])}\n"
            text += f"        return super().bump(by){self.r.choice(['', ' + 1', ' * self.x'])}"
        return text

    def helper(self, kind: str) -> str:
        if kind == "sub":
            scope = Scope({"int": ["k"], "list": ["ys"]}, awaits=True, gives="int")
            body = [*self.block(scope, 3, 2), f"return {self.number(scope, 1)}"]
            return "async def sub(m, k, ys):\n" + "\n".join(self.indented(body, 1))
        if kind == "plain":
            scope = Scope({"int": ["k"], "list": ["ys"]}, gives="int")
            body = [*self.block(scope, 3, 2), f"return {self.number(scope, 1)}"]
            default = f"={self.r.randint(0, 2)}" if self.chance(50) else ""
            return f"def plain(ys, k{default}):\n" + "\n".join(self.indented(body, 1))
        if kind == "gen":
            scope = Scope({"int": ["k"]})
            inside = scope.inside(loop=True)
            inside.add("int", "i")
            body = [*self.block(inside, 1, 1), f"yield {self.number(inside, 1)}"]
            lines = ["def gen(k):", "    for i in range(k % 4):", *self.indented(body, 2)]
            return "\n".join([*lines, *(["    yield k"] if self.chance(40) else [])])
        if kind == "state":
            # What all tests of the file share.
            return (
                'STATE = Thing(1)\nTABLE = {"a": 1}\n\n\ndef remember(k):\n    global COUNT\n    COUNT += k\n'
                '    STATE.x = k\n    TABLE["b"] = k\n    return COUNT'
            )
        if kind == "kept":
            if self.chance(50):
                return "def kept(k, seen=[]):\n    seen.append(k)\n    return len(seen)"
            scope = Scope({"int": ["k"]}, gives="int")
            body = [*self.block(scope, 2, 1), f"return {self.number(scope, 1)}"]
            return "@functools.lru_cache\ndef kept(k):\n" + "\n".join(self.indented(body, 1))
        if kind == "box":
            fields = [
                "made: ClassVar[int] = 2",
                "y: int = field(init=False, default=1)",
                "z: int = field(default=3)",
            ]
            self.r.shuffle(fields)
            return "@dataclass\nclass Box:\n    x: int\n" + "\n".join(self.indented(fields, 1))
        swallowed = self.r.choice(_EXCEPTIONS)
        if self.chance(30):
            return (
                "@contextlib.contextmanager\ndef manager(xs):\n    xs.append(1)\n"
                f"    with contextlib.suppress({swallowed}):\n        yield len(xs)\n        xs.append(2)"
            )
        if self.chance(50):
            return (
                "class manager:\n    def __init__(self, xs):\n        self.xs = xs\n"
                "    def __enter__(self):\n        self.xs.append(1)\n        return len(self.xs)\n"
                "    def __exit__(self, kind, error, trace):\n        self.xs.append(2)\n"
                f"        return kind is not None and issubclass(kind, {swallowed})"
            )
        return (
            "@contextlib.contextmanager\ndef manager(xs):\n    xs.append(1)\n    try:\n        yield len(xs)\n"
            f"    except {swallowed}:\n        xs.append(2)\n    finally:\n        xs.append(3)"
        )

    def function(self, name: str, parameters: list[str]) -> str:
        scope = Scope({"int": ["n"], "list": ["xs"], "str": ["s"]}, awaits=True, gives="int")
        body = self.beginning(scope) + self.block(scope, self.r.randint(1, 4), 3)
        while self.probes < 2 or (self.chance(50) and self.probes < _MOST_PROBES):
            body += [f"if {self.truth(scope, 2)}:", *self.indented([self.probe()], 1)]
        return f"async def {name}(m, {', '.join(parameters)}):\n" + "\n".join(self.indented(body, 1))

    def beginning(self, scope: Scope) -> list[str]:
        """Variables of each type."""
        made = []
        for kind, stem in (
            ("int", "k"), ("bool", "f"), ("bool", "g"), ("str", "t"), ("list", "ys"), ("dict", "d"), ("opt", "o"),
            ("thing", "thing"),
        ):  # fmt: skip
            if self.chance(70):
                made.append(f"{stem} = {self.value(kind, scope, 1)}")
                scope.add(kind, stem)
        return made

    # --- statements

    def block(self, scope: Scope, most: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.r.randint(1, most)):
            lines += self.statement(scope, depth)
        return lines

    def indented(self, lines: list[str], depth: int) -> list[str]:
        return ["    " * depth + line for line in lines]

    def inner(self, scope: Scope, depth: int) -> list[str]:
        return self.indented(self.block(scope, 2, depth - 1), 1)

    def probe(self) -> str:
        self.probes += 1
        return f"await m.p{self.probes - 1}()"

    def statement(self, scope: Scope, depth: int) -> list[str]:
        if scope.awaits and self.probes < _MOST_PROBES and self.chance(10 + 8 * (3 - depth)):
            return [self.probe()]
        options: list[Callable[[Scope, int], list[str]]] = [self.simple] * 8
        if depth > 0:
            options += (
                [self.if_] * 5
                + [self.for_] * 4
                + [self.while_] * 2
                + [self.try_] * 3
                + [self.with_, self.match_]
            )
            options += [self.nested] * 2
        options += [self.leave] * 2
        return self.r.choice(options)(scope, depth)

    def simple(self, scope: Scope, depth: int) -> list[str]:
        r = self.r
        options: list[Callable[[], str]] = [lambda: self.assignment(scope)] * 4
        ints = scope.of("int")
        if ints:
            options += [
                lambda: f"{r.choice(ints)} {r.choice(['+=', '-=', '*=', '+='])} {self.number(scope, 1)}"
            ] * 3
        lists = [name for name in scope.of("list") if name not in scope.fixed]
        if lists:
            options += [
                lambda: f"{r.choice(lists)}.append({self.number(scope, 1)})",
                lambda: f"{r.choice(lists)}.append({self.number(scope, 1)})",
                lambda: f"{r.choice(lists)} += {self.value('list', scope, 1)}",
                lambda: f"{r.choice(lists)}.extend({self.value('list', scope, 1)})",
                lambda: f"{r.choice(lists)}.{r.choice(['clear', 'reverse', 'sort'])}()",
                lambda: f"del {r.choice(lists)}[{r.choice([':1', '1:'])}]",
            ]
            if self.risky(scope):
                options += [
                    lambda: f"{r.choice(lists)}.pop({r.choice(['', '0'])})",
                    lambda: f"{r.choice(lists)}[{r.choice(['0', '-1', '1'])}] = {self.number(scope, 1)}",
                    lambda: f"del {r.choice(lists)}[{r.choice(['0', '-1'])}]",
                    lambda: f"{r.choice(lists)}.remove({self.number(scope, 0)})",
                ]
        dicts = [name for name in scope.of("dict") if name not in scope.fixed]
        if dicts:
            options += [
                lambda: f"{r.choice(dicts)}[{self.key(scope)}] = {self.number(scope, 1)}",
                lambda: f"{r.choice(dicts)}[{self.key(scope)}] = {self.number(scope, 1)}",
                lambda: f"{r.choice(dicts)}.pop({self.key(scope)}, None)",
                lambda: f"{r.choice(dicts)}.update({self.value('dict', scope, 1)})",
                lambda: f"{r.choice(dicts)}.setdefault({self.key(scope)}, {self.number(scope, 1)})",
                lambda: f"{r.choice(dicts)}.clear()",
            ]
            if self.risky(scope):
                options += [
                    lambda: f"del {r.choice(dicts)}[{self.key(scope)}]",
                    lambda: f"{r.choice(dicts)}.pop({self.key(scope)})",
                ]
        things = scope.of("thing")
        if things:
            options += [
                lambda: f"{r.choice(things)}.x = {self.number(scope, 1)}",
                lambda: f"{r.choice(things)}.p = {self.number(scope, 1)}",
                lambda: f"{r.choice(things)}.x += 1",
                lambda: f"{r.choice(things)}.bump({self.number(scope, 1)})",
                lambda: f'setattr({r.choice(things)}, "x", {self.number(scope, 1)})',
            ]
            if self.risky(scope):
                options.append(lambda: f"del {r.choice(things)}.x")
        if "state" in self.has and scope.awaits:
            options += [
                lambda: f"STATE.x = {self.number(scope, 1)}",
                lambda: f"TABLE[{self.key(scope)}] = {self.number(scope, 1)}",
                lambda: f"TABLE.pop({self.key(scope)}, None)",
                lambda: f"remember({self.number(scope, 1)})",
            ]
        strings = scope.of("str")
        if strings:
            options.append(lambda: f"{r.choice(strings)} += {self.value('str', scope, 1)}")
        if scope.awaits and "sub" in self.has:
            options += [lambda: self.awaited(scope)] * 2
        if scope.awaits and self.values < 3:
            options += [lambda: self.asked(scope)] * 2
        return [self.one(options)]

    def awaited(self, scope: Scope) -> str:
        call = f"await sub(m, {self.number(scope, 1)}, {self.value('list', scope, 0)})"
        return f"{self.target('int', scope)} = {call}"

    def asked(self, scope: Scope) -> str:
        self.values += 1
        value = f"await m.v{self.values - 1}()"
        return f"{self.target('int', scope)} = {value}"

    def assignment(self, scope: Scope) -> str:
        kind = self.r.choice(["int", "int", "bool", "bool", "str", "list", "dict", "opt", "thing"])
        if scope.gives == "int" and not scope.awaits and kind == "thing":
            kind = "int"
        if kind == "int" and self.chance(15) and len(scope.of("int")) > 1:
            a, b = self.r.sample(scope.of("int"), 2)
            return f"{a}, {b} = {b}, {self.r.choice([a, self.number(scope, 1)])}"
        value = self.value(kind, scope, 2)
        return f"{self.target(kind, scope)} = {value}"

    def target(self, kind: str, scope: Scope) -> str:
        known = [name for name in scope.of(kind) if name not in scope.fixed]
        if known and self.chance(75):
            return self.r.choice(known)
        return scope.add(
            kind, self.name({"int": "i", "bool": "b", "str": "t", "opt": "o"}.get(kind, kind[0]))
        )

    def if_(self, scope: Scope, depth: int) -> list[str]:
        lines = [f"if {self.truth(scope, 2)}:", *self.inner(scope.inside(), depth)]
        if self.chance(20):
            lines += [f"elif {self.truth(scope, 2)}:", *self.inner(scope.inside(), depth)]
        if self.chance(40):
            lines += ["else:", *self.inner(scope.inside(), depth)]
        return lines

    def for_(self, scope: Scope, depth: int) -> list[str]:
        r = self.r
        lists, dicts = scope.of("list"), scope.of("dict")
        options = [lambda: f"range({r.randint(0, 4)})", lambda: f"range({self.number(scope, 0)} % 5)"]
        if lists:
            options += [lambda: r.choice(lists)] * 3
            options += [lambda: f"sorted({r.choice(lists)})", lambda: f"{r.choice(lists)}[1:]"]
        if "gen" in self.has:
            options += [lambda: f"gen({self.number(scope, 0)})"] * 2
        options += [lambda: f"[{self.number(scope, 1)}, {self.number(scope, 1)}]"]
        source = self.one(options)
        variable = self.r.choice(["v", self.name("v")])
        inside = scope.inside(loop=True, fixed=source)
        form = self.r.random()
        if form < 0.1:
            start = self.r.choice(["", ", 1", ", start=2"])
            head = f"for {inside.add('int', self.name('at'))}, {variable} in enumerate({source}{start}):"
        elif form < 0.2 and dicts:
            key = self.name("key")
            source = r.choice(dicts)
            inside = scope.inside(loop=True, fixed=source)
            inside.add("str", key)
            head = f"for {key}, {variable} in {source}.items():"
        elif form < 0.3:
            other = self.name("w")
            inside.add("int", other)
            head = f"for {variable}, {other} in zip({source}, {self.value('list', scope, 1)}):"
        elif form < 0.4:
            letters = _UNKNOWN_STR.format("xyz"[: r.randint(0, 3)])
            if not self.chance(7 * self.unknown):
                letters = self.value("str", scope, 0)
            inside.add("str", variable)
            return self.looped(f"for {variable} in {letters}:", inside, scope.inside(), depth)
        else:
            head = f"for {variable} in {source}:"
        inside.add("int", variable)
        return self.looped(head, inside, scope.inside(), depth)

    def looped(self, head: str, inside: Scope, outside: Scope, depth: int) -> list[str]:
        lines = [head, *self.inner(inside, depth)]
        if self.chance(15):
            lines += ["else:", *self.inner(outside, depth)]
        return lines

    def while_(self, scope: Scope, depth: int) -> list[str]:
        counter = self.name("c")
        inside = scope.inside(loop=True)
        form = self.r.random()
        if form < 0.4:
            head = (
                f"while {counter} < {self.r.choice(['2', '3', '5', '20', self.number(scope, 0) + ' % 7'])}:"
            )
        elif form < 0.7:
            head = f"while {counter} < 5 and {self.truth(scope, 1)}:"
        else:
            head = "while True:"
        body = [f"    {counter} += 1"]
        if head == "while True:":
            body += [f"    if {counter} > {self.r.randint(1, 4)}:", "        break"]
        inside.names.setdefault("seen", []).append(counter)
        lines = [f"{counter} = 0", head, *body, *self.inner(inside, depth)]
        if self.chance(15):
            lines += ["else:", *self.inner(scope.inside(), depth)]
        return lines

    def try_(self, scope: Scope, depth: int) -> list[str]:
        lines = ["try:", *self.inner(scope.inside(guarded=True), depth)]
        if self.chance(40):
            raised = self.r.choice(_EXCEPTIONS)
            lines += self.indented(
                [f"if {self.truth(scope, 1)}:", f"    raise {raised}({self.number(scope, 0)})"], 1
            )
        handled = self.r.random()
        if handled < 0.85:
            names = self.r.choice([*_EXCEPTIONS, "Exception", "(KeyError, IndexError)", "LookupError"])
            bound = " as error" if self.chance(20) else ""
            lines += [f"except {names}{bound}:", *self.inner(scope.inside(), depth)]
            if self.chance(15):
                lines += self.indented(["raise"], 1)
            if self.chance(20):
                lines += [f"except {self.r.choice(_EXCEPTIONS)}:", *self.inner(scope.inside(), depth)]
            if self.chance(20):
                lines += ["else:", *self.inner(scope.inside(), depth)]
        if handled >= 0.85 or self.chance(25):
            final = scope.inside()
            final.loops = 0
            lines += ["finally:", *self.inner(final, depth)]
        return lines

    def with_(self, scope: Scope, depth: int) -> list[str]:
        lists = [name for name in scope.of("list") if name not in scope.fixed]
        if "manager" in self.has and lists and self.chance(60):
            bound = f" as {self.target('int', scope)}" if self.chance(50) else ""
            head = f"with manager({self.r.choice(lists)}){bound}:"
        else:
            head = f"with contextlib.suppress({self.r.choice(_EXCEPTIONS)}):"
        body = self.inner(scope.inside(guarded=True), depth)
        if self.chance(40):
            body += self.indented([f"raise {self.r.choice(_EXCEPTIONS)}"], 1)
        return [head, *body]

    def match_(self, scope: Scope, depth: int) -> list[str]:
        subject, patterns = self.patterns(scope)
        lines = [f"match {subject}:"]
        for pattern, bound in patterns:
            inside = scope.inside()
            for name in bound:
                inside.add("int", name)
            guard = f" if {self.truth(inside, 1)}" if self.chance(20) and pattern != "_" else ""
            lines += [f"    case {pattern}{guard}:", *self.indented(self.inner(inside, depth), 1)]
        return lines

    def patterns(self, scope: Scope) -> tuple[str, list[tuple[str, list[str]]]]:
        """What is matched, and with what: each with the numbers that it binds."""
        name = self.name("e")
        last: list[tuple[str, list[str]]] = [("_", [])] if self.chance(60) else []
        lists, dicts, things = scope.of("list"), scope.of("dict"), scope.of("thing")
        form = self.r.random()
        if form < 0.2 and lists:
            found = [("[]", []), (f"[{name}]", [name]), (f"[{name}, *_]", [name])]
            return self.r.choice(lists), [*self.r.sample(found, 2), *last]
        if form < 0.4 and dicts:
            return self.r.choice(dicts), [(f'{{"a": {name}}}', [name]), ('{"b": 1 | 2}', []), *last]
        if form < 0.6 and things:
            return self.r.choice(things), [("Thing(x=0)", []), (f"Thing(x={name})", [name]), *last]
        return self.number(scope, 1), [("0", []), ("1 | 2", []), (f"int() as {name}", [name]), *last]

    def nested(self, scope: Scope, depth: int) -> list[str]:
        """A function in the function, which changes a variable of it, and its calls."""
        outer = [name for name in scope.of("int") if "." not in name]
        if not outer or scope.loops:
            return self.simple(scope, depth)
        changed, name = self.r.choice(outer), self.name("step")
        is_async = scope.awaits and self.chance(40)
        inside = scope.inside()
        inside.awaits, inside.loops, inside.gives = is_async, 0, "int"
        more = self.name("more")
        inside.names = {"int": [changed, more]}
        body = [
            f"nonlocal {changed}",
            f"{changed} += {more}",
            *self.block(inside, 2, depth - 1),
            f"return {changed}",
        ]
        prefix = "async " if is_async else ""
        called = f"{'await ' if is_async else ''}{name}({self.number(scope, 0)})"
        lines = [f"{prefix}def {name}({more}={self.r.randint(0, 2)}):", *self.indented(body, 1), called]
        if self.chance(50):
            lines.append(f"{self.target('int', scope)} = {called}")
        return lines

    def leave(self, scope: Scope, depth: int) -> list[str]:
        options = [f"raise {self.r.choice(_EXCEPTIONS)}"] if self.risky(scope) else []
        if scope.gives:
            options += [f"return {self.number(scope, 1)}"] * 2
        if scope.loops:
            options += ["break", "continue"] * 2
        if not options:
            return self.simple(scope, depth)
        statement = self.r.choice(options)
        if depth == 0 or self.chance(70):
            return [f"if {self.truth(scope, 1)}:", f"    {statement}"]
        return [statement]

    # --- expressions

    def value(self, kind: str, scope: Scope, depth: int) -> str:
        known = scope.of(kind)
        if known and self.chance(25):
            return self.r.choice(known)
        if kind == "int":
            return self.number(scope, depth)
        if kind == "bool":
            return self.truth(scope, depth)
        return getattr(self, f"_{kind}")(scope, depth)

    def key(self, scope: Scope) -> str:
        strings = scope.of("str")
        return self.r.choice(strings) if strings and self.chance(20) else self.r.choice(_KEYS)

    def number(self, scope: Scope, depth: int) -> str:
        r = self.r
        ints = [*scope.of("int"), *scope.of("seen")]
        options: list[Callable[[], str]] = [lambda: str(r.randint(0, 3))] * 3
        if ints:
            options += [lambda: r.choice(ints)] * 5
        if self.chance(self.unknown):
            return _UNKNOWN_INT.format(r.randint(0, 3))
        if depth > 0:
            less = depth - 1
            operator = r.choice(["+", "-", "*", "//", "%"] if self.risky(scope) else ["+", "-", "*"])
            options += [
                lambda: f"({self.number(scope, less)} {r.choice(['//', '%'])} {r.randint(2, 3)})",
                lambda: f"({self.number(scope, less)} {operator} {self.number(scope, less)})",
                lambda: (
                    f"({self.number(scope, less)} if {self.truth(scope, less)} else {self.number(scope, less)})"
                ),
                lambda: f"{r.choice(['max', 'min'])}({self.number(scope, less)}, {self.number(scope, less)})",
                lambda: f"abs({self.number(scope, less)})",
                lambda: f"-{self.number(scope, 0)}",
            ]
            lists, dicts, things = scope.of("list"), scope.of("dict"), scope.of("thing")
            if lists:
                options += [
                    lambda: f"len({r.choice(lists)})",
                    lambda: f"sum({r.choice(lists)})",
                    lambda: f"{r.choice(lists)}.count({self.number(scope, 0)})",
                    lambda: f"max({r.choice(lists)}, default={r.randint(0, 2)})",
                ]
                if self.risky(scope):
                    options.append(lambda: f"{r.choice(lists)}[{r.choice(['0', '-1', '1'])}]")
                    if not scope.fixed & set(lists):
                        options.append(lambda: f"{r.choice(lists)}.pop()")
            if dicts:
                if self.risky(scope):
                    options.append(lambda: f"{r.choice(dicts)}[{self.key(scope)}]")
                options += [
                    lambda: f"{r.choice(dicts)}.get({self.key(scope)}, {r.randint(0, 2)})",
                    lambda: f"len({r.choice(dicts)})",
                    lambda: f"sum({r.choice(dicts)}.values())",
                ]
            if things:
                options += [
                    lambda: f"{r.choice(things)}.x",
                    lambda: f"{r.choice(things)}.p",
                    lambda: f"{r.choice(things)}.bump({self.number(scope, 0)})",
                    lambda: f"len({r.choice(things)}.items)",
                    lambda: f'getattr({r.choice(things)}, "y", {r.randint(0, 2)})',
                    lambda: "Thing.total",
                ]
            if "plain" in self.has and lists:
                options += [lambda: f"plain({r.choice(lists)}, {self.number(scope, 0)})"] * 2
            if "gen" in self.has:
                options += [lambda: f"next(gen({self.number(scope, 0)}), {r.randint(0, 2)})"]
            if "kept" in self.has and scope.awaits:
                options += [lambda: f"kept({self.number(scope, 0)})"] * 2
            if "box" in self.has and scope.awaits:
                options += [lambda: f"Box({self.number(scope, 0)}, {r.randint(0, 2)}).{r.choice('xyz')}"]
            if "state" in self.has and scope.awaits:
                options += [
                    lambda: "STATE.x",
                    lambda: f"remember({self.number(scope, 0)})",
                    lambda: f"TABLE.get({self.key(scope)}, {r.randint(0, 2)})",
                ]
            if lists:
                options += [
                    lambda: (
                        f"next((e for e in {r.choice(lists)} if e > {r.randint(0, 2)}), {r.randint(0, 2)})"
                    )
                ]
            if dicts and not scope.fixed & set(dicts):
                options += [lambda: f"{r.choice(dicts)}.pop({self.key(scope)}, {r.randint(0, 2)})"]
            if scope.of("opt"):
                options += [lambda: f"({r.choice(scope.of('opt'))} or {r.randint(0, 2)})"]
        return self.one(options)

    def truth(self, scope: Scope, depth: int) -> str:
        r = self.r
        options: list[Callable[[], str]] = [lambda: r.choice(["True", "False"])]
        bools = scope.of("bool")
        if bools:
            options += [lambda: r.choice(bools)] * 4
        comparison = r.choice(["==", "!=", "<", "<=", ">", ">="])
        options += [lambda: f"{self.number(scope, max(depth - 1, 0))} {comparison} {r.randint(0, 4)}"] * 5
        lists, dicts, opts, things, strings = (
            scope.of("list"), scope.of("dict"), scope.of("opt"), scope.of("thing"), scope.of("str")
        )  # fmt: skip
        if lists:
            options += [
                lambda: r.choice(lists),
                lambda: f"not {r.choice(lists)}",
                lambda: f"{self.number(scope, 0)} {r.choice(['in', 'not in'])} {r.choice(lists)}",
                lambda: (
                    f"{r.choice(['any', 'all'])}(e {comparison} {r.randint(0, 2)} for e in {r.choice(lists)})"
                ),
                lambda: f"{r.choice(lists)} == {self.value('list', scope, 0)}",
            ]
        if dicts:
            options += [lambda: f"{self.key(scope)} {r.choice(['in', 'not in'])} {r.choice(dicts)}"] * 2
            options += [lambda: r.choice(dicts)]
        if opts:
            options += [lambda: f"{r.choice(opts)} is {r.choice(['', 'not '])}None", lambda: r.choice(opts)]
        if things:
            options += [
                lambda: f"{r.choice(things)}.x {comparison} {r.randint(0, 3)}",
                lambda: f"{r.choice(things)}.p {comparison} {r.randint(0, 3)}",
                lambda: r.choice(things),
                lambda: f"{r.choice(things)}.items",
                lambda: f"hasattr({r.choice(things)}, {r.choice(_FIELDS)})",
                lambda: (
                    f"isinstance({r.choice(things)}, {r.choice(['Thing', 'Below' if 'below' in self.has else 'int'])})"
                ),
                lambda: f"{r.choice(things)} == {r.choice(things)}",
                lambda: f"isinstance({r.choice(things)}, HasItems)",
            ]
        if strings:
            options += [
                lambda: f"{r.choice(strings)} == {self.value('str', scope, 0)}",
                lambda: f"{r.choice(strings)}.startswith({r.choice(_KEYS)})",
                lambda: f"{r.choice(_KEYS)} in {r.choice(strings)}",
                lambda: r.choice(strings),
            ]
        if depth > 0:
            less = depth - 1
            options += [
                lambda: f"({self.truth(scope, less)} {r.choice(['and', 'or'])} {self.truth(scope, less)})",
                lambda: f"({self.truth(scope, less)} {r.choice(['and', 'or'])} {self.truth(scope, less)})",
                lambda: f"not ({self.truth(scope, less)})",
                lambda: f"0 <= {self.number(scope, less)} {comparison} 2",
                lambda: f"bool({self.number(scope, less)})",
            ]
        return self.one(options)

    def _str(self, scope: Scope, depth: int) -> str:
        options: list[Callable[[], str]] = [
            lambda: self.r.choice(['""', *_KEYS, '"ab"']),
            lambda: f"str({self.number(scope, 0)})",
            lambda: 'f"{' + self.r.choice([*scope.of("int"), "1"]) + '}"',
        ]
        if self.chance(5 * self.unknown):
            return _UNKNOWN_STR.format("ab"[: self.r.randint(0, 2)])
        if scope.of("str"):
            options += [lambda: f"{self.r.choice(scope.of('str'))}{self.r.choice(_TURNED)}"]
        return self.one(options)

    def _list(self, scope: Scope, depth: int) -> str:
        r = self.r
        options: list[Callable[[], str]] = [
            lambda: "[]",
            lambda: f"[{', '.join(self.number(scope, 0) for _ in range(r.randint(1, 3)))}]",
            lambda: f"list(range({r.randint(0, 3)}))",
        ]
        lists = scope.of("list")
        if lists and depth > 0:
            options += [
                lambda: (
                    f"[e + 1 for e in {r.choice(lists)} if e {r.choice(['>', '<', '!='])} {r.randint(0, 2)}]"
                ),
                lambda: f"{r.choice(lists)} + [{self.number(scope, 0)}]",
                lambda: f"{r.choice(lists)}[{r.choice(['1:', ':1', '::-1'])}]",
                lambda: f"sorted({r.choice(lists)})",
                lambda: f"list({r.choice(['map(abs, ', 'reversed(', '('])}{r.choice(lists)}))",
                lambda: f"[*{r.choice(lists)}, {self.number(scope, 0)}]",
            ]
        if scope.of("dict") and depth > 0:
            options.append(lambda: f"list({r.choice(scope.of('dict'))}.values())")
        if "gen" in self.has and depth > 0:
            options.append(lambda: f"list(gen({self.number(scope, 0)}))")
        return self.one(options)

    def _dict(self, scope: Scope, depth: int) -> str:
        r = self.r
        options: list[Callable[[], str]] = [
            lambda: "{}",
            lambda: "{" + f"{r.choice(_KEYS)}: {self.number(scope, 0)}" + "}",
            lambda: '{"a": ' + self.number(scope, 0) + ', "b": 1}',
            lambda: f"dict(a={self.number(scope, 0)})",
        ]
        if scope.of("dict") and depth > 0:
            options += [
                lambda: (
                    "{**" + r.choice(scope.of("dict")) + f", {r.choice(_KEYS)}: {self.number(scope, 0)}" + "}"
                ),
                lambda: "{key: value + 1 for key, value in " + r.choice(scope.of("dict")) + ".items()}",
            ]
        return self.one(options)

    def _opt(self, scope: Scope, depth: int) -> str:
        options: list[Callable[[], str]] = [lambda: "None", lambda: self.number(scope, depth)]
        if scope.of("dict"):
            options.append(lambda: f"{self.r.choice(scope.of('dict'))}.get({self.key(scope)})")
        return self.one(options)

    def _thing(self, scope: Scope, depth: int) -> str:
        made = "Below" if "below" in self.has and self.chance(40) else "Thing"
        return f"{made}({self.number(scope, 0)})"

    # --- tests

    def tests(self) -> str:
        lines = [
            "import os",
            "from unittest.mock import AsyncMock, MagicMock",
            "",
            "import app",
            "import pytest",
        ]
        for number in range(self.probes):
            lines += self.test(number, f"m.p{number} = MagicMock()")
            values = ", ".join("0" for _ in range(self.r.randint(0, 3)))
            lines += self.test(number, f"m.p{number} = AsyncMock(side_effect=[{values}])", "_often")
        return "\n".join(lines) + "\n"

    def test(self, number: int, made: str, suffix: str = "") -> list[str]:
        r = self.r
        body = ["m = AsyncMock()", made]
        for value in range(self.values):
            given = f"return_value={r.randint(0, 3)}"
            if self.chance(30):
                given = f"side_effect=[{r.randint(0, 3)}, {r.randint(0, 3)}, {r.randint(0, 3)}]"
            body.append(f"m.v{value} = AsyncMock({given})")
        numbers = ", ".join(str(r.randint(0, 3)) for _ in range(r.randint(0, 3)))
        first = (
            _UNKNOWN_INT.format(r.randint(0, 3)) if self.chance(2 * self.unknown) else str(r.randint(0, 3))
        )
        second = f"[{numbers}]" if not self.chance(2 * self.unknown) else f"[1] * {_UNKNOWN_INT.format(2)}"
        third = _UNKNOWN_STR.format("ab") if self.chance(2 * self.unknown) else r.choice(['""', *_KEYS])
        call = f"await app.run(m, {first}, {second}, {third})"
        if self.chance(10):
            expected = r.choice(["app.First", "ValueError", "KeyError", "LookupError"])
            body += [f"with pytest.raises({expected}):", f"    {call}"]
        else:
            body.append(call)
        return ["", "", f"async def test_{number}{suffix}():", *self.indented(body, 1)]
