"""Brings the image list into the database and the annotation archives to disk.

Each is fetched once: a list that is in the database, or an archive that has its
row, is not asked for again. Consumers read verified streams, so nothing that
does not have the published size and MD5 is ever committed or moved into place.
"""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import trio

from oidl.dataset.archive import discard_part, fetch_archive
from oidl.dataset.catalogue import Archive, Version
from oidl.dataset.rows import Skipped
from oidl.dataset.unpack import Stream, open_local_list, read_list, unpack
from oidl.errors import MetadataError
from oidl.pipeline.writer import StateWriter
from oidl.settings import Settings
from oidl.state.database import explained
from oidl.state.load import ImageList, Loaded, load_list, missing_subsets

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
        say: Callable[[str], None],
        on_bytes: Callable[[int], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._version = version
        self._state = state
        self._tls = tls
        self._say = say
        self._on_bytes = on_bytes

    @property
    def image_list(self) -> ImageList:
        """The list that the settings ask for."""
        source = self._settings.images_csv or self._version.image_list.url
        return ImageList(self._version.name, self._version.directory, source, self._version.quoting)

    def missing_subsets(self) -> tuple[str, ...]:
        """The selected subsets that are not in the database yet; `StateError` if it holds another list."""
        subsets = self._settings.selection.subsets or self._version.subsets
        return missing_subsets(self._state.db, self.image_list, subsets)

    async def load_images(self) -> None:
        """Loads the image list of the selected subsets, unless it is there. Raises `MetadataError`, `UsageError`."""
        subsets = self.missing_subsets()
        if not subsets:
            discard_part(self._version.image_list, self._settings.root_dir)
            return
        source = self.image_list.source
        self._say(f"loading the image list ({', '.join(subsets)}) from {source}")
        load = partial(self._load, subsets)
        if self._settings.images_csv is None:
            loaded, skipped = await self._archive(self._version.image_list, load)
        elif source.startswith(("http://", "https://")):
            name = Path(urlsplit(source).path).name or "images.csv"
            loaded, skipped = await self._archive(Archive(name, source, None, None), load)
        else:
            loaded, skipped = await self._state.run(self._load_local, subsets, Path(source))
        if loaded.repeated:
            self._say(f"{loaded.repeated} rows repeat an ImageID, the first was kept: {', '.join(loaded.examples)}")
        if skipped.bad:
            self._say(f"{skipped.bad} of {skipped.rows} rows are bad and were skipped")
        self._say(f"{loaded.images:,} images in the list")

    async def fetch_annotations(self) -> list[MetadataError]:
        """Fetches and unpacks the version's other archives; returns what could not be had."""
        errors = []
        root = self._settings.root_dir
        for archive in self._version.metadata:
            if await self._state.run(partial(self._state.ledger.has_archive, archive.name)):
                discard_part(archive, root)
                continue
            staging = root / UNPACKING / archive.name
            try:
                await self._archive(archive, partial(unpack, staging=staging, destination=root, name=archive.name))
            except MetadataError as error:
                self._say(str(error))
                errors.append(error)
            else:
                self._say(f"unpacked {archive.name}")
        return errors

    async def _archive(self, archive: Archive, consume: Callable[[Stream], T]) -> T:
        fetched = await fetch_archive(
            archive,
            self._settings.root_dir,
            transfers=self._settings.transfers,
            tls=self._tls,
            keep=self._settings.save_tar_balls,
            consume=consume,
            on_bytes=self._on_bytes,
        )
        await self._state.run(self._record, archive, fetched.bytes, fetched.md5)
        return fetched.value

    def _record(self, archive: Archive, size_bytes: int, md5: str) -> None:
        with self._state.ledger.transaction():
            self._state.ledger.archive(archive.name, archive.url, size_bytes, md5)

    def _load_local(self, subsets: tuple[str, ...], path: Path) -> tuple[Loaded, Skipped]:
        with open_local_list(path) as stream:
            return self._load(subsets, stream)

    def _load(self, subsets: tuple[str, ...], stream: Stream) -> tuple[Loaded, Skipped]:
        skipped = Skipped(report=self._say_from_thread)
        images = read_list(
            stream,
            name=self.image_list.source,
            subsets=frozenset(subsets),
            known_subsets=frozenset(self._version.subsets),
            skipped=skipped,
        )
        with explained(self._state.db.path):
            return load_list(self._state.db, self.image_list, subsets, images), skipped

    def _say_from_thread(self, text: str) -> None:
        trio.from_thread.run_sync(self._say, text)
