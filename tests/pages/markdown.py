"""Reads a rule's page: its headings, and the projects that its fenced blocks make up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from oracle.interpreters import RUNNING
from packaging.specifiers import InvalidSpecifier, SpecifierSet

DEFAULT_FILE = "test_example.py"
DEFAULT_SETTINGS = """\
[tool.pytest.ini_options]
asyncio_mode = "auto"

[dependency-groups]
test = ["pytest", "pytest-asyncio", "pytest-mock", "hypothesis"]
"""

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
_QUOTED_FENCE = re.compile(r"[ \t]*>[> \t]*(`{3,}|~{3,})")
_LIST_ITEM = re.compile(r"([ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+)\S")
_INFO = re.compile(r"(?P<language>[^\s{]*)[ \t]*(?:\{(?P<attributes>[^}]*)\})?$")
_ATTRIBUTE = re.compile(r'[\s,]*(?P<key>[A-Za-z_][\w-]*)=(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s",]+))')
_NEAR_PYTHON = frozenset({"py", "python3", "py3", "python2"})


class PageError(Exception):
    """A page that cannot be read: ``path:line: what is wrong``."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")


@dataclass(frozen=True)
class Block:
    """A fenced block that is a file of a project."""

    file: str
    content: str
    line: int
    """The page's line that is the block's first."""


@dataclass
class Example:
    """A project: the blocks under one heading."""

    title: str
    section: str
    """The ``##`` heading it stands under."""
    line: int
    files: dict[str, Block] = field(default_factory=dict)
    fixed: dict[str, Block] = field(default_factory=dict)
    """What the files are after all fixes, where the page shows it."""
    python: str = ""
    """The versions of Python that it is about, such as ``>=3.12``; empty: all."""


@dataclass(frozen=True)
class Heading:
    level: int
    text: str
    line: int


@dataclass
class Page:
    path: str
    headings: list[Heading] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    prose: dict[int, str] = field(default_factory=dict)
    """The lines outside of blocks, by number."""

    def text_under(self, heading: Heading) -> str:
        """What is written between a heading and the next one, blocks left out."""
        later = [other.line for other in self.headings if other.line > heading.line]
        end = min(later, default=max(self.prose, default=0) + 1)
        return "\n".join(text for line, text in self.prose.items() if heading.line < line < end).strip()


def holds(versions: str, version: tuple[int, int]) -> bool | None:
    """Is a Python version one of ``>=3.12``, ``<3.11``…? None for what is no such specifier."""
    try:
        return SpecifierSet(versions).contains(f"{version[0]}.{version[1]}")
    except InvalidSpecifier:
        return None


def read(path: str, text: str) -> Page:
    """Read a page.

    :raises PageError: a fence that is never closed, a file twice, an attribute nobody knows…
    """
    return _Reader(path, text).read()


class _Reader:
    def __init__(self, path: str, text: str) -> None:
        self.page = Page(path)
        self.lines = text.replace("\r\n", "\n").split("\n")
        self.section = ""
        self.title = ""
        self.current: Example | None = None
        self.list_indent = 0

    def read(self) -> Page:
        index = 0
        while index < len(self.lines):
            index = self._line(index)
        return self.page

    def _error(self, index: int, message: str) -> PageError:
        return PageError(self.page.path, index + 1, message)

    def _line(self, index: int) -> int:
        line = self.lines[index]
        if _QUOTED_FENCE.match(line):
            raise self._error(index, "a fenced block in a quote is not run; take it out of the quote")
        fence = _FENCE.match(line)
        if fence is not None and self._opens(fence):
            return self._block(index, fence)
        self.page.prose[index + 1] = line
        heading = _HEADING.match(line)
        if heading is not None:
            self._heading(index, len(heading.group(1)), heading.group(2))
        elif item := _LIST_ITEM.match(line):
            self.list_indent = _width(item.group(1))
        elif line.strip() and _width(line[: len(line) - len(line.lstrip())]) < self.list_indent:
            self.list_indent = 0
        return index + 1

    def _opens(self, fence: re.Match[str]) -> bool:
        if fence.group("fence")[0] == "`" and "`" in fence.group("info"):
            return False
        # Four blanks more than the text around it make an indented code block, which shows the fence itself.
        return _width(fence.group("indent")) < self.list_indent + 4

    def _heading(self, index: int, level: int, text: str) -> None:
        self.page.headings.append(Heading(level, text, index + 1))
        if level <= 2:
            self.section = text if level == 2 else ""
        self.current = None
        self.list_indent = 0
        self.title = text

    def _block(self, index: int, opening: re.Match[str]) -> int:
        fence = opening.group("fence")
        closing = re.compile(rf"[ \t]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
        indent = _width(opening.group("indent"))
        content: list[str] = []
        end = index + 1
        while end < len(self.lines) and not closing.match(self.lines[end]):
            content.append(_dedent(self.lines[end], indent))
            end += 1
        if end == len(self.lines):
            raise self._error(index, f"this block is never closed: {fence} is missing")
        self._add(index, opening.group("info").strip(), "".join(f"{line}\n" for line in content))
        return end + 1

    def _add(self, index: int, info: str, content: str) -> None:
        parsed = _INFO.match(info)
        if parsed is None:
            raise self._error(index, f'cannot read {info!r}; write for example ```python {{file="a.py"}}')
        language = parsed.group("language")
        attributes = self._attributes(index, parsed.group("attributes") or "")
        if language in _NEAR_PYTHON:
            raise self._error(index, f"write `python`, not `{language}`: other languages are not run")
        unknown = attributes.keys() - {"file", "fixed", "python"}
        if unknown:
            names = ", ".join(sorted(unknown))
            raise self._error(index, f"unknown attribute {names}; known are file, fixed and python")
        if {"file", "fixed"} <= attributes.keys():
            raise self._error(index, "a block is a file, or that file after the fixes, not both")
        if language != "python" and not attributes.keys() & {"file", "fixed"}:
            return
        is_fixed = "fixed" in attributes
        name = self._name(index, attributes.get("fixed" if is_fixed else "file", DEFAULT_FILE))
        if self.current is None:
            if not self.page.headings:
                raise self._error(index, "a block before the first heading belongs to no example")
            self.current = Example(self.title, self.section, self.page.headings[-1].line)
            self.page.examples.append(self.current)
        self._versions(index, self.current, attributes.get("python", ""))
        blocks = self.current.fixed if is_fixed else self.current.files
        if name in blocks:
            raise self._error(index, f"{name} is there twice; name the files, or begin a new heading")
        if is_fixed and name not in self.current.files:
            raise self._error(index, f"{name} after the fixes, but there is no {name} before")
        blocks[name] = Block(name, content, index + 2)

    def _versions(self, index: int, example: Example, versions: str) -> None:
        if not versions:
            return
        if example.python not in ("", versions):
            raise self._error(index, "the blocks of an example are for the same versions of Python")
        if holds(versions, RUNNING.version) is None:
            raise self._error(
                index, f'cannot read the versions {versions!r}; write for example python=">=3.12"'
            )
        example.python = versions

    def _attributes(self, index: int, text: str) -> dict[str, str]:
        found: dict[str, str] = {}
        position = 0
        while text[position:].strip(" \t,"):
            match = _ATTRIBUTE.match(text, position)
            if match is None:
                raise self._error(index, f'cannot read {text[position:].strip()!r}; write key="value"')
            key = match.group("key")
            if key in found:
                raise self._error(index, f"{key} is given twice")
            found[key] = match.group("quoted") or match.group("bare") or ""
            position = match.end()
        return found

    def _name(self, index: int, name: str) -> str:
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name:
            raise self._error(index, f"{name!r} is not a plain relative path")
        return name


def _width(blanks: str) -> int:
    return len(blanks.expandtabs(4))


def _dedent(line: str, indent: int) -> str:
    """Take off as many blanks as stand before the opening fence, or as many as there are."""
    taken = 0
    while taken < min(indent, len(line)) and line[taken] == " ":
        taken += 1
    return line[taken:]
