"""Shards as NVIDIA DALI reads them by the index files next to them, and these files by their text."""

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.readers.check import Facts
from bench.readers.shards import ShardTally, shards_of
from bench.readers.tfrecord import SIDES, label_map, shares

_READER = "reader"


def wds_index(home: Path) -> Facts:
    """`v1.2 N`, then `suffix offset size name` of each member of a sample; each image opens."""
    from PIL import Image

    images = 0
    for path in sorted(home.glob("*.tar.idx")):
        first, *lines = path.read_text().splitlines()
        if first != f"v1.2 {len(lines)}":
            raise ValueError(f"{path.name} begins with {first}")
        shard = path.with_suffix("").read_bytes()
        for line in lines:
            bodies = {suffix: shard[at : at + size] for suffix, at, size in _members(line)}
            Image.open(io.BytesIO(bodies["jpg"])).load()
            images += bodies["json"].startswith(b"{") and bodies["json"].endswith(b"}")
    return {"images": images}


def _members(line: str) -> Iterator[tuple[str, int, int]]:
    words = line.split(" ")
    for suffix, at, size, name in zip(*(words[number::4] for number in range(4)), strict=True):
        if not name.endswith(f".{suffix}"):
            raise ValueError(f"{name} has the suffix {suffix}")
        yield suffix, int(at), int(size)


def tfrecord_index(home: Path) -> Facts:
    """`offset size` of each record: they are the shard, one after the other."""
    images = 0
    for path in sorted(home.glob("*.tfrecord.idx")):
        shard, end = path.with_suffix("").read_bytes(), 0
        for line in path.read_text().splitlines():
            at, size = map(int, line.split(" "))
            if at != end or struct.unpack_from("<Q", shard, at)[0] + 16 != size:
                raise ValueError(f"{path.name}: there is no record of {size} bytes at {at}")
            end = at + size
            images += 1
        if end != len(shard):
            raise ValueError(f"{path.name} ends at {end}, the shard at {len(shard)}")
    return {"images": images}


def webdataset(home: Path) -> Facts:
    """`fn.readers.webdataset` by the index files, on the CPU."""
    from nvidia.dali import fn

    paths = shards_of(home, "tar")
    images, texts = fn.readers.webdataset(
        paths=paths, index_paths=_indexes(paths), ext=["jpg", "json"], missing_component_behavior="error", name=_READER
    )
    tally = ShardTally()
    for image, text in _run(fn.decoders.image(images, device="cpu"), texts):
        tally.webdataset(_size(image), json.loads(text.tobytes()))
    return tally.facts()


def tfrecord(home: Path) -> Facts:
    """`fn.readers.tfrecord` by the index files, on the CPU."""
    import nvidia.dali.tfrecord as tfrec
    from nvidia.dali import fn

    text, number = tfrec.FixedLenFeature((), tfrec.string, ""), tfrec.FixedLenFeature([1], tfrec.int64, -1)
    numbers, floats = tfrec.VarLenFeature(tfrec.int64, 0), tfrec.VarLenFeature(tfrec.float32, 0.0)
    features = {f"image/{name}": text for name in ("encoded", "source_id", "license", "author")}
    features |= {f"image/{side}": number for side in ("width", "height")}
    features |= {f"image/object/bbox/{side}": floats for side in SIDES}
    features |= {f"image/{kind}/label": numbers for kind in ("object/class", "class")}
    names = label_map(home)
    paths = shards_of(home, "tfrecord")
    found = fn.readers.tfrecord(path=paths, index_path=_indexes(paths), features=features, name=_READER)
    image = fn.decoders.image(found.pop("image/encoded"), device="cpu")
    tally = ShardTally()
    for pixels, *values in _run(image, *found.values()):
        sample = dict(zip(found, values, strict=True))
        facts = {name: sample[f"image/{name}"].tobytes() for name in ("license", "author")}
        facts |= {side: int(sample[f"image/{side}"][0]) for side in ("width", "height")}
        facts["image_id"] = sample["image/source_id"].tobytes()
        sides = [sample[f"image/object/bbox/{side}"].tolist() for side in SIDES]
        classes = [names[number].name for number in sample["image/object/class/label"].tolist()]
        tally.sample(_size(pixels), facts, shares(classes, sides), len(sample["image/class/label"]))
    return tally.facts()


def _indexes(paths: list[str]) -> list[str]:
    return [f"{path}.idx" for path in paths]


def _size(image: Any) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _run(*outputs: Any) -> Iterator[list[Any]]:
    """The arrays of each sample, in one epoch of a pipeline with `outputs`."""
    from nvidia.dali import Pipeline

    pipeline = Pipeline(batch_size=1, num_threads=1, device_id=None)
    pipeline.set_outputs(*outputs)
    for _ in range(pipeline.epoch_size(_READER)):
        yield [output.as_array()[0] for output in pipeline.run()]
