"""Configuration: where it is found, what it accepts, what it says about the rest."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from understudy.finding import Severity
from understudy.project import config as module
from understudy.project.config import Config, load, load_file, load_pytest, merge

RULES = {
    "US101": "awaited-sync-mock",
    "US102": "unawaited-async-mock",
    "US201": "patch-target-not-found",
    "US301": "unknown-model-field",
    "US308": "duplicate-index-name",
}


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def read(folder: Path, content: str) -> tuple[Config, list[str]]:
    """The configuration in ``content``, and its problems without the folder."""
    loaded = load(write(folder, understudy__toml=content), RULES)
    return loaded.config, [str(problem).replace(f"{folder}/", "") for problem in loaded.problems]


# Where


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "pkg" / "tests").mkdir(parents=True)
    return tmp_path / "repo"


def test_the_nearest_section_counts(repository: Path) -> None:
    write(repository, pyproject__toml='[tool.understudy]\nselect = ["US1"]\n')
    write(repository / "pkg", pyproject__toml="[tool.other]\n")
    loaded = load(repository / "pkg" / "tests", RULES)
    assert (loaded.config.select, loaded.root, loaded.problems) == (("US1",), repository, ())
    assert loaded.file == repository / "pyproject.toml"
    write(repository / "pkg", pyproject__toml="[tool.understudy]\n")
    assert load(repository / "pkg" / "tests", RULES).root == repository / "pkg"


def test_the_own_file_goes_first(repository: Path) -> None:
    write(
        repository,
        pyproject__toml='[tool.understudy]\nselect = ["US1"]\n',
        understudy__toml='select = ["US2"]',
    )
    assert load(repository, RULES).config.select == ("US2",)


def test_nothing_above_the_repository_counts(repository: Path) -> None:
    write(repository.parent, understudy__toml='select = ["US2"]')
    loaded = load(repository / "pkg", RULES)
    assert (loaded.config, loaded.file, loaded.root) == (Config(), None, repository)


def test_the_root_without_a_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    write(tmp_path / "a", setup__cfg="")
    assert load(folder, RULES).root == tmp_path / "a"
    write(folder, tox__ini="")
    assert load(folder, RULES).root == folder


def test_a_file_by_its_path(tmp_path: Path) -> None:
    write(tmp_path, other__toml='ignore = ["US1"]', pyproject__toml="[project]\n")
    assert load_file(tmp_path / "other.toml", RULES).config.ignore == ("US1",)
    assert load_file(tmp_path / "pyproject.toml", RULES).config == Config()
    assert load_file(tmp_path / "gone.toml", RULES).fatal


# Values


def test_all_keys(tmp_path: Path) -> None:
    config, problems = read(
        tmp_path,
        """
        select = ["US1", "duplicate-index-name", "us201"]
        ignore = ["ALL"]
        exclude = ["gen/", "*_pb2.py"]
        source-roots = ["src", "../lib"]
        test-patterns = ["check_*.py"]
        python = ".venv/bin/python"
        target-version = "3.12"
        cache-url = "postgresql+psycopg://ci@db/understudy"
        [per-file-ignores]
        "tests/legacy/" = ["US30", "awaited-sync-mock"]
        [severity]
        US101 = "hint"
        US3 = "off"
        """,
    )
    assert problems == []
    assert config == Config(
        select=("US1", "US308", "US201"),
        ignore=("ALL",),
        exclude=("gen/", "*_pb2.py"),
        source_roots=(tmp_path / "src", tmp_path.parent / "lib"),
        test_patterns=("check_*.py",),
        python=tmp_path / ".venv/bin/python",
        target_version=(3, 12),
        cache_url="postgresql+psycopg://ci@db/understudy",
        per_file_ignores=(("tests/legacy/", ("US30", "US101")),),
        severity=(("US101", Severity.HINT), ("US3", None)),
    )
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(pickle.loads(pickle.dumps(config)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('selct = ["US1"]', "selct: unknown key; did you mean 'select'?"),
        ("zzz = 1", "zzz: unknown key"),
        ('select = "US1"', "select: expected a list of strings, got a string"),
        ("ignore = [true]", "ignore: expected a list of strings, got a boolean in it"),
        ('select = ["US999"]', "select: no rule has the code, prefix or name 'US999'"),
        ('select = [""]', "select: no rule has the code, prefix or name ''"),
        (
            'select = ["awaited-sync"]',
            "select: no rule has the code, prefix or name 'awaited-sync'; did you mean 'awaited-sync-mock'?",
        ),
        ("severity = 3", "severity: expected a table of rules and severities, got a number"),
        (
            'severity = {US101 = "fatal"}',
            "severity.US101: expected error, warning, info, hint or off, got 'fatal'",
        ),
        ("severity = {US101 = []}", "severity.US101: expected error, warning, info, hint or off, got a list"),
        (
            'per-file-ignores = ["a"]',
            "per-file-ignores: expected a table of patterns and lists of rules, got a list",
        ),
        (
            'per-file-ignores = {"a b/" = "US1"}',
            'per-file-ignores."a b/": expected a list of strings, got a string',
        ),
        ('exclude = ["[z-a]"]', "exclude: expected gitignore-style patterns, which '[z-a]' is not"),
        ('exclude = ["!"]', "exclude: expected gitignore-style patterns, which '!' is not"),
        ('exclude = ["# no"]', "exclude: expected gitignore-style patterns, which '# no' is not"),
        ('source-roots = [""]', "source-roots: expected a path, got ''"),
        (
            "python = 3",
            "python: expected the path of an interpreter or of a virtual environment, got a number",
        ),
        (
            "target-version = 3.12",
            'target-version: expected a Python version from 3.10 to 3.14 such as "3.12", got a number',
        ),
        (
            'target-version = "3.9"',
            "target-version: expected a Python version from 3.10 to 3.14 such as \"3.12\", got '3.9'",
        ),
        (
            'target-version = "3.15"',
            "target-version: expected a Python version from 3.10 to 3.14 such as \"3.12\", got '3.15'",
        ),
        (
            'cache-url = "cache.db"',
            "cache-url: expected an SQLAlchemy URL such as \"sqlite:///cache.db\", got 'cache.db'",
        ),
        ("exclude = 2020-01-01", "exclude: expected a list of strings, got a date"),
    ],
)
def test_a_bad_value_is_named_and_the_default_used(tmp_path: Path, content: str, problem: str) -> None:
    config, problems = read(tmp_path, content)
    assert problems == [f"understudy.toml: {problem}"]
    assert config == Config()


def test_good_entries_of_a_table_stay(tmp_path: Path) -> None:
    config, problems = read(tmp_path, 'cache-url = "sqlite://"\nseverity = {US101 = "off", US9 = "off"}')
    assert config == Config(cache_url="sqlite://", severity=(("US101", None),))
    assert problems == ["understudy.toml: severity.US9: no rule has the code, prefix or name 'US9'"]


def test_the_key_is_named_in_full_in_pyproject(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, pyproject__toml='[tool.understudy]\npython = ""\n'), RULES)
    assert loaded.problems[0].key == "tool.understudy.python"
    assert not loaded.fatal
    loaded = load(write(tmp_path, pyproject__toml="[tool]\nunderstudy = 3\n"), RULES)
    assert str(loaded.problems[0]).endswith("pyproject.toml: tool.understudy: expected a table, got a number")


@pytest.mark.parametrize(
    ("content", "place"),
    [('select = ["US1"]\nignore = [,]\n', (2, 11)), ("x = 1\ny = '''", (2, 8))],
)
def test_broken_toml_is_fatal_and_says_where(tmp_path: Path, content: str, place: tuple[int, int]) -> None:
    loaded = load(write(tmp_path, pyproject__toml=content), RULES)
    (problem,) = loaded.problems
    assert loaded.fatal
    assert loaded.config == Config()
    assert (problem.file, problem.row, problem.column) == (tmp_path / "pyproject.toml", *place)
    assert "is not valid TOML: " in str(problem)
    assert "(at " not in str(problem)


def test_a_file_that_is_not_utf_8_is_fatal_and_a_bom_is_not(tmp_path: Path) -> None:
    (tmp_path / "understudy.toml").write_bytes(b"# \xff\n")
    assert [str(p) for p in load(tmp_path, RULES).problems] == [
        f"{tmp_path}/understudy.toml: is not valid UTF-8"
    ]
    (tmp_path / "understudy.toml").write_bytes(b'\xef\xbb\xbfselect = ["US1"]')
    assert load(tmp_path, RULES).config.select == ("US1",)


@pytest.mark.parametrize("version", ["3.12", "py312", "312"])
def test_spellings_of_a_version(tmp_path: Path, version: str) -> None:
    assert read(tmp_path, f'target-version = "{version}"')[0].target_version == (3, 12)


# What it means


@pytest.mark.parametrize(
    ("select", "ignore", "selected"),
    [
        (("ALL",), (), True),
        ((), (), False),
        (("US2",), (), False),
        (("US1",), ("US1",), False),
        (("US101",), ("US1",), True),
        (("US1",), ("US101",), False),
        (("ALL",), ("US102",), True),
        (("US1", "US101"), ("US10",), True),
    ],
)
def test_the_most_specific_selector_decides(
    select: tuple[str, ...], ignore: tuple[str, ...], selected: bool
) -> None:
    assert Config(select=select, ignore=ignore).selected("US101") is selected


def test_severities() -> None:
    config = Config(
        severity=(("ALL", Severity.INFO), ("US1", None), ("US102", Severity.ERROR), ("ALL", Severity.HINT))
    )
    assert config.severity_of("US201", Severity.ERROR) is Severity.HINT
    assert config.severity_of("US101", Severity.ERROR) is None
    assert config.severity_of("US102", Severity.WARNING) is Severity.ERROR
    assert Config().severity_of("US102", Severity.WARNING) is Severity.WARNING
    assert (config.selected("US101"), config.selected("US102")) == (False, True)


def test_ignores_by_file() -> None:
    config = Config(
        per_file_ignores=(("tests/old/", ("US1",)), ("conftest.py", ("ALL",)), ("!src/", ("US3",)))
    )
    assert not config.enabled("US101", "tests/old/a/test_x.py")
    assert config.enabled("US201", "tests/old/a/test_x.py")
    assert not config.enabled("US201", "tests/conftest.py")
    assert config.enabled("US301", "src/m.py")
    assert not config.enabled("US301", "lib/m.py")


def test_patterns() -> None:
    config = Config(exclude=("gen/", "*_pb2.py", "!keep_pb2.py"))
    assert config.excludes("a/gen/")
    assert config.excludes("a/x_pb2.py")
    assert not config.excludes("a/keep_pb2.py")
    assert not Config().excludes("a.py")
    assert config.is_test("a/test_x.py")
    assert config.is_test("x_test.py")
    assert not config.is_test("testing.py")


# The editor and the command line


def test_settings_win_over_the_file(tmp_path: Path) -> None:
    config = Config(
        select=("US1",), ignore=("US102",), severity=(("US101", Severity.HINT), ("US102", Severity.INFO))
    )
    settings: dict[str, Any] = {
        "select": ["US3"],
        "severity": {"US101": "error"},
        "ignore": None,
        "python": "v",
    }
    merged, problems = merge(config, settings, RULES, tmp_path, "the editor's settings")
    assert problems == ()
    assert merged.select == ("US3",)
    assert merged.ignore == ("US102",)
    assert merged.severity_of("US101", Severity.INFO) is Severity.ERROR
    assert merged.severity_of("US102", Severity.ERROR) is Severity.INFO
    assert merged.python == tmp_path / "v"


def test_bad_settings_leave_the_file_s_value(tmp_path: Path) -> None:
    config = Config(select=("US1",))
    merged, problems = merge(config, {"select": [1], "exclud": []}, RULES, tmp_path, "the editor's settings")
    assert merged == config
    assert [str(problem) for problem in problems] == [
        "the editor's settings: select: expected a list of strings, got a number in it",
        "the editor's settings: exclud: unknown key; did you mean 'exclude'?",
    ]


# pytest


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pytest.toml", '[pytest]\npythonpath = ["src", "."]\ntestpaths = ["tests"]\n'),
        ("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = "src ."\ntestpaths = ["tests"]\n'),
        ("pyproject.toml", '[tool.pytest]\npythonpath = ["src", "."]\ntestpaths = ["tests"]\n'),
        ("pytest.ini", "[pytest]\npythonpath = src .\ntestpaths =\n    tests  # here\n"),
        ("tox.ini", "[tox]\nx = %(y)s\n[pytest]\npythonpath =\n  src\n  .\ntestpaths = tests\n"),
        ("setup.cfg", "[tool:pytest]\npythonpath = src .\ntestpaths = tests\n"),
    ],
)
def test_where_pytest_looks(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    (tmp_path / "sub").mkdir()
    found = load_pytest(tmp_path / "sub")
    assert (found.file, found.rootdir) == (tmp_path / name, tmp_path)
    assert found.pythonpath == (tmp_path / "src", tmp_path)
    assert found.testpaths == ("tests",)
    assert found.python_files == ("test_*.py", "*_test.py")
    assert found.asyncio_mode == "strict"


def test_pytest_s_other_options_and_order(tmp_path: Path) -> None:
    write(tmp_path, setup__cfg="[tool:pytest]\nasyncio_mode = strict\n", pyproject__toml="[tool.black]\n")
    write(tmp_path, tox__ini="[pytest]\nasyncio_mode = Auto\npython_files = check_*.py 'a b.py'\n")
    found = load_pytest(tmp_path)
    assert (found.asyncio_mode, found.python_files) == ("auto", ("check_*.py", "a b.py"))
    write(tmp_path, pytest__ini="")
    assert load_pytest(tmp_path).file == tmp_path / "pytest.ini"


def test_broken_files_of_pytest_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, pyproject__toml="[", tox__ini="x = 1\n", setup__cfg="[tool:pytest]\ntestpaths = t\n")
    found = load_pytest(tmp_path)
    assert found.testpaths == ("t",)
    assert [problem.file and problem.file.name for problem in found.problems] == ["pyproject.toml", "tox.ini"]


def test_without_pytest_s_configuration(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a").mkdir()
    found = load_pytest(tmp_path / "a")
    assert (found.rootdir, found.file, found.pythonpath) == (tmp_path, None, ())


def test_the_keys_are_those_of_the_dataclass() -> None:
    keys = module._Reader(None, "", "", RULES, Path("/"))._readers
    assert {key.replace("-", "_") for key in keys} == set(Config.__dataclass_fields__)
