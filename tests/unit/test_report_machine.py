"""Output for programs: concise lines, JSON, GitHub commands, statistics."""

from __future__ import annotations

import json
from pathlib import Path

from understudy.finding import Applicability, Edit, Finding, Fix, Related, Severity
from understudy.report import concise, github, jsonout, statistics
from understudy.source.span import Span

BASE = Path("/p")
T = BASE / "tests" / "t.py"

FIX = Fix("Use it", Applicability.UNSAFE, (Edit(Path("/q/s.py"), Span(2, 0, 2, 0), "import x\n"),))
RELATED = Related(Path("/q/s.py"), Span(4, 2, 5, 0), "awaited here")
FINDING = Finding(
    "US101", "awaited-sync-mock", Severity.ERROR, "bad é", T, Span(0, 4, 0, 9), (RELATED,), (FIX,)
)


def finding(code: str, *fixes: Fix, path: Path = T, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code, f"name-{code}", severity, "100%\r\nbad", path, Span(0, 0, 1, 2), (), fixes)


def test_concise() -> None:
    assert concise.render([FINDING], BASE) == "tests/t.py:1:5: error[US101] bad é\n"
    odd = finding("US102", path=Path("/q/a\nb\udce9.py"), severity=Severity.HINT)
    assert concise.render([odd], BASE) == "/q/a b<U+DCE9>.py:1:1: hint[US102] 100% bad\n"


def test_json_is_the_contract() -> None:
    rendered = jsonout.render([FINDING, finding("US102")], BASE, lambda code: f"https://x/{code}")
    first, second = json.loads(rendered)
    assert first == {
        "code": "US101",
        "name": "awaited-sync-mock",
        "severity": "error",
        "message": "bad é",
        "filename": "tests/t.py",
        "location": {"row": 1, "column": 5},
        "end_location": {"row": 1, "column": 10},
        "related": [
            {
                "filename": "/q/s.py",
                "location": {"row": 5, "column": 3},
                "end_location": {"row": 6, "column": 1},
                "message": "awaited here",
            }
        ],
        "fix": {
            "title": "Use it",
            "applicability": "unsafe",
            "edits": [
                {
                    "filename": "/q/s.py",
                    "location": {"row": 3, "column": 1},
                    "end_location": {"row": 3, "column": 1},
                    "content": "import x\n",
                }
            ],
        },
        "url": "https://x/US101",
    }
    assert second["fix"] is None
    assert rendered.isascii()
    assert rendered.endswith("]\n")
    assert jsonout.render([], BASE, lambda code: None) == "[]\n"


def test_github() -> None:
    assert github.render([FINDING], BASE) == (
        "::error title=US101 awaited-sync-mock,file=tests/t.py,line=1,endLine=1,col=5,endColumn=10"
        "::tests/t.py:1:5: US101 bad é%0A/q/s.py:5:3: awaited here\n"
    )


def test_github_escapes_and_leaves_columns_out_for_several_rows() -> None:
    odd = finding("US102", path=BASE / "a,b:c%.py", severity=Severity.INFO)
    assert github.render([odd], BASE) == (
        "::notice title=US102 name-US102,file=a%2Cb%3Ac%25.py,line=1,endLine=2"
        "::a,b:c%25.py:1:1: US102 100%25%0D%0Abad\n"
    )
    assert github.render([finding("US1", severity=Severity.WARNING)], BASE).startswith("::warning ")
    assert github.render([finding("US1", severity=Severity.HINT)], BASE).startswith("::notice ")


SAFE = Fix("Use it", Applicability.SAFE, FIX.edits)


def test_statistics() -> None:
    findings = [
        *(finding("US305") for _ in range(9)),
        *(finding("US205", FIX) for _ in range(10)),
        *(finding("US2", SAFE) for _ in range(3)),
        *(finding("US1", FIX, SAFE) for _ in range(2)),
        finding("US1", FIX),
    ]
    assert statistics.render(findings, BASE) == (
        "10  US205  name-US205  10 fixable with --unsafe-fixes\n"
        " 9  US305  name-US305\n"
        " 3  US1    name-US1    2 fixable, 1 more with --unsafe-fixes\n"
        " 3  US2    name-US2    3 fixable\n"
        "\n"
        "25  tests  US205 10, US305 9, US1 3, US2 3\n"
    )
    assert statistics.render([], BASE) == ""
    assert json.loads(statistics.render_json(findings, BASE))[2] == {
        "code": "US1",
        "name": "name-US1",
        "count": 3,
        "fixable": 2,
        "fixable_unsafe": 3,
        "folders": {"tests": 3},
    }
