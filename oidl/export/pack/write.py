"""Writes the shards of a set that are not there yet."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing

from oidl.errors import disk_error
from oidl.export.pack.context import PackContext
from oidl.export.pack.credits import Credits
from oidl.export.pack.plan import INDEX
from oidl.export.pack.request import Step
from oidl.export.pack.samples import Samples, SampleSettings, sample_pages
from oidl.model.sample import Sample
from oidl.state.pack import ShardRow, ShardSet, Written, plan_again, seal_shard, shards_of
from oidl.state.plan_counts import forget_plan_counts
from oidl.state.requeue import requeue
from oidl.state.times import parse_timestamp
from oidl.storage.shards.sealing import ShardWriter, remove_files, sealed_file

_CLOCK_S = 1.0  # by which the clock of a file server may differ


def unwritten_shards(context: PackContext, shard_set: ShardSet) -> list[ShardRow]:
    """The shards of a set that must be written, now planned ones; also those whose file is not there as it was sealed.

    If there are some, the set has no index. Raises `DiskError`.
    """
    shards = shards_of(context.db, shard_set.set_id)
    lost = {shard.shard_id for shard in shards if shard.is_sealed and not _is_as_sealed(context, shard)}
    context.result.remade = len(lost)
    context.result.packed = sum(shard.samples for shard in shards if shard.shard_id not in lost)
    todo = [shard for shard in shards if shard.shard_id in lost or not shard.is_sealed]
    if todo:
        remove_files(context.dest, [INDEX])
        plan_again(context.db, shard_set.set_id, lost)
    return todo


def write_shards(context: PackContext, shards: Sequence[ShardRow], settings: SampleSettings, credits: Credits) -> None:
    """Writes and seals `shards` in this process, one after the other. The `ShardsWriter` of one machine."""
    with closing(settings.mask_reader()) as masks:
        samples = Samples(settings, masks)
        for shard in shards:
            _write(context, shard, samples, settings, credits)
            credits.complete(shard)


def _write(context: PackContext, shard: ShardRow, samples: Samples, settings: SampleSettings, credits: Credits) -> None:
    def note(sample: Sample | None) -> None:
        if sample:
            credits.add(shard, sample)
            context.result.packed += 1
            context.result.packed_now += 1
        context.did(Step.SAMPLE)

    with sealed_file(context.path_of(shard.path)) as file:
        writer = context.request.format.open(file, context.rendition)
        every = (each for page in sample_pages(context, shard, settings) for each in samples.of(page, context.result))
        written, missing = write_samples(writer, every, note)
        context.did(Step.WRITTEN)
    context.did(Step.RENAMED)
    record_shard(context, shard, written, missing, file.bytes, file.sha256)


def write_samples(
    writer: ShardWriter, samples: Iterable[Sample | str], note: Callable[[Sample | None], None]
) -> tuple[list[Written], list[str]]:
    """Writes a whole shard; returns its samples, and the ImageIDs of the images that are missing.

    `note` is called after each sample, and with None for a missing one.
    """
    written: list[Written] = []
    missing: list[str] = []
    for sample in samples:
        if isinstance(sample, Sample):
            at, size = writer.add(sample) or (None, None)
            written.append(Written(sample.key, at, size))
            note(sample)
        else:
            missing.append(sample)
            note(None)
    writer.end()
    return written, missing


def record_shard(
    context: PackContext,
    shard: ShardRow,
    written: Sequence[Written],
    missing: Collection[str],
    size_bytes: int,
    sha256: str,
) -> None:
    """Records a shard that has its name; images that are `missing` from it will be fetched again."""
    if missing:
        requeue(context.db, [(image_id, context.rendition.name) for image_id in missing], missing)
        forget_plan_counts(context.db)
    seal_shard(context.db, shard, written, missing, size_bytes, sha256)
    context.did(Step.SEALED)


def _is_as_sealed(context: PackContext, shard: ShardRow) -> bool:
    """Whether the file of a sealed shard has its size; and its SHA-256, if it was written to after it was sealed.

    Raises `DiskError` if it cannot be read.
    """
    path = context.path_of(shard.path)
    try:
        status = path.stat()
        if status.st_size != shard.bytes:
            return False
        sealed_at = parse_timestamp(shard.sealed_at)
        if sealed_at and status.st_mtime <= sealed_at.timestamp() + _CLOCK_S:
            return True
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise disk_error(path, error, "read") from error
