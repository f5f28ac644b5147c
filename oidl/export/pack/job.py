"""`oidl pack`: plans shards, writes those that are not there, and then the files next to them.

The caller holds the writer lock. Killed at any instant, the next pack with the same options makes what is left.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeAlias

from oidl.errors import StateError, UsageError
from oidl.export.categories import Categories, export_categories
from oidl.export.labels import find_rendition
from oidl.export.pack.context import PackContext
from oidl.export.pack.credits import Credits
from oidl.export.pack.index import is_finished, write_next_to_shards
from oidl.export.pack.plan import planned_images, planned_set
from oidl.export.pack.request import KINDS, OnStep, PackRequest, PackResult, SplitResult, Step
from oidl.export.pack.samples import SampleSettings, sample_settings
from oidl.export.pack.upload import upload_set
from oidl.export.pack.write import unwritten_shards, write_shards
from oidl.hints import command
from oidl.model import LabelType
from oidl.settings import Layout
from oidl.state.annotation_filters import is_annotated, require_annotations
from oidl.state.connection import StateConnection
from oidl.state.load import loaded_list, requested_subsets
from oidl.state.pack import ShardRow, ShardSet, finish_set, shards_of
from oidl.state.plan_counts import images_left
from oidl.state.verify import known_renditions
from oidl.storage.layout import checked_subdirectory
from oidl.storage.shards.sealing import sweep_parts


def packed_kinds(label_types: Collection[LabelType]) -> tuple[LabelType, ...]:
    """`label_types` in the order of `KINDS`. Raises `UsageError` if samples cannot have one of them."""
    if others := [kind for kind in label_types if kind not in KINDS]:
        raise UsageError(
            f"shards cannot contain {' and '.join(others)}",
            hint=f"use --label-types {','.join(KINDS)}, or some of these",
        )
    return tuple(kind for kind in KINDS if kind in label_types)


ShardsWriter: TypeAlias = Callable[[PackContext, Sequence[ShardRow], SampleSettings, Credits], None]
"""Writes and seals shards, and has their rows in the credits; raises an `OidlError` if it cannot."""


def pack(
    db: StateConnection,
    root_dir: Path,
    request: PackRequest,
    on_step: OnStep = lambda step, result: None,
    write: ShardsWriter = write_shards,
) -> PackResult:
    """Packs, or continues a pack, into `request.dest` or `<root_dir>/<version>/pack/<format>/<rendition>`.

    `root_dir` is absolute. `on_step` is called after each step. An exception from it stops the pack there, and the next
    one continues. `write` writes the shards that are not there. Raises `UsageError`, and changes nothing, if there is
    nothing to pack, or if shards of another recipe are there.
    """
    request.format.require()
    context = _context(db, root_dir, request, on_step)
    categories = Categories((), {})
    if context.kinds:
        categories = export_categories(db, context.kinds, request.label_names)
    settings = sample_settings(context, categories.by_label_name)
    if LabelType.SEGMENTATIONS in context.kinds:
        settings.mask_reader().require_archives(db, context.rendition.name, request.label_names, request.selected)
    sweep_parts(context.dest)
    shard_set = planned_set(context)
    context.result.images = planned_images(shard_set)
    todo = unwritten_shards(context, shard_set)
    if todo or not is_finished(context, shard_set):
        with Credits(context) as credits:
            write(context, todo, settings, credits)
            assert all(shard.is_sealed for shard in shards_of(db, shard_set.set_id))  # the index says so
            write_next_to_shards(context, shard_set, categories.of_objects, credits)
        finish_set(db, shard_set.set_id)
        context.did(Step.FINISHED)
    else:
        context.result.was_complete = True
    _count(context, shard_set)
    if request.remote:
        upload_set(context, shard_set, request.remote)
    return context.result


def _context(db: StateConnection, root_dir: Path, request: PackRequest, on_step: OnStep) -> PackContext:
    image_list = loaded_list(db)
    if image_list is None:
        raise StateError("there is no image list in the database yet", hint=f"run {command('run')} to load it")
    rendition = find_rendition(db, request.rendition)
    dest = request.dest
    if dest is None:
        name = checked_subdirectory(rendition.name, "without --dest, the name of a rendition")
        dest = root_dir / image_list.directory / "pack" / request.format.name / name
    kinds = packed_kinds(request.selection.label_types)
    if kinds:
        require_annotations(db, kinds)
    else:
        kinds = tuple(kind for kind in (LabelType.BOXES, LabelType.LABELS) if is_annotated(db, kind))
    return PackContext(
        db,
        Layout(root_dir, image_list.directory),
        image_list.dataset_version,
        requested_subsets(db, request.selection.subsets),
        request,
        rendition,
        kinds,
        PackResult(dest, rendition.name, kinds),
        on_step,
    )


def _count(context: PackContext, shard_set: ShardSet) -> None:
    result = context.result
    for shard in shards_of(context.db, shard_set.set_id):
        split = result.splits.setdefault(shard.split, SplitResult())
        split.shards += 1
        split.samples += shard.samples
        split.bytes += shard.bytes
    result.left = images_left(context.db)
    if not (context.request.selected or context.request.selection.subsets or context.request.selection.limit):
        result.files = dict(known_renditions(context.db))[context.rendition]
    result.absent = result.images - sum(split.samples for split in result.splits.values())
