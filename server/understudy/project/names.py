"""The names of files that say where a project begins and how it is set up."""

from __future__ import annotations

ROOT_MARKERS = ("pyproject.toml", "setup.cfg", "pytest.ini", "tox.ini", ".git")
REPOSITORY_MARKERS = (".git", ".hg")
MARKERS = tuple(dict.fromkeys((*ROOT_MARKERS, *REPOSITORY_MARKERS)))
"""Files and folders whose presence decides where a project begins."""
PYTEST_FILES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
SETTINGS_FILES = ("understudy.toml", *PYTEST_FILES)
"""Whatever configures us or pytest."""
