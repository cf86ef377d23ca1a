"""Each rule's page is its documentation, and holds: what it says is found, and happens when it is run."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from oracle.interpreters import RUNNING, Interpreter
from understudy.rules import registry
from understudy.rules.base import Rule

from pages import harness
from pages.harness import Case
from pages.markdown import Heading, Page, read

HEADINGS = (
    "What it finds",
    "Why it matters",
    "Examples",
    "What stays silent",
    "Fixes",
    "Known limits",
)
_NAMES = registry.names()


@cache
def page_of(code: str) -> Page:
    rule = registry.all_rules()[code]
    return read(f"{rule.module.rpartition('.')[2]}.md", rule.page)


def _with_page(code: str) -> bool:
    try:
        page_of(code)
    except FileNotFoundError:
        return False
    return True


_PAGES = [code for code in _NAMES if _with_page(code)]
_EXAMPLES = [
    # A page's examples are run together: whoever has one of its tests has them all.
    pytest.param(
        code, index, id=f"{code}-{example.title.replace(' ', '-')}", marks=pytest.mark.xdist_group(code)
    )
    for code in _PAGES
    for index, example in enumerate(page_of(code).examples)
]


class Runs:
    """The pages' examples, run when a page's first test asks for them."""

    def __init__(self, folder: Path, interpreter: Interpreter) -> None:
        self.folder = folder
        self.interpreter = interpreter
        self.with_fixes = interpreter.version == RUNNING.version
        """What a fix writes does not depend on the version: it is tried on one."""
        self._cases: dict[str, list[Case]] = {}
        self._run: set[str] = set()

    def prepared(self, code: str) -> list[Case]:
        if code not in self._cases:
            self._cases[code] = harness.cases(page_of(code), self.folder / code, self.interpreter)
        return self._cases[code]

    def applicable(self, code: str, index: int) -> Case:
        """An example that has not been run; the test is skipped if it is about other versions of Python."""
        case = self.prepared(code)[index]
        if not case.applies:
            pytest.skip(f"only for Python {case.example.python}")
        return case

    def run(self, code: str, index: int) -> Case:
        """An example that has been run, and with it the whole page."""
        case = self.applicable(code, index)
        prepared = self.prepared(code)
        if code not in self._run:
            self._run.add(code)
            harness.run(prepared, self.folder / code, with_fixes=self.with_fixes)
        return case


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, oracle: Interpreter) -> Runs:
    return Runs(tmp_path_factory.mktemp("pages"), oracle)


def fail_with(complaints: list[str]) -> None:
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


@pytest.mark.parametrize(("code", "index"), _EXAMPLES)
def test_findings(runs: Runs, code: str, index: int) -> None:
    fail_with(runs.applicable(code, index).findings_complaints())


@pytest.mark.parametrize(("code", "index"), _EXAMPLES)
def test_runtime(runs: Runs, code: str, index: int) -> None:
    fail_with(runs.run(code, index).runtime_complaints())


@pytest.mark.parametrize(("code", "index"), _EXAMPLES)
def test_fixes(runs: Runs, code: str, index: int) -> None:
    if not runs.with_fixes:
        pytest.skip("fixes are tried on the version that runs the tests")
    case = runs.run(code, index)
    if not case.has_fixes and not case.example.fixed:
        pytest.skip("nothing to fix")
    fail_with(case.fix_complaints())


def sections(page: Page) -> list[Heading]:
    return [heading for heading in page.headings if heading.level == 2]


@pytest.mark.parametrize("rule", registry.all_rules().values(), ids=_NAMES)
def test_page(rule: Rule) -> None:
    """A rule has a page with all the headings, each with some text, that says the same as the rule."""
    if rule.code not in _PAGES:
        pytest.fail(f"there is no page {rule.module.rpartition('.')[2]}.md", pytrace=False)
    page = page_of(rule.code)
    top = page.headings[0]
    assert (top.level, top.text) == (1, f"{rule.name} ({rule.code})")
    assert [heading.level for heading in page.headings].count(1) == 1
    assert [heading.text for heading in sections(page)] == list(HEADINGS)
    examples = {example.section for example in page.examples}
    for heading in sections(page):
        assert page.text_under(heading) or heading.text in examples, f"nothing stands under {heading.text}"
    paragraphs = [" ".join(part.split()) for part in page.text_under(top).split("\n\n")]
    assert re.fullmatch(r"[A-Z`][^.]*(?:\.[^ ][^.]*)*\.", paragraphs[0]), "one sentence says what it finds"
    assert re.match(rf"Severity: \*\*{rule.severity.value}\*\*", paragraphs[1])


@pytest.mark.parametrize("code", _PAGES)
def test_page_has_examples_of_its_rule(runs: Runs, code: str) -> None:
    """It shows what is found, what is not, and one finding behind characters that are not ASCII."""
    if runs.interpreter != RUNNING:
        pytest.skip("this is about the page, whatever the version of Python")
    rule = registry.all_rules()[code]
    found, exotic, silent = 0, 0, 0
    for case in runs.prepared(code):
        for file in case.files.values():
            lines = file.source.split("\n")
            own = [expected for expected in file.expected if expected.code == code]
            if case.example.section == "Examples":
                found += sum(expected.severity is rule.severity for expected in own)
            elif case.example.section == "What stays silent":
                silent += len(file.tests)
                assert not own, f"{case.where}: stays silent, but {code} is announced"
            exotic += sum(
                expected.columns is not None and _is_exotic(lines[expected.row], expected.columns)
                for expected in own
            )
    assert found, "no example of the rule at its severity"
    assert silent, "no example of what stays silent"
    assert exotic, "no carets under a finding behind é, 日本 or an emoji"


def _is_exotic(line: str, columns: tuple[int, int]) -> bool:
    """Does something that is not ASCII stand before the finding? Nothing can before a function's name: there,
    in the name."""
    before = line[: columns[0]]
    return not (line[slice(*columns)] if before.strip() in ("def", "async def") else before).isascii()
