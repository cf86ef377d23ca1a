"""The files of a workspace: their text (on disk or in an editor), trees and modules, each made once.

Asking for a file is what makes a dependency: :meth:`Workspace.recording` collects the files that an analysis
looked at, so that a change of one leads to the findings that rest on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar, cast

from understudy.facts.extract import OnDemand
from understudy.index.kept_facts import KeptFacts
from understudy.index.literals import needed
from understudy.index.module import Importer, Module
from understudy.project.environment import Environment
from understudy.project.modules import Asked, Kind, ModuleFile, ModuleFinder
from understudy.source.disk import looking
from understudy.source.parse import Parsed, outlined, parse
from understudy.source.text import SourceError, Text, read

_T = TypeVar("_T")


class FactsOf(NamedTuple):
    """The facts of a file, and not its content: the bodies of functions may change."""

    path: Path


class ImportsOf(NamedTuple):
    """The import statements of a file and their places, and not what else its facts are."""

    path: Path
    what: str = "imports"
    """So that none equals :class:`FactsOf`."""


class ValueOf(NamedTuple):
    """What :meth:`Workspace.value` gives, and not what that was made from."""

    key: str


Dependency: TypeAlias = Path | FactsOf | ImportsOf | ValueOf | Asked | re.Pattern[bytes]
"""What an answer can rest on: the content of a file, its facts, its imports, a value derived from many files, what a
folder has under a name, or which files match."""
_MODULES_FOR_A_TREE = 24
"""The names of a module take a fraction of the memory that its tree takes, and are asked for more often."""
EVERY_FILE = re.compile(b"")
"""Matches all: the list of files itself."""


class Interrupted(BaseException):
    """What is being worked on is not wanted any longer. No ``Exception``: nothing on the way may take it for a
    fault of its own."""


class Workspace:
    """One project root with its search path. Not thread-safe; use one per thread."""

    def __init__(
        self,
        root: Path,
        environment: Environment,
        source_roots: tuple[Path, ...] = (),
        list_files: Callable[[], list[Path]] = list,
        path_of_tests: Callable[[Path], tuple[Path, ...]] = lambda folder: (),
        target_version: tuple[int, int] | None = None,
        kept_facts: KeptFacts | None = None,
    ) -> None:
        """
        :param target_version: None stands for the environment's.
        :param kept_facts: from earlier runs.
        """
        self.kept_facts = kept_facts
        self.root = root
        self.target_version = target_version or environment.version
        """The version of Python that the tests run on. The environment's only says where libraries are."""
        self._list_files = list_files
        self._files: list[Path] | None = None
        self._matching: dict[re.Pattern[bytes], dict[Path, bool]] = {}
        self._listed: dict[re.Pattern[bytes], list[Path]] = {}
        """The files that match, while all are as they were."""
        self._matching_others: set[re.Pattern[bytes]] = set()
        self._words: dict[re.Pattern[bytes], tuple[tuple[bytes, ...], ...]] = {}
        self.environment = environment
        self.finder = ModuleFinder(root, environment, source_roots, path_of_tests)
        self._overlays: dict[Path, Text] = {}
        self._texts: dict[Path, Text | SourceError] = {}
        """Of files that are not parsed."""
        self._parsed: dict[Path, Parsed | SourceError] = {}
        self._with_trees: dict[Path, Parsed] = {}
        """Those among them that may have trees in memory."""
        self._asked_for: set[Path] = set()
        """Files whose trees or modules somebody asked for since :meth:`let_go`."""
        self._stale: dict[Path, Parsed] = {}
        self._modules: dict[Path, Module | None] = {}
        self._named: dict[Path, tuple[Asked, ...]] = {}
        """What the name of each module rests on."""
        self._recorders: list[set[Dependency]] = []
        self._relative: dict[Path, str] = {}
        self._derived: dict[str, tuple[object, set[Dependency]]] = {}
        self._before: dict[Path, Module | None] = {}
        """The modules of files as they were before edits whose effect on what was made from facts is not known yet."""
        self._kept: dict[tuple[Path, type], object] = {}
        self.generation = 0
        """Grows with every change of any file."""
        self.checkpoint: Callable[[], None] = _go_on
        """Called every now and then by whatever takes long; raises :class:`Interrupted` to end it."""

    # --- text and trees

    def text(self, path: Path) -> Text:
        """The current text.

        :raises SourceError: unreadable or not decodable.
        """
        self._touch(path)
        found = self._text(path)
        if isinstance(found, SourceError):
            raise found
        return found

    def _text(self, path: Path) -> Text | SourceError:
        overlay = self._overlays.get(path)
        if overlay is not None:
            return overlay
        parsed = self._parsed.get(path)
        if parsed is not None:
            return parsed if isinstance(parsed, SourceError) else parsed.text
        known = self._texts.get(path)
        if known is None:
            try:
                known = read(path)
            except SourceError as error:
                known = error
            self._texts[path] = known
        return known

    def parsed(self, path: Path, *, whole: bool = False) -> Parsed:
        """The current tree.

        :param whole: all of it will be looked at. Otherwise, a function or class is parsed when somebody does.
        :raises SourceError: unreadable or not decodable.
        """
        self._touch(path)
        return self._tree(path, whole=whole)

    def readable(self, path: Path) -> Parsed | None:
        """The statements of a file; None where it cannot be read."""
        try:
            return self.parsed(path)
        except SourceError:
            return None

    def _tree(self, path: Path, *, whole: bool = False) -> Parsed:
        found = self._parsed.get(path)
        self._asked_for.add(path)
        if found is None:
            self.checkpoint()
            found = self._parse(path, whole=whole)
            self._parsed[path] = found
        elif whole and isinstance(found, Parsed):
            found.complete()
        if isinstance(found, SourceError):
            raise found
        self._with_trees[path] = found
        return found

    def _parse(self, path: Path, *, whole: bool) -> Parsed | SourceError:
        text = self._text(path)
        self._texts.pop(path, None)
        if isinstance(text, SourceError):
            return text
        earlier = self._stale.pop(path, None)
        if earlier is not None:
            return earlier.edited(text)
        return parse(path, text) if whole or path in self._overlays else outlined(path, text)

    # --- modules

    def module(self, path: Path) -> Module | None:
        """The names of a file; None when it cannot be read."""
        self._touch(FactsOf(path))
        return self._module(path)

    def importer(self, path: Path) -> Importer | None:
        """As :meth:`module`, for those that ask what it imports and nothing else. They rest on that alone."""
        self._touch(ImportsOf(path))
        return self._module(path)

    def _module(self, path: Path) -> Module | None:
        self._asked_for.add(path)
        if path not in self._modules:
            facts = self._facts(path)
            if facts is None:
                self._modules[path] = None
            else:
                inside = path.is_relative_to(self.root) and "site-packages" not in path.parts
                with self.finder.listing.recording() as asked:
                    name = self.finder.name_of(path) if inside else path.stem
                self._named[path] = tuple(asked)
                self._modules[path] = Module(path, name, facts, workspace=inside)
        self.finder.listing.depend_on(self._named.get(path, ()))
        return self._modules[path]

    def _facts(self, path: Path) -> OnDemand | None:
        try:
            return OnDemand(self._tree(path))
        except (SourceError, RecursionError):
            return None

    def keep_facts(self, path: Path, *, only_imports: bool = False) -> None:
        """Write down what was read out of a file, all of whose trees are there, for later runs. What is read out
        of one that does not parse depends on who asked first.

        :param only_imports: nothing of what imports nothing.
        """
        module, parsed = self._modules.get(path), self._parsed.get(path)
        if self.kept_facts is not None and module is not None and isinstance(parsed, Parsed):
            if not module.is_kept and path not in self._overlays and not parsed.problems:
                module.is_kept = True
                facts = module.facts_with("import") if only_imports else module.facts
                self.kept_facts.keep(parsed.text, facts)

    def find(self, name: str, importer: Path) -> ModuleFile | None:
        """The module that ``import name`` gives in ``importer``."""
        return self.finder.find(name, importer)

    def load(self, file: ModuleFile) -> Module | None:
        """The names of a module that was found; None for what has no Python source."""
        if file.kind is not Kind.SOURCE or file.path is None:
            return None
        module = self.module(file.path)
        if module is not None and not file.workspace and module.name != file.name:
            module = module.named(file.name)
            self._modules[file.path] = module
        return module

    # --- changes

    def open(self, path: Path, text: Text) -> None:
        """Text that stands for the file from now on (an editor's)."""
        self._overlays[path] = text
        self._changed(path)

    def is_open(self, path: Path) -> bool:
        """Does an editor's text stand for the file?"""
        return path in self._overlays

    def close(self, path: Path) -> None:
        """The file on disk counts again."""
        if self._overlays.pop(path, None) is not None:
            self._changed(path)
            self._kept = {key: value for key, value in self._kept.items() if key[0] != path}

    def changed_on_disk(self, path: Path) -> None:
        if path not in self._overlays:
            self._changed(path)

    def files_moved(self) -> None:
        """Files were created, deleted or renamed: names may lead elsewhere now."""
        self.finder.forget()
        self._files = None
        self._listed.clear()
        self._derived.clear()
        self._before.clear()
        self._kept.clear()
        self.generation += 1

    def _changed(self, path: Path) -> None:
        earlier = self._parsed.pop(path, None)
        self._with_trees.pop(path, None)
        known = self._modules.pop(path, None)
        if isinstance(earlier, Parsed) and earlier.is_whole:
            self._stale[path] = earlier
            if known is not None:
                # While they are still those of this version: the next one takes over its trees.
                known.read()
        self._texts.pop(path, None)
        self._before.setdefault(path, known)
        different = self._matched_differently(path)
        self._matching_others.update(different)
        self._drop({path, *different})
        self._kept = {key: value for key, value in self._kept.items() if key[0] == path}
        self.generation += 1

    def _drop(self, changed: Set[Dependency]) -> None:
        """Forget the values that were made from any of these."""
        gone = set(changed)
        while gone:
            dropped = [key for key, (_, seen) in self._derived.items() if not gone.isdisjoint(seen)]
            for key in dropped:
                del self._derived[key]
            # What rests on a value rests on what is behind it.
            gone = {ValueOf(key) for key in dropped}

    def _settle(self) -> None:
        """Forget the values that were made from facts or imports that edits changed since: most edits change none."""
        while self._before:
            path, before = next(iter(self._before.items()))
            asked: set[Dependency] = {FactsOf(path), ImportsOf(path)}
            if any(not asked.isdisjoint(seen) for _, seen in self._derived.values()):
                with self._unrecorded():
                    module = self.module(path)
                if module is None or before is None or module.imports != before.imports:
                    self._drop(asked)
                elif module.facts != before.facts:
                    self._drop({FactsOf(path)})
            del self._before[path]

    def _matched_differently(self, path: Path) -> list[re.Pattern[bytes]]:
        """The patterns given to :meth:`files_with` of which the change makes the file match, or match no longer. Of a
        file that is new, those that match it."""
        different = []
        raw = self._raw(path) if self._matching else b""
        for pattern, known in self._matching.items():
            before = known.get(path, False)
            known[path] = self._is_in(pattern, raw)
            if known[path] is not before:
                different.append(pattern)
        for pattern in different:
            self._listed.pop(pattern, None)
        return different

    def matching_others(self) -> frozenset[re.Pattern[bytes]]:
        """The patterns that match other files than at the last call: whatever rests on one may be different now."""
        found = frozenset(self._matching_others)
        self._matching_others.clear()
        return found

    # --- the whole workspace

    def relative(self, path: Path) -> str:
        """A file in plain data: on every machine the same where it is below the root. ``root / it`` is the path."""
        known = self._relative.get(path)
        if known is None:
            inside = path.is_relative_to(self.root)
            known = self._relative[path] = path.relative_to(self.root).as_posix() if inside else str(path)
        return known

    def files(self) -> list[Path]:
        """Every Python file below the root that the configuration does not exclude."""
        self._touch(EVERY_FILE)
        if self._files is None:
            self._files = self._list_files()
        return self._files

    def files_with(self, pattern: re.Pattern[bytes]) -> list[Path]:
        """The files whose bytes match: a cheap look before anything is parsed. Kept per file."""
        self._touch(pattern)
        return self.matching(pattern)

    def any_with(self, pattern: re.Pattern[bytes], other_than: Path | None = None) -> bool:
        """Is there a file whose bytes match? As :meth:`files_with`, looking no further than the first one."""
        self._touch(pattern)
        listed = self._listed.get(pattern)
        if listed is not None:
            return any(path != other_than for path in listed)
        if self._files is None:
            self._files = self._list_files()
        return any(path != other_than and self.matches(pattern, path) for path in self._files)

    def matching(self, pattern: re.Pattern[bytes]) -> list[Path]:
        """As :meth:`files_with`, for those that do not rest an answer on it."""
        listed = self._listed.get(pattern)
        if listed is None:
            if self._files is None:
                self._files = self._list_files()
            every = pattern == EVERY_FILE
            listed = [path for path in self._files if every or self.matches(pattern, path)]
            self._listed[pattern] = listed
        return listed

    def matches(self, pattern: re.Pattern[bytes], path: Path) -> bool:
        """Is the file among those that match?"""
        known = self._matching.setdefault(pattern, {})
        matches = known.get(path)
        if matches is None:
            matches = known[path] = self._is_in(pattern, self._raw(path))
        return matches

    def match_together(self, *patterns: re.Pattern[bytes]) -> None:
        """Read each file once for several patterns that are going to be asked for. Nothing rests on that yet."""
        if self._files is None:
            self._files = self._list_files()
        wanted = [
            (each, self._matching.setdefault(each, {})) for each in patterns if each not in self._listed
        ]
        for path in self._files:
            missing = [(pattern, known) for pattern, known in wanted if path not in known]
            if missing:
                raw = self._raw(path)
                for pattern, known in missing:
                    known[path] = self._is_in(pattern, raw)

    def _raw(self, path: Path) -> bytes:
        """The bytes to match; none where it cannot be read."""
        self.checkpoint()
        overlay = self._overlays.get(path)
        if overlay is not None:
            return overlay.content.encode("utf-8", "replace")
        try:
            with looking(path):
                return path.read_bytes()
        except OSError:
            return b""

    def _is_in(self, pattern: re.Pattern[bytes], raw: bytes) -> bool:
        return self._may_match(pattern, raw) and pattern.search(raw) is not None

    def know_matches(self, pattern: re.Pattern[bytes], matches: Mapping[Path, bool]) -> None:
        """Somebody else knows which files match, as all of them are now."""
        self._matching[pattern] = {**matches, **self._matching.get(pattern, {})}

    def _may_match(self, pattern: re.Pattern[bytes], raw: bytes) -> bool:
        if pattern not in self._words:
            self._words[pattern] = needed(pattern)
        for words in self._words[pattern]:
            for word in words:
                if word in raw:
                    break
            else:
                return False
        return True

    def of_module(self, module: Importer, key: str, make: Callable[[], _T]) -> _T:
        """A value computed from one module and from what it refers to, kept with it until anything changes."""
        known = module.memo.get(key)
        if known is None or known[0] != self.generation:
            with self.recording() as seen:
                value = make()
            known = module.memo[key] = (self.generation, value, frozenset(seen))
        self.depend_on(known[2])
        return cast("_T", known[1])

    def derived(self, key: str, make: Callable[[], _T]) -> _T:
        """A value computed from the workspace, kept until a file changes that it was made from, or that a
        pattern given to :meth:`files_with` matches. Whoever asks for it depends on those files."""
        self._settle()
        known = self._derived.get(key)
        if known is None:
            with self.recording() as seen:
                known = (make(), seen)
            self._derived[key] = known
        value, dependencies = known
        self.depend_on(dependencies)
        return cast("_T", value)

    def value(self, key: str, make: Callable[[], _T]) -> _T:
        """As :meth:`derived`, for plain data: strings, numbers, tuples and frozen sets. Whoever asks depends on the
        value: other files can change as long as it stays what it is."""
        self._touch(ValueOf(key))
        with self._unrecorded():
            return self.derived(key, make)

    @contextmanager
    def _unrecorded(self) -> Iterator[None]:
        """Nobody who asks rests on what is asked for in the block."""
        recorders, self._recorders = self._recorders, []
        try:
            with self.finder.listing.unnoticed():
                yield
        finally:
            self._recorders = recorders

    def known_value(self, key: str) -> object:
        """What :meth:`value` gave last; None when it does not hold any longer."""
        self._settle()
        return self._derived.get(key, (None,))[0]

    def behind(self, key: str) -> frozenset[Dependency]:
        """All that a value was made from, values that it was made from included."""
        found: set[Dependency] = set()
        waiting = [key]
        while waiting:
            for item in self._derived.get(waiting.pop(), (None, set[Dependency]()))[1]:
                if isinstance(item, ValueOf) and item not in found:
                    waiting.append(item.key)
                found.add(item)
        return frozenset(found)

    def kept(self, path: Path, kind: type[_T]) -> _T:
        """What was last kept about a file, also about an earlier version of it; an empty one when another file
        has changed since."""
        found = self._kept.get((path, kind))
        return cast("_T", found) if found is not None else kind()

    def keep(self, path: Path, value: object) -> None:
        """For files that are open in an editor; others will not be asked for again soon."""
        if path in self._overlays:
            self._kept[path, type(value)] = value

    def let_go(self, most: int, pinned: Collection[Path]) -> None:
        """Forget what nobody asked for lately, when the trees of more than ``most`` files are in memory, or the
        names of many more. It is read again when somebody asks."""
        self._texts.clear()
        asked_for, self._asked_for = self._asked_for, set()
        pinned = {*pinned, *self._overlays}
        for tree in _forget_oldest(self._with_trees, asked_for, most, pinned):
            tree.forget()
            module = self._modules.get(tree.path)
            if module is not None and module.is_read:
                # The text takes as much as the facts, which are what is asked for.
                self._modules[tree.path] = module.without_text()
                self._parsed.pop(tree.path, None)
        _forget_oldest(self._modules, asked_for, most * _MODULES_FOR_A_TREE, pinned)
        _forget_oldest(self._parsed, asked_for, most * _MODULES_FOR_A_TREE, pinned)

    def let_go_of(self, path: Path) -> None:
        """Forget a file that is not open, its tree and its names. It is read again when somebody asks."""
        if path not in self._overlays:
            self._parsed.pop(path, None)
            self._modules.pop(path, None)
            tree = self._with_trees.pop(path, None)
            if tree is not None:
                tree.forget()
            self._texts.pop(path, None)

    def forget(self) -> None:
        """Look at everything again that is no file's own content."""
        self._derived.clear()
        self._kept.clear()

    # --- dependencies

    @contextmanager
    def recording(self) -> Iterator[set[Dependency]]:
        """Collects what is asked for in the block; complete when the block has ended."""
        seen: set[Dependency] = set()
        self._recorders.append(seen)
        try:
            with self.finder.listing.recording() as asked:
                yield seen
        finally:
            # By identity: two recorders may have seen the same files.
            self._recorders = [recorder for recorder in self._recorders if recorder is not seen]
            seen |= asked

    def depend_on(self, dependencies: Collection[Dependency]) -> None:
        """Count them as asked for: for answers that were found in a cache."""
        for recorder in self._recorders:
            recorder.update(dependencies)

    def _touch(self, dependency: Dependency) -> None:
        for recorder in self._recorders:
            recorder.add(dependency)


def _forget_oldest(
    known: dict[Path, _T], asked_for: set[Path], most: int, pinned: Collection[Path]
) -> list[_T]:
    """Keep those that were asked for last, which stand at the end; give the others."""
    if len(known) <= most // 2:
        return []
    for path in [path for path in known if path in asked_for]:
        known[path] = known.pop(path)
    if len(known) <= most:
        return []
    return [known.pop(path) for path in list(known)[: len(known) - most * 3 // 4] if path not in pinned]


def _go_on() -> None:
    return None
