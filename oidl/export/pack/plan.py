"""The plan of a pack: which images go into which shard.

The recipe of a set has everything that determines its bytes, except the images themselves. A directory never has shards
of two recipes.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oidl.errors import UsageError
from oidl.export.pack.context import PackContext
from oidl.export.pack.request import Step
from oidl.export.remote import COPY_BACK, read_remote_images
from oidl.hints import command
from oidl.model.sample import SCHEMA
from oidl.state.homes import read_homes
from oidl.state.licenses import unmet_license
from oidl.state.pack import ChosenSplit, ShardSet, choose_images, create_set, find_set, loaded_files, shards_of
from oidl.storage.ownership import OwnFiles
from oidl.storage.shards.sealing import remove_files

INDEX = "shards.json"
LABEL_MAP = "label_map.pbtxt"
ATTRIBUTION = "ATTRIBUTION.csv"
CROISSANT = "croissant.json"
CARD = "README.md"
NEXT_TO_SHARDS = (INDEX, CARD, CROISSANT, ATTRIBUTION, LABEL_MAP)
"""The files next to the shards, in the order in which they are removed; they are written in the opposite one."""

IDX = ".idx"

_SHARD = re.compile(r".+-\d{5,}-of-\d{5,}\.(tar|tfrecord|parquet)(\.idx)?", re.ASCII)
_WRITER = "pack"
_ANNOTATIONS, _IMAGES, _SELECTION = "annotations", "images", "selection"
_OPTIONS = {
    "schema": "version of oidl",
    "subsets": "--subset",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            "format", "rendition", "image_ids", "classes", "label_types", "min_visible", "with_empty", "split",
            "shard_size", "shard_samples", "shuffle", "seed", "limit", "attributes", "min_box_area", "where", "license",
            "verified_only", "include_subclasses",
        )
    },
}  # fmt: skip
"""What the user gave, by its name in a recipe."""


def planned_set(context: PackContext) -> ShardSet:
    """The set of shards in the directory of the pack; a new one if there is none, or if one is asked for.

    Raises `UsageError`, and changes nothing, if the set that is there was made in another way, or if there is nothing
    to pack.
    """
    recipe = _recipe(context)
    before = find_set(context.db, context.directory)
    if before:
        _check_writer(context, before)
        if not context.request.again:
            _check_recipe(context, before, recipe)
            return before
    chosen = _chosen(context)
    if before:
        remove_set_files(context, before)
        context.did(Step.REMOVED)
    else:
        _check_free(context.dest)
    paths = {split: _paths(context, split, part) for split, part in chosen.items()}
    images = sum(part.images for part in chosen.values())
    form = context.request.format
    planned = ShardSet(0, _WRITER, form.name, context.rendition.name, {**recipe, _IMAGES: images}, None)
    is_shuffled = context.request.selection.shuffle
    set_id = create_set(context.db, planned, context.directory, paths, chosen, is_shuffled=is_shuffled)
    context.did(Step.PLANNED)
    return planned._replace(set_id=set_id)


def planned_images(shard_set: ShardSet) -> int:
    """The number of images that were planned, even if some of them had no file when their shard was made."""
    images = shard_set.recipe.get(_IMAGES)
    return images if isinstance(images, int) else 0


def remove_set_files(context: PackContext, shard_set: ShardSet) -> None:
    """Removes the files of a set: the index first, so that it never names a shard that is not there."""
    remove_files(context.dest, list(NEXT_TO_SHARDS))
    names = [Path(shard.path).name for shard in shards_of(context.db, shard_set.set_id)]
    remove_files(context.dest, [each for name in names for each in (f"{name}{IDX}", name)])


def _recipe(context: PackContext) -> dict[str, Any]:
    """What determines the bytes of a set, as JSON has it."""
    request = context.request
    selection = {
        name: value
        for name, value in asdict(request.selection).items()
        if value and name not in ("image_ids", "label_types")
    }
    if not (request.selection.shuffle or request.split.shares):
        selection.pop("seed", None)
    recipe = {
        "schema": SCHEMA,
        "selection": _plain(selection),
        "image_ids": request.image_ids_sha256,
        "classes": _plain(request.label_names),
        "label_types": _plain(request.selection.label_types),
        "min_visible": request.min_visible,
        "with_empty": request.with_empty,
        "split": _plain(request.split.shares),
        "shard_size": request.shard_bytes or request.format.shard_bytes,
        "shard_samples": request.shard_samples,
    }
    annotations = {"kinds": _plain(context.kinds), "files": loaded_files(context.db) if context.kinds else {}}
    return {**recipe, _ANNOTATIONS: annotations}


def _plain(value: Any) -> Any:
    """`value` as it comes out of JSON."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, int | float) else str(value)


def _check_writer(context: PackContext, before: ShardSet) -> None:
    if before.writer != _WRITER:
        raise UsageError(f"{context.dest} has shards that runs write", hint="choose another --dest")


def _check_recipe(context: PackContext, before: ShardSet, recipe: Mapping[str, Any]) -> None:
    """Raises `UsageError` if a set was made in another way than the request says."""
    ways_out = "use --again to replace them, or choose another --dest"
    old = {**before.recipe, "format": before.format, "rendition": before.rendition}
    new = {**recipe, "format": context.request.format.name, "rendition": context.rendition.name}
    names = _differences(old, new)
    if names == [_ANNOTATIONS]:
        raise UsageError(
            f"annotations were loaded after the shards in {context.dest} were planned, and would differ", hint=ways_out
        )
    if names:
        options = " and ".join(_OPTIONS.get(name, name.replace("_", "-")) for name in names if name != _ANNOTATIONS)
        what = "shards that were made" if before.finished_at else "a pack that was begun, and is not complete,"
        hint = ways_out if before.finished_at else f"repeat its options to resume it; or {ways_out}"
        raise UsageError(f"{context.dest} has {what} with another {options}", hint=hint)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The names of what differs in two recipes, and of the parts of the selection that do."""

    def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
        return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))

    names = [name for name in differing(old, new) if name not in (_IMAGES, _SELECTION)]
    if "format" in names:  # each has a size of its own
        names = [name for name in names if name != "shard_size"]
    before, now = old.get(_SELECTION), new.get(_SELECTION)
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return list(dict.fromkeys([*names, *differing(before, now)]))
    return [*names, _SELECTION]


def _check_free(dest: Path) -> None:
    """Raises `UsageError` if files in `dest`, which no set in the database has, would be replaced."""
    names = sorted(each.name for each in dest.iterdir()) if dest.is_dir() else []
    for name in names:
        if name in NEXT_TO_SHARDS or _SHARD.fullmatch(name):
            raise UsageError(
                f"{dest / name} exists and is not from an earlier pack of this root",
                hint="choose another --dest, or move it away",
            )


def _chosen(context: PackContext) -> dict[str, ChosenSplit]:
    request, result, rendition = context.request, context.result, context.rendition
    own = OwnFiles(read_homes(context.db, context.layout), context.subsets)
    remote = read_remote_images(context.db, context.layout.root_dir)

    def is_usable(image_id: str, path: str, has_geometry: bool) -> bool:
        if store := remote.store(path):
            result.remote_files += 1
            result.remote_store = store
            return False
        if not own.has(image_id, rendition.name, path):
            result.misplaced_files += 1
            return False
        if not has_geometry and rendition.mode is not None:
            result.without_geometry += 1
            return False
        return True

    chosen = choose_images(
        context.db,
        rendition.name,
        context.subsets,
        request.selected,
        request.selection.limit,
        is_usable=is_usable,
        split_of=request.split.of,
    )
    if not chosen:
        raise _nothing_to_pack(context)
    return {name: chosen[name] for name in request.split.names(context.subsets) if name in chosen}


def _nothing_to_pack(context: PackContext) -> UsageError:
    result, request = context.result, context.request
    chosen = request.selected.images if request.selected else None
    if unmet := unmet_license(context.db, request.selection.license, chosen):
        return UsageError(f"nothing was packed: {unmet.why}", hint=unmet.hint)
    if result.remote_files:
        return UsageError(
            f"nothing was packed: all chosen images are in shards that are only in {result.remote_store}",
            hint=COPY_BACK,
        )
    if result.misplaced_files or result.without_geometry:
        return UsageError(
            "nothing was packed: the files of all chosen images are not those that were recorded",
            hint=f"run {command('verify', '--repair')}, then {command('run')}",
        )
    return UsageError(
        f"nothing was packed: no chosen image has a file of the rendition {context.rendition.name}",
        hint=f"choose other images, or download these first with {command('run')} and the same options",
    )


def _paths(context: PackContext, split: str, part: ChosenSplit) -> list[str]:
    """The recorded paths of the shards of a split: as many as keep each within both limits, but no empty one."""
    request = context.request
    size = part.bytes + part.images * request.format.overhead_bytes
    by_size = -(-size // (request.shard_bytes or request.format.shard_bytes))
    by_samples = -(-part.images // request.shard_samples)
    total = min(max(by_size, by_samples), part.images)
    return [f"{context.directory}/{request.format.file_name(split, number, total)}" for number in range(total)]
