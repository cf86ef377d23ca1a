"""The process in which jedi lives: questions on standard input, answers on standard output, both JSON lines.

The only module that imports jedi, and only in :func:`main`. :mod:`understudy.infer.tier2` starts it, gives
it a deadline per question, and kills it.

Nothing of the workspace is executed: jedi gets this process's own interpreter as its environment (no other
is started), may not import anything but the standard library to look at it, and an audit hook refuses other
imports and new processes, whatever code asks for them.

A question is ``{"id", "path", "text", "row", "column", "what": "infer"|"goto", "root", "search_path"}``,
rows and columns from 0. Its answer is ``{"id", "names": [{"full_name", "type", "module_path", "line",
"column"}], "certain", "rss"}`` or ``{"id", "error", "rss"}``, lines from 1 and columns from 0 as jedi counts
them. The first line, before any question, is ``{"ready": true, "rss"}``.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, BinaryIO

_PARENT_CHECK = 1.0
_PROJECTS = 64
_FORBIDDEN_EVENTS = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "pty.spawn",
    "socket.connect",
)
_OWN_PACKAGES = frozenset({"jedi", "parso", "understudy"})


class _Doubts:
    """Notes what makes jedi's answer a guess.

    jedi drops what it cannot follow and gives the rest: of ``return A`` and ``return load()`` it gives ``A``.
    It believes annotations, docstrings, defaults of parameters and the entries of a dict display. Good for
    completion, but no evidence: after any of these the answer is not *certain*.
    """

    def __init__(self) -> None:
        self.found = 0

    def watch(self) -> None:
        """Hook into jedi. Its internals are not an interface: where a name is gone this raises, and then no
        answer is ever certain."""
        from jedi.inference import docstrings, syntax_tree
        from jedi.inference.gradual import annotation
        from jedi.inference.names import AnonymousParamName, TreeNameDefinition
        from jedi.inference.value.function import BaseFunctionExecutionContext

        self._on(syntax_tree, "_infer_node", _is_dropped)
        self._on(
            TreeNameDefinition,
            "infer",
            lambda made, args: not made and not _is_in_stub(args[0].parent_context),
        )
        self._on(annotation, "infer_annotation", lambda made, args: True)
        self._on(annotation, "_infer_annotation_string", lambda made, args: True)
        self._on(docstrings, "infer_return_types", lambda made, args: bool(made))
        self._on(docstrings, "infer_param", lambda made, args: bool(made))
        self._on(AnonymousParamName, "infer", lambda made, args: True)
        self._on(
            BaseFunctionExecutionContext,
            "get_return_values",
            lambda made, args: _may_fall_through(args[0].tree_node),
        )

    def _on(self, owner: Any, name: str, doubtful: Callable[[Any, tuple[Any, ...]], bool]) -> None:
        original = getattr(owner, name)

        @wraps(original)
        def watching(*args: Any, **keywords: Any) -> Any:
            made = original(*args, **keywords)
            if doubtful(made, args):
                self.found += 1
            return made

        setattr(owner, name, watching)


def _is_dropped(made: Any, args: tuple[Any, ...]) -> bool:
    """An expression that jedi gave up on, or took out of a container that may hold other things as well."""
    context, node = args
    if made and not (node.type in ("power", "atom_expr") and any(map(_is_subscript, node.children))):
        return False
    return not _is_in_stub(context)


def _is_in_stub(context: Any) -> bool:
    """In typeshed, which has decorators and conditions that jedi does not know."""
    return context.get_root_context().is_stub() is True


def _is_subscript(node: Any) -> bool:
    return bool(node.type == "trailer" and node.children[0] == "[")


def _may_fall_through(function: Any) -> bool:
    """True unless the function ends in ``return`` or ``raise``: otherwise it may give ``None`` as well."""
    if function.type != "funcdef":
        return False
    last = function.children[-1]
    while last.type == "suite":
        last = last.children[-1]
    if last.type == "simple_stmt":
        last = last.children[0]
    ends: bool = last.type in ("return_stmt", "raise_stmt") or last == "return"
    return not ends


class _Guard:
    """An audit hook: no process is started here, and only the standard library is imported any more, from our
    own path (jedi exchanges ``sys.path`` for the project's while it looks for modules)."""

    def __init__(self) -> None:
        self.own_path = frozenset(sys.path)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "import":
            name, path = args[0], args[2]
            root = name.partition(".")[0]
            if root not in _OWN_PACKAGES and root not in sys.stdlib_module_names:
                raise ImportError(f"not imported here: {name}")
            if path is not None and not self.own_path.issuperset(path):
                raise ImportError(f"not imported from the project's path: {name}")
        elif event.startswith(_FORBIDDEN_EVENTS):
            raise PermissionError(f"not done here: {event}")


class _Oracle:
    """jedi, set up to look and not to touch."""

    def __init__(self) -> None:
        import jedi
        from jedi.api.environment import InterpreterEnvironment
        from jedi.inference.compiled.subprocess import functions

        jedi.settings.auto_import_modules = []
        # Guesses: what callers pass, and what isinstance() in a condition suggests.
        jedi.settings.dynamic_params = False
        jedi.settings.dynamic_params_for_other_modules = False
        jedi.settings.dynamic_flow_information = False
        load = functions.load_module

        def load_module(state: Any, **keywords: Any) -> Any:
            """jedi imports what has no Python source: only the standard library's own."""
            root = str(keywords.get("dotted_name", "")).partition(".")[0]
            if root not in sys.stdlib_module_names:
                return None
            return load(state, **{**keywords, "sys_path": list(sys.path)})

        functions.load_module = load_module
        _forgive_broken_cache()
        self._jedi = jedi
        self._environment = InterpreterEnvironment()
        self._projects: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._doubts: _Doubts | None = _Doubts()
        try:
            self._doubts.watch()
        except (ImportError, AttributeError):
            self._doubts = None

    def warm_up(self) -> None:
        """Read what every question needs: the stubs of the built-in names."""
        self._jedi.Script("type(1)", project=self._project(os.sep, ()), environment=self._environment).infer(
            1, 1
        )

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        project = self._project(question.get("root") or os.sep, tuple(question.get("search_path") or ()))
        doubts = self._doubts
        before = doubts.found if doubts is not None else 0
        script = self._jedi.Script(
            question["text"], path=question["path"], project=project, environment=self._environment
        )
        # jedi would believe in conditions that it can work out: `if settings.DEBUG`.
        script._inference_state.flow_analysis_enabled = False
        ask = script.goto if question.get("what") == "goto" else script.infer
        names = [
            {
                "full_name": name.full_name or "",
                "type": name.type,
                "module_path": str(name.module_path) if name.module_path is not None else None,
                "line": name.line or 0,
                "column": name.column or 0,
            }
            for name in ask(question["row"] + 1, question["column"])
        ]
        return {"names": names, "certain": doubts is not None and doubts.found == before}

    def _project(self, root: str, search_path: tuple[str, ...]) -> Any:
        key = (root, search_path)
        if key not in self._projects:
            if len(self._projects) >= _PROJECTS:
                self._projects.clear()
            self._projects[key] = self._jedi.Project(
                root, sys_path=list(search_path), smart_sys_path=False, load_unsafe_extensions=False
            )
        return self._projects[key]


def _forgive_broken_cache() -> None:
    """parso keeps parsed files on disk, and does not write them in one go: what another process is about to
    write is cut off (EOFError, UnpicklingError). That is a miss, not an error."""
    from parso import cache

    load: Callable[..., Any] = cache._load_from_file_system

    def forgiving(*args: Any, **keywords: Any) -> Any:
        try:
            return load(*args, **keywords)
        except Exception:
            return None

    cache._load_from_file_system = forgiving


def main() -> int:
    """Answer until standard input closes or the process that started this one is gone."""
    questions, answers = _streams()
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(questions, waiting), daemon=True).start()
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    import encodings.idna  # noqa: F401
    import importlib.metadata  # noqa: F401
    import warnings
    import zipimport  # noqa: F401
    import zlib  # noqa: F401

    warnings.simplefilter("ignore")
    oracle = _Oracle()
    oracle.warm_up()
    sys.addaudithook(_Guard())
    _write(answers, {"ready": True})
    while True:
        line = waiting.get()
        try:
            question = json.loads(line)
        except ValueError:
            _write(answers, {"id": None, "error": "not a JSON object"})
            continue
        identity = question.get("id") if isinstance(question, dict) else None
        try:
            answer = oracle.answer(question)
        except Exception as error:  # jedi raises whatever it runs into
            answer = {"error": f"{type(error).__name__}: {error}"}
        _write(answers, {"id": identity, **answer})


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes, moved to numbers that nobody prints to or reads from by habit."""
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return questions, answers


def _read(questions: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    """In a thread of its own, so that the end of the input ends the process during a question, too."""
    for line in questions:
        waiting.put(line)
    os._exit(0)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK)
    os._exit(0)


def _write(answers: BinaryIO, answer: dict[str, Any]) -> None:
    try:
        answers.write(json.dumps({**answer, "rss": _resident()}).encode("ascii") + b"\n")
        answers.flush()
    except OSError:
        os._exit(0)


def _resident() -> int:
    """The memory that this process holds, in bytes; 0 where it is not known."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    raise SystemExit(main())
