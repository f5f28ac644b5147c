"""TFRecord shards as TensorFlow reads them, by the keys of its Object Detection API."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.readers.check import Facts
from bench.readers.shards import ShardTally, shards_of

SIDES = ("xmin", "xmax", "ymin", "ymax")
"""The sides of a box, as keys name them."""

_TEXT = ("image/source_id", "image/filename", "image/format", "image/license", "image/author", "image/encoded")
_ITEM = re.compile(r'item \{\s*name: "(.+?)"\s*id: (\d+)\s*display_name: "(.+?)"\s*\}')


def tensorflow(home: Path) -> Facts:
    """`TFRecordDataset`, `parse_single_example` and `decode_image`; classes by the label map, if there is one."""
    import tensorflow as tf

    features: dict[str, Any] = {name: tf.io.FixedLenFeature((), tf.string) for name in _TEXT}
    features |= {f"image/{side}": tf.io.FixedLenFeature((), tf.int64) for side in ("width", "height")}
    features |= {f"image/object/bbox/{side}": tf.io.VarLenFeature(tf.float32) for side in SIDES}
    for kind in ("image/object/class", "image/class"):
        features |= {f"{kind}/text": tf.io.VarLenFeature(tf.string), f"{kind}/label": tf.io.VarLenFeature(tf.int64)}
    numbers = label_map(home)
    tally = ShardTally()
    for record in tf.data.TFRecordDataset(shards_of(home, "tfrecord")):
        found = tf.io.parse_single_example(record, features)
        text = {name: found[name].numpy() for name in _TEXT}
        height, width, _ = tf.io.decode_image(text["image/encoded"]).shape
        facts = {
            "image_id": text["image/source_id"].decode(),
            "width": int(found["image/width"]),
            "height": int(found["image/height"]),
            "license": text["image/license"],
            "author": text["image/author"],
        }
        if text["image/format"] != b"jpeg" or text["image/filename"].decode() != f"{facts['image_id']}.jpg":
            raise ValueError(f"{facts['image_id']} is {text['image/filename']}, {text['image/format']}")
        tally.sample((width, height), facts, _boxes(found, numbers), len(found["image/class/text"].values))
    return tally.facts()


class Item(NamedTuple):
    """A class in a label map."""

    mid: str
    name: str


def label_map(home: Path) -> dict[int, Item]:
    """The classes in `label_map.pbtxt` by their numbers; none if there is no such file, as in what a run writes."""
    path = home / "label_map.pbtxt"
    if not path.is_file():
        return {}
    return {int(number): Item(mid, name) for mid, number, name in _ITEM.findall(path.read_text())}


def shares(names: Iterable[str], sides: Iterable[Sequence[float]]) -> list[dict[str, Any]]:
    """Boxes from the names of their classes and from the lists of their `SIDES`."""
    return [
        {"name": name, "x_min": x_min, "x_max": x_max, "y_min": y_min, "y_max": y_max}
        for name, x_min, x_max, y_min, y_max in zip(names, *sides, strict=True)
    ]


def _boxes(found: Mapping[str, Any], classes: Mapping[int, Item]) -> list[dict[str, Any]]:
    mids = [mid.decode() for mid in found["image/object/class/text"].values.numpy()]
    names = mids
    if classes:
        items = [classes[number] for number in found["image/object/class/label"].values.numpy().tolist()]
        if [item.mid for item in items] != mids:
            raise ValueError(f"{mids} are {items} in the label map")
        names = [item.name for item in items]
    return shares(names, [found[f"image/object/bbox/{side}"].values.numpy().tolist() for side in SIDES])
