"""A file that is only outlined says what a file that is parsed says."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path

import pytest
from understudy.facts import model
from understudy.facts.extract import OnDemand, extract
from understudy.index.module import Module
from understudy.source.outline import stretches
from understudy.source.parse import Parsed, first_line, outlined, parse
from understudy.source.text import SourceError, Text, read

HERE = Path("/project/service.py")
LIBRARY = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))

TRICKY = '''\
"""A module with code in its text.

def not_this():
    pass

class NorThis:
    pass
"""
import os, sys; x = 1

@first
@second(
    "é"
)  # with a comment
# and another one

async def decorated(a, b=")"):
    text = """
def inside(): ...
"""
    other = "it's # no comment"
    return f"{a!r}" + \'\'\'
class Inside: ...
\'\'\'

TABLE = {
    "a": 1,
}
if x:
    def under(): ...
else:
    class Under: ...
long = 1 + \\
2
class Last(Base, key="(") : pass
def one(): return 1; return 2
# the end
'''


def names(tree: ast.Module) -> list[tuple[int, str]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [(first_line(node) - 1, node.name) for node in tree.body if isinstance(node, kinds)]


def outline(text: Text) -> list[tuple[int, str]] | None:
    found = stretches(text.content, text.starts)
    return None if found is None else [(each.first, each.name) for each in found if each.name is not None]


def dumped(parsed: Parsed) -> list[object]:
    return [
        (unit.row, unit.end_row, unit.name, unit.span(unit.node), ast.dump(unit.node))
        for unit in parsed.units
    ]


@pytest.mark.parametrize("path", LIBRARY[::3], ids=lambda path: path.stem)
def test_functions_and_classes_of_the_standard_library(path: Path) -> None:
    try:
        text = read(path)
    except SourceError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = names(ast.parse(text.content))
    assert outline(text) in (expected, None)


def test_most_of_the_library_can_be_outlined() -> None:
    known = [outline(read(path)) is not None for path in LIBRARY]
    assert sum(known) > 0.95 * len(known) > 100


def test_what_is_hard_to_tell() -> None:
    text = Text(TRICKY)
    assert outline(text) == names(ast.parse(TRICKY)) != []
    assert dumped(outlined(HERE, text)) == dumped(parse(HERE, text))


@pytest.mark.parametrize(
    "content",
    [
        "def f():\r\n    pass\r\n",
        "def f():\n    pass\n\fdef g(): ...\n",
        "@first(\n'a',\n)\ndef f(): ...\n",
        "def f():\n    return [\n1,\n]\ndef g(): ...\n",
        "def f():\n    x = 1 + \\\n2\ndef g(): ...\n",
        "x = (\n1\n)\ndef g(): ...\n",
        "def f(): ...\nx = (\n",
        "@first\nx = 1\ndef f(): ...\n",
        "def f(): ...\n    @last\n",
        "",
        "\n\n# nothing\n",
        "def f(): ...",
        "#é\ndef f(): '日本'; x\n",
        '"""é"""\ndef f(x):\n    return f"{x["' + "a" * 200 + "\n",
        "'''é'''\ndef f(x):\n    return f'{x['" + "a" * 200 + "\n",
    ],
)
def test_trees_are_those_of_the_parser(content: str) -> None:
    text = Text(content)
    found = outlined(HERE, text)
    found.complete()
    assert dumped(found) == dumped(parse(HERE, text))
    assert found.problems == parse(HERE, text).problems
    assert extract(found) == extract(parse(HERE, text))


def test_facts_are_the_same_whenever_they_are_read() -> None:
    for content in (
        TRICKY,
        "from a import *\nclass A:\n    def f(self): import b\n\n\ndef f():\n    global g\n    g = 1\n",
    ):
        text = Text(content)
        whole = Module(HERE, "service", extract(parse(HERE, text)), workspace=True)
        module = Module(HERE, "service", OnDemand(outlined(HERE, text)), workspace=True)
        assert list(module.bindings) == list(whole.bindings)
        assert module.imports == whole.imports
        assert module.stars == whole.stars
        assert module.set_by_functions == whole.set_by_functions
        assert {name: module.bindings[name] for name in module.bindings} == dict(whole.bindings)
        assert module.facts == whole.facts


def test_only_what_is_asked_for_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Text("import os\n\n\ndef f():\n    return 1\n\n\nclass A:\n    def g(self): ...\n")
    module = Module(HERE, "service", OnDemand(outlined(HERE, text)), workspace=True)
    parsed: list[str] = []
    real = ast.parse
    monkeypatch.setattr(ast, "parse", lambda content: parsed.append(content) or real(content))
    assert list(module.bindings) == ["os", "f", "A"]
    assert [name for name, _ in module.bindings.last_of_each("return")] == ["os", "f"]
    assert len(module.imports) == 1
    assert parsed == ["def f():\n    return 1\n\n\n"]


def test_a_function_that_does_not_parse_is_a_name_of_which_nothing_is_known() -> None:
    text = Text("import os\n\n\ndef broken(:\n    pass\n\n\ndef whole(): ...\n")
    found = outlined(HERE, text)
    module = Module(HERE, "service", OnDemand(found), workspace=True)
    (binding,) = module.bindings["broken"]
    assert isinstance(binding.declaration, model.Assign)
    assert isinstance(binding.declaration.value, model.Opaque)
    assert isinstance(module.bindings["whole"][0].declaration, model.Function)
    assert not module.dynamic
    assert [problem.row for problem in found.problems] == [3]
    assert dumped(found) == dumped(parse(HERE, text))


def test_what_is_forgotten_is_read_again() -> None:
    text = Text(TRICKY)
    for found in (outlined(HERE, text), parse(HERE, text)):
        before = dumped(found)
        nodes = [unit.node for unit in found.units]
        found.forget()
        assert dumped(found) == before
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        again = [new is not old for new, old in zip((unit.node for unit in found.units), nodes, strict=True)]
        assert again == [isinstance(node, kinds) for node in nodes]


def test_nested_too_deeply() -> None:
    """The name is there, and nothing is known of it."""
    deep = "[" * 150 + "]" * 150
    chain = "a" + ".b()" * 3000
    text = Text(f"def f(x={deep}): ...\n\n\ndef g(x={chain}): ...\n")
    module = Module(HERE, "service", OnDemand(outlined(HERE, text)), workspace=True)
    (binding,) = module.bindings["g"]
    assert isinstance(binding.declaration, model.Assign)
    assert isinstance(module.bindings["f"][0].declaration, model.Function)
