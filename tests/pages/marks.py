"""Reads the marks in an example's file: findings, columns, and what happens when a test is run."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field

from oracle.interpreters import RUNNING
from understudy.finding import Severity

from pages.markdown import Block, PageError, holds

_SEVERITIES = "|".join(severity.value for severity in Severity)
_VERSIONS = r"(?:\[(?P<versions>[^\]]*)\])?"
_BEGIN = rf"#\s*(?:{_SEVERITIES})(?:\[[^\]]*\])?:"
_FIRST_MARK = re.compile(_BEGIN)
_MARK = re.compile(
    rf"#\s*(?P<severity>{_SEVERITIES}){_VERSIONS}:\s*\[(?P<code>US\d+)\]"
    r"(?:\s*\((?P<fix>no|safe|unsafe) fix\))?\s*(?P<message>.*)$"
)
_BETWEEN_MARKS = re.compile(rf"\s+(?={_BEGIN})")
_CARETS = re.compile(r"\s*#[ ^<]*\^[ ^]*$")
_RUN = re.compile(r"[#<]?\^+")
_RUNTIME = re.compile(rf"\s*#\s*runtime{_VERSIONS}:\s*(?P<outcome>.*?)\s*$")
_RAISES = re.compile(r"(?P<exception>[A-Z]\w*)(?::\s*(?P<message>.+))?$")
_STATUS = ("passes", "skipped", "xfailed", "not collected")


@dataclass(frozen=True)
class Expected:
    """A finding that a page announces. Rows and columns count from 0."""

    file: str
    row: int
    code: str
    severity: Severity
    message: str
    fix: str
    """``no``, ``safe``, ``unsafe``, or empty: one of the latter two."""
    columns: tuple[int, int] | None
    page_line: int


@dataclass(frozen=True)
class Runtime:
    """What a test does when it is run."""

    status: str = "passes"
    exception: str = ""
    message: str = ""
    marked: bool = False
    page_line: int = 0

    def __str__(self) -> str:
        if self.status != "raises":
            return self.status
        return f"{self.exception}: {self.message}" if self.message else self.exception


@dataclass(frozen=True)
class TestFunction:
    """A test in a file, as pytest names it: ``test_a`` or ``TestB.test_c``."""

    __test__ = False

    name: str
    rows: range
    runtime: Runtime


@dataclass
class MarkedFile:
    """A file of an example. ``source`` is what is written to disk: marks at the end of lines are left out."""

    name: str
    source: str
    page_line: int
    expected: list[Expected] = field(default_factory=list)
    tests: list[TestFunction] = field(default_factory=list)
    collection: Runtime = field(default_factory=Runtime)
    """What importing the file does."""


def read(page: str, block: Block, version: tuple[int, int] = RUNNING.version) -> MarkedFile:
    """Read a file's marks, those that hold for a version of Python.

    :raises PageError: a mark that cannot be read, or that belongs to nothing.
    """
    if not block.file.endswith(".py"):
        return MarkedFile(block.file, block.content, block.line)
    return _Reader(page, block, version).read()


def bare(source: str) -> str:
    """The source without any mark: what a person would write, to compare files before and after fixes."""
    lines = source.split("\n")
    for row, column in _comments(lines):
        mark = _FIRST_MARK.search(lines[row], column)
        if mark is not None:
            lines[row] = lines[row][: mark.start()].rstrip()
    return "\n".join(line for line in lines if not _CARETS.match(line) and not _RUNTIME.match(line))


class _Reader:
    def __init__(self, page: str, block: Block, version: tuple[int, int]) -> None:
        self.page = page
        self.version = version
        self.block = block
        self.lines = block.content.split("\n")
        self.file = MarkedFile(block.file, "", block.line)

    def read(self) -> MarkedFile:
        for row, column in _comments(self.lines):
            self._comment(row, column)
        for row, line in enumerate(self.lines):
            if _CARETS.match(line) and not self._under_marks(row):
                raise self._error(row, "carets belong right under a line with a mark")
        self.file.source = "\n".join(self.lines)
        self._runtime()
        return self.file

    def _error(self, row: int, message: str) -> PageError:
        return PageError(self.page, self.block.line + row, message)

    def _comment(self, row: int, column: int) -> None:
        line = self.lines[row]
        first = _FIRST_MARK.search(line, column)
        if first is None:
            return
        if not line[: first.start()].strip():
            raise self._error(row, "a mark stands at the end of the line with the finding")
        parts = _BETWEEN_MARKS.split(line[first.start() :])
        columns = self._columns(row)
        if columns and len(columns) != len(parts):
            raise self._error(row, f"{len(parts)} marks, but carets for {len(columns)}")
        for index, part in enumerate(parts):
            mark = _MARK.match(part)
            if mark is None:
                raise self._error(row, f"cannot read {part!r}; write # error: [US101] part of the message")
            if not self._holds(row, mark):
                continue
            self.file.expected.append(
                Expected(
                    self.block.file,
                    row,
                    mark.group("code"),
                    Severity(mark.group("severity")),
                    mark.group("message").strip(),
                    mark.group("fix") or "",
                    columns[index] if columns else None,
                    self.block.line + row,
                )
            )
        self.lines[row] = line[: first.start()].rstrip()

    def _holds(self, row: int, mark: re.Match[str]) -> bool:
        """Is a mark for the version that is asked for?"""
        versions = mark.group("versions")
        if versions is None:
            return True
        found = holds(versions, self.version) if versions.strip() else None
        if found is None:
            raise self._error(row, f"cannot read the versions {versions!r}; write for example [>=3.12]")
        return found

    def _columns(self, row: int) -> list[tuple[int, int]]:
        """The ranges that the caret lines under a line show, in order of reading."""
        found: list[tuple[int, int]] = []
        for line in self.lines[row + 1 :]:
            if not _CARETS.match(line):
                break
            hash_column = line.index("#")
            for run in _RUN.finditer(line, hash_column):
                start = run.start()
                if run.group()[0] == "#":
                    start += 1
                elif run.group()[0] == "<":
                    start -= 1
                found.append((start, run.end()))
        return found

    def _under_marks(self, row: int) -> bool:
        above = row - 1
        while above >= 0 and _CARETS.match(self.lines[above]):
            above -= 1
        return any(expected.row == above for expected in self.file.expected)

    def _runtime(self) -> None:
        try:
            tree = ast.parse(self.file.source)
        except (SyntaxError, ValueError) as error:
            row = (getattr(error, "lineno", None) or 1) - 1
            raise self._error(row, f"this is not Python: {error}") from None
        outcomes = {
            row: self._outcome(row, match.group("outcome")) if self._holds(row, match) else None
            for row, line in enumerate(self.lines)
            if (match := _RUNTIME.match(line))
        }
        for name, node in _tests(tree.body, ""):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
            runtime = Runtime()
            for above in (first - 1, node.lineno - 2):
                while above in outcomes:
                    runtime = self._only(above, runtime, outcomes.pop(above))
                    above -= 1
            self.file.tests.append(TestFunction(name, range(first, node.end_lineno or first + 1), runtime))
        first_statement = tree.body[0].lineno - 1 if tree.body else len(self.lines)
        for row in list(outcomes):
            if row >= first_statement:
                raise self._error(row, "a runtime mark stands right above a test, or at the top of the file")
            self.file.collection = self._only(row, self.file.collection, outcomes.pop(row))

    def _only(self, row: int, earlier: Runtime, found: Runtime | None) -> Runtime:
        """The one of several marks that holds for the version."""
        if found is not None and earlier.marked:
            version = ".".join(map(str, self.version))
            raise self._error(row, f"two runtime marks hold for Python {version}")
        return found or earlier

    def _outcome(self, row: int, text: str) -> Runtime:
        line = self.block.line + row
        if text in _STATUS:
            return Runtime(text, marked=True, page_line=line)
        raises = _RAISES.match(text)
        if raises is None:
            raise self._error(
                row,
                f"cannot read the outcome {text!r}; write {', '.join(_STATUS)}, or TypeError: message",
            )
        message = (raises.group("message") or "").strip()
        return Runtime("raises", raises.group("exception"), message, True, line)


def _tests(body: list[ast.stmt], prefix: str) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    found: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]] = []
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name.startswith("test") and not _is_fixture(node):
                found.append((f"{prefix}{node.name}", node))
        elif isinstance(node, ast.ClassDef) and _holds_tests(node):
            found.extend(_tests(node.body, f"{prefix}{node.name}."))
    return found


def _is_fixture(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)


def _holds_tests(node: ast.ClassDef) -> bool:
    return node.name.startswith("Test") or any("Test" in ast.unparse(base) for base in node.bases)


def _comments(lines: list[str]) -> list[tuple[int, int]]:
    """Row and column of each comment; of what looks like one where the source cannot be tokenized."""
    found: list[tuple[int, int]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
            if token.type == tokenize.COMMENT:
                found.append((token.start[0] - 1, token.start[1]))
    except (tokenize.TokenError, SyntaxError):
        return [(row, line.index("#")) for row, line in enumerate(lines) if "#" in line]
    return found
