"""What is kept from one version of a file to the next gives the findings that a fresh look gives."""

from __future__ import annotations

import ast
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from understudy.engine import Project
from understudy.finding import Finding
from understudy.project import config
from understudy.rules import registry
from understudy.source.parse import Parsed, binds_inside, parse
from understudy.source.text import Text

GOVERNANCE = Path(__file__).parents[1] / "projects" / "governance"
PATH = Path("/somewhere/test_a.py")
BROKEN = ("def broken(:", "(", ")", '"""', "x = [", "    if True:", "\tpass", "@")
SOUND = (
    "",
    "    pass",
    "x = 1",
    "import os",
    "    await session.commit()",
    "def test_new():\n    pass",
    "# note",
)


def variations(content: str, seed: int, count: int) -> Iterator[str]:
    """Versions of a text as somebody types them: lines come, go, are copied, moved and broken."""
    chance = random.Random(seed)
    lines = content.split("\n")
    for _ in range(count):
        at = chance.randrange(len(lines) + 1)
        kind = chance.randrange(7)
        if kind == 0:
            lines.insert(at, chance.choice(SOUND))
        elif kind == 1:
            lines.insert(at, chance.choice(BROKEN))
        elif kind == 2 and len(lines) > 1:
            del lines[min(at, len(lines) - 1)]
        elif kind == 3 and lines:
            source = chance.randrange(len(lines))
            lines[at:at] = lines[source : source + chance.randrange(6)]
        elif kind == 4:
            lines = content.split("\n")
        elif lines:
            at = min(at, len(lines) - 1)
            column = chance.randrange(len(lines[at]) + 1)
            end = min(len(lines[at]), column + chance.randrange(3))
            lines[at] = lines[at][:column] + chance.choice(["", "a", " ", "(", "é", ".x"]) + lines[at][end:]
        yield "\n".join(lines)


def places(parsed: Parsed) -> list[tuple[object, ...]]:
    """All that later stages read out of a parsed file."""
    found: list[tuple[object, ...]] = []
    for unit in parsed.units:
        assert unit.text is parsed.text
        for node in ast.walk(unit.node):
            if isinstance(node, (ast.expr, ast.stmt, ast.arg, ast.keyword, ast.alias)):
                found.append((type(node).__name__, tuple(unit.span(node)), binds_inside(node)))
        found.append((ast.dump(unit.node), unit.row, unit.end_row))
    return found


@pytest.mark.parametrize(
    "name", ["unit/test_agent_service.py", "unit/test_browser_service.py", "factories.py"]
)
@pytest.mark.parametrize("seed", range(2))
def test_an_edited_tree_is_the_tree_of_the_text(name: str, seed: int) -> None:
    content = (GOVERNANCE / "tests" / name).read_text("utf-8")
    parsed = parse(PATH, Text(content))
    for version in variations(content, seed, 60):
        parsed = parsed.edited(Text(version))
        fresh = parse(PATH, Text(version))
        assert bool(parsed.problems) == bool(fresh.problems)
        if not fresh.problems:
            assert places(parsed) == places(fresh)


def test_an_edited_tree_still_says_what_its_expressions_bind() -> None:
    lines = [
        "class TestA((base := object)):",
        "    def test_a(self):",
        "        a",
        "",
        "    b = (c := 1)",
        "",
    ]
    parsed = parse(PATH, Text("\n".join(lines)))
    for row, line in ((2, "        x"), (4, "    b = 1"), (3, "    d = (e := 1)"), (0, "class TestA:")):
        lines[row] = line
        version = Text("\n".join(lines))
        parsed = parsed.edited(version)
        assert places(parsed) == places(parse(PATH, version))


def test_what_an_edit_does_not_touch_is_the_same_object() -> None:
    text = "class TestA:\n    def test_a(self):\n        a\n\n    def test_b(self):\n        b\n\n\n"
    text += "def test_c():\n    c\n"
    before = parse(PATH, Text(text))
    first, third = before.units
    assert isinstance(first.node, ast.ClassDef)
    test_b, test_c = first.node.body[1], third.node
    after = before.edited(Text(text.replace("        a\n", "        a\n        more(\n        )\n")))
    assert after.units[0] is first
    assert isinstance(first.node, ast.ClassDef)
    assert first.node.body[1] is test_b
    assert first.span(test_b).row == 6
    assert after.units[1] is third
    assert third.node is test_c
    assert third.span(test_c).row == 10


def test_a_broken_statement_leaves_the_others_the_same_objects() -> None:
    parsed = parse(PATH, Text("a = 1\n\n\ndef test_b():\n    b\n\n\nd = 1\n\n\ne = 1\n"))
    e = parsed.units[3].node
    for version in ("    b(\n", "    b(c\n", "    b(c)\n"):
        parsed = parsed.edited(
            Text(parsed.text.content.replace("d = 1", "d = 2").replace("    b\n", version))
        )
        assert parsed.units[-1].node is e


CLASSES = '''\
class TestA(Base):
    """One.

    Two.
    """

    limit = 3; other = 4

    if limit:
        def helper(self):
            return "é"
    else:
        helper = None

    @pytest.mark.parametrize("a", [
        1,
    ])
    async def test_a(self, a):
        x = """
class Inner:
"""
        await self.do(x)  # after

    # between
    class Inner:
        def one(self): ...

        def two(self):
            pass
    def test_b(self):
        with a as b, \\
                c:
            pass

    try:
        import json
    except ImportError:
        json = None

    def test_c(self):
        return [
            self.a,
        ]
    # end

x = 1
class TestB: pass


def test_d(): ...
'''


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_class_edited_in_its_body_is_that_of_the_text(newline: str) -> None:
    in_class = 0
    for seed in range(400):
        parsed = parse(PATH, Text(CLASSES.replace("\n", newline)))
        for version in variations(CLASSES, seed, 2):
            text = Text(version.replace("\n", newline))
            setup = _first_statement(parsed)
            parsed = parsed.edited(text)
            fresh = parse(PATH, text)
            assert bool(parsed.problems) == bool(fresh.problems)
            if not fresh.problems:
                assert places(parsed) == places(fresh), version
            in_class += setup is not None and _first_statement(parsed) is setup
    assert in_class > 100


@pytest.mark.parametrize("above", ["", "import os\n\n\n"])
def test_a_broken_statement_of_a_class_is_named_where_it_is(above: str) -> None:
    text = f"{above}class TestA:\n    a = 1\n\n    def test_b(self):\n        b\n\n    c = 1\n\n    d = 1\n"
    parsed = parse(PATH, Text("x = 0\n" + text)).edited(Text(text))
    setup = parsed.units[-1].parts[1].node
    for version in ("        b = = 1\n", "        b = = 2\n"):
        content = text.replace("        b\n", version)
        parsed = parsed.edited(Text(content))
        row = content[: content.index("= =")].count("\n")
        assert [(problem.row, problem.column) for problem in parsed.problems] == [(row, 12)]
        assert parsed.units[-1].parts[1].node is setup


def _first_statement(parsed: Parsed) -> ast.stmt | None:
    """That of the class on top."""
    node = parsed.units[0].node if parsed.units else None
    return node.body[0] if isinstance(node, ast.ClassDef) else None


def open_project(root: Path) -> Project:
    return Project(root, config.load(root, registry.names()).config)


def shown(findings: list[Finding]) -> list[tuple[object, ...]]:
    return [(f.code, f.path, f.span, f.message, f.related, f.fixes) for f in findings]


@pytest.mark.parametrize(
    "name", ["unit/test_agent_service.py", "unit/test_browser_service.py", "unit/test_proposal_service.py"]
)
def test_findings_after_edits_are_those_of_a_fresh_look(tmp_path: Path, name: str) -> None:
    root = Path(shutil.copytree(GOVERNANCE, tmp_path / "governance"))
    path = root / "tests" / name
    content = path.read_text("utf-8")
    edited = open_project(root)
    edited.analyse(path)
    for version in variations(content, 1, 15):
        fresh = open_project(root)
        for each in (edited, fresh):
            each.workspace.open(path, Text(version))
        if edited.workspace.parsed(path).problems:
            # Recovery may keep more of a file that was whole before.
            edited.analyse(path)
            continue
        expected = fresh.finish([fresh.analyse(path)])
        assert shown(edited.finish([edited.analyse(path)])) == shown(expected), version


def model_edits(content: str) -> Iterator[str]:
    """Versions of a file of models: names of columns, tables, indexes and targets change, lines come and go."""
    edits = (
        ('relationship(back_populates="teams")', 'relationship(back_populates="team")'),
        ("confidence_score: Mapped", "confidence: Mapped"),
        ('__tablename__ = "users"', '__tablename__ = "people"'),
        ('"ix_blocked_triggers_agent_id"', '"ix_other"'),
        ("class Team(", "class Group("),
        ("class User(", "\n\nclass User("),
    )
    for before, after in edits:
        assert before in content
        content = content.replace(before, after, 1)
        yield content


def test_findings_after_edits_of_models_are_those_of_a_fresh_look(tmp_path: Path) -> None:
    root = Path(shutil.copytree(GOVERNANCE, tmp_path / "governance"))
    path = root / "backend" / "core" / "models.py"
    looked_at = [path, root / "backend" / "saas" / "models.py", root / "tests" / "unit" / "test_models.py"]
    content = path.read_text("utf-8")
    edited = open_project(root)
    edited.finish([edited.analyse(each) for each in looked_at])
    seen = set()
    for version in model_edits(content):
        path.write_text(version, "utf-8")
        edited.workspace.changed_on_disk(path)
        fresh = open_project(root)
        expected = shown(fresh.finish([fresh.analyse(each) for each in looked_at]))
        assert shown(edited.finish([edited.analyse(each) for each in looked_at])) == expected
        seen.add(str(expected))
    assert len(seen) == 6


def test_an_edit_runs_the_edited_test_again_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from understudy.doubles.collected import Test
    from understudy.doubles.run import _Session

    tests = [f"def test_{name}():\n    {name} = 1\n" for name in "abc"]
    path = tmp_path / "test_many.py"
    path.write_text("\n\n".join(["def helper():\n    pass\n", *tests]))
    run: list[str] = []
    works = _Session.run

    def noted(session: _Session, test: Test) -> object:
        run.append(test.node.name)
        return works(session, test)

    monkeypatch.setattr(_Session, "run", noted)
    project = open_project(tmp_path)

    def after(old: str, new: str) -> list[str]:
        run.clear()
        content = project.workspace.text(path).content
        assert content.count(old) == 1
        project.workspace.open(path, Text(content.replace(old, new)))
        project.analyse(path)
        return run

    project.workspace.open(path, project.workspace.text(path))
    project.analyse(path)
    assert run == ["test_a", "test_b", "test_c"]
    assert after("b = 1", "b = 12") == ["test_b"]
    assert after("b = 12", "b = 12\n    more = 1") == ["test_b"]
    # Other statements of the file are as they were while one is broken, and afterwards.
    assert after("b = 12", "b = f(") == ["test_b"]
    assert after("b = f(", "b = f()") == ["test_b"]
    assert after("    pass", "    return 1") == ["test_a", "test_b", "test_c"]
    project.workspace.changed_on_disk(tmp_path / "other.py")
    assert after("c = 1", "c = 2") == ["test_a", "test_b", "test_c"]


MODELS = """\
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String(50))
"""
AROUND = """\
from unittest.mock import MagicMock, patch

import pytest
from models import User


@pytest.fixture
def test_user():
    return User(name="a")


def test_reads(test_user):
    assert test_user.nmae == "a"


def test_sets():
    user = MagicMock(spec=User)
    user.title = "b"


def test_asks():
    user = MagicMock(spec=User)
    assert user.title


def test_patches():
    with patch("service.missing"):
        pass


def test_last():
    pass
"""


def test_what_another_part_of_the_file_says_counts_after_an_edit_of_it(tmp_path: Path) -> None:
    """A place that no edit touches may be right or wrong because of another test, a fixture or an import."""
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "service.py").write_text("here = 1\n")
    path = tmp_path / "test_around.py"
    path.write_text(AROUND)
    edited = open_project(tmp_path)

    def after(*changes: tuple[str, str]) -> list[tuple[str, int]]:
        content = AROUND
        for old, new in changes:
            assert content.count(old) == 1
            content = content.replace(old, new)
        fresh = open_project(tmp_path)
        for each in (edited, fresh):
            each.workspace.open(path, Text(content))
        found = edited.finish([edited.analyse(path)])
        assert shown(found) == shown(fresh.finish([fresh.analyse(path)]))
        return sorted((finding.code, finding.span.row + 1) for finding in found)

    everything = [("US201", 27), ("US302", 13), ("US309", 18)]
    # The fixture, though its name looks like that of a test.
    assert after(('return User(name="a")', "return object()")) == [everything[0], everything[2]]
    assert after() == everything
    assert after(("def test_last():\n    pass", "def test_last():\n    x = 1")) == everything
    # Nothing gives the field any longer, so the test that asks for it is wrong.
    assert after(('    user.title = "b"\n', "    pass\n")) == [*everything[:2], ("US309", 23)]
    assert after() == everything
    # Another test puts a stub in place of the module.
    stub = 'def test_last():\n    import sys\n    sys.modules["service"] = MagicMock()\n'
    assert ("US201", 27) not in after(("def test_last():\n    pass\n", stub))
    assert after() == everything
    # Another test sets the attribute on some object.
    assert ("US302", 13) not in after(("def test_last():\n    pass", "def test_last(o):\n    o.nmae = 1"))
    assert after() == everything
    # Another import of the class.
    found = after(("from models import User", "User = MagicMock"))
    assert {code for code, _ in found}.isdisjoint({"US302", "US309"})


def test_an_edit_drops_what_rests_on_a_pattern_that_the_file_matches_and_no_more(tmp_path: Path) -> None:
    for name in ("with.py", "without.py"):
        (tmp_path / name).write_text("needle = 1\n" if name == "with.py" else "x = 1\n")
    workspace = open_project(tmp_path).workspace
    needle = re.compile(rb"\bneedle\b")

    def made() -> tuple[object, object, list[str]]:
        found = workspace.derived("found", lambda: [path.name for path in workspace.files_with(needle)])
        texts = workspace.derived(
            "texts", lambda: [workspace.text(path).content for path in workspace.files_with(needle)]
        )
        return found, workspace.derived("other", object), texts

    first = made()
    assert first[0] == ["with.py"]
    workspace.open(tmp_path / "without.py", Text("x = 2\n"))
    assert all(now is before for now, before in zip(made(), first, strict=True))
    workspace.open(tmp_path / "with.py", Text("needle = 2\n"))
    second = made()
    assert second[1] is first[1]
    assert second[2] == ["needle = 2\n"]
    workspace.open(tmp_path / "without.py", Text("needle = 3\n"))
    assert made()[0] == ["with.py", "without.py"]
    workspace.open(tmp_path / "with.py", Text("y = 1\n"))
    assert made()[0] == ["without.py"]


@pytest.mark.parametrize("body", ["pass", "first()\n    second()", "if x:\n        first()"])
@pytest.mark.parametrize("header", ["def broken(:", "with x(:", "for x in :", "async def broken(self:"])
def test_a_broken_header_takes_its_body_and_nothing_above(header: str, body: str) -> None:
    content = f"import os\n\n\n{header}\n    {body}\n\n\ndef whole(): ...\n"
    whole = parse(PATH, Text(content.replace(header, "def broken():")))
    for parsed in (parse(PATH, Text(content)), whole.edited(Text(content))):
        assert [type(unit.node).__name__ for unit in parsed.units] == ["Import", "FunctionDef"]
        assert [problem.row for problem in parsed.problems] == [3]


def test_a_broken_method_leaves_the_class() -> None:
    content = "class A:\n    def one(self:\n        pass\n\n    def two(self): ...\n"
    (unit,) = parse(PATH, Text(content)).units
    assert isinstance(unit.node, ast.ClassDef)
    assert [getattr(child, "name", "") for child in unit.node.body][-1] == "two"
