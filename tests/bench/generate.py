"""A workspace of the size and the proportions of a real backend, the same every time for one seed.

``realistic``: 55 % tests, 300 models, services in layers that import those below them, and a few cycles.

    python tests/bench/generate.py FOLDER [--files 5000] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

# fmt: off
_NOUNS = (
    "account", "agent", "approval", "asset", "audit", "basket", "billing", "booking", "campaign", "card",
    "catalog", "channel", "claim", "client", "comment", "contact", "contract", "coupon", "course",
    "customer", "device", "document", "event", "export", "feature", "feed", "file", "group", "image",
    "import", "invoice", "issue", "item", "job", "label", "lead", "lesson", "license", "list", "location",
    "log", "machine", "mail", "member", "message", "metric", "note", "offer", "order", "page", "partner",
    "payment", "plan", "policy", "price", "product", "profile", "project", "quota", "rating", "receipt",
    "refund", "region", "report", "request", "review", "role", "room", "route", "rule", "sale", "schedule",
    "session", "shift", "site", "skill", "stock", "store", "subscription", "survey", "task", "team",
    "template", "tenant", "ticket", "token", "topic", "trade", "transfer", "trip", "unit", "user", "vendor",
    "visit", "voucher", "wallet",
)
# fmt: on
_LAYERS = 5
_MODELS = 300
_TESTS_IN_A_FILE, _HELPERS_IN_A_FILE = 40, 25
"""About 340 lines a file: 1.7 million in 5,000."""


class Backend:
    """Writes the files; ``lines`` counts what it wrote."""

    def __init__(self, root: Path, files: int, seed: int) -> None:
        self.root = root
        self.chance = random.Random(seed)
        self.lines = 0
        self.written = 0
        self.models = max(1, min(_MODELS, files // 16))
        self.tests = files * 55 // 100
        self.services = max(_LAYERS, files - self.models - self.tests - 4)

    def write(self) -> None:
        self._put("pyproject.toml", '[tool.pytest.ini_options]\nasyncio_mode = "auto"\n')
        self._put("app/__init__.py", "")
        self._put("app/base.py", _BASE)
        self._put("tests/conftest.py", _CONFTEST)
        for number in range(self.models):
            self._put(f"app/models/{self._model(number)}.py", self._model_file(number))
        for number in range(self.services):
            self._put(f"{self._service(number).replace('.', '/')}.py", self._service_file(number))
        for number in range(self.tests):
            service = number % self.services
            size = 3 + int(self.chance.expovariate(1 / _TESTS_IN_A_FILE))
            self._put(f"tests/{self._area(service)}/test_{number:04}.py", self.test_file(service, size))

    def _put(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
        self.lines += content.count("\n")
        self.written += 1

    # --- names

    def _model(self, number: int) -> str:
        return f"{_NOUNS[number % len(_NOUNS)]}_{number:03}"

    def _class(self, number: int) -> str:
        return "".join(part.title() for part in self._model(number).split("_"))

    def _layer(self, number: int) -> int:
        return number * _LAYERS // self.services

    def _area(self, number: int) -> str:
        return f"layer{self._layer(number)}"

    def _service(self, number: int) -> str:
        return f"app.{self._area(number)}.{_NOUNS[number % len(_NOUNS)]}_service_{number:04}"

    # --- contents

    def _model_file(self, number: int) -> str:
        other = self.chance.randrange(self.models)
        columns = "\n".join(
            f"    {_NOUNS[(number * 7 + at) % len(_NOUNS)]}_value = Column(String(50), nullable=True)"
            for at in range(self.chance.randrange(4, 14))
        )
        table, target = f"{self._model(number)}s", f"{self._model(other)}s"
        return (
            "from sqlalchemy import Column, ForeignKey, Integer, String\n\nfrom app.base import Base\n\n\n"
            f'class {self._class(number)}(Base):\n    __tablename__ = "{table}"\n\n'
            "    id = Column(Integer, primary_key=True)\n    name = Column(String(80), nullable=False)\n"
            f'    {self._model(other)}_id = Column(Integer, ForeignKey("{target}.id"))\n{columns}\n\n'
            f'    def label(self):\n        return f"{{self.name}} {{self.id}}"\n'
        )

    def _service_file(self, number: int) -> str:
        layer, model = self._layer(number), self.chance.randrange(self.models)
        below = [n for n in range(max(0, number - 400), number) if self._layer(n) < layer]
        used = self.chance.sample(below, min(len(below), self.chance.randrange(1, 6)))
        # A few cycles, as there are in every old backend: inside a function, or it would not start.
        cycle = number + 1 if self.chance.random() < 0.02 and number + 1 < self.services else None
        imports = [f"from {self._service(n)} import load as load_{n:04}" for n in used]
        calls = "\n".join(f"        await load_{n:04}(session, key)" for n in used)
        late = (
            f"    from {self._service(cycle)} import describe\n\n    describe(key)\n"
            if cycle is not None
            else ""
        )
        cls = self._class(model)
        return (
            f"from app.models.{self._model(model)} import {cls}\n" + "\n".join(imports) + "\n\n\n"
            f"async def load(session, key):\n{late}"
            f"    result = await session.execute(key)\n    return result.scalars().first()\n\n\n"
            f"def describe(key):\n    return str(key)\n\n\n"
            f"class Service:\n    def __init__(self, session):\n        self.session = session\n\n"
            f"    async def create(self, name):\n        made = {cls}(name=name)\n        self.session.add(made)\n"
            f"        await self.session.commit()\n        return made\n\n"
            f"    async def find(self, key):\n        session = self.session\n{calls}\n"
            f"        found = await load(session, key)\n        if found is None:\n"
            f"            raise KeyError(key)\n        return found\n\n"
            f"    def names(self, items):\n        return sorted(item.name for item in items)\n"
            + "".join(self._helpers(3 + int(self.chance.expovariate(1 / _HELPERS_IN_A_FILE))))
        )

    def _helpers(self, count: int) -> Iterator[str]:
        """What else is in a service: conditions, loops, messages, sums."""
        for number in range(count):
            noun, other = self.chance.choice(_NOUNS), self.chance.choice(_NOUNS)
            yield (
                f"\n\ndef {noun}_of_{other}_{number}(items, limit={number}):\n"
                f'    """The {noun}s of each {other} up to a limit."""\n    found = {{}}\n'
                f"    for position, item in enumerate(items):\n        if position > limit:\n            break\n"
                f'        name = item.get("{other}", "none")\n'
                f'        found.setdefault(name, []).append(item["{noun}"])\n'
                f"    total = sum(len(each) for each in found.values())\n"
                f'    return {{"{noun}": found, "total": total}}\n'
            )

    def test_file(self, service: int, size: int) -> str:
        """A test module of ``size`` tests of one service, about ten lines a test."""
        module = self._service(service)
        head = (
            "from unittest.mock import AsyncMock, MagicMock, patch\n\nimport pytest\n\n"
            f"from {module} import Service, describe, load\n\n\n"
            "@pytest.fixture\ndef service(session):\n    return Service(session)\n"
        )
        return head + "".join(f"\n\n{text}" for text in self._tests(module, size))

    def _tests(self, module: str, size: int) -> Iterator[str]:
        for number in range(size):
            kind = self.chance.randrange(5)
            if kind == 0:
                yield (
                    f"async def test_create_{number}(service, session):\n"
                    f'    made = await service.create("name {number}")\n'
                    f'    assert made.name == "name {number}"\n'
                    "    session.add.assert_called_once_with(made)\n    session.commit.assert_awaited_once()\n"
                )
            elif kind == 1:
                yield (
                    f"async def test_load_{number}():\n    session = AsyncMock()\n    result = MagicMock()\n"
                    f"    result.scalars.return_value.first.return_value = {number}\n"
                    "    session.execute.return_value = result\n"
                    f'    assert await load(session, "key {number}") == {number}\n'
                    f'    session.execute.assert_awaited_once_with("key {number}")\n'
                )
            elif kind == 2:
                yield (
                    f"async def test_find_{number}(service):\n"
                    f'    with patch("{module}.load", return_value={number}) as loaded:\n'
                    f"        service.session.execute = AsyncMock(return_value=MagicMock())\n"
                    f'        found = await service.find("key {number}")\n'
                    f"    assert found == {number}\n    loaded.assert_awaited_once()\n"
                )
            elif kind == 3:
                yield (
                    f"def test_names_{number}(service):\n    items = [MagicMock() for _ in range(3)]\n"
                    "    for at, item in enumerate(items):\n        item.name = str(at)\n"
                    '    assert service.names(items) == ["0", "1", "2"]\n'
                    f'    assert describe({number}) == "{number}"\n'
                )
            else:
                yield (
                    f'@pytest.mark.parametrize("key", [{number}, {number + 1}])\n'
                    f"async def test_missing_{number}(service, session, key):\n"
                    "    session.execute.return_value.scalars.return_value.first.return_value = None\n"
                    "    with pytest.raises(KeyError):\n        await service.find(key)\n"
                )


_BASE = "from sqlalchemy.orm import declarative_base\n\nBase = declarative_base()\n"
_CONFTEST = (
    "from unittest.mock import AsyncMock, MagicMock\n\nimport pytest\n\n\n@pytest.fixture\ndef session():\n"
    "    session = AsyncMock()\n    session.add = MagicMock()\n"
    "    session.execute.return_value = MagicMock()\n    return session\n"
)


def generate(root: Path, files: int = 5000, seed: int = 1) -> Backend:
    """Write the workspace below ``root``."""
    made = Backend(root, files, seed)
    made.write()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a backend with tests, the same for one seed.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    made = generate(options.folder, options.files, options.seed)
    print(f"{made.written} files, {made.lines:,} lines")


if __name__ == "__main__":
    main()
