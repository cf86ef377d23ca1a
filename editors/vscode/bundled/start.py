"""Starts Understudy for the extension: the copy in ``libs`` beside this file, or (with ``--from-environment``
in front) the one that is installed beside the interpreter.

``--probe`` prints which interpreter and which Understudy that would be, as JSON. The syntax is that of any
Python 3, so that an interpreter that is too old can say so.
"""

import json
import sys
from os.path import abspath, dirname, join

OLDEST = (3, 10)


def main(arguments):
    from_environment = arguments[:1] == ["--from-environment"]
    if from_environment:
        arguments = arguments[1:]
    supported = sys.version_info >= OLDEST
    if not (from_environment and supported and _installed()):
        sys.path.insert(0, join(dirname(abspath(__file__)), "libs"))
    if arguments == ["--probe"]:
        print(json.dumps(_probe(supported)))
        return 0
    if not supported:
        sys.stderr.write("ERROR start: Understudy needs Python {}.{} or newer\n".format(*OLDEST))
        return 2
    from understudy.cli import main as understudy

    return understudy(arguments)


def _installed():
    from importlib.util import find_spec

    return find_spec("understudy") is not None


def _probe(supported):
    found = {
        "executable": sys.executable,
        "python": ".".join(map(str, sys.version_info[:3])),
        "supported": supported,
        "understudy": None,
        "location": None,
    }
    if supported:
        import understudy

        found["understudy"] = understudy.__version__
        found["location"] = dirname(understudy.__file__)
    return found


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
