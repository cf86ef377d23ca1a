"""A server process per test, and small projects."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings
from lsp_client import COMMAND, ENVIRONMENT, Client, Wire, make_client
from lsprotocol import types
from pytest_lsp import client_capabilities

settings.register_profile("sync", max_examples=10_000, deadline=None)
"""For ``make fuzz-sync``."""


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    """Not initialized yet: ``client.begin(capabilities, folder)``."""
    started = make_client()
    await started.start_io(*COMMAND, env=ENVIRONMENT)
    yield started
    await started.shutdown_session()
    await started.stop()


@pytest_asyncio.fixture
async def wire() -> AsyncIterator[Wire]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    yield Wire(process)
    if process.returncode is None:
        process.kill()
        await process.wait()


PYPROJECT = '[tool.understudy]\n\n[tool.pytest.ini_options]\nasyncio_mode = "auto"\n'


@pytest.fixture
def project(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    def make(files: dict[str, str]) -> Path:
        root = tmp_path / "project"
        for name, content in {"pyproject.toml": PYPROJECT, **files}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8", newline="")
        return root

    return make


@pytest.fixture
def governance(tmp_path: Path) -> Path:
    source = Path(__file__).parents[1] / "projects" / "governance"
    return Path(shutil.copytree(source, tmp_path / "governance"))


@pytest.fixture
def vscode() -> types.ClientCapabilities:
    return client_capabilities("visual-studio-code")


@pytest.fixture
def neovim() -> types.ClientCapabilities:
    """It is told: ``test_lsp_pull.py`` is about clients that ask."""
    capabilities = client_capabilities("neovim")
    assert capabilities.text_document is not None
    capabilities.text_document.diagnostic = None
    return capabilities


@pytest.fixture
def minimal() -> types.ClientCapabilities:
    """A client that can do nothing but keep documents in step."""
    return types.ClientCapabilities()
