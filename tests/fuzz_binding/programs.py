"""Programs of three to eight modules with one patched name, and what becomes of them when they are run."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

FAKE, REAL, STUB = "fake", "real", "stub"
_PREFIX = "fz_"
FOLDER = "fz_pk"
"""Where the modules of some programs are: it and its parent are both source roots, so each has two names."""
_MODULE = re.compile(r"\bfz_m(?=\d)")


@dataclass
class Draft:
    """A module that is being written: its lines, and what others may use of it."""

    name: str
    head: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    callables: dict[str, str] = field(default_factory=dict)
    """Expression within the module, of something that gives a text when it is called, to the name that holds it."""
    entries: list[str] = field(default_factory=list)
    """Names of functions and classes that a test may use."""
    nested: list[str] = field(default_factory=list)
    """Dotted attributes of objects and classes of the module, some of them misspelled."""
    routes: list[str] = field(default_factory=list)
    """The module's FastAPI apps; each answers one path."""
    uses: list[tuple[str, str]] = field(default_factory=list)
    """Modules and names that its code gets something from: patches that may, or may seem to, have an effect."""

    @property
    def source(self) -> str:
        return "\n".join([*self.head, "", *self.body]) + "\n"


@dataclass(frozen=True)
class Program:
    """Files by path; the test is ``test_it.py``."""

    files: Mapping[str, str]

    def file_of(self, module: str) -> str | None:
        """The file that a module's name stands for; None for names of other modules."""
        short = module.removeprefix(f"{FOLDER}.")
        names = [f"{module}.py", f"{FOLDER}/{short}.py", f"{module}/__init__.py"]
        return next((name for name in names if name in self.files), None)

    @property
    def test(self) -> str:
        return self.files["test_it.py"]


@dataclass(frozen=True)
class Result:
    """What running a program gave."""

    outputs: tuple[str, ...]
    """What the calls under the patch returned: ``fake``, ``stub`` or ``real …``."""
    failed: str
    """The name of the exception that ended it; empty when none did."""
    patching: bool
    """It was raised by entering the patch."""


@st.composite
def programs(draw: DrawFn) -> Program:
    count = draw(st.integers(3, 8))
    drafts: list[Draft] = []
    for index in range(count):
        drafts.append(draw(_module(index, drafts)))
    stub = draw(st.one_of(st.none(), st.none(), st.none(), st.sampled_from(drafts)))
    files = {f"{d.name}.py": d.source for d in drafts} | {"test_it.py": draw(_test(drafts, stub))}
    return Program(draw(_under_two_names(files)) if draw(st.sampled_from([True, *[False] * 4])) else files)


@st.composite
def _under_two_names(draw: DrawFn, files: Mapping[str, str]) -> dict[str, str]:
    """The same modules in a folder that is a source root, as its parent is. Each file, and the patch, says which name
    it has for them."""
    made = {f"{FOLDER}/__init__.py": ""}
    for name, text in files.items():
        long_name, long_patch = draw(st.booleans()), draw(st.booleans())
        lines = [
            _MODULE.sub(f"{FOLDER}.fz_m", line)
            if (long_patch if re.search(r"patch\(\"|setattr\(\"", line) else long_name)
            else line
            for line in text.split("\n")
        ]
        made[name if name == "test_it.py" else f"{FOLDER}/{name}"] = "\n".join(lines)
    return made


def _module(index: int, before: list[Draft]) -> SearchStrategy[Draft]:
    return _definer(index) if index < 2 else _consumer(index, before)


@st.composite
def _definer(draw: DrawFn, index: int) -> Draft:
    draft = Draft(f"{_PREFIX}m{index}")
    kept = draw(st.booleans())
    if kept:
        draft.body += ["R = {}", "def reg(function):", '    R["k"] = function', "    return function", ""]
        draft.body += ["def kept():", '    return R["k"]()', ""]
        draft.entries.append("kept")
    for name in ("f", "g")[: draw(st.integers(1, 2))]:
        if kept and (name == "f" or draw(st.booleans())):
            draft.body.append("@reg")
        draft.body += [f"def {name}():", f'    return "{REAL} {draft.name}.{name}"', ""]
        draft.callables[name] = name
        draft.entries.append(name)
    if draw(st.booleans()):
        draft.body += ["def own():", "    return f()", ""]
        draft.entries.append("own")
    return draft


@st.composite
def _consumer(draw: DrawFn, index: int, before: list[Draft]) -> Draft:
    draft = Draft(f"{_PREFIX}m{index}")
    for number in range(draw(st.integers(1, 2))):
        source = draw(st.sampled_from(before))
        name = draw(st.sampled_from(sorted(source.callables)))
        held = source.callables[name]
        forms = ["from", "from as", "import", "import as", "lazy from", "lazy import", "shadowed"]
        form = draw(st.sampled_from(forms))
        if form == "from" and "." not in held and held not in draft.callables:
            draft.head.append(f"from {source.name} import {held}")
            draft.callables[held] = held
            expression, lazy = held, ""
        elif form == "from as" and "." not in held:
            alias = f"h{number}"
            draft.head.append(f"from {source.name} import {held} as {alias}")
            draft.callables[alias] = alias
            expression, lazy = alias, ""
        elif form == "shadowed" and "." not in held and held not in draft.callables:
            draft.head.append(f"from {source.name} import {held}")
            draft.callables[held] = held
            expression, lazy = held, f"from {source.name} import {held}"
        elif form == "import as":
            draft.head.append(f"import {source.name} as a{number}")
            expression, lazy = f"a{number}.{held}", ""
        elif form == "lazy from" and "." not in held:
            expression, lazy = held, f"from {source.name} import {held}"
        elif form == "lazy import":
            expression, lazy = f"{source.name}.{held}", f"import {source.name}"
        else:
            draft.head.append(f"import {source.name}")
            expression, lazy = f"{source.name}.{held}", ""
        draft.uses += [(source.name, held), (draft.name, expression)]
        draw(_use(draft, number, expression, lazy))
    if not draft.callables:
        name = f"q{index}"
        draft.body += [f"def {name}():", f'    return "{REAL} {draft.name}.{name}"', ""]
        draft.callables[name] = name
        draft.entries.append(name)
    return draft


@st.composite
def _use(draw: DrawFn, draft: Draft, number: int, expression: str, lazy: str) -> None:
    """Functions and classes of the module that call what it imported."""
    held_kinds = [
        "default",
        "table",
        "list",
        "filled",
        "updated",
        "appended",
        "signal",
        "keep",
        "made",
        "closure",
        "attribute",
        "partial",
        "variable",
        "depends",
    ]
    kinds = ["call"] if lazy else ["call", "both", *held_kinds]
    kind = draw(st.sampled_from(kinds))
    suffix = f"{draft.name.removeprefix(_PREFIX)}_{number}"
    name = f"c{suffix}"
    if kind == "call":
        draft.body += [f"def {name}():", *([f"    {lazy}"] if lazy else []), f"    return {expression}()", ""]
        draft.callables[name] = name
    elif kind == "default":
        draft.body += [f"def {name}(action={expression}):", "    return action()", ""]
    elif kind == "table":
        draft.body += [
            f'T{number} = {{"a": {expression}}}',
            f"def {name}():",
            f'    return T{number}["a"]()',
            "",
        ]
    elif kind == "list":
        draft.body += [
            f"L{number} = [None, {expression}]",
            f"def {name}():",
            f"    return L{number}[1]()",
            "",
        ]
    elif kind in ("filled", "updated", "appended"):
        filling = {"filled": '["a"] = {}', "updated": '.update({{"a": {}}})', "appended": ".append({})"}[kind]
        empty, key = ("[]", "0") if kind == "appended" else ("{}", '"a"')
        draft.body += [
            f"T{number} = {empty}",
            f"T{number}{filling.format(expression)}",
            f"def {name}():",
            f"    return T{number}[{key}]()",
            "",
        ]
    elif kind == "signal":
        draft.head.append("from blinker import Signal")
        draft.body += [
            f"s{number} = Signal()",
            f"s{number}.connect({expression})",
            f"def {name}():",
            f"    return next(iter(s{number}.receivers_for(None)))()",
            "",
        ]
    elif kind == "closure":
        draft.body += [
            f"def w{number}(action):",
            "    def run():",
            "        return action()",
            "    return run",
            "",
            f"r{number} = w{number}({expression})",
            f"def {name}():",
            f"    return r{number}()",
            "",
        ]
    elif kind == "attribute":
        draft.body += [
            f"class A{number}:",
            f"    action = staticmethod({expression})",
            f"def {name}():",
            f"    return A{number}.action()",
            "",
        ]
        draft.nested += [f"A{number}.action", f"A{number}.actoin"]
    elif kind == "made":
        draft.body += [
            f"class M{number}:",
            "    def __init__(self):",
            f"        self.action = {expression}",
            "    def go(self):",
            "        return self.action()",
            f"o{number} = M{number}()",
            f"def {name}():",
            f"    return o{number}.go()",
            "",
        ]
        draft.nested += [f"o{number}.go", f"o{number}.action", f"o{number}.goes", f"o{number}.nothing"]
    elif kind == "depends":
        draft.head.append("from fastapi import Depends, FastAPI")
        draft.body += [
            f"app{number} = FastAPI()",
            f'@app{number}.get("/{number}")',
            f"def {name}(given: str = Depends({expression})):",
            "    return given",
            "",
        ]
        draft.routes.append(f"app{number}")
        return
    elif kind == "partial":
        draft.head.append("from functools import partial")
        draft.body += [f"P{number} = partial({expression})", f"def {name}():", f"    return P{number}()", ""]
    elif kind == "variable":
        draft.body += [f"v{number} = {expression}", f"def {name}():", f"    return v{number}()", ""]
    elif kind == "both":
        draft.body += [f"def {name}():", f"    return {expression}() + {expression}()", ""]
    else:
        name = f"K{suffix}"
        draft.body += [
            f"class {name}:",
            "    def __init__(self):",
            f"        self.action = {expression}",
            "    def __call__(self):",
            "        return self.action()",
            "",
        ]
    draft.entries.append(name)


@st.composite
def _test(draw: DrawFn, drafts: list[Draft], stub: Draft | None) -> str:
    head = ["import sys", "from types import SimpleNamespace", "from unittest.mock import patch"]
    imports: list[str] = []
    before: list[str] = []
    under: list[str] = []
    for number in range(draw(st.integers(1, 3))):
        source = draw(st.sampled_from([draft for draft in drafts if draft.entries]))
        entry = draw(st.sampled_from(source.entries))
        form = draw(st.sampled_from(["import", "from", "late"]))
        if form == "from":
            imports.append(f"from {source.name} import {entry} as e{number}")
            expression = f"e{number}"
        elif form == "late":
            before.append(f"import {source.name} as l{number}")
            expression = f"l{number}.{entry}"
        else:
            imports.append(f"import {source.name}")
            expression = f"{source.name}.{entry}"
        if entry.startswith("K"):
            place = draw(st.sampled_from([before, under]))
            place.append(f"o{number} = {expression}()")
            expression = f"o{number}"
        under.append(f"outputs.append({expression}())")
    served = [(d, app) for d in drafts for app in d.routes]
    if served and draw(st.booleans()):
        source, app = draw(st.sampled_from(served))
        head.append("from fastapi.testclient import TestClient")
        imports.append(f"import {source.name}")
        under.append(
            f'outputs.append(TestClient({source.name}.{app}).get("/{app.removeprefix("app")}").json())'
        )
    target = draw(st.sampled_from(drafts))
    name = draw(st.sampled_from([*sorted(target.callables), "f", "g", *target.nested]))
    style = draw(st.sampled_from(["return_value", "new", "object", "monkeypatch"]))
    if stub is not None:
        made = f'SimpleNamespace(f=lambda: "{STUB}", g=lambda: "{STUB}")'
        how = draw(st.sampled_from(["set", "set", "setdefault", "dict", "setitem", "body"]))
        if how == "dict":
            under = [
                f'with patch.dict(sys.modules, {{"{stub.name}": {made}}}):',
                *(f"    {line}" for line in under),
            ]
        elif how == "body":
            under.insert(0, f'sys.modules["{stub.name}"] = {made}')
        elif how == "setitem" and style == "monkeypatch":
            under.insert(0, f'monkeypatch.setitem(sys.modules, "{stub.name}", {made})')
        else:
            lines = f'sys.modules["{stub.name}"] = {made}'
            if how == "setdefault":
                lines = f'sys.modules.setdefault("{stub.name}", {made})'
            imports.insert(draw(st.integers(0, len(imports))), lines)
    tried = [use for draft in drafts for use in draft.uses if draft.name in "".join([*imports, *under])]
    if tried and draw(st.booleans()):
        module, name = draw(st.sampled_from(tried))
        target = next(draft for draft in drafts if draft.name == module)
    dotted = f"{target.name}.{name}"
    body = [*before]
    owner, _, last = name.rpartition(".")
    if style == "monkeypatch":
        body += [f'monkeypatch.setattr("{dotted}", lambda: "{FAKE}")', *under]
    else:
        if style == "object":
            imports.append(f"import {target.name} as patched_module")
            holder = ".".join(["patched_module", *filter(None, [owner])])
            made = f'patch.object({holder}, "{last}", return_value="{FAKE}")'
        elif style == "new":
            made = f'patch("{dotted}", new=lambda: "{FAKE}")'
        else:
            made = f'patch("{dotted}", return_value="{FAKE}")'
        body += [f"with {made}:", *(f"    {line}" for line in under)]
    parameters = "monkeypatch" if style == "monkeypatch" else ""
    return "\n".join(
        [
            *head,
            *imports,
            "",
            "outputs = []",
            "",
            "",
            f"def test_it({parameters}):",
            *(f"    {line}" for line in body),
            "",
        ]
    )


# --- running


class _Sources(MetaPathFinder, Loader):
    """Imports the modules of a program from memory."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        file = self.program.file_of(name)
        return spec_from_loader(name, self, is_package=file.endswith("__init__.py")) if file else None

    def exec_module(self, module: types.ModuleType) -> None:
        file = self.program.file_of(module.__name__)
        assert file is not None
        exec(compile(self.program.files[file], file, "exec"), module.__dict__)


@contextmanager
def _importable(program: Program) -> Iterator[None]:
    sources = _Sources(program)
    sys.meta_path.insert(0, sources)
    try:
        yield
    finally:
        sys.meta_path.remove(sources)
        for name in [name for name in sys.modules if name == "test_it" or name.startswith(_PREFIX)]:
            del sys.modules[name]


def run(program: Program) -> Result:
    """Run the test of a program in this process, with modules of its own."""
    with _importable(program):
        outputs: list[str] = []
        patcher = pytest.MonkeyPatch()
        try:
            try:
                test = __import__("test_it")
            except Exception as error:
                return Result((), type(error).__name__, False)
            outputs = test.outputs
            try:
                if "monkeypatch" in test.test_it.__code__.co_varnames[:1]:
                    test.test_it(patcher)
                else:
                    test.test_it()
            except Exception as error:
                patching = _raised_by_patch(error)
                return Result(tuple(outputs), type(error).__name__, patching)
        finally:
            patcher.undo()
    return Result(tuple(outputs), "", False)


def _raised_by_patch(error: BaseException) -> bool:
    """Did entering a patch raise it: the trace ends in mock or monkeypatch, and not in the program?"""
    trace = error.__traceback__
    last = ""
    while trace is not None:
        last = trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
    return last.endswith(("mock.py", "monkeypatch.py")) or "pkgutil" in last
