"""Brings the image lists into the database and the annotations to disk.

Each is fetched once: a list that is in the database, or a file that has its
row, is not asked for again. Consumers read verified streams, so nothing that
does not have the published size and MD5 is ever committed or moved into place.
"""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import trio

from oidl.dataset.archive import FetchedArchive, VerifiedStream, discard_part, fetch_archive
from oidl.dataset.classes import class_list
from oidl.dataset.published import PublishedFile, Version
from oidl.dataset.rows import Skipped
from oidl.dataset.unpack import Stream, open_local_list, read_list, unpack
from oidl.errors import MetadataError
from oidl.model import FileKind
from oidl.pipeline.writer import StateWriter
from oidl.progress.meter import FileInHand, Meter
from oidl.settings import Settings
from oidl.state.database import explained, interruptible
from oidl.state.load import ImageList, Loaded, load_list, loaded_subsets, missing_subsets
from oidl.storage.durability import sync_filesystems

T = TypeVar("T")

UNPACKING = ".oidl-unpacking"


class Metadata:
    """Fetches what `version` publishes beside the images. `say` tells people what happens."""

    def __init__(
        self,
        settings: Settings,
        version: Version,
        state: StateWriter,
        tls: ssl.SSLContext,
        meter: Meter,
        say: Callable[[str], None],
        on_bytes: Callable[[int], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._version = version
        self._state = state
        self._tls = tls
        self._meter = meter
        self._say = say
        self._on_bytes = on_bytes

    def missing_subsets(self) -> tuple[str, ...]:
        """The selected subsets that are not in the database yet; `StateError` if it holds another list."""
        wanted = asked_lists(self._settings, self._version)
        return missing_subsets(self._state.db, wanted, self._settings.selection.subsets or self._version.subsets)

    async def load_images(self) -> None:
        """Loads the lists of the selected subsets that are not there yet. Raises `MetadataError`, `UsageError`."""
        missing = self.missing_subsets()
        loaded = set(loaded_subsets(self._state.db))
        for file, subsets in _lists(self._settings, self._version).items():
            if wanted := tuple(subset for subset in subsets if subset in missing):
                await self._load_from(file, wanted)
            elif self._settings.images_csv is None and loaded.intersection(subsets):  # what is to come is gone on with
                discard_part(file, self._settings.root_dir)

    async def _load_from(self, file: PublishedFile, subsets: tuple[str, ...]) -> None:
        self._say(f"loading the image list ({', '.join(subsets)}) from {file.url}")
        with self._meter.reading(file.name, file.bytes) as reading:
            load = partial(self._load, _image_list(self._version, file), subsets, reading)
            if file.url.startswith(("http://", "https://")):
                loaded, skipped = await self._archive(file, reading, load)
            else:
                loaded, skipped = await self._state.run(self._load_local, load, Path(file.url))
        if loaded.repeated:
            examples = f": {', '.join(loaded.examples)}" if loaded.examples else ""
            self._say(f"{loaded.repeated} rows repeat an ImageID, the first was kept{examples}")
        if skipped.bad:
            self._say(f"{skipped.bad} of {skipped.rows} rows are bad and were skipped")
        self._say(f"{loaded.images:,} images in the list")

    async def fetch_annotations(self) -> list[MetadataError]:
        """Fetches the version's other files and puts them in place; returns what could not be had."""
        errors = []
        settings = self._settings
        subsets = settings.selection.subsets or self._version.subsets
        for file in self._version.annotations(settings.annotations, subsets):
            if await self._state.run(self._state.ledger.has_archive, self._version.recorded_name(file)):
                discard_part(file, settings.root_dir)
                continue
            try:
                await self._put(file)
            except MetadataError as error:
                self._say(str(error))
                errors.append(error)
        return errors

    async def on_disk(self, file: PublishedFile) -> tuple[Path, ...]:
        """Where a file, or what was in it, stands; it is fetched first if it does not. Raises `MetadataError`."""
        if await self._state.run(self._state.ledger.has_archive, self._version.recorded_name(file)):
            standing = self._standing(file)
            if standing and all(path.is_file() for path in standing):
                return standing
        return await self._put(file)

    def _standing(self, file: PublishedFile) -> tuple[Path, ...]:
        """Where an earlier run put the file; nothing for an archive of which that is not known."""
        root = self._settings.root_dir
        if place := self._place(file):
            return (place,)
        if file.member and "{subset}" in file.member:
            places = (self._version.place_of(file, subset) for subset in self._version.subsets)
            return tuple(root / place for place in places if place)
        if file.member and (directory := (root / file.member).parent).is_dir():  # lists of classes, side by side
            return tuple(sorted(path for path in directory.iterdir() if class_list(path.name)))
        return ()

    async def _put(self, file: PublishedFile) -> tuple[Path, ...]:
        """Unpacks an archive while it arrives; another file is only moved. Returns what it is now."""
        root = self._settings.root_dir
        with self._meter.reading(file.name, file.bytes) as reading:
            if place := self._place(file):
                await self._archive(file, reading, lambda stream: None, place)
                self._say(f"fetched {self._version.recorded_name(file)}")
                return (place,)
            staging = root / UNPACKING / file.name
            unpacked = partial(unpack, staging=staging, destination=root, name=file.name)
            paths = await self._archive(file, reading, unpacked)
            self._say(f"unpacked {file.name}")
            return paths

    async def _archive(
        self, file: PublishedFile, reading: FileInHand, consume: Callable[[Stream], T], keep: Path | None = None
    ) -> T:
        if keep is None and self._settings.save_tar_balls:
            keep = self._settings.root_dir / file.name

        def counted(stream: VerifiedStream) -> T:
            reading.count_bytes = lambda: stream.size_bytes
            return consume(stream)

        fetched = await fetch_archive(
            file,
            self._settings.root_dir,
            transfers=self._settings.transfers,
            tls=self._tls,
            keep=keep,
            consume=counted,
            on_bytes=self._on_bytes,
        )
        # Its row says that it need never be fetched again, so it is on the disk first.
        await trio.to_thread.run_sync(sync_filesystems, (self._settings.root_dir,))
        await self._state.run(self._record, file, fetched)
        return fetched.value

    def _place(self, file: PublishedFile) -> Path | None:
        place = None if file.is_tar or file.kind is FileKind.IMAGE_LIST else self._version.place_of(file)
        return self._settings.root_dir / place if place else None

    def _record(self, file: PublishedFile, fetched: FetchedArchive[object]) -> None:
        ledger = self._state.ledger
        with ledger.transaction():
            ledger.archive(self._version.recorded_name(file), file.url, fetched.bytes, fetched.md5, fetched.checked_by)

    def _load_local(self, load: Callable[[Stream], T], path: Path) -> T:
        with open_local_list(path) as stream:
            return load(stream)

    def _load(
        self, image_list: ImageList, subsets: tuple[str, ...], reading: FileInHand, stream: Stream
    ) -> tuple[Loaded, Skipped]:
        skipped = Skipped(report=self._say_from_thread)
        reading.count_rows, reading.is_indexing = lambda: skipped.rows, False
        images = read_list(
            stream,
            name=image_list.source,
            subsets=frozenset(subsets),
            known_subsets=frozenset(self._version.subsets),
            skipped=skipped,
        )
        db = self._state.db
        with explained(db.path), interruptible(db, trio.from_thread.check_cancelled):
            rows = chain(images, reading.rows_are_in())
            return load_list(db, image_list, subsets, rows, lambda: skipped.style), skipped

    def _say_from_thread(self, text: str) -> None:
        trio.from_thread.run_sync(self._say, text)


def asked_lists(settings: Settings, version: Version) -> dict[str, ImageList]:
    """The image list that the settings ask for, of each subset."""
    lists = _lists(settings, version)
    return {subset: _image_list(version, file) for file, subsets in lists.items() for subset in subsets}


def _lists(settings: Settings, version: Version) -> dict[PublishedFile, tuple[str, ...]]:
    """The lists that the settings ask for, and the subsets in each; one of the user's own has all."""
    source = settings.images_csv
    if source is None:
        return version.image_lists(settings.image_list, version.subsets)
    return {PublishedFile(Path(urlsplit(source).path).name or "images.csv", source): version.subsets}


def _image_list(version: Version, file: PublishedFile) -> ImageList:
    return ImageList(version.name, version.directory, file.url)
