"""Runs the tests of programs and prints what each raises, as JSON; it knows nothing of Understudy.

Called as ``python -I runner.py FOLDER``, where each folder in it has one program. A test that takes longer than half a
second, or that recurses without end, has no outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

_MEMORY = 2 << 30
_SECONDS = 0.5


class Endless(BaseException):
    pass


def _stop(number: int, frame: FrameType | None) -> None:
    raise Endless


def outcomes(folder: Path) -> dict[str, str]:
    """By test: ``passes``, or the exception and its text; of programs that cannot be loaded, of the name ``""``."""
    sys.path.insert(0, str(folder))
    found: dict[str, str] = {}
    try:
        import test_app  # type: ignore[import-not-found]

        for name, test in list(vars(test_app).items()):
            if name.startswith("test_"):
                with contextlib.suppress(Endless, RecursionError, MemoryError):
                    found[name] = _outcome(test)
                signal.setitimer(signal.ITIMER_REAL, 0)
    except Exception as error:
        found[""] = f"{type(error).__name__}: {error}"
    finally:
        sys.path.remove(str(folder))
        for name in ("app", "test_app"):
            sys.modules.pop(name, None)
    return found


def _outcome(test: Any) -> str:
    # More than once: what a finalizer raises is lost.
    signal.setitimer(signal.ITIMER_REAL, _SECONDS, _SECONDS)
    try:
        asyncio.run(test())
    except (Endless, RecursionError, MemoryError):
        raise
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "passes"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(signal.SIGALRM, _stop)
    sys.dont_write_bytecode = True
    folders = sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir())
    print(json.dumps({folder.name: outcomes(folder) for folder in folders}))


if __name__ == "__main__":
    main()
