"""Configuration: ``pyproject.toml`` or ``understudy.toml``, the editor's settings, and pytest's own files.

A bad value never stops a check: it becomes a :class:`ConfigProblem` and the default is used for that key.
Only a file that cannot be read at all is *fatal*.
"""

from __future__ import annotations

import configparser
import difflib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pathspec

from understudy.finding import Severity
from understudy.project.names import PYTEST_FILES, REPOSITORY_MARKERS, ROOT_MARKERS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ALL: Final = "ALL"
OFF: Final = "off"
OLDEST: Final = (3, 10)
NEWEST: Final = (3, 14)
"""The first and the last version of Python that Understudy knows the behaviour of."""
DEFAULT_TEST_PATTERNS: Final = ("test_*.py", "*_test.py", "conftest.py")

_VERSION = re.compile(r"(?:py)?3\.?(\d{1,2})")
_TOML_PLACE = re.compile(r"\s*\((?:at line (\d+), column (\d+)|at end of document)\)$")


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """Something wrong in a configuration. ``str()`` is one line that names the file, the key and what was
    expected. ``row`` and ``column`` start at 1."""

    file: Path | None
    """None: it came from ``origin``."""
    key: str
    message: str
    row: int | None = None
    column: int | None = None
    fatal: bool = False
    """The file cannot be read as a whole."""
    origin: str = ""

    def __str__(self) -> str:
        place = str(self.file) if self.file is not None else self.origin
        if self.row is not None:
            place += f":{self.row}:{self.column}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Config:
    """All keys of the contract. Selectors are codes, prefixes of codes or ``ALL``; names became codes."""

    select: tuple[str, ...] = (ALL,)
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """A gitignore-style pattern (with ``!`` in front: all files it does not match) and selectors."""
    severity: tuple[tuple[str, Severity | None], ...] = ()
    """A selector and its severity; None is *off*."""
    exclude: tuple[str, ...] = ()
    source_roots: tuple[Path, ...] = ()
    test_patterns: tuple[str, ...] = DEFAULT_TEST_PATTERNS
    python: Path | None = None
    target_version: tuple[int, int] | None = None
    """None: :func:`understudy.project.target.find` finds it out."""
    cache_url: str | None = None
    """None stands for a database in the user's cache folder."""

    def severity_of(self, code: str, default: Severity) -> Severity | None:
        """The configured severity by the most specific selector, else ``default``; None is *off*."""
        selector = _closest(code, tuple(selector for selector, _ in self.severity))
        # The last of two equal ones counts: the editor's stand behind the file's.
        return default if selector is None else dict(self.severity)[selector]

    def selected(self, code: str) -> bool:
        """The most specific selector of ``select`` and ``ignore`` decides; at a tie, ``ignore``."""
        chosen = _closest(code, self.select)
        if chosen is None:
            return False
        ignored = _closest(code, self.ignore)
        if ignored is not None and _specificity(ignored) >= _specificity(chosen):
            return False
        severity = _closest(code, tuple(selector for selector, _ in self.severity))
        return severity is None or dict(self.severity)[severity] is not None

    def enabled(self, code: str, path: str) -> bool:
        """True when the rule is selected, not *off*, and not ignored for a file, given relative to the root
        with forward slashes."""
        return self.selected(code) and not any(
            _closest(code, selectors) is not None and _matches_key(pattern, path)
            for pattern, selectors in self.per_file_ignores
        )

    def is_test(self, path: str) -> bool:
        """True when a path, relative to the root with forward slashes, matches ``test-patterns``."""
        return _matcher(self.test_patterns).match_file(path)

    def excludes(self, path: str) -> bool:
        """True when a path, relative to the root, matches ``exclude``; that of a folder ends with ``/``."""
        return bool(self.exclude) and _matcher(self.exclude).match_file(path)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and where it came from; ``file`` is None when there is none."""

    config: Config
    root: Path
    file: Path | None
    problems: tuple[ConfigProblem, ...] = ()

    @property
    def fatal(self) -> bool:
        return any(problem.fatal for problem in self.problems)


@dataclass(frozen=True, slots=True)
class PytestConfig:
    """What pytest would read from its configuration file. ``rootdir`` is that file's folder."""

    rootdir: Path
    file: Path | None = None
    pythonpath: tuple[Path, ...] = ()
    testpaths: tuple[str, ...] = ()
    python_files: tuple[str, ...] = ("test_*.py", "*_test.py")
    python_classes: tuple[str, ...] = ("Test",)
    python_functions: tuple[str, ...] = ("test",)
    norecursedirs: tuple[str, ...] = ()
    """Empty stands for pytest's own."""
    addopts: tuple[str, ...] = ()
    asyncio_mode: str = "strict"
    import_mode: str = "prepend"
    """``importlib`` puts no folder of a test on the path."""
    plugins: tuple[str, ...] = ()
    """The modules that ``-p`` names."""
    usefixtures: tuple[str, ...] = ()
    """Fixtures that every test gets."""
    problems: tuple[ConfigProblem, ...] = ()

    def starts_at(self, path: Path) -> bool:
        """Does pytest come to the file, and to all of it, when no path is named on the command line?"""
        if self._passes_by(path):
            return False
        return not self.testpaths or any(
            folder == self.rootdir / pattern
            or fnmatch(folder.as_posix(), (self.rootdir / pattern).as_posix())
            for pattern in self.testpaths
            for folder in (path, *path.parents)
        )

    def _passes_by(self, path: Path) -> bool:
        """Is it in a folder that pytest does not enter, or left out, in part or as a whole, by ``addopts``?"""
        if not path.is_relative_to(self.rootdir):
            return False
        folders = path.relative_to(self.rootdir).parts[:-1]
        if any(fnmatch(folder, pattern) for folder in folders for pattern in self.norecursedirs):
            return True
        left_out = (
            (self.rootdir / value.partition("::")[0]).as_posix()
            for option in ("--ignore", "--deselect", "--ignore-glob")
            for value in _options(self.addopts, option)
        )
        return any(fnmatch(each.as_posix(), out) for out in left_out for each in (path, *path.parents))

    def collects_class(self, name: str) -> bool:
        """Is a class of this name one of tests?"""
        return _is_named(name, self.python_classes)

    def collects_function(self, name: str) -> bool:
        """Is a function of this name a test?"""
        return _is_named(name, self.python_functions)

    def collects(self, path: Path) -> bool:
        """Does pytest look for functions and classes of its own in the file? It opens no other one, unless it is named
        on the command line. As ``_pytest.pathlib.fnmatch_ex`` of pytest 9."""
        return any(
            fnmatch(path.name, pattern)
            if "/" not in pattern
            else fnmatch(path.as_posix(), pattern if pattern.startswith("/") else f"*/{pattern}")
            for pattern in self.python_files
        )


def load(folder: Path, rules: Mapping[str, str]) -> Loaded:
    """The nearest configuration at or above a folder; ``rules`` are the known codes and their names.

    The search ends at the repository's top folder: what lies above it differs from machine to machine.
    """
    folder = folder.absolute()
    for candidate in _upwards(folder):
        own = candidate / "understudy.toml"
        if own.is_file():
            table, problems = _read_toml(own)
            return _loaded(own, table, problems, rules, "")
        project = candidate / "pyproject.toml"
        if project.is_file():
            table, problems = _read_toml(project)
            section = _section(table)
            if problems or section is not None:
                return _loaded(project, section, problems, rules, "tool.understudy.")
    return Loaded(Config(), _root(folder), None)


def load_file(file: Path, rules: Mapping[str, str]) -> Loaded:
    """One configuration file, found by its path; a ``pyproject.toml`` may lack the section."""
    file = file.absolute()
    table, problems = _read_toml(file)
    if file.name != "pyproject.toml":
        return _loaded(file, table, problems, rules, "")
    section = _section(table)
    return _loaded(file, {} if section is None else section, problems, rules, "tool.understudy.")


def merge(
    config: Config, settings: Mapping[str, Any], rules: Mapping[str, str], root: Path, origin: str
) -> tuple[Config, tuple[ConfigProblem, ...]]:
    """Settings from an editor or the command line on top: each valid key replaces the file's, except that
    ``severity`` and ``per-file-ignores`` are added to. None means *not set*.

    ``origin`` names the settings in messages; relative paths start at ``root``.
    """
    reader = _Reader(None, "", origin, rules, root)
    values = reader.read({key: value for key, value in settings.items() if value is not None})
    for key in ("severity", "per_file_ignores"):
        if key in values:
            values[key] = getattr(config, key) + values[key]
    return replace(config, **values), tuple(reader.problems)


def load_requires_python(folder: Path) -> str | None:
    """``requires-python`` of the nearest ``pyproject.toml`` with a ``[project]`` at or above a folder; None
    without one. A file that cannot be read counts as without: :func:`load` tells of it."""
    for candidate in _upwards(folder.absolute()):
        file = candidate / "pyproject.toml"
        if not file.is_file():
            continue
        project = _read_toml(file)[0].get("project")
        if isinstance(project, Mapping):
            value = project.get("requires-python")
            return value if isinstance(value, str) else None
    return None


def load_pytest(folder: Path) -> PytestConfig:
    """pytest's configuration at or above a folder, with pytest's own order of files. Unreadable ones are
    problems, and passed over."""
    folder = folder.absolute()
    problems: list[ConfigProblem] = []
    for candidate in _upwards(folder):
        for name in PYTEST_FILES:
            file = candidate / name
            if not file.is_file():
                continue
            options, found = _pytest_options(file)
            problems += found
            if options is not None:
                return _pytest_config(file, options, tuple(problems))
    return PytestConfig(_root(folder), problems=tuple(problems))


@lru_cache(maxsize=4096)
def pytest_of(folder: Path) -> PytestConfig:
    """As :func:`load_pytest`, read once."""
    return load_pytest(folder)


def _loaded(
    file: Path, table: Any, problems: list[ConfigProblem], rules: Mapping[str, str], prefix: str
) -> Loaded:
    if problems:
        return Loaded(Config(), file.parent, file, tuple(problems))
    reader = _Reader(file, prefix, "", rules, file.parent)
    if not isinstance(table, Mapping):
        problem = ConfigProblem(file, prefix.rstrip("."), f"expected a table, got {_kind(table)}")
        return Loaded(Config(), file.parent, file, (problem,))
    values = reader.read(table)
    return Loaded(replace(Config(), **values), file.parent, file, tuple(reader.problems))


def _section(table: Mapping[str, Any]) -> Any:
    """``[tool.understudy]``; None without one."""
    tool = table.get("tool")
    return tool.get("understudy") if isinstance(tool, Mapping) else None


def _upwards(folder: Path) -> list[Path]:
    found: list[Path] = []
    for candidate in (folder, *folder.parents):
        found.append(candidate)
        if any((candidate / marker).exists() for marker in REPOSITORY_MARKERS):
            break
    return found


def _root(folder: Path) -> Path:
    for candidate in _upwards(folder):
        if any((candidate / marker).exists() for marker in ROOT_MARKERS):
            return candidate
    return folder


def _read_toml(file: Path) -> tuple[dict[str, Any], list[ConfigProblem]]:
    content, problem = _read_text(file)
    if problem is not None:
        return {}, [problem]
    try:
        return tomllib.loads(content), []
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _TOML_PLACE.search(message)
        row = column = None
        if place is not None:
            message = message[: place.start()]
            if place[1]:
                row, column = int(place[1]), int(place[2])
            else:
                lines = content.split("\n")
                row, column = len(lines), len(lines[-1]) + 1
        return {}, [ConfigProblem(file, "", f"is not valid TOML: {message}", row, column, fatal=True)]
    except RecursionError:
        return {}, [ConfigProblem(file, "", "is not valid TOML: nested too deeply", fatal=True)]
    except ValueError as error:  # a number of thousands of digits
        return {}, [ConfigProblem(file, "", f"is not valid TOML: {error}", fatal=True)]


def _read_text(file: Path) -> tuple[str, ConfigProblem | None]:
    try:
        return file.read_text(encoding="utf-8-sig"), None
    except OSError as error:
        return "", ConfigProblem(
            file, "", f"cannot be read: {(error.strerror or str(error)).lower()}", fatal=True
        )
    except UnicodeDecodeError:
        return "", ConfigProblem(file, "", "is not valid UTF-8", fatal=True)


class _BadValueError(Exception):
    """``str()`` says what was expected."""


class _Reader:
    """Turns a table into values for :class:`Config`, and what is wrong with it into problems."""

    def __init__(
        self, file: Path | None, prefix: str, origin: str, rules: Mapping[str, str], root: Path
    ) -> None:
        self._file = file
        self._prefix = prefix
        self._origin = origin
        self._rules = rules
        self._codes = {name: code for code, name in rules.items()}
        self._root = root
        self.problems: list[ConfigProblem] = []
        self._readers: dict[str, Callable[[str, Any], Any]] = {
            "select": self._selectors,
            "ignore": self._selectors,
            "per-file-ignores": self._per_file_ignores,
            "severity": self._severity,
            "exclude": self._patterns,
            "source-roots": self._paths,
            "test-patterns": self._patterns,
            "python": self._path,
            "target-version": self._target_version,
            "cache-url": self._cache_url,
        }

    def read(self, table: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in table.items():
            reader = self._readers.get(key)
            if reader is None:
                self._problem(key, f"unknown key{suggestion(key, self._readers)}")
                continue
            with self._reporting(key):
                values[key.replace("-", "_")] = reader(key, value)
        return values

    @contextmanager
    def _reporting(self, key: str) -> Iterator[None]:
        try:
            yield
        except _BadValueError as error:
            self._problem(key, str(error))

    def _problem(self, key: str, message: str) -> None:
        self.problems.append(ConfigProblem(self._file, self._prefix + key, message, origin=self._origin))

    def _selectors(self, key: str, value: Any) -> tuple[str, ...]:
        return tuple(self._selector(item) for item in _strings(value))

    def _selector(self, item: str) -> str:
        if item in self._codes:
            return self._codes[item]
        code = item.upper()
        if code == ALL or (code and any(known.startswith(code) for known in self._rules)):
            return code
        # Names and codes are too unlike for one comparison: the nearest of each kind, names first.
        near = suggestion(item, self._codes) or suggestion(code, self._rules)
        raise _BadValueError(f"no rule has the code, prefix or name {item!r}{near}")

    def _per_file_ignores(self, key: str, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
        if not isinstance(value, Mapping):
            raise _BadValueError(f"expected a table of patterns and lists of rules, got {_kind(value)}")
        found: list[tuple[str, tuple[str, ...]]] = []
        for pattern, selectors in value.items():
            with self._reporting(f"{key}.{_quoted(pattern)}"):
                _check_pattern(pattern.removeprefix("!"))
                found.append((pattern, self._selectors(key, selectors)))
        return tuple(found)

    def _severity(self, key: str, value: Any) -> tuple[tuple[str, Severity | None], ...]:
        if not isinstance(value, Mapping):
            raise _BadValueError(f"expected a table of rules and severities, got {_kind(value)}")
        levels = [severity.value for severity in Severity]
        found: list[tuple[str, Severity | None]] = []
        for selector, level in value.items():
            with self._reporting(f"{key}.{_quoted(selector)}"):
                if level != OFF and level not in levels:
                    raise _BadValueError(f"expected {', '.join(levels)} or {OFF}, got {_shown(level)}")
                found.append((self._selector(selector), None if level == OFF else Severity(level)))
        return tuple(found)

    def _patterns(self, key: str, value: Any) -> tuple[str, ...]:
        patterns = _strings(value)
        for pattern in patterns:
            _check_pattern(pattern)
        return patterns

    def _paths(self, key: str, value: Any) -> tuple[Path, ...]:
        return tuple(self._resolved(item) for item in _strings(value))

    def _path(self, key: str, value: Any) -> Path:
        if not isinstance(value, str) or not value:
            raise _BadValueError(
                f"expected the path of an interpreter or of a virtual environment, got {_shown(value)}"
            )
        return self._resolved(value)

    def _resolved(self, value: str) -> Path:
        if not value or "\0" in value:
            raise _BadValueError(f"expected a path, got {value!r}")
        # normpath and not resolve(): the `python` of a virtual environment is a link out of it.
        return Path(os.path.normpath(self._root / os.path.expanduser(value)))

    def _target_version(self, key: str, value: Any) -> tuple[int, int]:
        match = _VERSION.fullmatch(value) if isinstance(value, str) else None
        if match is None or not OLDEST <= (3, int(match[1])) <= NEWEST:
            raise _BadValueError(
                f"expected a Python version from 3.{OLDEST[1]} to 3.{NEWEST[1]} "
                f'such as "3.12", got {_shown(value)}'
            )
        return 3, int(match[1])

    def _cache_url(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not re.match(r"[a-z][\w+.-]*:", value):
            raise _BadValueError(
                f'expected an SQLAlchemy URL such as "sqlite:///cache.db", got {_shown(value)}'
            )
        if match := re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:)([^?]+)(.*)", value):
            return f"{match[1]}{self._resolved(match[2]).as_posix()}{match[3]}"
        return value


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise _BadValueError(f"expected a list of strings, got {_kind(value)}")
    for item in value:
        if not isinstance(item, str):
            raise _BadValueError(f"expected a list of strings, got {_kind(item)} in it")
    return tuple(value)


def _check_pattern(pattern: str) -> None:
    try:
        if pattern.strip() and _matcher((pattern,)).patterns[0].include is not None:
            return
    except (ValueError, re.error):
        pass
    raise _BadValueError(f"expected gitignore-style patterns, which {pattern!r} is not")


@lru_cache(maxsize=256)
def _matcher(patterns: tuple[str, ...]) -> pathspec.GitIgnoreSpec:
    return pathspec.GitIgnoreSpec.from_lines(patterns)


def _matches_key(pattern: str, path: str) -> bool:
    if pattern.startswith("!"):
        return not _matcher((pattern[1:],)).match_file(path)
    return _matcher((pattern,)).match_file(path)


def _specificity(selector: str) -> int:
    return 0 if selector == ALL else len(selector)


@lru_cache(maxsize=4096)
def _closest(code: str, selectors: tuple[str, ...]) -> str | None:
    """The most specific selector that covers a code."""
    covering = [selector for selector in selectors if selector == ALL or code.startswith(selector)]
    return max(covering, key=_specificity, default=None)


def suggestion(item: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown key, rule or value; empty when nothing is near. Of equally near names,
    the one with most characters at their place."""
    names = list(known)
    near = difflib.get_close_matches(item, names, n=max(1, len(names)))
    if not near:
        return ""

    def likeness(name: str) -> tuple[float, int]:
        in_place = sum(a == b for a, b in zip(item, name, strict=False))
        return difflib.SequenceMatcher(None, name, item).ratio(), in_place

    best = max(sorted(near), key=likeness)
    return f"; did you mean {best!r}?"


def _quoted(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key) else f'"{key}"'


def _kind(value: Any) -> str:
    kinds = ((bool, "a boolean"), (str, "a string"), ((int, float), "a number"), ((list, tuple), "a list"))
    return next(
        (name for kind, name in kinds if isinstance(value, kind)),
        "a table" if isinstance(value, Mapping) else "a date",
    )


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else _kind(value)


def _pytest_options(file: Path) -> tuple[Mapping[str, Any] | None, list[ConfigProblem]]:
    """The options of a file, None when it has no section for pytest."""
    if file.suffix == ".toml":
        table, problems = _read_toml(file)
        if problems:
            return None, problems
        if file.name != "pyproject.toml":
            section = table.get("pytest", {})
            return (section if isinstance(section, Mapping) else {}), []
        tool = table.get("tool")
        section = tool.get("pytest") if isinstance(tool, Mapping) else None
        if not isinstance(section, Mapping):
            return None, []
        # `[tool.pytest]` itself is read since pytest 9; `ini_options` is its only key before.
        options = section.get("ini_options", section)
        return (options if isinstance(options, Mapping) else None), []
    content, problem = _read_text(file)
    if problem is not None:
        return None, [problem]
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=("#",))
    try:
        parser.read_string(content)
    except configparser.Error as error:
        row = getattr(error, "lineno", None)
        reason = str(error).splitlines()[0]
        return None, [
            ConfigProblem(file, "", f"is not a valid INI file: {reason}", row, 1 if row else None, fatal=True)
        ]
    name = "tool:pytest" if file.name == "setup.cfg" else "pytest"
    if parser.has_section(name):
        return dict(parser.items(name)), []
    # pytest takes a `pytest.ini` for its root even without the section.
    return ({}, []) if file.name in ("pytest.ini", ".pytest.ini") else (None, [])


def _pytest_config(
    file: Path, options: Mapping[str, Any], problems: tuple[ConfigProblem, ...]
) -> PytestConfig:
    found = PytestConfig(file.parent, file, problems=problems)
    changes: dict[str, Any] = {}
    for key in (
        "pythonpath",
        "testpaths",
        "python_files",
        "python_classes",
        "python_functions",
        "norecursedirs",
        "usefixtures",
        "addopts",
    ):
        values = _words(options.get(key))
        if values is not None:
            changes[key] = values
    if "pythonpath" in changes:
        changes["pythonpath"] = tuple(
            Path(os.path.normpath(file.parent / item)) for item in changes["pythonpath"]
        )
    if isinstance(mode := options.get("asyncio_mode"), str):
        changes["asyncio_mode"] = mode.strip().lower()
    words = changes.get("addopts", ())
    changes["plugins"] = tuple(name for name in _options(words, "-p") if not name.startswith("no:"))
    for mode in _options(words, "--import-mode"):
        changes["import_mode"] = mode
    return replace(found, **changes)


def _options(words: Sequence[str], option: str) -> Iterator[str]:
    """The values that a command line gives for an option: ``-p x``, ``-px``, ``--option=x``."""
    is_long = option.startswith("--")
    for word, following in zip(words, (*words[1:], ""), strict=False):
        if word == option:
            yield following
        elif word.startswith(f"{option}=" if is_long else option):
            yield word[len(option) + is_long :]


def _is_named(name: str, patterns: tuple[str, ...]) -> bool:
    """As pytest's ``PyCollector._matches_prefix_or_glob_option``."""
    return any(
        name.startswith(pattern) or (any(c in pattern for c in "*?[") and fnmatch(name, pattern))
        for pattern in patterns
    )


def _words(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError:
            return tuple(value.split())
    if isinstance(value, (list, tuple)):
        return tuple(item for item in value if isinstance(item, str))
    return None
