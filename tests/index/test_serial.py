"""Facts survive being written and read, and nothing else is taken for them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from understudy.facts import serial
from understudy.facts.extract import extract
from understudy.facts.model import ModuleFacts
from understudy.source.parse import parse
from understudy.source.text import Text, read

SERVER = Path(__file__).parents[2] / "server" / "understudy"
GOVERNANCE = Path(__file__).parents[1] / "projects" / "governance"
CONSTANTS = """\
import a.b as c
from . import d
from ..e import *
X = [None, True, False, 0, -1, 1.5, 1e400, 2j, ..., "", "é\\ud800", b"\\x00\\xff", 10 ** 3, 12345678901234567890]
Y = {"a": 1, **X}
Z: int | None = f(*X, k=X[0], **Y).g
async def f(a, /, b: int = 1, *c, d, **e) -> None:
    global G
    import h
    yield
if X:
    class C(B, metaclass=M):
        relation = relationship(lambda: User)
        @declared_attr
        def t(cls): return "x"
        def m(self): self.y = 1
try:
    import u
except ImportError:
    u = None
del Y
C.extra = 1
"""


def facts(text: Text) -> ModuleFacts:
    return extract(parse(Path("a.py"), text))


@pytest.mark.parametrize("folder", [SERVER, GOVERNANCE], ids=lambda folder: folder.name)
def test_facts_of_real_files(folder: Path) -> None:
    for file in sorted(folder.rglob("*.py")):
        found = facts(read(file))
        assert serial.loads(serial.dumps(found)) == found, file


def test_every_kind_of_declaration_and_constant() -> None:
    found = facts(Text(CONSTANTS))
    again = serial.loads(serial.dumps(found))
    assert again == found
    assert repr(again) == repr(found), "equal is not enough: 1 == True == 1.0"


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('it was executed')",))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[0]",
        b"[1, 2]",
        b"[28, [0], false]",
        b"[28, [0], false, [0], 1]",
        b"[9999]",
        b"[-1, 0]",
        b'["x"]',
        b"[3, 77]",
        b"[" * 100_000,
        pickle.dumps(Bomb()),
    ],
)
def test_what_is_no_facts_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        serial.loads(data)
