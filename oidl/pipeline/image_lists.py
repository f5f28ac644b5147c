"""Loads the image lists into the database, and updates them when they change.

A list that is in the database is not requested again, unless it may have changed. Lists are read as verified streams,
so a list is committed only if it has the published size and MD5.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import trio

from oidl.dataset.archive import discard_part
from oidl.dataset.lists import read_list
from oidl.dataset.local_list import HashedFile, identify, open_local_list
from oidl.dataset.published import PublishedFile, Version
from oidl.dataset.rows import ReadReport
from oidl.dataset.streams import Stream
from oidl.model import ListFile
from oidl.net.probe import probe
from oidl.pipeline.archives import ArchiveFetcher
from oidl.pipeline.context import Context
from oidl.progress.in_flight import FileProgress
from oidl.settings import Settings
from oidl.state.archives import archive_content
from oidl.state.connection import interruptible
from oidl.state.load import (
    ImageList,
    Loaded,
    adopt_moved,
    load_list,
    loaded_list,
    loaded_subsets,
    missing_subsets,
    stored_file,
)
from oidl.state.merge import Merged
from oidl.state.translate import translating_sqlite_errors
from oidl.text import counted, without_secrets

T = TypeVar("T")

_EXAMPLES = 20


class ImageLists:
    """The image lists that the settings request."""

    def __init__(self, context: Context, archives: ArchiveFetcher) -> None:
        self._context = context
        self._settings = context.settings
        self._version = context.version
        self._state = context.state
        self._meter = context.meter
        self._say = context.say
        self._archives = archives

    async def find_missing(self) -> tuple[str, ...]:
        """The selected subsets that are not in the database yet. Raises `StateError` if it contains another list.

        If the user's own list was moved, it is still the same list.
        """
        settings = self._settings
        lists = requested_lists(settings, self._version)
        if path := settings.local_list:
            image_list = next(iter(lists.values()))
            await self._state.run(self._require_file, image_list, path)
            await self._state.run(self._find_again, image_list, path)
        subsets = settings.selection.subsets or self._version.subsets
        return await self._state.run(missing_subsets, self._state.db, lists, subsets)

    async def load(self) -> None:
        """Loads the lists of the selected subsets that are missing or have changed.

        Raises `MetadataError`, `UsageError`.
        """
        missing = await self.find_missing()
        changed = await self._changed_subsets()
        loaded = set(loaded_subsets(self._state.db))
        for file, subsets in list_files(self._settings, self._version).items():
            if to_load := tuple(subset for subset in subsets if subset in missing or subset in changed):
                await self._load_from(file, to_load, is_again=bool(changed))
            elif self._settings.images_csv is None and loaded.intersection(subsets):  # keep the part of a later list
                discard_part(file, self._settings.root_dir)

    async def _load_from(self, file: PublishedFile, subsets: tuple[str, ...], *, is_again: bool) -> None:
        self._archives.begin_writing()
        shown = without_secrets(file.url)
        if is_again:
            self._say(f"the image list {shown} may have changed since it was loaded: reading it again")
        else:
            self._say(f"loading the image list ({', '.join(subsets)}) from {shown}")
        with self._meter.reading(file.name, file.expected_bytes) as reading:
            load = partial(self._load, _image_list(self._version, file), subsets, reading)
            if path := self._settings.local_list:
                loaded, skipped = await self._state.run(self._load_local, load, path)
            else:
                loaded, skipped = await self._archives.fetch(file, reading, load)
        for conflict in loaded.conflicts[:_EXAMPLES]:
            self._say(f"{conflict}; the first is kept")
        if len(loaded.conflicts) > _EXAMPLES:
            self._say(f"at least {len(loaded.conflicts) - _EXAMPLES:,} more rows are like this")
        if unnamed := skipped.bad - len(skipped.examples):
            self._say(f"{counted(unnamed, 'more row')} bad and skipped")
        if is_again:
            self._say(_describe(loaded.merged))
        else:
            self._say(f"{counted(loaded.images, 'image')} in the list")

    def _load(
        self, image_list: ImageList, subsets: tuple[str, ...], reading: FileProgress, stream: Stream
    ) -> tuple[Loaded, ReadReport]:
        skipped = ReadReport(report=self._context.say_from_thread)
        reading.count_rows, reading.is_indexing = lambda: skipped.rows, False
        images = read_list(
            stream,
            name=image_list.source,
            subsets=frozenset(subsets),
            known_subsets=frozenset(self._version.subsets),
            skipped=skipped,
        )
        db = self._state.db
        with translating_sqlite_errors(db.path), interruptible(db, trio.from_thread.check_cancelled):
            rows = chain(images, reading.mark_indexing())
            file = partial(_identity, stream)
            return load_list(db, image_list, subsets, rows, skipped, file), skipped

    def _load_local(self, load: Callable[[Stream], T], path: Path) -> T:
        with open_local_list(path) as stream:
            return load(stream)

    def _require_file(self, image_list: ImageList, path: Path) -> None:
        """Raises `UsageError` if there is no list at `path`, unless it was loaded before."""
        if not path.is_file() and not stored_file(self._state.db, image_list.source)[0]:
            with open_local_list(path):
                return

    def _find_again(self, image_list: ImageList, path: Path) -> None:
        """Records the new path of the loaded list, if it is the one at `path`; runs in a thread."""
        db = self._state.db
        if stored_file(db, image_list.source)[0] or not loaded_subsets(db) or not path.is_file():
            return
        loaded = loaded_list(db)
        recorded = stored_file(db, loaded.source)[1] if loaded else None
        if recorded and path.stat().st_size == recorded.bytes:
            adopt_moved(db, image_list, identify(path))

    async def _changed_subsets(self) -> tuple[str, ...]:
        """The loaded subsets if the content of the user's own list has changed, otherwise none."""
        if self._settings.images_csv is None:
            return ()
        image_list = next(iter(requested_lists(self._settings, self._version).values()))
        subsets, recorded, address = await self._state.run(stored_file, self._state.db, image_list.source)
        if not subsets:
            return ()
        if path := self._settings.local_list:
            is_changed = await self._state.run(self._is_changed, image_list, path, recorded)
        else:
            is_another = address not in (None, image_list.source_sha256)
            if is_another and image_list.source == self._settings.images_csv:
                return ()  # the plan stores the URL without the password or key that was used the first time
            is_changed = is_another or await self._has_server_changed()
        return subsets if is_changed else ()

    def _is_changed(self, image_list: ImageList, path: Path, recorded: ListFile | None) -> bool:
        """Whether the content of the list at `path` has changed; if the file is gone, the loaded list is used."""
        if not path.is_file():
            return False
        status = path.stat()
        if recorded and (status.st_size, round(status.st_mtime, 3)) == (recorded.bytes, round(recorded.modified_s, 3)):
            return False
        if recorded is None or status.st_size != recorded.bytes:
            return True
        now = identify(path)
        return not (now.sha256 == recorded.sha256 and adopt_moved(self._state.db, image_list, now))

    async def _has_server_changed(self) -> bool:
        """Whether the server states another length or MD5 for its list now; False without an answer."""
        (file,) = list_files(self._settings, self._version)
        (now,) = await probe([file.url], self._settings.transfers)
        recorded = await self._state.run(archive_content, self._state.db, self._version.recorded_name(file))
        if now.status != HTTPStatus.OK or recorded is None:
            return False
        size_bytes, md5 = recorded
        return now.bytes not in (None, size_bytes) or now.md5 not in (None, md5)


def requested_lists(settings: Settings, version: Version) -> dict[str, ImageList]:
    """The image list that the settings request, for each subset."""
    lists = list_files(settings, version)
    return {subset: _image_list(version, file) for file, subsets in lists.items() for subset in subsets}


def list_files(settings: Settings, version: Version) -> dict[PublishedFile, tuple[str, ...]]:
    """The lists that the settings request, and the subsets in each; the user's own list has all."""
    source = settings.images_csv
    if source is None:
        return version.image_lists(settings.image_list, version.subsets)
    return {PublishedFile(Path(urlsplit(source).path).name or "images.csv", source): version.subsets}


def _image_list(version: Version, file: PublishedFile) -> ImageList:
    address = hashlib.sha256(file.url.encode()).hexdigest() if "://" in file.url else None
    return ImageList(version.name, version.directory, without_secrets(file.url), address)


def _identity(stream: Stream) -> ListFile | None:
    return stream.identity if isinstance(stream, HashedFile) else None


def _describe(merged: Merged) -> str:
    parts = [f"{counted(merged.added, 'image')} new", f"{merged.changed:,} changed", f"{merged.removed:,} removed"]
    if merged.retained:
        parts.append(f"{merged.retained:,} no longer in the list but kept, because they are done")
    return "the list was read again: " + ", ".join(parts)
