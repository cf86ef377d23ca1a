"""pytest's plugins: those installed in the project's environment, and what the project says it needs.

Entry points are read from ``entry_points.txt``; no plugin is imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from understudy.index.workspace import Workspace
from understudy.project.modules import Kind
from understudy.project.names import PYTEST_FILES
from understudy.source import disk

_DEPENDENCY_FILES = (
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "tox.ini",
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "noxfile.py",
    "Pipfile",
    "Makefile",
    "environment.yml",
    "environment.yaml",
    "justfile",
)
_PLUGIN = re.compile(r"\bpytest[-_][a-z0-9][a-z0-9_-]*", re.IGNORECASE)
_OTHERS = (
    "anyio",
    "syrupy",
    "respx",
    "faker",
    "hypothesis",
    "requests-mock",
    "time-machine",
    "inline-snapshot",
    "aiohttp",
    "schemathesis",
    "factory-boy",
    "responses",
    "vcrpy",
    "betamax",
    "flask-testing",
    "pyfakefs",
    "testcontainers",
    "trio",
    "twisted",
    "tavern",
    "allure",
)
_WITHOUT_FIXTURES = frozenset(
    (
        "pytest-cov", "pytest-xdist", "pytest-timeout", "pytest-randomly", "pytest-sugar", "pytest-html",
        "pytest-rerunfailures", "pytest-env", "pytest-order", "pytest-split", "pytest-instafail",
        "pytest-repeat", "pytest-ini", "pytest-options", "aiohttp", "responses", "factory-boy", "trio",
        "testcontainers", "twisted", "vcrpy", "hypothesis", "schemathesis", "faker",
    )
)  # fmt: skip
"""Plugins that bring none, libraries of the same names, and words that only look like a plugin."""
_NEEDS_PYTEST = re.compile(r"""(?:^[ \t]*(?:-[ \t]*)?|["'])pytest[ \t]*(?:$|[\[<>=~!;"'#])""", re.MULTILINE)
"""A requirement on pytest itself: ``"pytest>=8"`` in a list, ``pytest`` on a line of its own."""
_NOT_PLUGINS = frozenset({"pytest_plugins", "pytest_cache", "pytest_args", "pytest_addopts"})
_FIXTURE = re.compile(
    r"^@(?:\w+\.)?fixture\b[^\n]*\n(?:async[ ]+)?def[ ]+(\w+)|^(\w+)\s*=\s*(?:pytest\.)?fixture\(",
    re.MULTILINE,
)
_BUILT_IN = frozenset(
    (
        "cache",
        "capfd",
        "capfdbinary",
        "caplog",
        "capsys",
        "capsysbinary",
        "capteesys",
        "doctest_namespace",
        "monkeypatch",
        "pytestconfig",
        "pytester",
        "record_property",
        "record_testsuite_property",
        "record_xml_attribute",
        "recwarn",
        "request",
        "subtests",
        "testdir",
        "tmp_path",
        "tmp_path_factory",
        "tmpdir",
        "tmpdir_factory",
        "linecomp",
        "LineMatcher",
    )
)


@dataclass(frozen=True)
class Plugins:
    """What may provide fixtures and run coroutines."""

    built_in: frozenset[str]
    names: frozenset[str]
    """Entry points and distributions of the environment, in lower case with ``-``."""
    packages: tuple[Path, ...]
    """Their folders, or files."""
    settings: str
    """The text of the project's dependency and configuration files."""
    certain: bool
    """False: the environment may be another than the one that the tests run in. It has no pytest, or is merely the
    one of Understudy, and the project's files do not say what its tests need."""

    @cached_property
    def missing(self) -> frozenset[str]:
        """Plugins that the project's files mention and the environment has not."""
        return self.missing_of(self.settings)

    def missing_of(self, settings: str) -> frozenset[str]:
        """The plugins that a text mentions and the environment has not."""
        mentioned = {found.lower().replace("_", "-") for found in _PLUGIN.findall(settings)}
        mentioned -= {name.replace("_", "-") for name in _NOT_PLUGINS}
        mentioned |= {
            name for name in _OTHERS if re.search(rf"\b{re.escape(name)}\b", settings, re.IGNORECASE)
        }
        return frozenset(mentioned - self.names - _WITHOUT_FIXTURES)

    @cached_property
    def fixtures(self) -> frozenset[str]:
        """The fixtures of pytest and of the plugins, as far as they are written plainly."""
        texts = (_text(file) for package in self.packages for file in _files(package))
        found = {a or b for text in texts if "fixture" in text for a, b in _FIXTURE.findall(text)}
        return self.built_in | {name for name in found if not name.startswith("_")}

    def may_provide(self, name: str) -> bool:
        """May a plugin have a fixture of this name? True, too, when plugins are missing."""
        if name in self.built_in or self.missing:
            return True
        plain = re.escape(name)
        word = re.compile(rf"\bdef {plain}\b|^\s*{plain}\s*(?::[^=\n]+)?=|[\"']{plain}[\"']", re.MULTILINE)
        texts = (_text(file) for package in self.packages for file in _files(package))
        return any("fixture" in text and word.search(text) for text in texts)


def may_provide(workspace: Workspace, name: str) -> bool:
    """As :meth:`Plugins.may_provide`; whoever asks depends on plugins that are part of the workspace."""
    found = plugins(workspace)
    own = [package for package in found.packages if package.is_relative_to(workspace.root)]
    if any("site-packages" not in package.parts for package in own):
        workspace.files()
        workspace.depend_on([file for package in own for file in _files(package)])
    return found.may_provide(name)


def plugins(workspace: Workspace) -> Plugins:
    """The plugins of a workspace; read once until files change."""
    return workspace.derived("pytest.plugins", lambda: _read(workspace))


def _read(workspace: Workspace) -> Plugins:
    names: set[str] = set()
    packages: dict[Path, None] = {}
    for site in workspace.environment.site:
        for info in sorted(site.glob("*.dist-info")):
            names.add(info.name.partition("-")[0].lower().replace("_", "-"))
            for module in _entry_points(info):
                top = module.partition(".")[0]
                file = workspace.find(top, workspace.root / "conftest.py")
                if file is not None and file.kind is Kind.SOURCE and file.path is not None:
                    packages[file.folders[0] if file.folders else file.path] = None
    settings = "\n".join(_text(path) for path in settings_files(workspace.root))
    certain = "pytest" in names and (
        not workspace.environment.running or _NEEDS_PYTEST.search(settings) is not None
    )
    return Plugins(_BUILT_IN, frozenset(names), tuple(packages), settings, certain)


def _entry_points(info: Path) -> list[str]:
    try:
        text = (info / "entry_points.txt").read_text("utf-8")
    except OSError:
        return []
    found: list[str] = []
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == "pytest11" and "=" in line:
            found.append(line.partition("=")[2].strip().partition(":")[0])
    return found


def settings_files(root: Path) -> list[Path]:
    """Of the root, of the folder above it, and of the folders in it: ``backend/requirements.txt``."""
    inside = [
        root / name
        for name, is_folder in sorted(disk.entries(root).items())
        if is_folder and not name.startswith(".")
    ]
    found: list[Path] = []
    for folder in (root, *inside):
        found.extend(folder / name for name in _DEPENDENCY_FILES)
        found.extend(folder / name for name in _texts(folder) if "requirements" in name)
    for folder in (root / "requirements", root / "requirements.d"):
        found.extend(folder / name for name in _texts(folder))
    found.extend(folder / name for folder in list(root.parents)[:1] for name in _DEPENDENCY_FILES)
    return list(dict.fromkeys(found))


def nested_settings(workspace: Workspace, path: Path) -> str:
    """pytest's settings in the folders between a file and the root, as text: those of a package that its own developers
    test by itself."""
    found: list[str] = []
    for folder in path.parents:
        if folder == workspace.root or not folder.is_relative_to(workspace.root):
            break
        found.extend(
            _text(folder / name) for name in PYTEST_FILES if workspace.finder.listing.has(folder, name)
        )
    return "\n".join(found)


def _texts(folder: Path) -> list[str]:
    return sorted(name for name in disk.entries(folder) if name.endswith(".txt"))


def _files(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py")) if package.is_dir() else [package]


@lru_cache(maxsize=2048)
def _cached(path: Path, stamp: int) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _text(path: Path) -> str:
    try:
        with disk.looking(path):
            return _cached(path, path.stat().st_mtime_ns)
    except OSError:
        return ""
