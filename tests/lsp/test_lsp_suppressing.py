"""*Suppress here*: the comment that the action writes hides the finding, and changes nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from understudy.finding import Finding, Severity
from understudy.fixes.apply import apply_edits
from understudy.lsp.suppressing import suppression
from understudy.source.suppress import Suppressions
from understudy.source.text import Text

CASES = {
    "plain": ("a = HERE\n", "a = HERE  # understudy: ignore[US101]\n"),
    "last line": ("a = HERE", "a = HERE  # understudy: ignore[US101]"),
    "line ending": ("a = HERE\r\nb\r\n", "a = HERE  # understudy: ignore[US101]\r\nb\r\n"),
    "trailing blanks": ("a = HERE  \t\n", "a = HERE  # understudy: ignore[US101]\n"),
    "comment": ("a = HERE  # noqa: E501\n", "a = HERE  # noqa: E501  # understudy: ignore[US101]\n"),
    "extended": (
        "a = HERE  # understudy: ignore[US102]  # why\n",
        "a = HERE  # understudy: ignore[US102, US101]  # why\n",
    ),
    "names": (
        "a = HERE  # understudy: ignore[unawaited-async-mock]\n",
        "a = HERE  # understudy: ignore[unawaited-async-mock, US101]\n",
    ),
    "empty list": ("a = HERE  # understudy: ignore[]\n", "a = HERE  # understudy: ignore[US101]\n"),
    "call over lines": (
        "a = HERE(\n    1,\n)\n",
        "a = HERE(  # understudy: ignore[US101]\n    1,\n)\n",
    ),
    "string over lines": (
        'a = HERE("""x\n# y\n""")\n',
        'a = HERE("""x\n# y\n""")  # understudy: ignore[US101]\n',
    ),
    "another one elsewhere": (
        'a = HERE("""x\n# y\n""")\nb = 1  # understudy: ignore[US102]\n',
        'a = HERE("""x\n# y\n""")  # understudy: ignore[US101]\nb = 1  # understudy: ignore[US102]\n',
    ),
    "backslash": (
        "a = HERE + \\\n    1\n",
        "a = HERE + \\\n    1  # understudy: ignore[US101]\n",
    ),
    "hash in a string": ('a = HERE("#")\n', 'a = HERE("#")  # understudy: ignore[US101]\n'),
    "whole file stays": (
        "# understudy: ignore-file[US102]\na = HERE\n",
        "# understudy: ignore-file[US102]\na = HERE  # understudy: ignore[US101]\n",
    ),
}


def at_mark(text: Text, code: str = "US101") -> Finding:
    start = text.content.index("HERE")
    return Finding(code, "n", Severity.ERROR, "m", Path("/t.py"), text.span(start, start + 4))


@pytest.mark.parametrize("case", CASES)
def test_the_comment_hides_the_finding(case: str) -> None:
    before, expected = CASES[case]
    text = Text(before)
    finding = at_mark(text)
    edit = suppression(finding, text)
    assert edit is not None
    after = apply_edits(text, [edit])
    assert after.content == expected
    assert ast.dump(ast.parse(after.content)) == ast.dump(ast.parse(before))
    assert Suppressions.parse(after).apply([finding])[0] == []


def test_an_unused_suppression_is_not_suppressed() -> None:
    text = Text("HERE\n")
    assert suppression(at_mark(text, "US901"), text) is None


def test_no_comment_where_none_can_be() -> None:
    text = Text('a = HERE("""' + "\n" * 300 + '""")\n')
    assert suppression(at_mark(text), text) is None
