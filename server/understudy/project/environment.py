"""Where the modules of the project's interpreter are. Read from the file system; nothing is started."""

from __future__ import annotations

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


def find(root: Path, configured: str | None, virtual_env: str | None) -> Environment:
    """The project's environment: the configured interpreter, an active or local virtual environment, else
    the interpreter that runs Understudy."""
    candidates: list[tuple[Path, str]] = []
    if configured:
        path = Path(configured).expanduser()
        candidates.append((path if path.is_absolute() else root / path, "the configured python"))
    else:
        candidates.extend((root / name, name) for name in _VENV_NAMES)
        if virtual_env:
            candidates.append((Path(virtual_env), "VIRTUAL_ENV"))
    for path, origin in candidates:
        prefix = _prefix(path)
        found = _of_prefix(prefix, origin) if prefix is not None else None
        if found is not None:
            return found
    return own()


def own() -> Environment:
    """The interpreter that runs Understudy."""
    paths = sysconfig.get_paths()
    site = dict.fromkeys(Path(paths[key]) for key in ("purelib", "platlib"))
    return Environment(
        (sys.version_info.major, sys.version_info.minor),
        tuple(dict.fromkeys(Path(paths[key]) for key in ("stdlib", "platstdlib"))),
        _with_pth(tuple(site)),
        "the interpreter that runs Understudy",
    )


def _prefix(path: Path) -> Path | None:
    """The prefix of a virtual environment or installation, from its folder or its executable."""
    if path.is_dir():
        return path
    if path.is_file():
        return path.parent.parent if path.parent.name in ("bin", "Scripts") else path.parent
    return None


def _of_prefix(prefix: Path, origin: str) -> Environment | None:
    site = [path for path in sorted(prefix.glob("lib/python3.*/site-packages")) if path.is_dir()]
    if (prefix / "Lib" / "site-packages").is_dir():
        site.append(prefix / "Lib" / "site-packages")
    if not site:
        return None
    version = None
    home = prefix
    settings = prefix / "pyvenv.cfg"
    if settings.is_file():
        content = settings.read_text("utf-8", "replace")
        if match := _VERSION.search(content):
            version = (int(match.group(1)), int(match.group(2)))
        if match := _HOME.search(content):
            home = Path(match.group(1).strip()).parent
    if version is None:
        match = re.search(r"python(\d+)\.(\d+)", site[-1].as_posix())
        version = (int(match.group(1)), int(match.group(2))) if match else sys.version_info[:2]
    name = f"python{version[0]}.{version[1]}"
    stdlib = [path for path in (home / "lib" / name, home / "Lib") if (path / "os.py").is_file()]
    if not stdlib:
        stdlib = [Path(sysconfig.get_paths()["stdlib"])]
    return Environment(version, tuple(stdlib), _with_pth(tuple(site)), origin)


def _with_pth(site: tuple[Path, ...]) -> tuple[Path, ...]:
    found = list(site)
    for folder in site:
        try:
            files = sorted(folder.glob("*.pth"))
        except OSError:
            continue
        for file in files:
            try:
                lines = file.read_text("utf-8", "replace").splitlines()
            except OSError:
                continue
            for line in lines:
                entry = line.strip()
                if entry and not entry.startswith(("#", "import ", "import\t")):
                    path = folder / entry
                    if path.is_dir() and path not in found:
                        found.append(path)
    return tuple(found)
