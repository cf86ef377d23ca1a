"""Language servers under the same client, in the same run: understudy, ruff, ty, pyrefly, basedpyright.

    python tests/bench/servers.py [--files 5000] [--edits 100] [--only understudy ruff] [--no-install] [--write]

Figures, not tests: nothing here fails because a machine is slow. The other servers are installed from the package
index into a virtual environment of their own, which is thrown away. Linux, for the memory of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from generate import generate

from bench.others import installed
from bench.table import Table, Unavailable, write

SERVERS = {
    "understudy": [sys.executable, "-m", "understudy", "server"],
    "ruff": ["ruff", "server"],
    "ty": ["ty", "server"],
    "pyrefly": ["pyrefly", "lsp"],
    "basedpyright": ["basedpyright-langserver", "--stdio"],
}
PATIENCE = 120.0
BURST, BURST_GAP = 20, 0.005
IDLE = 3.0
STARTS = 3
_TIDYING = 4.0


class Gone(Exception):
    """The server ended, or never answered."""


class Client:
    """Speaks the protocol on a process's pipes; a thread reads, so that arrivals are timed when they come."""

    def __init__(self, command: list[str], root: Path) -> None:
        """Begin with the process; ``started`` is the time of that (``time.perf_counter``)."""
        # As what is installed: compiled once.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.root = root
        self._identity = 0
        self._arrived: queue.SimpleQueue[tuple[float, dict[str, Any] | None]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        length = 0
        while line := stream.readline():
            name, _, value = line.strip().partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif not name:
                body = json.loads(stream.read(length))
                self._arrived.put((time.perf_counter(), body))
        self._arrived.put((time.perf_counter(), None))

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def notify(self, method: str, params: Any) -> None:
        self.send({"method": method, "params": params})

    def receive(self, until: float) -> tuple[float, dict[str, Any]]:
        """The next message that is no request of the server, which is answered at once."""
        while True:
            try:
                when, message = self._arrived.get(timeout=max(0.0, until - time.perf_counter()))
            except queue.Empty:
                raise Gone("no answer in time") from None
            if message is None:
                raise Gone("the server has ended")
            if "method" in message and "id" in message:
                answer = self.answer(message["method"], message.get("params") or {})
                self.send({"id": message["id"], "result": answer})
            else:
                return when, message

    def answer(self, method: str, params: Any) -> Any:
        """To a request of the server: a client that has nothing set."""
        return [{} for _ in params["items"]] if method == "workspace/configuration" else None

    def request(self, method: str, params: Any) -> tuple[float, Any]:
        self._identity += 1
        self.send({"id": self._identity, "method": method, "params": params})
        while True:
            when, message = self.receive(time.perf_counter() + PATIENCE)
            if message.get("id") == self._identity and "method" not in message:
                return when, message.get("result")

    def diagnostics(self, uri: str, version: int) -> float:
        """When the diagnostics of a version came. Servers that tell no version: the next ones."""
        while True:
            when, message = self.receive(time.perf_counter() + PATIENCE)
            if message.get("method") == "textDocument/publishDiagnostics":
                params = message["params"]
                if params["uri"] == uri and params.get("version") in (None, version):
                    return when

    def settle(self, told: dict[str, Any], quiet: float = 3.0) -> None:
        """Take in publications until there have been none for so many seconds."""
        while True:
            try:
                _, message = self.receive(time.perf_counter() + quiet)
            except Gone:
                return
            if message.get("method") == "textDocument/publishDiagnostics":
                told[message["params"]["uri"]] = message["params"]

    def leave(self) -> None:
        """As an editor does that is closed."""
        self.request("shutdown", None)
        self.notify("exit", None)
        # Some take their time, or never end by themselves.
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Figures:
    """Seconds and bytes; lists for what has a distribution."""

    values: dict[str, float] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)


def _measured(command: list[str], root: Path, files: dict[str, Path], edits: int) -> Figures:
    figures = Figures()
    first = next(iter(files.values()))
    figures.values["start to first findings, cold"], _ = _start(command, root, first)
    for _ in range(STARTS):
        found, answered = _start(command, root, first)
        figures.series.setdefault("start to first findings, warm", []).append(found)
        figures.series.setdefault("start to initialize", []).append(answered)
    client = Client(command, root)
    try:
        client.request("initialize", initialize(root))
        client.notify("initialized", {})
        for name, path in files.items():
            _edit(client, figures, name, path, edits)
        figures.values["memory"] = memory(client.process.pid)
        # What a server tidies up when the typing ends is done once.
        time.sleep(IDLE)
        before = _cpu(client.process.pid)
        time.sleep(IDLE)
        figures.values["idle CPU"] = (_cpu(client.process.pid) - before) / IDLE
    finally:
        client.end()
    return figures


def _start(command: list[str], root: Path, path: Path) -> tuple[float, float]:
    """Seconds from the start of a process to the first findings of a file, and to the answer to ``initialize``."""
    client = Client(command, root)
    try:
        answered, _ = client.request("initialize", initialize(root))
        client.notify("initialized", {})
        _open(client, path, path.read_text("utf-8"))
        found = client.diagnostics(path.as_uri(), 1)
        # Whatever it keeps for the next start, on a machine that is busy.
        time.sleep(_TIDYING)
        client.leave()
    finally:
        client.end()
    return found - client.started, answered - client.started


def _open(client: Client, path: Path, text: str) -> None:
    document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": document})


def _edit(client: Client, figures: Figures, name: str, path: Path, edits: int) -> None:
    """Every edit adds or removes a use of an unknown name inside a test, which every one of the servers reports:
    those that publish only what is new have something to publish each time."""
    uri, text = path.as_uri(), path.read_text("utf-8")
    lines = text.split("\n")
    row = next(at for at in range(len(lines) // 2, len(lines)) if lines[at].startswith("    session."))
    sent = time.perf_counter()
    _open(client, path, text)
    figures.values[f"{name}: open to diagnostics"] = client.diagnostics(uri, 1) - sent
    taken = figures.series.setdefault(f"{name}: keystroke", [])
    version = 1
    added = "    unknown_name\n"
    for number in range(edits):
        version += 1
        sent = time.perf_counter()
        _change(client, uri, version, row, added if number % 2 == 0 else "")
        taken.append(client.diagnostics(uri, version) - sent)
        time.sleep(0.02)
    bursts = figures.series.setdefault(f"{name}: after {BURST} edits", [])
    for _ in range(max(1, edits // 20)):
        for number in range(BURST + 1):
            version += 1
            sent = time.perf_counter()
            _change(client, uri, version, row, added if number % 2 == 0 else "")
            time.sleep(BURST_GAP if number < BURST else 0)
        bursts.append(client.diagnostics(uri, version) - sent)
        version += 1
        _change(client, uri, version, row, "")
        client.diagnostics(uri, version)


def _change(client: Client, uri: str, version: int, row: int, text: str) -> None:
    end = {"line": row + (0 if text else 1), "character": 0}
    change = {"range": {"start": {"line": row, "character": 0}, "end": end}, "text": text}
    client.notify(
        "textDocument/didChange",
        {"textDocument": {"uri": uri, "version": version}, "contentChanges": [change]},
    )


def initialize(root: Path) -> dict[str, Any]:
    return {
        "processId": os.getpid(),
        "rootUri": root.as_uri(),
        "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
        "capabilities": {
            "textDocument": {
                "synchronization": {"didSave": True},
                "publishDiagnostics": {"versionSupport": True, "relatedInformation": True},
            },
            "workspace": {"workspaceFolders": True},
        },
    }


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found.extend(int(child) for child in task.read_text().split())
    return found


def memory(pid: int) -> float:
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) * page for each in _tree(pid))


def _cpu(pid: int) -> float:
    """Seconds of processor time of the tree."""
    ticks = 0
    for each in _tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _shown(name: str, value: float) -> str:
    if name == "memory":
        return f"{value / 1e6:.0f} MB"
    return f"{100 * value:.1f} %" if name == "idle CPU" else f"{1000 * value:.1f} ms"


def _table(results: dict[str, Figures], workspace: str) -> Table:
    """A row for each figure, with the ratios to our own."""
    rows: dict[str, dict[str, float]] = {}
    for server, figures in results.items():
        for name, value in figures.values.items():
            rows.setdefault(name, {})[server] = value
        for name, taken in figures.series.items():
            cuts = quantiles(taken, n=20) if len(taken) > 1 else taken * 19
            for label, value in (("min", min(taken)), ("p50", median(taken)), ("p95", cuts[18])):
                rows.setdefault(f"{name}, {label}", {})[server] = value
    note = f"{workspace}. Wall time; in brackets, how many times ours."
    table = Table("Language servers in the same workspace", ["figure", *results], note=note)
    for name, by_server in sorted(rows.items()):
        own = by_server.get("understudy")
        cells = []
        for server in results:
            value = by_server.get(server)
            cell = "-" if value is None else _shown(name, value)
            if value is not None and own and server != "understudy":
                cell += f" ({value / own:.1f}x)"
            cells.append(cell)
        table.rows.append([name, *cells])
    return table


def measure(repeats: int) -> list[Table]:
    """All servers in one run; twenty times as many keystrokes as repeats, and a burst for each."""
    try:
        return [_table(*_run(list(SERVERS), 5000, 20 * repeats, install=True))]
    except subprocess.CalledProcessError:
        raise Unavailable("the other servers cannot be installed") from None


def _run(names: list[str], count: int, edits: int, *, install: bool) -> tuple[dict[str, Figures], str]:
    """The figures of each server that could be measured, and what they were measured on."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workspace"
        made = generate(root, count)
        files = {}
        for lines in (1000, 3000):
            path = root / "tests" / f"test_{lines}_lines.py"
            path.write_text(made.test_file(made.services - 1, lines * 10 // 76), "utf-8")
            files[f"{path.read_text('utf-8').count(chr(10))} lines"] = path
        load = os.getloadavg()[0]
        workspace = f"{made.written} files, {made.lines:,} lines; {edits} edits; load before {load:.1f}"
        others = [name for name in names if name != "understudy"]
        search = os.environ["PATH"]
        if others and install:
            search = f"{installed(Path(folder) / 'venv', others)}{os.pathsep}{search}"
        results: dict[str, Figures] = {}
        for name in names:
            # A cache of its own: the first start is a cold one.
            cache = Path(folder) / f"cache-{name}"
            command = ["/usr/bin/env", f"PATH={search}", f"XDG_CACHE_HOME={cache}", *SERVERS[name]]
            try:
                results[name] = _measured(command, root, files, edits)
            except Gone as error:
                print(f"{name}: {error}", file=sys.stderr)
        return results, workspace


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure language servers on the same workspace.")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--edits", type=int, default=100)
    parser.add_argument("--only", nargs="*", choices=list(SERVERS), default=list(SERVERS))
    parser.add_argument("--no-install", action="store_true", help="take the other servers from the PATH")
    parser.add_argument("--write", action="store_true", help="into the page of results")
    options = parser.parse_args()
    table = _table(*_run(options.only, options.files, options.edits, install=not options.no_install))
    print(table.markdown())
    if options.write:
        write([table])


if __name__ == "__main__":
    main()
