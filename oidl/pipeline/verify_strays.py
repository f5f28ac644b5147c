"""Files on disk that the database does not know, for `oidl verify`: in directories of renditions, and temporary ones.

Runs in a thread, alone on the connection.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from oidl.model import Finding, Problem, Rendition
from oidl.pipeline.metadata import UNPACKING
from oidl.pipeline.verify_files import published_md5
from oidl.settings import Layout
from oidl.state.connection import StateConnection
from oidl.state.ledger import Ledger
from oidl.state.verify import PublishedImage, has_flickr_names, listed_images, paths_by_name, unfinished_tokens
from oidl.state.verify_shards import pack_directories, recorded_shards, shard_directories
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.durability import boot_id, is_alive
from oidl.storage.layout import actual_path, is_image_id, name_of, recorded_path, subset_directory
from oidl.storage.shards.place import OPEN_SUFFIX, shard_subset
from oidl.storage.shards.sealing import abandoned_parts
from oidl.storage.walk import Entry


class Home(NamedTuple):
    """The directory of a rendition for one subset."""

    rendition: Rendition
    subset: str
    path: Path


class Strays:
    """Looks for files without rows in `homes`, the directories of renditions, and for those that kills left."""

    def __init__(self, db: StateConnection, layout: Layout, subsets: Sequence[str], homes: Sequence[Home]) -> None:
        self._db = db
        self._subsets = subsets
        self._layout = layout
        self._homes = homes
        self._ended = Ledger(db).ended_tokens(boot_id(), is_alive)
        self._active = unfinished_tokens(db) - self._ended

    def find(self, home: Home, entries: Sequence[Entry]) -> list[Finding]:
        """The findings for those of `entries`, in `home`, that no row names."""
        shards = {entry: name for entry in entries if (name := self._shard(home, entry))}
        recorded_names = recorded_shards(self._db, set(shards.values())) if shards else set()
        stems = {entry: Path(entry.path).stem for entry in entries if entry not in shards}
        recorded = paths_by_name(self._db, set(stems.values()))
        strays = [entry for entry in stems if not self._is_recorded(entry, recorded.get(stems[entry], ()))]
        listed = listed_images(self._db, {stems[entry] for entry in strays})
        names_are_free = has_flickr_names(self._db)
        findings = [self._stray(entry, home, listed, names_are_free) for entry in strays]
        findings += [self._stray_shard(entry) for entry, name in shards.items() if name not in recorded_names]
        return [finding for finding in findings if finding]

    def _shard(self, home: Home, entry: Entry) -> str:
        """The path of the shard that `entry` is by its name, as in `shard.path`; "" if runs write no such shards."""
        name = entry.parts[-1].removesuffix(OPEN_SUFFIX) if len(entry.parts) == 1 else ""
        directory = recorded_path(self._layout, subset_directory(self._layout, "*", home.rendition.directory))
        if shard_subset(name) != home.subset or directory not in shard_directories(self._db):
            return ""
        return recorded_path(self._layout, home.path / name)

    def _stray_shard(self, entry: Entry) -> Finding | None:
        try:
            status = os.stat(entry.path, follow_symlinks=False)
        except OSError:
            return None
        fault = Problem.ORPHAN if stat.S_ISREG(status.st_mode) else Problem.FOREIGN
        return Finding(fault, recorded_path(self._layout, Path(entry.path)), modified_s=status.st_mtime)

    def _is_recorded(self, entry: Entry, paths: Sequence[str]) -> bool:
        # A file that is reached through another path of the root (a link, a mount) is still the same file.
        actual = [str(actual_path(self._layout, path)) for path in paths]
        return entry.path in actual or any(_is_same(entry.path, path) for path in actual)

    def _stray(
        self, entry: Entry, home: Home, listed: dict[str, PublishedImage], names_are_free: bool
    ) -> Finding | None:
        rendition = home.rendition

        def finding(fault: Problem, image_id: str | None = None, detail: str = "") -> Finding:
            path = recorded_path(self._layout, Path(entry.path))
            return Finding(fault, path, image_id, rendition.name if image_id else None, detail, modified_s)

        modified_s = 0.0
        try:
            status = os.stat(entry.path, follow_symlinks=False)
        except OSError:  # it was removed meanwhile
            return None
        modified_s = status.st_mtime
        name = name_of(rendition, entry.parts) if stat.S_ISREG(status.st_mode) and not entry.problem else None
        if name is None:
            return finding(Problem.FOREIGN, detail=entry.problem)
        image = listed.get(name)
        if is_image_id(name):
            if image is None or image.subset != home.subset:
                return finding(Problem.FOREIGN)
            if rendition.mode is None and _is_published(entry.path, status.st_size, image):
                return finding(Problem.UNRECORDED, name)
            return finding(Problem.ORPHAN, name)
        if not names_are_free:
            return finding(Problem.FOREIGN)
        # A Flickr name does not say to which image an original belongs, so the next run may use this one.
        return finding(Problem.UNRECORDED if rendition.mode is None else Problem.ORPHAN)

    def leftovers(self) -> list[Finding]:
        """The incomplete files of killed runs and exports, and other files next to them."""
        findings = []
        for path, is_ours in self._temporary():
            try:
                modified_s = os.lstat(path).st_mtime
            except OSError:
                continue
            fault = Problem.LEFTOVER if is_ours else Problem.FOREIGN
            findings.append(Finding(fault, recorded_path(self._layout, path), modified_s=modified_s))
        return findings

    def _temporary(self) -> Iterator[tuple[Path, bool]]:
        for home in self._homes:
            for path in sorted((home.path / PART_DIRECTORY).glob("*")):
                token = path.name.partition("-")[0]
                if token not in self._active:  # an active run removes its own
                    yield path, token in self._ended and path.is_file()
        yield self._layout.root_dir / UNPACKING, True
        for subset in self._subsets:  # of CSVs
            directory = self._layout.root_dir / self._layout.version_dir / subset
            yield from ((path, True) for path in sorted(directory.glob(f".*.csv{PART_DIRECTORY}-*")))
        for recorded in pack_directories(self._db):
            yield from ((path, True) for path in abandoned_parts(actual_path(self._layout, recorded)))


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):  # ValueError if a path contains a zero byte
        return False


def _is_published(path: str, size_bytes: int, image: PublishedImage) -> bool:
    try:
        return size_bytes == image.original_size and published_md5(Path(path).read_bytes()) == image.original_md5
    except OSError:
        return False
