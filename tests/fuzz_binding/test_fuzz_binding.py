"""A small seeded run of the fuzzer, and that it can fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from understudy.finding import Finding, Severity
from understudy.source.span import Span

from fuzz_binding import compare
from fuzz_binding.fuzz import fuzz
from fuzz_binding.programs import Program, run

_DEFINER = 'def f():\n    return "real"\n'
_TEST = """\
from unittest.mock import patch
import fz_m1

outputs = []


def test_it():
    with patch("{target}", return_value="fake"):
        outputs.append(fz_m1.call())
"""


def _program(consumer: str, target: str) -> Program:
    return Program({"fz_m0.py": _DEFINER, "fz_m1.py": consumer, "test_it.py": _TEST.format(target=target)})


_COPY = "from fz_m0 import f\n\n\ndef call():\n    return f()\n"
_LOOKUP = "import fz_m0\n\n\ndef call():\n    return fz_m0.f()\n"


def test_no_disagreement() -> None:
    counts = fuzz(120, 20240)
    assert counts["programs"] >= 100
    # It is no use when nothing is ever said.
    assert counts["US202"] > 0
    assert counts["US201"] > 0
    assert counts["US210"] > 0


def test_programs_are_run_for_real() -> None:
    assert run(_program(_COPY, "fz_m0.f")).outputs == ("real",)
    assert run(_program(_COPY, "fz_m1.f")).outputs == ("fake",)
    missing = run(_program(_COPY, "fz_m1.nothing"))
    assert (missing.failed, missing.patching) == ("AttributeError", True)


def test_a_module_under_two_names_is_two_modules() -> None:
    long_name = _TEST.format(target="fz_pk.fz_m0.f")
    files = {"fz_pk/__init__.py": "", "fz_pk/fz_m0.py": _DEFINER, "fz_pk/fz_m1.py": _LOOKUP}
    two = Program({**files, "test_it.py": long_name})
    assert run(two).outputs == ("real",)
    assert [finding.code for finding in compare.compare(two).findings] == ["US210"]
    one = Program({**files, "test_it.py": _TEST.format(target="fz_m0.f")})
    assert run(one).outputs == ("fake",)
    assert compare.compare(one).findings == ()


def test_a_true_finding_agrees() -> None:
    found = compare.compare(_program(_COPY, "fz_m0.f"))
    assert [finding.code for finding in found.findings] == ["US202"]
    assert found.disagreements == ()


@pytest.mark.parametrize("code", ["US202", "US201", "US210", "US211"])
def test_a_false_finding_disagrees(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    false = Finding(code, "", Severity.ERROR, "", Path("test_it.py"), Span.at(0, 0))
    monkeypatch.setattr(compare, "check", lambda program, folder: (false,))
    assert compare.compare(_program(_LOOKUP, "fz_m0.f")).disagreements
