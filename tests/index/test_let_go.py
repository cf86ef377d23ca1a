"""What a check lets go of leaves memory at once, and is read again when somebody asks."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from understudy.engine import Project
from understudy.project.config import Config

_MOST = 4
_TEXT = """class C:
    def method(self, value):
        return value.attribute


def function(session):
    found = session.execute()
    return found.first()
"""


def test_trees_need_no_garbage_collector(tmp_path: Path) -> None:
    paths = [tmp_path / f"m{number}.py" for number in range(2 * _MOST)]
    for path in paths:
        path.write_text(_TEXT)
    project = Project(tmp_path.resolve(), Config())
    workspace = project.workspace
    trees: list[weakref.ref[object]] = []
    gc.collect()
    gc.disable()
    try:
        for path in workspace.files():
            project.analyse(path)
            trees += [weakref.ref(unit.node) for unit in workspace.parsed(path).units]
        workspace.let_go(_MOST, ())
        alive = [tree() is not None for tree in trees]
    finally:
        gc.enable()
    # Those that were asked for last stay.
    assert alive == [False] * 2 * (len(paths) - 3) + [True] * 2 * 3


def test_what_was_let_go_of_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("from unittest.mock import Mock\n\n\ndef test_it():\n    Mock().assert_called_onec()\n")
    project = Project(tmp_path.resolve(), Config())
    first = project.analyse(path)
    project.workspace.let_go_of(path)
    project.workspace.let_go(0, ())
    assert [finding.code for finding in first.findings] == ["US401"]
    assert project.analyse(path).findings == first.findings


def test_a_file_that_does_not_parse_stays_one_when_its_tree_is_gone(tmp_path: Path) -> None:
    broken, user = tmp_path / "broken.py", tmp_path / "user.py"
    broken.write_text("class Thing:\n    pass\n\n\nnames = = 1\n")
    user.write_text("from broken import Thing, names\n")
    project = Project(tmp_path.resolve(), Config())
    project.analyse(broken)
    # As in a large workspace: the names are asked for anew, the text is still there.
    project.workspace.parsed(broken).forget()
    project.workspace._modules.clear()
    assert project.analyse(user).findings == ()


def test_names_stay_without_the_text(tmp_path: Path) -> None:
    paths = [tmp_path / f"m{number}.py" for number in range(2 * _MOST)]
    for path in paths:
        path.write_text(_TEXT)
    workspace = Project(tmp_path.resolve(), Config()).workspace
    texts: dict[Path, weakref.ref[object]] = {}
    for path in workspace.files():
        texts[path] = weakref.ref(workspace.parsed(path).text)
        module = workspace.module(path)
        assert module is not None
        # Of some, all is asked for; the others are read on demand, from their text.
        if path.stem <= "m3":
            assert len(module.facts.units) == 2
    del module
    for _ in range(2):
        workspace.let_go(1, ())
    gc.collect()
    assert {path.stem for path, text in texts.items() if text() is None} == {"m0", "m1", "m2", "m3"}
    for path in workspace.files():
        module = workspace.module(path)
        assert module is not None
        assert set(module.bindings) == {"C", "function"}
