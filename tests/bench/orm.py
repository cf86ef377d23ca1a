"""500 models in 100 files: what a verdict costs after a model was edited."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from understudy.engine import Project
from understudy.project import config as configuration
from understudy.rules import registry
from understudy.source.text import Text

from bench.table import Series, Table

FILES = 100
MODELS = 5
LIMIT_MS = 150.0
_HEAD = """from sqlalchemy import Column, ForeignKey, Index, Integer, String
from sqlalchemy.orm import relationship

from app.base import Base
"""


def write(root: Path) -> Path:
    """The workspace; the file that is edited."""
    (root / "app").mkdir(parents=True)
    (root / "app" / "__init__.py").write_text("")
    (root / "app" / "base.py").write_text(
        "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n"
    )
    for file in range(FILES):
        lines = [_HEAD]
        for number in range(MODELS):
            name = f"M{file}x{number}"
            lines.append(
                f'\n\nclass {name}(Base):\n    __tablename__ = "t_{name.lower()}"\n'
                f'    __table_args__ = (Index("ix_own_{name.lower()}", "title", "state"),)\n\n'
                "    id = Column(Integer, primary_key=True)\n"
                "    title = Column(String, index=True)\n    state = Column(String)\n    note = Column(String)"
            )
            if file or number:
                before = f"M{file}x{number - 1}" if number else f"M{file - 1}x{MODELS - 1}"
                lines.append(
                    f'    parent_id = Column(ForeignKey("t_{before.lower()}.id"))\n'
                    f'    parent = relationship("{before}", back_populates="children")'
                )
            if not (file == FILES - 1 and number == MODELS - 1):
                after = f"M{file}x{number + 1}" if number < MODELS - 1 else f"M{file + 1}x0"
                lines.append(f'    children = relationship("{after}", back_populates="parent")')
        (root / "app" / f"models{file}.py").write_text("\n".join(lines) + "\n")
    return root / "app" / f"models{FILES // 2}.py"


def measure(repeats: int) -> list[Table]:
    """Milliseconds from an edit of a model to the findings of its file, everything else known."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        edited = write(root)
        loaded = configuration.load(root, registry.names())
        project = Project(loaded.root, loaded.config)
        started = time.process_time()
        assert project.analyse(edited).findings == ()
        first = (time.process_time() - started) * 1000
        source = edited.read_text()
        times = []
        for number in range(repeats):
            changed = source.replace("    note = Column(String)", f"    note{number} = Column(String)", 1)
            project.workspace.open(edited, Text(changed))
            started = time.process_time()
            assert project.analyse(edited).findings == ()
            times.append((time.process_time() - started) * 1000)
    after = Series(tuple(times))
    table = Table(
        "500 models in 100 files",
        ("", "CPU time"),
        [("first findings of one file", Series((first,))), ("findings after a model was edited", after)],
    )
    if after.median > LIMIT_MS:
        table.broken.append(f"a verdict after a model edit takes {after.median:.0f} ms, not {LIMIT_MS:.0f}")
    return [table]
