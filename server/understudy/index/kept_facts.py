"""Facts by the content of the file that they were read from, kept in the store between runs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from understudy.facts import model, serial
from understudy.index.store import Entry, Store
from understudy.project.config import Config
from understudy.source.text import Text

_BATCH: Final = 200


class KeptFacts:
    """Told when all facts of a file were read, asked what those of a file were that has changed since."""

    def __init__(self, store: Store, *, later: bool = False) -> None:
        """
        :param later: write nothing before :meth:`flush`: somebody waits for what is made from the facts.
        """
        self.store = store
        self._later = later
        self._new: dict[str, model.ModuleFacts] = {}

    def bytes_of(self, content: str) -> bytes | None:
        """The facts of a file with a content, which is given as its hash.

        A file in another encoding than UTF-8 is not found.
        """
        key = _key_of(content)
        return self.store.get([key]).get(key)

    def keep(self, text: Text, facts: model.ModuleFacts) -> None:
        if not self.store.off:
            self._new[_key(text)] = facts
            if self.has_many and not self._later:
                self.flush()

    @property
    def pending(self) -> bool:
        """Is there anything new to write?"""
        return bool(self._new)

    @property
    def has_many(self) -> bool:
        """Is there so much that it should be written soon?"""
        return len(self._new) >= _BATCH

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self._new.clear()
        self.store.clear()

    def flush(self) -> None:
        """Write what is new."""
        new, self._new = self._new, {}
        written = ((key, as_bytes(facts)) for key, facts in new.items())
        self.store.put([Entry(key, data) for key, data in written if data is not None])


class Caches:
    """The stores of some projects, one for each URL. Leave its ``with`` block to close them."""

    def __init__(self, say: Callable[[str], None], *, used: bool = True, later: bool = False) -> None:
        """
        :param say: told what is wrong with a cache, a sentence each.
        :param used: False: there are none, nothing is read and nothing is kept.
        :param later: write nothing before :meth:`flush`.
        """
        self._say = say
        self._are_used = used
        self._later = later
        self._facts: dict[str | None, KeptFacts] = {}

    def __enter__(self) -> Caches:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    def facts(self, config: Config) -> KeptFacts | None:
        """None: without a cache."""
        if not self._are_used:
            return None
        known = self._facts.get(config.cache_url)
        if known is None:
            known = self._facts[config.cache_url] = KeptFacts(
                Store(config.cache_url, self._say), later=self._later
            )
        return known

    @property
    def pending(self) -> bool:
        """Is there anything new to write?"""
        return any(facts.pending for facts in self._facts.values())

    def make_room(self) -> None:
        """Write what is new where that is a lot."""
        for facts in self._facts.values():
            if facts.has_many:
                facts.flush()

    def flush(self) -> None:
        """Write what is new."""
        for facts in self._facts.values():
            facts.flush()

    def close(self) -> None:
        for facts in self._facts.values():
            facts.flush()
            facts.store.close()

    def clear(self) -> None:
        """Forget everything, on disk too."""
        for facts in self._facts.values():
            facts.clear()


def as_bytes(facts: model.ModuleFacts) -> bytes | None:
    """None: they cannot be written, nested too deeply for one."""
    try:
        return serial.dumps(facts)
    except (RecursionError, ValueError):
        return None


def _key(text: Text) -> str:
    return _key_of(digest(text.content.encode("utf-8", "surrogatepass")))


def _key_of(content: str) -> str:
    return f"facts:{ours()}:{content}"


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@cache
def ours() -> str:
    """What of our own decides what is read out of a file: our code, and the parser, which is that of the running
    Python."""
    found = hashlib.blake2b(repr(sys.version_info[:3]).encode(), digest_size=8)
    package = Path(__file__).parents[1]
    for file in sorted(package.rglob("*.py")):
        found.update(file.relative_to(package).as_posix().encode())
        found.update(file.read_bytes())
    return found.hexdigest()
