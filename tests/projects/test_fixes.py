"""The fixes of the example backend mend its tests and break none."""

from __future__ import annotations

from pathlib import Path

import demo
import pytest

pytestmark = pytest.mark.xdist_group("fixes")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> demo.Result:
    """What becomes of the tests without fixes."""
    return demo.run_tests(demo.copy_backend(tmp_path_factory.mktemp("before")))


def test_fixes_mend_tests_and_break_none(before: demo.Result, tmp_path: Path) -> None:
    backend = demo.copy_backend(tmp_path)
    fixed = demo.check(backend, "--fix", "--unsafe-fixes", quiet=True)
    assert fixed.returncode == 1
    assert "not fixed" not in fixed.stderr
    after = demo.run_tests(backend)
    assert sorted(after.failed - before.failed) == []
    assert len(after.failed) < len(before.failed)


def test_safe_fixes_alone_break_none(before: demo.Result, tmp_path: Path) -> None:
    backend = demo.copy_backend(tmp_path)
    demo.check(backend, "--fix", quiet=True)
    after = demo.run_tests(backend)
    assert sorted(after.failed - before.failed) == []
    assert len(after.failed) < len(before.failed)


def test_a_diff_writes_nothing(tmp_path: Path) -> None:
    backend = demo.copy_backend(tmp_path)
    files = {path: path.read_bytes() for path in sorted(backend.rglob("*")) if path.is_file()}
    demo.check(backend, "--diff", "--unsafe-fixes", quiet=True)
    assert {path: path.read_bytes() for path in sorted(backend.rglob("*")) if path.is_file()} == files
