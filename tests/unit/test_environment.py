"""Which environment a project has."""

from __future__ import annotations

from pathlib import Path

from understudy.project import environment


def made(folder: Path) -> Path:
    (folder / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
    return folder


def test_the_order_in_which_it_is_looked_for(tmp_path: Path) -> None:
    """Configured, active, in the project, our own."""
    root = tmp_path / "project"
    root.mkdir()
    assert environment.find(root, None, None).running
    made(root / "venv")
    assert environment.find(root, None, None).origin == "venv"
    made(root / ".venv")
    assert environment.find(root, None, None).origin == ".venv"
    active = made(tmp_path / "active")
    found = environment.find(root, None, str(active))
    assert (found.origin, found.site) == ("VIRTUAL_ENV", (active / "lib/python3.12/site-packages",))
    selected = made(tmp_path / "selected")
    (selected / "bin").mkdir()
    (selected / "bin" / "python").touch()
    for configured in (selected, selected / "bin" / "python"):
        found = environment.find(root, str(configured), str(active))
        assert found.site == (selected / "lib/python3.12/site-packages",)


def test_what_is_active_and_gone_is_passed_over(tmp_path: Path) -> None:
    made(tmp_path / ".venv")
    assert environment.find(tmp_path, None, str(tmp_path / "deleted")).origin == ".venv"


def test_what_is_configured_and_gone_is_replaced_by_no_guess(tmp_path: Path) -> None:
    made(tmp_path / ".venv")
    assert environment.find(tmp_path, str(tmp_path / "deleted"), None).running
