"""What only the coordinator of a pack may do: it reads the rows, and gives a shard its name and its row.

Everything of a pack that is not published is in one directory next to the shards, `.cluster.oidl-part-<process>`. If
this process is killed, the next pack sweeps it.
"""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Protocol

import trio

from oidl.cluster.engine import RefusedError
from oidl.cluster.packing.order import SHARD, ShardOrder, Stored, WrittenShard, new_values
from oidl.cluster.protocol import Timing
from oidl.errors import disk_error
from oidl.export.pack.context import PackContext
from oidl.export.pack.credits import Credits
from oidl.export.pack.request import Step
from oidl.export.pack.samples import Samples, SampleSettings, sample_pages
from oidl.export.pack.write import record_shard
from oidl.state.pack import ShardRow, member_pages
from oidl.storage.atomic import PART_DIRECTORY
from oidl.storage.shards.sealing import move_sealed, take_away


class ShardTruth(Protocol):
    """What a dispatcher needs of the coordinator; each life is named. Raises an `OidlError` if it cannot go on."""

    async def prepare(self, shard: ShardRow) -> Stored:
        """Writes the rows of a shard where workers read them."""
        ...

    def begin(self, shard: ShardRow, life: str, rows: Stored) -> ShardOrder:
        """Makes the directory of a life, and the order for its worker."""
        ...

    def note(self, life: str, samples: int) -> None:
        """Notes that so many samples of a life are in its shard."""
        ...

    def publish(self, shard: ShardRow, life: str, result: Stored) -> None:
        """Gives a complete shard its name, and records it. Raises `RefusedError` if the worker did not see all."""
        ...

    def end(self, life: str) -> None:
        """Takes the directory away from a life that has ended, or is given up, whatever its worker does."""
        ...


class ShardPublisher:
    """The `ShardTruth` of a pack, in a `directory` of its own."""

    def __init__(
        self, context: PackContext, settings: SampleSettings, credits: Credits, timing: Timing, directory: Path
    ) -> None:
        self._context = context
        self._settings = settings
        self._credits = credits
        self._timing = timing
        self._directory = directory
        self._stored: Stored | None = None  # the settings
        self._samples: dict[str, int] = {}  # by life; they count as packed

    async def open(self) -> dict[str, str]:
        """Writes what all workers need; returns the paths that they must see, by what they see then."""
        self._stored = await self._store("settings", [self._settings])
        root = self._settings.root_dir / self._settings.version_dir
        seen = map(str, (root, *self._settings.mask_archives()))
        return {str(self._context.dest): self._stored.path, **{path: path for path in seen}}

    async def prepare(self, shard: ShardRow) -> Stored:
        """As in `ShardTruth`."""
        return await self._store(f"rows-{shard.shard_id}", sample_pages(self._context, shard, self._settings))

    def begin(self, shard: ShardRow, life: str, rows: Stored) -> ShardOrder:
        """As in `ShardTruth`."""
        directory = self._directory / life
        try:
            directory.mkdir()
        except OSError as error:
            raise disk_error(directory, error) from error
        self._samples[life] = 0
        form = self._context.request.format.name
        assert self._stored
        return ShardOrder(life, str(directory), shard.path, form, self._stored, rows, self._timing)

    def note(self, life: str, samples: int) -> None:
        """As in `ShardTruth`."""
        more = samples - self._samples[life]
        self._samples[life] = samples
        self._context.result.packed += more
        self._context.result.packed_now += more
        self._context.did(Step.SAMPLE)

    def publish(self, shard: ShardRow, life: str, result: Stored) -> None:
        """As in `ShardTruth`."""
        (made,) = result.read()
        assert isinstance(made, WrittenShard)
        self._check_missing(shard, made)
        path, part = self._context.path_of(shard.path), self._directory / life / SHARD
        try:
            if (size := part.stat().st_size) != made.size_bytes:
                raise RefusedError(
                    f"this machine sees only a part of the shard that it wrote, {size} of {made.size_bytes} bytes"
                )
            self._context.did(Step.WRITTEN)
            move_sealed(part, path)
        except OSError as error:
            raise disk_error(path, error) from error
        self._context.did(Step.RENAMED)
        self.note(life, len(made.written))
        del self._samples[life]  # what is sealed stays packed
        made.left_out.add_to(self._context.result)
        self._credits.add_shard(shard, made.credits, made.licenses)
        record_shard(self._context, shard, made.written, made.missing, made.size_bytes, made.sha256)
        with suppress(OSError):
            (self._directory / f"rows-{shard.shard_id}").unlink()

    def end(self, life: str) -> None:
        """As in `ShardTruth`."""
        if life in self._samples:
            self.note(life, 0)
            del self._samples[life]
        take_away(self._directory / life)

    def _check_missing(self, shard: ShardRow, made: WrittenShard) -> None:
        """Raises `RefusedError` if this machine has the file of an image that the worker did not find."""
        if not made.missing:
            return
        missing = set(made.missing)
        with closing(self._settings.mask_reader()) as masks:
            samples = Samples(self._settings, masks)
            for page in member_pages(self._context.db, shard.shard_id, self._settings.rendition.name):
                for member in page:
                    if member.image_id in missing and samples.has_sample(member):
                        assert member.file
                        raise RefusedError(f"it does not see {member.file.path} as it is here")

    async def _store(self, name: str, values: Iterable[object]) -> Stored:
        """Writes values where workers read them."""
        path = self._directory / name
        try:
            with new_values(path) as writer:
                for value in values:
                    writer.add(value)
                    await trio.lowlevel.checkpoint()  # the rows of a shard take seconds
        except OSError as error:
            raise disk_error(path, error) from error
        return writer.stored


@asynccontextmanager
async def open_directory(dest: Path) -> AsyncIterator[Path]:
    """A directory in `dest` for what is not published, which is removed at the end. Raises `DiskError`."""
    directory = dest / f".cluster{PART_DIRECTORY}-{os.getpid()}"
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise disk_error(directory, error) from error
    try:
        yield directory
    finally:
        take_away(directory)
