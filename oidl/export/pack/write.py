"""Writes the shards of a set that are not there yet."""

from collections.abc import Sequence

from oidl.export.pack.context import PackContext
from oidl.export.pack.credits import Credits
from oidl.export.pack.plan import INDEX
from oidl.export.pack.request import Step
from oidl.export.pack.samples import ShardSamples
from oidl.model.sample import Sample
from oidl.state.pack import ShardRow, ShardSet, Written, plan_again, seal_shard, shards_of
from oidl.state.plan_counts import forget_plan_counts
from oidl.state.requeue import requeue
from oidl.storage.shards.sealing import remove_files, sealed_file


def unwritten_shards(context: PackContext, shard_set: ShardSet) -> list[ShardRow]:
    """The shards of a set that must be written, now planned ones; also those whose file is not there as it was sealed.

    If there are some, the set has no index.
    """
    shards = shards_of(context.db, shard_set.set_id)
    lost = {shard.shard_id for shard in shards if shard.is_sealed and not _is_there(context, shard)}
    context.result.packed = sum(shard.samples for shard in shards if shard.shard_id not in lost)
    todo = [shard for shard in shards if shard.shard_id in lost or not shard.is_sealed]
    if todo:
        remove_files(context.dest, [INDEX])
        plan_again(context.db, shard_set.set_id, lost)
    return todo


def write_shards(context: PackContext, shards: Sequence[ShardRow], samples: ShardSamples, credits: Credits) -> None:
    """Writes and seals `shards`, one after the other."""
    for shard in shards:
        _write(context, shard, samples, credits)
        credits.complete(shard)


def _write(context: PackContext, shard: ShardRow, samples: ShardSamples, credits: Credits) -> None:
    written: list[Written] = []
    missing: list[str] = []
    with sealed_file(context.path_of(shard.path)) as file:
        writer = context.request.format.open(file, context.rendition)
        for sample in samples.of(shard):
            if isinstance(sample, Sample):
                at, size = writer.add(sample) or (None, None)
                written.append(Written(sample.key, at, size))
                credits.add(shard, sample)
                context.result.packed += 1
                context.result.packed_now += 1
            else:
                missing.append(sample)
            context.did(Step.SAMPLE)
        writer.end()
        context.did(Step.WRITTEN)
    context.did(Step.RENAMED)
    if missing:
        requeue(context.db, [(image_id, context.rendition.name) for image_id in missing], missing)
        forget_plan_counts(context.db)
    seal_shard(context.db, shard, written, missing, file.bytes, file.sha256)
    context.did(Step.SEALED)


def _is_there(context: PackContext, shard: ShardRow) -> bool:
    try:
        return context.path_of(shard.path).stat().st_size == shard.bytes
    except OSError:
        return False
