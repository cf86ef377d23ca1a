"""``--output-format sarif``: the schema, places, fixes, fingerprints."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cli_run import AWAITED, FIXED, Ran, project, run
from jsonschema import Draft7Validator
from understudy.rules import registry
from understudy.source.span import Span
from understudy.source.text import Text, decode

HERE = Path(__file__).parent
BACKEND = HERE.parent / "projects" / "governance"
SCHEMA = Draft7Validator(json.loads((HERE / "schemas" / "sarif-2.1.0.json").read_text("utf-8")))

TWO = AWAITED + "    await session.commit()\n    await session.close()\n"
"""Three findings, two of them at equal code."""


def sarif(folder: Path, *options: str | Path) -> tuple[dict[str, Any], Ran]:
    """The document, which has been held against the schema, and how the command ended."""
    ran = run(folder, "check", "--output-format", "sarif", *options)
    document: dict[str, Any] = json.loads(ran.out)
    SCHEMA.validate(document)
    assert ran.out.isascii()
    return document, ran


def results(folder: Path, *options: str | Path) -> list[dict[str, Any]]:
    document, _ = sarif(folder, *options)
    found: list[dict[str, Any]] = document["runs"][0]["results"]
    return found


def fingerprints(folder: Path) -> list[str]:
    return [result["partialFingerprints"]["understudy/v1"] for result in results(folder)]


def place(location: dict[str, Any]) -> tuple[str, Span]:
    physical = location["physicalLocation"]
    return unquote(physical["artifactLocation"]["uri"]), span(physical["region"])


def span(region: dict[str, int]) -> Span:
    keys = ("startLine", "startColumn", "endLine", "endColumn")
    return Span(*(region[key] - 1 for key in keys))


def test_the_example_backend_says_what_json_says() -> None:
    document, ran = sarif(BACKEND)
    assert ran.status == 1
    found = document["runs"][0]["results"]
    objects = run(BACKEND, "check", "--output-format", "json").json
    assert len(found) == len(objects) > 30
    assert [(result["ruleId"], place(result["locations"][0])) for result in found] == [
        (item["code"], (item["filename"], json_span(item))) for item in objects
    ]
    for result, item in zip(found, objects, strict=True):
        assert result["level"] == {"error": "error", "warning": "warning", "hint": "note"}[item["severity"]]
        assert result["message"]["text"].split("\n")[0] == item["message"]
        assert [
            (related["message"]["text"], *place(related)) for related in result.get("relatedLocations", [])
        ] == [(related["message"], related["filename"], json_span(related)) for related in item["related"]]
        if item["fix"] is not None:
            assert result["fixes"][0]["description"]["text"] == item["fix"]["title"]
            assert result["fixes"][0]["properties"] == {"applicability": item["fix"]["applicability"]}
        else:
            assert "fixes" not in result
    prints = [result["partialFingerprints"]["understudy/v1"] for result in found]
    assert len(set(prints)) == len(prints)


def json_span(item: dict[str, Any]) -> Span:
    start, end = item["location"], item["end_location"]
    return Span(start["row"] - 1, start["column"] - 1, end["row"] - 1, end["column"] - 1)


def test_rules_are_those_with_findings_and_their_pages_are_the_help() -> None:
    document, _ = sarif(BACKEND)
    (run_,) = document["runs"]
    rules = run_["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({result["ruleId"] for result in run_["results"]})
    for rule in rules:
        known = registry.all_rules()[rule["id"]]
        assert (rule["name"], rule["help"]["markdown"]) == (known.name, known.page)
        assert rule["shortDescription"]["text"] == known.summary
    for result in run_["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run_: run_.pop("tool"),
        lambda run_: run_["results"][0]["locations"][0]["physicalLocation"]["region"].update(startLine=0),
        lambda run_: run_["results"][0].update(level="hint"),
        lambda run_: run_["results"][0].update(fix=[]),
    ],
)
def test_the_schema_refuses_what_is_wrong(tmp_path: Path, spoil: Callable[[dict[str, Any]], object]) -> None:
    document, _ = sarif(project(tmp_path, test_a=AWAITED))
    spoilt = copy.deepcopy(document)
    spoil(spoilt["runs"][0])
    assert not SCHEMA.is_valid(spoilt)


def test_columns_count_code_points_and_names_are_quoted(tmp_path: Path) -> None:
    source = AWAITED.replace("    await", "    '\U0001f600'; await")
    folder = project(tmp_path)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_é #1%.py").write_text(source, "utf-8")
    (result,) = results(folder)
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "tests/test_%C3%A9%20%231%25.py", "uriBaseId": "SRCROOT"}
    assert span(physical["region"]) == Span(5, 9, 5, 31)


def test_files_outside_have_absolute_names(tmp_path: Path) -> None:
    project(tmp_path / "a b", test_a=AWAITED)
    other = project(tmp_path / "other")
    (result,) = results(other, "../a b")
    physical = result["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": (tmp_path / "a b" / "test_a.py").as_uri()}


def test_nothing_of_this_machine_is_in_it(tmp_path: Path) -> None:
    _, ran = sarif(project(tmp_path, test_a=AWAITED))
    assert str(tmp_path) not in ran.out
    assert "file:" not in ran.out


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_fixes_make_what_fix_makes(tmp_path: Path, newline: str) -> None:
    raw = AWAITED.replace("\n", newline).encode()
    (result,) = results(project(tmp_path, test_a=raw))
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "test_a.py"
    assert apply(decode(raw), change["replacements"]) == FIXED.replace("\n", newline)


def apply(text: Text, replacements: list[dict[str, Any]]) -> str:
    content = text.content
    for replacement in sorted(replacements, key=lambda item: span(item["deletedRegion"]), reverse=True):
        where = span(replacement["deletedRegion"])
        start, end = text.offset(where.row, where.column), text.offset(where.end_row, where.end_column)
        content = content[:start] + replacement.get("insertedContent", {}).get("text", "") + content[end:]
    return content


# Fingerprints


def test_fingerprints_of_equal_code_differ(tmp_path: Path) -> None:
    assert len(set(fingerprints(project(tmp_path, test_a=TWO)))) == 3


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda source: "import os\n\n\n" + source, id="lines above"),
        pytest.param(
            lambda source: source.replace("session =", "other = 1\n    session ="), id="lines within"
        ),
        pytest.param(
            lambda source: source.replace("    await", "    if 1 == 1:\n        await", 1), id="indent"
        ),
        pytest.param(lambda source: source.replace("commit()", "commit( )"), id="white space"),
        pytest.param(
            lambda source: "import pytest\n" + source.replace("async def", "@pytest.mark.asyncio\nasync def"),
            id="a decorator",
        ),
    ],
)
def test_fingerprints_survive(tmp_path: Path, edit: Callable[[str], str]) -> None:
    before = fingerprints(project(tmp_path / "a", test_a=TWO))
    edited = edit(TWO)
    assert edited != TWO
    after = fingerprints(project(tmp_path / "b", test_a=edited))
    assert after == before


def test_fingerprints_survive_another_name_of_the_file(tmp_path: Path) -> None:
    before = fingerprints(project(tmp_path / "a", test_a=TWO))
    assert fingerprints(project(tmp_path / "b", test_renamed=TWO)) == before


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda source: source.replace("test_commit", "test_other"), id="another function"),
        pytest.param(lambda source: source.replace("session", "db"), id="other code"),
    ],
)
def test_fingerprints_tell_apart(tmp_path: Path, edit: Callable[[str], str]) -> None:
    before = fingerprints(project(tmp_path / "a", test_a=TWO))
    after = fingerprints(project(tmp_path / "b", test_a=edit(TWO)))
    assert len(after) == len(before)
    assert set(after).isdisjoint(before)


def test_of_equal_code_the_order_counts(tmp_path: Path) -> None:
    """The first of two is mended: what stays is one that was there before."""
    before = fingerprints(project(tmp_path / "a", test_a=TWO))
    after = fingerprints(project(tmp_path / "b", test_a=TWO.replace("    await session.commit()\n", "", 1)))
    assert after == [before[0], before[2]]


# What else is said


def test_what_could_not_be_checked_is_in_it(tmp_path: Path) -> None:
    folder = project(tmp_path, test_a=AWAITED, test_bad="def f(:\n")
    document, ran = sarif(folder)
    (invocation,) = document["runs"][0]["invocations"]
    assert ran.status == 1
    assert invocation["executionSuccessful"] is True
    (note,) = invocation["toolExecutionNotifications"]
    assert (note["level"], note["message"]["text"]) == ("warning", ran.messages[0])
    document, ran = sarif(project(folder, test_latin=b"\xe9"))
    (invocation,) = document["runs"][0]["invocations"]
    assert (ran.status, invocation["executionSuccessful"]) == (2, False)
    assert {note["level"] for note in invocation["toolExecutionNotifications"]} == {"error"}


def test_without_findings(tmp_path: Path) -> None:
    document, ran = sarif(project(tmp_path, test_a="x = 1\n"))
    assert (ran.status, document["runs"][0]["results"]) == (0, [])
    assert document["runs"][0]["tool"]["driver"]["rules"] == []


def test_statistics_are_a_property_of_the_run(tmp_path: Path) -> None:
    document, _ = sarif(project(tmp_path, test_a=TWO), "--statistics")
    assert document["runs"][0]["properties"]["statistics"] == [
        {
            "code": "US101",
            "name": "awaited-sync-mock",
            "count": 3,
            "fixable": 3,
            "fixable_unsafe": 3,
            "folders": {".": 3},
        }
    ]


def test_related_places_are_linked_from_the_message(tmp_path: Path) -> None:
    """GitHub shows only those. Brackets in their text must not end the link."""
    source = AWAITED.replace("session = ", "session = made['a'] = ").replace(
        "    session", "    made = {}\n    session"
    )
    (result,) = results(project(tmp_path, test_a=source))
    links = result["message"]["text"].split("\n")[1:]
    assert len(links) == len(result["relatedLocations"]) > 0
    for number, (link, related) in enumerate(zip(links, result["relatedLocations"], strict=True), 1):
        assert related["id"] == number
        text = related["message"]["text"].replace("[", "\\[").replace("]", "\\]")
        assert link == f"[{text}]({number})"
