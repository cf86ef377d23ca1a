"""Exports of the registry to files."""

import csv
import json
from collections.abc import Iterable

from core.models import AgentRegistry

COLUMNS = ("name", "category", "status", "confidence_score")


def as_row(agent: AgentRegistry) -> dict[str, object]:
    """What an export says about an agent."""
    return {column: getattr(agent, column) for column in COLUMNS}


def export_json(agents: Iterable[AgentRegistry], path: str) -> int:
    """Write agents as JSON; how many were written."""
    rows = [as_row(agent) for agent in agents]
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(rows, stream, default=str)
    return len(rows)


def export_csv(agents: Iterable[AgentRegistry], path: str) -> int:
    """Write agents as CSV; how many were written."""
    rows = [as_row(agent) for agent in agents]
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)
