"""What classes of the project's environment do for the tests below them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from understudy.engine import Project
from understudy.project.config import Config

LIBRARY = """\
import unittest
from unittest import mock


class BaseTestCase(unittest.TestCase):
    def addCleanup(self, function, *args):
        {body}
        super().addCleanup(function, *args)
"""
STARTED = """\
from unittest import mock

from kit import BaseTestCase


class TestShop(BaseTestCase):
    def setUp(self):
        super().setUp()
        patcher = mock.patch("os.getcwd")
        self.getcwd = patcher.start()
"""


@pytest.mark.parametrize(
    ("body", "codes"), [("super().addCleanup(mock.patch.stopall)", []), ("assert function", ["US208"])]
)
def test_a_library_may_stop_all_patches(tmp_path: Path, body: str, codes: list[str]) -> None:
    site = tmp_path / ".venv" / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(f"home = {sys.prefix}/bin\nversion = 3.12.1\n", "utf-8")
    (site / "kit.py").write_text(LIBRARY.format(body=body), "utf-8")
    test = tmp_path / "test_shop.py"
    test.write_text(STARTED, "utf-8")
    project = Project(tmp_path, Config())
    found = project.finish([project.analyse(test)])
    assert [finding.code for finding in found] == codes
