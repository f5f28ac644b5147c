"""Fetches metadata files, verifies them, and records them so that they are never fetched again."""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio

from oidl.dataset.archive import FetchedArchive, VerifiedStream, fetch_archive
from oidl.dataset.published import PublishedFile
from oidl.dataset.streams import Stream
from oidl.pipeline.context import Context
from oidl.progress.in_flight import FileProgress
from oidl.state.archives import has_archive, record_archive
from oidl.storage.durability import sync_filesystems
from oidl.text import without_secrets

T = TypeVar("T")


class ArchiveFetcher:
    """Fetches published files. Calls `on_bytes` with all byte counts, `begin_writing` before it writes anything."""

    def __init__(
        self,
        context: Context,
        tls: ssl.SSLContext,
        on_bytes: Callable[[int], Awaitable[None]],
        begin_writing: Callable[[], None],
    ) -> None:
        self._settings = context.settings
        self._version = context.version
        self._state = context.state
        self._tls = tls
        self._on_bytes = on_bytes
        self.begin_writing = begin_writing

    async def is_fetched(self, file: PublishedFile) -> bool:
        """Whether an earlier run fetched and verified `file`."""
        return await self._state.run(has_archive, self._state.db, self._version.recorded_name(file))

    async def fetch(
        self, file: PublishedFile, reading: FileProgress, consume: Callable[[Stream], T], keep: Path | None = None
    ) -> T:
        """The result of `consume`, which reads the file while it arrives; the file is kept at `keep`, if given.

        Raises `MetadataError`.
        """
        settings = self._settings
        if keep is None and settings.save_tar_balls:
            keep = settings.root_dir / file.name

        def counted(stream: VerifiedStream) -> T:
            reading.count_bytes = lambda: stream.size_bytes
            return consume(stream)

        fetched = await fetch_archive(
            file,
            settings.root_dir,
            transfers=settings.transfers,
            tls=self._tls,
            keep=keep,
            consume=counted,
            on_bytes=self._on_bytes,
        )
        # The row means "never fetch this again", so the file must be on the disk before it.
        await trio.to_thread.run_sync(sync_filesystems, (settings.root_dir,))
        await self._state.run(self._record, file, fetched)
        return fetched.value

    def _record(self, file: PublishedFile, fetched: FetchedArchive[object]) -> None:
        with self._state.ledger.transaction():
            record_archive(
                self._state.db,
                self._version.recorded_name(file),
                without_secrets(file.url),
                fetched.bytes,
                fetched.md5,
                fetched.checked_by,
            )
