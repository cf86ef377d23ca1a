"""The harness can fail: each kind of untruth in a page is noticed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from oracle.interpreters import RUNNING, Interpreter

from pages import harness, marks
from pages.markdown import Block, PageError, read

GOOD = """\
# A page

## Examples

### Awaited

```python
from unittest.mock import MagicMock


# runtime: TypeError: object MagicMock can't be used in 'await' expression
async def test_commit() -> None:
    session = MagicMock()
    await session.commit()  # error: [US101] can't be used in 'await'
#   ^^^^^^^^^^^^^^^^^^^^^^
```

### Not awaited

```python
from unittest.mock import MagicMock


def test_commit() -> None:
    session = MagicMock()
    session.commit()
```
"""


NOTHING = """\
```python
```

```python {fixed="test_example.py"}
```
"""


def complaints(text: str, tmp_path: Path) -> str:
    return "\n".join(harness.complaints("page.md", text, tmp_path))


def test_a_true_page_holds(tmp_path: Path) -> None:
    assert complaints(GOOD, tmp_path) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("TypeError: object", "ValueError: object", "expected: ValueError", id="exception"),
        pytest.param("object MagicMock", "object Mock", "but expected: TypeError: object Mock", id="message"),
        pytest.param("# runtime: T", "# T", "test_example.py: test_commit: TypeError", id="unmarked"),
        pytest.param("# runtime: T", "# T", "US101 is an error, but test_commit passes", id="consistency"),
        pytest.param(
            "  # error: [US101] can't be used in 'await'\n#   ^^^^^^^^^^^^^^^^^^^^^^",
            "",
            "page.md:14: not announced: error: [US101]",
            id="not announced",
        ),
        pytest.param(
            "    session.commit()\n",
            "    session.commit()  # error: [US101]\n",
            "page.md:26: US101 is announced but not found",
            id="not found",
        ),
        pytest.param(
            "#   ^",
            "#  ^^",
            "stands at columns 4-26 ('await session.commit()'), the carets at 3",
            id="column",
        ),
        pytest.param("^^^\n", "^^\n", "the carets at 4-25", id="end column"),
        pytest.param(
            "error: [US101]", "warning: [US101]", "page.md:14: US101: is error, not warning", id="severity"
        ),
        pytest.param("[US101]", "[US102]", "US102 is announced but not found", id="code"),
        pytest.param(
            "[US101] can't be used",
            "[US101] cannot be used",
            "without \"cannot be used in 'await'\"",
            id="fragment",
        ),
        pytest.param("[US101]", "[US101] (no fix)", "has safe fix, announced is no fix", id="fix"),
        pytest.param(
            "    session.commit()\n",
            "    assert not session.commit()\n",
            "test_commit: AssertionError",
            id="near miss that raises",
        ),
        pytest.param(
            "    session = MagicMock()\n    session.commit()\n",
            "    raise SystemExit(3)\n",
            "SystemExit: 3, but expected: passes",
            id="exit",
        ),
        pytest.param(
            "def test_commit() -> None:\n    session = MagicMock()\n    session.c",
            "def helper() -> None:\n    session = MagicMock()\n    session.c",
            "",
            id="no tests",
        ),
        pytest.param(
            "### Not awaited",
            f"### Fixed\n\n{NOTHING}\n### Not awaited",
            "a file after the fixes is shown, but there are no fixes",
            id="no fixes",
        ),
    ],
)
def test_untruths_are_noticed(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in GOOD
    found = complaints(GOOD.replace(old, new, 1), tmp_path)
    assert said in found
    assert bool(found) is bool(said)


def test_a_fix_that_does_not_help_is_noticed(tmp_path: Path) -> None:
    text = GOOD.replace("#   ^^^^^^^^^^^^^^^^^^^^^^\n", "    raise ValueError\n")
    found = complaints(text, tmp_path)
    assert "test_commit after the fixes: ValueError: , but expected: passes" in found
    assert found.count("\n") == 0


def test_a_second_fix_that_does_not_help_is_noticed(tmp_path: Path) -> None:
    """The first fix of US206 changes the order of the parameters, the second that of the decorators."""
    text = """\
# A page

```python {file="mail.py"}
def load():
    return 0


def send():
    return 0
```

```python
from pathlib import Path
from unittest.mock import patch

import mail

SOURCE = Path(__file__).read_text()


# runtime: AssertionError
@patch("mail.load")
@patch("mail.send")
def test_both(mock_load, mock_send):  # error: [US206]
    mock_load.return_value, mock_send.return_value = 1, 2
    assert (mail.load(), mail.send()) == (1, 2)
    assert SOURCE.index("mail.load") < SOURCE.index("mail.send")
```
"""
    found = complaints(text, tmp_path)
    assert "test_both after the fixes of rank 2: AssertionError" in found
    assert "after the fixes:" not in found


def test_what_the_fixes_leave_is_compared(tmp_path: Path) -> None:
    fixed = """\
```python {fixed="test_example.py"}
from unittest.mock import AsyncMock


async def test_commit() -> None:
    session = AsyncMock()
    await session.commit()
```
"""
    marker = "### Not awaited"
    import_kept = fixed.replace("import AsyncMock", "import AsyncMock, MagicMock")
    shown = [GOOD.replace(marker, f"{block}\n{marker}") for block in (fixed, import_kept)]
    found = [complaints(text, tmp_path / str(index)) for index, text in enumerate(shown)]
    assert sorted(bool(text) for text in found) == [False, True]
    assert any("the fixes make test_example.py something else" in text for text in found)


def test_a_file_that_cannot_be_imported(tmp_path: Path) -> None:
    page = (
        "# A page\n\n```python\n"
        "# runtime: ModuleNotFoundError: No module named 'nowhere'\nimport nowhere\n{}```\n"
    )
    assert complaints(page.format("\n\ndef test_a() -> None:\n    pass\n"), tmp_path / "1") == ""
    assert complaints(page.replace("nowhere'", "noone'").format(""), tmp_path / "2") != ""
    assert "ModuleNotFoundError" in complaints(page.replace("runtime", "what").format(""), tmp_path / "3")


def test_what_is_not_run(tmp_path: Path) -> None:
    page = """\
# A page

## Module

```python
# runtime: skipped
import pytest

pytest.skip("later", allow_module_level=True)
```

## Class

```python
class TestOld:
    __test__ = False

    # runtime: not collected
    def test_old(self) -> None:
        raise ValueError


# runtime: not collected
def test_twice() -> None:
    raise ValueError


def test_twice() -> None:
    pass
```
"""
    assert complaints(page, tmp_path / "1") == ""
    collected = complaints(page.replace("__test__ = False", "x = 1"), tmp_path / "2")
    assert "TestOld.test_old: ValueError: , but expected: not collected" in collected
    assert "expected: passes" in complaints(page.replace("# runtime: skipped", "#"), tmp_path / "3")


def test_projects_of_many_files_run_alone(tmp_path: Path) -> None:
    """Packages, ``sys.modules`` and databases: nothing of one project is seen by the next."""
    page = """\
# A page

## Examples

### Stub

```python {file="shop/__init__.py"}
```

```python {file="shop/orders.py"}
import payments

TOTAL = payments.total
```

```python {file="test_orders.py"}
import sys
from types import SimpleNamespace
from unittest.mock import patch


def test_total() -> None:
    with patch.dict(sys.modules, {"payments": SimpleNamespace(total=3)}):
        from shop.orders import TOTAL
    assert TOTAL == 3


class TestShop:
    class TestInner:
        # runtime: ModuleNotFoundError: payments
        def test_missing(self) -> None:
            __import__("payments.missing")
```

### Models

```python {file="shop.py"}
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
```

```python {file="test_models.py"}
from shop import Base
from sqlalchemy import create_engine


def test_create_all() -> None:
    Base.metadata.create_all(create_engine("sqlite://"))
```
"""
    assert complaints(page, tmp_path) == ""


def block(content: str) -> Block:
    return Block("test_a.py", content, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# A\n```python\n", "page.md:2: this block is never closed"),
        ("```python\n```\n", "page.md:1: a block before the first heading"),
        ("# A\n```py\n```\n", "page.md:2: write `python`, not `py`"),
        ('# A\n```python {fil="a.py"}\n```\n', "page.md:2: unknown attribute fil"),
        ('# A\n```python {file="a.py" fixed="a.py"}\n```\n', "not both"),
        ('# A\n```python {fixed="a.py"}\n```\n', "there is no a.py before"),
        ("# A\n```python {file=}\n```\n", "cannot read 'file='"),
        ("# A\n```python file=a.py\n```\n", "page.md:2: cannot read 'python file=a.py'"),
        ('# A\n```python {file="../a.py"}\n```\n', "is not a plain relative path"),
        ("# A\n```python\n```\n\n```python\n```\n", "page.md:5: test_example.py is there twice"),
        ("# A\n> ```python\n> ```\n", "page.md:2: a fenced block in a quote"),
    ],
)
def test_a_page_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(PageError) as caught:
        read("page.md", text)
    assert said in str(caught.value)


def test_fences() -> None:
    """Longer fences, tildes, lists and indentation, as Markdown has them."""
    page = read(
        "page.md",
        "# A\n````text\n```python\n```\n````\n"
        '~~~python {file="a.py"}\n```\nx = 1\n```\n~~~\n'
        "  ```python {file='b'}\n```\n".replace("'b'", '"b.py"')
        + "    ```python\n    shown only\n    ```\n"
        '- item\n\n    ```python {file="c.py"}\n    if x:\n        y\n    ```\n'
        '1. item\n   ```python {file="d.py"}\n   d\n   ```\n'
        "`````python\n```\n`````\n",
    )
    assert {name: block.content for name, block in page.examples[0].files.items()} == {
        "a.py": "```\nx = 1\n```\n",
        "b.py": "",
        "c.py": "if x:\n    y\n",
        "d.py": "d\n",
        "test_example.py": "```\n",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = 1  # error: US101\n", "page.md:1: cannot read"),
        ("# error: [US101]\n", "at the end of the line"),
        ("x = 1\n# ^^^\n", "page.md:2: carets belong"),
        ("x = 1  # error: [US101] # error: [US102]\n# ^\n", "2 marks, but carets for 1"),
        ("def test_a():\n    # runtime: passes\n    pass\n", "page.md:2: a runtime mark stands"),
        ("# runtime: explodes\ndef test_a():\n    pass\n", "page.md:1: cannot read the outcome 'explodes'"),
        ("def test_a(:\n", "page.md:1: this is not Python"),
    ],
)
def test_marks_that_cannot_be_read(content: str, said: str) -> None:
    with pytest.raises(PageError) as caught:
        marks.read("page.md", block(content))
    assert said in str(caught.value)


def test_marks() -> None:
    content = (
        '"# error: [US101] in a string"\n'
        "é = a(); b  # note  # error: [US101] (no fix) it's bad # hint: [US110]\n"
        "#   ^^^  ^\n"
        "x = 1  # understudy: ignore[US101]  # warning: [US901]\n"
        "#<^^^\n"
        "@deco\n"
        "# runtime: TypeError: object Mock: no\n"
        "async def test_a():\n"
        "    pass\n"
    )
    file = marks.read("page.md", block(content))
    assert [(e.row, e.code, e.severity.value, e.message, e.fix, e.columns) for e in file.expected] == [
        (1, "US101", "error", "it's bad", "no", (4, 7)),
        (1, "US110", "hint", "", "", (9, 10)),
        (3, "US901", "warning", "", "", (0, 5)),
    ]
    assert "# note\n" in file.source
    assert "x = 1  # understudy: ignore[US101]\n" in file.source
    assert [(test.name, test.rows, str(test.runtime)) for test in file.tests] == [
        ("test_a", range(5, 9), "TypeError: object Mock: no")
    ]
    assert marks.bare(content) == marks.bare(file.source)


# Versions of Python

V310 = replace(RUNNING, version=(3, 10))
V312 = replace(RUNNING, version=(3, 12))
VERSIONS = """\
from unittest.mock import Mock


# runtime[<3.11]: AttributeError: __enter__
# runtime[>=3.11]: TypeError: context manager protocol
def test_enter() -> None:
    with Mock():
        pass


# runtime: passes
def test_other() -> None: ...
"""


def marked(text: str, interpreter: Interpreter) -> marks.MarkedFile:
    return marks.read("page.md", Block("test_example.py", text, 1), interpreter.version)


def test_the_runtime_mark_of_the_version_counts() -> None:
    assert [str(test.runtime) for test in marked(VERSIONS, V310).tests] == [
        "AttributeError: __enter__",
        "passes",
    ]
    assert [str(test.runtime) for test in marked(VERSIONS, V312).tests] == [
        "TypeError: context manager protocol",
        "passes",
    ]
    only = VERSIONS.replace("# runtime[<3.11]: AttributeError: __enter__\n", "")
    assert str(marked(only, V310).tests[0].runtime) == "passes"


def test_the_mark_at_the_top_has_versions_too() -> None:
    text = "# runtime[<3.11]: ImportError\n# runtime[>=3.12]: skipped\nimport a\n"
    assert str(marked(text, V310).collection) == "ImportError"
    assert marked(text, V312).collection.status == "skipped"


def test_findings_of_the_version_count() -> None:
    text = "mock.a()  # error[>=3.12]: [US101] new # warning[<3.12]: [US101] old # hint: [US110]\n#^^ ^ ^\n"
    for interpreter, found in ((V310, ("old", (4, 5))), (V312, ("new", (1, 3)))):
        first, second = marked(text, interpreter).expected
        assert (first.message, first.columns) == found
        assert (second.code, second.columns) == ("US110", (6, 7))
    assert marks.bare(text) == "mock.a()\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[<3.11]", "[<3.13]", "page.md:4: two runtime marks hold for Python 3.12"),
        ("[<3.11]", "[3.11]", "page.md:4: cannot read the versions '3.11'; write for example [>=3.12]"),
        ("[<3.11]", "[]", "page.md:4: cannot read the versions ''; write for example [>=3.12]"),
    ],
)
def test_versions_that_cannot_be_read(old: str, new: str, said: str) -> None:
    with pytest.raises(PageError) as error:
        marked(VERSIONS.replace(old, new), V312)
    assert str(error.value) == said


def versioned(versions: str) -> str:
    return GOOD.replace("```python\n", f'```python {{python="{versions}"}}\n', 1)


def test_an_example_for_other_versions_is_not_run(tmp_path: Path) -> None:
    wrong = GOOD.replace("# runtime: TypeError: object", "# runtime: ValueError: object")
    assert complaints(wrong, tmp_path / "a") != ""
    wrong = wrong.replace("```python\n", '```python {python="<3"}\n', 1)
    assert complaints(wrong, tmp_path / "b") == ""
    assert complaints(versioned(">=3.10"), tmp_path / "c") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (versioned("new"), "page.md:7: cannot read the versions 'new'; write for example python=\">=3.12\""),
        (
            versioned(">=3.12").replace(
                "### Not awaited\n", '```python {file="a.py" python=">=3.11"}\n```\n\n### Not awaited\n'
            ),
            "page.md:18: the blocks of an example are for the same versions of Python",
        ),
    ],
)
def test_versions_of_a_block_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(PageError) as error:
        read("page.md", text)
    assert str(error.value) == said


def test_the_analysis_is_for_the_interpreter(tmp_path: Path) -> None:
    """It takes the version that it is told, unless the example's own configuration says another."""
    (case, _) = harness.cases(read("page.md", GOOD), tmp_path / "a", V310)
    assert [finding.code for finding in case.findings] == ["US101"]
    project, _ = harness.project_in(case.original, V310)
    assert project.workspace.target_version == (3, 10)
    (case.original / "pyproject.toml").write_text('[tool.understudy]\ntarget-version = "3.13"\n')
    project, _ = harness.project_in(case.original, V310)
    assert project.workspace.target_version == (3, 13)
