"""Where the modules of the project's interpreter are. Read from the file system; nothing is started."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

_VENV_NAMES = (".venv", "venv", "env", ".env")
_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", re.MULTILINE)
_HOME = re.compile(r"^home\s*=\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter's search path: standard library first, then site-packages and what its ``.pth`` files
    add (plain paths only; lines that are code are not executed)."""

    version: tuple[int, int]
    stdlib: tuple[Path, ...]
    site: tuple[Path, ...]
    origin: str
    """How it was found, for messages: ``VIRTUAL_ENV``, ``.venv``, ``python`` in the configuration…"""
    running: bool = False
    """True: the project has none that is known; this is the interpreter that runs Understudy."""


def find(root: Path, configured: str | None, virtual_env: str | None) -> Environment:
    """The project's environment: that of the configured interpreter (the editor's selected one, where it has no
    other), the active virtual environment, one in the project, else the interpreter that runs Understudy."""
    if configured:
        return of(root / Path(configured).expanduser()) or own()
    candidates = [(Path(virtual_env), "VIRTUAL_ENV")] if virtual_env else []
    candidates += [(root / name, name) for name in _VENV_NAMES]
    for path, origin in candidates:
        found = of(path, origin)
        if found is not None:
            return found
    return own()


def of(path: Path, origin: str = "the configured python") -> Environment | None:
    """The environment of an interpreter, or of the folder of one (a virtual environment); None when the path
    is neither."""
    if path.is_dir():
        return _of_prefix(path, origin, None)
    if path.is_file() and path.name.lower().startswith(("python", "pypy")):
        in_bin = path.parent.name in ("bin", "Scripts")
        return _of_prefix(path.parent.parent if in_bin else path.parent, origin, path)
    return None


def own() -> Environment:
    """The interpreter that runs Understudy."""
    paths = sysconfig.get_paths()
    site = dict.fromkeys(Path(paths[key]) for key in ("purelib", "platlib"))
    return Environment(
        (sys.version_info.major, sys.version_info.minor),
        tuple(dict.fromkeys(Path(paths[key]) for key in ("stdlib", "platstdlib"))),
        _with_pth(tuple(site)),
        "the interpreter that runs Understudy",
        running=True,
    )


def _of_prefix(prefix: Path, origin: str, executable: Path | None) -> Environment | None:
    home = prefix
    version = None
    settings = prefix / "pyvenv.cfg"
    is_venv = settings.is_file()
    if is_venv:
        content = _content(settings)
        if match := _VERSION.search(content):
            version = (int(match.group(1)), int(match.group(2)))
        if match := _HOME.search(content):
            home = Path(match.group(1).strip()).parent
    elif executable is not None:
        version = _version_in(os.path.realpath(executable))
    folders = [folder for folder in prefix.glob("lib/python3.*") if _version_in(folder.name)]
    if version is None:
        version = max(filter(None, (_version_in(folder.name) for folder in folders)), default=None)
    if version is None:
        version = sys.version_info[:2]
    name = f"python{version[0]}.{version[1]}"
    site = [prefix / "lib" / name / "site-packages", prefix / "Lib" / "site-packages"]
    if not is_venv:
        # Debian's own Python.
        site += [
            prefix / "local" / "lib" / name / "dist-packages",
            prefix / "lib" / "python3" / "dist-packages",
        ]
    site = [path for path in site if path.is_dir()]
    if not site:
        site = [path for folder in sorted(folders) if (path := folder / "site-packages").is_dir()]
    stdlib = [path for path in (home / "lib" / name, home / "Lib") if (path / "os.py").is_file()]
    if not site and (is_venv or not stdlib):
        return None
    if not stdlib:
        stdlib = [Path(sysconfig.get_paths()["stdlib"])]
    return Environment(version, tuple(stdlib), _with_pth(tuple(site)), origin)


def _content(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def _version_in(path: str) -> tuple[int, int] | None:
    match = re.search(r"python(\d+)\.(\d+)(?:\.exe)?$", path)
    return (int(match.group(1)), int(match.group(2))) if match else None


def _with_pth(site: tuple[Path, ...]) -> tuple[Path, ...]:
    found = list(site)
    for folder in site:
        try:
            files = sorted(folder.glob("*.pth"))
        except OSError:
            continue
        for file in files:
            for line in _content(file).splitlines():
                entry = line.strip()
                if entry and not entry.startswith(("#", "import ", "import\t")):
                    path = folder / entry
                    if path.is_dir() and path not in found:
                        found.append(path)
    return tuple(found)
