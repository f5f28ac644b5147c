"""The files next to the shards: label map, attribution, and the index of the shards, which comes last.

They are made from the database and from sealed shards, so they are the same whenever they are made.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from oidl.export.attribution import COLUMNS
from oidl.export.image import Category
from oidl.export.pack.card import CardFacts, card, croissant
from oidl.export.pack.context import PackContext
from oidl.export.pack.credits import Credits
from oidl.export.pack.plan import ATTRIBUTION, CARD, CROISSANT, IDX, INDEX, LABEL_MAP
from oidl.export.pack.request import Step
from oidl.export.text import csv_line
from oidl.state.pack import ShardRow, ShardSet, shards_of
from oidl.storage.atomic import atomic_text
from oidl.storage.shards.dali import write_index

_WIDS = "wids-shard-index-v1"


def is_finished(context: PackContext, shard_set: ShardSet) -> bool:
    """Whether a set whose shards are all there needs nothing more."""
    if shard_set.finished_at is None:
        return False
    names = [INDEX, CARD, CROISSANT, ATTRIBUTION]
    if context.request.format.has_label_map and context.kinds:
        names.append(LABEL_MAP)
    if context.request.with_idx:
        names += [f"{Path(shard.path).name}{IDX}" for shard in shards_of(context.db, shard_set.set_id)]
    return all((context.dest / name).is_file() for name in names)


def write_next_to_shards(
    context: PackContext, shard_set: ShardSet, categories: Sequence[Category], credits: Credits
) -> None:
    """Writes all of them. Raises `DiskError`."""
    shards = shards_of(context.db, shard_set.set_id)
    if context.request.format.has_label_map and categories:
        _write(context, LABEL_MAP, _label_map(categories))
    _write_attribution(context, shards, credits)
    known = credits.summary
    facts = CardFacts(frozenset(known.licenses), bool(categories), known.verdicts, known.checked)
    _write(context, CROISSANT, croissant(context, shards, facts))
    _write(context, CARD, card(context, shards, facts))
    if context.request.with_idx:
        for shard in shards:
            path = context.path_of(shard.path)
            write_index(path, path.with_name(f"{path.name}{IDX}"))
            context.did(Step.ADDED)
    _write(context, INDEX, _index(context, shards))


def _write(context: PackContext, name: str, text: str) -> None:
    with atomic_text(context.dest / name) as file:
        file.write(text)
    context.did(Step.ADDED)


def _label_map(categories: Sequence[Category]) -> str:
    """The classes as TensorFlow's Object Detection API reads them: text with strings like JSON's."""

    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False)

    return "".join(
        f"item {{\n  name: {text(each.label_name)}\n  id: {each.number}\n  display_name: {text(each.name)}\n}}\n"
        for each in categories
    )


def _write_attribution(context: PackContext, shards: Sequence[ShardRow], credits: Credits) -> None:
    with atomic_text(context.dest / ATTRIBUTION) as file:
        file.write(csv_line(COLUMNS))
        for shard in shards:
            file.writelines(credits.of(shard))
    context.did(Step.ADDED)


def _index(context: PackContext, shards: Sequence[ShardRow]) -> str:
    """The shards as the package `wids` reads them, with the SHA-256 of each and its split."""
    listed = [
        {
            "url": Path(shard.path).name,
            "nsamples": shard.samples,
            "filesize": shard.bytes,
            "sha256": shard.sha256,
            "split": shard.split,
        }
        for shard in shards
    ]
    name = f"{context.title}, {context.rendition.name}"
    return json.dumps({"__kind__": _WIDS, "wids_version": 1, "name": name, "shardlist": listed}, indent=1) + "\n"
