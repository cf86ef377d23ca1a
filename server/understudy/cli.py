"""The command line: ``understudy check``, ``server`` and ``rule``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from understudy import __version__

if TYPE_CHECKING:
    from understudy.rules.base import Rule

FOUND_NOTHING, FOUND, COULD_NOT_RUN = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Exit status: 0 nothing found, 1 findings, 2 it could not run."""
    for stream in (sys.stdout, sys.stderr):
        # A file name or message must never end the run because of the terminal's encoding.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on (`understudy check | head`). Python flushes at its end once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT_RUN
    except KeyboardInterrupt:
        print("understudy: interrupted", file=sys.stderr)
        return COULD_NOT_RUN
    except Exception as error:
        print(f"understudy: {_internal_error(error)}", file=sys.stderr)
        return COULD_NOT_RUN
    return status


def _internal_error(error: Exception) -> str:
    import traceback

    if isinstance(error, OSError) and error.filename is None and error.strerror:
        return f"cannot write the output: {error.strerror.lower()}"
    where = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(f"{type(error).__name__}: {error}".splitlines())
    return f"internal error ({said}, at {Path(where.filename).name}:{where.lineno}); please report it"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="understudy",
        description="Finds test doubles that do not behave like the thing they stand in for.",
    )
    parser.add_argument("--version", action="version", version=f"understudy {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    check = commands.add_parser("check", help="check files and folders, print findings")
    check.add_argument("paths", nargs="*", type=_path, metavar="PATH", help="files and folders (default: .)")
    check.add_argument(
        "--output-format",
        choices=("text", "concise", "json", "sarif", "github"),
        default="text",
        help="how findings are printed (default: text)",
    )
    check.add_argument("--select", type=_some_codes, metavar="CODES", help="rules to run, comma-separated")
    check.add_argument("--ignore", type=_codes, metavar="CODES", help="rules to leave out")
    check.add_argument("--fix", action="store_true", help="apply the safe fixes")
    check.add_argument("--unsafe-fixes", action="store_true", help="count unsafe fixes in, too")
    check.add_argument("--diff", action="store_true", help="print what --fix would change; write nothing")
    check.add_argument(
        "--changed-since",
        metavar="REV",
        help="show only what may differ from the git revision that the branch left: changes and their dependents",
    )
    check.add_argument(
        "--baseline", type=_path, metavar="FILE", help="leave out the findings that are in this file"
    )
    check.add_argument(
        "--write-baseline", action="store_true", help="write the findings to the file of --baseline"
    )
    check.add_argument("--exit-zero", action="store_true", help="exit with 0 also when there are findings")
    check.add_argument("--python", metavar="PATH", help="the project's interpreter or virtual environment")
    check.add_argument("--no-cache", action="store_true", help="read and write no cache")
    check.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="processes to use at most (default: one; for more than 60 files one per processor, up to 8)",
    )
    check.add_argument(
        "--executor",
        type=_executor,
        default="processes",
        metavar="WHERE",
        help="dask://HOST:PORT, ray or ray://HOST:PORT: let a cluster check the files (default: processes)",
    )
    check.add_argument(
        "--statistics", action="store_true", help="count by rule and folder; with json, print that alone"
    )
    check.set_defaults(run=_check)

    server = commands.add_parser("server", help="speak the Language Server Protocol on stdio")
    server.add_argument("--tcp", type=_address, metavar="HOST:PORT", help="listen on TCP instead, to debug")
    server.add_argument(
        "--log-level",
        choices=("error", "warning", "info", "debug"),
        default="warning",
        help="how much is written to stderr (default: warning)",
    )
    server.set_defaults(run=_server)

    rule = commands.add_parser("rule", help="print a rule's documentation")
    rule.add_argument("rule", nargs="?", metavar="CODE", help="a code (US101) or a name (awaited-sync-mock)")
    rule.add_argument("--all", action="store_true", help="list all rules")
    rule.add_argument("--output-format", choices=("text", "json"), default="text")
    rule.set_defaults(run=_rule)
    return parser


def _path(value: str) -> Path:
    if not value:
        raise argparse.ArgumentTypeError("expected the name of a file or folder, got ''")
    return Path(value)


def _some_codes(value: str) -> list[str]:
    codes = _codes(value)
    if not codes:
        raise argparse.ArgumentTypeError(f"expected codes of rules, got {value!r}")
    return codes


def _codes(value: str) -> list[str]:
    return [code.strip() for code in value.split(",") if code.strip()]


def _positive(value: str) -> int:
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {value!r}")
    return number


def _executor(value: str) -> str:
    scheme, separator, address = value.partition("://")
    if value not in ("processes", "ray") and not (separator and scheme in ("dask", "ray")):
        raise argparse.ArgumentTypeError(
            f"expected processes, dask://HOST:PORT, ray or ray://HOST:PORT, got {value!r}"
        )
    if separator:
        _address(address)
    return value


def _address(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {value!r}")
    return host, int(port)


def _check(arguments: argparse.Namespace) -> int:
    from understudy.check import Options, run
    from understudy.executors import set_up_garbage_collection

    set_up_garbage_collection()
    return run(
        Options(
            paths=tuple(arguments.paths or [Path()]),
            output_format=arguments.output_format,
            select=arguments.select,
            ignore=arguments.ignore,
            fix=arguments.fix,
            unsafe_fixes=arguments.unsafe_fixes,
            diff=arguments.diff,
            exit_zero=arguments.exit_zero,
            python=arguments.python,
            jobs=arguments.jobs,
            executor=arguments.executor,
            statistics=arguments.statistics,
            changed_since=arguments.changed_since,
            baseline=arguments.baseline,
            write_baseline=arguments.write_baseline,
            cache=not arguments.no_cache,
        ),
        sys.stdout,
        sys.stderr,
    )


def _server(arguments: argparse.Namespace) -> int:
    import gc

    # Nothing of what is imported now ever goes away.
    gc.disable()
    from understudy.lsp.server import serve

    gc.freeze()
    gc.enable()
    return serve(arguments.tcp, arguments.log_level)


def _rule(arguments: argparse.Namespace) -> int:
    from understudy.rules import registry

    if arguments.all == (arguments.rule is not None):
        print("understudy rule: give either a rule's code or --all", file=sys.stderr)
        return COULD_NOT_RUN
    if arguments.all:
        _print_rules(arguments.output_format, sys.stdout)
        return FOUND_NOTHING
    rule = registry.find(arguments.rule)
    if rule is None:
        from understudy.project.config import suggestion

        hint = suggestion(arguments.rule, [*registry.names(), *registry.names().values()])
        print(f"understudy rule: there is no rule {arguments.rule}{hint}", file=sys.stderr)
        return COULD_NOT_RUN
    if arguments.output_format == "json":
        import json

        print(json.dumps(_describe(rule), indent=2, ensure_ascii=False))
    else:
        print(rule.page, end="")
    return FOUND_NOTHING


def _print_rules(output_format: str, stream: TextIO) -> None:
    from understudy.rules import registry

    rules = registry.all_rules().values()
    if output_format == "json":
        import json

        print(json.dumps([_describe(rule) for rule in rules], indent=2, ensure_ascii=False), file=stream)
        return
    width = max(len(rule.name) for rule in rules)
    for rule in rules:
        print(f"{rule.code}  {rule.name:{width}}  {rule.severity.value:7}  {rule.summary}", file=stream)


def _describe(rule: Rule) -> dict[str, str | None]:
    from understudy.rules import registry

    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity.value,
        "summary": rule.summary,
        "documentation": rule.page,
        "url": registry.url(rule.code),
    }
